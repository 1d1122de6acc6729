from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossary.check.instruments import shrink
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import DIFFERENTIATES
from lossary.check.subject import samples
from lossary.check.subject.subject import described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

_SIZES = (20.0, 50.0, 104.0, 1e4, 1e10, 3e19, 3e38)
_USUAL = 1e6  # what data holds; larger numbers are a model that has already diverged


@rule(
    "LSY202",
    severity="error",
    needs=(DIFFERENTIATES,),
    remedy="choose the argument of each branch with where as well, so that no branch overflows where it is not chosen",
    wrong="""
        import torch

        def loss(input, target):
            e = torch.abs(input - target)
            return torch.where(e < 20, torch.log(torch.cosh(e)), e - 0.6931472).mean()
    """,
    right="""
        import torch

        def loss(input, target):
            e = torch.abs(input - target)
            return (e + torch.nn.functional.softplus(-2 * e) - 0.6931472).mean()
    """,
    seen=(
        "jax-ml/jax#347: the gradient of where was NaN though the branch with the NaN was not chosen",
        "tensorflow/tensorflow#2540",
        "tensorflow/tensorflow#38349",
        "pytorch/pytorch#156212",
        "google-deepmind/optax#1786",
    ),
)
def where_trap(subject: Subject) -> Failure | None:
    """Where the loss is finite far out, so is its gradient.

    `where` computes both branches and hides one. The derivative of the hidden one is multiplied by 0 and added; if it
    overflowed, that is 0 · inf = NaN. The loss looks right, on every plot, and the gradient is NaN for one outlier.
    """
    row = shrink.alone(subject.loses_gradient, *samples.points(subject, _SIZES))
    if row is None:
        return None
    slope = subject.gradient(*row)
    worst = slope[~np.isfinite(slope)][0]
    value = float(np.mean(subject.rows(*row)))
    return Failure(
        f"the loss is {value:.6g}, its gradient {worst}, at {described(*row)}",
        subject.code(*row, gradient=True),
        severity="error" if np.max(np.abs(row[0])) <= _USUAL else "warning",
    )
