from __future__ import annotations

import numpy as np

from lossary.check.instruments import shrink
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import DIFFERENTIATES, claims
from lossary.check.subject import samples
from lossary.check.subject.as_loss import refuted
from lossary.check.subject.subject import Subject, described
from lossary.define import Lipschitz

_SQUARES = 1e18  # float32 squares of what is larger are inf
_SIZES = (0.0, 1.0, 1e3, 1e8, 1e20, 3e38)


@rule(
    "LSY407",
    severity="error",
    needs=(DIFFERENTIATES, claims(Lipschitz)),
    remedy="clip the residual before it is squared, so that neither branch overflows; or do not call the loss robust",
    wrong="""
        import torch
        from lossary.define import Lipschitz

        def loss(input, target):
            size = (input - target).abs()
            return torch.where(size <= 1, size**2 / 2, size**1.5 - 0.5).mean()

        loss.claims = (Lipschitz(1.0),)
    """,
    right="""
        import torch
        from lossary.define import Lipschitz

        def loss(input, target):
            size = (input - target).abs()
            near = size.clamp(max=1)
            return (near**2 / 2 + size - near).mean()

        loss.claims = (Lipschitz(1.0),)
    """,
    seen=(
        "keras-team/keras#23573: a Huber loss with delta = 0 made every example's loss the same wrong value",
        "JuliaML/LossFunctions.jl#53: a table of which losses are Lipschitz, whose author was not sure of all entries",
    ),
)
def bounded_gradient(subject: Subject) -> Failure | None:
    """A loss that is said to be Lipschitz nowhere pulls harder than that.

    A robust loss is chosen because no single example can pull the model far. One branch too steep, or one that
    overflows far out and makes the gradient inf or NaN, and the first outlier does what the loss was to prevent.

    It is asked on random points in float64, and in float32 as far out as the numbers go: a warning, where
    no data are.
    """
    failure = refuted(subject, Lipschitz, gradient=True)
    if failure is not None:
        return failure
    bound = subject.claimed(Lipschitz).bound  # type: ignore[union-attr]  # the tag holds
    if subject.prediction.rows:
        return None  # margins of 1e20 between classes are no data

    def steep(p: object, y: object) -> object:
        slope = subject.row_gradients(p, y).reshape(samples.GRID if len(p) > 1 else 1, -1)  # type: ignore[arg-type]  # arrays
        return ~(np.sqrt((slope**2).sum(axis=1)) <= bound * (1 + 1e-5))

    row = shrink.alone(steep, *samples.points(subject, _SIZES))
    if row is None:
        return None
    slope = subject.row_gradients(*row)
    return Failure(
        f"gradient is {slope.flat[0]:.6g} on {described(*row)}, said to be {subject.claimed(Lipschitz)}",
        subject.code(*row, gradient=True),
        severity="warning" if np.abs(row[0]).max() > _SQUARES else None,
    )
