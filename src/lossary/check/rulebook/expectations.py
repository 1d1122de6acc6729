"""Failures that somebody expects, with a reason: they do not count, and must not be stale."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lossary.check.report.report import LossReport
from lossary.check.rulebook.rule import Failure, Rule, find
from lossary.check.run.ask import Outcome, finding_of
from lossary.check.run.configuration import ANY, covers
from lossary.errors import ParameterError

if TYPE_CHECKING:
    from lossary.check.run.configuration import Configuration

_STRICT = "take the expectation out: it hides the next failure of this rule"


def validated(expected: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse, before anything is run, what names no rule or gives no reason.

    Raises:
        UnknownNameError, ParameterError: one of the two.
    """
    for rules in expected.values():
        for word, reason in rules.items():
            find(word)
            if not reason.strip():
                raise ParameterError(f"the failure of {word} is expected without a reason.")


def applied(losses: Sequence[LossReport], configuration: Configuration) -> tuple[LossReport, ...]:
    """The same losses, where failures that were expected do not count, and expectations that nothing met do.

    An expectation is met if its rule fails for one of the losses it is for. A rule that was not asked is no matter.
    """
    reports = list(losses)
    for key, rules in configuration.expected_failures.items():
        mine = [index for index, each in enumerate(reports) if covers(key, each.name, each.path)]
        for word, reason in rules.items():
            rule = find(word)
            asked = [(index, each) for index in mine for each in reports[index].outcomes if each.rule == rule.code]
            met = [(index, each) for index, each in asked if each.finding is not None]
            for index, each in met:
                reports[index] = _with(reports[index], dataclasses.replace(each, status="expected", reason=reason))
            if asked and not met:
                index, each = asked[0]
                reports[index] = _with(reports[index], _stale(rule, reports[index], each, reason, key))
    return tuple(reports)


def _stale(rule: Rule, loss: LossReport, outcome: Outcome, reason: str, key: str) -> Outcome:
    """The finding that an expectation which was not met is."""
    actual = "passes" if outcome.status == "passed" else f"is not asked: {outcome.reason}"
    which = " for any loss" if key == ANY and outcome.status == "passed" else ""
    message = f"was expected to fail{which} ({reason}), but {actual}"
    return Outcome(rule.code, "failed", finding_of(rule, loss, Failure(message, help=_STRICT, severity="error")))


def _with(loss: LossReport, outcome: Outcome) -> LossReport:
    outcomes = tuple(outcome if each.rule == outcome.rule else each for each in loss.outcomes)
    return dataclasses.replace(loss, outcomes=outcomes)
