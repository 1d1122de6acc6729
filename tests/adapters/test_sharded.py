"""Arrays that are spread over several devices or processes: what starts with so many has processes of its own."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

HERE = pathlib.Path(__file__).parent


def _started(arguments: list[str], **surroundings: str) -> Any:
    # One thread each: the arrays are small, and other tests run beside.
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | surroundings,
        cwd=HERE.parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _assert_all_hold(*processes: Any) -> None:
    said = [process.communicate()[0] for process in processes]
    for process, words in zip(processes, said, strict=True):
        assert process.returncode == 0, words[-20000:]


def _on_a_jax_mesh(**surroundings: str) -> None:
    cases = str(HERE / "mesh_cases.py")
    flags = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"  # quick to compile
    command = ["-m", "pytest", "--noconftest", "-q", "--tb=short", "-p", "no:cacheprovider", cases]
    _assert_all_hold(_started(command, XLA_FLAGS=flags, JAX_PLATFORMS="cpu", **surroundings))


@pytest.mark.parametrize("framework", ["jax"])
def test_jax_meshes(framework: str) -> None:
    _on_a_jax_mesh()


@pytest.mark.thorough
@pytest.mark.parametrize("framework", ["jax"])
def test_jax_meshes_at_every_setting(framework: str) -> None:
    _on_a_jax_mesh(LOSSARY_THOROUGH="1")


@pytest.mark.parametrize("framework", ["torch"])
def test_pytorch_ranks(framework: str, tmp_path: pathlib.Path) -> None:
    meeting = str(tmp_path / "meeting")
    _assert_all_hold(*(_started(["-m", "tests.adapters.rank_cases", rank, meeting]) for rank in "01"))
