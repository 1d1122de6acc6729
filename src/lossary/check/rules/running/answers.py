from __future__ import annotations

import time
from typing import Any

import numpy as np

from lossary.check.instruments.shrink import smallest
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.subject.subject import LossRaised, Subject, described

_QUICK = 0.05  # seconds; a slower loss is not called again and again for a smaller input
_TOLD = "if this is no ordinary input for it, say what it takes: --task, --order, --logits, --framework"


@rule(
    "LSY001",
    severity="error",
    remedy="return one finite number, or one for each row, as an array of the framework",
    wrong="""
        def loss(prediction, target):
            return f"{((prediction - target) ** 2).mean():.3f}"
    """,
    right="""
        def loss(prediction, target):
            return ((prediction - target) ** 2).mean()
    """,
    seen=(
        "bnu-wangxun/Deep_Metric#26: a loss that gives back several values, the first a number without backward",
        "diptamath/Nonhomogeneous_Image_Dehazing#2: a loss that gave back a tuple",
    ),
)
def answers(subject: Subject) -> Failure | None:
    """An ordinary batch gets finite numbers for an answer, in time, and the process lives on.

    A loss that raises, hangs, ends the process or gives back text, None or NaN for everyday input cannot train
    anything. Every other rule builds on this one: where it is broken, nothing else is asked.
    """
    p, y = subject.batch(4)
    began = time.perf_counter()
    wrong = _wrong(subject, p, y)
    if wrong is None:
        return None
    if time.perf_counter() - began < _QUICK:
        same = wrong.message.partition(" on ")[0]
        p, y = smallest(subject, lambda p, y: _same(_wrong(subject, p, y), same), p, y)
        wrong = _wrong(subject, p, y) or wrong
    return wrong


def _same(failure: Failure | None, message: str) -> bool:
    return failure is not None and failure.message.partition(" on ")[0] == message


def _wrong(subject: Subject, p: Any, y: Any) -> Failure | None:
    """What is wrong with the answer to one batch."""
    try:
        result = subject.call(p, y)
    except LossRaised as error:
        return Failure(str(error), subject.code(p, y), help=_TOLD)
    what = _not_numbers(subject, result)
    if what is not None:
        return Failure(f"returned {what} on {described(p, y)}", subject.code(p, y, "type({loss})"))
    values = np.asarray(subject.backend.numpy(result))
    if not np.isfinite(values).all():
        bad = float(values[~np.isfinite(values)][0])
        return Failure(f"gave {bad} on {described(p, y)}", subject.code(p, y), help=_TOLD)
    return None


def _not_numbers(subject: Subject, result: Any) -> str | None:
    """What came instead of an array of real numbers; None where such an array came."""
    if isinstance(result, int | float | np.generic):
        result = subject.backend.array(np.asarray(result))
    kind = type(result).__name__
    article = "an" if kind[0] in "aeiou" else "a"
    try:
        dtype = subject.backend.dtype(result)
    except AttributeError:
        return "None" if result is None else f"{article} {kind}"
    return None if "float" in dtype or "int" in dtype else f"an array of {dtype}"
