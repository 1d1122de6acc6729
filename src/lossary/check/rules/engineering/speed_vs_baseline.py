from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.subject.subject import LossRaised, Subject, described

_FEW = 16
_MANY = (64, 4096)  # the second where the first is quick
_SLOW = 0.05  # seconds
_FACTOR = 20
_LOOP = 3


@rule(
    "LSY610",
    severity="warning",
    thorough=True,
    remedy="use operations on whole arrays instead of a loop over rows",
    wrong="""
        def loss(prediction, target):
            total = 0.0
            for p, y in zip(prediction, target):
                total += (p - y) ** 2
            return total / len(prediction)
    """,
    right="""
        def loss(prediction, target):
            return ((prediction - target) ** 2).mean()
    """,
    seen=("isayevlab/aimnetcentral#109: values read on the way made the compiled loss slower than the plain one",),
)
def speed_vs_baseline(subject: Subject) -> Failure | None:
    """A row more costs at most 20 times what it costs in a squared error, or as little as a step of a Python loop.

    A loop over rows, or a value read for each of them, makes the loss slower than the model. What a call costs whatever
    its size is not counted; neither is what logarithms and exponentials cost.
    """
    with subject.backend.one_thread():
        rows, more, squared, loop = _measured(subject)
    if more <= max(_FACTOR * squared, _LOOP * loop):
        return None
    times = more / squared
    return Failure(
        f"{rows:,} rows took about {float(f'{times:.0e}'):,.0f} times as long as a squared error, loss and gradient"
    )


def _measured(subject: Subject) -> tuple[int, float, float, float]:
    """How many rows, what they take beyond a few, and what a squared error and a loop take on as many; in seconds."""
    few = _seconds(_work(subject, _FEW))
    for rows in _MANY:
        many = _seconds(_work(subject, rows))
        if many - few > _SLOW or rows == _MANY[-1]:
            break
    squared, loop = _seconds(_squared(subject, rows)), _seconds(_loop(subject, rows))
    if many < _SLOW:  # once more, later: machines are busy at times
        many = min(many, _seconds(_work(subject, rows)))
    return rows, many - few, squared, loop


def _seconds(work: Callable[[], Any]) -> float:
    """What it takes at best, compilations not counted; once only where that is long."""
    work()
    best = np.inf
    for _ in range(20):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
        if best > _SLOW:
            break
    return float(best)


def _work(subject: Subject, rows: int) -> Callable[[], Any]:
    """The plain call with its gradient, on so many rows."""
    batch = subject.batch(rows)
    p, y = (subject.backend.array(each) for each in batch)
    function, backend = subject.function(), subject.backend

    def work() -> None:
        try:
            if backend.differentiates and subject.trainable:
                backend.finished(backend.pulled(lambda p: function(p, y), p))
            else:
                function(p, y)
        except Exception as error:
            raise LossRaised(error, described(*batch)) from error

    return work


def _squared(subject: Subject, rows: int) -> Callable[[], Any]:
    backend = subject.backend
    p = backend.array(subject.batch(rows)[0])
    q = backend.array(subject.batch(rows, salt=1)[0])
    if not backend.differentiates:
        return lambda: np.mean((p - q) * (p - q))
    return lambda: backend.finished(backend.pulled(lambda p: (p - q) * (p - q), p))


def _loop(subject: Subject, rows: int) -> Callable[[], Any]:
    numbers = subject.batch(rows)[0].ravel().tolist()

    def work() -> float:
        total = 0.0
        for each in numbers:
            total += each * each
        return total

    return work
