from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import DIFFERENTIATES, Tag
from lossary.check.subject import samples
from lossary.check.subject.subject import described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

# Margins (log-odds) by which the wrong class is ahead: two ordinary ones, then those that must not be given up.
_SHARES = (0.0, 3.9, 16.6, 23.0, 69.0)  # probabilities of 0.5, 0.02, 6e-8, 1e-10, 1e-30
_LOGITS = (3.0, 6.0, 20.0, 30.0, 80.0)
_USUAL = 30.0


@rule(
    "LSY208",
    severity="error",
    needs=(
        DIFFERENTIATES,
        Tag(samples.has_classes, "its predictions say no class"),
    ),
    remedy="compute from logits, which need no clipping (log_softmax, log_sigmoid), or clip so that a slope remains",
    wrong="""
        import torch

        def loss(probabilities, labels):
            p = probabilities.clamp(1e-7, 1 - 1e-7)
            return -(labels * torch.log(p) + (1 - labels) * torch.log(1 - p)).mean()
    """,
    right="""
        import torch

        def loss(logits, labels):
            return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    """,
    seen=("keras-team/keras#9247",),
)
def clamp_kills_gradient(subject: Subject) -> Failure | None:
    """The gradient is not 0 where the model is most wrong.

    Probabilities are clipped to [1e-7, 1 - 1e-7] so that the logarithm stays finite. Outside, a clip is constant: the
    row with the worst error of the batch has a gradient of exactly 0, and nothing is learnt from it. (Losses that are
    bounded flatten out by design; they are left alone.)
    """
    shares = subject.prediction.of_shares
    for p, y, size in _chains(subject, _SHARES if shares else _LOGITS):
        first, second = size[:2]
        grows = second > 5.0 * first if shares else second >= 0.9 * first > 0.0
        inside = _inside(p) if shares else np.ones(len(p), bool)
        dead = inside & (size < (0.9 if shares else 0.1) * second)
        dead[:2] = False
        if not grows or not dead.any():
            continue
        row = int(np.flatnonzero(dead)[0])
        one = p[row : row + 1], y[row : row + 1]
        return Failure(
            f"gradient is {size[row]:.3g} at {described(*one)}; {second:.3g} where less is wrong",
            subject.code(*one, gradient=True),
            severity="error" if (_SHARES if shares else _LOGITS)[row] <= _USUAL else "warning",
        )
    return None


def _chains(subject: Subject, margins: tuple[float, ...]) -> list[tuple[Any, Any, Any]]:
    """For each class as the right one, the predictions that are more and more wrong, and their gradients' sizes."""
    p, y = samples.points(subject, margins)
    size = np.abs(subject.row_gradients(p, y)).reshape(len(p), -1)
    size = size[:, samples.RIGHT] if subject.prediction.rows else size[:, 0]
    starts, step = ((1,), 2) if subject.prediction.rows else ((2, 3), 4)
    return [(p[at], y[at], size[at]) for at in (np.arange(len(margins)) * step + start for start in starts)]


def _inside(p: Any) -> Any:
    """Which rows are neither 0 nor 1."""
    return ((p > 0.0) & (p < 1.0)).reshape(len(p), -1).all(axis=1)
