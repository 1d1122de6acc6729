"""lossary's own losses, at home in each framework, keep every promise that `lossary check` asks for."""

from __future__ import annotations

from typing import Any

import pytest

from lossary.check.infer import subject
from lossary.check.rule import select
from lossary.check.run import ask
from tests import grid

HOSTS = {
    "numpy": lambda loss: loss,
    "torch": lambda loss: loss.torch(),
    "keras": lambda loss: loss.keras(),
    "jax": lambda loss: loss.jax(),
}
# A rule and the losses that cannot keep it, with the documented property that says why.
EXPECTED: dict[tuple[str, str], str] = {}


def _cases(of: Any, marks: Any = ()) -> list[Any]:
    return [pytest.param(loss, host, id=f"{loss!r}-{host}", marks=marks) for loss in of for host in HOSTS]


@pytest.mark.parametrize(
    ("loss", "host"),
    _cases(grid.DEFAULTS) + _cases([x for x in grid.ALL if x not in grid.DEFAULTS], pytest.mark.thorough),
)
def test_nothing_is_found(loss: Any, host: str) -> None:
    under = subject(HOSTS[host](loss))
    outcomes = [ask(rule, under) for rule in select((), (), thorough=False)]
    failed = {each.rule: each.finding.message for each in outcomes if each.finding is not None}
    expected = {code for code, name in EXPECTED if name == type(loss).__name__}
    assert set(failed) == expected, failed
    assert {each.rule for each in outcomes if each.status == "passed"}
