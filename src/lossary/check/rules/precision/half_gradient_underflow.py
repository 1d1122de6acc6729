from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.instruments import shrink
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import AUTODIFF, DIFFERENTIATES
from lossary.check.rules.precision import halves
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

_SIZES = (0.5, 3.0, 6.0, 9.2, 0.01)
_SMALLEST = 2.0**-14  # float16's smallest number with all its digits


@rule(
    "LSY305",
    severity="warning",
    needs=(DIFFERENTIATES, AUTODIFF),
    remedy="compute the loss in float32 and let only its gradient be cast; where that is too small, scale the loss up",
    wrong="""
        import torch

        def loss(logits, labels):
            y = 2 * labels - 1
            return -torch.log(torch.sigmoid(y * logits)).mean()
    """,
    right="""
        import torch

        def loss(logits, labels):
            y = 2 * labels - 1
            return torch.nn.functional.softplus(-(y * logits).float()).mean()
    """,
    seen=("tensorflow/tensorflow#38357: gradients vanished in float16 until the loss was scaled",),
)
def half_gradient_underflow(subject: Subject) -> Failure | None:
    """A gradient that float16 can hold is not 0.

    float16 holds nothing below 6e-8, and nothing between 0.9995 and 1. Where a loss squares a small number, or
    subtracts a probability from 1, in float16, the gradient that comes back is 0 though the true one is well in range.
    """
    p, y = samples.points(subject, _SIZES, "float16")
    try:
        row = shrink.alone(lambda p, y: _lost(subject, p, y).reshape(len(p), -1).any(axis=1), p, y)
    except LossRaised:
        return None  # float16 is refused
    if row is None:
        return None
    entry = np.flatnonzero(_lost(subject, *row))[0]
    true = subject.row_gradients(*halves.in_float32(*row)).reshape(-1)[entry]
    return Failure(
        f"gradient is 0 in float16, {true:.3g} in float32, at {described(*row)}", subject.code(*row, gradient=True)
    )


def _lost(subject: Subject, p: Any, y: Any) -> Any:
    half, true = subject.row_gradients(p, y), subject.row_gradients(*halves.in_float32(p, y))
    return (half == 0.0) & (np.abs(true) >= _SMALLEST)
