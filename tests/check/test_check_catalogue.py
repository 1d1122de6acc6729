"""lossary's own losses, at home in each framework, keep every promise that `lossary check` asks for."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest

from lossary.check.inference.infer import subject
from lossary.check.rulebook.rule import select
from lossary.check.run.ask import ask
from tests import grid, memory, paths

HOSTS = {
    "numpy": lambda loss: loss,
    "torch": lambda loss: loss.torch(),
    "keras": lambda loss: loss.keras(),
    "jax": lambda loss: loss.jax(),
}
# The check asks losses of numbers for one number a row, which a table of labels does not take.
ASKED = tuple(loss for loss in grid.PAIRS if loss.prediction.rows or not grid.has_table(loss))


# Keras and JAX take ten times as long, and what they add depends on how a loss takes its inputs.
QUICK, SLOW = ("numpy", "torch"), ("jax", "keras")


def _cases() -> list[Any]:
    """Each loss at its defaults in one quick home, and where it has a table, in PyTorch; of the losses that take their
    inputs alike, one in a slow home, too. The others are thorough."""
    alike: dict[Any, list[Any]] = {}
    for loss in grid.DEFAULTS:
        if loss.trainable:
            alike.setdefault((loss.prediction.rows, loss.prediction.size, loss.target.indices), []).append(loss)
    elsewhere = [(grid.chosen(each), host) for each, host in zip(alike.values(), itertools.cycle(SLOW), strict=False)]

    def quick(loss: Any, host: str) -> bool:
        if loss in grid.DEFAULTS and host == grid.chosen(QUICK, loss):
            return True
        # A table is a buffer in PyTorch, and weighs rows in the reduction.
        table = host == "torch" and grid.has_table(loss) and loss.prediction.rows and loss.prediction.of_logits
        return table or (loss, host) in elsewhere

    return [
        pytest.param(loss, host, id=f"{loss!r}-{host}", marks=() if quick(loss, host) else pytest.mark.thorough)
        for loss in ASKED
        for host in HOSTS
    ]


# The others are asked operation by operation: a check makes some fifteen kernels, whose numbers tests/kernels compares.
BY_KERNELS = grid.one_of_each(ASKED, "a check")


@pytest.mark.parametrize(("loss", "host"), _cases())
def test_nothing_is_found(loss: Any, host: str) -> None:
    """No error and no warning."""
    under = subject(HOSTS[host](loss))
    outcomes = []
    with contextlib.nullcontext() if loss in BY_KERNELS else paths.in_words():
        for rule in select((), (), thorough=False):
            outcomes.append(ask(rule, under))
            memory.LIMIT.keep()  # a loss in JAX makes hundreds of programs
    failed = {each.rule: each.finding.message for each in outcomes if each.finding is not None}
    assert not failed
    assert len([each for each in outcomes if each.status == "passed"]) > 10
