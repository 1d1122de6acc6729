from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np

from lossary.check.instruments import shrink
from lossary.check.instruments.differences import Scalar, batches
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import DIFFERENTIATES
from lossary.check.subject.subject import LossRaised, Subject, described


@rule(
    "LSY401",
    severity="error",
    needs=(DIFFERENTIATES,),
    remedy="let the framework differentiate the formula, or derive the backward anew and hold it against differences "
    "(torch.autograd.gradcheck, jax.test_util.check_grads)",
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
                return upstream * (input - target), None

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
                return upstream * 2 * (input - target), upstream * 2 * (target - input)

        def loss(input, target):
            return Square.apply(input, target).mean()
    """,
    seen=(
        "pytorch/pytorch#1792: the stable form of binary cross-entropy had the wrong gradient at a logit of 0",
        "pytorch/pytorch#65466: kl_div's gradient in the target was not the slope of its values",
    ),
)
def grad_matches_numeric(subject: Subject) -> Failure | None:
    """The gradient is the slope of the values; at a kink it is between the slopes of the two sides.

    A backward written by hand (torch.autograd.Function, tf.custom_gradient, jax.custom_vjp, a NumPy gradient, a
    boosting objective) is a second formula, which nobody compares with the first: a factor 2, a sign, a branch or the
    upstream gradient is forgotten, and the loss that is printed is not the one that is trained. Losses that stop part
    of their gradient on purpose are warned of only.

    It is asked in float64, along random directions at ordinary points, growing margins and ties, against central
    differences of fourth order.
    """
    for prediction, target in batches(subject):
        scalar = Scalar(subject, prediction, target)
        try:
            gradient = scalar.gradient(prediction)
        except LossRaised:
            return None  # that there is none is what not-detached says
        if not gradient.any():
            continue
        if gradient.shape != prediction.shape:
            return Failure(f"the gradient's shape is {gradient.shape}, the prediction's {prediction.shape}")
        direction = scalar.direction(subject.generator(1))
        if _wrong(scalar, gradient, direction):
            # Where the losses of some entries have a kink that is convex and others one that is not, the slopes of both
            # sides of the sum say nothing: each entry is asked by itself.
            if scalar.along(direction).kinked and _bad_row(scalar, gradient) is None:
                continue
            return _located(subject, scalar, gradient)
    return None


def _wrong(scalar: Scalar, gradient: Any, direction: Any) -> bool:
    return not scalar.along(direction).admits(float(np.sum(gradient * direction)))


def _located(subject: Subject, scalar: Scalar, gradient: Any) -> Failure:
    severity, help = ("warning", _ON_PURPOSE) if _stops(subject) else (None, "")
    if subject.host == "boosting":
        severity, help = "warning", _BOUND
    row = _bad_row(scalar, gradient)
    if row is None or not _row_is_wrong(subject, scalar.prediction[row], scalar.target[row]):
        direction = scalar.direction(subject.generator(1))
        slope, claimed = scalar.along(direction).estimate, float(np.sum(gradient * direction))
        message = f"on {described(scalar.prediction, scalar.target)} the gradient says {claimed:.6g} along a direction "
        message += f"in which the loss grows by {slope:.6g}"
        return Failure(message, help=help, severity=severity)  # type: ignore[arg-type]  # one of the two
    p, y = shrink.smallest(subject, lambda p, y: _row_is_wrong(subject, p, y), *_row(scalar, row))
    single = Scalar(subject, p, y)
    row_gradient, factor = single.gradient(p), float(single.factors.flat[0])
    index = next((i for i in range(p.size) if _wrong(single, row_gradient, single.one_entry(i))), 0)
    unit = single.one_entry(index)
    slope, claimed = single.along(unit).estimate / factor, float(np.sum(row_gradient * unit)) / factor
    size = float(unit.flat[index])
    message = (
        f"gradient is {claimed / size:.6g} on {described(p, y)}; the values there have the slope {slope / size:.6g}"
    )
    if row_gradient.size == 1 and np.allclose(row_gradient / factor, subject.gradient(p, y) / factor) and factor != 1.0:
        message = (
            f"times {factor:g}, its gradient on {described(p, y)} stays {claimed * factor / size:.6g}: what comes "
        )
        message += "after the loss is forgotten"
    code = subject.code(p, y, gradient=True)
    return Failure(message, code, help=help, severity=severity)  # type: ignore[arg-type]  # one of the two


_BOUND = "boosting wants a curvature above 0, often a bound: if that is meant, expect this failure with that reason"
_ON_PURPOSE = "it stops gradients itself: if that is meant, expect this failure with that reason"


def _row(scalar: Scalar, row: int) -> tuple[Any, Any]:
    return scalar.prediction[row : row + 1], scalar.target[row : row + 1]


def _bad_row(scalar: Scalar, gradient: Any) -> int | None:
    """The first row of which the gradient is wrong in one of its numbers."""
    for index in range(gradient.size):
        if _wrong(scalar, gradient, scalar.one_entry(index)):
            return int(np.unravel_index(index, gradient.shape)[0])
    return None


def _row_is_wrong(subject: Subject, prediction: Any, target: Any) -> bool:
    """Whether the row is wrong also when it is the whole batch."""
    if np.ndim(prediction) == len(subject.entry):
        prediction, target = prediction[None], np.asarray(target)[None]
    single = Scalar(subject, prediction, target)
    gradient = single.gradient(prediction)
    return any(_wrong(single, gradient, single.one_entry(index)) for index in range(gradient.size))


def _stops(subject: Subject) -> bool:
    """Whether its text says that some gradient is stopped."""
    called = subject.loss if inspect.isroutine(subject.loss) else type(subject.loss)
    try:
        return re.search(r"\b(detach|stop_gradient|no_grad)\b", inspect.getsource(called)) is not None
    except (OSError, TypeError):
        return False
