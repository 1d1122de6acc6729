from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, Severity, rule
from lossary.check.rules.shapes.comparison import same
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject


@rule(
    "LSY103",
    severity="error",
    remedy="return one number for each row, and leave the mean to whoever reduces: in Keras, mean(..., axis=-1)",
    wrong="""
        from keras import ops

        def loss(y_true, y_pred):
            return ops.mean(ops.square(y_true - y_pred))
    """,
    right="""
        from keras import ops

        def loss(y_true, y_pred):
            return ops.mean(ops.square(y_true - y_pred), axis=-1)
    """,
    seen=(
        "tensorflow/tensorflow#31309: a custom loss broke down as soon as there were weights and more than one row",
        "tensorflow/tensorflow#42446: the guide's own custom loss returned a scalar where one number per row is wanted",
    ),
)
def output_rank(subject: Subject) -> Failure | None:
    """Unreduced losses are one number for each row (or entry), reduced ones a single number.

    Keras takes a loss for each row, weighs the rows and averages them. Where a function returns the mean already,
    `sample_weight` and masks multiply that mean: rows that should not count do. In other libraries the same happens
    where reduction="none" is not obeyed.

    A loss of the whole batch, which is no mean over its rows, may return a scalar.
    """
    p, y = samples.plain(subject)
    if subject.host == "keras":
        return _in_keras(subject, p, y)
    if subject.reduces("none"):
        values = subject.values(p, y, reduction="none")
        if values.shape[:1] != (4,) or values.size not in (4, p.size):
            message = f"unreduced losses of {len(p)} rows have the shape {values.shape}"
            return Failure(message, subject.code(p, y, "{loss}.shape", reduction="none"))
    if subject.reduction != "none":
        values = subject.values(p, y, reduction=subject.reduction)
        if values.ndim:
            message = f'reduction="{subject.reduction}" gave an array of shape {values.shape}, not a number'
            severity: Severity = "warning" if values.size == 1 else "error"
            return Failure(message, subject.code(p, y, "{loss}.shape"), severity=severity)
    return None


def _in_keras(subject: Subject, p: Any, y: Any) -> Failure | None:
    if hasattr(subject.loss, "call"):  # a `keras.losses.Loss`, which reduces what its method returns
        subject = dataclasses.replace(subject, loss=subject.loss.call, source=f"{subject.source}.call")
    values = _plainly(subject, p, y)
    if values.shape[:1] == (4,):
        return None
    if values.ndim == 0 and not same(
        values, np.mean([_plainly(subject, p[i : i + 1], y[i : i + 1]) for i in range(4)])
    ):
        return None
    return Failure(f"losses of {len(p)} rows have the shape {values.shape}", subject.code(p, y, "{loss}.shape"))


def _plainly(subject: Subject, p: Any, y: Any) -> Any:
    return subject.values(p, y, reduction=subject.reduction)
