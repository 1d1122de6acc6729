from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import TWO_CLASSES
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject, described

# Scores of the positive rows and of the negative ones.
_SCORES = ((0.5, -0.25), (-0.7, 0.9))


@rule(
    "LSY504",
    severity="error",
    needs=(TWO_CLASSES,),
    remedy="take the labels from an argument, never from the batch (np.unique(target), target.min())",
    wrong="""
        import numpy as np

        def hinge(score, target):
            sign = np.where(target == target.max(), 1.0, -1.0)
            return np.maximum(0, 1 - sign * score).mean()

        loss = hinge
    """,
    right="""
        import numpy as np

        def hinge(score, target):
            return np.maximum(0, 1 - target * score).mean()

        loss = hinge
    """,
    seen=(
        "scikit-learn/scikit-learn#4546: log_loss read the classes off the batch, and failed where one was missing",
        "keras-team/keras#15665: labels are converted if the whole batch looks like 0 and 1",
    ),
)
def one_class_batch(subject: Subject) -> Failure | None:
    """A row costs the same in a batch of its own class only as among others.

    A loss that finds out from the batch which number is the positive class is wrong as soon as a batch has one class
    only: the last, small batch of an epoch, a sorted file, a rare class. Negative examples become positive ones.

    Between two rows of one class and three of the other the loss must go on in a straight line to four and none.
    Losses that weigh classes against each other do not, and are left alone. One that refuses such a batch is a warning.
    """
    for scores in _SCORES:
        mixed = [subject.attempt(*_batch(subject, scores, positive)) for positive in (1, 2, 3)]
        if any(each is None for each in mixed):
            return None
        costs = [float(np.mean(each)) for each in mixed]
        step = costs[1] - costs[0]
        if not np.isfinite(costs).all() or step == 0.0 or not np.isclose(costs[2] - costs[1], step, rtol=1e-3):
            continue
        for positive, expected in ((4, costs[2] + step), (0, costs[0] - step)):
            p, y = _batch(subject, scores, positive)
            values = subject.attempt(p, y)
            if values is None:
                return Failure(
                    f"a batch of one class is refused: {described(p, y)}", subject.code(p, y), severity="warning"
                )
            cost = float(np.mean(values))
            if not np.isclose(cost, expected, rtol=1e-3, atol=1e-4 * (abs(costs[0]) + abs(costs[2]))):
                return Failure(
                    f"a batch of one class costs {cost:.6g}; among others the same rows cost {expected:.6g}",
                    subject.code(p, y),
                )
    return None


def _batch(subject: Subject, scores: tuple[float, float], positive: int) -> tuple[Any, Any]:
    """Four rows, of which the first few are positive."""
    low, high = samples.two_classes(subject)
    first = np.arange(4) < positive
    p = samples.of_logits(subject.prediction, np.where(first, *scores))
    return samples.arranged(subject, p, np.where(first, high, low))
