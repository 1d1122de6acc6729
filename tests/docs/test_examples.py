"""Every example runs, as a user runs it: from any directory, in no process of the tests'."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from lossary.define.claims import claim

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
SCRIPTS = sorted([*EXAMPLES.glob("custom_loss_*.py"), *EXAMPLES.glob("train_*.py")])
HOSTS = sorted({path.stem.rpartition("_")[2] for path in SCRIPTS})
# One after the other, each as if it were alone, so that the framework is loaded once.
IN_TURN = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
for script in sys.argv[2:]:
    runpy.run_path(script, run_name="__main__")
    print(end="\\f")
"""


def printed(directory: pathlib.Path, *arguments: str) -> str:
    alone = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    command, environment = [sys.executable, *arguments], os.environ | alone
    result = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=180
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("host", HOSTS)
def test_examples_run(host, tmp_path):
    pytest.importorskip(host)
    scripts = [str(path) for path in SCRIPTS if path.stem.endswith(f"_{host}")]
    *said, rest = printed(tmp_path, "-c", IN_TURN, str(EXAMPLES), *scripts).split("\f")
    assert len(said) == len(scripts) == 2
    assert all(said)
    assert not rest


@pytest.mark.thorough
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example_runs_alone(script, tmp_path):
    pytest.importorskip(script.stem.rpartition("_")[2])
    assert printed(tmp_path, str(script))


def test_every_framework_has_its_examples():
    assert {path.stem for path in SCRIPTS} == {
        f"{kind}_{host}" for kind in ("custom_loss", "train") for host in ("torch", "keras", "jax")
    }


def test_what_the_custom_loss_claims_is_not_refuted(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from cauchy import Cauchy

    for loss in (Cauchy(), Cauchy(scale=2.5)):
        for each in claim.closure(loss.claims):
            evidence = each.examine(loss, points=4000)
            assert not evidence.refuted, evidence
