"""What a person sees while the work is done: a bar where there is a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from lossary.compare.plan import Plan
from lossary.compare.prediction import Outcome

_SILENCE = 10.0  # seconds between two lines where there is no terminal: short runs say nothing


@final
class Display:
    """Tells how far a plan is, what failed, and how long the rest will take."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Left())
        self._bar = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self._line: TaskID | None = None
        self._plan: Plan | None = None
        self._title = ""
        self._failed: set[int] = set()
        self._done = self._resumed = self._total = 0
        self._began = self._last_report = time.monotonic()

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._bar.disable:  # before 14.3, Rich ends a bar that it has not shown with an empty line
            self._bar.stop()

    def begin(self, plan: Plan, title: str) -> None:
        """The plan is known: the work begins."""
        self._plan, self._title = plan, title
        self._total = sum(len(unit.splits) for unit in plan.units)
        self._began = self._last_report = time.monotonic()
        self._line = self._bar.add_task(escape(title), total=self._total, left=None)
        self._bar.start()

    def advance(self, outcome: Outcome) -> None:
        """A training came to its end."""
        self._done += 1
        self._resumed += outcome.resumed
        if self._line is not None:
            self._bar.update(self._line, completed=self._done, left=self._left())
        if outcome.error is not None:
            self._fail(outcome.candidate, outcome.error)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_report > _SILENCE and self._done < self._total:
            self._last_report = now
            self._say(f"{self._title}: {self._done} of {self._total}, {_clock(self._left())} left")

    def note(self, text: str) -> None:
        """One line that stays."""
        if not self._quiet:
            self._console.print(Text(f"note: {text}"), soft_wrap=True)

    @property
    def resumed(self) -> int:
        """How many trainings an earlier run had done."""
        return self._resumed

    def _fail(self, candidate: int, error: str) -> None:
        if candidate in self._failed or self._plan is None:
            return
        self._failed.add(candidate)
        name = self._plan.candidates[candidate].name.removesuffix("()") if candidate >= 0 else "a reference"
        self._say(f"{name} failed: {error}", style="red")

    def _say(self, text: str, style: str = "") -> None:
        if not self._quiet:
            self._console.print(Text(text, style=style), soft_wrap=True)

    def _left(self) -> float | None:
        """Seconds, from what was done in this run; None before anything was."""
        fresh = self._done - self._resumed
        return (time.monotonic() - self._began) / fresh * (self._total - self._done) if fresh else None


@final
class _Left(ProgressColumn):
    """The time that is left, counting down between two trainings."""

    def render(self, task: Task) -> Text:
        left = task.fields["left"]
        return Text("" if left is None or task.finished else f"{_clock(left)} left", style="progress.remaining")


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "-:--:--"
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
