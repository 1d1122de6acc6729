"""The algebra: weighted sums of losses and penalties, in which every term stays visible.

A factor is a number, or a scalar of PyTorch, TensorFlow or JAX, which is learned: `torch.exp(-s) * Huber() + s`.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import re
from typing import TYPE_CHECKING, Any, ClassVar, final

from lossary.define import late, registry
from lossary.define.claims import claim
from lossary.define.loss import Loss, call_of
from lossary.define.penalty import Penalty
from lossary.engine import evaluate, explanation
from lossary.errors import ParameterError, ShapeError, UsageError
from lossary.ops import dispatch, reduce
from lossary.ops.reduce import Total

if TYPE_CHECKING:
    from lossary.define.claims.claim import Claim
    from lossary.define.domains.domain import Domain
    from lossary.define.loss import Reduction, Task
    from lossary.jax import LossFunction
    from lossary.keras import KerasLoss
    from lossary.ops.call import Call
    from lossary.sklearn import Scorer
    from lossary.torch import LossModule


# What a term counts: a number, or a framework's scalar, which is learned.
Factor = Any
# What stands alone, with no loss or penalty behind it, is None: the `+ s` of `exp(-s) * loss + s`.
Term = Loss | Penalty | None


@final
@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Objective:
    """Σ factor · term, made by arithmetic: `0.7 * Huber(1.5) + 0.3 * Quantile(0.9) + 1e-4 * L2()`.

    All losses must take the same kind of prediction and target. Each is reduced on its own, so that the mean of the
    objective is the weighted sum of their means. Penalties count once per call, whatever the batch.

    A factor may be a scalar of PyTorch, TensorFlow or JAX, and such a scalar may be added: `torch.exp(-s) * Huber() +
    s`. Derivatives then go to `s` too. Such scalars are operands of one computation, and no part of a config or hash;
    what is added counts once per call, as penalties do.
    """

    summands: tuple[tuple[Factor, Term], ...]
    __array_ufunc__: ClassVar[None] = None  # NumPy's numbers leave arithmetic to us, and its arrays have none with us
    autograph_info__: ClassVar[None] = None  # tells TensorFlow's AutoGraph that there is nothing to convert

    def __post_init__(self) -> None:
        for factor, term in self.summands:
            if _is_learned(factor):
                _check_learned(factor)
            elif not (math.isfinite(factor) and factor >= 0.0):
                raise ParameterError(
                    "a factor in an objective must be a finite number, at least 0.", received=f"{factor!r} * {term!r}."
                )
        first = next(iter(self.losses), None)
        for loss in self.losses:
            if first is not None and (loss.domains, loss.pooled) != (first.domains, first.pooled):
                raise ParameterError(
                    "the losses of an objective must take the same kind of prediction and target."
                    if loss.inputs == first.inputs
                    else "the losses of an objective must take the same inputs.",
                    received=" and ".join(f"{x!r} ({_requirements(x)})" for x in (first, loss)) + ".",
                )

    @classmethod
    def of(cls, term: Loss | Penalty) -> Objective:
        """The objective that is this term alone."""
        return cls(((1.0, term),))

    @classmethod
    def _read(cls, other: Any) -> Objective | None:
        """What may be added to an objective, as one; None for anything else."""
        if isinstance(other, Objective):
            return other
        if isinstance(other, Loss | Penalty):
            return cls.of(other)
        return cls(((other, None),)) if _is_learned(other) else None

    # ── what it is made of ───────────────────────────────────────────────────────────────────────────────────────

    @property
    def losses(self) -> tuple[Loss, ...]:
        return tuple(term for _, term in self.summands if isinstance(term, Loss))

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        return tuple(term for _, term in self.summands if isinstance(term, Penalty))

    @property
    def learned(self) -> tuple[Any, ...]:
        """The factors that are scalars of a framework, and what is added."""
        return tuple(factor for factor, _ in self.summands if _is_learned(factor))

    @property
    def once(self) -> bool:
        """Whether it has terms that belong to no entry, and count once per call: penalties, and what is added."""
        return any(not isinstance(term, Loss) for _, term in self.summands)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each term, in snake case; equal names are numbered."""
        plain = ["added" if term is None else _snake(type(term).__name__) for _, term in self.summands]
        return tuple(
            f"{name}_{plain[: index + 1].count(name)}" if plain.count(name) > 1 else name
            for index, name in enumerate(plain)
        )

    @property
    def prediction(self) -> Domain:
        return self._first.prediction

    @property
    def target(self) -> Domain:
        return self._first.target

    @property
    def inputs(self) -> tuple[str, ...]:
        return self._first.inputs

    @property
    def domains(self) -> dict[str, Domain]:
        return self._first.domains

    @property
    def paired(self) -> bool:
        return self._first.paired

    @property
    def pooled(self) -> bool:
        return self._first.pooled

    @property
    def separable(self) -> bool:
        return self._first.separable

    @property
    def task(self) -> Task:
        return self._first.task

    @property
    def trainable(self) -> bool:
        return all(loss.trainable for loss in self.losses)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What follows for the sum from what is claimed of each loss; penalties do not depend on the prediction.

        Nothing, where factors are learned: they may become anything.
        """
        if self.learned:
            return ()
        factors = tuple(factor for factor, term in self.summands if isinstance(term, Loss))
        return claim.combined(factors, tuple(loss.claims for loss in self.losses))

    @property
    def _first(self) -> Loss:
        if not self.losses:
            raise UsageError(
                "an objective needs a loss to be called.", received=f"{self!r}, which has penalties alone."
            )
        return self.losses[0]

    # ── what can be done with it ─────────────────────────────────────────────────────────────────────────────────

    def __call__(
        self,
        *positional: Any,
        prediction: Any = None,
        target: Any = None,
        weight: Any = None,
        where: Any = None,
        parameters: Any = None,
        reduction: Reduction = "mean",
        **others: Any,
    ) -> Any:
        """The weighted sum; arguments as for a loss, and `parameters=` (a model or its arrays) where it has penalties.

        Raises:
            UsageError: penalties without `parameters=`, or with reduction="none".
        """
        others |= {"prediction": prediction, "target": target}
        call = call_of(self, positional, others, weight, where)
        return self.compute(call, reduction=reduction, parameters=parameters)

    def compute(self, call: Call, *, reduction: Reduction, parameters: Any = None) -> Any:
        """The call, for adapters."""
        if reduction == "none":
            self._refuse_once("unreduced values")
        shares = self._shares(call, reduction, parameters)
        return self._looked_at(shares[0], sum(shares[1:], start=shares[0]))

    def values(
        self, *, prediction: Any = None, target: Any = None, weight: Any = None, where: Any = None, **others: Any
    ) -> Any:
        """The unreduced losses; penalties are refused, because they belong to no entry."""
        call = {"prediction": prediction, "target": target, "weight": weight, "where": where, **others}
        return self(reduction="none", **call)

    def terms(
        self,
        *,
        prediction: Any = None,
        target: Any = None,
        weight: Any = None,
        where: Any = None,
        parameters: Any = None,
        reduction: Reduction = "mean",
        **others: Any,
    ) -> dict[str, Any]:
        """Each term's share of the objective, by name."""
        others |= {"prediction": prediction, "target": target}
        call = call_of(self, (), others, weight, where)
        return self.compute_terms(call, reduction=reduction, parameters=parameters)

    def compute_terms(self, call: Call, *, reduction: Reduction, parameters: Any) -> dict[str, Any]:
        """The terms, for adapters."""
        return dict(zip(self.names, self._shares(call, reduction, parameters), strict=True))

    def total(
        self, *, prediction: Any = None, target: Any = None, weight: Any = None, where: Any = None, **others: Any
    ) -> Total:
        """The sum and the weight it stands for.

        Raises:
            UsageError: it has penalties or something added, which must not count once per micro-batch, or losses that
                weigh classes differently, whose means have no common denominator.
        """
        others |= {"prediction": prediction, "target": target}
        return self.compute_total(call_of(self, (), others, weight, where))

    def compute_total(self, call: Call) -> Total:
        """The total, for adapters."""
        self._refuse_once("a total, which would count them once per micro-batch")
        self._check_framework(call)
        if len({loss if loss.weighs_classes else None for loss in self.losses}) > 1:
            raise UsageError(
                "a total needs one weight for all losses of an objective.",
                received=f"different class weights in {self!r}.",
            )
        totals = [(factor, loss.compute_total(call)) for factor, loss in self.summands if isinstance(loss, Loss)]
        first, *others = (dataclasses.replace(each, exact_sum=reduce.scaled(f, each.exact_sum)) for f, each in totals)
        whole = sum(others, start=first)
        return dataclasses.replace(whole, exact_weight=first.exact_weight)

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
        """The reduced objective and its gradient in the prediction's shape, for NumPy; without penalties."""
        self._refuse_once("a gradient in the prediction, on which they do not depend")
        others |= {"prediction": prediction, "target": target}
        call = call_of(self, (), others, weight, where)
        self._check_framework(call)
        pairs = [
            (factor, evaluate.with_derivatives(loss, call, reduction, ("gradient",)))
            for factor, loss in self.summands
            if isinstance(loss, Loss)
        ]
        import numpy as np

        with np.errstate(all="ignore"):  # as in each loss: what overflows is infinite
            value = sum(factor * one for factor, (one, _) in pairs)
            if len(self._first.learned) == 1:
                return value, sum(factor * gradient for factor, (_, gradient) in pairs)
            of_each = zip(*(tuple(factor * x for x in gradients) for factor, (_, gradients) in pairs), strict=True)
            return value, tuple(sum(parts) for parts in of_each)

    def _shares(self, call: Call, reduction: Reduction, parameters: Any) -> list[Any]:
        evaluate.check_reduction("Objective", reduction)
        if self.penalties and parameters is None:
            raise UsageError(
                "an objective with penalties needs the parameters they are about.",
                received="parameters=None.",
                hint="parameters=model or its arrays; in PyTorch objective.torch(model=net).",
            )
        self._check_framework(call)

        def share(factor: Factor, term: Term) -> Any:
            if term is None:
                return factor
            if isinstance(term, Penalty):
                return factor * term(parameters=parameters)
            value = term.compute(call, reduction=reduction)
            return self._looked_at(value, factor * value)

        return [share(factor, term) for factor, term in self.summands]

    def _looked_at(self, share: Any, product: Any) -> Any:
        """The product; within `lossary.explain`, it is looked at."""
        if explanation.blocks:
            explanation.look_at_product(repr(self), dispatch.ops(dispatch.framework_of(product)), share, product)
        return product

    def _check_framework(self, call: Call) -> None:
        """Raises FrameworkError where what is learned is not of the prediction's framework."""
        if self.learned:
            dispatch.ops_of("Objective", ("prediction", "factor"), (call.inputs[0], self.learned[0]))

    def _refuse_once(self, what: str) -> None:
        if self.once:
            kind = "penalties" if self.penalties else "an added scalar"
            raise UsageError(
                f"an objective with {kind} cannot have {what}.",
                received=f"{self!r}.",
                hint="take the losses' part for that, and add "
                f"{'penalties(parameters=...)' if self.penalties else 'the scalar'} once per step.",
            )

    # ── hosts ────────────────────────────────────────────────────────────────────────────────────────────────────

    def torch(self, **options: Any) -> LossModule:
        """The `torch.nn.Module`; `model=net` where it has penalties."""
        return late.torch(self, **options)

    def keras(self, **options: Any) -> KerasLoss:
        """The `keras.losses.Loss`; penalties are refused, because Keras has them in its layers."""
        return late.keras(self, **options)

    def jax(self, **options: Any) -> LossFunction:
        """A function of (predictions, targets); with penalties, of (predictions, targets, parameters=pytree)."""
        return late.jax(self, **options)

    def sklearn(self, **options: Any) -> Scorer:
        """A scikit-learn scorer with the right sign."""
        return late.sklearn(self, **options)

    # ── algebra and names ────────────────────────────────────────────────────────────────────────────────────────

    def __add__(self, other: Any) -> Objective:
        read = self._read(other)
        return NotImplemented if read is None else Objective(self.summands + read.summands)

    def __radd__(self, other: Any) -> Objective:
        """Also so that the built-in `sum` works, which starts from 0."""
        if isinstance(other, numbers.Real):
            return self if other == 0 else NotImplemented
        read = self._read(other)
        return NotImplemented if read is None else read + self

    def __mul__(self, factor: Any) -> Objective:
        if not _is_learned(factor):
            if isinstance(factor, bool) or not isinstance(factor, numbers.Real):
                return NotImplemented
            factor = float(factor)
        return Objective(tuple((_times(factor, each), term) for each, term in self.summands))

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        """Equal terms with equal factors; what is learned equals itself alone."""
        if not isinstance(other, Objective):
            return NotImplemented
        return len(self.summands) == len(other.summands) and all(
            term == other_term
            and (
                factor is other_factor
                or (not (_is_learned(factor) or _is_learned(other_factor)) and factor == other_factor)
            )
            for (factor, term), (other_factor, other_term) in zip(self.summands, other.summands, strict=True)
        )

    def __hash__(self) -> int:
        self._refuse_learned("a hash")
        return hash(self.summands)

    def config(self) -> dict[str, Any]:
        """It as JSON-able data; `lossary.from_config` makes it again.

        Raises:
            UsageError: its factors are learned.
        """
        self._refuse_learned("a config")
        return {"terms": [{"factor": factor, **term.config()} for factor, term in self.summands if term is not None]}

    def _refuse_learned(self, what: str) -> None:
        if self.learned:
            raise UsageError(
                f"an objective whose factors are learned cannot have {what}: they are operands of one computation.",
                received=f"{self!r}.",
                hint="keep what is learned in the model, and make the objective from it in each step.",
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Objective:
        """The objective that `config()` described."""
        terms = [dict(term) for term in config["terms"]]
        return cls(tuple((term.pop("factor"), registry.from_config(term)) for term in terms))

    def __repr__(self) -> str:
        return " + ".join(_written(factor, term) for factor, term in self.summands)


def _times(factor: Factor, each: Factor) -> Factor:
    """The product; a parameter stays the parameter that it is."""
    return factor if not _is_learned(each) and each == 1.0 else factor * each


def _written(factor: Factor, term: Term) -> str:
    if _is_learned(factor):
        learned = f"<a scalar of {dispatch.title(factor)}>"
        return learned if term is None else f"{learned} * {term!r}"
    return f"{factor:g} * {term!r}" if factor != 1.0 else repr(term)


def _is_learned(x: Any) -> bool:
    """Whether it is an array of a framework that differentiates."""
    return dispatch.framework_of(x) != "numpy"


def _check_learned(factor: Factor) -> None:
    xp = dispatch.ops(dispatch.framework_of(factor))
    if xp.shape(factor) not in {(), None}:
        raise ShapeError(
            "a factor in an objective must be a number or a scalar.",
            received=f"a factor of shape {xp.shape(factor)} of {xp.name}.",
            hint="one scalar for each loss, s[0] * Huber() + s[1] * Quantile(0.9); weight= where each entry has one.",
        )


def _requirements(loss: Loss) -> str:
    """What a loss takes, in words."""
    return ", ".join(f"{name}: {domain.wanted}" for name, domain in loss.domains.items())


def _snake(name: str) -> str:
    """KLDivergence → kl_divergence, L2 → l2."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
