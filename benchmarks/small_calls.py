"""A plain PyTorch call on 256 entries, where the work is all in getting to it; value checks are on."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.inputs import POINTWISE, SMALL, Effort, name, pointwise, words
from benchmarks.measurement import Measurement, compare
from benchmarks.pytorch import EAGER, FORWARD, PACKAGES, PEERS, step, tensors, threads

__all__ = ["PACKAGES", "measure", "threads"]


def measure(effort: Effort) -> Iterator[Measurement]:
    size = SMALL[0]
    for loss in POINTWISE:
        peer, function = PEERS[name(loss)]
        p, y = tensors(pointwise(loss, size))
        criterion, plain = loss.torch(), p.detach()
        call = lambda: criterion(plain, y), peer, lambda: function(plain, y)  # noqa: B023  # done before the next
        yield compare(name(loss), words(size), *call, kind=FORWARD, seconds=effort.seconds)
        steps = step(criterion, p, y), peer, step(function, p, y)
        yield compare(name(loss), words(size), *steps, kind=EAGER, seconds=effort.seconds)
