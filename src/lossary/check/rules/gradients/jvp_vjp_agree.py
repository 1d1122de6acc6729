from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.instruments.differences import Scalar, finest
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import AUTODIFF, DIFFERENTIATES
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, Subject, described


@rule(
    "LSY403",
    severity="error",
    needs=(AUTODIFF, DIFFERENTIATES),
    remedy="write the forward rule (jvp) from the same derivative as the backward, or leave it out: frameworks then "
    "say that there is none",
    wrong="""
        import torch

        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, input, target):
                ctx.residual = input - target
                return ctx.residual ** 2
            @staticmethod
            def backward(ctx, upstream):
                return 2 * upstream * ctx.residual, None
            @staticmethod
            def jvp(ctx, input, target):
                return ctx.residual * input

        def loss(input, target):
            return Square.apply(input, target).mean()
    """,
    right="""
        import torch

        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, input, target):
                ctx.residual = input - target
                return ctx.residual ** 2
            @staticmethod
            def backward(ctx, upstream):
                return 2 * upstream * ctx.residual, None
            @staticmethod
            def jvp(ctx, input, target):
                return 2 * ctx.residual * input

        def loss(input, target):
            return Square.apply(input, target).mean()
    """,
    seen=(
        "pytorch/functorch#207: custom functions under forward-mode transforms gave silently wrong tangents",
        "pytorch/pytorch#192985: a compiled custom function lost its forward rule and differentiated something else",
    ),
    thorough=True,
)
def jvp_vjp_agree(subject: Subject) -> Failure | None:
    """Differentiated forwards and backwards, the loss gives the same slope.

    Forward mode is what Hessian-vector products, Gauss–Newton methods and sensitivities use. A loss with rules written
    by hand has two of them, and training only ever asks the backward one: the other may be wrong for years.
    """
    p, y = subject.batch(samples.GRID, dtype=finest(subject))
    scalar = Scalar(subject, p, y)
    direction = scalar.direction(subject.generator(1))
    try:
        forwards = _forwards(scalar, direction)
        backwards = scalar.gradient(p) * direction
    except LossRaised:
        return None
    if forwards is None:
        return None
    apart = abs(forwards - float(backwards.sum()))
    if np.isnan(apart) or apart <= max(1e-9, 256 * scalar.epsilon) * float(np.abs(backwards).sum()) + 1e-12:
        return None
    return Failure(
        f"along a direction the slope is {forwards:.6g} forwards and {backwards.sum():.6g} backwards, "
        f"on {described(p, y)}",
        subject.code(p[:1], y[:1], gradient=True),
    )


def _forwards(scalar: Scalar, direction: Any) -> float | None:
    """None where the framework, or the loss, has no forward rule: it says so, and nothing is wrong."""
    backend, p = scalar.subject.backend, scalar.prediction
    with scalar.precision():
        try:
            tangent = backend.pushed(scalar.weighed, backend.array(p), backend.array(direction.astype(p.dtype)))
        except Exception:
            return None
        return float(np.sum(backend.numpy(tangent)))
