from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import SEPARATES
from lossary.check.rules.shapes.comparison import same
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject

_CHANGED = 2  # the row that is replaced by another


@rule(
    "LSY106",
    severity="error",
    needs=(SEPARATES,),
    remedy="reduce over the axes of a row only (axis=-1), never over the batch, before the losses are returned",
    wrong="""
        import numpy as np

        def loss(logits, target):
            if logits.shape != target.shape:
                raise ValueError(f"logits {logits.shape} and target {target.shape} must have the same shape")
            shifted = logits - logits.max()
            return -(target * np.log(np.exp(shifted) / np.exp(shifted).sum())).sum(axis=-1)
    """,
    right="""
        import numpy as np

        def loss(logits, target):
            if logits.shape != target.shape:
                raise ValueError(f"logits {logits.shape} and target {target.shape} must have the same shape")
            shifted = logits - logits.max(axis=-1, keepdims=True)
            return -(target * (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))).sum(axis=-1)
    """,
    seen=(
        "open-mmlab/mmsegmentation#2068: Dice of a batch was a ratio of sums, not the mean of the images' Dice",
        "qubvel-org/segmentation_models.pytorch#712: the same; the loss varied with the batch size",
        "NifTK/NiftyNet#22: the same question",
    ),
)
def per_sample_independent(subject: Subject) -> Failure | None:
    """Where losses are given row by row, another row changes neither a row's loss nor its gradient.

    A maximum, a sum or a sort over the wrong axis makes one row's loss depend on its neighbours. The loss changes with
    the batch it happens to be in, validation differs from training, and a row of padding moves the model.

    A loss that gives one number for the whole batch may do so by its nature; only those that give a loss for each row
    are asked.
    """
    first, second = samples.plain(subject), _with_another_row(subject)
    kept = np.arange(len(first[0])) != _CHANGED
    pairs = _pairs(subject, first, second)
    if pairs[0][1].shape[:1] != kept.shape:  # a loss of the whole batch
        return None
    for what, before, after in pairs:
        if same(before[kept], after[kept]):
            continue
        row = next(i for i in np.flatnonzero(kept) if not same(before[i], after[i]))
        message = f"row {row}'s {what} went from {_first(before[row])} to {_first(after[row])} when row {_CHANGED} did"
        if what == "gradient":
            return Failure(message, subject.code(*second, gradient=True, reduction="none"))
        return Failure(message, "\n".join(subject.code(*each, reduction="none") for each in (first, second)))
    return None


def _with_another_row(subject: Subject) -> tuple[Any, Any]:
    """The batch with another row, far from its neighbours where it may be: a maximum does no harm among its like."""
    p, y = samples.plain(subject)
    other, label = samples.plain(subject, salt=1)
    p[_CHANGED], y[_CHANGED] = other[_CHANGED], label[_CHANGED]
    if not subject.prediction.unbounded:
        return p, y
    if subject.prediction.rows:
        p[_CHANGED] += 200
    else:
        p[_CHANGED] *= 50
    return np.round(p, 2), y


def _pairs(subject: Subject, first: Any, second: Any) -> list[tuple[str, Any, Any]]:
    if not (subject.differentiates and subject.backend.differentiates):
        return [("loss", subject.values(*first), subject.values(*second))]
    before, after = subject.value_and_gradient(*first), subject.value_and_gradient(*second)
    return [("loss", before[0], after[0]), ("gradient", before[1], after[1])]


def _first(x: Any) -> str:
    return f"{float(np.reshape(x, -1)[0]):.6g}"
