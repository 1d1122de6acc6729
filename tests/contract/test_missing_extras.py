"""What needs an extra says in one sentence what to install, and nothing else needs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lossary

_WITHOUT = """
import sys
for package in {packages!r}:
    sys.modules[package] = None  # how Python says that it cannot be imported
import lossary
try:
    {code}
except lossary.MissingExtraError as error:
    print(error)
"""


EXTRAS = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())["project"][
    "optional-dependencies"
]


def said(code, *packages, **surroundings):
    """What the error says, where those packages are missing."""
    script = _WITHOUT.format(packages=packages, code=code)
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


@pytest.mark.parametrize("host", ["torch", "keras", "jax"])
@pytest.mark.parametrize("code", ["import lossary.{host}", "lossary.{host}", "lossary.Huber().{host}()"])
def test_a_host_without_its_framework(host, code):
    answer = said(code.format(host=host), host)
    assert f"lossary.{host} needs" in answer
    assert f"pip install 'lossary[{host}]'" in answer


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_keras_without_the_backend_that_it_is_set_to(backend):
    """Also when it is asked again: half of Keras is in memory by then."""
    twice = "try: import lossary.keras\n    except lossary.MissingExtraError: pass\n    lossary.Huber().keras()"
    answer = said(twice, backend, KERAS_BACKEND=backend)
    assert f"lossary.keras needs a backend: Keras is set to compute with {backend}, which is not installed." in answer
    assert "pip install 'lossary[tensorflow]'" in answer
    assert f"or set KERAS_BACKEND={'torch' if backend == 'jax' else 'jax'}." in answer


@pytest.mark.parametrize(
    ("package", "code"),
    [("polars", "from lossary.compare import advise"), ("scipy", "lossary.compare.compare('engel')")],
)
def test_comparing_without_the_extra(package, code):
    assert said(code, package) == f"lossary.compare needs {package}. Hint: pip install 'lossary[compare]'."


COMMAND = """from lossary.cli import app; from typer.testing import CliRunner
    print(CliRunner().invoke(app, ["check", "losses.py"]).output)"""


@pytest.mark.parametrize(
    ("package", "code"),
    [
        ("hypothesis", "from lossary.check import check_loss"),
        ("mpmath", "lossary.check.check_loss(abs)"),
        ("hypothesis", COMMAND),
    ],
)
def test_checking_without_the_extra(package, code):
    answer = said(code, package).removeprefix("error: ")
    assert answer == f"lossary.check needs {package}. Hint: pip install 'lossary[check]'."


def test_checking_needs_no_more_than_its_extra(tmp_path):
    """Everything else that lossary may bring is out of reach, and a file is checked."""
    names = {re.match("[a-z-]+", each)[0] for extra in EXTRAS.values() for each in extra} - {"lossary"}
    own = {re.match("[a-z-]+", each)[0] for each in EXTRAS["check"]}
    modules = sorted({"scikit-learn": "sklearn", "tensorflow-cpu": "tensorflow"}.get(x, x) for x in names - own)
    file = tmp_path / "losses.py"
    file.write_text(LOSS)
    blocked = f"import sys\nfor name in {modules}: sys.modules[name] = None\n"
    # The child process that runs the file is a Python of its own, which reads this when it starts.
    tmp_path.joinpath("sitecustomize.py").write_text(blocked)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "lossary", "check", str(file)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "absolute: NumPy function (prediction, target)" in done.stdout


LOSS = """
import numpy as np

def absolute(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError(f"{prediction.shape} and {target.shape} must be the same")
    return np.abs(prediction - target).mean()
"""


def test_help_of_the_package_says_what_to_install():
    needy = {name: package for name, package in lossary.SUBMODULES.items() if package}
    text = said("import pydoc; print(pydoc.render_doc(lossary))", *needy.values())
    assert needy
    for name in needy:
        assert name in EXTRAS
        assert f"lossary.{name} pip install 'lossary[{name}]'" in text


def test_what_is_not_installed_is_not_listed():
    assert set(lossary.SUBMODULES) <= set(dir(lossary))
    listed = said("print(dir(lossary))", "jax", "polars")
    assert "'torch'" in listed
    assert "'jax'" not in listed
    assert "'compare'" not in listed


@pytest.mark.parametrize("code", ["import lossary.sklearn", "lossary.sklearn", "lossary.Huber().sklearn()"])
def test_scorers_without_scikit_learn(code):
    answer = said(code, "sklearn")
    assert "lossary.sklearn needs scikit-learn" in answer
    assert "pip install scikit-learn" in answer


@pytest.mark.parametrize("engine", ["hugging_face", "skorch"])
def test_a_trainer_without_pytorch(engine):
    answer = said(f"import lossary.trainers.{engine}", "torch")
    assert f"lossary.trainers.{engine} needs PyTorch" in answer
    assert "pip install 'lossary[torch]'" in answer
