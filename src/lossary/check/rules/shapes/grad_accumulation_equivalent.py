from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import DIFFERENTIATES, DROPS, MEANS
from lossary.check.rules.shapes.comparison import same
from lossary.check.rules.shapes.leaving_out import Way, ways, weights
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject

_KEPT = np.array([True, True, False, True])  # two rows count in the first half, one in the second


@rule(
    "LSY109",
    severity="warning",
    needs=(DROPS, MEANS, DIFFERENTIATES),
    remedy='offer the sum as well (reduction="sum"); divide the sum over all micro-batches by what counts in them',
    wrong="""
        import torch

        def loss(input, target, mask=None):
            if input.shape != target.shape:
                raise ValueError(f"input {input.shape} and target {target.shape} must have the same shape")
            mask = torch.ones_like(target, dtype=torch.bool) if mask is None else mask
            return torch.where(mask, (input - target) ** 2, 0).sum() / mask.sum().clamp(min=1)
    """,
    right="""
        import torch

        def loss(input, target, mask=None, reduction="mean"):
            if input.shape != target.shape:
                raise ValueError(f"input {input.shape} and target {target.shape} must have the same shape")
            mask = torch.ones_like(target, dtype=torch.bool) if mask is None else mask
            losses = torch.where(mask, (input - target) ** 2, 0)
            if reduction == "none":
                return losses
            return losses.sum() if reduction == "sum" else losses.sum() / mask.sum().clamp(min=1)
    """,
    seen=(
        "huggingface/transformers#37766: losses of accumulated micro-batches were scaled by the wrong number of tokens",
        "huggingface/blog#2414: how the accumulated loss of language models had been wrong in most trainers",
        "pytorch/pytorch#72047: means with class weights cannot be put together from micro-batches",
        "marin-community/levanter#842: micro-batches with more padding counted for too much",
    ),
)
def grad_accumulation_equivalent(subject: Subject) -> Failure | None:
    """The losses of micro-batches can be put together to that of the whole batch.

    A mean over the rows that count forgets how many there were. Averaged over micro-batches (or over ranks), a row in
    a batch of mostly padding counts for more than one in a full batch, and the result depends on how the data was cut.
    A loss that also gives its sum, or the losses of the rows, has what it takes.
    """
    if subject.reduces("sum") or subject.separates or callable(getattr(subject.loss, "total", None)):
        return None
    for way in itertools.chain(ways(subject), weights(subject)):
        failure = _of(subject, way)
        if failure is not None:
            return failure
    return None


def _of(subject: Subject, way: Way) -> Failure | None:
    p, y = samples.plain(subject)
    whole, first, second = (_value(subject, way, p, y, part) for part in (slice(4), slice(2), slice(2, 4)))
    if whole is None or first is None or second is None or same(whole, (first + second) / 2):
        return None
    target, more = way.arranged(y, _KEPT)
    return Failure(
        f"micro-batches in which 2 and 1 rows count gave {first:.6g} and {second:.6g}, whose mean is "
        f"{(first + second) / 2:.6g}; the whole batch gave {whole:.6g}",
        subject.code(p, target, **more),
    )


def _value(subject: Subject, way: Way, p: Any, y: Any, part: slice) -> float | None:
    target, more = way.arranged(y[part], _KEPT[part])
    value = subject.attempt(p[part], target, reduction="mean", **more)
    return None if value is None or value.ndim else float(value)
