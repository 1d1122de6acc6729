"""What a loss must be or have for a rule to apply."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from lossary.define.domain import ClassIndex, Labels, Logits, Probability, Real, Score, Simplex

if TYPE_CHECKING:
    from lossary.check.subject import Subject
    from lossary.define.claim import Claim


@final
@dataclasses.dataclass(frozen=True)
class Tag:
    """A condition, and how the report says that it is not met."""

    holds: Callable[[Subject], bool]
    why_not: str


def _from_logits(subject: Subject) -> bool:
    domain = subject.prediction
    return isinstance(domain, Logits) or (isinstance(domain, Score) and domain.logit)


def _from_probabilities(subject: Subject) -> bool:
    domain = subject.prediction
    return isinstance(domain, Probability) or (isinstance(domain, Simplex) and not domain.logarithms)


DIFFERENTIATES = Tag(lambda s: s.differentiates, "it brings no gradient")
AUTODIFF = Tag(lambda s: s.backend.differentiates, "NumPy does not differentiate")
COMPILES = Tag(lambda s: s.backend.compiles, "NumPy does not compile")
SEPARATES = Tag(lambda s: s.separates, "it has no unreduced form")
ONE_ROW = Tag(lambda s: s.takes_one_row, "it takes no batch of a single row")
REDUCES = Tag(lambda s: s.reduction in ("mean", "sum"), "it does not reduce")
MEANS = Tag(lambda s: s.reduces("mean"), "it takes no mean")
POINTWISE = Tag(lambda s: not s.prediction.rows, "its entries are whole rows")
ROWWISE = Tag(lambda s: s.prediction.rows, "its entries are single numbers")
REGRESSION = Tag(lambda s: isinstance(s.prediction, Real) and isinstance(s.target, Real), "it is not a regression loss")
LOGITS = Tag(_from_logits, "it does not take logits")
PROBABILITIES = Tag(_from_probabilities, "it does not take probabilities")
TWO_CLASSES = Tag(lambda s: isinstance(s.target, Labels | Probability), "its targets are not two classes")
CLASS_INDICES = Tag(lambda s: isinstance(s.target, ClassIndex), "its targets are not class indices")
SHARES = Tag(lambda s: isinstance(s.target, Simplex), "its targets are not rows of probabilities")
WEIGHTS = Tag(lambda s: s.takes_weight, "it takes no weights")
MASKS = Tag(lambda s: s.takes_mask, "it takes no mask")
DROPS = Tag(lambda s: s.takes_mask or s.takes_weight or s.ignored is not None, "it leaves no rows out")
SETTINGS = Tag(lambda s: bool(s.settings), "it has no hyper-parameters")
VALUES = Tag(lambda s: s.host != "boosting", "only its gradient is known, not its loss")
KNOWN = Tag(lambda s: s.definition is not None, "it is none of the catalogue, and no formula was given")


def claims(kind: type[Claim]) -> Tag:
    """That the loss is held to have the property."""
    return Tag(lambda s: s.claimed(kind) is not None, f"nobody claims that it is {kind.name}")
