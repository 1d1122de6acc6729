"""`lossary list`: the table of the catalogue and its filters."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from typing import get_args

import pytest
from benchmarks.catalogue_at_120 import copied
from typer.testing import CliRunner

from lossary import catalogue, cli, define
from lossary.check.inference.infer import TASKS
from lossary.cli import app
from lossary.compare import profile
from lossary.define import registry
from lossary.define.claims import claim
from lossary.define.loss import Task
from lossary.describe import listing
from lossary.errors import ParameterError
from lossary.index import FAMILIES

NAMES = {cls.__name__ for cls in catalogue.classes()}


@pytest.fixture(autouse=True)
def nobody_has_defined_others(monkeypatch):
    """Other tests have."""
    monkeypatch.setattr(registry, "users", lambda: ())


def listed(*arguments: str, code: int = 0) -> set[str]:
    result = CliRunner().invoke(app, ["list", *arguments])
    assert result.exit_code == code, result.output
    assert "\x1b" not in result.output
    assert code or max(map(len, result.output.splitlines())) <= 80
    return {line.split()[0] for line in result.output.splitlines() if line.startswith("  ")} & NAMES


def test_every_loss_is_listed():
    assert listed("--all") == NAMES


@pytest.mark.parametrize("family", FAMILIES)
def test_by_family(family):
    assert listed(family) == {cls.__name__ for cls in catalogue.classes() if catalogue.family(cls) == family}
    assert listed(family, "--convex") == listed(family) & listed("--convex")


def test_an_unknown_family_is_an_error():
    assert listed("clustering", code=2) == set()
    with pytest.raises(ParameterError, match=f"one of {', '.join(FAMILIES)}"):
        listing.matching("clustering")


def test_the_overview_names_the_everyday_losses_of_each_family():
    lines = listing.overview().splitlines()
    for (family, losses), line in zip(
        listing.by_family(cls() for cls in catalogue.classes()).items(), lines, strict=False
    ):
        everyday = [type(loss).__name__ for loss in losses if loss.everyday]
        assert everyday, f"one loss of {family} must be for every day"
        assert line.split() == [family, str(len(losses)), *", ".join(everyday).split()]
    assert lines[len(FAMILIES) + 1].startswith(f"{len(NAMES)} losses in {len(FAMILIES)} families")


def test_at_120_losses_the_overview_is_one_screen(tmp_path):
    package = copied(tmp_path, losses=120)
    ran = subprocess.run(
        [sys.executable, "-m", "lossary", "list"],
        env=os.environ | {"PYTHONPATH": str(package), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = ran.stdout.splitlines()
    families = {path.parent for path in (package / "lossary" / "losses").glob("*/*.py")}
    assert f"120 losses in {len(families)} families" in ran.stdout
    assert len(lines) < 24  # and the prompt
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("task", get_args(Task))
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
    assert listing.flags()["convex"] is define.Convex
    assert "MeanSquaredError" in listed("--convex")  # which claims strong convexity


def test_filters_add_up():
    convex, smooth = listed("--task", "regression", "--convex"), listed("--task", "regression", "--smooth")
    assert listed("--task", "regression", "--convex", "--smooth") == convex & smooth
    assert convex & smooth >= {"Huber", "LogCosh", "MeanSquaredError"}
    assert convex - smooth >= {"MeanAbsoluteError"}
    assert listed("--estimates", "median") >= {"MeanAbsoluteError", "Quantile"}
    assert listed("--not-convex", "--strictly-convex") == set()


def test_every_kind_of_claim_has_a_flag():
    kinds = {kind for kind in vars(define).values() if isinstance(kind, type) and issubclass(kind, define.Claim)}
    assert set(listing.flags().values()) == kinds - {define.Claim, define.Estimates}


def test_an_unknown_word_is_an_error_that_lists_the_known_ones():
    result = CliRunner().invoke(app, ["list", "--estimates", "foo"])
    assert result.exit_code == 2
    assert not result.stdout
    for word in ("mean", "median", "probability", "likelier class", "centre of symmetry", "not 'foo'"):
        assert word in result.stderr
    assert listed("--estimates", "likelier class", "--proper") == set()  # known, though nothing matches


def test_an_unknown_task_is_an_error():
    assert listed("--task", "clustering", code=2) == set()
    with pytest.raises(ParameterError, match="regression"):
        listing.matching(task="clustering")


@pytest.mark.parametrize(
    ("command", "tasks"),
    [
        ("list", get_args(Task)),
        ("compare", get_args(profile.Task)),
        ("suggest", get_args(profile.Task)),
        ("check", TASKS),
    ],
)
def test_help_names_every_task(command, tasks):
    described = inspect.signature(getattr(cli, command + "_" * (command == "list")), eval_str=True).parameters["task"]
    assert re.findall("|".join(tasks), described.annotation.__metadata__[0].help) == list(tasks)
