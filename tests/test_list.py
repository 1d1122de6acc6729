"""`lossary list`: the table of the catalogue and its filters."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from lossary import catalogue, claim, listing
from lossary.cli import app
from lossary.errors import ParameterError

NAMES = {cls.__name__ for cls in catalogue.classes()}


def listed(*arguments: str, code: int = 0) -> set[str]:
    result = CliRunner().invoke(app, ["list", *arguments])
    assert result.exit_code == code, result.output
    assert "\x1b" not in result.output
    assert code or max(map(len, result.output.splitlines())) <= 80
    return {line.split()[0] for line in result.output.splitlines() if line.startswith("  ")} & NAMES


def test_every_loss_is_listed():
    assert listed() == NAMES


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass", "distribution"])
def test_by_task(task):
    assert listed("--task", task) == {cls.__name__ for cls in catalogue.classes() if cls().task == task}


@pytest.mark.parametrize("flag", list(listing.flags()))
def test_by_claim(flag):
    kind = listing.flags()[flag]
    wanted = {
        cls.__name__
        for cls in catalogue.classes()
        if any(isinstance(each, kind) for each in claim.closure(cls().claims))
    }
    assert listed(f"--{flag}") == wanted


def test_what_is_implied_counts_too():
    assert listing.flags()["convex"] is claim.Convex
    assert "MeanSquaredError" in listed("--convex")  # which claims strong convexity


def test_filters_add_up():
    assert listed("--task", "regression", "--convex", "--smooth") == {"Huber", "LogCosh", "MeanSquaredError"}
    assert listed("--elicits", "median") >= {"MeanAbsoluteError", "Quantile"}
    assert listed("--not-convex", "--strictly-convex") == set()


def test_every_kind_of_claim_has_a_flag():
    kinds = {kind for kind in vars(claim).values() if isinstance(kind, type) and issubclass(kind, claim.Claim)}
    assert set(listing.flags().values()) == kinds - {claim.Claim, claim.Elicits}


def test_an_unknown_word_is_an_error_that_lists_the_known_ones():
    result = CliRunner().invoke(app, ["list", "--elicits", "foo"])
    assert result.exit_code == 2
    assert not result.stdout
    for word in ("mean", "median", "probability", "likelier class", "centre of symmetry", "not 'foo'"):
        assert word in result.stderr
    assert listed("--elicits", "likelier class", "--smooth") == set()  # known, though nothing matches


def test_an_unknown_task_is_an_error():
    assert listed("--task", "clustering", code=2) == set()
    with pytest.raises(ParameterError, match="regression"):
        listing.matching("clustering")
