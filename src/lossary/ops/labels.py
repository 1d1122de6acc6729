"""Predictions that may be labels or scores, which cost differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.ops.arrays import Framework
    from lossary.ops.ops import Array


def undecided(
    xp: Framework, loss: Loss, prediction: Array, weight: Array | None = None, where: Array | None = None
) -> bool:
    """Whether floats that came as predictions may be labels or scores, which cost differently: those that count are all
    labels.

    Only for values that can be read; kernels, which look at one entry at a time, leave such calls to the operations.
    """
    labels = loss.prediction.labels
    if labels is None or not may_be_labels(loss) or "float" not in xp.dtype(prediction):
        return False
    holds = labels.holds(xp, prediction)
    if weight is not None:
        holds = xp.logical_or(holds, xp.equal(weight, 0.0))
    if where is not None:
        holds = xp.logical_or(holds, xp.logical_not(where))
    return 0 not in (xp.shape(prediction) or ()) and bool(xp.all(holds))


def may_be_labels(loss: Loss) -> bool:
    """Whether floats can be labels to this loss, and other things to it as scores."""
    labels = loss.prediction.labels
    return labels is not None and not labels.are_scores
