from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, Severity, rule
from lossary.check.subject.subject import Subject, shown


@rule(
    "LSY602",
    severity="error",
    remedy="take noise and state as arguments, or leave them out: a loss is a function of prediction and target",
    wrong="""
        scale = [1.0]

        def loss(prediction, target):
            error = ((prediction - target) ** 2).mean()
            scale[0] = 0.9 * scale[0] + 0.1 * error  # of whatever batch was last
            return error / scale[0]
    """,
    right="""
        def loss(prediction, target, scale=1.0):
            return ((prediction - target) ** 2).mean() / scale
    """,
    seen=(
        "pytorch/pytorch#17798: the same batch had another CTC loss from one run to the next",
        "pytorch/pytorch#21680: CTC gradients that changed from call to call",
        "pytorch/pytorch#68698: no two runs of a cross-entropy for images agreed in their last digits",
    ),
)
def deterministic(subject: Subject) -> Failure | None:
    """The same inputs have the same loss and gradient to the last bit, whatever was called in between.

    A loss that remembers earlier batches, or draws random numbers, cannot be compared between two models, and a run
    cannot be repeated. Random numbers that follow the framework's seed, and state that is kept in a module's buffers,
    are a warning.
    """
    p, y = subject.batch(4)
    first = _answer(subject, p, y)
    _answer(subject, *subject.batch(4, salt=1))
    for _ in range(4):  # four entries, each dropped by chance, come out alike once in 16
        again = _answer(subject, p, y)
        same = [np.array_equal(before, now, equal_nan=True) for before, now in zip(first, again, strict=True)]
        if not all(same):
            which = same.index(False)
            what, before, now = ("the loss", "the gradient")[which], shown(first[which]), shown(again[which])
            message = f"{what} was {before}, and is {now} for the same inputs"
            return Failure(message, _code(subject), severity=_excused(subject, p, y))
    return None


def _answer(subject: Subject, p: Any, y: Any) -> tuple[Any, Any]:
    """The plain call's value and gradient."""
    if subject.differentiates:
        return subject.value_and_gradient(p, y, reduction=subject.reduction)
    return subject.values(p, y, reduction=subject.reduction), np.zeros(())


def _excused(subject: Subject, p: Any, y: Any) -> Severity | None:
    """A warning where seeds settle it, or where PyTorch is told of the state; else the rule's own severity."""
    seeded = []
    for salt in (1, 2):
        _answer(subject, *subject.batch(4, salt=salt))
        with subject.backend.seeded(0):
            seeded.append(_answer(subject, p, y))
    if all(np.array_equal(one, other, equal_nan=True) for one, other in zip(*seeded, strict=True)):
        return "warning"
    buffers = getattr(subject.loss, "buffers", None)
    if not callable(buffers):
        return None
    before = [x.clone() for x in buffers()]
    _answer(subject, p, y)
    return "warning" if any(bool((x != now).any()) for x, now in zip(before, buffers(), strict=True)) else None


def _code(subject: Subject) -> str:
    """Statements that print the loss of a batch, of another, and of the first again."""
    batches = [subject.batch(4, salt=salt) for salt in (0, 1)]
    first, second = (", ".join(subject.backend.literal(each) for each in batch) for batch in batches)
    return f"a, b = ({first}), ({second})\nfor x, y in (a, b, a, a): print({subject.expression('x', 'y')})"
