from __future__ import annotations

from typing import Any

from lossary.check.instruments.shrink import smallest
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rules.shapes.comparison import same
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject

_ORDER = (3, 1, 0, 2)  # of fewer rows, those that there are


@rule(
    "LSY108",
    severity="error",
    remedy="let nothing depend on a row's number; what belongs to a row comes in with it, as a weight does",
    wrong="""
        import numpy as np

        def loss(prediction, target):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            decay = 0.9 ** np.arange(len(prediction))
            return np.average((prediction - target) ** 2, weights=decay)
    """,
    right="""
        import numpy as np

        def loss(prediction, target, weight=None):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            losses = np.square(prediction - target)
            return np.mean(losses if weight is None else np.where(weight == 0, 0, weight * losses))
    """,
    seen=("Spijkervet/SimCLR#46: rows from several processes came in another order than the mask of pairs assumed",),
)
def permutation_invariance(subject: Subject) -> Failure | None:
    """The order of the rows changes nothing but the order of their losses.

    A loss that weighs rows by their number, pairs neighbours, or carries something on from one row to the next gives
    another number for the same batch in another order, and data loaders shuffle.

    Differences along an axis of a row (time, say) are a row's own and pass.
    """
    p, y = samples.plain(subject)
    if _kept(subject, p, y):
        return None
    if not subject.prediction.rows:  # a loss of series, which took the only axis there was for time
        wide = samples.plain(subject, 12)
        series = tuple(x.reshape(4, 3) for x in wide)
        if subject.attempt(*series) is not None and _kept(subject, *series):
            return None
    p, y = smallest(subject, lambda p, y: not _kept(subject, p, y), p, y)
    order = _order(p)
    before, after = subject.values(p, y), subject.values(p[order], y[order])
    code = "\n".join(subject.code(*each) for each in ((p, y), (p[order], y[order])))
    if before.shape[:1] != (len(order),):
        return Failure(f"the batch gave {before.mean():.6g}, and {after.mean():.6g} in another order", code)
    row = next(i for i, j in enumerate(order) if not same(after[i], before[j]))
    old, new = (float(x.reshape(-1)[0]) for x in (before[order[row]], after[row]))
    return Failure(f"the same row's loss is {old:.6g} at place {order[row]} and {new:.6g} at place {row}", code)


def _order(p: Any) -> list[int]:
    return [row for row in _ORDER if row < len(p)]


def _kept(subject: Subject, p: Any, y: Any) -> bool:
    order = _order(p)
    before, after = subject.values(p, y), subject.values(p[order], y[order])
    return same(after, before[order] if before.shape[:1] == (len(order),) else before)
