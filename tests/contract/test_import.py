"""`import lossary` is light, and a framework is loaded by whoever brings its arrays, never by lossary."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

import lossary
from lossary.index import LOSSES, PENALTIES

HEAVY = (
    "numpy",
    "ml_dtypes",
    "torch",
    "tensorflow",
    "keras",
    "jax",
    "jaxlib",
    "optax",
    "scipy",
    "sklearn",
    "pandas",
    "polars",
    "rich",
    "typer",
    "numba",
    "mpmath",
    "plotly",
    "joblib",
)
FRAMEWORKS = ("torch", "tensorflow", "jax")


def loaded_after(code: str) -> set[str]:
    """The modules in `sys.modules` after running the code in a fresh process, less those it calls `already` there."""
    report = "import json, sys; print('\\n' + json.dumps(sorted(set(sys.modules) - globals().get('already', set()))))"
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout.splitlines()[-1]))


def losses_in(modules: set[str]) -> set[str]:
    """The losses whose modules are among those, by the names of their files."""
    return {name.rpartition(".")[2] for name in modules if name in LOSSES.values()}


def roots(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_import_loads_two_modules_and_nothing_heavy() -> None:
    before, after = loaded_after(""), loaded_after("import lossary")
    new = after - before
    assert {name for name in new if name.startswith("lossary")} == {"lossary", "lossary.index"}
    assert roots(new) <= {"lossary"} | sys.stdlib_module_names


@pytest.mark.parametrize(
    "code",
    [
        "from lossary import Huber; Huber(delta=2).config(); repr(Huber()); hash(Huber()); Huber() == Huber(2)",
        "import lossary; lossary.get('mse'); lossary.from_config({'name': 'Huber', 'delta': 2}); dir(lossary)",
        "from lossary import *",
        "from lossary import Huber, L2, Quantile; repr(0.5 * Huber() + 0.5 * Quantile(0.9) + 1e-3 * L2())",
        "import lossary\ntry: lossary.MSELoss\nexcept ImportError: pass",
    ],
)
def test_losses_are_made_without_numpy(code: str) -> None:
    assert not roots(loaded_after(code)) & set(HEAVY)


def test_the_numpy_path_loads_no_framework() -> None:
    code = """
import numpy as np
from lossary import Huber, SparseCategoricalCrossEntropy
Huber()(prediction=[1.0, 2.0], target=[0, 0], weight=[1, 2])
Huber().value_and_gradient(prediction=np.zeros(3), target=np.ones(3))
SparseCategoricalCrossEntropy().total(prediction=np.zeros((2, 3), 'float16'), target=[0, 1]).mean
"""
    loaded = loaded_after(code)
    assert not roots(loaded) & (set(HEAVY) - {"numpy", "ml_dtypes"})
    # The kernels read losses by operations on symbols.
    assert {name for name in loaded if name.startswith("lossary.ops.")} == {
        f"lossary.ops.{name}"
        for name in ("arrays", "call", "dispatch", "dtypes", "labels", "missing", "numpy", "ops", "reduce")
    }


PATHS = {
    "torch": "import torch; p = torch.zeros(3)",
    "tensorflow": "import tensorflow as tf; p = tf.zeros(3)",
    "jax": "import jax; p = jax.numpy.zeros(3)",
}


@pytest.mark.parametrize("name", list(PATHS))
def test_a_frameworks_path_loads_no_other(name: str) -> None:
    use = "from lossary import Huber; Huber()(prediction=p, target=[0, 0, 1])"
    new = loaded_after(f"{PATHS[name]}\nimport sys; already = set(sys.modules)\n{use}")
    assert f"lossary.ops.{name}" in new
    assert roots(new) & set(FRAMEWORKS) <= {name}


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("lossary.Huber", {"huber"}),
        ("lossary.get('Huber')", {"huber"}),
        ("lossary.get('bce')", {"binary_cross_entropy"}),
        ("lossary.get('torch.nn.MSELoss')", {"mean_squared_error"}),
        ("lossary.from_config({'name': 'Huber', 'delta': 2.0})", {"huber"}),
        ("lossary.catalogue.teach('MSELoss')", set()),
        ("lossary.MSELoss", set()),  # which ends in a lesson
        ("lossary.Hubr", set()),
        ("lossary.get('hubr')", set()),
        ("lossary.get('xyzzy')", set()),
        ("dir(lossary)", set()),
    ],
)
def test_a_name_imports_the_loss_that_it_is_of_and_no_other(code: str, wanted: set[str]) -> None:
    ask = f"import lossary\ntry: {code}\nexcept (ImportError, AttributeError, LookupError): pass"
    assert losses_in(loaded_after(ask)) == wanted


def test_adapters_import_the_losses_that_are_asked_for_and_no_other(tmp_path: pathlib.Path) -> None:
    """Also those that are asked for by a saved criterion and by a saved Keras loss."""
    torch = pytest.importorskip("torch")
    saved = {"alone": lossary.Huber(2.0).torch(), "sum": (lossary.Quantile(0.9) + 2.0 * lossary.Huber()).torch()}
    torch.save(saved, tmp_path / "saved.pt")
    code = f"""
import importlib, os, sys
os.environ["KERAS_BACKEND"] = "torch"
import lossary, lossary.index

def imported():
    return {{name for name, module in lossary.index.LOSSES.items() if module in sys.modules}}

adapters = [importlib.import_module(f"lossary.{{name}}") for name in ("torch", "keras", "jax", "sklearn")]
for adapter in adapters:
    dir(adapter)
    for name in ("MSELoss", "Hubr", "L2"):
        assert not hasattr(adapter, name)
assert imported() == set(), imported()

import torch
read = torch.load({str(tmp_path / "saved.pt")!r})  # weights alone, as it is by default
assert repr(read) == {repr(saved)!r}
assert imported() == {{"Huber", "Quantile"}}, imported()

import keras
config = {{"class_name": "Hinge", "module": "lossary.keras", "registered_name": "lossary>Hinge"}}
read = keras.saving.deserialize_keras_object(config | {{"config": {{"reduction": "sum"}}}})
assert type(read) is lossary.keras.Hinge and read.reduction == "sum"
assert keras.saving.get_registered_object("lossary>Hinge") is lossary.keras.Hinge
assert keras.saving.serialize_keras_object(read)["registered_name"] == "lossary>Hinge"
assert imported() == {{"Huber", "Quantile", "Hinge"}}, imported()

for adapter in adapters:
    adapter.LogCosh, adapter.get("logcosh")
    assert imported() == {{"Huber", "Quantile", "Hinge", "LogCosh"}}, (adapter, imported())
"""
    loaded_after(code)


def test_all_frameworks_work_in_one_process() -> None:
    code = """
import jax, tensorflow as tf, torch, numpy as np
from lossary import BinaryCrossEntropy
p, y = np.array([-1.5, 0.5, 3.0], 'float32'), [0, 1, 1]
answers = [float(BinaryCrossEntropy()(prediction=make(p), target=y))
           for make in (np.asarray, torch.tensor, tf.constant, jax.numpy.asarray) * 2]
assert max(answers) - min(answers) < 1e-7, answers
"""
    assert set(FRAMEWORKS) <= roots(loaded_after(code))


def test_every_public_name_resolves() -> None:
    assert set(LOSSES) | set(PENALTIES) <= set(lossary.__all__)
    assert set(lossary.__all__) <= set(dir(lossary))
    for name in lossary.__all__:
        assert getattr(lossary, name).__name__ == name.rpartition(".")[2]
    assert lossary.__version__


def test_a_name_that_is_nowhere() -> None:
    for name in ("nothing", "Nothing", "_private"):
        with pytest.raises(AttributeError, match=f"module 'lossary' has no attribute '{name}'"):
            getattr(lossary, name)
    assert not hasattr(lossary, "__wrapped__")
