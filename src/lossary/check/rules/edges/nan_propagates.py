from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import ONE_ROW
from lossary.check.subject.subject import LossRaised, described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


@rule(
    "LSY206",
    severity="warning",
    needs=(ONE_ROW,),
    remedy="let NaN through: compare and clip with functions that keep it, and leave rows out by a mask, not by NaN",
    wrong="""
        import numpy as np

        def loss(y_pred, y_true):
            error = y_pred - y_true
            return (np.fmax(0, error) + np.fmax(0, -error)).mean()
    """,
    right="""
        import numpy as np

        def loss(y_pred, y_true):
            error = y_pred - y_true
            return (np.maximum(0, error) + np.maximum(0, -error)).mean()
    """,
    seen=(
        "stan-dev/stan#857: a NaN argument was taken for an ordinary number",
        "stan-dev/stan#862",
    ),
)
def nan_propagates(subject: Subject) -> Failure | None:
    """A NaN among the inputs shows in the loss and in the gradient of its row, or is refused.

    Every comparison with NaN is false, so branches, `sign` and `fmax` turn it into an ordinary number. The loss goes
    on falling while the data, or the layer above, has been broken for hours. (A sign's gradient at NaN is 0 in several
    frameworks: their own absolute error does that.)
    """
    ordinary = subject.batch(4, salt=206)
    for role in (0, 1):
        p, y = (each.copy() for each in ordinary)
        spoiled = (p, y)[role]
        if spoiled.dtype.kind == "i":
            continue
        spoiled[1].reshape(-1)[...] = np.nan if spoiled.ndim == 1 else spoiled[1].reshape(-1)
        spoiled.reshape(len(p), -1)[1, 0] = np.nan
        one = p[1:2], y[1:2]
        try:
            value = subject.rows(p, y)[1]
            slope = subject.row_gradients(p, y)[1] if subject.differentiates else np.nan
        except LossRaised:
            continue
        if not np.isnan(value):
            return Failure(f"loss is {value:.6g} at {described(*one)}", subject.code(*one))
        if not np.isnan(slope).any():
            shown = ", ".join(f"{each:.6g}" for each in np.ravel(slope))
            return Failure(f"gradient is {shown} at {described(*one)}", subject.code(*one, gradient=True))
    return None
