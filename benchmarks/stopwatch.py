"""Two contenders by turns in one process, because a machine is never equally fast for long."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

_TURN = 0.002  # seconds that a turn lasts at least: the clock is too coarse for single small calls
_ROUNDS = 9
_WARM_UP = 3


class Race(NamedTuple):
    seconds: float
    peer_seconds: float
    ratio: float
    low: float
    high: float


def race(ours: Callable[[], Any], theirs: Callable[[], Any], seconds: float) -> Race:
    """Medians over as many rounds as `seconds` allow, at least 9; the first of a round is the last of the next."""
    contenders = (ours, theirs)
    calls = [_calls(each) for each in contenders]
    rounds: list[tuple[float, float]] = []
    collects = gc.isenabled()
    gc.disable()
    try:
        until = time.perf_counter() + seconds
        while len(rounds) < _ROUNDS or time.perf_counter() < until:
            took = [0.0, 0.0]
            for place in (0, 1) if len(rounds) % 2 else (1, 0):
                took[place] = _turn(contenders[place], calls[place])
            rounds.append((took[0], took[1]))
    finally:
        if collects:
            gc.enable()
    ratios = [theirs_took / ours_took for ours_took, theirs_took in rounds]
    low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
    own, peer = (statistics.median(times) for times in zip(*rounds, strict=True))
    return Race(own, peer, ratio, low, high)


def _calls(contender: Callable[[], Any]) -> int:
    """How many calls make a turn; compiles and warms up on the way."""
    took = min(_turn(contender, 1) for _ in range(_WARM_UP))
    return max(1, math.ceil(_TURN / took))


def _turn(contender: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        contender()
    return (time.perf_counter() - start) / calls
