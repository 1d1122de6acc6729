"""The losses that are measured, and their data."""

from __future__ import annotations

import dataclasses
from typing import Any, final

import numpy as np

import lossary
from lossary.define.domains.classes import Labels
from lossary.define.domains.numbers import Probability
from lossary.define.loss import Loss

LEVEL = 0.9
POINTWISE: tuple[Loss, ...] = (
    lossary.MeanSquaredError(),
    lossary.MeanAbsoluteError(),
    lossary.Huber(),
    lossary.LogCosh(),
    lossary.Quantile(level=LEVEL),
    lossary.BinaryCrossEntropy(),
    lossary.Hinge(),
)
SOFTMAX = lossary.SparseCategoricalCrossEntropy()
SMALL, MIDDLE, LARGE = (256, 4096), 65_536, (1_048_576, 16_777_216)
SIZES = (*SMALL, MIDDLE, *LARGE)
ROWS = ((4096, 10), (128, 1000), (512, 32_000), (256, 128_256))


@final
@dataclasses.dataclass(frozen=True)
class Effort:
    """How much work a run is."""

    quick: bool

    @property
    def seconds(self) -> float:
        """For one comparison."""
        return 0.2 if self.quick else 1.5

    def sizes(self, wanted: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(size for size in wanted if not self.quick or size <= LARGE[0])

    def rows(self) -> tuple[tuple[int, int], ...]:
        return ROWS[:2] if self.quick else ROWS


def pointwise(loss: Loss, size: int) -> tuple[Any, Any]:
    """Predictions and targets in float32."""
    generator = np.random.default_rng(0)
    prediction = generator.normal(scale=2.0, size=size).astype(np.float32)
    match loss.target:
        case Labels(values):
            target = generator.choice(values, size=size)
        case Probability():
            target = generator.integers(0, 2, size=size)
        case _:
            target = generator.normal(scale=2.0, size=size)
    return prediction, target.astype(np.float32)


def rows(shape: tuple[int, int]) -> tuple[Any, Any]:
    """Logits in float32 and class indices."""
    generator = np.random.default_rng(0)
    logits = generator.standard_normal(size=shape, dtype=np.float32)
    return logits, generator.integers(0, shape[1], size=shape[0])


def name(loss: Loss) -> str:
    return type(loss).__name__


def words(size: int | tuple[int, ...]) -> str:
    """ "64 k", "1 M", "128 × 1000"."""
    if isinstance(size, tuple):
        return " × ".join(map(str, size))
    for unit, letter in ((1 << 20, " M"), (1 << 10, " k")):
        if size >= unit:
            return f"{size // unit}{letter}"
    return str(size)
