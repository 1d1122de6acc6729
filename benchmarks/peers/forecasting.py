"""Several quantiles, and a normal law, beside pytorch-forecasting; the law beside PyTorch, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from numpy.random import Generator
from pytorch_forecasting.metrics import NormalDistributionLoss, QuantileLoss
from torch import Tensor, nn

import lossary
from benchmarks.inputs import LARGE, MIDDLE, Effort, words
from benchmarks.measurement import Measurement
from benchmarks.peers import Comparison, learned, measured, numbers
from benchmarks.peers.laws import in_columns, interleaved, normal
from benchmarks.pytorch import threads
from benchmarks.side import Side

__all__ = ["PACKAGES", "measure", "threads"]

PACKAGES = ("torch", "pytorch-forecasting")

_STEPS = 64  # that each series is predicted ahead
_LEVELS = tuple(tenths / 10 for tenths in range(1, 10))


def measure(effort: Effort) -> Iterator[Measurement]:
    return measured(_comparisons(), effort)


def _comparisons() -> Iterator[Comparison]:
    """Their losses have an axis of time. A metric, as the library trains with it, also keeps count of what it has seen;
    its `loss` does not."""
    metric = QuantileLoss(list(_LEVELS))
    quantiles, size = lossary.MultiQuantile(_LEVELS), words((MIDDLE, len(_LEVELS)))
    for spelled, theirs in (
        ("½ × QuantileLoss(…)(…)", metric),
        ("½ × QuantileLoss(…).loss(…).mean()", lambda p, y: metric.loss(p, y).mean()),
    ):
        yield Comparison(quantiles, size, spelled, lambda x, other=theirs: _quantiles(x, other), factor=0.5)
    normal = "NormalDistributionLoss().loss(…).mean()"
    yield Comparison(lossary.GaussianNLL(scale="std", full=True), words(LARGE[0]), normal, _distribution)
    yield Comparison(lossary.GaussianNLL(scale="variance"), words(LARGE[0]), "torch.nn.GaussianNLLLoss()", _variance)


def _quantiles(generator: Generator, theirs: Callable[[Tensor, Tensor], Tensor]) -> tuple[Side, Side]:
    shape = MIDDLE // _STEPS, _STEPS
    prediction, target = numbers(generator, *shape, len(_LEVELS)).requires_grad_(), numbers(generator, *shape)
    return Side(lossary.MultiQuantile(_LEVELS).torch(), (prediction, target)), Side(theirs, (prediction, target))


def _distribution(generator: Generator) -> tuple[Side, Side]:
    """Their columns are those of a network that rescales its targets, by nothing here, before the law's own two."""
    mean, std, target = normal(generator)
    (columns,) = learned(torch.stack([torch.zeros_like(mean), torch.ones_like(mean), mean, std], -1).unsqueeze(1))
    law = NormalDistributionLoss()
    law._transformation = None  # of targets, which the network's `rescale_parameters` sets
    theirs = Side(
        lambda p, y: law.loss(p, y).mean(), (columns, target.unsqueeze(1)), lambda slope: slope[..., 2:].flatten()
    )
    return in_columns(lossary.GaussianNLL(scale="std", full=True), mean, std, target), theirs


def _variance(generator: Generator) -> tuple[Side, Side]:
    mean, std, target = normal(generator)
    criterion = nn.GaussianNLLLoss()
    theirs = Side(lambda m, v, y: criterion(m, y, v), (*learned(mean, std * std), target), interleaved)
    return in_columns(lossary.GaussianNLL(scale="variance"), mean, std * std, target), theirs
