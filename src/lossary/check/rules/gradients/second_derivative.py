from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.instruments.differences import Scalar, Slope, batches, slope
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import AUTODIFF, DIFFERENTIATES
from lossary.check.subject.subject import LossRaised, Subject, described


@rule(
    "LSY406",
    severity="error",
    needs=(AUTODIFF, DIFFERENTIATES),
    remedy="let a custom backward compute from the saved inputs with differentiable operations, not from results that "
    "the forward kept",
    wrong="""
        import torch

        class Cube(torch.autograd.Function):
            @staticmethod
            def forward(ctx, input, target):
                ctx.slope = 3 * (input - target) ** 2 * torch.sign(input - target)
                return (input - target).abs() ** 3
            @staticmethod
            def backward(ctx, upstream):
                return upstream * ctx.slope, -upstream * ctx.slope

        def loss(input, target):
            return Cube.apply(input, target).mean()
    """,
    right="""
        import torch

        def loss(input, target):
            return ((input - target).abs() ** 3).mean()
    """,
    seen=(
        "pytorch/pytorch#58509: what a custom function keeps from its forward counts as a constant in the backward",
        "pytorch/pytorch#59477: binary cross-entropy with reduction='sum' could not be differentiated twice",
        "pytorch/pytorch#18945: kl_div had no second derivative for a target that wants a gradient",
    ),
)
def second_derivative(subject: Subject) -> Failure | None:
    """The derivative of the gradient is the gradient's own slope, and is finite where the gradient is.

    Newton's method, gradient penalties and influence functions differentiate twice. A custom backward is differentiated
    as it is written, and what the forward put aside counts as a constant there: the second derivative is 0, or half of
    what it should be, without a word. That it cannot be had at all is a warning.
    """
    for p, y in batches(subject, margins=False):
        scalar = Scalar(subject, p, y)
        direction, side = scalar.direction(subject.generator(1)), subject.generator(2).uniform(0.5, 1.0, size=p.shape)
        try:
            if not np.isfinite(scalar.gradient(p)).all():
                continue
            expected = _slope_of_gradient(scalar, direction, side)
        except LossRaised:
            return None
        try:
            derivative = float(np.sum(side * _second(scalar, direction)))
        except Exception as error:
            reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:80]}"
            return Failure(f"it cannot be differentiated twice ({reason})", severity="warning")
        # At a tie frameworks choose a side: |r|² has the second derivative 0 there. It must be a number.
        tied = bool((p == p.flat[0]).all()) and np.isfinite(derivative)
        if not tied and not expected.admits(derivative, relative=1e-5):
            return Failure(
                f"along a direction the second derivative is {derivative:.6g}; the gradient changes by "
                f"{expected.estimate:.6g}, on {described(p, y)}"
            )
    return None


def _slope_of_gradient(scalar: Scalar, direction: Any, side: Any) -> Slope:
    p = scalar.prediction
    return slope(lambda s: float(np.sum(side * scalar.gradient(p + s * direction))), scalar.epsilon)


def _second(scalar: Scalar, direction: Any) -> Any:
    backend, p = scalar.subject.backend, scalar.prediction
    with scalar.precision():
        return backend.numpy(backend.second(scalar.weighed, backend.array(p), backend.array(direction.astype(p.dtype))))
