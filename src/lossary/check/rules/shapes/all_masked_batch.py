from __future__ import annotations

import itertools

import numpy as np

from lossary.check.rulebook.rule import Failure, Severity, rule
from lossary.check.rulebook.tags import DROPS
from lossary.check.rules.shapes.leaving_out import Way, ways, weights
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, Subject


@rule(
    "LSY112",
    severity="error",
    needs=(DROPS,),
    remedy="divide by the number of rows that count, or by 1 where there is none: the loss and its gradient are 0 then",
    wrong="""
        import numpy as np

        def loss(prediction, target, mask=None):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            losses = np.square(prediction - target)
            return losses.mean() if mask is None else losses[mask].mean()
    """,
    right="""
        import numpy as np

        def loss(prediction, target, mask=None):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            losses = np.square(prediction - target)
            if mask is not None:
                losses = losses[mask]
            return losses.sum() / max(losses.size, 1)
    """,
    seen=(
        "pytorch/pytorch#70348: cross_entropy is NaN where every target is ignored",
        "pytorch/pytorch#75181: the same, found with a single row",
        "NVIDIA-NeMo/Automodel#3796: three of four losses made one batch without labels the end of the run",
    ),
)
def all_masked_batch(subject: Subject) -> Failure | None:
    """A batch in which no row counts has a finite loss with a finite gradient, or is refused.

    The mean of nothing is 0 / 0. One batch of padding only, among a million, makes every parameter NaN, and the run is
    lost. Weights that are all 0 are rarer: a warning.
    """
    for way in itertools.chain(ways(subject), weights(subject)):
        failure = _of(subject, way, "warning" if way.name == "weight 0" else "error")
        if failure is not None:
            return failure
    return None


def _of(subject: Subject, way: Way, severity: Severity) -> Failure | None:
    p, y = samples.plain(subject)
    target, more = way.arranged(y, np.zeros(4, bool))
    for reduction in [each for each in ("mean", "sum", "none") if subject.reduces(each)]:
        values = subject.attempt(p, target, reduction=reduction, **more)
        if values is not None and not np.all(np.isfinite(values)):
            wrong = float(values[~np.isfinite(values)][0])
            message = (
                f"the {'losses' if reduction == 'none' else reduction} of a batch left out by {way.name} is {wrong:g}"
            )
            code = subject.code(p, target, reduction=reduction, **more)
            return Failure(message, code, severity=severity)
    if not (subject.differentiates and subject.backend.differentiates):
        return None
    for reduction in [each for each in ("mean",) if subject.reduces(each)]:
        try:
            slope = subject.gradient(p, target, reduction=reduction, **more)
        except LossRaised:  # refused, or a constant
            return None
        if not np.all(np.isfinite(slope)):
            message = f"the gradient of a batch left out by {way.name} is {float(slope[~np.isfinite(slope)][0]):g}"
            code = subject.code(p, target, gradient=True, reduction=reduction, **more)
            return Failure(message, code, severity=severity)
    return None
