"""Cox' partial likelihood beside torchsurv."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from numpy.random import Generator
from torch import Tensor
from torchsurv.loss.cox import neg_partial_log_likelihood

import lossary
from benchmarks.inputs import Effort
from benchmarks.measurement import Measurement
from benchmarks.peers import Comparison, measured, numbers
from benchmarks.pytorch import threads
from benchmarks.side import Side

__all__ = ["PACKAGES", "measure", "threads"]

PACKAGES = ("torch", "torchsurv")

_DAYS = 2000


def measure(effort: Effort) -> Iterator[Measurement]:
    return measured(_comparisons(), effort)


def _comparisons() -> Iterator[Comparison]:
    warnings.filterwarnings("ignore", "Ties in `time` detected")  # at every call
    for ties in ("efron", "breslow"):
        loss = lossary.CoxPartialLikelihood(ties=ties)
        spelled = f'neg_partial_log_likelihood(…, ties_method="{ties}", reduction="sum")'
        for rows in (1_000, 10_000):
            yield Comparison(loss, str(rows), spelled, lambda x, n=rows, own=loss: _sides(x, n, own))


def _sides(generator: Generator, rows: int, loss: lossary.CoxPartialLikelihood) -> tuple[Side, Side]:
    """Whole days, of which several entries share one; half of them are censored."""
    hazard = numbers(generator, rows).requires_grad_()
    day = torch.from_numpy(generator.integers(1, _DAYS, size=rows)).float()
    event = torch.from_numpy(generator.integers(0, 2, size=rows)).bool()

    def theirs(hazard: Tensor, event: Tensor, day: Tensor) -> Tensor:
        return neg_partial_log_likelihood(hazard, event, day, ties_method=loss.ties, reduction="sum")

    # Sums: where lossary's mean is for each event, torchsurv's is for each time that has any.
    return Side(loss.torch(reduction="sum"), (hazard, day, event)), Side(theirs, (hazard, event, day))
