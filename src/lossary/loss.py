"""Loss and its shapes: what a loss says of itself, and what everybody can do with it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, final

from lossary import dispatch, explanation, reduce, spelling
from lossary.definition import Definition
from lossary.errors import DifferentiationError, ShapeError, UsageError
from lossary.inputs import Guarded, Inputs, prepare
from lossary.reduce import Total

if TYPE_CHECKING:
    from lossary.claim import Claim
    from lossary.domain import Domain
    from lossary.jax import LossFunction
    from lossary.keras import KerasLoss
    from lossary.missing import Missing
    from lossary.objective import Objective
    from lossary.sklearn import Scorer
    from lossary.torch import LossModule
    from lossary.twin import Twin
    from lossary.vocabulary.vocabulary import Array

Reduction = Literal["mean", "sum", "none"]
Task = Literal["regression", "binary", "multiclass", "distribution"]


class Loss(Definition, abstract=True):
    """A loss function: hyper-parameters as fields, maths as methods that use nothing but the words of `xp`.

    A concrete loss derives from `Pointwise` or `Rowwise`, is a frozen dataclass by that alone, and is final. It writes
    `value` and, beside it, `gradient` (the derivative with respect to the prediction, in its own stable form), and
    optionally `curvature` (the derivative of that) and `formula` (the textbook sentence, where the stable form of
    `value` is not the one a reader knows).
    """

    task: ClassVar[Task]
    strengths: ClassVar[tuple[str, ...]] = ()
    weaknesses: ClassVar[tuple[str, ...]] = ()
    sources: ClassVar[tuple[str, ...]] = ()
    same_as: ClassVar[tuple[Twin, ...]] = ()
    # What other libraries call it. These names teach; they are not accepted, except by `lossary.get`.
    foreign_names: ClassVar[tuple[str, ...]] = ()
    everyday: ClassVar[bool] = False  # whether it is among the few of its family that `lossary list` names
    # Whether it can be differentiated at all; zero-one cannot.
    trainable: ClassVar[bool] = True
    # What the last layer of a model should be.
    output_layer: ClassVar[str] = ""
    choosing: ClassVar[str] = ""  # how to choose the hyper-parameters, in one sentence

    # ── what each loss writes ────────────────────────────────────────────────────────────────────────────────────

    @property
    @abstractmethod
    def prediction(self) -> Domain:
        """What a prediction may be."""

    @property
    @abstractmethod
    def target(self) -> Domain:
        """What a target may be."""

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is true of it at these hyper-parameters; the strongest only, the rest is derived."""
        return ()

    @abstractmethod
    def value(self, xp: Any, p: Array, y: Array) -> Array:
        """The loss of each entry (Pointwise) or row (Rowwise)."""

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        """The derivative of `value` with respect to the prediction, in the prediction's shape."""
        raise DifferentiationError(
            f"{type(self).__name__} has no gradient method, which NumPy needs.",
            hint="write gradient(self, xp, p, y) beside value; PyTorch, TensorFlow and JAX differentiate value "
            "themselves.",
        )

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        """The derivative of `gradient` with respect to the prediction; pointwise losses may write it."""
        raise DifferentiationError(
            f"{type(self).__name__} has no curvature method.",
            hint="NumPy does not differentiate: PyTorch, TensorFlow and JAX do.",
        )

    def row_weight(self, xp: Any, y: Array, prediction: Array) -> Array | None:
        """What each loss counts for because of its class; None where all count alike."""
        return None

    # ── what everybody can do with it ────────────────────────────────────────────────────────────────────────────

    def __call__(
        self,
        *positional: Any,
        prediction: Any = None,
        target: Any = None,
        weight: Any = None,
        where: Any = None,
        reduction: Reduction = "mean",
        **foreign: Any,
    ) -> Any:
        """The loss of a batch, in any framework's arrays; named arguments, so that nobody can swap them.

        Args:
            prediction: floating point, (…) or (…, K).
            target: the same shape, or (…) for class indices; converted to the prediction's framework, device and dtype.
            weight: how often each entry counts, ≥ 0: the losses' shape or a leading part of it. The derivative of the
                sum by an entry's weight is its loss, also where the weight is 0.
            where: boolean, False leaves an entry out: the losses' shape or a leading part of it.
            reduction: "mean" is Σwℓ / Σw (0 where Σw = 0), "sum" is Σwℓ, "none" is wℓ.

        Raises:
            ShapeError, DtypeError, DomainError, FrameworkError, ParameterError, UsageError: see `lossary.errors`.
        """
        if positional or foreign:
            raise wrong_door(self, positional, foreign)
        return self.compute(prediction, target, weight, where, reduction=reduction)

    @final
    def values(self, *, prediction: Any, target: Any, weight: Any = None, where: Any = None) -> Any:
        """The unreduced losses: the call with reduction="none"."""
        return self(prediction=prediction, target=target, weight=weight, where=where, reduction="none")

    @final
    def total(self, *, prediction: Any, target: Any, weight: Any = None, where: Any = None) -> Total:
        """The sum of the losses and the weight it stands for; totals of micro-batches and ranks add."""
        return self.compute_total(prediction, target, weight, where)

    @final
    def compute(
        self,
        prediction: Any,
        target: Any,
        weight: Any,
        where: Any,
        *,
        reduction: Reduction,
        validate: bool = True,
        came_in: str | None = None,
        missing: Missing | None = None,
        fused: bool = True,
    ) -> Any:
        """The call, for hosts: positional, and with what `lossary.inputs.prepare` may be told; by a kernel if `fused`
        and where there is one, by the vocabulary elsewhere."""
        reduce.check_reduction(type(self).__name__, reduction)
        options: dict[str, Any] = {"validate": validate, "came_in": came_in, "missing": missing}
        call = (prediction, target, weight, where)
        found = self._fused(call, reduction, options) if fused else None
        if found is not None:
            return found
        inputs = prepare(self, *call, **options)
        values = _evaluated(self, inputs)
        return _looked_at(self, inputs, values, _reduced(inputs, values, reduction))

    @final
    def compute_total(
        self,
        prediction: Any,
        target: Any,
        weight: Any,
        where: Any,
        *,
        validate: bool = True,
        came_in: str | None = None,
        missing: Missing | None = None,
        fused: bool = True,
    ) -> Total:
        """The total, for hosts."""
        options: dict[str, Any] = {"validate": validate, "came_in": came_in, "missing": missing}
        call = (prediction, target, weight, where)
        found: Total | None = self._fused(call, "total", options) if fused else None
        if found is not None:
            return found
        inputs = prepare(self, *call, **options)
        values = _evaluated(self, inputs)
        total = reduce.total(inputs.xp, values, inputs.weight, inputs.reduced_dtype)
        _looked_at(self, inputs, values, total.mean)
        return total

    def _fused(self, call: tuple[Any, ...], reduction: str, options: dict[str, Any]) -> Any:
        """What a kernel makes of a call; None where the vocabulary is to be used."""
        words = dispatch.vocabulary(dispatch.framework_of(call[0]))
        return words.fused(self, *call, reduction=reduction, **options)

    @final
    def compute_weighted(
        self,
        prediction: Any,
        target: Any,
        weight: Any,
        where: Any,
        *,
        validate: bool = True,
        came_in: str | None = None,
    ) -> tuple[Any, Any]:
        """w·ℓ and w of the losses' shape (None where all count alike), for hosts whose framework reduces by itself."""
        inputs = prepare(self, prediction, target, weight, where, validate=validate, came_in=came_in)
        xp, weight, dtype = inputs.xp, inputs.weight, inputs.reduced_dtype
        values = _evaluated(self, inputs)
        weighted = _looked_at(self, inputs, values, xp.cast(reduce.weighted(xp, values, weight), dtype))
        return weighted, None if weight is None else xp.cast(weight, dtype)

    @final
    def value_and_gradient(
        self,
        *,
        prediction: Any,
        target: Any,
        weight: Any = None,
        where: Any = None,
        reduction: Reduction = "mean",
    ) -> tuple[Any, Any]:
        """The reduced loss and its gradient in the prediction's shape, for NumPy; element-wise for "none".

        Raises:
            UsageError: the prediction is another framework's: differentiate there.
            DifferentiationError: the loss has no gradient.
        """
        value, gradient = self._with_derivatives(("gradient",), prediction, target, weight, where, reduction)
        return value, gradient

    @final
    def value_gradient_curvature(
        self,
        *,
        prediction: Any,
        target: Any,
        weight: Any = None,
        where: Any = None,
        reduction: Reduction = "mean",
    ) -> tuple[Any, Any, Any]:
        """As `value_and_gradient`, and the derivative of the gradient: what boosting and Newton's method take.

        Raises:
            UsageError: the prediction is another framework's: differentiate there.
            DifferentiationError: the loss has no gradient or no curvature; rowwise losses have a matrix instead.
        """
        call = (prediction, target, weight, where, reduction)
        value, gradient, curvature = self._with_derivatives(("gradient", "curvature"), *call)
        return value, gradient, curvature

    def _with_derivatives(
        self, names: tuple[str, ...], prediction: Any, target: Any, weight: Any, where: Any, reduction: Reduction
    ) -> tuple[Any, ...]:
        """The loss and its methods of these names, weighted and scaled as the reduction says."""
        import numpy as np

        reduce.check_reduction(type(self).__name__, reduction)
        xp = dispatch.vocabulary(dispatch.framework_of(prediction))
        if xp.name != "NumPy":
            raise UsageError(
                f"{type(self).__name__}.{'value_and_gradient' if len(names) == 1 else 'value_gradient_curvature'} "
                "works on NumPy arrays.",
                received=f"a prediction from {xp.name}.",
                hint=f"let {xp.name} differentiate the call itself.",
            )
        call = (prediction, target, weight, where)
        fused: tuple[Any, ...] | None = xp.fused(
            self, *call, reduction=reduction, validate=True, came_in=None, missing=None, derivatives=names
        )
        if fused is not None:
            return fused
        inputs = prepare(self, *call)
        with np.errstate(all="ignore"):
            values = _evaluated(self, inputs)
            results = [_reduced(inputs, values, reduction)]
            part = inputs.weight  # of each loss in the whole
            if reduction == "mean":
                part = reduce.share(xp, np.ones(np.shape(values)) if part is None else part)
            for name in names:
                derivative = getattr(self, name)(xp, inputs.prediction, inputs.target)
                derivative = np.broadcast_to(derivative, np.shape(inputs.prediction))  # where it is a constant
                if part is not None:
                    derivative = reduce.weighted(xp, derivative, xp.expand(part, inputs.prediction))
                results.append(xp.cast(derivative, inputs.dtype))
            _looked_at(self, inputs, values, results[0], differentiated=True)
        return tuple(results)

    # ── hosts: where it goes to live ─────────────────────────────────────────────────────────────────────────────

    @final
    def torch(self, **options: Any) -> LossModule:
        """The `torch.nn.Module` of this loss: `criterion(input, target)`; options as `lossary.torch` says."""
        from lossary import torch

        return torch.host(self, **options)

    @final
    def keras(self, **options: Any) -> KerasLoss:
        """The `keras.losses.Loss` of this loss; options as `lossary.keras` says."""
        from lossary import keras

        return keras.host(self, **options)

    @final
    def jax(self, **options: Any) -> LossFunction:
        """A function of (predictions, targets) to unreduced values, as optax has it; options as `lossary.jax` says."""
        from lossary import jax

        return jax.host(self, **options)

    @final
    def sklearn(self, **options: Any) -> Scorer:
        """A scikit-learn scorer with the right sign; options as `lossary.sklearn` says."""
        from lossary import sklearn

        return sklearn.host(self, **options)

    # ── algebra ──────────────────────────────────────────────────────────────────────────────────────────────────

    @final
    def __add__(self, other: Any) -> Objective:
        from lossary.objective import Objective

        return Objective.of(self).__add__(other)

    @final
    def __mul__(self, factor: Any) -> Objective:
        from lossary.objective import Objective

        return Objective.of(self).__mul__(factor)

    __rmul__ = __mul__

    @final
    def __radd__(self, other: Any) -> Objective:
        """Also so that the built-in `sum` works, which starts from 0."""
        from lossary.objective import Objective

        return Objective.of(self).__radd__(other)

    # ── what it says of itself ───────────────────────────────────────────────────────────────────────────────────

    @property
    def has_gradient(self) -> bool:
        """Whether the gradient is written; otherwise each framework differentiates `value`."""
        return type(self).gradient is not Loss.gradient

    @final
    @property
    def elicits(self) -> str:
        """What minimising it estimates, as it claims: "mean", "median", "probability"…; "" where it claims nothing."""
        return next((claim.estimated for claim in self.claims if claim.estimated), "")


class Pointwise(Loss, abstract=True):
    """Equal shapes in, the same shape out: each entry of the prediction meets its entry of the target."""

    if TYPE_CHECKING:
        prediction = target = claims = cast("Any", None)  # an author writes them as attributes or as properties


class Rowwise(Loss, abstract=True):
    """Consumes the last axis: (…, K) in, (…) out."""

    if TYPE_CHECKING:
        prediction = target = claims = cast("Any", None)  # as above


def _evaluated(loss: Loss, inputs: Inputs) -> Array:
    """The unreduced, unweighted losses, with the loss's own gradient as their derivative."""
    sentence = Guarded(loss, inputs.spacing) if inputs.guarded else loss
    values = inputs.xp.evaluate(sentence, inputs.prediction, inputs.target)
    came, shape = inputs.xp.shape(values), inputs.xp.shape(inputs.prediction)
    if came is not None and shape is not None and len(came) != len(shape) - loss.prediction.rows:
        raise ShapeError(
            f"{type(loss).__name__}: value must return one number for each "
            + ("row of the prediction." if loss.prediction.rows else "entry of the prediction."),
            received=f"{came} from predictions of shape {shape}.",
            hint="leave sums and means to reduction=: a loss that reduces by itself cannot be weighted or masked.",
        )
    return values


def _looked_at(loss: Loss, inputs: Inputs, values: Array, result: Array, *, differentiated: bool = False) -> Array:
    """The result; within `lossary.explain`, it and all that it is made of are looked at."""
    if explanation.blocks:
        differentiated = differentiated or inputs.xp.differentiable(inputs.prediction)
        sentence = Guarded(loss, inputs.spacing)
        explanation.look(loss, inputs, sentence, values, result, differentiated=differentiated)
    return result


def _reduced(inputs: Inputs, values: Array, reduction: Reduction) -> Array:
    """The losses, reduced as `lossary.reduce` says."""
    xp, weight = inputs.xp, inputs.weight
    if reduction == "none":
        return xp.cast(reduce.weighted(xp, values, weight), inputs.dtype)
    if reduction == "sum":
        return reduce.total(xp, values, weight, inputs.reduced_dtype).sum
    return reduce.mean(xp, values, weight, inputs.reduced_dtype)


def wrong_door(loss: Loss | Objective, positional: tuple[Any, ...], foreign: dict[str, Any]) -> UsageError:
    """The error for positional or foreign arguments: it shows the door to each framework."""
    came = (
        [f"{len(positional)} positional arguments, " + " and ".join(map(_described, positional))] if positional else []
    )
    came += [f"{name}=" for name in foreign]
    code = spelling.in_use(loss)
    return UsageError(
        f"{type(loss).__name__} takes prediction= and target= by name, because frameworks disagree on the order.",
        received=" and ".join(came) + ".",
        hint="here loss(prediction=..., target=...); at home in a framework:\n"
        f"  PyTorch       {code['PyTorch']}; criterion(input, target)\n"
        f"  Keras         {code['Keras']}\n"
        f"  JAX           {code['JAX']}; loss_fn(predictions, targets)\n"
        f"  scikit-learn  scoring={spelling.at_home('sklearn', loss)}",
    )


def _described(x: Any) -> str:
    shape = getattr(x, "shape", None)
    kind = f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}" if shape is not None else type(x).__name__
    return f"{kind} {tuple(shape)}" if isinstance(shape, tuple) else kind
