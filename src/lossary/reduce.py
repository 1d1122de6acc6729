"""From unreduced losses to one number: weights, masks, sums, means. Written once, for every loss and framework.

With ℓ the unreduced losses and w their weights (1 where nothing is said, 0 where masked):

    "none"  w·ℓ          "sum"  Σ w·ℓ          "mean"  Σ w·ℓ / Σ w, and 0 where Σ w = 0

Sums accumulate in float64, or compensated where there is none.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, final

from lossary import dispatch
from lossary.errors import ParameterError

if TYPE_CHECKING:
    from lossary.vocabulary.framework import Framework
    from lossary.vocabulary.vocabulary import Array, Vocabulary

REDUCTIONS = ("mean", "sum", "none")


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Total:
    """A sum of losses and the weight it stands for.

    Totals of micro-batches, masks and ranks add; the mean of their sum equals one call on the whole batch.
    """

    sum: Any
    weight: Any

    @property
    def mean(self) -> Any:
        """sum / weight; 0 (with zero gradient) where the weight is 0."""
        return mean(dispatch.vocabulary(dispatch.framework_of(self.sum)), self.sum, self.weight)

    def __add__(self, other: Total) -> Total:
        if not isinstance(other, Total):
            return NotImplemented
        return Total(self.sum + other.sum, self.weight + other.weight)

    def __radd__(self, other: object) -> Total:
        """So that the built-in `sum` of totals works, which starts from 0."""
        return self if other == 0 else NotImplemented


def mean(xp: Framework, total: Array, weight: Array) -> Array:
    """total / weight, and 0 where the weight is 0."""
    return total / xp.where(xp.equal(weight, 0.0), xp.cast(1.0 + 0.0 * weight, xp.dtype(weight)), weight)


def check_reduction(owner: str, reduction: str) -> None:
    """Raises ParameterError for anything but "mean", "sum" and "none"."""
    if reduction not in REDUCTIONS:
        raise ParameterError(
            f"{owner}: reduction must be 'mean', 'sum' or 'none'.",
            received=f"reduction={reduction!r}.",
            hint="'none' keeps every loss; 'mean' divides by the sum of the weights, not by their number.",
        )


def weighted(xp: Vocabulary, values: Array, weight: Array | None) -> Array:
    """w·ℓ, and exactly 0 where the weight is."""
    return values if weight is None else xp.where(xp.equal(weight, 0.0), 0.0 * weight, weight * values)


def total(xp: Framework, values: Array, weight: Array | None) -> Total:
    """Σ w·ℓ and Σ w, in the accumulator's precision."""
    summed = xp.accumulate(weighted(xp, values, weight))
    if weight is None:
        return Total(summed, xp.cast(xp.convert(xp.size(values), like=summed), xp.dtype(summed)))
    return Total(summed, xp.accumulate(weight))
