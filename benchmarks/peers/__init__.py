"""Losses beside the public packages that people take for them, each in the package's own environment.

What stands beside a loss is called as the package's users call it, with the options that make it the same number; that
it is, in value and gradient, is seen before it is timed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, final

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from benchmarks.inputs import Effort, name
from benchmarks.measurement import Measurement, compare
from benchmarks.pytorch import EAGER
from benchmarks.side import Side, check_same
from lossary.define.loss import Loss


@final
@dataclasses.dataclass(frozen=True)
class Comparison:
    """A loss beside a peer at one size.

    Args:
        peer: what is called, with its options, and the factor that makes it ours, if there is one.
        sides: makes both of random numbers.
        factor: how many times theirs is ours.
        within: how far the two may be apart, where theirs keeps fewer digits.
    """

    loss: Loss
    size: str
    peer: str
    sides: Callable[[Generator], tuple[Side, Side]]
    factor: float = 1.0
    within: float = 1e-4


def measured(comparisons: Iterator[Comparison], effort: Effort) -> Iterator[Measurement]:
    for each in comparisons:
        what = f"{name(each.loss)} and {each.peer}, {each.size}"
        for seed in (1, 2, 3):
            check_same(what, *each.sides(np.random.default_rng(seed)), factor=each.factor, within=each.within)
        ours, theirs = each.sides(np.random.default_rng(0))
        steps = ours.step, each.peer, theirs.step
        array = ours.inputs[0].nbytes
        yield compare(name(each.loss), each.size, *steps, kind=EAGER, seconds=effort.seconds, array=array)


def numbers(generator: Generator, *shape: int) -> Tensor:
    """Ordinary numbers in float32."""
    return torch.from_numpy(generator.standard_normal(size=shape, dtype=np.float32))


def learned(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The same numbers, from which nothing leads back, to be differentiated by."""
    return tuple(x.detach().clone().requires_grad_() for x in tensors)


def made(cls: Callable[..., Any], **options: Any) -> tuple[str, Any]:
    """A peer with these options, behind the words for it."""
    words = ", ".join(f"{option}={value!r}" for option, value in options.items())
    return f"{cls.__name__}({words})", cls(**options)
