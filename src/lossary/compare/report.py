"""Last stage: what the comparison found, as text for a terminal and as JSON."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import math
import platform
from typing import Any, final

import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import lossary
from lossary import spelling
from lossary.compare.plan import Plan
from lossary.compare.profile import Numbers, Profile
from lossary.compare.statistics import SIGNIFICANT, Metric, Standing, Summary, Verdict
from lossary.compare.suggest import REFERENCE, Candidate, encode, quantile_level
from lossary.compare.train import Outcome
from lossary.domain import Labels
from lossary.loss import Loss

SCHEMA = 1  # of the JSON; grows when a key changes its meaning

_WIDTH = 80
_COLUMNS = {"regression": 4, "binary": 3, "multiclass": 3}
_FEW_SPLITS = 5  # with fewer, the test has so few degrees of freedom that it sees little but luck
_WORDS = {
    "between": "the mean and the median",
    "biased": "probabilities that weights or smoothing shift",
}  # of the column "elicits"
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
            console.print(part, crop=False)
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
    shown = _shown(plan, summary)
    parts: list[RenderableType] = [_Tables(result, shown), Text(), _Judgements(plan, summary, shown)]
    parts += [Text(), *_code(result), Text(), *_notes(plan.notes), _foot(result)]
    return parts


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _shown(plan: Plan, summary: Summary) -> tuple[Metric, ...]:
    """The first few metrics, and every one that a quantile loss asked for is made for."""
    own = {f"pinball_{quantile_level(candidate)}" for candidate in plan.candidates}
    first = summary.metrics[: _COLUMNS[plan.profile.task]]
    return tuple(metric for metric in summary.metrics if metric in first or metric.name in own)


@final
@dataclasses.dataclass(frozen=True, eq=False)
class _Tables:
    """The metrics side by side as far as the width goes, and the others below."""

    result: Result
    shown: tuple[Metric, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, plan = options.max_width, self.result.plan
        power = _power(self.result.summary, self.shown)
        elicits = _natural_width(_table(self.result, self.shown[:1], power)) <= width
        blocks: list[tuple[Metric, ...]] = [()]
        for metric in self.shown:
            wider = (*blocks[-1], metric)
            if blocks[-1] and _natural_width(_table(self.result, wider, power, elicits)) > width:
                blocks.append((metric,))
            else:
                blocks[-1] = wider
        for block in blocks:
            yield _table(self.result, block, power, elicits)
        words = [_elicited(candidate.loss) for candidate in plan.candidates] if elicits else []
        legend = [f"{word}: {meaning}." for word, meaning in _WORDS.items() if word in words]
        if power:
            legend.append(f"Errors in units of 1e{power} {plan.profile.data.target}.")
        yield Text(" ".join([f"± is the standard deviation over the {len(plan.splits)} splits.", *legend]), style="dim")


def _natural_width(table: Table) -> int:
    return Console(width=10 * _WIDTH).measure(table).maximum


def _elicited(loss: Loss) -> str:
    """In a word, so that the table fits."""
    return (loss.elicits or "-").split()[0].removesuffix("ile")


def _table(result: Result, shown: tuple[Metric, ...], power: int, elicits: bool = True) -> Table:
    plan, summary = result.plan, result.summary
    # Columns are two blanks apart but for the first two, so that the longest names of the catalogue fit 80 columns.
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    table.add_column(overflow="fold")
    if elicits:
        table.add_column("elicits")
    for metric in shown:
        title = "\n".join(f" {word}" for word in metric.title.split())
        table.add_column(f"{title} %" if metric.percent else title, no_wrap=True)
    best = result.best
    for row in summary.standings:
        candidate = plan.candidates[row.candidate]
        style = "bold green" if candidate.loss == best else ""
        if row.error is not None:
            failed = ["failed", *[" -" for _ in shown]] if elicits else [" failed", *[" -" for _ in shown[1:]]]
            table.add_row(_label(candidate.name), *failed, style="red")
            continue
        cells = [_spread(row.scores[metric.name], metric, power) for metric in shown]
        table.add_row(_label(candidate.name), *[_elicited(candidate.loss)][: int(elicits)], *cells, style=style)
    constants = [_score(float(summary.constants[metric.name].mean()), metric, power) for metric in shown]
    table.add_row("─ best constant", *[""][: int(elicits)], *constants, style="dim")
    if summary.boosting is not None and summary.boosting.error is None:
        cells = [_score(summary.boosting.mean(metric.name), metric, power) for metric in shown]
        table.add_row("─ gradient boosting", *[""][: int(elicits)], *cells, style="dim")
    return table


def _label(name: str) -> str:
    """Long hyper-parameters go on a line of their own."""
    head, bracket, tail = name.partition("(")
    if tail == ")":
        return head
    return name if len(name) <= 26 else f"{head}\n  {bracket}{tail}"


def _spread(scores: Numbers, metric: Metric, power: int) -> str:
    if not np.isfinite(scores).all():
        return " -"
    scaled = scores * _factor(metric, power)
    mean, deviation = float(scaled.mean()), float(scaled.std(ddof=1))
    digits = _digits(mean)
    return f" {mean:.{digits}f} ± {deviation:.{min(digits, max(0, _digits(deviation) - 1))}f}"


def _score(value: float, metric: Metric, power: int) -> str:
    if not math.isfinite(value):
        return " -"
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


@final
@dataclasses.dataclass(frozen=True, eq=False)
class _Judgements:
    """The verdicts beside what they are by, or below it where their longest word needs the room."""

    plan: Plan
    summary: Summary
    shown: tuple[Metric, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        said = {
            f"Judged by {metric.title}": sentence(self.plan, self.summary.verdicts[metric.name], metric)
            for metric in self.shown
            if metric.name in self.summary.verdicts
        }
        longest = max(len(word) for each in said.values() for word in each.split())
        if max(map(len, said)) + 2 + longest > options.max_width:
            for title, each in said.items():
                yield Text(title, style="bold")
                yield Padding(Text(each, overflow="fold"), (0, 0, 0, 2))
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, style="bold")
        grid.add_column()
        for title, each in said.items():
            grid.add_row(title, Text(each))
        yield grid


def sentence(plan: Plan, verdict: Verdict, metric: Metric) -> str:
    """One metric's verdict in words."""
    names = [_plain(candidate) for candidate in plan.candidates]
    best, reference = names[verdict.best], names[verdict.reference]
    if verdict.recommended is None:
        if verdict.ahead and _few(plan):
            return f"{best} is ahead of the best constant, but {_too_few(plan)}."
        return f"nothing beats the best constant beyond chance; {best} comes closest."
    keep = "keep" if type(plan.candidates[verdict.reference].loss).__name__ == REFERENCE[plan.profile.task] else "take"
    tied = [names[each] for each in verdict.ties if each not in (verdict.best, verdict.reference)]
    if verdict.recommended == verdict.reference:
        if verdict.best == verdict.reference:
            if verdict.compared == 1:
                return f"{reference} beats the best constant" + (
                    "; no other loss gives probabilities." if len(names) > 1 else "; no other loss was compared."
                )
            lead = f"{keep} {reference}: no loss does better."
            also = f" {_and(tied)} {'ties' if len(tied) == 1 else 'tie'} with it." if tied else ""
        else:
            ahead = f"{best}: {_gain(verdict, metric)}" + (f", {_p(verdict.p)}" if verdict.p < 0.995 else "")
            why = _too_few(plan) if _few(plan) else "no loss is better beyond chance"
            lead = f"{keep} {reference}: {why} ({ahead})."
            also = f" {_and(tied)} {'ties' if len(tied) == 1 else 'tie'} too." if tied else ""
        return lead + also
    if verdict.p >= SIGNIFICANT:
        return f"use {best}: it beats the best constant beyond chance, which {reference} does not."
    won = f"better in {verdict.better_in} of {len(plan.splits)} splits ({_p(verdict.p)})"
    also = f" {_and(tied)} {'ties' if len(tied) == 1 else 'tie'} with it." if tied else ""
    return f"use {best}: {_gain(verdict, metric)} {reference}, {won}.{also}"


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
        return [Text(f"No loss is recommended by {result.summary.ranked_by.title}: {_why_none(result, verdict)}.")]
    candidate = result.plan.candidates[verdict.recommended]
    return [_Code(spelling.in_use(candidate.loss)), Text(advice(result.plan.profile, candidate), style="dim")]


def _why_none(result: Result, verdict: Verdict | None) -> str:
    """What stands in the way of a recommendation, and what to do about it."""
    plan = result.plan
    if verdict is None:
        return "no loss can be judged by it; name another --metric"
    if verdict.ahead and _few(plan):
        return _too_few(plan)
    trained = [outcome.epochs for outcome in result.outcomes if outcome.candidate == verdict.best]
    unfinished = np.mean(np.array(trained) + plan.budget.patience > plan.budget.epochs) > 0.5
    if unfinished and (verdict.learnable or not plan.boosting):
        return f"{_count(plan.budget.epochs, 'epoch')} did not finish the training: raise --epochs"
    if verdict.learnable:
        return "gradient boosting learns from these columns what the small network does not; the loss is not at fault"
    return "more rows or better columns are needed before the loss matters"


@final
@dataclasses.dataclass(frozen=True, eq=False)
class _Code:
    """Lines to copy, which must not be broken: one that is too long has a line of its own, as long as it takes."""

    lines: dict[str, str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        indent = max(map(len, self.lines)) + 2
        for framework, line in self.lines.items():
            name = Text(framework.ljust(indent), style="bold")
            if indent + len(line) <= options.max_width:
                yield Text.assemble(name, line)
            else:
                yield name
                yield Text(line, no_wrap=True, overflow="ignore")


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
