from __future__ import annotations

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject


@rule(
    "LSY113",
    severity="warning",
    remedy="return 0 for a batch without rows, or raise and say that it has none",
    wrong="""
        import numpy as np

        def loss(prediction, target):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            return np.square(prediction - target).mean()
    """,
    right="""
        import numpy as np

        def loss(prediction, target):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            return np.square(prediction - target).sum() / max(prediction.size, 1)
    """,
    seen=(
        "pytorch/pytorch#50224: 0 was asked for in place of NaN, and why the mean of nothing stays NaN",
        "pytorch/pytorch#15870: nll_loss refused a batch without rows",
        "pytorch/pytorch#196204: on Apple's GPUs, binary cross-entropy of no elements was an internal error",
    ),
)
def empty_batch(subject: Subject) -> Failure | None:
    """A batch without rows has a finite loss (0, where it is a sum; none at all, unreduced), or is refused.

    A filter that lets nothing through, or a rank that has run out of data, makes such batches. Their mean is 0 / 0,
    and the NaN goes into the model.
    """
    p, y = samples.plain(subject)
    of_rows = not subject.separates or subject.values(p, y).ndim > 0
    for reduction in [each for each in ("mean", "sum", "none") if subject.reduces(each)]:
        values = subject.attempt(p[:0], y[:0], reduction=reduction)
        if values is None:
            continue
        if not np.all(np.isfinite(values)) or (reduction != "mean" and of_rows and np.any(values != 0.0)):
            what = "loss" if reduction == "none" else reduction
            rows = [f"{subject.backend.literal(x[:1])}[:0]" for x in (p, y)]
            message = f"the {what} of no rows is {float(values.reshape(-1)[0]):g}"
            return Failure(message, f"print({subject.expression(*rows, reduction=reduction)})")
    return None
