"""What the comparison found, as text for a terminal."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, final

import numpy as np
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lossary.compare.metrics import Metric
from lossary.compare.plan import Plan
from lossary.compare.profile import Numbers, Profile
from lossary.compare.report import words
from lossary.compare.report.document import versions
from lossary.compare.statistics import Summary
from lossary.define import spelling
from lossary.define.loss import Loss

if TYPE_CHECKING:
    from lossary.compare.report.result import Result

_WIDTH = 80
_WORDS = {
    "centre": "of symmetric targets; of skewed ones neither mean nor median",
    "likelier": "the likelier class",
    "biased": "probabilities that weights or smoothing shift",
}  # of the column "estimates"


def rendered(console: Console, *parts: RenderableType) -> str:
    """The text that `console` would print, without the blanks that fill its lines."""
    with console.capture() as capture:
        for part in parts:
            console.print(part, crop=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def heading(profile: Profile) -> list[Text]:
    """What the data are, in two lines, and what was done to them; known before anything is trained."""
    headline, findings = words.headline(profile), " · ".join(profile.findings)
    return [Text(_printable(headline), style="bold"), Text(_printable(findings)), *_notes(profile.notes)]


def body(result: Result) -> list[RenderableType]:
    """What follows the heading: table, verdicts, code and foot."""
    plan, summary = result.plan, result.summary
    shown = words.shown_metrics(plan, summary)
    parts: list[RenderableType] = [_Tables(result, shown), *_errors(result), Text()]
    parts.append(_Judgements(plan, summary, shown))
    parts += [Text(), *code(result), Text(), *_notes(plan.notes), _foot(result)]
    return parts


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────────


@final
@dataclasses.dataclass(frozen=True, eq=False)
class _Tables:
    """The metrics side by side as far as the width goes, and the others below."""

    result: Result
    shown: tuple[Metric, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, plan = options.max_width, self.result.plan
        sizes = [float(self.result.summary.constants[each.name].mean()) for each in self.shown if each.unit]
        power = words.power(sizes)
        estimates = _natural_width(_table(self.result, self.shown[:1], power)) <= width
        blocks: list[tuple[Metric, ...]] = [()]
        for metric in self.shown:
            wider = (*blocks[-1], metric)
            if blocks[-1] and _natural_width(_table(self.result, wider, power, estimates)) > width:
                blocks.append((metric,))
            else:
                blocks[-1] = wider
        for block in blocks:
            yield _table(self.result, block, power, estimates)
        used = [_estimated(candidate.loss) for candidate in plan.candidates] if estimates else []
        legend = [f"{word}: {meaning}." for word, meaning in _WORDS.items() if word in used]
        if power:
            legend.append(f"Errors in units of 1e{power} {plan.profile.data.target}.")
        yield Text(" ".join([f"± is the standard deviation over the {len(plan.splits)} splits.", *legend]), style="dim")


def _natural_width(table: Table) -> int:
    return Console(width=10 * _WIDTH).measure(table).maximum


def _estimated(loss: Loss) -> str:
    """In a word, so that the table fits."""
    return (loss.estimates or "-").split()[0].removesuffix("ile")


def _table(result: Result, shown: tuple[Metric, ...], power: int, estimates: bool = True) -> Table:
    plan, summary = result.plan, result.summary
    # Columns are two blanks apart but for the first two, so that the longest names of the catalogue fit 80 columns.
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    table.add_column(overflow="fold")
    if estimates:
        table.add_column("estimates")
    for metric in shown:
        title = "\n".join(f" {word}" for word in metric.title.split())
        table.add_column(f"{title} %" if metric.percent else title, no_wrap=True)
    best = result.best
    for row in summary.standings:
        candidate = plan.candidates[row.candidate]
        style = "bold green" if candidate.loss == best else ""
        if row.error is not None:
            what = "unfinished" if row.unfinished else "failed"
            cells = [what, *[" -" for _ in shown]] if estimates else [f" {what}", *[" -" for _ in shown[1:]]]
            table.add_row(_label(candidate.name), *cells, style="dim" if row.unfinished else "red")
            continue
        cells = [_spread(row.scores[metric.name], metric, power) for metric in shown]
        table.add_row(_label(candidate.name), *[_estimated(candidate.loss)][: int(estimates)], *cells, style=style)
    constants = [_score(float(summary.constants[metric.name].mean()), metric, power) for metric in shown]
    table.add_row("─ best constant", *[""][: int(estimates)], *constants, style="dim")
    for name, reference in (("linear model", summary.linear), ("gradient boosting", summary.boosting)):
        if reference is not None and reference.error is None:
            cells = [_score(reference.mean(metric.name), metric, power) for metric in shown]
            table.add_row(f"─ {name}", *[""][: int(estimates)], *cells, style="dim")
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
    return " " + " ± ".join(words.spread(float(scaled.mean()), float(scaled.std(ddof=1))))


def _score(value: float, metric: Metric, power: int) -> str:
    if not math.isfinite(value):
        return " -"
    scaled = value * _factor(metric, power)
    return f" {scaled:.{words.digits(scaled)}f}"


def _factor(metric: Metric, power: int) -> float:
    return 100.0 if metric.percent else 10.0**-power if metric.unit else 1.0


@final
@dataclasses.dataclass(frozen=True, eq=False)
class _Judgements:
    """The verdicts beside what they are by, or below it where their longest word needs the room."""

    plan: Plan
    summary: Summary
    shown: tuple[Metric, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        sentences = {
            f"Judged by {metric.title}": words.sentence(self.plan, self.summary.verdicts[metric.name], metric)
            for metric in self.shown
            if metric.name in self.summary.verdicts
        }
        longest = max(len(word) for each in sentences.values() for word in each.split())
        if max(map(len, sentences)) + 2 + longest > options.max_width:
            for title, each in sentences.items():
                yield Text(title, style="bold")
                yield Padding(Text(each, overflow="fold"), (0, 0, 0, 2))
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, style="bold")
        grid.add_column()
        for title, each in sentences.items():
            grid.add_row(title, Text(each))
        yield grid


def code(result: Result) -> list[RenderableType]:
    """The lines to copy, or why there are none."""
    verdict = result.summary.verdicts.get(result.summary.ranked_by.name)
    if verdict is None or verdict.recommended is None:
        why = words.why_none(result.plan, result.outcomes, verdict)
        return [Text(f"No loss is recommended by {result.summary.ranked_by.title}: {why}.")]
    candidate = result.plan.candidates[verdict.recommended]
    advice = Text(_printable(words.advice(result.plan.profile, candidate)), style="dim")
    return [_Code(spelling.in_use(candidate.loss, **words.options(result.plan.profile, candidate))), advice]


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


def _errors(result: Result) -> list[Text]:
    """Why losses have no scores."""
    rows = [row for row in result.summary.standings if row.error is not None and not row.unfinished]
    lines = [f"{words.plain(result.plan.candidates[row.candidate])} failed: {row.error}" for row in rows]
    return [Text(_printable(each), style="red") for each in lines]


def _notes(notes: tuple[str, ...]) -> list[Text]:
    return [Text(_printable(f"note: {note}"), style="dim") for note in notes]


def _printable(text: str) -> str:
    """Names come with the data, and a terminal obeys what it is sent."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _foot(result: Result) -> Text:
    plan = result.plan
    version_of = versions(plan)
    packages = [f"{package} {version_of[package].partition('+')[0]}" for package in ("lossary", plan.framework)]
    return Text(" · ".join([words.plan_line(plan), f"data {plan.profile.data.digest[:12]}", *packages]), style="dim")
