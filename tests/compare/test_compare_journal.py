"""The journal: a run that was killed, started again, does only what is missing and says the same."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from lossary.cli import app
from lossary.compare import Result, compare, engine
from lossary.compare import journal as journals
from lossary.compare import plan as planning
from lossary.compare import profile as profiling
from lossary.compare import suggest as suggesting
from lossary.compare.data import read
from lossary.compare.journal import Journal
from lossary.compare.prediction import Outcome, Prediction

QUICK: dict[str, Any] = {"folds": 2, "seeds": 2, "epochs": 4, "jobs": 1, "model": "linear"}

SCRIPT = """
import json, os, signal, sys
from pathlib import Path
from lossary.compare import compare

done = 0

def count(outcome):
    global done
    done += 1
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

result = compare("engel", folds=2, seeds=2, epochs=4, jobs=1, model="linear", journal=sys.argv[1], on_progress=count)
Path(sys.argv[3]).write_text(result.to_json())
"""


def said(result: Result | dict[str, Any]) -> dict[str, Any]:
    """Everything but the times."""
    found = json.loads(result.to_json()) if isinstance(result, Result) else result
    for row in found["losses"]:
        row.pop("seconds")
    return found


def planned(**options: Any) -> planning.Plan:
    generator = np.random.default_rng(0)
    x = generator.normal(size=60)
    frame = pl.DataFrame({"x": x, "y": 3.0 * x + generator.normal(size=60)})
    profiled = profiling.profile(read(frame, "y"))
    suggestion = suggesting.suggest(profiled, ["mse", "huber", "mae"])
    return planning.plan(profiled, suggestion, **{"folds": 2, "seeds": 1, "epochs": 3, "boosting": False, **options})


def outcomes_of(unit: planning.Unit, error: str | None = None) -> tuple[Outcome, ...]:
    generator = np.random.default_rng(0)
    return tuple(
        Outcome(
            unit.candidate,
            split,
            None if error else Prediction(values=generator.normal(size=30)),
            "Huber(delta=1.5)",
            7,
            0.25,
            error,
            generator.uniform(size=7),
        )
        for split in unit.splits
    )


def silent(trouble: str) -> None:
    raise AssertionError(trouble)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    return said(compare("engel", **QUICK))


# ── an entry ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_outcomes_come_back_as_they_were(tmp_path: Path) -> None:
    plan = planned()
    unit = plan.units[1]
    wanted = outcomes_of(unit)
    assert Journal(tmp_path, plan, silent).get(unit) is None
    Journal(tmp_path, plan, silent).put(unit, wanted)
    found = Journal(tmp_path, plan, silent).get(unit)
    assert found is not None
    for one, other in zip(found, wanted, strict=True):
        assert one.resumed
        assert not other.resumed
        for name in ("candidate", "split", "loss", "epochs", "seconds", "error"):
            assert getattr(one, name) == getattr(other, name)
        assert one.prediction is not None
        assert other.prediction is not None
        np.testing.assert_array_equal(one.prediction.values, other.prediction.values)
        np.testing.assert_array_equal(one.curve, other.curve)
        assert one.prediction.labels is None


def test_classes_come_back_as_they_were(tmp_path: Path) -> None:
    plan = planned()
    unit = planning.Unit(0, (1,))
    scores = np.random.default_rng(0).normal(size=(5, 3))
    prediction = Prediction(labels=scores.argmax(1), scores=scores, probabilities=None)
    Journal(tmp_path, plan, silent).put(unit, (Outcome(0, 1, prediction, "", 1, 0.1),))
    ((found,),) = [Journal(tmp_path, plan, silent).get(unit)]
    assert found.prediction.probabilities is None
    assert found.prediction.labels.dtype == np.int64
    np.testing.assert_array_equal(found.prediction.scores, scores)


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    plan = planned()
    journal = Journal(tmp_path, plan, silent)
    journal.put(plan.units[0], outcomes_of(plan.units[0], error="RuntimeError: no"))
    assert not list(tmp_path.glob("*.unit"))


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "other", "pickle"])
def test_an_entry_that_is_not_what_was_written_is_missing(tmp_path: Path, harm: str) -> None:
    plan = planned()
    journal = Journal(tmp_path, plan, silent)
    one, two = plan.units[:2]
    journal.put(one, outcomes_of(one))
    (path,) = tmp_path.glob("*.unit")
    content = path.read_bytes()
    journal.put(two, outcomes_of(two))
    (second,) = set(tmp_path.glob("*.unit")) - {path}
    harmed = {
        "cut": content[: len(content) // 2],
        "flip": content[:-200] + bytes([content[-200] ^ 1]) + content[-199:],
        "empty": b"",
        "other": second.read_bytes(),
        "pickle": b"\x80\x04\x95",
    }
    path.write_bytes(harmed[harm])
    assert journal.get(one) is None
    assert journal.get(two) is not None
    journal.put(one, outcomes_of(one))
    assert journal.get(one) is not None


def test_an_entry_holds_no_code(tmp_path: Path) -> None:
    """Even under the right checksum, an archive with a pickled array in it is not read."""
    plan = planned()
    journal, unit = Journal(tmp_path, plan, silent), plan.units[0]
    journal.put(unit, outcomes_of(unit))
    (path,) = tmp_path.glob("*.unit")

    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "exploded"),)

    body = io.BytesIO()
    np.savez(body, said=np.array([Bomb()], dtype=object))
    key = path.stem
    path.write_bytes(journals._HEADER + journals._checksum(key, body.getvalue()) + body.getvalue())
    assert journal.get(unit) is None
    assert not (tmp_path / "exploded").exists()


def test_what_an_outcome_depends_on_is_in_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    unit = plan.units[0]
    Journal(tmp_path, plan, silent).put(unit, outcomes_of(unit))
    assert Journal(tmp_path, planned(), silent).get(unit) is not None
    for other in (
        planned(epochs=4),
        planned(seeds=2),
        planned(folds=3),
        planned(metric="rmse"),
        planned(model="linear"),
    ):
        assert Journal(tmp_path, other, silent).get(other.units[0]) is None
    assert Journal(tmp_path, plan, silent).get(plan.units[1]) is None
    monkeypatch.setattr(journals, "_versions", lambda: ("another world",))
    assert Journal(tmp_path, plan, silent).get(unit) is None


def test_the_same_loss_in_another_race_is_not_trained_again(tmp_path: Path) -> None:
    compare("engel", losses=["mse", "mae"], journal=tmp_path, **QUICK)
    found = []
    compare("engel", losses=["huber", "mae"], journal=tmp_path, on_progress=found.append, **QUICK)
    resumed = {outcome.candidate: outcome.resumed for outcome in found}
    assert resumed == {0: False, 1: True, -1: True, -2: True}


def test_a_user_s_model_that_changes_is_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "changing_model.py"
    path.write_text("one = 1\n")
    before = journals._source("changing_model:build")
    path.write_text("one = 2\n")
    assert before != journals._source("changing_model:build") != ""
    assert journals._source("mlp") == ""


def test_old_entries_and_what_killed_runs_left_are_removed(tmp_path: Path) -> None:
    old, kept, part = tmp_path / "old.unit", tmp_path / "kept.unit", tmp_path / "killed.part"
    for path in (old, kept, part):
        path.write_bytes(b"")
    long_ago = time.time() - 40 * 86_400
    os.utime(old, (long_ago, long_ago))
    os.utime(part, (long_ago, long_ago))
    Journal(tmp_path, planned(), silent)
    assert {path.name for path in tmp_path.iterdir()} == {"kept.unit", ".gitignore"}


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_killed_run_is_resumed_and_says_the_same(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    directory, output = tmp_path / "journal", tmp_path / "result.json"
    killed = subprocess.run([sys.executable, "-c", SCRIPT, directory, "9", output], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(directory.glob("*.unit"))) == 3  # of four splits each
    found = []
    resumed = compare("engel", journal=directory, on_progress=found.append, **QUICK)
    assert sum(outcome.resumed for outcome in found) == 12
    assert said(resumed) == undisturbed
    again = compare("engel", journal=directory, **QUICK)
    assert again.to_json() == resumed.to_json()  # times too: they are those of the training


def test_two_runs_at_once_both_end_right(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    outputs = [tmp_path / "one.json", tmp_path / "two.json"]
    runs = [subprocess.Popen([sys.executable, "-c", SCRIPT, tmp_path / "journal", "0", output]) for output in outputs]
    assert [run.wait() for run in runs] == [0, 0]
    for output in outputs:
        assert said(json.loads(output.read_text())) == undisturbed
    found = []
    compare("engel", journal=tmp_path / "journal", on_progress=found.append, **QUICK)
    assert all(outcome.resumed for outcome in found)
    assert not list((tmp_path / "journal").glob("*.part"))


def test_a_full_disk_is_said_once_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, Any]
) -> None:
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    troubles: list[str] = []
    result = compare("engel", journal=tmp_path, on_trouble=troubles.append, **QUICK)
    assert said(result) == undisturbed
    (trouble,) = troubles
    assert "No space left on device" in trouble
    assert "\n" not in trouble
    assert len(list(tmp_path.glob("*.unit"))) == 2  # the first write was .gitignore
    assert not list(tmp_path.glob("*.part"))


def test_a_directory_that_cannot_be_is_said_and_the_run_goes_on(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="cannot be resumed"):
        result = compare("engel", journal=tmp_path / "file" / "journal", **QUICK)
    assert said(result) == undisturbed


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name != "posix", reason="signals as on POSIX")
def test_an_interrupted_command_says_how_to_go_on(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "lossary",
        "compare",
        "diabetes",
        "--jobs",
        "1",
        "--seeds",
        "1",
        "--folds",
        "3",
        "--model",
        "linear",
    ]
    run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / ".lossary").glob("*.unit")) and run.poll() is None:
        time.sleep(0.005)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors.splitlines() == [
        "interrupted; what is finished is kept in .lossary, and the same command goes on from there"
    ]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "trainings were taken from .lossary" in again.stderr
    assert "Judged by MAE" in again.stdout


def test_no_resume_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["compare", "engel", "--model", "linear", "--folds", "2", "--seeds", "1", "--epochs", "2", "--jobs", "1"]
    assert CliRunner().invoke(app, [*command, "--no-resume"]).exit_code == 0
    assert not (tmp_path / ".lossary").exists()
    assert CliRunner().invoke(app, command).exit_code == 0
    assert list((tmp_path / ".lossary").glob("*.unit"))


def test_the_engine_asks_the_journal_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    journal = Journal(tmp_path, plan, silent)
    for unit in plan.units:
        journal.put(unit, outcomes_of(unit))
    monkeypatch.setattr(engine, "train", lambda *anything: pytest.fail("nothing is left to train"))
    found = list(engine.run(plan, journal=journal))
    assert [(each.candidate, each.split) for each in found] == [(c, s) for c in range(3) for s in range(2)]
