from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import ONE_ROW, Tag
from lossary.check.subject import samples
from lossary.check.subject.subject import described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


def _of_log_scale(subject: Subject) -> bool:
    prediction, target = subject.prediction, subject.target
    gives_nothing = target.indices or target.shares  # logits and logarithms give every class a share
    return gives_nothing and prediction.rows and prediction.probabilities and not prediction.shares


@rule(
    "LSY205",
    severity="error",
    needs=(
        ONE_ROW,
        Tag(_of_log_scale, "its predictions are not rows of logits"),
    ),
    remedy="multiply target and log-probability only where the target is not 0: where(target == 0, 0, target * log_p)",
    wrong="""
        import torch

        def loss(logits, labels):
            log_p = torch.log_softmax(logits, dim=-1)
            one_hot = torch.nn.functional.one_hot(labels, logits.shape[-1])
            return -(one_hot * log_p).sum(dim=-1).mean()
    """,
    right="""
        import torch

        def loss(logits, labels):
            log_p = torch.log_softmax(logits, dim=-1)
            return -log_p.gather(-1, labels[:, None]).mean()
    """,
    seen=(
        "google-deepmind/optax#896: softmax cross-entropy was NaN as soon as one logit was -inf",
        "facebookresearch/pytext#1698",
        "sooftware/kospeech#37",
    ),
)
def masked_logit_minus_inf(subject: Subject) -> Failure | None:
    """A class masked by a logit of -inf counts as if it were not there, if the target gives it nothing.

    Illegal actions and padded vocabularies are masked with -inf before the softmax. The class then has probability 0
    and log-probability -inf, and 0 · -inf is NaN. With class indices as targets nothing needs to be multiplied; with
    rows of shares (a warning only) it is the framework's own product that fails.
    """
    p = subject.batch(4, salt=205, dtype="float64")[0]
    column = 1
    index = np.array([0, 2, 2, 0])
    y = index if subject.target.indices else samples.corners(subject)[index]
    p[:, column] = -1e4  # exp of it is 0 in every precision
    p, y = samples.arranged(subject, p, y)
    expected = subject.rows(p, y)
    further = p.copy()
    further[:, column] = -2e4
    if not np.allclose(subject.rows(further, y), expected, rtol=1e-5):  # smoothed: every class has a share
        return None
    p[:, column] = -np.inf
    severity = None if subject.target.indices else "warning"
    one = p[:1], y[:1]
    if not np.allclose(subject.rows(p, y), expected, rtol=1e-5):
        cost = float(subject.rows(*one)[0])
        return Failure(
            f"loss is {cost:.6g}, not {expected[0]:.6g}, at {described(*one)}",
            subject.code(*one),
            severity=severity,  # type: ignore[arg-type]  # one of the two, or nothing
        )
    if subject.differentiates and not np.isfinite(slope := subject.gradient(p, y)).all():
        return Failure(
            f"gradient is {slope[~np.isfinite(slope)][0]} at {described(*one)}",
            subject.code(*one, gradient=True),
            severity=severity,  # type: ignore[arg-type]  # one of the two, or nothing
        )
    return None
