"""Sixth stage: every loss judged by the same metrics, in pairs, with the luck of the splits taken into account."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable
from typing import Any, final

import numpy as np
from scipy import stats

from lossary.compare.metrics import Metric, Weight
from lossary.compare.plan import BOOSTING, LINEAR, Plan, Split
from lossary.compare.prediction import Outcome, Prediction
from lossary.compare.profile import Codes, Numbers
from lossary.compare.suggest import REFERENCE, Candidate
from lossary.define.claims.estimates import Estimates
from lossary.errors import DataError

SIGNIFICANT = 0.05
CONFIDENCE = 0.95  # of the intervals around differences
_CLOSE = 0.05  # a tie is not only unproved, it is also at most so far apart, as a part of the mean


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Standing:
    """One row of the table."""

    candidate: int  # its place in the plan; BOOSTING or LINEAR for a reference
    scores: dict[str, Numbers]  # by metric, one score per split; NaN where the metric is not defined for the loss
    error: str | None  # why there are no scores, if there are none
    unfinished: int = 0  # splits that were left when the time was up: then it is not judged, but did not fail either

    def mean(self, metric: str) -> float:
        return float(self.scores[metric].mean())

    def deviation(self, metric: str) -> float:
        return float(self.scores[metric].std(ddof=1))


@final
@dataclasses.dataclass(frozen=True)
class Pair:
    """By how much a loss is better than the reference: the mean over the splits, in the metric's unit."""

    candidate: int
    difference: float  # above 0: better than the reference, whichever direction the metric has
    low: float  # of the interval at CONFIDENCE, with the variance of the corrected test
    high: float
    p: float  # corrected resampled t-test, Holm over the losses
    better_in: int  # splits in which it is better


@final
@dataclasses.dataclass(frozen=True)
class Verdict:
    """What one metric says."""

    metric: str
    compared: int  # losses that the metric is defined for
    best: int  # the candidate with the best mean
    reference: int  # what people take without asking; the best itself, where that is not in the race
    better_in: int  # splits in which the best beats the reference
    difference: float  # by how much the best is better than the reference, in the metric's unit
    relative: float  # the same as a part of the reference's mean
    p: float  # corrected resampled t-test of the best against the reference, Holm over the losses; 1 when they are one
    ahead: bool  # whether the best's mean is better than the best constant's
    learnable: bool  # whether the boosted reference beats the best constant in every split
    ties: tuple[int, ...]  # other candidates that cannot be told from the recommended one
    recommended: int | None  # None when nothing beats the best constant beyond chance
    pairs: tuple[Pair, ...] = ()  # every other loss beside the reference


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Interval:
    """Two quantile losses as the ends of an interval, or the normal band around a loss that estimates the mean."""

    low: int  # the candidate below
    high: int  # the candidate above; the same one for a normal band
    promised: float  # the share of targets that ought to be within
    coverage: Numbers  # the share that is, one per split
    width: Numbers  # mean, in the target's unit, one per split
    thirds: tuple[float, float, float]  # coverage in the lowest, middle and highest third of the interval's middle

    @property
    def normal(self) -> bool:
        return self.low == self.high


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Summary:
    """All that the outcomes say."""

    metrics: tuple[Metric, ...]  # the one that ranks first
    standings: tuple[Standing, ...]  # ranked; those without scores last
    constants: dict[str, Numbers]
    boosting: Standing | None
    verdicts: dict[str, Verdict]
    linear: Standing | None = None
    intervals: tuple[Interval, ...] = ()  # the widest first
    notes: tuple[str, ...] = ()  # what has to be known to read the figures

    @property
    def ranked_by(self) -> Metric:
        return self.metrics[0]

    @property
    def unfinished(self) -> tuple[int, ...]:
        """The candidates that the time limit left without all their splits."""
        return tuple(row.candidate for row in self.standings if row.unfinished)


def summarise(plan: Plan, outcomes: Iterable[Outcome], metrics: tuple[Metric, ...]) -> Summary:
    """Judge all outcomes of a plan.

    Raises:
        DataError: every loss failed, or none was finished in time.
    """
    by_unit = {(outcome.candidate, outcome.split): outcome for outcome in outcomes}
    rows = [_standing(plan, by_unit, candidate, metrics) for candidate in range(len(plan.candidates))]
    alive = [row for row in rows if row.error is None]
    if not alive:
        if any(row.unfinished for row in rows):
            raise DataError("the time was up before any loss had all its splits: raise --time-limit, or ask for less.")
        raise DataError(f"every loss failed; {plan.candidates[0].name}: {rows[0].error}")
    constants = {metric.name: _constant(plan, metric) for metric in metrics}
    asked = {unit.candidate for unit in plan.units}
    boosting, linear = (
        _standing(plan, by_unit, reference, metrics) if reference in asked else None for reference in (BOOSTING, LINEAR)
    )
    verdicts = {}
    for metric in metrics:
        defined = [row for row in alive if np.isfinite(row.scores[metric.name]).all()]
        if defined:
            verdicts[metric.name] = _verdict(plan, defined, constants[metric.name], boosting, metric)
    first = metrics[0]
    alive.sort(key=lambda row: _costs(row, first).mean() if np.isfinite(row.scores[first.name]).all() else np.inf)
    others = sorted((row for row in rows if row.error is not None), key=lambda row: not row.unfinished)
    return Summary(
        metrics,
        (*alive, *others),
        constants,
        boosting,
        verdicts,
        linear,
        _intervals(plan, by_unit, alive),
        _notes(plan, constants, metrics, others),
    )


# ── in pairs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Resampling:
    """What a test has to know of the splits: which are the same but for the network's start, and how large they are."""

    distinct: Codes  # for each split, the number of its test set
    ratio: float  # test rows per training row

    @classmethod
    def of(cls, splits: Iterable[Split]) -> Resampling:
        numbers: dict[bytes, int] = {}
        splits = tuple(splits)
        distinct = [numbers.setdefault(split.test.tobytes(), len(numbers)) for split in splits]
        return cls(np.array(distinct), float(np.mean([len(split.test) / len(split.train) for split in splits])))

    def test(self, differences: Numbers) -> tuple[float, float, float]:
        """Interval around the mean, low and high, and two-sided p: the corrected resampled t-test.

        Splits share training rows, so their differences are not independent: the variance of the mean is
        s² (1/n + test/train) with n - 1 degrees of freedom (Nadeau and Bengio 2003), n the number of splits, which for
        repeated k-fold cross-validation is k times the repetitions (Bouckaert and Frank 2004). Splits with the same
        test rows, as forward-chaining ones have under every seed, are one: their differences are averaged first.
        """
        values = np.bincount(self.distinct, differences) / np.bincount(self.distinct)
        count, mean, variance = len(values), float(values.mean()), float(values.var(ddof=1))
        if variance == 0.0:
            return mean, mean, 1.0 if mean == 0.0 else 0.0
        error = float(np.sqrt(variance * (1 / count + self.ratio)))
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * error
        return mean - reach, mean + reach, float(2 * stats.t.sf(abs(mean) / error, count - 1))


def corrected_test(differences: Numbers, train: int, test: int) -> float:
    """Two-sided p of the corrected resampled t-test over splits of so many training and test rows."""
    return Resampling(np.arange(len(differences)), test / train).test(differences)[-1]


def holm(p: list[float]) -> list[float]:
    """Holm's step-down correction for having asked several questions."""
    adjusted, largest = [1.0] * len(p), 0.0
    for rank, place in enumerate(np.argsort(p, kind="stable")):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = largest
    return adjusted


def _standing(
    plan: Plan, by_unit: dict[tuple[int, int], Outcome], candidate: int, metrics: tuple[Metric, ...]
) -> Standing:
    outcomes = [by_unit[candidate, split] for split in range(len(plan.splits)) if (candidate, split) in by_unit]
    error = next((outcome.error for outcome in outcomes if outcome.error is not None), None)
    if error is not None:
        return Standing(candidate, {}, error)
    if left := len(plan.splits) - len(outcomes):
        return Standing(candidate, {}, f"not finished: {left} of {len(plan.splits)} splits left", left)
    predictions = [outcome.prediction for outcome in outcomes if outcome.prediction is not None]
    scores = {
        metric.name: np.array(
            [_judged(plan, metric, split, each) for split, each in zip(plan.splits, predictions, strict=True)]
        )
        if metric.boosted or candidate >= 0
        else np.full(len(outcomes), np.nan)
        for metric in metrics
    }
    return Standing(candidate, scores, None)


def _constant(plan: Plan, metric: Metric) -> Numbers:
    """What the best constant, found on the training rows of each split, scores on its test rows."""
    y, classes = plan.profile.y, len(plan.profile.classes)
    return np.array(
        [
            _judged(
                plan,
                metric,
                split,
                metric.constant(y[split.train], classes, len(split.test), _weight(plan, split.train)),
            )
            for split in plan.splits
        ]
    )


def _judged(plan: Plan, metric: Metric, split: Split, prediction: Prediction) -> float:
    with warnings.catch_warnings():
        # A test fold without one of the classes (by groups, say): what that does to a metric is said in the notes.
        warnings.simplefilter("ignore")
        return metric.judge(
            plan.profile.y[split.test], prediction, len(plan.profile.classes), _weight(plan, split.test)
        )


def _weight(plan: Plan, rows: Codes) -> Weight:
    return None if plan.profile.weight is None else plan.profile.weight[rows]


def _notes(
    plan: Plan, constants: dict[str, Numbers], metrics: tuple[Metric, ...], others: list[Standing]
) -> tuple[str, ...]:
    notes = ["metrics count each row by its weight"] if plan.profile.weight is not None else []
    if late := [plan.candidates[row.candidate].name.removesuffix("()") for row in others if row.unfinished]:
        notes.append(f"not finished when the time was up, and so not judged: {', '.join(late)}")
    undefined: dict[int, list[str]] = {}
    for metric in metrics:
        if lacking := int((~np.isfinite(constants[metric.name])).sum()):
            undefined.setdefault(lacking, []).append(metric.title)
    notes += [
        f"not judged by {', '.join(titles)}: not defined in {lacking} of {len(plan.splits)} splits, "
        "whose test rows lack a class"
        for lacking, titles in undefined.items()
    ]
    return tuple(notes)


def _verdict(plan: Plan, rows: list[Standing], constant: Numbers, boosting: Standing | None, metric: Metric) -> Verdict:
    costs = {row.candidate: _costs(row, metric) for row in rows}
    resampling = Resampling.of(plan.splits)
    named = REFERENCE[plan.profile.task]
    best = min(costs, key=lambda each: float(costs[each].mean()))
    reference = next((each for each in costs if type(plan.candidates[each].loss).__name__ == named), best)

    def against(one: int) -> dict[int, Pair]:
        """Every other candidate beside `one`, its p corrected for their number."""
        gains = {each: costs[one] - costs[each] for each in costs if each != one}
        tests = {each: resampling.test(gain) for each, gain in gains.items()}
        p = holm([each for _, _, each in tests.values()])
        return {
            each: Pair(each, float(gains[each].mean()), low, high, corrected, int(np.sum(gains[each] > 0)))
            for (each, (low, high, _)), corrected in zip(tests.items(), p, strict=True)
        }

    pairs = against(reference)
    p = pairs[best].p if best in pairs else 1.0
    beaten = -constant if metric.higher else constant

    def useful(cost: Numbers) -> bool:
        """Whether it beats the best constant beyond chance."""
        gain = beaten - cost
        return bool(gain.mean() > 0) and resampling.test(gain)[-1] < SIGNIFICANT

    asked = [best] if p < SIGNIFICANT else [reference, best]
    recommended = next((each for each in asked if useful(costs[each])), None)
    fair = boosting is not None and boosting.error is None and metric.boosted
    ties = []
    if recommended is not None:
        mean = float(costs[recommended].mean())
        ties = [
            each
            for each, other in against(recommended).items()
            if other.p >= SIGNIFICANT and abs(float(costs[each].mean()) - mean) <= _CLOSE * abs(mean)
        ]
    return Verdict(
        metric=metric.name,
        compared=len(rows),
        best=best,
        reference=reference,
        better_in=int(np.sum(costs[best] < costs[reference])),
        difference=float((costs[reference] - costs[best]).mean()),
        relative=float((costs[reference] - costs[best]).mean() / (abs(costs[reference].mean()) or 1.0)),
        p=p,
        ahead=bool(costs[best].mean() < beaten.mean()),
        learnable=boosting is not None and fair and bool((_costs(boosting, metric) < beaten).all()),
        ties=tuple(ties),
        recommended=recommended,
        pairs=tuple(pairs.values()),
    )


def _costs(row: Standing, metric: Metric) -> Numbers:
    return -row.scores[metric.name] if metric.higher else row.scores[metric.name]


# ── what quantile losses promise ─────────────────────────────────────────────────────────────────────────────────────


def level_of(candidate: Candidate) -> float | None:
    """The level of the quantile that a loss estimates; None where it estimates something else."""
    return next((claim.level for claim in candidate.loss.claims if isinstance(claim, Estimates)), None)


def _intervals(plan: Plan, by_unit: dict[tuple[int, int], Outcome], alive: list[Standing]) -> tuple[Interval, ...]:
    """The lowest level with the highest, and so on inwards; then the normal band that promises what the widest does."""
    if plan.profile.classes:
        return ()
    levels = {row.candidate: level_of(plan.candidates[row.candidate]) for row in alive}
    ranked = sorted((level, candidate) for candidate, level in levels.items() if level is not None)
    intervals = [
        _interval(plan, (below, above), high - low, _values(plan, by_unit, below), _values(plan, by_unit, above))
        for (low, below), (high, above) in zip(ranked, reversed(ranked), strict=True)
        if low < high  # up to the middle
    ]
    means = [row.candidate for row in alive if plan.candidates[row.candidate].loss.estimates == "mean"]
    if intervals and means:
        (middle, *_), promised = means, intervals[0].promised
        values = _values(plan, by_unit, middle)
        reach = [float(stats.norm.ppf((1 + promised) / 2)) * spread for spread in _spreads(plan, values)]
        lower, upper = ([each + sign * far for each, far in zip(values, reach, strict=True)] for sign in (-1.0, 1.0))
        intervals.append(_interval(plan, (middle, middle), promised, lower, upper))
    return tuple(intervals)


def _spreads(plan: Plan, values: list[Numbers]) -> list[float]:
    """For each split, the standard deviation of the held-out residuals of its seed's other splits."""
    residuals = [plan.profile.y[split.test] - each for split, each in zip(plan.splits, values, strict=True)]
    return [
        float(
            np.concatenate(
                [
                    each
                    for other, each in zip(plan.splits, residuals, strict=True)
                    if other.seed == split.seed and other.fold != split.fold
                ]
            ).std(ddof=1)
        )
        for split in plan.splits
    ]


def _interval(
    plan: Plan, ends: tuple[int, int], promised: float, lower: list[Numbers], upper: list[Numbers]
) -> Interval:
    within = [
        (low <= plan.profile.y[split.test]) & (plan.profile.y[split.test] <= high)
        for split, low, high in zip(plan.splits, lower, upper, strict=True)
    ]
    shares = [_share(plan, split, each) for split, each in zip(plan.splits, within, strict=True)]
    widths = [
        float(np.average(high - low, weights=_weight(plan, split.test)))
        for split, low, high in zip(plan.splits, lower, upper, strict=True)
    ]
    order = np.argsort(np.concatenate([low + high for low, high in zip(lower, upper, strict=True)]), kind="stable")
    inside = np.concatenate(within)
    weight = None if plan.profile.weight is None else np.concatenate([_weight(plan, x.test) for x in plan.splits])
    low, middle, high = (
        float(np.average(inside[part], weights=None if weight is None else weight[part]))
        for part in np.array_split(order, 3)
    )
    return Interval(*ends, promised, np.array(shares), np.array(widths), (low, middle, high))


def _values(plan: Plan, by_unit: dict[tuple[int, int], Outcome], candidate: int) -> list[Numbers]:
    predictions = [by_unit[candidate, split].prediction for split in range(len(plan.splits))]
    return [each.values for each in predictions if each is not None and each.values is not None]


def _share(plan: Plan, split: Split, within: Any) -> float:
    return float(np.average(within, weights=_weight(plan, split.test)))
