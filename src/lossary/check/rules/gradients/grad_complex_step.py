from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.instruments.differences import Scalar, batches
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import DIFFERENTIATES
from lossary.check.subject.subject import LossRaised, Subject, described

_STEP = 1e-30
_AGREES = 1e-10  # of the size of what was summed


@rule(
    "LSY402",
    severity="error",
    needs=(DIFFERENTIATES,),
    remedy="write constants with all their digits (math.log(2), not 0.6931472) and leave no ε in the gradient that the "
    "value does not have",
    wrong="""
        import torch

        class Bits(torch.autograd.Function):
            @staticmethod
            def forward(ctx, input, target):
                ctx.save_for_backward(input, target)
                return torch.log2(1 + (input - target) ** 2)
            @staticmethod
            def backward(ctx, upstream):
                input, target = ctx.saved_tensors
                r = input - target
                return upstream * 1.442695 * 2 * r / (1 + r**2), None

        def loss(input, target):
            return Bits.apply(input, target).mean()
    """,
    right="""
        import torch

        def loss(input, target):
            return torch.log2(1 + (input - target) ** 2).mean()
    """,
    seen=(
        "pytorch/pytorch#1792: a wrong gradient that differences with a coarse tolerance let pass",
        "pytorch/pytorch#18619: a custom backward that was right or wrong depending on which number was asked for",
    ),
    thorough=True,
)
def grad_complex_step(subject: Subject) -> Failure | None:
    """Where the formula takes complex numbers, the gradient agrees with the complex step to ten digits.

    Differences lose half of the digits; what is wrong in the eighth, a rounded constant or an ε that only the gradient
    has, hides below them and breaks optimisers that converge further than SGD does. The derivative of an analytic
    function can be had without any difference: Im f(x + ih)/h for a tiny h.

    The complex step is believed where it agrees with differences; abs, max and comparisons are not analytic.
    """
    for prediction, target in batches(subject):
        scalar = Scalar(subject, prediction, target)
        if scalar.epsilon > 1e-15:
            return None
        direction = scalar.direction(subject.generator(1))
        exact = _complex_step(scalar, direction)
        if exact is None or not np.isfinite(exact):
            return None
        try:
            gradient = scalar.gradient(prediction)
        except LossRaised:
            return None
        slope = scalar.along(direction)
        if slope.kinked or not slope.admits(exact, relative=1e-9):
            continue
        claimed, size = float(np.sum(gradient * direction)), float(np.sum(np.abs(gradient * direction)))
        if abs(claimed - exact) > _AGREES * size:
            digits = f"{claimed:.12g}, which should be {exact:.12g}"
            return Failure(
                f"the slope along a direction is {digits}, on {described(prediction, target)}",
                subject.code(prediction[:1], target[:1], gradient=True),
            )
    return None


def _complex_step(scalar: Scalar, direction: Any) -> float | None:
    """None where the loss does not take complex numbers, or does not give any."""
    moved = scalar.prediction + 1j * _STEP * direction
    values = scalar.subject.attempt(moved, scalar.target, reduction=scalar.reduction)
    if values is None or values.dtype != np.complex128:
        return None
    plain = scalar.subject.values(scalar.prediction, scalar.target, reduction=scalar.reduction)
    if not np.allclose(values.real, plain, rtol=1e-13, atol=1e-13):
        return None  # complex numbers go through a lower precision, as in Keras
    return float(np.sum(scalar.factors * values.imag) / _STEP)
