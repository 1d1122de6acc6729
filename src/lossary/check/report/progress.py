"""How far a check is: a bar, where there is a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lossary.check.run.ask import Outcome


@final
class Display:
    """A bar that goes when it is full."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._line: TaskID | None = None

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._bar.disable:  # before 14.3, Rich ends a bar that it has not shown with an empty line
            self._bar.stop()

    def begin(self, count: int) -> None:
        """The losses are known, and so many questions will be asked."""
        self._line = self._bar.add_task("", total=count)
        self._bar.start()

    def advance(self, outcome: Outcome) -> None:
        """One of them was answered."""
        if self._line is not None:
            self._bar.update(self._line, advance=1, description=outcome.rule)
