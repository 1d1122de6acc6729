"""One test of pytest's for each loss and rule."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, final

from lossary.check.inference import stated
from lossary.check.report import screen
from lossary.check.rulebook import expectations, rule
from lossary.check.rulebook.rule import Rule
from lossary.check.run.ask import TIME_LIMIT, ask

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

Expected = Mapping[str, str]


class BrokenPromise(AssertionError):  # noqa: N818  # it says what is wrong
    """A rule that a loss breaks."""


class LossWarning(UserWarning):
    """A rule whose failure is a warning."""


def parametrize_with_loss_checks(
    losses: Iterable[Any],
    *,
    expected_failures: Expected | Callable[[Any], Expected] | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    thorough: bool = False,
    strict: bool = False,
    seed: int = 0,
    time_limit: float = TIME_LIMIT,
    **facts: Any,
) -> Any:
    """A decorator that runs a test once for each loss and rule.

        @parametrize_with_loss_checks([my_huber, MyFocal(gamma=2)])
        def test_loss(loss, check):
            check(loss)

    Tests are called like "my_huber-silent-broadcast". A rule that does not apply is a skipped test, with the reason.

    Args:
        losses: as `check_loss` takes them.
        expected_failures: code or name of a rule → why it fails, for all of the losses; or a function that says it for
            each. These tests must fail: one that passes, or whose rule does not apply, is an error.
        select, ignore, thorough, seed, time_limit: as for `check_loss`.
        strict: warnings fail the test; otherwise they are issued as warnings.
        facts: `framework`, `task`, `order`, `reduction`, `logits`, `claims` and `formula`, as for `check_loss`, of all
            of the losses.

    Raises:
        UnknownNameError: a rule that does not exist.
    """
    import pytest

    rules = rule.select(tuple(select), tuple(ignore), thorough=thorough)
    parameters = []
    for loss in losses:
        expected = expected_failures(loss) if callable(expected_failures) else expected_failures or {}
        expectations.validated({"": expected})
        reasons = {rule.find(word).code: reason for word, reason in expected.items()}
        subject = functools.cache(functools.partial(stated.subject, loss, seed=seed, **facts))
        for each in rules:
            reason = reasons.get(each.code)
            check = _Check(each, subject, strict=strict, expected=reason is not None, time_limit=time_limit)
            marks = [pytest.mark.xfail(reason=reason, strict=True, raises=BrokenPromise)] if reason is not None else []
            name = getattr(loss, "__name__", None) or (loss if isinstance(loss, str) else type(loss).__name__)
            parameters.append(pytest.param(loss, check, id=f"{name}-{each.name}", marks=marks))
    return pytest.mark.parametrize(("loss", "check"), parameters)


@final
class _Check:
    """One rule, ready to be asked of the loss it stands beside."""

    def __init__(
        self, rule: Rule, subject: Callable[[], Subject], *, strict: bool, expected: bool, time_limit: float
    ) -> None:
        self._rule, self._subject = rule, subject
        self._strict, self._expected, self._time_limit = strict, expected, time_limit

    def __call__(self, loss: Any) -> None:
        """Fail, warn or skip.

        Raises:
            BrokenPromise: the loss breaks the rule.
        """
        import pytest

        outcome = ask(self._rule, self._subject(), self._time_limit)
        if outcome.status == "skipped":
            if self._expected:
                pytest.fail(f"{self._rule.code} was expected to fail, but does not apply: {outcome.reason}")
            pytest.skip(outcome.reason)
        if outcome.finding is None:
            return
        text = "\n".join(screen.finding(outcome.finding))
        if outcome.finding.severity == "error" or self._strict or self._expected:
            raise BrokenPromise(text)
        warnings.warn(LossWarning(text), stacklevel=2)
