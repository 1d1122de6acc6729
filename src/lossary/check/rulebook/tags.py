"""What a loss must be or have for a rule to apply."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject
    from lossary.define.claims.claim import Claim
    from lossary.define.domains.domain import Domain


@final
@dataclasses.dataclass(frozen=True)
class Tag:
    """A condition, and how the report says that it is not met."""

    holds: Callable[[Subject], bool]
    why_not: str


def any_amount(domain: Domain) -> bool:
    """Whether its values are single amounts, any at all."""
    return domain.takes_all and not domain.says_class and not domain.rows


def labels(domain: Domain) -> bool:
    """Whether its values are single numbers, two of which stand for two classes."""
    return domain.certain and not domain.rows and not domain.indices


DIFFERENTIATES = Tag(lambda s: s.differentiates, "it brings no gradient")
AUTODIFF = Tag(lambda s: s.backend.differentiates, "NumPy does not differentiate")
COMPILES = Tag(lambda s: s.backend.compiles, "NumPy does not compile")
SEPARATES = Tag(lambda s: s.separates, "it has no unreduced form")
ONE_ROW = Tag(lambda s: s.takes_one_row, "it takes no batch of a single row")
REDUCES = Tag(lambda s: s.reduction in ("mean", "sum"), "it does not reduce")
MEANS = Tag(lambda s: s.reduces("mean"), "it takes no mean")
POINTWISE = Tag(lambda s: not s.prediction.rows, "its entries are whole rows")
ROWWISE = Tag(lambda s: s.prediction.rows, "its entries are single numbers")
REGRESSION = Tag(lambda s: any_amount(s.prediction) and any_amount(s.target), "it is not a regression loss")
LOGITS = Tag(lambda s: s.prediction.of_logits, "it does not take logits")
PROBABILITIES = Tag(lambda s: s.prediction.shares, "it does not take probabilities")
TWO_CLASSES = Tag(lambda s: labels(s.target), "its targets are not two classes")
INDICES = Tag(lambda s: s.target.indices, "its targets are no indices")
CLASS_INDICES = Tag(lambda s: s.target.indices and s.prediction.says_class, "its targets are not class indices")
WEIGHTS = Tag(lambda s: s.takes_weight, "it takes no weights")
MASKS = Tag(lambda s: s.takes_mask, "it takes no mask")
DROPS = Tag(lambda s: s.takes_mask or s.takes_weight or s.ignored is not None, "it leaves no rows out")
SETTINGS = Tag(lambda s: bool(s.settings), "it has no hyper-parameters")
VALUES = Tag(lambda s: s.host != "boosting", "only its gradient is known, not its loss")
KNOWN = Tag(lambda s: s.definition is not None, "it is none of the catalogue, and no formula was given")


def claims(kind: type[Claim]) -> Tag:
    """That the loss is held to have the property."""
    return Tag(lambda s: s.claimed(kind) is not None, f"nobody claims that it is {kind.name}")
