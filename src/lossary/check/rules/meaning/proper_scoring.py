from __future__ import annotations

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import VALUES, Tag
from lossary.check.subject.as_loss import refuted
from lossary.check.subject.subject import Subject
from lossary.define import Estimates, Proper

_ESTIMATES = Tag(
    lambda s: s.claimed(Proper) is not None or s.claimed(Estimates) is not None, "nobody claims what it estimates"
)


@rule(
    "LSY508",
    severity="error",
    needs=(VALUES, _ESTIMATES),
    remedy="do not take its predictions for probabilities (or means, or quantiles) without calibrating them; or take a "
    "loss that is proper",
    wrong="""
        import numpy as np
        from lossary.define import Estimates

        def loss(prediction, target, level=0.9):
            r = prediction - target
            return np.maximum(level * r, (level - 1) * r)

        loss.claims = (Estimates("0.9 quantile", 0.9),)
    """,
    right="""
        import numpy as np
        from lossary.define import Estimates

        def loss(prediction, target, level=0.9):
            r = target - prediction
            return np.maximum(level * r, (level - 1) * r)

        loss.claims = (Estimates("0.9 quantile", 0.9),)
    """,
    seen=(
        "gpleiss/temperature_scaling#18: probabilities calibrated with a loss that was not the one minimised",
        "keras-team/keras-cv#672: label smoothing and focal weights together moved the minimum",
    ),
)
def proper_scoring(subject: Subject) -> Failure | None:
    """A loss that is said to estimate something costs least, in the mean, where that is predicted.

    A proper loss is least at the true probability, squared error at the mean, a quantile loss at the quantile. Label
    smoothing, focal weights, class weights and swapped arguments move the minimum: accuracy may stay, but what comes
    out are no probabilities any more, and everything that is computed from them is wrong.
    """
    for kind in (Proper, Estimates):
        failure = refuted(subject, kind)
        if failure is not None:
            return failure
    return None
