from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossary.check.rule import Failure, rule
from lossary.check.subject import LossRaised, cast
from lossary.check.tags import CLASS_INDICES
from lossary.domain import Simplex

if TYPE_CHECKING:
    from lossary.check.subject import Subject

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
    p = np.zeros((len(_LABELS), _CLASSES))
    p[np.arange(len(_LABELS)), _LABELS] = 5.0
    if isinstance(subject.prediction, Simplex):
        p = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
        p = np.log(p) if subject.prediction.logarithms else p
    try:
        losses = subject.rows(cast(p, "float16"), _LABELS)
    except LossRaised:
        return None  # float16, or as many classes, are refused
    off = np.abs(losses - losses[0]) > 0.05 * abs(losses[0]) + 1e-3
    if not off.any():
        return None
    row = int(np.flatnonzero(off)[0])
    return Failure(
        f"with float16 logits, all 0 but for a 5 at the label, the loss of label {_LABELS[row]} is "
        f"{losses[row]:.4g}, that of label {_LABELS[0]} {losses[0]:.4g}"
    )
