from __future__ import annotations

from typing import TYPE_CHECKING

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import AUTODIFF, MEANS
from lossary.check.rules.precision import halves

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


@rule(
    "LSY304",
    severity="error",
    needs=(MEANS, AUTODIFF),
    remedy="add up in float32: losses.float().mean(), sum(dtype=float32)",
    wrong="""
        import torch

        def loss(input, target):
            total = 0
            for part in ((input - target) ** 2).split(4):
                total = total + part.sum()
            return total / len(input)
    """,
    right="""
        import torch

        def loss(input, target):
            return ((input - target) ** 2).mean()
    """,
    seen=("Modalities/modalities#464: the reported loss moved in steps, because it was added up in bfloat16",),
)
def half_precision_accumulation(subject: Subject) -> Failure | None:
    """The mean of many bfloat16 losses is that of float32, to bfloat16's own digits.

    bfloat16 has eight bits: from 256 on, adding 1 changes nothing. A sum of losses that is kept in bfloat16 stops
    growing, and the mean of a large batch is a fraction of what it should be.
    """
    return halves.of_many(subject, "bfloat16", "error")
