from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rules.shapes.comparison import same
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, Subject


@rule(
    "LSY107",
    severity="error",
    remedy="divide the sum of the rows' losses by the number of rows, once, or not at all",
    wrong="""
        import numpy as np

        def loss(prediction, target):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            return np.mean((prediction - target) ** 2) / len(prediction)
    """,
    right="""
        import numpy as np

        def loss(prediction, target):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            return np.mean((prediction - target) ** 2)
    """,
    seen=(
        "ultralytics/yolov5#484: a loss times the batch size went into the gradient, another one onto the screen",
        "ivadomed/ivadomed#910: the Dice loss depended on the batch size",
        "EleutherAI/bergson#344: gradients were off by a factor of the batch size",
    ),
)
def batch_size_invariance(subject: Subject) -> Failure | None:
    """A row's loss does not depend on how many rows there are; a batch's is the mean of its rows' losses, or their sum.

    A mean that is divided by the number of rows once more, or a sum over a batch size that is written down as a
    constant, makes the step size depend on the batch: smaller batches (the last one of each epoch) count for more or
    less.

    A loss of the whole batch that is no sum over its rows, like a correlation, is by its nature one of the batch, and
    passes.
    """
    return _of_rows(subject) if subject.separates else _of_batches(subject)


def _of_rows(subject: Subject) -> Failure | None:
    """The batch as often as it goes into a grid, which is a shape that frameworks have compiled for other rules."""
    p, y = samples.plain(subject)
    copies = samples.GRID // len(p)
    several = np.concatenate([p] * copies), np.concatenate([y] * copies)
    few, many = subject.values(p, y), subject.values(*several)
    if few.shape[:1] != (len(p),) or many.shape[:1] != (samples.GRID,) or same(many[: len(p)], few):
        return None
    row = next(i for i in range(len(p)) if not same(many[i], few[i]))
    before, after = (float(x[row].reshape(-1)[0]) for x in (few, many))
    code = "\n".join(subject.code(*each, reduction="none") for each in ((p, y), (p[:1], y[:1])))
    return Failure(
        f"the loss of the same row is {before:.6g} among {len(p)}, and {after:.6g} among {samples.GRID}", code
    )


def _of_batches(subject: Subject) -> Failure | None:
    """L(batch) = share · Σ L(row), where the share is 1/N for means and 1 for sums."""
    batches = [samples.plain(subject, salt=salt) for salt in range(2)]
    first, second = (_share(subject, *batch) for batch in batches)
    if first is None or second is None or not np.isclose(first, second, rtol=1e-3):
        return None  # no sum over rows, or one of rows that count differently
    p, y = batches[0]
    if np.isclose(first, 1.0 / len(p), rtol=1e-3) or np.isclose(first, 1.0, rtol=1e-3):
        return None
    whole, mean = float(subject.values(p, y)), float(subject.rows(p, y).mean())
    return Failure(
        f"4 rows, each of which gives {mean:.6g} on average by itself, give {whole:.6g}: neither the mean nor the sum",
        "\n".join(subject.code(*each) for each in ((p, y), (p[:1], y[:1]))),
    )


def _share(subject: Subject, p: Any, y: Any) -> float | None:
    whole = subject.values(p, y)
    try:
        rows = subject.rows(p, y)
    except LossRaised:  # it refuses a single row
        return None
    if whole.ndim or not np.all(np.isfinite((whole, *rows))) or abs(rows.sum()) <= 1e-3 * np.abs(rows).max():
        return None
    return float(whole / rows.sum())
