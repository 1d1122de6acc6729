from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, Severity, rule
from lossary.check.rules.shapes.comparison import same
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject


@rule(
    "LSY101",
    severity="error",
    remedy="compare the shapes and raise where they differ, before any arithmetic",
    wrong="""
        def loss(input, target):
            return ((input - target) ** 2).mean()
    """,
    right="""
        def loss(input, target):
            if input.shape != target.shape:
                raise ValueError(f"input {input.shape} and target {target.shape} must have the same shape")
            return ((input - target) ** 2).mean()
    """,
    seen=(
        "pytorch/pytorch#16045: mean squared error of (N, 1) and (N,) trained to the wrong line without a word",
        "pytorch/pytorch#19699: the same question again; a warning came of it, and the training still goes on",
        "tensorflow/tensorflow#37770: mean squared error of (N, 1) and (N,) compared every row with every other",
        "LAMDA-Tabular/TALENT#109: a benchmark's network for regression had been boosted towards an N × N target",
    ),
)
def silent_broadcast(subject: Subject) -> Failure | None:
    """Shapes that differ are refused, or give what the aligned call gives.

    A network's last layer returns (N, 1), the table's column is (N,), and arithmetic makes N × N residuals of the two:
    every prediction is compared with every target. Training goes on, towards the mean of all targets.

    A warning is no refusal: the number that comes back is wrong, and it is what the optimiser sees. One number for
    all rows, (1,), may be meant; that is a warning. So is a Keras function that does not align its arguments, which
    `model.compile` does for it.
    """
    p, y = samples.plain(subject)
    expected = subject.values(p, y).reshape(-1)
    for prediction, target, severity in _pairs(subject, p, y):
        values = subject.attempt(prediction, target)
        if values is None or _aligned(values, prediction, target, expected):
            continue
        return Failure(
            f"{prediction.shape} against {target.shape} {_gave(values, prediction, target, expected)}",
            _code(subject, prediction, target, many=values.size > len(prediction)),
            help="align y_true with y_pred in the function, as a direct call needs; model.compile does it by itself"
            if _keras_function(subject)
            else "",
            severity="warning" if _keras_function(subject) else severity,
        )
    return None


def _pairs(subject: Subject, p: Any, y: Any) -> list[tuple[Any, Any, Severity]]:
    """Predictions and targets whose shapes broadcast, though they do not fit."""
    if subject.target.indices or subject.prediction.axes > subject.target.axes:  # one for each row
        return [(p, y[:, None], "error"), (p, y[:1], "warning")]
    if subject.prediction.rows:
        return [(p, y[0], "error"), (p, y[:, :1], "error"), (p, y[:1], "warning")]
    p, y = p.reshape(4), y.reshape(4)
    several = p[:, None].repeat(3, 1)
    return [(p[:, None], y, "error"), (p, y[:, None], "error"), (several, y[:3], "error"), (p, y[:1], "warning")]


def _aligned(values: Any, prediction: Any, target: Any, expected: Any) -> bool:
    """Whether this is what the call with fitting shapes gives, unreduced or as its mean."""
    if target.size not in (prediction.size, len(expected)):
        return False
    return same(values.reshape(-1), expected) or (values.size == 1 and same(values.reshape(()), expected.mean()))


def _gave(values: Any, prediction: Any, target: Any, expected: Any) -> str:
    if values.size > len(prediction):
        return f"gave {values.size} losses, not {len(prediction)}"
    if target.size == prediction.size and values.size == expected.size:
        return f"gave {float(np.mean(values)):.6g}, not {float(np.mean(expected)):.6g}"
    return f"was taken without a word and gave {float(np.mean(values)):.6g}"


def _code(subject: Subject, prediction: Any, target: Any, *, many: bool) -> str:
    if many:
        return subject.code(prediction, target, "{loss}.shape", reduction="none")
    return subject.code(prediction, target)


def _keras_function(subject: Subject) -> bool:
    return subject.host == "keras" and inspect.isfunction(subject.loss)
