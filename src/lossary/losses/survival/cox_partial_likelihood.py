from __future__ import annotations

import dataclasses
import math
from typing import Any, final

from lossary.define import (
    Array,
    Batchwise,
    Claim,
    Convex,
    EstimatesHazardRatio,
    Indicator,
    Lipschitz,
    NonNegative,
    Notation,
    Positive,
    Real,
    ShiftInvariant,
    Smooth,
    Twin,
    parameter,
)


class CoxPartialLikelihood(Batchwise):
    """The negative log partial likelihood of proportional hazards: at each event, how likely it was that this entry of
    all that were still at risk had it.

    The prediction is the logarithm of the hazard ratio, (N,). `time` is when an entry had its event, or was last seen
    without it (censored), and `event` says which: 1 or 0. An entry is at risk up to its own time, that included. The
    mean is for each event; a batch without events costs 0.

    A weight counts an entry as often, in sums and in risk sets; of events at one time Efron's method takes the mean
    weight, as R's `coxph` and lifelines do. An entry of weight 0 might as well not be there,
    and has no derivative by its weight: whether it counts among the tied is a jump.
    """

    ties: str = parameter(
        default="efron",
        choices=("efron", "breslow"),
        doc='what is at risk beside each of m events at one time: all of them ("breslow"), or, as if they had come one '
        'after the other, m/m, (m − 1)/m, …, 1/m of them ("efron")',
        examples=("breslow",),
    )

    everyday = True
    task = "survival"
    prediction, time, event = Real(), Positive(or_zero=True), Indicator()
    output_layer = "one linear unit, without a bias: a constant changes nothing"
    choosing = (
        "ties='efron', which is near the exact likelihood also where many events share a time, and is what R, lifelines "
        "and torchsurv do; 'breslow' to agree with XGBoost, scikit-survival and statsmodels"
    )
    strengths = (
        "learns from those to whom nothing has happened yet",
        "needs no assumption of how the hazard changes with time, and only the order of the times",
    )
    weaknesses = (
        "says who is at a higher risk, not when: survival curves need a baseline hazard, estimated afterwards",
        "each entry is compared with those of its batch alone: small batches, or few events in one, bias it",
        "assumes that hazards keep their ratio over time",
        "times that are equal in the prediction's precision are ties: float32 has 7 digits",
    )
    sources = (
        "Cox 1972, doi:10.1111/j.2517-6161.1972.tb00899.x",
        "Efron 1977, doi:10.1080/01621459.1977.10480613",
        "Breslow 1974, doi:10.2307/2529620",
    )
    foreign_names = (
        "CoxPHLoss",
        "CoxPH",
        "CoxPHFitter",
        "CoxPHSurvivalAnalysis",
        "neg_partial_log_likelihood",
        "survival:cox",
        "PHReg",
    )
    same_as = (
        Twin(
            "-statsmodels.duration.hazard_regression.PHReg(time.ravel(), prediction.reshape(-1, 1), "
            "status=event.ravel(), ties=ties)"
            ".loglike([1.0]) / event.sum() if event.any() else 0.0 * event.sum()"
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        # Each event has the logarithm of a sum of exponentials less one prediction, as a class has in a softmax.
        shape = Convex(), Smooth(0.5), Lipschitz(2**0.5), NonNegative()
        return *shape, ShiftInvariant(), EstimatesHazardRatio()

    @property
    def notation(self) -> Notation:
        at_risk, tied = r"\sum_{t_j \ge t_k} e^{\hat{y}_j}", r"\sum_{t_j = t_k, \, e_j = 1} e^{\hat{y}_j}"
        if self.ties == "breslow":
            return Notation(
                latex=rf"\sum_{{k: e_k = 1}} \left(\log {at_risk} - \hat{{y}}_k\right)",
                text="Σₖ (log Rₖ - ŷₖ) over the events k\nRₖ = Σⱼ exp(ŷⱼ) over those at risk, timeⱼ ≥ timeₖ",
            )
        return Notation(
            latex=rf"\sum_{{k: e_k = 1}} \left(\log\left({at_risk} - \frac{{l_k}}{{m_k}} {tied}\right) - \hat{{y}}_k\right)",
            text="Σₖ (log(Rₖ - lₖ/mₖ Dₖ) - ŷₖ) over the events k\n"
            "Rₖ = Σⱼ exp(ŷⱼ) over those at risk, timeⱼ ≥ timeₖ\n"
            "Dₖ = Σⱼ exp(ŷⱼ) over the mₖ events at this time, of which lₖ stand before k",
        )

    def formula(self, xp: Any, p: Array, time: Array, *, event: Array, weight: Array) -> Array:
        at_risk = xp.sum(xp.where(time >= xp.row(time), weight * xp.exp(p), 0.0))
        if self.ties == "breslow":
            return xp.sum(weight * event * (xp.log(at_risk) - p))
        tied, rank = xp.equal(time, xp.row(time)), xp.inverse_permutation(xp.argsort(time))
        count = xp.maximum(xp.sum(xp.where(tied, event, 0.0)), 1.0)
        before = xp.sum(xp.where(xp.logical_and(tied, rank < xp.row(rank)), event, 0.0))
        of_tied = xp.sum(xp.where(tied, weight * event, 0.0))
        at_risk = at_risk - before / count * xp.sum(xp.where(tied, weight * event * xp.exp(p), 0.0))
        return xp.sum(event * (of_tied / count * xp.log(at_risk) - weight * p))

    def value(self, xp: Any, p: Array, time: Array, *, event: Array, weight: Array) -> Array:
        sets = _RiskSets.of(xp, p, time, event, weight)
        own, part = self._shares(xp, sets)
        # From 1, which an event has by itself where it is the largest: what is left is the others' alone.
        beyond_1 = sets.others + (part * sets.tied - 1.0)
        total = xp.where(sets.happened > 0.0, sets.others + part * sets.tied, 1.0)
        is_near = total > 0.5
        logarithm = xp.where(is_near, xp.log1p(xp.where(is_near, beyond_1, 0.0)), xp.log(total))
        cost = sets.weight * (sets.level - sets.prediction) + own * logarithm
        return xp.sum(xp.where(sets.happened > 0.0, cost, 0.0)) + nan_of(xp, p, time, event, weight)

    def gradient(self, xp: Any, p: Array, time: Array, *, event: Array, weight: Array) -> Array:
        sets = _RiskSets.of(xp, p, time, event, weight)
        happens, count = sets.happened > 0.0, xp.maximum(sets.count, 1.0)
        _, part = self._shares(xp, sets)
        inverse = xp.where(happens, 1.0 / xp.where(happens, sets.others + part * sets.tied, 1.0), 0.0)
        # The means over the events of one time: of all at risk, and of what is left of the tied.
        whole, left = (xp.run_sum(x, sets.starts) / count for x in (inverse, part * inverse))
        later = sets.beyond(xp, xp.where(sets.starts, sets.of_tied * whole, 0.0), backwards=True)
        at_risk = sets.weight * sets.hazard
        # An event's own share less 1, by what others have of it; a single event has exactly nothing tied beside it.
        excess = xp.where(sets.count > 1.0, sets.tied - sets.hazard * sets.of_tied, 0.0)
        of_event = at_risk * later - sets.weight * (sets.others * whole + excess * left)
        slope = xp.where(happens, of_event, at_risk * (later + sets.of_tied * whole))
        return xp.gather(slope, xp.inverse_permutation(sets.order)) + xp.row(nan_of(xp, p, time, event, weight))

    def denominator(self, xp: Any, p: Array, time: Array, *, event: Array, weight: Array) -> Array:
        return xp.sum(event * weight)

    def _shares(self, xp: Any, sets: _RiskSets) -> tuple[Array, Array | float]:
        """What each event's logarithm counts for, and which part of the events of its time is at risk beside it."""
        if self.ties == "breslow":
            return sets.weight, 1.0
        count = xp.maximum(sets.count, 1.0)
        return sets.of_tied / count, (count - sets.rank) / count


@final
@dataclasses.dataclass(frozen=True)
class _RiskSets:
    """The entries, the latest first and of one time the largest prediction first, and what is at risk beside each.

    Hazards are relative to the largest of the risk set, whose prediction is the `level`: it is the same for all entries
    of one time, and does not fall from one time to the one before. So nothing overflows, and nothing is lost but what
    is nothing beside that one.
    """

    order: Array  # where the entries were
    prediction: Array
    weight: Array
    happened: Array  # 1 for events that count, else 0
    level: Array
    hazard: Array  # exp(prediction − level); 0 for entries that do not count
    starts: Array  # whether an entry is the first of its time
    others: Array  # the weighted hazards of those at risk that have no event at this time
    tied: Array  # of those that have
    of_tied: Array  # their weights
    count: Array  # how many they are
    rank: Array  # how many of them stand before this entry

    @classmethod
    def of(cls, xp: Any, p: Array, time: Array, event: Array, weight: Array) -> _RiskSets:
        by_size = xp.argsort(xp.where(weight > 0.0, -p, math.inf))
        order = xp.gather(by_size, xp.argsort(-xp.gather(time, by_size)))
        p, time, event, weight = (xp.gather(x, order) for x in (p, time, event, weight))
        starts = xp.logical_not(xp.equal(time, xp.shift(time, 1, math.nan)))
        ends = xp.logical_not(xp.equal(time, xp.shift(time, -1, math.nan)))
        counts = weight > 0.0
        happened = xp.where(counts, event, 0.0)
        level = xp.cumulative_max(xp.where(counts, p, -math.inf))
        level = xp.where(xp.isfinite(level), level, 0.0)
        hazard = xp.where(counts, xp.exp(xp.where(counts, p - level, 0.0)), 0.0)
        at_risk = weight * hazard
        censored, tied, of_tied, count = (
            xp.run_sum(x, starts) for x in ((1.0 - happened) * at_risk, happened * at_risk, happened * weight, happened)
        )
        before = xp.cumulative_sum(happened) - happened
        rank = before - xp.run_sum(xp.where(starts, before, 0.0), starts)
        sets = cls(order, p, weight, happened, level, hazard, starts, censored, tied, of_tied, count, rank)
        return dataclasses.replace(sets, others=censored + sets.beyond(xp, xp.where(ends, censored + tied, 0.0)))

    def beyond(self, xp: Any, x: Array, *, backwards: bool = False) -> Array:
        """The sum of what stands before each entry (after it, if backwards), relative to the level of its own time."""
        total, step = xp.discounted_sum(x, self.level, backwards=backwards), -1 if backwards else 1
        distance = xp.abs(xp.shift(self.level, step, 0.0) - self.level)
        return xp.shift(total, step, 0.0) * xp.exp(-distance)


def nan_of(xp: Any, *arrays: Array) -> Array:
    """NaN where one of the arrays has one, else 0."""
    return sum(xp.sum(xp.where(xp.isnan(x), x, 0.0)) for x in arrays)
