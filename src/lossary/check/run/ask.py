"""Ask one rule of one loss, come what may: what the loss raises, prints or warns ends in the answer."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from lossary.check.backends.settings import settings_kept
from lossary.check.rulebook.rule import Failure, Severity
from lossary.check.subject.subject import LossRaised
from lossary.ops import seeds

if TYPE_CHECKING:
    from lossary.check.rulebook.rule import Rule
    from lossary.check.subject.subject import Subject

TIME_LIMIT = 20.0  # seconds for a rule; rules take milliseconds, and machines are sometimes busy
_THOROUGH = 10  # how much longer a slow rule may take: compilers take their time
_READABLE = 600  # letters of code
FIRST = "LSY001"  # the rule that the others build on: a loss that does not answer is asked nothing else
Status = Literal["passed", "failed", "skipped", "expected", "broken"]


@final
@dataclasses.dataclass(frozen=True)
class Finding:
    """A broken promise, ready to be printed: all text.

    Args:
        code, rule: "LSY101", "silent-broadcast".
        severity: "error" or "warning".
        loss: the name of the loss; `path` and `line` are where it is written, "" and 0 where nobody knows.
        message: what happened, with the numbers.
        promise: what was promised.
        reproducer: statements that print `observed`, as they can be pasted; "" where there are none.
        help: the remedy.
    """

    code: str
    rule: str
    severity: Severity
    loss: str
    path: str
    line: int
    message: str
    promise: str
    reproducer: str  # at most three lines
    observed: str
    help: str

    @property
    def place(self) -> str:
        """As editors understand it: "losses.py:12"; the loss's name where it is in no file."""
        return f"{self.path}:{self.line}" if self.path else self.loss


@final
@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one rule.

    Args:
        rule: its code.
        status: "passed"; "failed", with a `finding`; "skipped" where it does not apply; "expected" where it failed as
            it was expected to; "broken", with a `finding`, where the question itself could not be asked to its end.
        reason: why it was skipped, or expected to fail.
    """

    rule: str
    status: Status
    finding: Finding | None = None
    reason: str = ""


class TimeLimit(BaseException):
    """The time for a rule is over; no `Exception`, so that a loss that catches those cannot go on."""


def ask(rule: Rule, subject: Subject, time_limit: float | None = None) -> Outcome:
    """What the rule finds.

    Args:
        time_limit: seconds, after which the loss counts as one that hangs; kept where the system has alarms, and in
            the main thread. Slow rules have more.
    """
    reason = rule.missing(subject)
    if reason is not None:
        return Outcome(rule.code, "skipped", reason=reason)
    with contained(), subject.backend.seeded(subject.seed):
        try:
            failure = _answered(rule, subject, time_limit)
        except Exception as error:
            return Outcome(
                rule.code, "broken", finding_of(rule, subject, Failure(f"could not be examined: {named(error)}"))
            )
        if failure is None:
            return Outcome(rule.code, "passed")
        return Outcome(
            rule.code, "failed", finding_of(rule, subject, failure, *reproduced(subject, failure, time_limit))
        )


def _answered(rule: Rule, subject: Subject, time_limit: float | None) -> Failure | None:
    seconds = patience(rule, time_limit)
    try:
        with limited(seconds):
            return rule.function(subject)
    except LossRaised as error:
        return Failure(str(error), _shown(error))
    except TimeLimit:
        return Failure(f"did not come to an end in {seconds:g} s")
    except (SystemExit, GeneratorExit) as error:
        return Failure(f"tried to end the process: {named(error)}")


def _shown(error: LossRaised) -> str:
    """The call that raised, as code; "" where it would be too long to read."""
    try:
        code = "" if error.code is None else error.code()
    except Exception:  # inputs that cannot be written down
        return ""
    return code if len(code) <= _READABLE else ""


def finding_of(rule: Rule, subject: Any, failure: Failure, reproducer: str = "", observed: str = "") -> Finding:
    """The finding that a failure makes; `subject` has a name, a path and a line."""
    return Finding(
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


def in_turn(rules: Iterable[Rule], answer: Callable[[Rule], Outcome]) -> Iterator[Outcome]:
    """The rules' outcomes, one after the other; where the loss does not answer at all, the others are not asked."""
    silent = False
    for rule in rules:
        outcome = Outcome(rule.code, "skipped", reason=f"it does not answer ({FIRST})") if silent else answer(rule)
        silent = silent or (outcome.rule == FIRST and outcome.status in ("failed", "broken"))
        yield outcome


def reproduced(subject: Subject, failure: Failure, time_limit: float | None = None) -> tuple[str, str]:
    """The failure's code with its imports before it, and what that prints when it is run."""
    if not failure.code:
        return "", ""
    imports = "; ".join(dict.fromkeys(each for each in (subject.backend.imports, subject.imports) if each))
    code = f"{imports}\n{failure.code}"
    # What has no import (a function of a session) is known by its name.
    namespace: dict[str, Any] = {} if subject.imports else subject.namespace
    output = io.StringIO()
    with quiet(), contextlib.redirect_stdout(output):
        try:
            with limited(time_limit):
                exec(code, namespace)  # noqa: S102  # it was made from our own text and the loss under check
        except (Exception, TimeLimit, SystemExit) as error:
            return code, named(error)
    return code, " ".join(output.getvalue().split())


def named(error: BaseException) -> str:
    """An exception on one line."""
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}{': ' if first else ''}{first[:120]}"


def patience(rule: Rule, time_limit: float | None) -> float | None:
    """How many seconds the rule has; None for as many as it likes."""
    return None if time_limit is None else time_limit * (_THOROUGH if rule.thorough else 1)


@contextlib.contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Raise `TimeLimit` within if it takes longer, where that can be done."""
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not main or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: object) -> None:
        raise TimeLimit

    handler = signal.signal(signal.SIGALRM, ring)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Nothing that a loss prints, warns of, sets for the process or draws by chance reaches the caller."""
    with quiet(), settings_kept(), seeds.kept():
        yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What a loss prints and warns of is not what was asked."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield
