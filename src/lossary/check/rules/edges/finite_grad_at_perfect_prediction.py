from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.instruments import shrink
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import DIFFERENTIATES
from lossary.check.subject import samples
from lossary.check.subject.subject import described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


@rule(
    "LSY201",
    severity="error",
    needs=(DIFFERENTIATES,),
    remedy="keep the root, the norm or the quotient away from 0: add a small number under the root, or choose the "
    "argument with where before it, not the result after it",
    wrong="""
        import torch

        def loss(input, target):
            return torch.sqrt((input - target) ** 2).mean()
    """,
    right="""
        import torch

        def loss(input, target):
            return torch.abs(input - target).mean()
    """,
    seen=(
        "pytorch/pytorch#2421: the gradient of a norm was NaN at the zero vector",
        "tensorflow/tensorflow#12071: tf.norm had a NaN gradient where its argument is 0",
        "jax-ml/jax#4177",
        "keras-team/keras#9097",
    ),
)
def finite_grad_at_perfect_prediction(subject: Subject) -> Failure | None:
    """Where the prediction equals the target, the gradient is finite.

    The slope of a square root is infinite at 0, and infinity times the 0 that it is multiplied with is NaN. Models hit
    targets exactly now and then (padding, duplicated rows, zeros); one such row, and the next update writes NaN into
    every parameter.
    """
    p, y = _perfect(subject)
    if not subject.loses_gradient(p, y).any():
        return None
    p, y = shrink.alone(subject.loses_gradient, p, y) or (p, y)
    slope = subject.gradient(p, y)
    worst = slope[~np.isfinite(slope)][0]
    return Failure(f"gradient is {worst} at {described(p, y)}", subject.code(p, y, gradient=True))


def _perfect(subject: Subject) -> tuple[Any, Any]:
    """Four rows of perfect predictions."""
    if not samples.has_classes(subject):
        y = subject.target.inside(np.array([0.0, 1.0, -2.5, 100.0]))
        if samples.positive(subject.target):
            y = np.array([1.0, 0.5, 2.5, 100.0])
        return samples.arranged(subject, samples.in_rows(subject, y), samples.beside_rows(subject, y))
    if not subject.prediction.rows:
        negative, positive = samples.two_classes(subject)
        p = np.array([0.0, 1.0] * 2) if subject.prediction.of_shares else np.array([-60.0, 60.0] * 2)
        if not subject.prediction.probabilities:
            p = np.array([-1.0, 1.0, -60.0, 60.0])
        return samples.arranged(subject, p, np.array([negative, positive] * 2))
    index = np.array([0, 1, 2, 1])
    y = np.array([samples.of_class(subject, each) for each in index])
    prediction, target = subject.prediction, subject.target
    shares = samples.corners(subject)[index] if target.indices or target.link is None else target.link.inverse(y)
    if target.of_logits and prediction.link is not None:  # those of a teacher
        return samples.arranged(subject, prediction.link.apply(shares), y)
    if not prediction.of_shares:
        return samples.arranged(subject, 60.0 * samples.corners(subject)[index], y)
    return samples.arranged(subject, np.log(np.maximum(shares, 1e-30)) if prediction.logarithms else shares, y)
