from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.instruments import shrink
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import ONE_ROW, Tag
from lossary.check.subject import samples
from lossary.check.subject.subject import described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


def _has_probabilities(subject: Subject) -> bool:
    return subject.prediction.of_shares or subject.target.of_shares


@rule(
    "LSY203",
    severity="error",
    needs=(
        ONE_ROW,
        Tag(_has_probabilities, "neither its predictions nor its targets are probabilities"),
    ),
    remedy="use xlogy, which is 0 where its first argument is 0, or compute from logits",
    wrong="""
        import numpy as np

        def loss(probabilities, labels):
            y, p = labels, probabilities
            return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    """,
    right="""
        import numpy as np
        from scipy.special import xlog1py, xlogy

        def loss(probabilities, labels):
            y, p = labels, probabilities
            return -(xlogy(y, p) + xlog1py(1 - y, -p)).mean()
    """,
    seen=(
        "pytorch/pytorch#89558",
        "uber/causalml#167: the evaluation of trees by KL divergence broke on groups without a single positive",
        "tiny-dnn/tiny-dnn#410",
    ),
)
def log_of_zero(subject: Subject) -> Failure | None:
    """Probabilities of exactly 0 and 1 give a loss, be they right or wrong, and never NaN.

    0 · log 0 is 0 in every textbook and NaN in every floating-point unit. Probabilities are 0 or 1 more often than one
    thinks: in float32 a sigmoid is 1 from a logit of 17 on, and every one-hot target is full of zeros.
    """
    row = shrink.alone(lambda p, y: np.isnan(subject.rows(p, y)), *_corners(subject))
    return None if row is None else Failure(f"loss is nan at {described(*row)}", subject.code(*row))


def _corners(subject: Subject) -> tuple[Any, Any]:
    """Predictions and targets that are certain: right ones and wrong ones."""
    if not subject.prediction.rows:
        certain = (0.0, 1.0) if subject.prediction.of_shares else (-3.0, 3.0)
        pairs = list(itertools.product(certain, samples.two_classes(subject)))
        return samples.arranged(subject, [p for p, _ in pairs], [y for _, y in pairs])
    corners = samples.corners(subject)
    index = np.array([0, 1, 0, 2])
    y = index if subject.target.indices else corners[index]
    if not (subject.target.indices or subject.target.shares):
        y = np.log(np.maximum(y, 1e-30))
    ordinary = np.tile(np.arange(1.0, len(corners) + 1.0) / np.arange(len(corners) + 1).sum(), (4, 1))
    if subject.prediction.shares:
        return samples.arranged(subject, np.stack([corners[0], corners[1], corners[1], ordinary[0]]), y)
    return samples.arranged(subject, np.log(ordinary), y)
