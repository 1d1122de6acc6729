"""A finished comparison."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, final

from rich.console import Console, Group, RenderableType
from rich.text import Text

from lossary.compare.plan import Plan
from lossary.compare.prediction import Outcome
from lossary.compare.report import document, terminal
from lossary.compare.statistics import Summary
from lossary.compare.suggest import Candidate
from lossary.define.loss import Loss

_WIDTH = 80


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A finished comparison: `print(result)`, `result.best`, `result.write("report.html")`."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    summary: Summary
    command: str

    @property
    def recommended(self) -> Candidate | None:
        """What the metric that ranks recommends; None where nothing beats the best constant."""
        verdict = self.summary.verdicts.get(self.summary.ranked_by.name)
        if verdict is None or verdict.recommended is None:
            return None
        return self.plan.candidates[verdict.recommended]

    @property
    def best(self) -> Loss | None:
        """The loss recommended by the metric that ranks; None where nothing beats the best constant."""
        return None if self.recommended is None else self.recommended.loss

    def __str__(self) -> str:
        console = Console(width=_WIDTH, no_color=True, highlight=False, force_terminal=False)
        return terminal.rendered(console, self)

    def __rich__(self) -> RenderableType:
        return Group(*terminal.heading(self.plan.profile), Text(), self.body())

    def body(self) -> RenderableType:
        """What follows the heading: table, verdicts, code and foot."""
        return Group(*terminal.body(self))

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON-able data; `lossary/compare/report/schema.json` describes it."""
        return document.document(self)

    def to_json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_html(self) -> str:
        """Everything, as one page that opens without a network."""
        from lossary.compare.report import page  # the charts' library takes a moment to load

        return page.page(self.as_dict())

    def write(self, path: str | Path) -> Path:
        """Write the report: JSON where the path ends so, HTML otherwise.

        Raises:
            OSError: the path cannot be written.
        """
        path = Path(path)
        path.write_text(self.to_json() if path.suffix == ".json" else self.to_html(), encoding="utf-8")
        return path
