from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import CLASS_INDICES
from lossary.check.subject.subject import LossRaised, cast

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

_LABELS = np.array([256, 257, 2048, 2049])  # the even ones are numbers of bfloat16 and float16, the odd ones are not
_CLASSES = 3000


@rule(
    "LSY306",
    severity="error",
    needs=(CLASS_INDICES,),
    remedy="keep class indices integers; cast predictions and weights, never labels",
    wrong="""
        import torch

        def loss(logits, labels):
            labels = labels.to(logits.dtype)
            return torch.nn.functional.cross_entropy(logits, labels.long())
    """,
    right="""
        import torch

        def loss(logits, labels):
            return torch.nn.functional.cross_entropy(logits, labels.long())
    """,
    seen=(
        "keras-team/keras#15012: sparse categorical cross-entropy went wrong under mixed precision with many classes",
        "tensorflow/tensorflow#50964",
    ),
)
def labels_survive_cast(subject: Subject) -> Failure | None:
    """Class indices arrive as they were, in every floating dtype of the prediction.

    float16 has no 2049 and bfloat16 no 257: cast with everything else to the prediction's dtype, every odd class index
    of a large vocabulary becomes its even neighbour. The loss is finite, and wrong.
    """
    subject = _in_float16(subject)
    rest, peak = (1e-4, 0.7) if subject.prediction.of_shares else (0.0, 5.0)
    p = np.full((len(_LABELS), _CLASSES), rest)
    p[np.arange(len(_LABELS)), _LABELS] = peak
    if subject.prediction.logarithms:
        p = np.log(p)
    p = cast(p, "float16")
    try:
        losses = subject.rows(p, _LABELS)
    except LossRaised:
        return None  # float16, or as many classes, are refused
    off = np.abs(losses - losses[0]) > 0.05 * abs(losses[0]) + 1e-3
    if not off.any():
        return None
    row = int(np.flatnonzero(off)[0])
    return Failure(
        f"in float16, with the largest prediction at the label, the loss of label {_LABELS[row]} is "
        f"{losses[row]:.4g}, that of label {_LABELS[0]} {losses[0]:.4g}",
        subject.code(p[row : row + 1], _LABELS[row : row + 1]),
    )


def _in_float16(subject: Subject) -> Subject:
    """A Keras loss computes in a dtype of its own; there, that is the one to ask about."""
    constructor = subject.constructor
    if subject.host != "keras" or constructor is None:
        return subject
    constructor = dataclasses.replace(constructor, settings={**constructor.settings, "dtype": "float16"})
    try:
        loss = constructor.make(**constructor.settings)
    except Exception:  # one that takes no dtype
        return subject
    return dataclasses.replace(subject, loss=loss, constructor=constructor, source=constructor.written())
