from __future__ import annotations

import numpy as np

from lossary.check.rule import Failure, rule
from lossary.check.subject import Subject
from lossary.check.tags import POINTWISE


@rule(
    "LSY101",
    severity="error",
    needs=(POINTWISE,),
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
        "pytorch/pytorch#16045: a linear regression trained to the wrong line without a word",
        "tensorflow/tensorflow#37770",
        "LAMDA-Tabular/TALENT#92",
    ),
)
def silent_broadcast(subject: Subject) -> Failure | None:
    """Shapes that differ are refused, or give what the aligned call gives.

    A network's last layer returns (N, 1), the table's column is (N,), and arithmetic makes N × N residuals of the two:
    every prediction is compared with every target. Training goes on, towards the mean of all targets.
    """
    p, y = subject.batch(4)
    wanted = float(np.mean(subject.rows(p, y)))
    p, y = p.reshape(4), y.reshape(4)
    for prediction, target in ((p[:, None], y), (p, y[:, None]), (p[:, None].repeat(3, 1), y[:3]), (p, y[:1])):
        found = subject.attempt(prediction, target)
        if found is None:  # refused, as it should be
            continue
        aligned = prediction.size == target.size and found.size <= 4 and np.isclose(found.mean(), wanted, rtol=1e-5)
        if not aligned:
            shown = f"{found.size} losses, not 4" if found.size > 4 else f"{found.mean():.6g}, not {wanted:.6g}"
            return Failure(
                f"{prediction.shape} against {target.shape} gave {shown}",
                subject.code(prediction, target),
            )
    return None
