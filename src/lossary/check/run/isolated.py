"""Check the losses of files and modules in a child process, whatever they do to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

from lossary.check.report.report import LossReport, Precision, Report
from lossary.check.rulebook import expectations, rule
from lossary.check.rulebook.rule import Failure, Rule
from lossary.check.run.ask import FIRST, Finding, Outcome, finding_of, in_turn, patience
from lossary.check.run.child import Child, Lost
from lossary.check.run.configuration import Configuration
from lossary.errors import DataError

_GRACE = 5.0  # seconds after its own alarm that the child has to say so
_IMPORT = 300.0  # seconds for the import of the files, and of the frameworks that they import
_FRAMEWORK = 30.0  # seconds more for the first look at a loss, which may have to import its framework
_MEASURING = 300.0  # seconds to find out how exact a loss is
_LOST = 3  # processes that one loss may cost


def check(
    targets: Sequence[str],
    configuration: Configuration,
    *,
    on_losses: Callable[[int], None] = lambda count: None,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> Report:
    """Ask the rules of every loss that the targets name.

    Args:
        targets: files, folders, "file.py::name" or "package.module:name".
        configuration: what is told.
        on_losses, on_outcome: told, before the first rule, how many questions there are, and what came of each.

    Raises:
        LossaryError: a target, a rule or an option that is not there, or a file that cannot be imported.
    """
    began = time.perf_counter()
    rules = rule.select(configuration.select, configuration.ignore, thorough=configuration.thorough)
    expectations.validated(configuration.expected_failures)
    with Child() as child:
        examiner = _Examiner(child, tuple(targets), configuration, on_outcome)
        losses = examiner.losses()
        on_losses(len(losses) * len(rules))
        reports = [examiner.examined(index, loss, rules, alone=len(losses) == 1) for index, loss in enumerate(losses)]
    reports = list(expectations.applied(reports, configuration))
    return Report(tuple(reports), time.perf_counter() - began, configuration.seed)


def announced(targets: Sequence[str]) -> str:
    """The sentence that a person must see before anything is run; "" where nothing of theirs is."""
    homes = list(dict.fromkeys(home for target in targets if (home := _home(target))))
    verb = "is" if len(homes) == 1 else "are"
    return f"{', '.join(homes)} {verb} imported and run in a child process.\n" if homes else ""


def _home(target: str) -> str:
    """The file, folder or module of a target, if there is one; on Windows a file may have a drive in front."""
    path = target.partition("::")[0]
    module, mark, _ = target.partition(":")
    return path if Path(path).exists() else module if mark and "::" not in target else ""


@final
class _Loss:
    """A loss as the child names it."""

    def __init__(self, name: str, path: str, line: int) -> None:
        self.name, self.path, self.line = name, path, line


@final
class _Examiner:
    """Asks a child, and gets it back to where it was after it was lost."""

    def __init__(
        self,
        child: Child,
        targets: tuple[str, ...],
        configuration: Configuration,
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        self._child, self._targets, self._configuration = child, targets, configuration
        self._on_outcome = on_outcome
        self._imported = False  # whether the child, which may be a new one, has the targets
        self._current: int | None = None  # the loss that the child is at

    def losses(self) -> list[_Loss]:
        """Import the targets in the child, and say what is in them."""
        request = {"ask": "losses", "targets": self._targets, "configuration": self._configuration.as_dict()}
        try:
            entries = self._answer(request, _IMPORT)["losses"]
        except Lost as lost:
            raise DataError(
                f"{', '.join(self._targets)}, while it was imported, {lost}.",
                hint='what a file does beside defining losses belongs under if __name__ == "__main__".',
            ) from None
        self._imported = True
        return [_Loss(**each) for each in entries]

    def examined(self, index: int, loss: _Loss, rules: Sequence[Rule], *, alone: bool) -> LossReport:
        """What all rules say of one loss; of what it is, if nothing is known.

        Raises:
            DataError: it is alone, and nothing is known of it.
        """
        began = time.perf_counter()
        try:
            facts, silent = self._inferred(index, loss)
        except DataError as error:
            if alone:
                raise
            return LossReport(loss.name, loss.path, loss.line, (), (), 0.0, note=f"Not checked: {error}")
        lost = 0

        def answer(each: Rule) -> Outcome:
            nonlocal lost
            if silent is not None:  # then nothing but the first rule is asked
                return Outcome(FIRST, "failed", silent)
            if lost >= _LOST:
                return Outcome(each.code, "skipped", reason=f"the loss has cost {_LOST} processes already")
            try:
                return self._outcome(index, loss, each)
            except Lost as error:
                lost += 1
                return Outcome(each.code, "failed", finding_of(each, loss, Failure(str(error))))

        outcomes = []
        if silent is not None and all(each.code != FIRST for each in rules):
            rules = [rule.find(FIRST), *rules]
        for outcome in in_turn(rules, answer):
            outcomes.append(outcome)
            self._on_outcome(outcome)
        return LossReport(
            loss.name,
            loss.path,
            loss.line,
            tuple(facts.get("inferred", ())),
            tuple(outcomes),
            time.perf_counter() - began,
            note=_note(outcomes, lost),
            instead=facts.get("instead", ""),
            precision=self._precision(index) if silent is None else None,
        )

    def _precision(self, index: int) -> Precision | None:
        """How exact the loss is, if that was asked for and can be said."""
        requested = self._configuration.precision or self._configuration.thorough
        if not requested or self._current != index:  # the last rule has cost the child
            return None
        try:
            fields = self._answer({"ask": "precision"}, _MEASURING)["precision"]
        except Lost:
            return None
        return None if fields is None else Precision(**fields)

    def _inferred(self, index: int, loss: _Loss) -> tuple[dict[str, Any], Finding | None]:
        """What is known of a loss; a finding, where it does not even answer the questions to find that out."""
        try:
            if not self._imported:
                self.losses()
            answer = self._answer({"ask": "infer", "loss": index}, self._configuration.time_limit + _FRAMEWORK)
        except Lost as lost:
            return {}, finding_of(rule.find(FIRST), loss, Failure(str(lost)))
        if "finding" in answer:
            return {}, Finding(**answer["finding"])
        self._current = index
        return answer, None

    def _outcome(self, index: int, loss: _Loss, asked: Rule) -> Outcome:
        if self._current != index:
            _, silent = self._inferred(index, loss)
            if silent is not None:
                raise Lost(silent.message)
        limit = patience(asked, self._configuration.time_limit)
        fields = self._answer({"ask": "outcome", "rule": asked.code}, None if limit is None else limit + _GRACE)
        finding = None if fields["finding"] is None else Finding(**fields.pop("finding"))
        return Outcome(**{**fields, "finding": finding})

    def _answer(self, request: dict[str, Any], seconds: float | None) -> dict[str, Any]:
        """The child's answer.

        Raises:
            Lost: it ended, or had to be ended.
            DataError: it says that the request cannot be met.
        """
        try:
            answer = self._child.ask(request, seconds)
        except Lost:
            self._imported, self._current = False, None
            raise
        if "error" in answer:
            raise DataError(answer["error"])
        return answer


def _note(outcomes: Sequence[Outcome], lost: int) -> str:
    """Why rules were left out that would apply; "" where none were."""
    if any(each.rule == FIRST and each.status in ("failed", "broken") for each in outcomes):
        return "It does not answer, so nothing else was asked." if len(outcomes) > 1 else ""
    return f"It has cost {lost} processes, so the rest was not asked." if lost >= _LOST else ""
