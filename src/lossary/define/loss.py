"""Loss and its shapes: what a loss says of itself, and what everybody can do with it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, final

from lossary.define import late, spelling
from lossary.define.definition import Definition
from lossary.define.domains.domain import Domain, Learned
from lossary.define.parameters import parameters_of
from lossary.engine import evaluate
from lossary.errors import DifferentiationError, UsageError
from lossary.ops.call import Call
from lossary.ops.reduce import Total

if TYPE_CHECKING:
    from lossary.define.claims.claim import Claim
    from lossary.define.identity import Identity
    from lossary.define.metric import Metric
    from lossary.define.notation import Notation
    from lossary.define.objective import Objective
    from lossary.define.twin import Twin
    from lossary.jax import LossFunction
    from lossary.keras import KerasLoss
    from lossary.ops.ops import Array
    from lossary.sklearn import Scorer
    from lossary.torch import LossModule

Reduction = Literal["mean", "sum", "none"]
Task = Literal[
    "regression",
    "binary",
    "multiclass",
    "multilabel",
    "ordinal",
    "distribution",
    "segmentation",
    "embedding",
    "ranking",
    "preference",
    "survival",
]


class Loss(Definition, abstract=True):
    """A loss function: hyper-parameters as fields, maths as methods that use nothing but the operations of `xp`.

    A concrete loss derives from `Pointwise`, `Rowwise` or `Batchwise`, is a frozen dataclass by that alone, and is
    final. It writes `value` and, beside it, `gradient` (the derivative with respect to the prediction, in its own
    stable form), and optionally `curvature` (the derivative of that) and `formula` (the textbook form, where the
    stable form of `value` is not the one a reader knows).

    Its inputs are the attributes that are domains, or properties that return one: `prediction` and `target` first where
    it has them, the others in their order. The methods get the first two by position and the others by name:
    `value(self, xp, p, y, *, event)`. Gradients are taken of those that are marked as `Learned`, which come first, and
    of the first alone where none is.
    """

    inputs: ClassVar[tuple[str, ...]]
    learned: ClassVar[tuple[str, ...]]
    # Whether the losses of a batch are one: entries then have none of their own, and totals do not add.
    pooled: ClassVar[bool] = False

    task: ClassVar[Task]
    strengths: ClassVar[tuple[str, ...]] = ()
    weaknesses: ClassVar[tuple[str, ...]] = ()
    sources: ClassVar[tuple[str, ...]] = ()
    same_as: ClassVar[tuple[Twin, ...]] = ()
    judged_by: ClassVar[tuple[Metric, ...]] = ()  # metrics for what it estimates, beside those of its task
    identities: ClassVar[tuple[Identity, ...]] = ()  # what else in the catalogue it is, up to a factor
    no_twin: ClassVar[str] = ""  # why it has none, or none at some of its settings
    # What other libraries call it. These names teach; they are not accepted, except by `lossary.get`.
    foreign_names: ClassVar[tuple[str, ...]] = ()
    everyday: ClassVar[bool] = False  # whether it is among the few of its family that `lossary list` names
    has_gradient: ClassVar[bool]  # whether the gradient is written; otherwise each framework differentiates `value`
    # Whether `lossary compare` tries it unasked; where others stand for its kind, it waits until it is named.
    tried: ClassVar[bool] = True
    # Whether it can be differentiated at all; zero-one cannot.
    trainable: ClassVar[bool] = True
    # What the last layer of a model should be.
    output_layer: ClassVar[str] = ""
    choosing: ClassVar[str] = ""  # how to choose the hyper-parameters, in one sentence

    # ── what each loss writes ────────────────────────────────────────────────────────────────────────────────────

    @property
    @abstractmethod
    def prediction(self) -> Domain:
        """What a prediction may be; in a loss without one, what the first input may be."""

    @property
    @abstractmethod
    def target(self) -> Domain:
        """What a target may be; in a loss without one, what the second input may be."""

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is true of it at these hyper-parameters; the strongest only, the rest is derived."""
        return ()

    @abstractmethod
    def value(self, xp: Any, *inputs: Any, **others: Any) -> Any:
        """The loss of each entry (Pointwise) or row (Rowwise); the weighted sum over the batch (Batchwise)."""

    @property
    def notation(self) -> Notation | None:
        """Its formula, where the operations on a whole batch do not say it to a reader; None where they do."""
        return None

    def gradient(self, xp: Any, *inputs: Any, **others: Any) -> Any:
        """The derivative of `value` with respect to the prediction, in the prediction's shape; where several inputs are
        learned, one for each."""
        raise DifferentiationError(
            f"{type(self).__name__} has no gradient method, which NumPy needs.",
            hint="write gradient(self, xp, p, y) beside value; PyTorch, TensorFlow and JAX differentiate value "
            "themselves.",
        )

    def curvature(self, xp: Any, *inputs: Any, **others: Any) -> Any:
        """The derivative of `gradient` with respect to the prediction; pointwise losses may write it."""
        raise DifferentiationError(
            f"{type(self).__name__} has no curvature method.",
            hint="NumPy does not differentiate: PyTorch, TensorFlow and JAX do.",
        )

    def row_weight(self, xp: Any, y: Array, prediction: Array) -> Array | None:
        """What each loss counts for because of its class; None where all count alike."""
        return None

    # ── what its accuracy is measured in ─────────────────────────────────────────────────────────────────────────────

    # An answer is rounded as what it is made of: where that is larger, because terms of both signs are added up, or a
    # power magnifies what was rounded before, it is measured in units in the last place of these terms, |term| + ….
    # They are asked of NumPy, in float64; there are none where an answer is measured in its own.

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array | float, ...]:
        """What `value` is rounded as, in its shape."""
        return ()

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array | float, ...]:
        """What `gradient` is rounded as, in its shape."""
        return ()

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array | float, ...]:
        """What the derivative of the gradient is rounded as: of numbers in their shape, of rows a matrix for each."""
        return ()

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array | float, ...]:
        """What the derivative by the target is rounded as, in the target's shape."""
        return ()

    # ── what everybody can do with it ────────────────────────────────────────────────────────────────────────────

    def __call__(
        self,
        *positional: Any,
        prediction: Any = None,
        target: Any = None,
        weight: Any = None,
        where: Any = None,
        reduction: Reduction = "mean",
        **others: Any,
    ) -> Any:
        """The loss of a batch, in any framework's arrays; named arguments, so that nobody can swap them.

        Args:
            prediction: floating point, (…) or (…, K).
            target: the same shape, or (…) for class indices and for one number beside each row; converted to the
                prediction's framework, device and dtype.
            weight: how often each entry counts, ≥ 0: the losses' shape or a leading part of it. The derivative of the
                sum by an entry's weight is its loss, also where the weight is 0.
            where: boolean, False leaves an entry out: the losses' shape or a leading part of it.
            reduction: "mean" is Σwℓ / Σw (0 where Σw = 0), "sum" is Σwℓ, "none" is wℓ.
            others: what else the loss takes (`loss.inputs`), by its names.

        Raises:
            ShapeError, DtypeError, DomainError, FrameworkError, ParameterError, UsageError: see `lossary.errors`.
        """
        others |= {"prediction": prediction, "target": target}
        return evaluate.compute(self, call_of(self, positional, others, weight, where), reduction)

    @final
    def values(
        self, *, prediction: Any = None, target: Any = None, weight: Any = None, where: Any = None, **others: Any
    ) -> Any:
        """The unreduced losses: the call with reduction="none"."""
        call = {"prediction": prediction, "target": target, "weight": weight, "where": where, **others}
        return self(reduction="none", **call)

    @final
    def total(
        self, *, prediction: Any = None, target: Any = None, weight: Any = None, where: Any = None, **others: Any
    ) -> Total:
        """The sum of the losses and the weight it stands for; totals of micro-batches and ranks add."""
        others |= {"prediction": prediction, "target": target}
        return evaluate.compute_total(self, call_of(self, (), others, weight, where))

    @final
    def compute(self, call: Call, *, reduction: Reduction, fused: bool = True) -> Any:
        """The call, for adapters; by a kernel if `fused` and where there is one."""
        return evaluate.compute(self, call, reduction, fused=fused)

    @final
    def compute_total(self, call: Call, *, fused: bool = True) -> Total:
        """The total, for adapters."""
        return evaluate.compute_total(self, call, fused=fused)

    @final
    def compute_weighted(self, call: Call) -> tuple[Any, Any]:
        """w·ℓ and w of the losses' shape (None where all count alike), for adapters whose framework reduces by
        itself."""
        return evaluate.compute_weighted(self, call)

    @final
    def value_and_gradient(
        self,
        *,
        prediction: Any = None,
        target: Any = None,
        weight: Any = None,
        where: Any = None,
        reduction: Reduction = "mean",
        **others: Any,
    ) -> tuple[Any, Any]:
        """The reduced loss and its gradient in the prediction's shape, for NumPy; element-wise for "none".

        Where several inputs are learned, a tuple of their gradients.

        Raises:
            UsageError: the prediction is another framework's: differentiate there.
            DifferentiationError: the loss has no gradient.
        """
        others |= {"prediction": prediction, "target": target}
        call = call_of(self, (), others, weight, where)
        value, gradient = evaluate.with_derivatives(self, call, reduction, ("gradient",))
        return value, gradient

    @final
    def value_gradient_curvature(
        self,
        *,
        prediction: Any = None,
        target: Any = None,
        weight: Any = None,
        where: Any = None,
        reduction: Reduction = "mean",
        **others: Any,
    ) -> tuple[Any, Any, Any]:
        """As `value_and_gradient`, and the derivative of the gradient: what boosting and Newton's method take.

        Raises:
            UsageError: the prediction is another framework's: differentiate there.
            DifferentiationError: the loss has no gradient or no curvature; rowwise losses have a matrix instead.
        """
        others |= {"prediction": prediction, "target": target}
        call = call_of(self, (), others, weight, where)
        value, gradient, curvature = evaluate.with_derivatives(self, call, reduction, ("gradient", "curvature"))
        return value, gradient, curvature

    # ── hosts: where it goes to live ─────────────────────────────────────────────────────────────────────────────

    @final
    def torch(self, **options: Any) -> LossModule:
        """The `torch.nn.Module` of this loss: `criterion(input, target)`; options as `lossary.torch` says."""
        return late.torch(self, **options)

    @final
    def keras(self, **options: Any) -> KerasLoss:
        """The `keras.losses.Loss` of this loss; options as `lossary.keras` says."""
        return late.keras(self, **options)

    @final
    def jax(self, **options: Any) -> LossFunction:
        """A function of (predictions, targets) to unreduced values, as optax has it; options as `lossary.jax` says."""
        return late.jax(self, **options)

    @final
    def sklearn(self, **options: Any) -> Scorer:
        """A scikit-learn scorer with the right sign; options as `lossary.sklearn` says."""
        return late.sklearn(self, **options)

    # ── algebra ──────────────────────────────────────────────────────────────────────────────────────────────────

    @final
    def __add__(self, other: Any) -> Objective:
        from lossary.define.objective import Objective

        return Objective.of(self).__add__(other)

    @final
    def __mul__(self, factor: Any) -> Objective:
        from lossary.define.objective import Objective

        return Objective.of(self).__mul__(factor)

    __rmul__ = __mul__

    @final
    def __radd__(self, other: Any) -> Objective:
        """Also so that the built-in `sum` works, which starts from 0."""
        from lossary.define.objective import Objective

        return Objective.of(self).__radd__(other)

    # ── what it says of itself ───────────────────────────────────────────────────────────────────────────────────

    @property
    def domains(self) -> dict[str, Domain]:
        """What each input may be, by its name; an attribute where it does not depend on hyper-parameters."""
        return {name: getattr(self, name) for name in self.inputs}

    @property
    def weighs_classes(self) -> bool:
        """Whether `row_weight` has anything to say: it is written, else this is the attribute False, and where the loss
        has tables one of them has entries."""
        tables = [getattr(self, name) for name in self.tables]
        return not tables or any(isinstance(table, float) or len(table) for table in tables)

    @final
    @property
    def paired(self) -> bool:
        """Whether it takes a prediction and a target and nothing else, as scikit-learn and Keras call a loss."""
        return self.inputs == ("prediction", "target")

    @final
    @property
    def separable(self) -> bool:
        """Whether each entry or row has a loss of its own, which depends on nothing else; `Separable` tries to refute
        it."""
        return not self.pooled

    @final
    def for_targets_of(self, axes: int) -> str | None:
        """This loss with a flag the other way around, as code, where its targets have so many axes then; else None."""
        flags = {name: getattr(self, name) for name, known in parameters_of(self).items() if known.is_flag}
        for name, value in flags.items():
            if type(self)(**{**flags, name: not value}).target.axes == axes != self.target.axes:
                return f"{type(self).__name__}({name}={not value})"
        return None

    @final
    @property
    def estimates(self) -> str:
        """What minimising it estimates, as it claims: "mean", "median", "probability"…; "" where it claims nothing."""
        return next((claim.estimated for claim in self.claims if claim.estimated), "")

    # ── what it is made of, when it is defined ───────────────────────────────────────────────────────────────────

    @classmethod
    @abstractmethod
    def check_shape(cls, domains: dict[str, Domain]) -> None:
        """Raises TypeError where inputs of these domains are not what such a loss can compare."""

    def __init_subclass__(cls, *, abstract: bool = False, **options: Any) -> None:
        if not abstract:
            cls._declare_inputs()
            cls.has_gradient = cls.gradient is not Loss.gradient
            if cls.row_weight is Loss.row_weight:
                cls.weighs_classes = False  # type: ignore[method-assign,assignment]  # of no instance either
        super().__init_subclass__(abstract=abstract, **options)

    @classmethod
    def _declare_inputs(cls) -> None:
        """Take down which inputs there are, and which of them are learned."""
        own = {name: each for name, each in vars(cls).items() if _is_input(name, each)}
        names = sorted(own, key=lambda name: ("prediction", "target", name).index(name))  # stable: others as they stand
        if not names:
            return
        cls.inputs = tuple(names)
        cls.learned = tuple(name for name in names if isinstance(own[name], Learned)) or cls.inputs[:1]
        if len(names) < 2 or cls.learned != cls.inputs[: len(cls.learned)]:
            raise TypeError(f"{cls.__name__} needs two inputs or more, those that are learned first.")
        for name, each in own.items():
            if isinstance(each, Learned):
                setattr(cls, name, each.domain)
        for role, name in zip(("prediction", "target"), names, strict=False):
            if role not in own:
                setattr(cls, role, _same_as(name))
        domains = {name: getattr(cls, name) for name in names}
        if all(isinstance(domain, Domain) for domain in domains.values()):
            cls.check_shape(domains)
            cls.domains = domains  # type: ignore[method-assign,assignment]  # no property: nothing is left to look up

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_shape(self.domains)


class Pointwise(Loss, abstract=True):
    """Equal shapes in, the same shape out: each entry of the prediction meets its entry of the target."""

    if TYPE_CHECKING:
        prediction = target = claims = cast("Any", None)  # an author writes them as attributes or as properties

    @classmethod
    @final
    def check_shape(cls, domains: dict[str, Domain]) -> None:
        rows = [name for name, domain in domains.items() if domain.rows]
        if rows:
            raise TypeError(
                f"{cls.__name__} is Pointwise, and {' and '.join(rows)} is a row of numbers: derive it from Rowwise."
            )


class Rowwise(Loss, abstract=True):
    """Consumes what one prediction is, its last axis or more: (…, K) in, (…) out.

    The domains say what is a row: `Row(Real())` or `Logits()` in (…, K), `Row(Row(Real()))` in (…, H, W), and `Real()`
    or `ClassIndex()` for one number beside each row of predictions, (…).
    """

    if TYPE_CHECKING:
        prediction = target = claims = cast("Any", None)  # as above

    @classmethod
    @final
    def check_shape(cls, domains: dict[str, Domain]) -> None:
        (first, domain), *others = domains.items()
        if not domain.rows:
            raise TypeError(
                f"{cls.__name__} is Rowwise, and its {first} is single numbers: write {first} = Row({domain!r}) for "
                "rows of them, or derive it from Pointwise."
            )
        longer = [name for name, other in others if other.axes > domain.axes]
        if longer:
            raise TypeError(f"{cls.__name__}: {longer[0]} has more axes than the {first} that it belongs to.")


class Batchwise(Loss, abstract=True):
    """Sees the whole batch at once, as ranking, contrastive and survival losses do.

    Its methods get `weight` too, (N,): how often each entry counts, 0 where it is left out; there a legal value stands
    in all inputs. Leading axes are one axis of entries: inputs are (N,), or (N, K) where the domains say rows. `value`
    is the weighted sum over the batch, one number, and `gradient` its derivative; the mean divides by `denominator`.

    Entries have no losses of their own, so that `reduction="none"` is refused; and a batch is not the sum of its parts,
    so that totals do not add.
    """

    pooled: ClassVar[bool] = True

    if TYPE_CHECKING:
        prediction = target = claims = cast("Any", None)  # as above

    def denominator(self, xp: Any, *inputs: Any, **others: Any) -> Any:
        """What the mean divides by: the sum of the weights, unless the loss says otherwise."""
        return xp.sum(others["weight"])

    @classmethod
    @final
    def check_shape(cls, domains: dict[str, Domain]) -> None:
        (first, domain), *others = domains.items()
        longer = [name for name, other in others if other.axes > domain.axes]
        if longer:
            raise TypeError(f"{cls.__name__}: {longer[0]} has more axes than the {first} that it belongs to.")


def _is_input(name: str, attribute: Any) -> bool:
    """Whether an attribute of a loss's class declares an input."""
    if isinstance(attribute, property):
        returned = getattr(attribute.fget, "__annotations__", {}).get("return")
        return name in ("prediction", "target") or returned in (Domain, "Domain")
    return isinstance(attribute, Domain | Learned)


def _same_as(name: str) -> property:
    """The input of that name, by another name."""

    def aliased(loss: Loss) -> Domain:
        domain: Domain = getattr(loss, name)
        return domain

    return property(aliased)


def call_of(
    loss: Loss | Objective, positional: tuple[Any, ...], named: dict[str, Any], weight: Any, where: Any
) -> Call:
    """The call with these arguments.

    Raises:
        UsageError: an input is missing, or something came that is none.
    """
    if not positional and len(named) == 2 and loss.inputs == ("prediction", "target"):  # as most calls are
        prediction, target = named.get("prediction"), named.get("target")
        if prediction is not None and target is not None:
            return Call((prediction, target), weight, where)
    arrays = {name: array for name, array in named.items() if array is not None}
    foreign = [
        name for name in named if name not in loss.inputs and (name in arrays or name not in ("prediction", "target"))
    ]
    if positional or foreign:
        raise call_error(loss, positional, foreign)
    for name in loss.inputs:
        if name not in arrays:
            raise UsageError(f"{type(loss).__name__} needs {name}=.", received=f"{name}=None.")
    return Call(tuple(arrays[name] for name in loss.inputs), weight, where)


def call_error(loss: Loss | Objective, positional: tuple[Any, ...], foreign: list[str]) -> UsageError:
    """The error for positional or foreign arguments: it shows the door to each framework."""
    received = (
        [f"{len(positional)} positional arguments, " + " and ".join(map(_described, positional))] if positional else []
    )
    received += [f"{name}=" for name in foreign]
    code, names = spelling.in_use(loss), [f"{name}=" for name in loss.inputs]
    inputs = ", ".join(loss.inputs) if len(code) < 3 else ""  # where they have no names of their own for it
    at_home = {"PyTorch": f"{code['PyTorch']}; criterion({inputs or 'input, target'})", "Keras": code.get("Keras")}
    at_home |= {"JAX": f"{code['JAX']}; loss_fn({inputs or 'predictions, targets'})"}
    at_home |= {"scikit-learn": None if inputs else f"scoring={spelling.at_home('sklearn', loss)}"}
    return UsageError(
        f"{type(loss).__name__} takes {', '.join(names[:-1])} and {names[-1]} by name, because frameworks disagree on "
        "the order.",
        received=" and ".join(received) + ".",
        hint=f"here loss({', '.join(f'{name}...' for name in names)}); at home in a framework:\n"
        + "\n".join(f"  {framework:<14}{line}" for framework, line in at_home.items() if line),
    )


def _described(x: Any) -> str:
    shape = getattr(x, "shape", None)
    kind = f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}" if shape is not None else type(x).__name__
    return f"{kind} {tuple(shape)}" if isinstance(shape, tuple) else kind
