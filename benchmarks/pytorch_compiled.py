"""lossary's eager call beside `torch.compile` of PyTorch's functional or the textbook composition."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.inputs import LARGE, MIDDLE, POINTWISE, SOFTMAX, Effort, name, pointwise, rows, words
from benchmarks.measurement import Measurement, compare
from benchmarks.pytorch import EAGER, PACKAGES, PEERS, SOFTMAX_PEER, step, tensors, threads

__all__ = ["PACKAGES", "measure", "threads"]


def measure(effort: Effort) -> Iterator[Measurement]:
    for loss in POINTWISE:
        peer, function = PEERS[name(loss)]
        for size in effort.sizes((MIDDLE, *LARGE)):
            torch.compiler.reset()  # a compilation for this size alone, which is the best that there is
            p, y = tensors(pointwise(loss, size))
            steps = step(loss.torch(), p, y), f"torch.compile({peer})", step(torch.compile(function), p, y)
            yield compare(name(loss), words(size), *steps, kind=EAGER, seconds=effort.seconds)
    for shape in effort.rows():
        torch.compiler.reset()
        peer, function = SOFTMAX_PEER
        p, y = tensors(rows(shape))
        steps = step(SOFTMAX.torch(), p, y), f"torch.compile({peer})", step(torch.compile(function), p, y)
        yield compare(name(SOFTMAX), words(shape), *steps, kind=EAGER, seconds=effort.seconds)
