"""`lossary.keras` on each backend: Keras reads its backend once, so each has a process of its own."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

CASES = pathlib.Path(__file__).with_name("keras_cases.py")


@pytest.mark.parametrize("which", ["not thorough", pytest.param("thorough", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_every_case_holds_on_the_backend(backend: str, which: str) -> None:
    options = ["--noconftest", "-q", "--tb=short", "-p", "no:cacheprovider", "-m", which]
    # One thread each: the models are small, and other tests run beside.
    surroundings = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(CASES)],
        env=os.environ | surroundings,
        cwd=CASES.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout[-20000:]}\n{ran.stderr[-4000:]}"
