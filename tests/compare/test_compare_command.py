"""The compare command: each flag reaches the stage that it is for, and what it writes is where it is said to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sklearn.metrics
from sklearn.model_selection import GroupKFold
from typer.testing import CliRunner, Result

from lossary.cli import app

QUICK = ["--folds", "2", "--seeds", "1", "--epochs", "3", "--jobs", "1", "--no-boosting", "--model", "linear"]


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["compare", *arguments])


def written(*arguments: str) -> dict[str, Any]:
    """The JSON of a command that works."""
    done = run(*QUICK, *arguments, "--json", "out.json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(Path("out.json").read_text(encoding="utf-8"))
    return found


def houses() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=90)
    frame = {"x": x, "d": generator.normal(size=90), "price": 3 * x + generator.normal(size=90)}
    parts = {"g": np.arange(90) // 10, "w": np.arange(90) % 3 + 1, "t": np.arange(90)}
    pl.DataFrame({**frame, **parts}).write_csv("houses.csv")


def test_every_flag_is_in_the_help() -> None:
    text = run("--help").output
    about_data = ["target", "group", "time", "weight", "drop", "task", "metric", "loss", "exclude"]
    about_work = ["model", "framework", "folds", "seeds", "epochs", "boosting", "engine", "jobs", "time-limit"]
    for flag in (*about_data, *about_work, "no-resume", "html", "json", "quiet"):
        assert f"--{flag}" in text


def test_dropped_columns_groups_and_weights_are_not_learnt_from() -> None:
    houses()
    every = written("houses.csv", "--target", "price")
    assert set(every["data"]["columns"]) == {"x", "d", "g", "w", "t"}
    fewer = written("houses.csv", "--target", "price", "--drop", "d", "--drop", "t", "--group", "g", "--weight", "w")
    assert fewer["data"]["columns"] == ["x"]


def test_groups_stay_together_and_time_goes_forward() -> None:
    houses()
    frame = pl.read_csv("houses.csv")
    y, g = frame["price"].to_numpy(), frame["g"].to_numpy()
    grouped = written("houses.csv", "--target", "price", "--group", "g", "--folds", "3")
    splits = GroupKFold(3, shuffle=True, random_state=0).split(y, y, g)
    wanted = [np.abs(y[test] - np.median(y[train])).mean() for train, test in splits]
    assert grouped["references"]["best_constant"]["mae"]["splits"] == pytest.approx(wanted)
    forward = written("houses.csv", "--target", "price", "--time", "t", "--folds", "2")
    plain = written("houses.csv", "--target", "price", "--drop", "t", "--folds", "2")
    # The best constant of the first third, on the second: no other split has it.
    first = [each["references"]["best_constant"]["mae"]["splits"][0] for each in (forward, plain)]
    later = np.abs(y[30:60] - np.median(y[:30])).mean()
    assert first[0] == pytest.approx(later)
    assert first[1] != pytest.approx(later)


def test_weights_count_in_the_metrics_and_are_said() -> None:
    houses()
    found = written("houses.csv", "--target", "price", "--weight", "w", "--time", "t", "--drop", "g")
    frame = pl.read_csv("houses.csv")
    y, w = frame["price"].to_numpy(), frame["w"].to_numpy()
    mean = np.average(y[:30], weights=w[:30])
    wanted = sklearn.metrics.root_mean_squared_error(y[30:60], np.full(30, mean), sample_weight=w[30:60])
    assert found["references"]["best_constant"]["rmse"]["splits"][0] == pytest.approx(wanted)
    assert "metrics count each row by its weight" in found["notes"]


def test_the_report_is_where_it_is_said_to_be() -> None:
    done = run("engel", *QUICK, "--html", "page.html")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "Report: page.html"
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(path.name for path in Path().iterdir()) == [".lossary", "page.html"]


@pytest.mark.parametrize("flag", ["--html", "--json"])
def test_a_file_that_cannot_be_written_is_found_out_before_the_work(flag: str) -> None:
    done = run("engel", flag, "nowhere/file")
    assert done.exit_code == 2
    assert done.stderr == "error: nowhere/file cannot be written: No such file or directory.\n"


def test_a_place_without_room_for_a_journal_is_said_and_the_run_goes_on() -> None:
    Path(".lossary").touch()  # as good as a read-only directory, which would not stop the superuser
    done = run("engel", *QUICK)
    assert done.exit_code == 0
    (note,) = done.stderr.splitlines()
    assert note.startswith("note: .lossary cannot be written")
    assert "Judged by MAE" in done.stdout
    assert run("engel", *QUICK, "--quiet").stderr == ""


def test_a_second_run_says_that_it_was_spared_the_work() -> None:
    first, second = (run("engel", *QUICK) for _ in range(2))
    assert first.stderr == ""
    assert second.stderr == "note: 12 trainings were taken from .lossary; --no-resume does all anew\n"
    assert second.stdout == first.stdout
    assert run("engel", *QUICK, "--quiet").stderr == ""


@pytest.mark.parametrize("limit", ["90", "90s", "1.5m", "0.5h"])
def test_a_limit_that_is_not_reached_changes_nothing(limit: str) -> None:
    assert "not finished" not in run("engel", *QUICK, "--time-limit", limit).output
