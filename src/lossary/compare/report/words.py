"""What a comparison says, in sentences and readable numbers: the text, the page and the JSON share them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lossary.compare.metrics import Metric
from lossary.compare.plan import Plan
from lossary.compare.prediction import Outcome
from lossary.compare.profile import Profile
from lossary.compare.statistics import SIGNIFICANT, Summary, Verdict
from lossary.compare.suggest import REFERENCE, Candidate, quantile_level

_COLUMNS = {"regression": 4, "binary": 3, "multiclass": 3}
_FEW_SPLITS = 5  # with fewer, the test has so few degrees of freedom that it sees little but luck


def headline(profile: Profile) -> str:
    """What the data are, in a line."""
    data = profile.data
    rows, columns = count(profile.rows, "row"), count(data.features.width, "column")
    return f"{data.name} · {rows} · {columns} · target {data.target} ({target_range(profile)})"


def target_range(profile: Profile) -> str:
    if profile.classes:
        return f"{len(profile.classes)} classes"
    return f"{number(float(profile.y.min()))} to {number(float(profile.y.max()))}"


def plan_line(plan: Plan) -> str:
    return f"{count(len(plan.candidates), 'loss')} x {plan.folds} folds x {count(len(plan.seeds), 'seed')}"


# ── the verdicts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def shown_metrics(plan: Plan, summary: Summary) -> tuple[Metric, ...]:
    """The first few metrics, and every one that a quantile loss asked for is made for."""
    own = {f"pinball_{quantile_level(candidate)}" for candidate in plan.candidates}
    first = summary.metrics[: _COLUMNS[plan.profile.task]]
    return tuple(metric for metric in summary.metrics if metric in first or metric.name in own)


def answer(plan: Plan, summary: Summary) -> str:
    """The verdict of the metric that ranks, in a few words."""
    verdict = summary.verdicts.get(summary.ranked_by.name)
    if verdict is None or verdict.recommended is None:
        return "No loss is recommended"
    kept = verdict.recommended == verdict.reference and _is_reference(plan, verdict.reference)
    return f"{'Keep' if kept else 'Use'} {plain(plan.candidates[verdict.recommended])}"


def sentence(plan: Plan, verdict: Verdict, metric: Metric) -> str:
    """One metric's verdict in words."""
    names = [plain(candidate) for candidate in plan.candidates]
    best, reference = names[verdict.best], names[verdict.reference]
    if verdict.recommended is None:
        if verdict.ahead and _few(plan):
            return f"{best} is ahead of the best constant, but {_too_few(plan)}."
        return f"nothing beats the best constant beyond chance; {best} comes closest."
    keep = "keep" if _is_reference(plan, verdict.reference) else "take"
    tied = [names[each] for each in verdict.ties if each not in (verdict.best, verdict.reference)]
    if verdict.recommended == verdict.reference:
        if verdict.best == verdict.reference:
            if verdict.compared == 1:
                return f"{reference} beats the best constant" + (
                    "; no other loss gives probabilities." if len(names) > 1 else "; no other loss was compared."
                )
            lead = f"{keep} {reference}: no loss does better."
            also = f" {and_(tied)} {'ties' if len(tied) == 1 else 'tie'} with it." if tied else ""
        else:
            ahead = f"{best}: {_gain(verdict, metric)}" + (f", {p_value(verdict.p)}" if verdict.p < 0.995 else "")
            why = _too_few(plan) if _few(plan) else "no loss is better beyond chance"
            lead = f"{keep} {reference}: {why} ({ahead})."
            also = f" {and_(tied)} {'ties' if len(tied) == 1 else 'tie'} too." if tied else ""
        return lead + also
    if verdict.p >= SIGNIFICANT:
        return f"use {best}: it beats the best constant beyond chance, which {reference} does not."
    won = f"better in {verdict.better_in} of {len(plan.splits)} splits ({p_value(verdict.p)})"
    also = f" {and_(tied)} {'ties' if len(tied) == 1 else 'tie'} with it." if tied else ""
    return f"use {best}: {_gain(verdict, metric)} {reference}, {won}.{also}"


def why_none(plan: Plan, outcomes: Iterable[Outcome], verdict: Verdict | None) -> str:
    """What stands in the way of a recommendation, and what to do about it."""
    if verdict is None:
        return "no loss can be judged by it; name another --metric"
    if verdict.ahead and _few(plan):
        return _too_few(plan)
    trained = [outcome.epochs for outcome in outcomes if outcome.candidate == verdict.best]
    unfinished = np.mean(np.array(trained) + plan.budget.patience > plan.budget.epochs) > 0.5
    if unfinished and (verdict.learnable or not plan.boosting):
        return f"{count(plan.budget.epochs, 'epoch')} did not finish the training: raise --epochs"
    if verdict.learnable:
        return "gradient boosting learns from these columns what the small network does not; the loss is not at fault"
    return "more rows or better columns are needed before the loss matters"


def _is_reference(plan: Plan, candidate: int) -> bool:
    return type(plan.candidates[candidate].loss).__name__ == REFERENCE[plan.profile.task]


def _few(plan: Plan) -> bool:
    return len(plan.splits) < _FEW_SPLITS


def _too_few(plan: Plan) -> str:
    return f"{len(plan.splits)} splits are too few to tell: raise --folds or --seeds"


def _gain(verdict: Verdict, metric: Metric) -> str:
    direction = "above" if metric.higher else "below"
    if metric.percent:
        return f"{100 * verdict.difference:.2g} points {direction}"
    if metric.higher:
        return f"{verdict.difference:.2g} {direction}"
    return f"{100 * verdict.relative:.2g} % {direction}"


def p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.1g}" if p < 0.1 else f"p = {p:.2g}"


# ── what to do now ───────────────────────────────────────────────────────────────────────────────────────────────────


def options(profile: Profile, candidate: Candidate) -> dict[str, Any]:
    """What a host is told of the target as it stands in the table: the number for none, unless that is scaled away."""
    missing = profile.data.missing
    return {} if missing is None or profile.classes or candidate.own_scale else {"missing": missing}


def advice(profile: Profile, candidate: Candidate) -> str:
    """What has to be known to use the loss as it was used here."""
    loss, facts, target = candidate.loss, profile.facts, profile.data.target
    scaling = f"({target} - {number(facts.center)}) / {number(facts.scale)}"
    if candidate.own_scale:
        return f"{type(loss).__name__} has a scale of its own: it was trained on {scaling}; scale your target alike."
    if candidate.on_scale:
        names = and_(candidate.on_scale)
        return f"{names} is in units of {target}; if you divide the target by 10, divide {names} by 10 too."
    if not profile.classes:
        return f"Models were trained on the scaled target, {scaling} over all rows."
    coded = loss.target.encode(np.arange(len(profile.classes)), len(profile.classes))
    if not loss.prediction.of_logits:
        (low, high), (first, second) = coded, profile.classes
        return f"The network ends in raw scores; the target is {low:g} for {first}, {high:g} for {second}."
    last = "no sigmoid" if profile.task == "binary" else "no softmax"
    if coded.ndim > 1 or [f"{code:g}" for code in coded] == list(profile.classes):
        return f"The network ends in logits, {last}."
    pairs = [f"{code:g} for {name}" for code, name in zip(coded, profile.classes, strict=True)]
    return f"The network ends in logits, {last}; the target is {', '.join(pairs[:4])}{', …' if len(pairs) > 4 else ''}."


# ── words and numbers ────────────────────────────────────────────────────────────────────────────────────────────────


def plain(candidate: Candidate) -> str:
    return candidate.name.removesuffix("()")


def number(value: float) -> str:
    return f"{value:,.{digits(value) if abs(value) < 100 else 0}f}"


def digits(value: float) -> int:
    """Decimals for three significant digits."""
    return 2 if value == 0 or not math.isfinite(value) else min(4, max(0, 2 - math.floor(math.log10(abs(value)))))


def power(sizes: Iterable[float]) -> int:
    """A power of 1000 that brings numbers of these sizes to a size one can read."""
    largest = max(sizes, default=0.0)
    if largest == 0 or 0.1 <= largest < 1e4:
        return 0
    return 3 * math.floor(math.log10(largest) / 3)


def spread(mean: float, deviation: float) -> tuple[str, str]:
    """A mean and its standard deviation, to digits that say something."""
    decimals = digits(mean)
    return f"{mean:.{decimals}f}", f"{deviation:.{min(decimals, max(0, digits(deviation) - 1))}f}"


def count(number: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def and_(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
