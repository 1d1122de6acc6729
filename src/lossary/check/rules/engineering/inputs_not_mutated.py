from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.instruments import shrink
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import Tag
from lossary.check.subject.subject import LossRaised, Subject, described, shown

MUTABLE = Tag(lambda s: s.backend.name in ("numpy", "torch"), "its framework's arrays cannot be written to")


@rule(
    "LSY601",
    severity="error",
    needs=(MUTABLE,),
    remedy="write to new arrays: x.clamp(...) and x - y instead of x.clamp_(...) and x -= y",
    wrong="""
        def loss(prediction, target):
            prediction -= target
            return (prediction**2).mean()
    """,
    right="""
        def loss(prediction, target):
            return ((prediction - target) ** 2).mean()
    """,
    seen=(
        "NVIDIA-NeMo/Automodel#3918: the loss wrote its gradient over the logits, and a second loss on them was 0",
        "NVIDIA/apex#1587: a fused cross-entropy wrote over the logits that it was given",
    ),
)
def inputs_not_mutated(subject: Subject) -> Failure | None:
    """Prediction, target and weights are the same after the call, and after its gradient, as before.

    What writes into its arguments saves an array, and ruins whatever comes after it: a second loss on the same logits,
    a metric, the batch that is used again in the next epoch. It shows as a metric that does not fit the loss.
    """
    p, y = subject.batch(4)
    if _changed(subject, p, y) is None:
        return None
    p, y = shrink.smallest(subject, lambda p, y: _changed(subject, p, y) is not None, p, y)
    argument, moment, before, after = _changed(subject, p, y)
    return Failure(
        f"{argument} {shown(before)} was {shown(after)} after the {moment}", _code(subject, p, y, argument, moment)
    )


def _changed(subject: Subject, p: Any, y: Any) -> Any:
    """Which argument was changed, when (in the call, in its gradient), from what to what; None where none was."""
    originals = {"prediction": p, "target": y}
    if subject.takes_weight:
        originals["weight"] = np.ones(len(p), p.dtype)
    handed = {name: subject.backend.array(x.copy()) for name, x in originals.items()}
    try:
        subject.raw(**handed)
        difference = _difference(subject, originals, handed, "call")
        if difference is None and subject.backend.differentiates and subject.trainable:
            subject.backend.pulled(lambda x: _activated(subject, handed, x), handed["prediction"])
            difference = _difference(subject, originals, handed, "gradient")
    except Exception as error:
        raise LossRaised(error, described(p, y)) from error
    return difference


def _activated(subject: Subject, handed: dict[str, Any], x: Any) -> Any:
    """The loss of what a network returns: no leaf of the graph, so that it can be written to."""
    handed["prediction"] = x * 1.0
    return subject.raw(**handed)


def _difference(subject: Subject, originals: dict[str, Any], handed: dict[str, Any], moment: str) -> Any:
    for argument, before in originals.items():
        after = subject.backend.numpy(handed[argument])
        if not np.array_equal(after, before.astype(after.dtype), equal_nan=True):
            return argument, moment, before, after
    return None


def _code(subject: Subject, p: Any, y: Any, argument: str, moment: str) -> str:
    x, t, call = subject.backend.literal(p), subject.backend.literal(y), subject.expression("x", "y")
    shown = {"prediction": "x", "target": "y"}.get(argument)
    if shown is None:
        return ""
    if moment == "call":
        return f"x, y = {x}, {t}; {call}\nprint({shown})"
    return f"x, y = {x}.requires_grad_() * 1.0, {t}; {call}.sum().backward()\nprint({shown})"
