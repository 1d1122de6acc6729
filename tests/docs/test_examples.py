"""Every example runs, as a user runs it: in a process of its own, from any directory."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from lossary.define import claim

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
SCRIPTS = sorted([*EXAMPLES.glob("custom_loss_*.py"), *EXAMPLES.glob("train_*.py")])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example_runs(script, tmp_path):
    pytest.importorskip(script.stem.rpartition("_")[2])
    alone = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    command, environment = [sys.executable, script], os.environ | alone
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=180
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout


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
