"""Normal laws that are predicted: in one tensor of two columns, as lossary has it, or in a tensor for each."""

from __future__ import annotations

import torch
from numpy.random import Generator
from torch import Tensor

from benchmarks.inputs import LARGE
from benchmarks.peers import learned, numbers
from benchmarks.side import Side
from lossary.define.loss import Loss


def normal(generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Means, standard deviations, and targets that have them, (N,)."""
    mean, std = numbers(generator, LARGE[0]), (0.5 * numbers(generator, LARGE[0])).exp()
    return mean, std, mean + std * numbers(generator, LARGE[0])


def in_columns(loss: Loss, location: Tensor, scale: Tensor, target: Tensor) -> Side:
    """lossary's side."""
    return Side(loss.torch(), (*learned(torch.stack([location, scale], -1)), target))


def interleaved(location: Tensor, scale: Tensor) -> Tensor:
    """The gradients of two tensors as those of columns."""
    return torch.stack([location, scale], -1).flatten()
