"""The continuous ranked probability score of a normal law beside scoringrules, on PyTorch's tensors."""

from __future__ import annotations

from collections.abc import Iterator

import scoringrules
from numpy.random import Generator

import lossary
from benchmarks.inputs import LARGE, Effort, words
from benchmarks.measurement import Measurement
from benchmarks.peers import Comparison, learned, measured
from benchmarks.peers.laws import in_columns, interleaved, normal
from benchmarks.pytorch import threads
from benchmarks.side import Side

__all__ = ["PACKAGES", "measure", "threads"]

PACKAGES = ("torch", "scoringrules")

_LOSS = lossary.CRPSNormal(scale="std")


def measure(effort: Effort) -> Iterator[Measurement]:
    spelled = 'crps_normal(…, backend="torch").mean()'
    return measured(iter([Comparison(_LOSS, words(LARGE[0]), spelled, _sides)]), effort)


def _sides(generator: Generator) -> tuple[Side, Side]:
    mean, std, target = normal(generator)
    theirs = Side(
        lambda m, s, y: scoringrules.crps_normal(y, m, s, backend="torch").mean(),
        (*learned(mean, std), target),
        interleaved,
    )
    return in_columns(_LOSS, mean, std, target), theirs
