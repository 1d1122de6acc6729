from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import numpy as np

from lossary.check.instruments.shrink import smallest
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.subject.subject import Subject

# What those warn of whose functions the loss calls, and what it will have to mend some day.
_OF_OTHERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)


@rule(
    "LSY002",
    severity="warning",
    remedy="log where somebody asks for it, and warn only of what the caller can mend",
    wrong="""
        def loss(prediction, target):
            value = ((prediction - target) ** 2).mean()
            print("loss:", value)
            return value
    """,
    right="""
        def loss(prediction, target):
            return ((prediction - target) ** 2).mean()
    """,
    seen=(
        "the-database/traiNNer-redux#208: prints taken out of the losses",
        "YosefLab/epitome#51: printed under tf.function, where it shows a tensor's name, once",
    ),
)
def quiet(subject: Subject) -> Failure | None:
    """On ordinary input a loss neither prints nor warns.

    A loss is called thousands of times an epoch. What it prints each time buries what matters, costs time, and under a
    compiler is printed once or never, so that it misleads as well.
    """
    p, y = subject.batch(4)
    output = _output(subject, p, y)
    if not output:
        return None
    p, y = smallest(subject, lambda p, y: bool(_output(subject, p, y)), p, y)
    return Failure(output, subject.code(p, y))


def _output(subject: Subject, p: Any, y: Any) -> str:
    """What the loss prints or warns of; "" where it does neither."""
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(record=True) as warned,
        np.errstate(all="warn"),
    ):
        warnings.simplefilter("always")
        subject.call(p, y)
    if printed.getvalue():
        return f"prints {next(iter(printed.getvalue().strip().splitlines()), '')[:60]!r}"
    own = [each for each in warned if not issubclass(each.category, _OF_OTHERS)]
    return f"warns {own[0].category.__name__}: {str(own[0].message).strip().splitlines()[0][:80]}" if own else ""
