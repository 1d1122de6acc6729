"""From unreduced losses to one number: weights, masks, sums, means. Written once, for every loss and framework.

With ℓ the unreduced losses and w their weights (1 where nothing is said, 0 where masked):

    "none"  w·ℓ          "sum"  Σ w·ℓ          "mean"  Σ w·ℓ / Σ w, and 0 where Σ w = 0

Sums accumulate in float64; where a framework has none, in two numbers: the sum, and what rounding it has lost.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, final

from lossary.errors import FrameworkError, UsageError
from lossary.ops import dispatch

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.ops.arrays import Framework
    from lossary.ops.ops import Array

# A sum as it is carried: a float64 scalar, or (the sum, what rounding it has lost) where there is no float64.
Exact = Any


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Total:
    """A sum of losses and the weight it stands for.

    Totals of micro-batches, masks and ranks add, in any order; the mean of their sum equals one call on the whole
    batch. What is carried and added has twice the digits of what `sum` and `mean` read.
    """

    exact_sum: Exact
    exact_weight: Exact
    dtype: str  # of `sum` and `mean`: what the losses were reduced in
    of: str = ""  # the loss of a whole batch that it is of, whose totals do not add; "" where they do

    @property
    def sum(self) -> Any:
        """The sum of the weighted losses."""
        return read(self._xp, self.exact_sum, self.dtype)

    @property
    def weight(self) -> Any:
        """The sum of the weights, in all the digits that one number of the framework can have."""
        return _nearest(self.exact_weight)

    @property
    def mean(self) -> Any:
        """sum / weight; 0 (with zero gradient) where the weight is 0."""
        return _mean(self._xp, self)

    def __add__(self, other: object) -> Total:
        if not isinstance(other, Total):
            return self.__radd__(other)
        self._check_kind(other)
        self._check_parts(other)
        xp, dtype = self._xp, max(self.dtype, other.dtype)  # float32 < float64
        return Total(
            _added(xp, self.exact_sum, other.exact_sum), _added(xp, self.exact_weight, other.exact_weight), dtype
        )

    def __radd__(self, other: object) -> Total:
        """So that the built-in `sum` of totals works, which starts from 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def _check_parts(self, other: Total) -> None:
        """Raises UsageError where a batch is not the sum of its parts."""
        if self.of or other.of:
            raise UsageError(
                f"totals of {self.of or other.of} do not add: it sees the whole batch at once, and a batch is not the "
                "sum of its parts.",
                received="two totals.",
                hint="call it with the whole batch; gather the inputs of micro-batches and ranks first.",
            )

    def _check_kind(self, other: Total) -> None:
        """Raises FrameworkError where two totals carry different things."""
        kinds = [
            (dispatch.title(_nearest(each.exact_sum)), isinstance(each.exact_sum, tuple)) for each in (self, other)
        ]
        if kinds[0] != kinds[1]:
            names = [f"one of {name}" + (", in two float32" if pair else ", in float64") for name, pair in kinds]
            raise FrameworkError(
                "totals must come from one framework, in one precision, to be added.",
                received=" and ".join(names) + ".",
                hint="add total.sum and total.weight as numbers.",
            )

    @property
    def _xp(self) -> Framework:
        return dispatch.ops(dispatch.framework_of(_nearest(self.exact_sum)))


def read(xp: Framework, exact: Exact, dtype: str) -> Array:
    """An exact sum, rounded to the dtype."""
    return xp.cast(_nearest(exact), dtype)


def scaled(factor: float, exact: Exact) -> Exact:
    """factor · an exact sum."""
    return tuple(factor * part for part in exact) if isinstance(exact, tuple) else factor * exact


def weighted(xp: Framework, values: Array, weight: Array | None) -> Array:
    """w·ℓ in the weight's dtype; where the weight is 0, also of what is not finite."""
    if weight is None:
        return values
    values = xp.cast(values, xp.dtype(weight))
    # Silenced before the product, so that the derivative by the weight is the loss, also where the weight is 0.
    silent = xp.logical_and(xp.equal(weight, 0.0), xp.logical_not(xp.isfinite(values)))
    return weight * xp.where(silent, 0.0, values)


def total(xp: Framework, values: Array, weight: Array | None, dtype: str) -> Total:
    """Σ w·ℓ and Σ w, exactly."""
    if weight is None:
        return Total(xp.accumulate(values), xp.count(values), dtype)
    return Total(xp.accumulate(weighted(xp, values, weight)), xp.accumulate(weight), dtype)


def whole(xp: Framework, value: Array, weight: Array, dtype: str, loss: Loss) -> Total:
    """The total of a loss of the whole batch, which is a sum already."""
    return Total(xp.accumulate(value), xp.accumulate(weight), dtype, type(loss).__name__)


def mean(xp: Framework, values: Array, weight: Array | None, dtype: str, wide: str) -> Array:
    """Σ w·ℓ / Σ w: finite where it can be held, whether or not the sums can, which are in the dtype `wide`."""
    if wide != dtype:
        return _mean(xp, total(xp, values, weight, dtype), counted=weight is None)
    # Sums are no wider than what they are made of: that is first brought to a size whose sums can be held.
    weight = None if weight is None else _levelled(xp, weight)
    scale = _among(xp, xp.largest(xp.stop_gradient(xp.abs(values))), [(2, -2)], 0)
    return _mean(xp, total(xp, values * scale, weight, dtype), counted=weight is None) / scale


def _mean(xp: Framework, total: Total, *, counted: bool = False) -> Array:
    """`Total.mean`; `counted` says that the weight is a number of entries, which nobody differentiates by."""
    amount, weight = _nearest(total.exact_sum), _nearest(total.exact_weight)
    quotient = amount / xp.where(weight > 0.0, weight, 1.0) if counted else _quotient(xp, amount, weight)
    return xp.cast(quotient, total.dtype)


def share(xp: Framework, weight: Array) -> Array:
    """w / Σ w, each entry's part of a mean; 0 where Σ w = 0."""
    weight = _levelled(xp, weight)
    return _quotient(xp, weight, xp.accumulate(weight))


def _levelled(xp: Framework, weight: Array) -> Array:
    """The weights times a number that brings the largest near 1."""
    size = xp.largest(xp.stop_gradient(weight))
    return weight * _among(xp, size, [(3, -3), (1, -2), (-1, 0), (-3, 2)], 3)


def _among(xp: Framework, size: Array, steps: list[tuple[int, int]], smallest: int) -> Array:
    """The factor of the first of the steps (a bound, a factor) that `size` is above. All are powers of 2, so that no
    digit is lost, and named by their exponents, in quarters of the largest that a number has."""
    quarter = 32 if xp.dtype(size) == "float32" else 256
    factor = xp.convert(2.0 ** (quarter * smallest), like=size)
    for bound, exponent in reversed(steps):
        factor = xp.where(size > 2.0 ** (quarter * bound), 2.0 ** (quarter * exponent), factor)
    return factor


def _quotient(xp: Framework, amount: Array, weight: Array) -> Array:
    """amount / weight; 0 (with zero gradient, by the weights too) where the weight is 0."""
    nothing = xp.equal(weight, 0.0)
    return xp.where(nothing, 0.0, amount) / xp.where(nothing, 1.0, weight)


def _nearest(exact: Exact) -> Array:
    """The one number that is nearest; of pairs that somebody has added up by themselves, too."""
    return exact[0] + exact[1] if isinstance(exact, tuple) else exact


def _added(xp: Framework, one: Exact, other: Exact) -> Exact:
    if not isinstance(one, tuple):
        return one + other
    whole, lost = two_sum(xp, one[0], other[0])
    return two_sum(xp, whole, lost + (one[1] + other[1]))


def two_sum(xp: Framework, one: Array, other: Array) -> tuple[Array, Array]:
    """The sum of two numbers, and what rounding it has lost (Knuth's TwoSum); 0 where that is not finite."""
    whole = one + other
    fixed_one, fixed_other, fixed = (xp.stop_gradient(x) for x in (one, other, whole))
    back = fixed - fixed_one
    lost = (fixed_one - (fixed - back)) + (fixed_other - back)
    return whole, xp.where(xp.isfinite(lost), lost, 0.0)
