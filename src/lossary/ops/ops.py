"""The operations in which every loss is written.

A loss is an expression in these operations. `NumPy`, `PyTorch`, `TensorFlow`, `JAX`, the exact judge and LaTeX each
bring their own meaning of the abstract ones; those below the line are composed from them, once, for everybody.

Arithmetic (`+ - * /`, unary minus) and comparisons (`<= < > >=`) are the arrays' own operators. Operations that reduce
(`sum`, `max`, `argmax`, `take`) act on the last axis, so that one text serves one row and a whole batch.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, final

# Whatever operations compute with: a framework's array, an array of high-precision numbers, an expression.
Array = Any

_SIXTEENTHS = 1.5 * 2.0**19  # what is added to it is rounded: in float32 to sixteenths
_FAR = 2.0**40  # a quotient whose logarithm is large enough to be taken in two parts


class Operations(ABC):
    """The operations a loss may use. NaN passes through each of them."""

    # Whether numbers below the smallest normal one are taken for 0.
    flushes_subnormals: ClassVar[bool] = False

    # ── operations that each framework brings ────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def abs(self, x: Array) -> Array:
        """|x|, with the derivative 0 at 0."""

    @abstractmethod
    def erf(self, x: Array) -> Array:
        """The error function: how likely a normal number is within ±x√2 of its mean, in standard deviations, with the
        sign of x."""

    @abstractmethod
    def exp(self, x: Array) -> Array: ...

    @abstractmethod
    def expm1(self, x: Array) -> Array:
        """exp(x) − 1, accurate near 0."""

    @abstractmethod
    def log(self, x: Array) -> Array:
        """The natural logarithm; −∞ at 0."""

    @abstractmethod
    def log1p(self, x: Array) -> Array:
        """log(1 + x), accurate near 0; −∞ at −1."""

    @abstractmethod
    def sqrt(self, x: Array) -> Array: ...

    @abstractmethod
    def _power(self, x: Array, exponent: float) -> Array:
        """`power`, for an exponent that is not 0."""

    @abstractmethod
    def remainder(self, x: Array, divisor: float) -> Array:
        """How far x is above or below the nearest multiple of a number above 0, or above the lower of two that are as
        near: exactly; NaN where x is infinite.

        In float32, the divisor is a float32 too. The derivative is 1.
        """

    @abstractmethod
    def tanh(self, x: Array) -> Array: ...

    @abstractmethod
    def maximum(self, x: Array, y: Array) -> Array:
        """The larger of the two; NaN where either is. Where they are equal, each has half of the derivative."""

    @abstractmethod
    def minimum(self, x: Array, y: Array) -> Array:
        """The smaller of the two; NaN where either is. Where they are equal, each has half of the derivative."""

    @abstractmethod
    def where(self, condition: Array, x: Array, y: Array) -> Array:
        """`x` where the condition holds, else `y`; one of them may be a plain number, which takes the other's dtype."""

    @abstractmethod
    def equal(self, x: Array, y: Array) -> Array: ...

    @abstractmethod
    def isnan(self, x: Array) -> Array: ...

    @abstractmethod
    def isfinite(self, x: Array) -> Array: ...

    @abstractmethod
    def logical_and(self, x: Array, y: Array) -> Array: ...

    @abstractmethod
    def logical_or(self, x: Array, y: Array) -> Array: ...

    @abstractmethod
    def logical_not(self, x: Array) -> Array: ...

    @abstractmethod
    def sum(self, x: Array) -> Array:
        """The sum over the last axis."""

    @abstractmethod
    def max(self, x: Array) -> Array:
        """The largest entry of the last axis; NaN where any is. Entries that tie share its derivative equally."""

    @abstractmethod
    def argmax(self, x: Array) -> Array:
        """The index of the first largest entry of the last axis."""

    @abstractmethod
    def take(self, x: Array, index: Array) -> Array:
        """The entry of the last axis that `index` (the other axes' shape, integers) names."""

    @abstractmethod
    def is_class(self, index: Array, like: Array) -> Array:
        """Of the shape of `like`: true where the last axis' position equals `index`."""

    @abstractmethod
    def is_below(self, index: Array, like: Array) -> Array:
        """Of the shape of `like`: true where the last axis' position is below `index`."""

    @abstractmethod
    def positions(self, like: Array) -> Array:
        """0, 1, … up to the size of the last axis of `like`, less 1: (K,), integers."""

    @abstractmethod
    def argsort(self, x: Array) -> Array:
        """The indices that put the last axis in order, the smallest entry first and NaN last, beside ∞ or behind it;
        equal ones stay as they stand."""

    def inverse_permutation(self, order: Array) -> Array:
        """Where each place of the last axis is found in `order`, which `argsort` has made: what was gathered by that is
        gathered back by this."""
        return self.argsort(order)

    @abstractmethod
    def gather(self, x: Array, index: Array) -> Array:
        """The entries of the last axis that `index` (the other axes' shape, and a last axis of indices) names."""

    @abstractmethod
    def shift(self, x: Array, steps: int, fill: float) -> Array:
        """`x` moved by so many places towards the end of the last axis, or towards its front where `steps` is negative,
        and `fill` where nothing comes from."""

    @abstractmethod
    def cumulative_sum(self, x: Array) -> Array:
        """For each place of the last axis the sum of the entries up to it."""

    @abstractmethod
    def cumulative_max(self, x: Array) -> Array:
        """For each place of the last axis the largest entry up to it, NaN from the first NaN on; a constant to whatever
        differentiates."""

    @abstractmethod
    def run_sum(self, x: Array, starts: Array) -> Array:
        """For each place of the last axis the sum of the run that it is in. A run begins where `starts` holds, and at
        the first place."""

    @abstractmethod
    def stop_gradient(self, x: Array) -> Array:
        """`x`, as a constant to whatever differentiates."""

    @abstractmethod
    def row(self, x: Array) -> Array:
        """`x` with a last axis of size 1, to stand beside rows."""

    @abstractmethod
    def flatten(self, x: Array, axes: int, rest: int = 0) -> Array:
        """`x` with the `axes` axes before its last `rest` ones as one: an image's pixels in a row."""

    @abstractmethod
    def reshape_like(self, x: Array, like: Array) -> Array:
        """The entries of `x` in the shape of `like`, which has as many."""

    @abstractmethod
    def columns(self, x: Array, count: int) -> list[Array]:
        """The entries of the last axis, which has so many, each without that axis."""

    @abstractmethod
    def stack(self, *columns: Array) -> Array:
        """The rows that have these columns; numbers may stand beside arrays."""

    @abstractmethod
    def matmul(self, x: Array, y: Array) -> Array:
        """The matrix product of the last two axes, in all the digits of the dtype."""

    @abstractmethod
    def transpose(self, x: Array) -> Array:
        """`x` with its last two axes exchanged."""

    @abstractmethod
    def classes(self, x: Array) -> Array:
        """The size of the last axis: a number, or a scalar array where it is not known yet."""

    @abstractmethod
    def table(self, entries: Any, like: Array) -> Array:
        """A row of constants (a tuple of numbers, or already an array), in the dtype and on the device of `like`."""

    @abstractmethod
    def lookup(self, table: Array, index: Array) -> Array:
        """The table's entry for every index: of the index' shape."""

    # ── operations composed from those, once ──────────────────────────────────────────────────────────────────────────

    @final
    def clip(self, x: Array, low: float, high: float) -> Array:
        """`x` kept within the bounds, with half of its derivative where it is at one of them.

        Between bounds that meet there is one number only, and bounds that are swapped leave `high`: the derivative is
        0 everywhere.
        """
        if isinstance(low, float | int) and isinstance(high, float | int) and low >= high:
            return self.where(self.isnan(x), x, high)  # two ties at once would leave a quarter
        return self.minimum(self.maximum(x, low), high)

    @final
    def power(self, x: Array, exponent: float) -> Array:
        """x to a fixed exponent, for x ≥ 0; ∞ where 0 has an exponent below 0, NaN where x is below 0.

        In float32, the exponent is a float32 too. The derivative is exponent · x to (exponent − 1), also at 0.
        """
        return self.where(self.isnan(x), x, 1.0) if exponent == 0.0 else self._power(x, exponent)

    def sinpi(self, x: Array) -> Array:
        """sin(πx), to the last digits for every x, however large; 0 for whole numbers, and NaN for infinite ones."""
        turned = self.remainder(x, 2.0)
        near = self.where(turned > 0.5, 1.0 - turned, self.where(turned < -0.5, -1.0 - turned, turned))
        # The larger part of the series, 2x, is exact.
        terms = [(-1.0) ** k * math.pi ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(13)]
        return 2.0 * near + near * self._series(near * near, [terms[0] - 2.0, *terms[1:]], 0.25)

    def versinpi(self, x: Array) -> Array:
        """1 − cos(πx), the versine, to the last digits for every x, however large; 0 for even numbers, and NaN for
        infinite ones."""
        near = self.remainder(x, 2.0)
        raised = 2.0**30 * near  # the square alone may be subnormal
        square = raised * raised
        # The larger part of the series, 4x², is exact but for the square.
        terms = [-((-1.0) ** k) * math.pi ** (2 * k) / math.factorial(2 * k) for k in range(1, 15)]
        return 2.0**-60 * (4.0 * square + square * self._series(near * near, [terms[0] - 4.0, *terms[1:]]))

    def relu(self, x: Array) -> Array:
        """max(0, x), with the derivative 0 at 0, where `maximum` has a half."""
        return self.where(x <= 0.0, 0.0, x)

    @final
    def softplus(self, x: Array) -> Array:
        """log(1 + exp x), to the last digits at both ends."""
        return self.where(x >= 0.0, x, 0.0) + self.log1p(self._exp_towards_0(x))

    @final
    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + exp(−x)), to the last digits at both ends; 1 − sigmoid(x) is sigmoid(−x)."""
        small = self._exp_towards_0(x)
        return self._share(self.where(x >= 0.0, 1.0, small), 1.0 + small)

    def _exp_towards_0(self, x: Array) -> Array:
        """exp(−|x|) with a one-sided derivative at 0: that of `abs` is 0 there, and would make `sigmoid` flat."""
        return self.exp(self.where(x >= 0.0, -x, x))

    def discounted_sum(self, x: Array, level: Array, *, backwards: bool = False) -> Array:
        """For each place of the last axis the sum of the entries up to it, each times exp(−|its level − the level
        there|): in as many steps as the length has binary digits.

        Levels rise or fall along the axis, are finite, and constants to whatever differentiates. No partial sum is
        larger or smaller than what it is a part of, so that levels may differ by any amount.

        Args:
            backwards: from the end to the front: the sum of the entries from each place on.
        """
        sign, level = -1 if backwards else 1, self.stop_gradient(level)

        def doubled(step: Any, x: Array) -> Array:
            distance = self.abs(self.shift(level, sign * step, 0.0) - level)
            return x + self.shift(x, sign * step, 0.0) * self.exp(-distance)

        return self._doubling(doubled, x)

    def _doubling(self, doubled: Callable[[Any, Array], Array], x: Array) -> Array:
        """The array after steps of 1, 2, 4, … places, up to the length of the last axis."""
        step = 1
        while step < x.shape[-1]:
            x = doubled(step, x)
            step *= 2
        return x

    def _series(self, x: Array, coefficients: list[float], size: float = 1.0) -> Array:
        """The polynomial with these coefficients, the constant first, for |x| up to `size` (Horner)."""
        total: Array = coefficients[-1]
        for coefficient in reversed(coefficients[:-1]):
            total = x * total + coefficient
        return total

    @final
    def _nearest(self, rest: Array, divisor: float) -> Array:
        """`remainder`, from what is left of a number that was divided towards 0."""
        half = 0.5 * divisor
        return self.where(rest > half, rest - divisor, self.where(rest <= -half, rest + divisor, rest))

    def _share(self, part: Array, total: Array) -> Array:
        """part / total, for a total of at least 1 and finite."""
        return part / total

    @final
    def product(self, weight: Array, x: Array) -> Array:
        """weight · x, where a weight of 0 silences even an infinite x (0 · log 0 = 0); NaN still speaks."""
        # Silenced before the multiplication, so that the derivative by the weight is x, also where the weight is 0.
        return weight * self.where(self.logical_and(self.equal(weight, 0.0), self.equal(self.abs(x), math.inf)), 0.0, x)

    @final
    def quotient(self, weight: Array, x: Array) -> Array:
        """weight / x, where a weight of 0 silences even x = 0; NaN still speaks."""
        silent = self.logical_and(self.equal(weight, 0.0), self.equal(x, 0.0))
        return weight / self.where(silent, 1.0, x)

    @final
    def scaled_difference(self, scale: Array, x: Array, y: Array) -> Array:
        """scale · (x − y), also where x − y overflows and the product does not."""
        difference = x - y
        halved = (2.0 * scale) * (0.5 * x - 0.5 * y)
        return self.where(self.isfinite(difference), scale * difference, halved)

    @final
    def line_at_0(self, slope: float, within: float, x: Array, y: Array, elsewhere: Array) -> Array:
        """slope · (x − y) where both are so close to 0, also where their difference is subnormal and this is not; and
        elsewhere what is given."""
        is_close = self.logical_and(self.abs(x) < within, self.abs(y) < within)
        raised = 2.0**60 * self.where(is_close, x, 0.0) - 2.0**60 * self.where(is_close, y, 0.0)
        return self.where(is_close, (2.0**-60 * slope) * raised, elsewhere)

    @final
    def shifted_difference(self, shift: float, x: Array, y: Array) -> Array:
        """shift + (x − y), to the last digits also where the two cancel; equal infinities differ by 0."""
        alike = self.logical_and(self.equal(x, y), self.equal(self.abs(x), math.inf))
        difference = self.where(alike, 0.0, x - y)
        return (shift + difference) + self._rounding_of_difference(x, y, difference)

    @final
    def difference_in_parts(self, x: Array, y: Array) -> tuple[Array, Array]:
        """x − y, and what rounding has lost of it: a constant to whatever differentiates."""
        difference = x - y
        return difference, self.stop_gradient(self._rounding_of_difference(x, y, difference))

    @final
    def discounted(self, x: Array, rate: float, size: Array, rest: Array | float) -> Array:
        """x · exp(−rate · (size + rest)), for an amount in two parts, of which the second has what rounding the first
        has lost."""
        if rate == 0.0:
            return x
        whole, rest = self._product_in_parts(rate, size, rest)
        return (self.exp(-whole) * x) * (1.0 + self.expm1(-rest))  # exp(−rest), for a rest that is small

    @final
    def box_cox_of_exp(self, rate: float, size: Array, rest: Array | float = 0.0) -> Array:
        """(exp(rate · (size + rest)) − 1) / rate, which is size + rest where the rate is 0, for an amount in two parts:
        the transform of Box & Cox (1964) of what the amount is the logarithm of."""
        if rate == 0.0:
            return size + rest
        whole, rest = self._product_in_parts(rate, size, rest)
        beyond = self.expm1(rest)
        return (self.expm1(whole) * (1.0 + beyond) + beyond) / rate

    def _product_in_parts(self, rate: float, size: Array, rest: Array | float) -> tuple[Array, Array]:
        """rate · (size + rest) as a product that is exact and a rest that is small.

        An exponential magnifies what its argument was rounded by. So amount and rate are each taken in two parts, the
        first of few digits.
        """
        mantissa, exponent = math.frexp(rate)
        first = math.ldexp(round(math.ldexp(mantissa, 8)), exponent - 8)
        most = 800.0 / abs(rate)  # further out an exponential is 0 or infinite in any case
        if not isinstance(rest, float):
            rest = self.where(self.abs(size) > most, 0.0, rest)
        size = self.clip(size, -most, most)
        beside = 0.0 * size + math.ldexp(_SIXTEENTHS, -exponent)  # no constant: XLA takes that for nothing
        coarse = ((size + rest) + beside) - beside
        return first * coarse, first * ((size - coarse) + rest) + (rate - first) * (size + rest)

    @final
    def log_in_parts(self, x: Array) -> tuple[Array, Array]:
        """log x as a number of few digits, a constant to whatever differentiates, and the rest: for `discounted`."""
        logarithm = self.log(x)
        infinite = self.equal(self.abs(logarithm), math.inf)
        far = self.logical_and(self.abs(logarithm) > 2.0, self.logical_not(infinite))
        size = self.stop_gradient(self.where(far, logarithm, 0.0))
        beside = 0.0 * size + _SIXTEENTHS
        size = (size + beside) - beside
        half = self.exp(-0.5 * size)  # the exponential alone may overflow
        rest = self.where(far, self.log1p(self.where(far, (x * half) * half, 1.0) - 1.0), logarithm)
        return self.where(infinite, logarithm, size), self.where(infinite, 0.0, rest)

    @final
    def _erf_from_exp(self, x: Array) -> Array:
        """`erf` where there is none: near 0 by its power series, beyond 1 by what the trapezoidal rule with steps of a
        half makes of the integral of exp(−t²) / (t² + x²), which has all the digits of float64 (Chiarella & Reichel
        1968)."""
        size = self.abs(x)
        is_near = size < 1.0
        near = self.where(is_near, x, 0.0)
        terms = [2.0 / math.pi**0.5 * (-1.0) ** k / (math.factorial(k) * (2 * k + 1)) for k in range(20)]
        inside = near + near * self._series(near * near, [terms[0] - 1.0, *terms[1:]])
        far = self.where(is_near, 1.0, self.minimum(size, 6.0))  # where it is 1 to every float
        square = far * far
        total = 0.5 / square
        for k in range(1, 13):
            total = total + math.exp(-0.25 * k * k) / (square + 0.25 * k * k)
        rest = self.exp(-square) * far * (total / math.pi) - 2.0 / self.expm1((4.0 * math.pi) * far)
        return self.where(is_near, inside, self.where(x < 0.0, rest - 1.0, 1.0 - rest))

    @final
    def log_cosh(self, x: Array) -> Array:
        """log(cosh x), to the last digits near 0 and far out."""
        size = self.abs(x)
        is_near = size < 1.0
        near = self.where(is_near, x, 0.0)  # not |x|, whose second derivative at 0 would be lost
        square = near * near
        # cosh x − 1 by its series: from expm1 it would carry twice that word's error.
        beyond_1 = square * self._series(square, [1.0 / math.factorial(k) for k in range(2, 20, 2)])
        rest = self.log1p(self.where(is_near, beyond_1, self.exp(-2.0 * size)))
        return self.where(is_near, 0.0, size - math.log(2.0)) + rest

    @final
    def expm1_bend(self, x: Array) -> Array:
        """2 (exp(x) − 1 − x) / x², for |x| up to 2: how far the exponential is above its tangent at 0, beside the
        parabola that it is next to 0, where this is 1; to the last digits. Beyond 2, where differences are as good, it
        is NaN."""
        bend = self._series(x, [2.0 / math.factorial(k) for k in range(2, 28)], 2.0)
        return self.where(self.abs(x) <= 2.0, bend, math.nan)

    @final
    def log1p_bend(self, x: Array) -> Array:
        """2 (x − log(1 + x)) / x², for x ≥ 0: how far the logarithm is below x, beside the parabola that it is next to
        0, where this is 1; to the last digits."""
        is_near = x < 1.0
        near = self.where(is_near, x, 0.0)
        # The logarithm is 2 (s + s³/3 + s⁵/5 + …) with s = x / (2 + x), and x − 2 s is x s.
        inverse = 1.0 / (2.0 + near)
        s = near * inverse
        series = self._series(s * s, [2.0 / k for k in range(3, 37, 2)], 1.0 / 9.0)
        beyond = self.logical_or(is_near, self.equal(x, math.inf))
        share = self.log1p(self.where(beyond, 1.0, x)) / self.where(is_near, 1.0, x)
        far = 2.0 * (1.0 - share) / self.where(is_near, 1.0, x)
        return self.where(is_near, 2.0 * inverse * (1.0 - s * inverse * series), far)

    @final
    def relative_entropy(self, x: Array, y: Array) -> tuple[Array, Array]:
        """(Whether x and y are near each other; x · log(x / y), less x − y where they are), for numbers ≥ 0.

        Near equality x − y, which is exact, is by far the larger part, but it is the other one, which is ≥ 0, that is
        left of a sum over distributions.
        """
        near, excess, far = self._relative_entropy(x, y)
        return near, self.where(near, excess, far)

    @final
    def divergence(self, x: Array, y: Array, half_surprisal: Array | None = None) -> Array:
        """x · log(x / y) − x + y, which is ≥ 0, to the last digits, for numbers ≥ 0; `half_surprisal` is half of
        −log y, where that is known better than from a y that may have underflown."""
        near, excess, far = self._relative_entropy(x, y, half_surprisal)
        return self.where(near, excess, far - (x - y))

    def _relative_entropy(self, x: Array, y: Array, half_surprisal: Array | None = None) -> tuple[Array, Array, Array]:
        """(Whether x and y are within a factor of 2, x · log(x / y) − x + y if so, x · log(x / y) if not)."""
        if half_surprisal is None:
            half_surprisal = -0.5 * self.log(y)
        near = self.logical_and(x < 2.0 * y, y < 2.0 * x)
        difference = self.where(near, x - y, 0.0)
        # With s = (x − y) / (x + y) it is log(x / y) = 2 (s + s³/3 + s⁵/5 + …).
        s = difference / self.where(near, x + y, 1.0)
        odd = s * self._series(s * s, [1.0 / k for k in range(3, 37, 2)], 1.0 / 9.0)
        # Where the quotient is far from 1 the difference of the logarithms is as good, and y may be 0.
        apart = self.logical_not(self.logical_and(x < _FAR * y, y < _FAR * x))
        logarithm = self.log(self.where(apart, x, x / self.where(apart, 1.0, y)))
        far = self.product(x, logarithm) + self.where(apart, self.product(2.0 * x, half_surprisal), 0.0)
        return near, difference * s * (1.0 + (1.0 + s) * odd), far

    def sum_with_rest(self, x: Array) -> tuple[Array, Array]:
        """The sum over the last axis of finite numbers, and what rounding it has lost.

        Rounded beside a number well above their sum, the entries add up without an error (Rump, Ogita & Oishi 2008,
        doi:10.1137/050645671); so do then the remainders, twice.
        """
        totals = []
        for _ in range(3):
            beside = 3.0 * self.row(self.sum(self.abs(x)))
            rounded = (beside + x) - beside
            totals.append(self.sum(rounded))
            x = x - rounded
        return totals[0], totals[1] + (totals[2] + self.sum(x))

    @final
    def surprisal(self, logits: Array) -> Array:
        """−log softmax(logits) over the last axis, each entry to the last digits."""
        shift, _, others, _ = self._shifted(logits)
        return shift + self.row(self.log1p(others))

    @final
    def surprisal_in_parts(self, logits: Array) -> tuple[Array, Array]:
        """The surprisal as the sum of how far each logit is below the largest, and of the rest: for `discounted`."""
        shift, _, others, _ = self._shifted(logits)
        lost = self.stop_gradient(self._rounding_of_difference(self.row(self.max(logits)), logits, shift))
        return shift, lost + self.row(self.log1p(others))

    @final
    def half_surprisal(self, logits: Array) -> Array:
        """Half the surprisal, which is finite where the logits are: their difference may be beyond every float."""
        _, _, others, _ = self._shifted(logits)
        return self._half_surprisal(logits, others)

    @final
    def softmax_and_half_surprisal(self, logits: Array) -> tuple[Array, Array]:
        """exp(logits) / Σ exp(logits) over the last axis, and half the surprisal of each class."""
        _, parts, others, _ = self._shifted(logits)
        return self._share(parts, 1.0 + self.row(others)), self._half_surprisal(logits, others)

    def _half_surprisal(self, logits: Array, others: Array) -> Array:
        largest = self.row(self.max(logits))
        # ∞ − ∞ is 0 for the largest class itself.
        shift = self.where(self.equal(logits, largest), 0.0, 0.5 * largest - 0.5 * logits)
        return shift + 0.5 * self.row(self.log1p(others))

    def surprisal_at(self, logits: Array, index: Array) -> Array:
        """The surprisal of the class that `index` names."""
        return self.take(self.surprisal(logits), index)

    def softmax_and_complement(self, logits: Array) -> tuple[Array, Array]:
        """exp(logits) / Σ exp(logits) over the last axis, and 1 minus that: the sum of the other classes' shares.

        What differentiates gives it the derivative of `softmax_tangent`.
        """
        return self._softmax_and_complement(logits)

    @final
    def _softmax_and_complement(self, logits: Array) -> tuple[Array, Array]:
        _, parts, others, rest = self._shifted(logits)
        total = 1.0 + self.row(others)
        return self._share(parts, total), self._share(rest, total)

    @final
    def softmax_tangent(self, share: Array, complement: Array, along: Array) -> Array:
        """The derivative of softmax along a direction, entry by entry to the last digits: share · complement on the
        diagonal, −share · share beside it. The matrix is symmetric, so that this serves both modes; the complement's
        derivative is minus this."""
        heavy = complement < share  # its own part is left out of the others' before they are added up
        weighted = share * along
        light = self.row(self.sum(self.where(heavy, 0.0, weighted)))
        others = self.where(heavy, light, self.row(self.sum(weighted)) - weighted)
        return share * (complement * along - others)

    def sum_of_others(self, x: Array) -> Array:
        """For each entry of a row of numbers ≥ 0 the sum of all other entries, small beside itself or not."""
        is_largest = self.is_class(self.argmax(x), x)
        others = self.row(self.sum(self.where(is_largest, 0.0, x)))
        return self.where(is_largest, others, self.row(self.sum(x)) - x)

    def _shifted(self, logits: Array) -> tuple[Array, Array, Array, Array]:
        """(max − logits, exp(logits − max), the sum of the latter over all classes but the largest, and for each class
        over all classes but itself).

        The largest class contributes exactly 1 to the partition sum; leaving it out is what keeps log1p of the rest
        accurate when the margin is wide. The rounding error of the shift is fed back into the exponential, which
        would otherwise magnify it by the size of the shift.
        """
        index = self.argmax(logits)
        largest = self.row(self._largest(logits, index))
        is_largest = self.is_class(index, logits)
        # ∞ − ∞ is 0 for the largest class itself; NaN is not equal to itself and passes.
        shift = self.where(self.logical_and(is_largest, self.equal(logits, largest)), 0.0, largest - logits)
        # 1 − rounding first: part · rounding may be subnormal.
        rounding = 1.0 - self._rounding_of_difference(largest, logits, shift)
        parts = self.exp(-shift) * rounding
        others = self.sum(self.where(is_largest, 0.0, parts))
        others_row = self.row(others)
        return shift, parts, others, self.where(is_largest, others_row, (1.0 + others_row) - parts)

    def _largest(self, x: Array, index: Array) -> Array:
        """`max`, all of whose derivative goes to the entry that `argmax` named: the one left out of the others' sum."""
        return self.take(x, index)

    def _rounding_of_difference(self, x: Array, y: Array, difference: Array) -> Array:
        """(x − y) − difference, exactly (Knuth's TwoSum); 0 where that is not finite."""
        back = difference - x
        error = (x - (difference - back)) - (y + back)
        return self.where(self.isfinite(error), error, 0.0)
