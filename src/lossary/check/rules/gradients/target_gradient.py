from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.instruments.differences import Scalar, finest
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import AUTODIFF, DIFFERENTIATES, Tag
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, Subject, described

SOFT_TARGETS = Tag(lambda s: not s.target.discrete, "its targets are labels")


@rule(
    "LSY405",
    severity="error",
    needs=(AUTODIFF, DIFFERENTIATES, SOFT_TARGETS),
    remedy="give the target its derivative, or refuse a target that wants one; callers who do not want one detach it "
    "themselves",
    wrong="""
        import torch

        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, input, target):
                ctx.save_for_backward(input, target)
                return (input - target) ** 2
            @staticmethod
            def backward(ctx, upstream):
                input, target = ctx.saved_tensors
                return 2 * upstream * (input - target), 2 * upstream * (input - target)

        def loss(input, target):
            return Square.apply(input, target).mean()
    """,
    right="""
        import torch

        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, input, target):
                ctx.save_for_backward(input, target)
                return (input - target) ** 2
            @staticmethod
            def backward(ctx, upstream):
                input, target = ctx.saved_tensors
                return 2 * upstream * (input - target), 2 * upstream * (target - input)

        def loss(input, target):
            return Square.apply(input, target).mean()
    """,
    seen=(
        "pytorch/pytorch#3876: losses left the target without a gradient and said nothing; it took long to find",
        "google-deepmind/optax#1786: the gradient in the target was nan where a share was 0",
    ),
)
def target_gradient(subject: Subject) -> Failure | None:
    """The gradient in a soft target is the slope of the values there, or is refused.

    In distillation, in autoencoders and in games between networks the target is computed too, and is trained through.
    Losses are tested for the prediction only: the target's side has a wrong sign, is NaN, or is silently 0. The last is
    often meant (a warning, then), but the caller cannot see it.
    """
    p, y = subject.batch(samples.GRID, dtype=finest(subject))
    scalar = Scalar(subject, p, y, of_target=True)
    try:
        gradient = scalar.gradient(y)
    except LossRaised as error:
        if not _unconnected(error):
            return None  # refused
        gradient = np.zeros_like(y)
    direction = scalar.direction(subject.generator(1))
    slope, claimed = scalar.along(direction), float(np.sum(gradient * direction))
    if slope.admits(claimed):
        return None
    where, code = f"on {described(p, y)}", _code(subject, p[:1], y[:1])
    if not gradient.any():
        return Failure(
            f"the target's gradient is 0; along a direction the loss changes by {slope.estimate:.6g}, {where}",
            code,
            severity="warning",
        )
    return Failure(
        f"the target's gradient says {claimed:.6g} along a direction in which the loss changes by "
        f"{slope.estimate:.6g}, {where}",
        code,
    )


def _unconnected(error: Any) -> bool:
    """Whether this is PyTorch's way of saying that the gradient is None, which a backward would not even mention."""
    message = str(error.original)
    return "not have been used in the graph" in message or "does not require grad" in message


def _code(subject: Subject, prediction: Any, target: Any) -> str:
    """Code that prints the gradient in the target."""
    backend = subject.backend
    first, slope = backend.gradient_code(
        backend.literal(target), lambda name: subject.expression(backend.literal(prediction), name)
    )
    return "\n".join(each for each in (backend.setup_code(str(target.dtype)), first, f"print({slope})") if each)
