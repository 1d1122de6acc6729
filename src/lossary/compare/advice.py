"""Which losses are worth a try on a table, in which order and why, before anything is trained."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, final

from lossary.compare import data, profile, suggest
from lossary.compare.metrics import Metric, check_metric, metrics_for
from lossary.compare.profile import Profile
from lossary.compare.suggest import Candidate, Suggestion

SCHEMA = 1  # of the JSON; grows when a key changes its meaning

_WIDTH = 80
_LONGEST = 32  # a name that is longer has a line of its own
_MOST = 6  # names of losses that are left out for one reason; the JSON has all of them


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Advice:
    """What the data are, and the losses as they are recommended: `print(advice)`, `advice.best`, `advice.as_dict()`."""

    profile: Profile
    suggestion: Suggestion
    metric: Metric  # what the ranking is to serve
    proof: str  # how to have it proved by training

    @property
    def best(self) -> Candidate:
        """The loss to try first."""
        return self.suggestion.ranked[0]

    def __str__(self) -> str:
        return self.text()

    def text(self, heading: Callable[[str], str] = str) -> str:
        """All of it at 80 columns; `heading` makes what it is given stand out."""
        described = self.profile.data
        first = (
            f"{described.name} · {_counted(self.profile.rows, 'row')} · "
            f"{_counted(described.features.width, 'column')} · target {described.target}"
        )
        lines = [heading(first), *_wrapped(" · ".join(self.profile.findings))]
        lines += [line for note in self.profile.notes for line in _wrapped(f"note: {note}", "      ")]
        lines += ["", f"Ranked for {self.metric.title}:", *self._rows(heading), ""]
        lines += ["No model was trained. To see it proved:", f"  {self.proof}"]
        return "\n".join(lines) + "\n"

    def _rows(self, heading: Callable[[str], str]) -> list[str]:
        ranked = self.suggestion.ranked
        rows = [(str(place), each.name, each.reason) for place, each in enumerate(ranked, 1)]
        rows += [("-", _listed(names), reason) for reason, names in self._rejections().items()]
        indent = 3 + min(_LONGEST, max(len(each.name) for each in ranked)) + 2
        lines = []
        for mark, name, reason in rows:
            label = f"{mark:<3}{name}"
            styled = heading(label) if mark == "1" else label
            if len(label) + 2 > indent:
                lines += _wrapped(label, "   ") if styled == label else [styled]
                lines += [" " * indent + line for line in _wrapped(reason, width=_WIDTH - indent)]
            else:
                first, *rest = _wrapped(reason, width=_WIDTH - indent) or [""]
                lines += [styled + " " * (indent - len(label)) + first, *(" " * indent + line for line in rest)]
        return [line.rstrip() for line in lines]

    def _rejections(self) -> dict[str, list[str]]:
        """Names by the reason why they are not suggested."""
        grouped: dict[str, list[str]] = {}
        for name, reason in self.suggestion.rejected:
            grouped.setdefault(_plural(reason) if self._shared(reason) else reason, []).append(name)
        return grouped

    def _shared(self, reason: str) -> bool:
        return sum(other == reason for _, other in self.suggestion.rejected) > 1

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON-able data."""
        return {
            "schema": SCHEMA,
            "data": {
                "name": self.profile.data.name,
                "target": self.profile.data.target,
                "rows": self.profile.rows,
                "columns": {kind: list(names) for kind, names in self.profile.kinds.items()},
                "sha256": self.profile.data.digest,
            },
            "task": self.profile.task,
            "ranked_by": self.metric.name,
            "classes": list(self.profile.classes),
            "ordered": self.profile.ordered,
            "findings": list(self.profile.findings),
            "notes": [*self.profile.notes, *self.suggestion.notes],
            "suggested": [
                {
                    "loss": each.name,
                    "config": each.loss.config(),
                    "estimates": each.loss.estimates,
                    "reason": each.reason,
                    "settings": [repr(own) for own in each.settings(self.profile.facts)],
                    "stands_for": list(each.stands_for),
                }
                for each in self.suggestion.ranked
            ],
            "rejected": [{"loss": name, "reason": reason} for name, reason in self.suggestion.rejected],
            "proof": self.proof,
        }

    def to_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def advise(
    source: Any,
    target: str | None = None,
    *,
    task: str | None = None,
    metric: str | None = None,
    levels: Iterable[float] = (),
    losses: Iterable[str] = (),
    exclude: Iterable[str] = (),
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    missing: str | float | None = None,
    drop: Iterable[str] = (),
    proof: str | None = None,
) -> Advice:
    """Look at the data and rank the losses that fit them; nothing is trained but one linear fit.

    Args:
        source: a path (CSV, TSV, Parquet), the name of a built-in set, any data-frame, or arrays (X, y).
        target: the column to predict; built-in sets and arrays know theirs.
        task: "regression", "binary" or "multiclass"; inferred from the target otherwise.
        metric: what the losses are to serve; MAE or balanced accuracy otherwise.
        levels: the quantiles wanted, each above 0 and below 1.
        losses, exclude: names of losses to rank, or to leave out.
        group, time, weight, missing, drop: as in `compare`.
        proof: what to show as the way to have it proved.

    Raises:
        DataError: no such data, or nothing in them to learn from.
        ParameterError, UnknownNameError: an option that does not fit.
    """
    levels = tuple(levels)
    if metric is None and len(levels) == 1:
        metric = f"pinball_{levels[0]}"
    profile.check(task)
    suggest.check_levels(levels)
    check_metric(metric)
    for loss in (*(losses := tuple(losses)), *(exclude := tuple(exclude))):
        suggest.parse(loss)
    read = data.read(source, target, group=group, time=time, weight=weight, missing=missing, drop=drop)
    profiled = profile.profile(read, task)
    suggest.check_levels(levels, profiled.task)
    judged = metrics_for(profiled.task, metric, levels)[0]
    suggestion = suggest.suggest(profiled, losses, exclude, metric=judged.name, levels=levels)
    return Advice(profiled, suggestion, judged, proof or _call(source, read.target))


def _wrapped(text: str, indent: str = "", width: int = _WIDTH) -> list[str]:
    """Lines of at most so many columns; a number stays with its per cent."""
    joined = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.wrap(joined, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _listed(names: list[str]) -> str:
    """The names, the everyday ones first; of many, some."""
    if len(names) <= _MOST:
        return ", ".join(names)
    return f"{', '.join(names[: _MOST - 1])} and {len(names) - _MOST + 1} more"


def _call(source: Any, target: str) -> str:
    """The Python that trains with the same data."""
    if isinstance(source, tuple):
        return "compare((X, y))"
    return (
        f"compare({str(source)!r}, target={target!r})"
        if isinstance(source, str | Path)
        else f"compare(data, {target!r})"
    )


def _plural(reason: str) -> str:
    """The reason of one loss as that of several: "predicts a number" becomes "predict a number"."""
    verb, _, rest = reason.partition(" ")
    return f"{ {'is': 'are', 'has': 'have'}.get(verb, verb.removesuffix('s')) } {rest}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
