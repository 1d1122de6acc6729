"""The engines: the same numbers wherever the work is done, and whatever becomes of those who do it."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from joblib.externals.loky import get_reusable_executor
from rich.console import Console
from typer.testing import CliRunner

from lossary.cli import app
from lossary.compare import Result, compare, engine
from lossary.compare import plan as planning
from lossary.compare import profile as profiling
from lossary.compare import suggest as suggesting
from lossary.compare.data import read
from lossary.compare.prediction import Outcome
from lossary.compare.progress import Display
from lossary.errors import DataError, MissingExtraError, ParameterError

QUICK: dict[str, Any] = {"folds": 2, "seeds": 1, "epochs": 3, "boosting": False}

# Kills the process that it is called in, once, as soon as there is a file named so.
DEADLY = """
import os, signal
from pathlib import Path
import torch

def build(features, outputs):
    flag = Path({flag!r})
    if flag.exists():
        flag.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return torch.nn.Linear(features, outputs)
"""


def planned(**options: Any) -> planning.Plan:
    generator = np.random.default_rng(0)
    x = generator.normal(size=60)
    frame = pl.DataFrame({"x": x, "y": 3.0 * x + generator.normal(size=60)})
    profiled = profiling.profile(read(frame, "y"))
    suggestion = suggesting.suggest(profiled, ["mse", "huber", "mae"])
    return planning.plan(profiled, suggestion, **{**QUICK, **options})


def said(result: Result | dict[str, Any]) -> dict[str, Any]:
    """Everything but the times and the command."""
    found = json.loads(result.to_json()) if isinstance(result, Result) else result
    found.pop("command")
    for row in found["losses"]:
        row.pop("seconds")
    return found


@pytest.fixture
def fresh_workers() -> Iterator[None]:
    """Workers started in this test's directory, and none left behind."""
    get_reusable_executor().shutdown(wait=True)
    yield
    get_reusable_executor().shutdown(wait=True)


# ── local ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_lost_worker_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_workers: None) -> None:
    flag = tmp_path / "flag"
    (tmp_path / "deadly.py").write_text(DEADLY.format(flag=str(flag)))
    monkeypatch.chdir(tmp_path)
    options: dict[str, Any] = {**QUICK, "model": "deadly:build"}
    alone = compare("engel", jobs=1, **options)
    monkeypatch.setattr(engine, "_WORTH_PROCESSES", 0.0)
    beside = compare("engel", jobs=2, on_plan=lambda plan: flag.touch(), **options)
    assert not flag.exists()
    assert said(beside) == said(alone)
    assert all(outcome.error is None for outcome in beside.outcomes)


def test_a_unit_that_always_loses_its_worker_fails_alone() -> None:
    plan = planned()
    handed: list[list[int]] = []

    def workers(units: Iterable[planning.Unit]) -> Iterator[engine.Done]:
        handed.append([])
        for unit in units:
            handed[-1].append(unit.candidate)
            if unit.candidate == 1:
                raise BrokenExecutor("killed")
            yield unit, tuple(Outcome(unit.candidate, split, None, "", 0, 0.0) for split in unit.splits)

    todo = engine._Todo(plan.units, float("inf"))
    found = dict(engine._surviving(todo, workers, (BrokenExecutor,)))
    assert {unit.candidate: outcomes[0].error is None for unit, outcomes in found.items()} == {
        0: True,
        1: False,
        2: True,
    }
    assert "ended abruptly" in str(found[plan.units[1]][0].error)
    assert handed == [[0, 1], [1], [1], [1], [2]]
    assert not len(todo)


def test_an_error_of_another_kind_is_not_swallowed() -> None:
    def workers(units: Iterable[planning.Unit]) -> Iterator[engine.Done]:
        raise KeyError("a mistake of ours")
        yield

    with pytest.raises(KeyError):
        list(engine._surviving(engine._Todo(planned().units, float("inf")), workers, (BrokenExecutor,)))


def test_small_plans_start_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_workers", lambda *anything: pytest.fail("a second of work needs no processes"))
    assert len(list(engine.run(planned(), jobs=2))) == 6


def test_large_plans_start_them_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    budget = dataclasses.replace(plan.budget, epochs=1000, steps=1000, batch=1024)
    monkeypatch.setattr(engine, "train", lambda *anything: pytest.fail("the workers do it"))
    monkeypatch.setattr(engine, "_workers", lambda *anything: lambda units: ((unit, ()) for unit in units))
    assert list(engine.run(dataclasses.replace(plan, budget=budget), jobs=2)) == []


def test_workers_get_the_largest_units_first_unless_time_may_run_out() -> None:
    plan = planned(boosting=True)
    assert len(plan.candidates[1].settings(plan.profile.facts)) > 1  # Huber has a delta to choose
    for ends, order in ((float("inf"), [1, 0, 2, -1, -2]), (1e9, [0, 1, 2, -1, -2])):
        todo = engine._Todo(plan.units, ends)
        todo.sort(plan)
        assert [unit.candidate for unit in todo] == order


def test_what_goes_to_the_workers_is_lean() -> None:
    plan = planned()
    lean = engine._without_frames(plan)
    assert lean.profile.data.features.height == 0
    assert plan.profile.data.features.height == 60
    assert lean.profile.table is plan.profile.table


# ── the time limit ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_unit_is_started_after_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    started = []

    def train(plan: planning.Plan, unit: planning.Unit) -> tuple[Outcome, ...]:
        started.append(unit.candidate)
        now[0] += 4.0
        return tuple(Outcome(unit.candidate, split, None, "", 0, 4.0) for split in unit.splits)

    monkeypatch.setattr(engine, "train", train)
    monkeypatch.setattr(engine, "_WORTH_PROCESSES", float("inf"))
    assert len(list(engine.run(planned(), time_limit=6.0))) == 4
    assert started == [0, 1]


def test_what_is_not_finished_is_shown_and_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    real = engine.run

    def two_units(plan: planning.Plan, **options: Any) -> Iterator[Outcome]:
        return real(dataclasses.replace(plan, units=plan.units[:2]), **options)

    monkeypatch.setattr(engine, "run", two_units)
    result = compare("engel", losses=["mse", "mae", "LogCosh()"], jobs=1, **QUICK)
    assert [row.unfinished for row in result.summary.standings] == [0, 0, 2]
    assert result.summary.unfinished == (2,)
    assert all(2 not in (verdict.best, *verdict.ties) for verdict in result.summary.verdicts.values())
    text = " ".join(str(result).split())
    assert "not finished when the time was up, and so not judged: LogCosh" in text
    row = next(row for row in result.as_dict()["losses"] if row["loss"] == "LogCosh()")
    assert row["error"] == "not finished: 2 of 2 splits left"
    assert row["scores"] == {}


def test_a_limit_too_short_for_anything_is_said() -> None:
    with pytest.raises(DataError, match="raise --time-limit"):
        compare("engel", jobs=1, time_limit=1e-9, **QUICK)


@pytest.mark.parametrize(
    ("text", "message"), [("soon", "a time such as 90s, 5m or 2h"), ("0", "above 0 seconds"), ("-1", "such as")]
)
def test_limits_that_are_none(text: str, message: str) -> None:
    done = CliRunner().invoke(app, ["compare", "engel", f"--time-limit={text}"])
    assert done.exit_code == 2
    assert message in done.stderr


# ── Ray ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "dask"}, "local, ray or ray=ADDRESS"),
        ({"engine": "local=here"}, "local, ray or ray=ADDRESS"),
        ({"engine": "ray="}, "local, ray or ray=ADDRESS"),
        ({"time_limit": 0.0}, "above 0"),
        ({"time_limit": float("nan")}, "above 0"),
    ],
)
def test_engines_and_limits_that_there_are_not(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        compare("engel", **options)


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1", "nobody"])
def test_an_address_without_ray(address: str) -> None:
    done = CliRunner().invoke(app, ["compare", "engel", "--engine", f"ray={address}"])
    assert done.exit_code == 2
    assert address in done.stderr
    assert done.stderr.count("\n") == 1


@needs_ray
def test_somebody_else_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that takes the call and never answers must not be waited for."""
    with pytest.raises(ParameterError, match=r"no answer within 0 s.*ray start"):
        engine._within(0.05, "127.0.0.1:6379", lambda: time.sleep(1.0))
    with pytest.raises(ParameterError, match=r"wrong version"):
        engine._within(5.0, "127.0.0.1:6379", lambda: (_ for _ in ()).throw(RuntimeError("wrong version\nof Ray")))


def test_without_ray_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else real(name))
    with pytest.raises(MissingExtraError, match=r"pip install 'lossary\[ray\]'"):
        compare("engel", engine="ray")


RAY = """
import sys
from pathlib import Path
from lossary.compare import compare

options = dict(folds=2, seeds=1, epochs=3, boosting=False, jobs=2, model="deadly:build")
flag = Path("flag")
result = compare("engel", engine=sys.argv[1], on_plan=lambda plan: flag.touch(), **options)
assert not flag.exists(), "no worker was killed"
Path("ray.json").write_text(result.to_json())
"""


@needs_ray
def test_a_ray_cluster_that_loses_a_worker_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY.format(flag=str(tmp_path / "flag")))
    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex, "RAY_USAGE_STATS_ENABLED": "0"}
    environment = {**os.environ, **secret}
    start = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", f"--port={port}", "--num-cpus=2"]
    where = ["--node-ip-address=127.0.0.1", "--include-dashboard=false", "--object-store-memory=100000000"]
    with (tmp_path / "ray.log").open("wb") as log:
        head = subprocess.Popen(
            [*start, *where], env=environment, stdout=log, stderr=log, cwd=tmp_path, start_new_session=True
        )
    try:
        _wait_for(port, head)
        run = [sys.executable, "-c", RAY, f"ray=127.0.0.1:{port}"]
        done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
    finally:
        head.terminate()
        try:
            head.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()
    alone = compare("engel", jobs=1, model="deadly:build", **QUICK)
    assert said(json.loads((tmp_path / "ray.json").read_text())) == said(alone)


def _wait_for(port: int, head: subprocess.Popen[bytes]) -> None:
    """Until Ray listens; where it cannot start at all, nothing can be said of it."""
    for _ in range(300):
        if head.poll() is not None:
            pytest.skip(f"Ray does not start here: it ended with code {head.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.skip("Ray does not start here: it does not listen after a minute")


# ── what a person sees ───────────────────────────────────────────────────────────────────────────────────────────────


def displayed(monkeypatch: pytest.MonkeyPatch, *, terminal: bool = False, quiet: bool = False) -> str:
    """What is written of six trainings, four seconds each, one of them resumed and one failed."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream, plan = io.StringIO(), planned()
    console = Console(file=stream, force_terminal=terminal, width=80, no_color=True)
    with Display(console, quiet=quiet) as display:
        display.begin(plan, "3 losses x 2 folds")
        for number in range(6):
            now[0] += 4.0 * (number > 0)
            error = "ValueError: too [bold]bad" if number >= 4 else None
            display.advance(Outcome(number // 2, number % 2, None, "", 1, 4.0, error, resumed=number == 0))
        display.note("a note")
    return stream.getvalue()


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert displayed(monkeypatch).splitlines() == [
        "3 losses x 2 folds: 4 of 6, 0:00:08 left",
        "MeanAbsoluteError failed: ValueError: too [bold]bad",
        "note: a note",
    ]


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert displayed(monkeypatch, quiet=True) == ""
    assert displayed(monkeypatch, quiet=True, terminal=True) == ""


def test_a_terminal_shows_the_bar_and_the_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    text = displayed(monkeypatch, terminal=True)
    assert "6/6" in text
    assert "MeanAbsoluteError failed: ValueError: too [bold]bad" in text
    assert text.count("failed") == 1  # not once for every split
