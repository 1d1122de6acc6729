from __future__ import annotations

import dataclasses
import math
from typing import Any, final

from lossary.define import (
    Array,
    Batchwise,
    Claim,
    Convex,
    Indicator,
    Positive,
    Real,
    parameter,
)


class CoxPartialLikelihood(Batchwise):
    """The negative log partial likelihood of proportional hazards: at each event, how likely it was that entry's turn.

    The prediction is the logarithm of the hazard ratio, (N,); `time` is when the entry had its event or was last seen,
    and `event` says which: 1 or 0. The mean is for each event. Entries are at risk up to their own time, included.
    """

    ties: str = parameter(
        default="efron",
        choices=("efron", "breslow"),
        doc="what events at one time do: of m, the l-th leaves l/m of all m out of its risk set (Efron), or nothing "
        "(Breslow)",
        examples=("breslow",),
    )

    task = "regression"
    prediction, time, event = Real(), Positive(), Indicator()

    @property
    def claims(self) -> tuple[Claim, ...]:
        return (Convex(),)

    def formula(self, xp: Any, p: Array, time: Array, *, event: Array, weight: Array) -> Array:
        """Each event beside all entries."""
        at_risk, tied = time >= xp.row(time), xp.equal(time, xp.row(time))
        happened = xp.where(weight > 0.0, event, 0.0)
        risk = xp.sum(xp.where(at_risk, weight * xp.exp(p), 0.0))
        own = weight
        if self.ties == "efron":
            rank = xp.argsort(xp.argsort(time))
            count = xp.maximum(xp.sum(xp.where(tied, happened, 0.0)), 1.0)
            before = xp.sum(xp.where(xp.logical_and(tied, rank < xp.row(rank)), happened, 0.0))
            risk = risk - before / count * xp.sum(xp.where(tied, happened * weight * xp.exp(p), 0.0))
            own = xp.sum(xp.where(tied, happened * weight, 0.0)) / count
        return xp.sum(xp.where(happened > 0.0, own * xp.log(risk) - weight * p, 0.0))

    def value(self, xp: Any, p: Array, time: Array, *, event: Array, weight: Array) -> Array:
        sets = _RiskSets.of(xp, p, time, event, weight)
        own, part = self._shares(xp, sets)
        # From 1, which a single event has by itself when it is the largest: what is left is the others' alone.
        beyond_1 = sets.others + (part * sets.tied - 1.0)
        total = xp.where(sets.happened > 0.0, sets.others + part * sets.tied, 1.0)
        near = total > 0.5
        logarithm = xp.where(near, xp.log1p(xp.where(near, beyond_1, 0.0)), xp.log(xp.where(near, 1.0, total)))
        cost = sets.weight * (sets.level - sets.prediction) + own * logarithm
        return _total(xp, xp.where(sets.happened > 0.0, cost, 0.0)) + _nan_of(xp, p, time, event, weight)

    def gradient(self, xp: Any, p: Array, time: Array, *, event: Array, weight: Array) -> Array:
        sets = _RiskSets.of(xp, p, time, event, weight)
        _, part = self._shares(xp, sets)
        happens = sets.happened > 0.0
        inverse = xp.where(happens, 1.0 / xp.where(happens, sets.others + part * sets.tied, 1.0), 0.0)
        count = xp.where(sets.count > 0.0, sets.count, 1.0)
        whole, left = (xp.run_sum(x, sets.starts) / count for x in (inverse, part * inverse))
        later = sets.beyond(xp, xp.where(sets.starts, sets.of_tied * whole, 0.0), backwards=True)
        hazard = sets.weight * sets.hazard
        # What a single event has besides itself is nothing, to the last digit.
        excess = xp.where(sets.count > 1.0, sets.tied - sets.hazard * sets.of_tied, 0.0)
        of_event = hazard * later - sets.weight * (sets.others * whole + excess * left)
        slope = xp.where(happens, of_event, hazard * (later + sets.of_tied * whole))
        return xp.gather(slope, xp.argsort(sets.order)) + _nan_of(xp, p, time, event, weight)

    def denominator(self, xp: Any, p: Array, time: Array, *, event: Array, weight: Array) -> Array:
        return xp.sum(event * weight)

    def _shares(self, xp: Any, sets: _RiskSets) -> tuple[Array, Array]:
        """What each event's logarithm counts for, and which part of those that it is tied with it still has beside
        it."""
        if self.ties == "breslow":
            return sets.weight, 1.0
        count = xp.where(sets.count > 0.0, sets.count, 1.0)
        return sets.of_tied / count, (count - sets.rank) / count


@final
@dataclasses.dataclass(frozen=True)
class _RiskSets:
    """The entries, the latest first and of equal times the largest prediction first, and who is at risk beside each.

    Hazards are relative to the largest in the risk set, whose prediction is the `level`: it is the same for all entries
    of one time, and rises from one time to the one before it.
    """

    order: Array  # where the entries were
    prediction: Array
    time: Array
    weight: Array
    happened: Array  # 1 for events that count, else 0
    level: Array
    hazard: Array  # exp(prediction − level); 0 for entries without a weight
    starts: Array  # whether an entry is the first of its time
    others: Array  # the hazards of those at risk that have no event at this time, each times its weight
    tied: Array  # the hazards of those that have, each times its weight
    of_tied: Array  # the sum of their weights
    count: Array  # how many they are
    rank: Array  # how many of them stand before an event

    @classmethod
    def of(cls, xp: Any, p: Array, time: Array, event: Array, weight: Array) -> _RiskSets:
        counts = weight > 0.0
        by_size = xp.argsort(xp.where(counts, -p, math.inf))
        order = xp.gather(by_size, xp.argsort(-xp.gather(time, by_size)))
        p, time, event, weight = (xp.gather(x, order) for x in (p, time, event, weight))
        counts = weight > 0.0
        happened = xp.where(counts, event, 0.0)
        largest = xp.where(counts, p, -math.inf)
        level = xp.cumulative_max(largest)
        level = xp.where(xp.isfinite(level), level, 0.0)
        hazard = xp.where(counts, xp.exp(xp.where(counts, p - level, 0.0)), 0.0)
        starts = xp.logical_not(xp.equal(time, xp.shift(time, 1, math.nan)))
        ends = xp.logical_not(xp.equal(time, xp.shift(time, -1, math.nan)))
        at_risk = weight * hazard
        censored, tied, of_tied, count = (
            xp.run_sum(x, starts)
            for x in ((1.0 - happened) * at_risk, happened * at_risk, happened * weight, happened)
        )
        events = xp.cumulative_sum(happened)
        rank = events - 1.0 - xp.run_sum(xp.where(starts, events - happened, 0.0), starts)
        sets = cls(order, p, time, weight, happened, level, hazard, starts, censored, tied, of_tied, count, rank)
        earlier = sets.beyond(xp, xp.where(ends, censored + tied, 0.0))
        return dataclasses.replace(sets, others=censored + earlier)

    def beyond(self, xp: Any, x: Array, *, backwards: bool = False) -> Array:
        """The sum of what stands before each entry (after it, if backwards), beside the level of its own time."""
        total, step = xp.discounted_sum(x, self.level, backwards=backwards), -1 if backwards else 1
        distance = xp.abs(xp.shift(self.level, step, 0.0) - self.level)
        return xp.shift(total, step, 0.0) * xp.exp(-distance)


def _total(xp: Any, x: Array) -> Array:
    return xp.sum(x)


def _nan_of(xp: Any, *arrays: Array) -> Array:
    """NaN where anything is, else 0."""
    return sum(xp.sum(xp.where(xp.isnan(x), x, 0.0)) for x in arrays)
