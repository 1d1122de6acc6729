"""What losses of the steps between ranks have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from lossary.define import Array, Claim, Convex, NonNegative, Rowwise, Smooth


class Steps(Rowwise, abstract=True):
    """A loss of K − 1 logits, one for each step between K ranks in order, beside the rank itself."""

    task = "ordinal"

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), Smooth(0.25), NonNegative()

    @abstractmethod
    def passed(self, xp: Any, p: Array) -> Array:
        """For each step of rows of logits (…, K − 1), whether a rank above it is likelier than not."""

    def rank(self, xp: Any, p: Array) -> Array:
        """The rank that each row of logits (…, K − 1) says, the median of its law: (…), of the logits' dtype; NaN of
        NaN."""
        return xp.sum(xp.where(self.passed(xp, p), 1.0, 0.0 * xp.clip(p, -1.0, 1.0)))
