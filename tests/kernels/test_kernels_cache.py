"""Where kernels are off, and where their machine code is kept: each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lossary import kernels

pytestmark = pytest.mark.skipif(kernels.unavailable() is not None, reason=str(kernels.unavailable()))

PROGRAM = """
import json, sys
import numpy as np
from lossary import LogCosh, Huber, kernels
if kernels.unavailable() is None:
    from lossary.kernels import machine
    written, write = [], machine._write
    machine._write = lambda path, code: (written.append(str(path)), write(path, code))
p, y = np.linspace(-3, 3, 101, dtype="float32"), np.zeros(101, "float32")
found = [loss.value_and_gradient(prediction=p, target=y) for loss in (LogCosh(), Huber())]
answers = [[float(value), gradient.tolist()] for value, gradient in found]
print(json.dumps({"answers": answers, "missing": kernels.unavailable(),
                  "compiled": 0 if kernels.unavailable() else len(written)}))
"""
# As if llvmlite were not installed.
BLOCKED = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name.startswith("llvmlite") else find(name, *more)
import sys
sys.modules["llvmlite"] = None
"""


def start(program: str, directory: Path | None, **environment: str) -> subprocess.Popen[str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("LOSSARY", "XDG"))}
    if directory is not None:
        given["LOSSARY_CACHE"] = str(directory)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        env=given | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert not err
    found: dict[str, Any] = json.loads(out)
    return found


def run(directory: Path | None, program: str = PROGRAM, **environment: str) -> dict[str, Any]:
    return finished(start(program, directory, **environment))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: Any) -> tuple[Path, dict[str, Any]]:
    """A directory that a first process has written to."""
    home = tmp_path_factory.mktemp("home") / "made" / "on the way"
    answers = run(home)
    return home / "kernels", answers


def test_the_next_process_compiles_nothing(filled: Any) -> None:
    directory, first = filled
    assert first["compiled"] == len(list(directory.iterdir())) > 0
    again = run(directory.parent)
    assert again["compiled"] == 0
    assert again["answers"] == first["answers"]


def test_what_is_broken_is_made_anew(filled: Any, tmp_path: Path) -> None:
    directory, first = filled
    broken = tmp_path / "broken" / "kernels"
    broken.mkdir(mode=0o700, parents=True)
    for place, file in enumerate(sorted(directory.iterdir())):
        whole = file.read_bytes()
        half = (whole[: len(whole) // 2], b"", whole[:-1] + bytes([whole[-1] ^ 1]))[place % 3]
        (broken / file.name).write_bytes(half)
    again = run(broken.parent)
    assert again["compiled"] == first["compiled"]
    assert again["answers"] == first["answers"]
    assert {file.name: file.read_bytes() for file in broken.iterdir()} == {
        file.name: file.read_bytes() for file in directory.iterdir()
    }


def test_a_home_that_cannot_be_written_to(filled: Any, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no directory")
    read_only = tmp_path / "read-only"
    read_only.mkdir(mode=0o500)
    for environment in ({"HOME": str(in_the_way)}, {"LOSSARY_CACHE": str(in_the_way)}, {"HOME": str(read_only)}):
        assert run(None, **environment)["answers"] == filled[1]["answers"]


def test_the_usual_place(filled: Any, tmp_path: Path) -> None:
    assert run(None, XDG_CACHE_HOME=str(tmp_path))["answers"] == filled[1]["answers"]
    if sys.platform == "linux":
        kept = tmp_path / "lossary" / "kernels"
        assert {file.name for file in kept.iterdir()} == {file.name for file in filled[0].iterdir()}
        assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions are POSIX's")
def test_what_others_can_write_to_is_not_trusted(filled: Any, tmp_path: Path) -> None:
    """Machine code is run from there."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    kept = shared / "kernels"
    kept.mkdir(mode=0o700)
    for file in filled[0].iterdir():
        (kept / file.name).write_bytes(file.read_bytes())
    before = {file.name: file.stat().st_mtime_ns for file in kept.iterdir()}
    again = run(shared)
    assert again["compiled"] == filled[1]["compiled"]
    assert again["answers"] == filled[1]["answers"]
    assert {file.name: file.stat().st_mtime_ns for file in kept.iterdir()} == before


def test_two_processes_at_once(filled: Any, tmp_path: Path) -> None:
    for each in [start(PROGRAM, tmp_path / "both") for _ in range(2)]:
        assert finished(each)["answers"] == filled[1]["answers"]
    left = {file.name for file in (tmp_path / "both" / "kernels").iterdir()}
    assert left == {file.name for file in filled[0].iterdir()}, "something unfinished was left behind"


def test_kernels_are_off_where_asked(filled: Any, tmp_path: Path) -> None:
    off = run(tmp_path, LOSSARY_KERNELS="0")
    _is_in_words(off, filled[1], tmp_path)
    assert "LOSSARY_KERNELS=0" in off["missing"]


def test_without_llvmlite(filled: Any, tmp_path: Path) -> None:
    without = run(tmp_path, BLOCKED + PROGRAM)
    _is_in_words(without, filled[1], tmp_path)
    assert "pip install" in without["missing"]


def _is_in_words(found: dict[str, Any], wanted: dict[str, Any], directory: Path) -> None:
    assert not list(directory.iterdir())
    for mine, theirs in zip(found["answers"], wanted["answers"], strict=True):
        assert mine[0] == pytest.approx(theirs[0], rel=1e-6)
        assert mine[1] == pytest.approx(theirs[1], rel=1e-6, abs=1e-7)
