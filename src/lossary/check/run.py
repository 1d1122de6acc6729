"""Ask one rule of one loss, come what may: what the loss raises, prints or warns ends in the answer."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import warnings
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from lossary.check.rule import Failure, Severity
from lossary.check.subject import LossRaised

if TYPE_CHECKING:
    from lossary.check.rule import Rule
    from lossary.check.subject import Subject


@final
@dataclasses.dataclass(frozen=True)
class Finding:
    """A broken promise, ready to be printed: all text."""

    code: str
    rule: str
    severity: Severity
    loss: str
    path: str
    line: int
    message: str
    promise: str
    reproducer: str  # at most three lines, which print `observed`
    observed: str
    help: str


@final
@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one rule: a `finding` if it failed, a `reason` if it did not apply."""

    rule: str
    status: Literal["passed", "failed", "skipped"]
    finding: Finding | None = None
    reason: str = ""


def ask(rule: Rule, subject: Subject) -> Outcome:
    """What the rule finds."""
    reason = rule.missing(subject)
    if reason is not None:
        return Outcome(rule.code, "skipped", reason=reason)
    with _quiet():
        try:
            failure = rule.function(subject)
        except LossRaised as error:
            failure = Failure(str(error))
        except (SystemExit, GeneratorExit) as error:
            failure = Failure(f"tried to end the process: {type(error).__name__}")
    if failure is None:
        return Outcome(rule.code, "passed")
    reproducer, observed = reproduced(subject, failure)
    finding = Finding(
        rule.code,
        rule.name,
        failure.severity or rule.severity,
        subject.name,
        subject.path,
        subject.line,
        failure.message,
        rule.promise,
        reproducer,
        observed,
        failure.help or rule.remedy,
    )
    return Outcome(rule.code, "failed", finding)


def reproduced(subject: Subject, failure: Failure) -> tuple[str, str]:
    """The failure's code with its imports before it, and what that prints when it is run."""
    if not failure.code:
        return "", ""
    imports = "; ".join(dict.fromkeys(each for each in (subject.backend.imports, subject.imports) if each))
    code = f"{imports}\n{failure.code}"
    known: dict[str, Any] = {}
    said = io.StringIO()
    with _quiet(), contextlib.redirect_stdout(said):
        try:
            exec(code, known)  # noqa: S102  # it was made from our own text and the loss under check
        except Exception as error:
            return code, f"{type(error).__name__}: {error}".splitlines()[0]
    return code, " ".join(said.getvalue().split())


@contextlib.contextmanager
def _quiet() -> Any:
    """What a loss prints and warns of is not what was asked."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield
