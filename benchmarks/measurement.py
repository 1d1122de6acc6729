"""One comparison: lossary and its peer, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, final

from benchmarks import memory
from benchmarks.stopwatch import race


@final
@dataclasses.dataclass(frozen=True)
class Measurement:
    """Times are medians in seconds; `ratio` is how many times as fast lossary was: the median over rounds, between its
    quartiles `low` and `high`. Memory is what a call takes at its peak beyond what was there before, in bytes."""

    loss: str
    size: str
    kind: str
    peer: str
    seconds: float
    peer_seconds: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    memory: int | None = None
    peer_memory: int | None = None
    array: int | None = None  # bytes of the prediction, which memory is best counted in


def compare(
    loss: str,
    size: str,
    ours: Callable[[], Any],
    peer: str,
    theirs: Callable[[], Any],
    *,
    kind: str,
    seconds: float,
    array: int | None = None,
) -> Measurement:
    """Race the two, and measure their memory where the bytes of the prediction are told."""
    found = race(ours, theirs, seconds)
    taken: tuple[int | None, int | None] = (None, None)
    if array is not None:
        taken = memory.peak(ours), memory.peak(theirs)
    return Measurement(loss, size, kind, peer, *found, *taken, array)
