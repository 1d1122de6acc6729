"""Last stage: what the comparison found, as text for a terminal and as JSON."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import math
import platform
from typing import Any, final

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

import lossary
from lossary import spelling
from lossary.compare.plan import Plan
from lossary.compare.profile import Numbers, Profile
from lossary.compare.statistics import SIGNIFICANT, Metric, Standing, Summary, Verdict
from lossary.compare.suggest import Candidate, encode
from lossary.compare.train import Outcome
from lossary.domain import Labels
from lossary.loss import Loss

SCHEMA = 1  # of the JSON; grows when a key changes its meaning

_WIDTH = 80
_COLUMNS = {"regression": 4, "binary": 3, "multiclass": 3}
_PACKAGES = ("torch", "scikit-learn", "numpy", "polars")


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A finished comparison: `print(result)`, `result.best`, `result.as_dict()`."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    summary: Summary
    command: str

    @property
    def best(self) -> Loss | None:
        """The loss recommended by the metric that ranks; None where nothing beats the best constant."""
        verdict = self.summary.verdicts.get(self.summary.ranked_by.name)
        if verdict is None or verdict.recommended is None:
            return None
        return self.plan.candidates[verdict.recommended].loss

    def __str__(self) -> str:
        console = Console(width=_WIDTH, no_color=True, highlight=False, force_terminal=False)
        return rendered(console, self)

    def __rich__(self) -> RenderableType:
        return Group(*heading(self.plan.profile), Text(), self.body())

    def body(self) -> RenderableType:
        """What follows the heading: table, verdicts, code and foot."""
        return Group(*_body(self))

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON-able data."""
        return _as_dict(self)

    def to_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def rendered(console: Console, *parts: RenderableType) -> str:
    """The text that `console` would print, without the blanks that fill its lines."""
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def heading(profile: Profile) -> list[Text]:
    """What the data are, in two lines, and what was done to them; known before anything is trained."""
    data = profile.data
    columns = data.features.width
    if profile.classes:
        what = f"{len(profile.classes)} classes"
    else:
        low, high = float(profile.y.min()), float(profile.y.max())
        what = f"{_number(low)} to {_number(high)}"
    first = f"{data.name} · {_count(profile.rows, 'row')} · {_count(columns, 'column')} · target {data.target} ({what})"
    return [Text(first, style="bold"), Text(" · ".join(profile.findings)), *_notes(profile.notes)]


def plan_line(plan: Plan) -> str:
    return f"{_count(len(plan.candidates), 'loss')} x {plan.folds} folds x {_count(len(plan.seeds), 'seed')}"


def _body(result: Result) -> list[RenderableType]:
    plan, summary = result.plan, result.summary
    shown = summary.metrics[: _COLUMNS[plan.profile.task]]
    parts: list[RenderableType] = [_fitting_table(result, shown), Text(), _judgements(plan, summary, shown)]
    parts += [Text(), *_code(result), Text(), *_notes(plan.notes), _foot(result)]
    return parts


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _fitting_table(result: Result, shown: tuple[Metric, ...]) -> RenderableType:
    """The table with as many metrics as 80 columns hold."""
    wide = Console(width=10 * _WIDTH)
    while len(shown) > 1 and wide.measure(_table(result, shown)).maximum > _WIDTH:
        shown = shown[:-1]
    return _table(result, shown)


def _table(result: Result, shown: tuple[Metric, ...]) -> RenderableType:
    plan, summary = result.plan, result.summary
    power = _power(summary, shown)
    # Columns are two blanks apart but for the first two, so that the longest names of the catalogue fit 80 columns.
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    table.add_column(overflow="fold")
    table.add_column("elicits")
    for metric in shown:
        title = "\n".join(f" {word}" for word in metric.title.split())
        table.add_column(f"{title} %" if metric.percent else title, no_wrap=True)
    best = result.best
    for row in summary.standings:
        candidate = plan.candidates[row.candidate]
        style = "bold green" if candidate.loss == best else ""
        if row.error is not None:
            table.add_row(_label(candidate.name), Text("failed", style="red"), *["-" for _ in shown], style="red")
            continue
        cells = [_spread(row.scores[metric.name], metric, power) for metric in shown]
        elicits = (candidate.loss.elicits or "-").split()[0].removesuffix("ile")
        table.add_row(_label(candidate.name), elicits, *cells, style=style)
    constants = [_score(float(summary.constants[metric.name].mean()), metric, power) for metric in shown]
    table.add_row("─ best constant", "", *constants, style="dim")
    if summary.boosting is not None and summary.boosting.error is None:
        cells = [_score(summary.boosting.mean(metric.name), metric, power) for metric in shown]
        table.add_row("─ gradient boosting", "", *cells, style="dim")
    unit = f" Errors in units of 1e{power} {plan.profile.data.target}." if power else ""
    return Group(table, Text(f"± is the standard deviation over the {len(plan.splits)} splits.{unit}", style="dim"))


def _label(name: str) -> str:
    """Long hyper-parameters go on a line of their own."""
    head, bracket, tail = name.partition("(")
    if tail == ")":
        return head
    return name if len(name) <= 26 else f"{head}\n  {bracket}{tail}"


def _spread(scores: Numbers, metric: Metric, power: int) -> str:
    if not np.isfinite(scores).all():
        return ""
    scaled = scores * _factor(metric, power)
    mean, deviation = float(scaled.mean()), float(scaled.std(ddof=1))
    digits = _digits(mean)
    return f" {mean:.{digits}f} ± {deviation:.{min(digits, max(0, _digits(deviation) - 1))}f}"


def _score(value: float, metric: Metric, power: int) -> str:
    if not math.isfinite(value):
        return ""
    scaled = value * _factor(metric, power)
    return f" {scaled:.{_digits(scaled)}f}"


def _factor(metric: Metric, power: int) -> float:
    return 100.0 if metric.percent else 10.0**-power if metric.unit else 1.0


def _digits(value: float) -> int:
    """Decimals for three significant digits."""
    return 2 if value == 0 or not math.isfinite(value) else min(4, max(0, 2 - math.floor(math.log10(abs(value)))))


def _power(summary: Summary, shown: tuple[Metric, ...]) -> int:
    """A power of 1000 that brings errors in the target's unit to a size one can read."""
    sizes = [float(summary.constants[metric.name].mean()) for metric in shown if metric.unit]
    largest = max(sizes, default=0.0)
    if largest == 0 or 0.1 <= largest < 1e4:
        return 0
    return 3 * math.floor(math.log10(largest) / 3)


# ── the verdicts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _judgements(plan: Plan, summary: Summary, shown: tuple[Metric, ...]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for metric in shown:
        if metric.name in summary.verdicts:
            grid.add_row(f"Judged by {metric.title}", sentence(plan, summary.verdicts[metric.name], metric))
    return grid


def sentence(plan: Plan, verdict: Verdict, metric: Metric) -> str:
    """One metric's verdict in words."""
    names = [_plain(candidate) for candidate in plan.candidates]
    best, reference = names[verdict.best], names[verdict.reference]
    if verdict.recommended is None:
        return f"nothing beats the best constant beyond chance; {best} comes closest."
    tied = [names[each] for each in verdict.ties if each not in (verdict.best, verdict.reference)]
    if verdict.recommended == verdict.reference:
        if verdict.best == verdict.reference:
            if verdict.compared == 1:
                return f"{reference} beats the best constant" + (
                    "; no other loss gives probabilities." if len(names) > 1 else "; no other loss was compared."
                )
            lead = f"keep {reference}: no loss does better."
            also = f" {_and(tied)} {'ties' if len(tied) == 1 else 'tie'} with it." if tied else ""
        else:
            ahead = f"{best}: {_gain(verdict, metric)}, {_p(verdict.p)}"
            lead = f"keep {reference}: no loss is better beyond chance ({ahead})."
            also = f" {_and(tied)} {'ties' if len(tied) == 1 else 'tie'} too." if tied else ""
        return lead + also
    if verdict.p >= SIGNIFICANT:
        return f"use {best}: it beats the best constant beyond chance, which {reference} does not."
    won = f"better in {verdict.better_in} of {len(plan.splits)} splits ({_p(verdict.p)})"
    also = f" {_and(tied)} {'ties' if len(tied) == 1 else 'tie'} with it." if tied else ""
    return f"use {best}: {_gain(verdict, metric)} {reference}, {won}.{also}"


def _gain(verdict: Verdict, metric: Metric) -> str:
    direction = "above" if metric.higher else "below"
    if metric.percent:
        return f"{100 * verdict.difference:.2g} points {direction}"
    if metric.higher:
        return f"{verdict.difference:.2g} {direction}"
    return f"{100 * verdict.relative:.2g} % {direction}"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.1g}" if p < 0.1 else f"p = {p:.2g}"


# ── what to do now ───────────────────────────────────────────────────────────────────────────────────────────────────


def advice(profile: Profile, candidate: Candidate) -> str:
    """What has to be known to use the loss as it was used here."""
    loss, facts, target = candidate.loss, profile.facts, profile.data.target
    scaling = f"({target} - {_number(facts.center)}) / {_number(facts.scale)}"
    if candidate.own_scale:
        return f"{type(loss).__name__} has a scale of its own: it was trained on {scaling}; scale your target alike."
    if candidate.on_scale:
        names = _and(list(candidate.on_scale))
        return f"{names} is in units of {target}; if you divide the target by 10, divide {names} by 10 too."
    if not profile.classes:
        return f"Networks were trained on the scaled target, {scaling} over all rows."
    if isinstance(loss.target, Labels):
        low, high = loss.target.values
        first, second = profile.classes
        return f"The network ends in raw scores; the target is {low:g} for {first}, {high:g} for {second}."
    last = "no sigmoid" if profile.task == "binary" else "no softmax"
    coded = encode(loss, np.arange(len(profile.classes)), len(profile.classes))
    if coded.ndim > 1 or [f"{code:g}" for code in coded] == list(profile.classes):
        return f"The network ends in logits, {last}."
    pairs = [f"{code:g} for {name}" for code, name in zip(coded, profile.classes, strict=True)]
    return f"The network ends in logits, {last}; the target is {', '.join(pairs[:4])}{', …' if len(pairs) > 4 else ''}."


def _code(result: Result) -> list[RenderableType]:
    verdict = result.summary.verdicts.get(result.summary.ranked_by.name)
    if verdict is None or verdict.recommended is None:
        return [Text("No loss is recommended: more rows or better columns are needed before the loss matters.")]
    candidate = result.plan.candidates[verdict.recommended]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for framework, line in spelling.in_use(candidate.loss).items():
        grid.add_row(Text(framework, style="bold"), Text(line, overflow="fold"))
    return [grid, Text(advice(result.plan.profile, candidate), style="dim")]


def _notes(notes: tuple[str, ...]) -> list[Text]:
    return [Text(f"note: {note}", style="dim") for note in notes]


def _foot(result: Result) -> Text:
    plan = result.plan
    versions = [f"{package} {_versions()[package].partition('+')[0]}" for package in ("lossary", "torch")]
    return Text(" · ".join([plan_line(plan), f"data {plan.profile.data.digest[:12]}", *versions]), style="dim")


# ── as data ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _as_dict(result: Result) -> dict[str, Any]:
    plan, summary = result.plan, result.summary
    profile = plan.profile
    best = summary.verdicts.get(summary.ranked_by.name)
    recommended = None if best is None or best.recommended is None else plan.candidates[best.recommended]
    return {
        "schema": SCHEMA,
        "data": {
            "name": profile.data.name,
            "target": profile.data.target,
            "rows": profile.rows,
            "columns": profile.data.features.columns,
            "sha256": profile.data.digest,
        },
        "task": profile.task,
        "classes": list(profile.classes),
        "findings": list(profile.findings),
        "notes": [*profile.notes, *plan.notes],
        "plan": {
            "folds": plan.folds,
            "seeds": list(plan.seeds),
            "epochs": plan.budget.epochs,
            "patience": plan.budget.patience,
        },
        "ranked_by": summary.ranked_by.name,
        "metrics": [
            {"name": metric.name, "higher_is_better": metric.higher, "in_target_unit": metric.unit}
            for metric in summary.metrics
        ],
        "losses": [_row(result, row) for row in summary.standings],
        "references": {
            "best_constant": {name: _scores(scores) for name, scores in summary.constants.items()},
            "gradient_boosting": None
            if summary.boosting is None
            else {"error": summary.boosting.error, "scores": _all_scores(summary.boosting)},
        },
        "verdicts": [
            {
                "metric": metric.name,
                "best": repr(plan.candidates[verdict.best].loss),
                "reference": repr(plan.candidates[verdict.reference].loss),
                "recommended": None if verdict.recommended is None else repr(plan.candidates[verdict.recommended].loss),
                "difference": verdict.difference,
                "better_in": verdict.better_in,
                "splits": len(plan.splits),
                "p": verdict.p,
                "ties": [repr(plan.candidates[each].loss) for each in verdict.ties],
                "sentence": sentence(plan, verdict, metric),
            }
            for metric in summary.metrics
            if (verdict := summary.verdicts.get(metric.name)) is not None
        ],
        "recommended": None
        if recommended is None
        else {
            "loss": repr(recommended.loss),
            "config": recommended.loss.config(),
            "code": spelling.in_use(recommended.loss),
            "advice": advice(profile, recommended),
        },
        "command": result.command,
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _row(result: Result, row: Standing) -> dict[str, Any]:
    candidate = result.plan.candidates[row.candidate]
    mine = sorted((each for each in result.outcomes if each.candidate == row.candidate), key=lambda each: each.split)
    return {
        "loss": repr(candidate.loss),
        "config": candidate.loss.config(),
        "elicits": candidate.loss.elicits,
        "reason": candidate.reason,
        "stands_for": list(candidate.stands_for),
        "error": row.error,
        "scores": _all_scores(row),
        "trained": [each.loss for each in mine],  # with each fold's hyper-parameters, in the target's own units
        "epochs": [each.epochs for each in mine],
        "seconds": round(sum(each.seconds for each in mine), 3),
    }


def _all_scores(row: Standing) -> dict[str, Any]:
    return {name: _scores(scores) for name, scores in row.scores.items()}


def _scores(scores: Numbers) -> dict[str, Any] | None:
    """Mean, spread and each split's score; None where the metric is not defined."""
    if not np.isfinite(scores).all():
        return None
    return {"mean": float(scores.mean()), "deviation": float(scores.std(ddof=1)), "splits": scores.tolist()}


# ── words and numbers ────────────────────────────────────────────────────────────────────────────────────────────────


def _versions() -> dict[str, str]:
    return {"lossary": lossary.__version__, **{package: importlib.metadata.version(package) for package in _PACKAGES}}


def _plain(candidate: Candidate) -> str:
    return candidate.name.removesuffix("()")


def _number(value: float) -> str:
    return f"{value:,.{_digits(value) if abs(value) < 100 else 0}f}"


def _count(number: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
