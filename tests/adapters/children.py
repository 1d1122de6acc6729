"""Processes that tests of the adapters start: what a framework settles as it starts is settled for a process."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
# Quick to compile, and slow to run: what is asked here are shapes, masks and reductions, of small arrays.
XLA = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"


def started(*arguments: str, **surroundings: str) -> subprocess.Popen[str]:
    # One thread each: the arrays are small, and other tests run beside.
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"} | surroundings,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def started_cases(name: str, *options: str, **surroundings: str) -> subprocess.Popen[str]:
    """pytest, of a file beside this one."""
    usual = ["-q", "--tb=short", "-p", "no:cacheprovider", "-p", "tests.memory", "--noconftest"]
    return started("-m", "pytest", *usual, *options, str(pathlib.Path(__file__).with_name(name)), **surroundings)


def assert_all_hold(*processes: subprocess.Popen[str]) -> None:
    said = [process.communicate()[0] for process in processes]
    for process, words in zip(processes, said, strict=True):
        assert process.returncode == 0, words[-20000:]
