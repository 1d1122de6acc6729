"""What runs passes strict type checkers: losses of one's own as the pages write them, and every kind of table."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

ROOT = Path(__file__).parents[2]

USE = """
import numpy as np
import torch
from typing_extensions import assert_type

import lossary.jax
import lossary.keras
import lossary.sklearn
import lossary.torch
from lossary import L2, BinaryCrossEntropy, CategoricalCrossEntropy, ElasticNet, Hinge, Huber, ZeroOne
from lossary import SparseCategoricalCrossEntropy

BinaryCrossEntropy(pos_weight=[1, 2])
BinaryCrossEntropy(pos_weight=3)
BinaryCrossEntropy(pos_weight=np.array([1.0, 2.0]))
CategoricalCrossEntropy(class_weight=torch.tensor([1.0, 2.0]))
SparseCategoricalCrossEntropy(class_weight=(1, 2, 3))
ZeroOne(labels=(0, 1))
Hinge([0, 1])
lossary.torch.BinaryCrossEntropy(pos_weight=[1, 2], reduction="sum")
lossary.torch.SparseCategoricalCrossEntropy(class_weight=torch.tensor([1.0, 2.0]), ignore_index=0)
lossary.keras.CategoricalCrossEntropy(from_logits=True, class_weight=[1, 2.5])
lossary.jax.CategoricalCrossEntropy(class_weight=np.array([1.0, 2.5]))
lossary.sklearn.Hinge([0, 1])

ElasticNet(2, biases=False)

assert_type(CategoricalCrossEntropy().class_weight, tuple[float, ...])
assert_type(Huber(2).delta, float)
assert_type(Huber(2).torch(), lossary.torch.LossModule)
assert_type(Huber(2).keras(), lossary.keras.KerasLoss)
assert_type(Huber(2).jax(), lossary.jax.LossFunction)
assert_type(Huber(2).sklearn(), lossary.sklearn.Scorer)
assert_type(L2(2).keras(), lossary.keras.Regularizer)
"""
# What must be refused, so that the checker is seen to look.
MISUSE = """
from lossary import BinaryCrossEntropy, Huber

Huber(delta="1")
Huber(gamma=1.0)
BinaryCrossEntropy(pos_weight="12")
"""
WRONG = {"misuse.py:4", "misuse.py:5", "misuse.py:6"}


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Each in a file of its own."""
    template = jinja2.Template((ROOT / "src/lossary/templates/all.py.jinja").read_text())
    texts = {"use": USE, "example": (ROOT / "examples/cauchy.py").read_text(), "new": template.render(name="Mine")}
    for page in ("README", "docs/custom-losses"):
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / f"{page}.md").read_text(), re.DOTALL)
        (texts[Path(page).name.replace("-", "_")],) = (block for block in blocks if "(Pointwise)" in block)
    for name, text in (texts | {"misuse": MISUSE}).items():
        tmp_path.joinpath(f"{name}.py").write_text(text)
    return [f"{name}.py" for name in texts]


def checked(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def test_mypy_accepts_what_runs(files: list[str], tmp_path: Path, pytestconfig: pytest.Config) -> None:
    # What mypy has read of lossary and of Python's own types is kept for the next run, as by its users.
    cache = getattr(pytestconfig, "cache", None)
    kept = cache.mkdir("mypy") if cache else tmp_path / "cache"
    # The frameworks' own types, which take long to read, are anything here.
    tmp_path.joinpath("mypy.ini").write_text(
        f"""
[mypy]
strict = true
follow_imports = silent
mypy_path = {ROOT / "src"}
cache_dir = {kept}
[mypy-torch.*,keras.*,jax.*,numpy.*]
follow_imports = skip
[mypy-keras.*,ml_dtypes.*]
ignore_missing_imports = true
[mypy-lossary.*]
disallow_subclassing_any = false
warn_unused_ignores = false
"""
    )
    done = checked(tmp_path, sys.executable, "-m", "mypy", *files, "misuse.py")
    assert set(re.findall(r"^(.+?:\d+): error", done.stdout, re.MULTILINE)) == WRONG, done.stdout + done.stderr


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("pyright") is None, reason="pyright needs node, and is not installed")
def test_pyright_accepts_what_runs(files: list[str], tmp_path: Path) -> None:
    configuration = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT / "src")], "pythonVersion": "3.11"}
    tmp_path.joinpath("pyrightconfig.json").write_text(json.dumps(configuration))
    done = checked(tmp_path, "pyright", "--pythonpath", sys.executable, *files, "misuse.py")
    assert set(re.findall(r"(\w+\.py:\d+):\d+ - error", done.stdout)) == WRONG, done.stdout + done.stderr
