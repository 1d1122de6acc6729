"""lossary's own losses, at home in each framework, keep every promise that `lossary check` asks for."""

from __future__ import annotations

from typing import Any

import pytest

from lossary.check.inference.infer import subject
from lossary.check.rulebook.rule import select
from lossary.check.run.ask import ask
from tests import grid

HOSTS = {
    "numpy": lambda loss: loss,
    "torch": lambda loss: loss.torch(),
    "keras": lambda loss: loss.keras(),
    "jax": lambda loss: loss.jax(),
}
# The check asks losses of numbers for one number a row, which a table of labels does not take.
ASKED = tuple(loss for loss in grid.ALL if loss.prediction.rows or not grid.has_table(loss))


def _cases() -> list[Any]:
    """Each loss at its defaults in one home, and where it has a table, in PyTorch; the others are thorough."""

    def quick(loss: Any, host: str) -> bool:
        if loss in grid.DEFAULTS:
            return host == grid.chosen(tuple(HOSTS), loss)
        # A table is a buffer in PyTorch, and weighs rows in the reduction.
        return host == "torch" and grid.has_table(loss) and loss.prediction.rows and loss.from_logits

    return [
        pytest.param(loss, host, id=f"{loss!r}-{host}", marks=() if quick(loss, host) else pytest.mark.thorough)
        for loss in ASKED
        for host in HOSTS
    ]


@pytest.mark.parametrize(("loss", "host"), _cases())
def test_nothing_is_found(loss: Any, host: str) -> None:
    """No error and no warning."""
    under = subject(HOSTS[host](loss))
    outcomes = [ask(rule, under) for rule in select((), (), thorough=False)]
    failed = {each.rule: each.finding.message for each in outcomes if each.finding is not None}
    assert not failed
    assert len([each for each in outcomes if each.status == "passed"]) > 10
