"""What the words mean where XLA may compile them: the same numbers, by steps that it turns into few passes."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import final

from lossary.ops.arrays import Framework
from lossary.ops.ops import Array

_RAISED = 2.0**60


class XLA(Framework):
    """The operations of a framework that XLA compiles.

    XLA's argmax runs entry by entry, and its sums read their terms from memory unless these are made by plain
    arithmetic alone: no choices, no constants. So the largest entries of a row are marked by their sign, and told
    apart from the others by |x| + x and |x| − x.
    """

    flushes_subnormals = True

    @abstractmethod
    def _max(self, x: Array) -> Array:
        """`max`, which may overlook NaN."""

    @final
    def surprisal_at(self, logits: Array, index: Array) -> Array:
        # The entry is taken first, so that the others need not be written down.
        largest, _, others = self._marked(logits)
        own = self.take(logits, index)
        return self._shift(self.sum(largest), own) + self.log1p(others)

    @final
    def sum_of_others(self, x: Array) -> Array:
        largest = self.row(self._max(x))
        marked = self.where(self.equal(x, largest), -x, x)
        # x is |marked|, with its derivative also where it is 0.
        others = self.row(0.5 * self.sum(x + marked))
        as_large = self.row(0.5 * self.sum(x - marked)) - largest
        return others + as_large + (largest - x)

    @final
    def _shifted(self, logits: Array) -> tuple[Array, Array, Array, Array]:
        largest, marked, others = self._marked(logits)
        lowered = 1.0 / _RAISED
        parts = self.maximum(lowered * marked, -lowered * marked)
        all_others = self.row(others)
        # 1 − part is 0 there, and its derivative is not where several are the largest.
        rest = self.where(marked < 0.0, all_others + (1.0 - parts), (1.0 + all_others) - parts)
        return self._shift(largest, logits), parts, others, rest

    def _share(self, part: Array, total: Array) -> Array:
        # So that no compiler takes quotient and difference in one step, which leaves of two equal shares what rounding
        # one of them has lost.
        return self.maximum(part / total, 0.0)

    def _shift(self, largest: Array, logits: Array) -> Array:
        # ∞ − ∞ is 0 for the largest class itself.
        shift = largest - logits
        return self.where(self.logical_and(self.isnan(shift), self.equal(logits, largest)), 0.0, shift)

    def _marked(self, logits: Array) -> tuple[Array, Array, Array]:
        """(The largest of each row, exp(logits − largest) raised by 2⁶⁰ and with a minus where it is 1, the sum of the
        others).

        Raised, because XLA takes subnormal numbers for 0, and their sum may be normal: the exponential is the square
        of one that is far from there.
        """
        largest = self.row(self._max(logits))
        shift = self._shift(largest, logits)
        # What rounding the shift has lost would be magnified by the exponential.
        lost = self.stop_gradient(self._rounding_of_difference(largest, logits, shift))
        half = _RAISED**0.5 * self.exp(-0.5 * shift)
        raised = half * half * (1.0 - lost)
        marked = self.where(self.equal(logits, largest), -raised, raised)
        near = (0.5 / _RAISED) * self.sum(self.abs(marked) + marked)
        count = near - (1.0 / _RAISED) * self.sum(marked)
        several = count > 1.5
        # Of several infinite logits nobody knows which is the largest.
        unknown = self.logical_and(several, self.logical_not(self.isfinite(self.sum(largest))))
        others = self.where(several, near + (count - 1.0), near)
        return largest, marked, self.where(unknown, math.nan, others)
