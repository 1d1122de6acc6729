"""The algebra: weighted sums of losses and penalties, in which every term stays visible."""

from __future__ import annotations

import dataclasses
import math
import numbers
import re
from typing import TYPE_CHECKING, Any, ClassVar, final

from lossary import catalogue, claim, reduce
from lossary.errors import ParameterError, UsageError
from lossary.loss import Loss, wrong_door
from lossary.penalty import Penalty
from lossary.reduce import Total

if TYPE_CHECKING:
    from lossary.claim import Claim
    from lossary.domain import Domain
    from lossary.loss import Reduction, Task


@final
@dataclasses.dataclass(frozen=True, repr=False)
class Objective:
    """Σ factor · term, made by arithmetic: `0.7 * Huber(1.5) + 0.3 * Quantile(0.9) + 1e-4 * L2()`.

    All losses must take the same kind of prediction and target. Each is reduced on its own, so that the mean of the
    objective is the weighted sum of their means. Penalties count once per call, whatever the batch.
    """

    summands: tuple[tuple[float, Loss | Penalty], ...]
    __array_ufunc__: ClassVar[None] = None  # NumPy's numbers leave arithmetic to us, and its arrays have none with us
    autograph_info__: ClassVar[None] = None  # tells TensorFlow's AutoGraph that there is nothing to convert

    def __post_init__(self) -> None:
        for factor, term in self.summands:
            if not (math.isfinite(factor) and factor >= 0.0):
                raise ParameterError(
                    "a factor in an objective must be a finite number, at least 0.", received=f"{factor!r} * {term!r}."
                )
        first = next(iter(self.losses), None)
        for loss in self.losses:
            if first is not None and (loss.prediction, loss.target) != (first.prediction, first.target):
                raise ParameterError(
                    "the losses of an objective must take the same kind of prediction and target.",
                    received=" and ".join(
                        f"{x!r} (prediction: {x.prediction.wanted}, target: {x.target.wanted})" for x in (first, loss)
                    )
                    + ".",
                )

    @classmethod
    def of(cls, term: Loss | Penalty) -> Objective:
        """The objective that is this term alone."""
        return cls(((1.0, term),))

    # ── what it is made of ───────────────────────────────────────────────────────────────────────────────────────

    @property
    def losses(self) -> tuple[Loss, ...]:
        return tuple(term for _, term in self.summands if isinstance(term, Loss))

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        return tuple(term for _, term in self.summands if isinstance(term, Penalty))

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each term, in snake case; equal names are numbered."""
        plain = [_snake(type(term).__name__) for _, term in self.summands]
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
    def task(self) -> Task:
        return self._first.task

    @property
    def trainable(self) -> bool:
        return all(loss.trainable for loss in self.losses)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What follows for the sum from what is claimed of each loss; penalties do not depend on the prediction."""
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
        **foreign: Any,
    ) -> Any:
        """The weighted sum; arguments as for a loss, and `parameters=` (a model or its arrays) where it has penalties.

        Raises:
            UsageError: penalties without `parameters=`, or with reduction="none".
        """
        if positional or foreign:
            raise wrong_door(self, positional, foreign)
        return self.compute(prediction, target, weight, where, reduction=reduction, parameters=parameters)

    def compute(
        self,
        prediction: Any,
        target: Any,
        weight: Any,
        where: Any,
        *,
        reduction: Reduction,
        parameters: Any = None,
        **options: Any,
    ) -> Any:
        """The call, for hosts: positional, and with what `lossary.inputs.prepare` may be told."""
        if reduction == "none":
            self._refuse_penalties("unreduced values")
        shares = self._shares(prediction, target, weight, where, reduction, parameters, options)
        return sum(shares[1:], start=shares[0])

    def values(self, *, prediction: Any, target: Any, weight: Any = None, where: Any = None) -> Any:
        """The unreduced losses; penalties are refused, because they belong to no entry."""
        return self.compute(prediction, target, weight, where, reduction="none")

    def terms(
        self,
        *,
        prediction: Any,
        target: Any,
        weight: Any = None,
        where: Any = None,
        parameters: Any = None,
        reduction: Reduction = "mean",
    ) -> dict[str, Any]:
        """Each term's share of the objective, by name."""
        return self.compute_terms(prediction, target, weight, where, reduction=reduction, parameters=parameters)

    def compute_terms(
        self,
        prediction: Any,
        target: Any,
        weight: Any,
        where: Any,
        *,
        reduction: Reduction,
        parameters: Any,
        **options: Any,
    ) -> dict[str, Any]:
        """The terms, for hosts."""
        shares = self._shares(prediction, target, weight, where, reduction, parameters, options)
        return dict(zip(self.names, shares, strict=True))

    def total(self, *, prediction: Any, target: Any, weight: Any = None, where: Any = None) -> Total:
        """The sum and the weight it stands for.

        Raises:
            UsageError: it has penalties, which must not count once per micro-batch, or losses that weigh classes
                differently, whose means have no common denominator.
        """
        return self.compute_total(prediction, target, weight, where)

    def compute_total(
        self,
        prediction: Any,
        target: Any,
        weight: Any,
        where: Any,
        **options: Any,
    ) -> Total:
        """The total, for hosts."""
        self._refuse_penalties("a total, which would count them once per micro-batch")
        if len({_weighing(loss) for loss in self.losses}) > 1:
            raise UsageError(
                "a total needs one weight for all losses of an objective.",
                received=f"different class weights in {self!r}.",
            )
        totals = [
            (factor, loss.compute_total(prediction, target, weight, where, **options))
            for factor, loss in self.summands
            if isinstance(loss, Loss)
        ]
        first, *others = (dataclasses.replace(each, exact_sum=reduce.scaled(f, each.exact_sum)) for f, each in totals)
        whole = sum(others, start=first)
        return dataclasses.replace(whole, exact_weight=first.exact_weight)

    def value_and_gradient(
        self, *, prediction: Any, target: Any, weight: Any = None, where: Any = None, reduction: Reduction = "mean"
    ) -> tuple[Any, Any]:
        """The reduced objective and its gradient in the prediction's shape, for NumPy; without penalties."""
        self._refuse_penalties("a gradient in the prediction, on which they do not depend")
        pairs = [
            (
                factor,
                loss.value_and_gradient(
                    prediction=prediction, target=target, weight=weight, where=where, reduction=reduction
                ),
            )
            for factor, loss in self.summands
            if isinstance(loss, Loss)
        ]
        return sum(factor * pair[0] for factor, pair in pairs), sum(factor * pair[1] for factor, pair in pairs)

    def _shares(
        self,
        prediction: Any,
        target: Any,
        weight: Any,
        where: Any,
        reduction: Reduction,
        parameters: Any,
        options: dict[str, Any],
    ) -> list[Any]:
        reduce.check_reduction("Objective", reduction)
        if self.penalties and parameters is None:
            raise UsageError(
                "an objective with penalties needs the parameters they are about.",
                received="parameters=None.",
                hint="parameters=model or its arrays; in PyTorch objective.torch(model=net).",
            )
        call = (prediction, target, weight, where)
        return [
            factor * term.compute(*call, reduction=reduction, **options)
            if isinstance(term, Loss)
            else factor * term(parameters=parameters)
            for factor, term in self.summands
        ]

    def _refuse_penalties(self, what: str) -> None:
        if self.penalties:
            raise UsageError(
                f"an objective with penalties cannot have {what}.",
                received=f"{self!r}.",
                hint="take the losses' part for that, and add penalties(parameters=...) once per step.",
            )

    # ── hosts ────────────────────────────────────────────────────────────────────────────────────────────────────

    def torch(self, **options: Any) -> Any:
        """The `torch.nn.Module`; `model=net` where it has penalties."""
        from lossary import torch

        return torch.host(self, **options)

    def keras(self, **options: Any) -> Any:
        """The `keras.losses.Loss`; penalties are refused, because Keras has them in its layers."""
        from lossary import keras

        return keras.host(self, **options)

    def jax(self, **options: Any) -> Any:
        """A function of (predictions, targets); with penalties, of (predictions, targets, parameters=pytree)."""
        from lossary import jax

        return jax.host(self, **options)

    def sklearn(self, **options: Any) -> Any:
        """A scikit-learn scorer with the right sign."""
        from lossary import sklearn

        return sklearn.host(self, **options)

    # ── algebra and names ────────────────────────────────────────────────────────────────────────────────────────

    def __add__(self, other: Loss | Penalty | Objective) -> Objective:
        if isinstance(other, Loss | Penalty):
            other = Objective.of(other)
        if not isinstance(other, Objective):
            return NotImplemented
        return Objective(self.summands + other.summands)

    def __radd__(self, other: Any) -> Objective:
        """So that the built-in `sum` works, which starts from 0."""
        return self if other == 0 else NotImplemented

    def __mul__(self, factor: Any) -> Objective:
        if isinstance(factor, bool) or not isinstance(factor, numbers.Real):
            return NotImplemented
        return Objective(tuple((float(factor) * each, term) for each, term in self.summands))

    __rmul__ = __mul__

    def config(self) -> dict[str, Any]:
        """It as JSON-able data; `lossary.from_config` makes it again."""
        return {"terms": [{"factor": factor, **term.config()} for factor, term in self.summands]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Objective:
        """The objective that `config()` described."""
        terms = [dict(term) for term in config["terms"]]
        return cls(tuple((term.pop("factor"), catalogue.from_config(term)) for term in terms))

    def __repr__(self) -> str:
        return " + ".join(f"{factor:g} * {term!r}" if factor != 1.0 else repr(term) for factor, term in self.summands)


def _weighing(loss: Loss) -> Loss | None:
    """What weighs its rows by class: the loss itself, or None where all rows count alike."""
    tables = [getattr(loss, name) for name in loss.tables]
    plain = type(loss).row_weight is Loss.row_weight or (tables and not any(tables))
    return None if plain else loss


def _snake(name: str) -> str:
    """KLDivergence → kl_divergence, L2 → l2."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
