"""The report as text, at 80 columns: each finding answers first, explains next, and ends with what to do."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lossary.check.report.report import LossReport, Report
    from lossary.check.run.ask import Finding

_WIDTH = 80
_INDENT = 15  # columns before what a finding says
_TIED = "\N{NO-BREAK SPACE}"  # in what is not to be broken
Heading = Callable[[str], str]


def text(report: Report, *, verbose: bool = False, heading: Heading = str) -> str:
    """Loss by loss, those that nothing is to be said of one below the other, and the summary."""
    blocks = [loss(each, verbose=verbose, heading=heading) for each in report.losses]
    short = [block.count("\n\n") == 0 for block in blocks]
    apart = ["" if here and following else "\n" for here, following in zip(short, [*short[1:], False], strict=True)]
    return "".join(block + gap for block, gap in zip(blocks, apart, strict=True)) + summary(report)


def loss(report: LossReport, *, verbose: bool = False, heading: Heading = str) -> str:
    """A loss: what it is taken for, and what was found."""
    title = f"{report.name}: {', '.join(report.inferred)} [inferred]" if report.inferred else report.name
    lines = _wrapped(title, "    ")
    lines[0] = lines[0].replace(report.name, heading(report.name), 1)
    if report.note:
        lines += _wrapped(report.note, "    ", "    ")
    for each in report.findings:
        lines += ["", *finding(each, heading=heading)]
    if report.findings and report.instead:
        lines += ["", *_labelled("instead", [f"{report.instead} computes the same, and keeps these promises."])]
    if report.precision is not None:
        lines += ["", *report.precision.text.splitlines()]
    if verbose:
        lines += ["", *_others(report)]
    return "\n".join(lines) + "\n"


def finding(finding: Finding, *, heading: Heading = str) -> list[str]:
    """A broken promise: what happened, what was promised, how to see it, what to do."""
    place, code = f"{finding.place}  ", f"{finding.code} {finding.severity:<7}"
    first, *rest = _wrapped(f"{place}{code}  {finding.message}", " " * _INDENT)
    lines = [first.replace(code, heading(code), 1), *rest, *_labelled("promised", [_clause(finding.promise)])]
    if finding.reproducer:
        lines += _labelled("reproduce", pasted(finding), wrap=False)
    pointer = f"lossary show {finding.code}".replace(" ", _TIED)
    return [*lines, *_labelled("help", [f"{_sentence(finding.help)}  {pointer}"])]


def pasted(finding: Finding) -> list[str]:
    """The lines that show it, the last with what it prints as a comment."""
    lines = [part for line in finding.reproducer.splitlines() for part in _folded(line)]
    if not finding.observed:
        return lines
    comment = textwrap.shorten(f"# {finding.observed}", _WIDTH - _INDENT, placeholder=" …")
    if len(lines[-1]) + 2 + len(comment) <= _WIDTH - _INDENT:
        return [*lines[:-1], f"{lines[-1]}  {comment}"]
    return [*lines, comment]


def summary(report: Report) -> str:
    """The last line: how many of what."""
    errors, warnings = len(report.errors), len(report.warnings)
    expected = sum(each.status == "expected" for loss in report.losses for each in loss.outcomes)
    asked = sum(loss.applied for loss in report.losses)
    total = sum(len(loss.outcomes) for loss in report.losses)
    counts = [_count(errors, "error"), _count(warnings, "warning")] + ([f"{expected} expected"] if expected else [])
    many = [f"{len(report.losses)} losses"] if len(report.losses) > 1 else []
    return " · ".join([*many, ", ".join(counts), f"{asked} of {total} rules apply", f"{report.seconds:.1f} s"]) + "\n"


def _others(report: LossReport) -> list[str]:
    """The rules that found nothing, those with the same reason together."""
    groups: dict[str, list[str]] = {}
    for each in report.outcomes:
        if each.finding is None or each.status == "expected":
            reasons = {"passed": "passed", "skipped": f"does not apply: {each.reason}"}
            groups.setdefault(reasons.get(each.status, f"fails as expected: {each.reason}"), []).append(each.rule)
    return [
        line
        for reason, codes in sorted(groups.items())
        for line in _wrapped(f"    {reason}: {' '.join(codes)}", " " * 8)
    ]


def _labelled(label: str, entries: list[str], *, wrap: bool = True) -> list[str]:
    """A label, and what belongs to it to the right of it."""
    lines = [line for each in entries for line in (textwrap.wrap(each, _WIDTH - _INDENT) if wrap else [each])]
    lines = [line.replace(_TIED, " ") for line in lines]
    return [f"    {label if not index else '':<{_INDENT - 4}}{line}" for index, line in enumerate(lines)]


def _folded(line: str) -> list[str]:
    """A line of code as several that mean the same, where it is too long and can be broken between words."""
    width = _WIDTH - _INDENT
    try:
        body = ast.parse(line).body
    except SyntaxError:
        return [line]
    parts: list[str] = []
    for each in body:
        statement = line[each.col_offset : each.end_col_offset]
        if parts and len(parts[-1]) + 2 + len(statement) <= width:
            parts[-1] += f"; {statement}"
        else:
            parts.append(statement)
    return [piece for part in parts for piece in _broken(part, width)]


def _broken(statement: str, width: int) -> list[str]:
    """A statement broken within its brackets; as it is, where the words it could be broken between are text."""
    lines = textwrap.wrap(
        statement, width, break_long_words=False, break_on_hyphens=False, subsequent_indent="    ", tabsize=1
    )
    try:
        same = ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(statement))
    except SyntaxError:
        return [statement]
    return lines if same else [statement]


def _wrapped(text: str, following: str, first: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _clause(text: str) -> str:
    """A sentence as what follows a label."""
    first = text.partition(" ")[0]
    plain = first[1:] == first[1:].lower()  # NaN is no word that begins a sentence
    return (text[:1].lower() + text[1:] if plain else text).removesuffix(".")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
