"""A textbook formula that a user gives, for the judge to read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, final

if TYPE_CHECKING:
    from lossary.define.claims.claim import Claim
    from lossary.define.domains.domain import Domain
    from lossary.ops.ops import Array


@final
@dataclasses.dataclass(frozen=True)
class Formula:
    """What a loss should compute, in lossary's operations; it is not recorded in the catalogue.

    Args:
        expression: `(xp, p, y) -> loss` of each entry, or of each row of classes (the last axis): operations of `xp`
            and arithmetic, as in a loss's own `formula`. It need not be stable: it is read with many digits.
        prediction, target: what the two may be.
    """

    expression: Callable[[Any, Any, Any], Any]
    prediction: Domain
    target: Domain
    trainable: ClassVar[bool] = True
    claims: ClassVar[tuple[Claim, ...]] = ()

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return self.expression(xp, p, y)
