from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import Tag
from lossary.check.rules.shapes.comparison import same
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject

_SEVERAL = Tag(lambda s: sum(s.reduces(each) for each in ("mean", "sum", "none")) > 1, "it reduces in one way only")


@rule(
    "LSY104",
    severity="error",
    needs=(_SEVERAL,),
    remedy="reduce in one place: the sum of the unreduced losses, and that sum over their number",
    wrong="""
        def loss(input, target, reduction="mean"):
            if input.shape != target.shape:
                raise ValueError(f"input {input.shape} and target {target.shape} must have the same shape")
            losses = (input - target) ** 2
            return losses if reduction == "none" else losses.sum() / (2 if reduction == "mean" else 1)
    """,
    right="""
        def loss(input, target, reduction="mean"):
            if input.shape != target.shape:
                raise ValueError(f"input {input.shape} and target {target.shape} must have the same shape")
            losses = (input - target) ** 2
            return losses if reduction == "none" else losses.sum() / (losses.size if reduction == "mean" else 1)
    """,
    seen=(
        "pytorch/pytorch#2259: KLDivLoss divided by the number of entries, where the formula divides by that of rows",
        "pytorch/pytorch#14457: reduction='batchmean' was added for it",
        "neuralmagic/sparseml#592: a distillation loss and what its sum has to be divided by",
        "facebookresearch/deit#61: a divergence over all entries, kept as it was so that published numbers stay true",
    ),
)
def reduction_contract(subject: Subject) -> Failure | None:
    """The sum is that of the unreduced losses, and the mean is the sum over the number of rows or entries, or over the
    sum of their weights.

    A mean with another denominator is a factor on the gradient that nobody asked for, and that changes with the batch.
    Which of the usual denominators it is, rows, entries or weights, is the library's choice; it must be the same for
    each batch.
    """
    p, y = _batch(subject, 0)
    losses = subject.values(p, y, reduction="none") if subject.reduces("none") else None
    if losses is not None and losses.ndim == 0:  # a loss of the whole batch, or a finding of output-rank
        return None
    if losses is not None and subject.reduces("sum"):
        total = subject.values(p, y, reduction="sum")
        if not same(total, losses.sum()):
            message = f'reduction="sum" gave {float(total):.6g}, the sum of the losses is {losses.sum():.6g}'
            return Failure(message, subject.code(p, y, reduction="sum"))
    return _denominator(subject, p, y) if subject.reduces("mean") else None


def _batch(subject: Subject, salt: int) -> tuple[Any, Any]:
    """Four rows, of two entries each where rows and entries are not the same."""
    if subject.prediction.rows:
        return samples.plain(subject, salt=salt)
    p, y = samples.plain(subject, 8, salt=salt)
    wide = p.reshape(4, 2), y.reshape(4, 2)
    return samples.plain(subject, salt=salt) if subject.attempt(*wide) is None else wide


def _denominator(subject: Subject, p: Any, y: Any) -> Failure | None:
    whole, first, last = _divided(subject, p, y), _divided(subject, p[:2], y[:2]), _divided(subject, p[2:], y[2:])
    if whole is None or first is None or last is None:
        return None
    adds = np.isclose(first + last, whole, rtol=1e-3)
    if adds and np.isclose(first, last, rtol=1e-3):  # so much for each row
        if _weighs_classes(subject) or any(np.isclose(whole, count, rtol=1e-3) for count in (len(p), p.size)):
            return None
    elif adds:  # a weight for each row, by its target
        others = _divided(subject, _batch(subject, 1)[0], y)
        if others is None or np.isclose(others, whole, rtol=1e-3):
            return None
    counts = " nor ".join(dict.fromkeys((f"{len(p)} rows", f"{p.size} entries")))
    message = f"the mean is the sum over {whole:.4g}: neither {counts}, nor a sum of their weights"
    code = "\n".join(
        subject.code(p, y, reduction=each) for each in ("mean", "sum" if subject.reduces("sum") else "none")
    )
    return Failure(message, code)


def _divided(subject: Subject, p: Any, y: Any) -> float | None:
    """Sum over mean; None where the sum is too small to tell."""
    losses = subject.values(p, y, reduction="sum" if subject.reduces("sum") else "none")
    mean = float(subject.values(p, y, reduction="mean"))
    if not np.isfinite(mean) or abs(mean) < 1e-3 * np.abs(losses).max() or mean == 0.0:
        return None
    return float(losses.sum()) / mean


def _weighs_classes(subject: Subject) -> bool:
    settings = subject.constructor.settings.values() if subject.constructor is not None else ()
    return any(np.ndim(setting) == 1 for setting in settings if hasattr(setting, "shape"))
