"""Without a framework, its host says in one sentence what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

_WITHOUT = """
import sys
sys.modules[{package!r}] = None
import lossary
try:
    {code}
except lossary.MissingExtraError as error:
    print(error)
"""


@pytest.mark.parametrize(("host", "package"), [("torch", "torch"), ("keras", "keras"), ("jax", "jax")])
@pytest.mark.parametrize("code", ["import lossary.{host}", "lossary.{host}", "lossary.Huber().{host}()"])
def test_a_host_without_its_framework(host, package, code):
    script = _WITHOUT.format(package=package, code=code.format(host=host))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"lossary.{host} needs" in done.stdout
    assert f"pip install 'lossary[{host}]'" in done.stdout


@pytest.mark.parametrize("code", ["import lossary.sklearn", "lossary.sklearn", "lossary.Huber().sklearn()"])
def test_scorers_without_scikit_learn(code):
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT.format(package="sklearn", code=code)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "lossary.sklearn needs scikit-learn" in done.stdout
    assert "pip install scikit-learn" in done.stdout


@pytest.mark.parametrize("engine", ["hugging_face", "skorch"])
def test_a_trainer_without_pytorch(engine):
    script = _WITHOUT.format(package="torch", code=f"import lossary.trainers.{engine}")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"lossary.trainers.{engine} needs PyTorch" in done.stdout
    assert "pip install 'lossary[torch]'" in done.stdout
