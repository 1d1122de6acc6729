"""The contract of the framework-free call: every sentence of it, in every framework."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import math
import os
import pickle
import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import lossary
from lossary import (
    L2,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    DomainError,
    Hinge,
    Huber,
    KLDivergence,
    MeanAbsoluteError,
    MeanSquaredError,
    Quantile,
    ShapeError,
    SmoothL1,
    SparseCategoricalCrossEntropy,
    ZeroOne,
    errors,
)
from lossary.check.backends import backend as adapter
from lossary.check.instruments.accuracy import size_of_terms
from lossary.define.domains.classes import ClassIndex, Labels, Simplex
from lossary.define.domains.numbers import Probability, Real
from lossary.define.loss import Pointwise, Rowwise
from lossary.ops.call import Call
from lossary.ops.reduce import Total
from tests.grid import (
    CLASSES,
    DEFAULTS,
    DTYPES,
    FRAMEWORKS,
    HALF,
    HALVES,
    ROWS,
    cases,
    losses,
    of_losses,
    ordinary,
)

AUTODIFF = tuple(name for name in FRAMEWORKS if name != "numpy")


def in_each(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("framework", names or FRAMEWORKS, indirect=True)


# ── named arguments ──────────────────────────────────────────────────────────────────────────────────────────────────


@losses(of=DEFAULTS)
def test_a_positional_call_shows_the_door_to_each_framework(loss: Any) -> None:
    with pytest.raises(errors.UsageError) as caught:
        loss(np.zeros(3), np.zeros(3))
    for words in (
        type(loss).__name__,
        "prediction= and target= by name",
        "2 positional arguments, numpy.ndarray (3,) and numpy.ndarray (3,)",
        f"PyTorch       criterion = lossary.torch.{loss!r}; criterion(input, target)",
        f"Keras         model.compile(loss=lossary.keras.{type(loss).__name__}(",
        f"JAX           loss_fn = lossary.jax.{loss!r}; loss_fn(predictions, targets)",
        f"scikit-learn  scoring=lossary.sklearn.{type(loss).__name__}(",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "name", ["y_pred", "input", "predictions", "logits", "y_true", "labels", "sample_weight", "mask"]
)
def test_a_foreign_argument_shows_the_door_to_each_framework(name: str) -> None:
    with pytest.raises(errors.UsageError, match=rf"(?s)by name.*Received: {name}=.*lossary.torch.Huber"):
        Huber()(prediction=np.zeros(3), target=np.zeros(3), **{name: np.zeros(3)})


@pytest.mark.parametrize("door", ["values", "total", "value_and_gradient"])
def test_other_doors_take_names_only(door: str) -> None:
    with pytest.raises(TypeError):
        getattr(Huber(), door)(np.zeros(3), np.zeros(3))


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("MSELoss", MeanSquaredError),
        ("L1Loss", MeanAbsoluteError),
        ("SmoothL1Loss", SmoothL1),
        ("PinballLoss", Quantile),
        ("BCEWithLogitsLoss", BinaryCrossEntropy),
        ("CrossEntropyLoss", SparseCategoricalCrossEntropy),
        ("KLDivLoss", KLDivergence),
    ],
)
def test_a_foreign_class_teaches_its_name_here(name: str, cls: Any) -> None:
    with pytest.raises(ImportError) as caught:
        exec(f"from lossary import {name}")
    for words in (
        name,
        f"from lossary import {cls.__name__}",
        f"lossary.torch.{cls.__name__}",
        f"lossary.keras.{cls.__name__}",
    ):
        assert words in str(caught.value)
    with pytest.raises(errors.ForeignNameError, match=cls.__name__):
        getattr(lossary, name)


@losses(of=DEFAULTS)
def test_foreign_hyper_parameters_teach_the_real_name(loss: Any) -> None:
    for field in dataclasses.fields(loss):
        for foreign in field.metadata["parameter"].foreign:
            with pytest.raises(
                errors.UsageError, match=rf"(?s)no hyper-parameter '{foreign}'.*Hint: here it is called {field.name}:"
            ):
                type(loss)(**{foreign: field.default})


@losses(of=DEFAULTS)
def test_flags_are_never_positional_and_only_the_first_number_is(loss: Any) -> None:
    kinds = [p.kind for p in inspect.signature(type(loss)).parameters.values()]
    assert all(kind is inspect.Parameter.KEYWORD_ONLY for kind in kinds[1:])
    for field in dataclasses.fields(loss):
        if isinstance(field.default, bool):
            # Beside a number, what is positional is taken for that.
            refusal = errors.UsageError, errors.ParameterError
            with pytest.raises(refusal, match=r"no positional argument|must be a finite number"):
                type(loss)(not field.default)


# ── no silent cast, no silent clip ───────────────────────────────────────────────────────────────────────────────────


@cases(dtypes=(*DTYPES, *HALVES), of=DEFAULTS, alike=True)
def test_the_prediction_rules(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    prediction = framework.array(prediction, dtype)
    whatever = ["float64", "float32", "float16"] if not loss.target.indices else ["int64", "int32", "uint8"]
    if isinstance(loss.target, Simplex):
        whatever = whatever[:2]
    for kind in whatever:
        for weight in (None, np.ones(ROWS, "float64"), np.ones(ROWS, "float32"), np.ones(ROWS, "int64")):
            came = loss.values(prediction=prediction, target=target.astype(kind), weight=weight)
            assert framework.dtype(came) == dtype
            assert type(came) is type(prediction)
        mean = loss(prediction=prediction, target=target.astype(kind))
        assert framework.dtype(mean) == ("float64" if dtype == "float64" else "float32")


@in_each()
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_class_indices_are_never_floats(framework: Any, dtype: str) -> None:
    index = 4099  # which neither half type can hold
    logits = np.zeros((1, 5000))
    logits[0, index] = 30.0
    for kind in ("int64", "int32", "uint16"):
        loss = SparseCategoricalCrossEntropy()(
            prediction=framework.array(logits, dtype), target=np.array([index], kind)
        )
        assert float(loss) == pytest.approx(0.0, abs=1e-8)


@in_each()
def test_nothing_is_clipped(framework: Any) -> None:
    def cost(loss: Any, prediction: Any, target: Any) -> float:
        return float(loss(prediction=framework.array(np.array(prediction), "float32"), target=target))

    assert cost(BinaryCrossEntropy(from_logits=False), [0.0], [1.0]) == math.inf
    assert cost(BinaryCrossEntropy(from_logits=False), [1e-30], [1.0]) == pytest.approx(69.0776, rel=1e-5)
    assert cost(BinaryCrossEntropy(), [-1e4], [1.0]) == 1e4
    assert cost(CategoricalCrossEntropy(from_logits=False), [[0.0, 1.0]], [[1.0, 0.0]]) == math.inf
    assert cost(SparseCategoricalCrossEntropy(), [[0.0, 1e4]], [0]) == 1e4
    assert cost(KLDivergence(from_logits=False), [[0.0, 1.0]], [[0.5, 0.5]]) == math.inf
    _, gradient = framework.value_and_gradient(
        BinaryCrossEntropy(), framework.array(np.array([20.0]), "float32"), framework.array(np.array([0.0]), "float32")
    )
    assert gradient == pytest.approx([1.0])


# ── what may stand beside a prediction ───────────────────────────────────────────────────────────────────────────────


def as_lists(x: Any) -> Any:
    return x.tolist()


def negative_strides(x: Any) -> Any:
    return np.ascontiguousarray(x[::-1])[::-1]


def not_contiguous(x: Any) -> Any:
    return np.stack([x, x], axis=-1)[..., 0]


def fortran_order(x: Any) -> Any:
    return np.asfortranarray(x)


def read_only(x: Any) -> Any:
    x = x.copy()
    x.flags.writeable = False
    return x


def own_arrays(x: Any) -> Any:
    return x


BESIDE = [as_lists, negative_strides, not_contiguous, fortran_order, read_only, own_arrays]


@cases(dtypes=("float32",), of=DEFAULTS, alike=True)
def test_lists_and_numpy_arrays_stand_beside_any_prediction(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    target = target if loss.target.indices else target.astype(dtype)
    weight, where = random.integers(1, 4, size=ROWS).astype(dtype), np.arange(ROWS) != 2
    wanted = loss(
        **{
            name: framework.array(x, dtype)
            for name, x in {"prediction": prediction, "target": target, "weight": weight, "where": where}.items()
        }
    )
    prediction = framework.array(prediction, dtype)
    for made in BESIDE:
        came = loss(prediction=prediction, target=made(target), weight=made(weight), where=made(where))
        assert type(came) is type(wanted), made
        assert framework.dtype(came) == "float32", made
        np.testing.assert_array_equal(framework.numpy(came), framework.numpy(wanted), err_msg=made.__name__)


@in_each(*AUTODIFF)
@pytest.mark.parametrize("made", [as_lists, own_arrays], ids=lambda f: f.__name__)
def test_lists_and_numpy_arrays_stand_beside_a_traced_prediction(framework: Any, random: Any, made: Any) -> None:
    for loss in (Huber(), SparseCategoricalCrossEntropy()):
        prediction, target = ordinary(loss, random).values()
        prediction = framework.array(prediction, "float64" if framework.title == "PyTorch" else "float32")
        weight, where = np.arange(ROWS) + 0.1, np.arange(ROWS) != 2
        beside = {"target": made(target), "weight": made(weight), "where": made(where)}
        value, gradient = framework.traced(lambda p: loss(prediction=p, **beside), prediction)  # noqa: B023
        wanted, its = framework.value_and_gradient(loss, prediction, target, weight=weight, where=where)
        np.testing.assert_allclose(framework.numpy(value), wanted, rtol=1e-6)
        np.testing.assert_allclose(framework.numpy(gradient), its, rtol=1e-5, atol=1e-7)


@losses(of=DEFAULTS)
def test_numpy_predictions_of_any_layout(loss: Any, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    before = prediction.copy(), target.copy()
    wanted = loss(prediction=prediction, target=target)
    for made in (negative_strides, not_contiguous, fortran_order, read_only):
        assert loss(prediction=made(prediction), target=made(target)) == pytest.approx(wanted, rel=1e-15), made
    np.testing.assert_array_equal(prediction, before[0])
    np.testing.assert_array_equal(target, before[1])


@in_each()
@pytest.mark.parametrize("kind", ["bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64"])
def test_targets_of_every_kind_cost_the_same(framework: Any, kind: str) -> None:
    prediction = framework.array(np.array([-0.5, 2.0, 0.3, -1.0]), "float32")
    labels = np.array([0, 1, 1, 0])
    for loss in (BinaryCrossEntropy(), Hinge(labels=(0, 1)), ZeroOne(labels=(0, 1)), MeanSquaredError()):
        wanted = loss(prediction=prediction, target=framework.array(labels.astype("float32")))
        for target in (labels.astype(kind), framework.array(labels.astype(kind)), labels.astype(kind).tolist()):
            came = loss(prediction=prediction, target=target, weight=np.ones(4, kind), where=np.ones(4, bool))
            assert float(came) == float(wanted)


@in_each()
@pytest.mark.parametrize("target", [2, 2.0, True, np.float64(2.0), np.int8(2), np.array(2)], ids=repr)
def test_scalars(framework: Any, target: Any) -> None:
    prediction = framework.array(np.array(1.5), "float32")
    for weight in (None, 2, 2.0, np.float32(2.0)):
        came = Huber()(prediction=prediction, target=target, weight=weight, where=True)
        assert float(came) == 0.125
        assert framework.dtype(came) == "float32"


@in_each()
def test_a_scalar_weight_counts_for_all(framework: Any) -> None:
    prediction = framework.array(np.array([[1.0, 3.0], [0.0, 0.0]]), "float32")
    target = [[0, 0], [0, 0]]
    loss = MeanAbsoluteError()
    assert float(loss(prediction=prediction, target=target, weight=3, reduction="sum")) == 12.0
    assert float(loss(prediction=prediction, target=target, weight=3)) == 1.0
    assert float(loss(prediction=prediction, target=target, where=False)) == 0.0


def test_lists_and_numbers_as_predictions_are_numpy() -> None:
    assert MeanAbsoluteError()(prediction=[1.0, 3.0], target=[0, 1]) == 1.5
    assert isinstance(MeanAbsoluteError()(prediction=1.5, target=1), np.floating)


@in_each("torch")
def test_what_stands_beside_goes_to_the_predictions_device(framework: Any) -> None:
    prediction = framework.torch.zeros(3, device="meta")
    came = Huber()(prediction=prediction, target=[1, 2, 3], weight=np.ones(3), where=[True, True, False])
    assert came.device.type == "meta"


# ── value checks ─────────────────────────────────────────────────────────────────────────────────────────────────────


def illegal(loss: Any) -> list[tuple[str, Any]]:
    """(argument, an element outside its domain) for every argument that has an outside."""
    found: list[tuple[str, Any]] = []
    for name in ("prediction", "target"):
        match getattr(loss, name):
            case Probability():
                found += [(name, 1.2), (name, -0.1)]
            case Labels():
                found += [(name, 0.5)]
            case ClassIndex() as index:
                found += [(name, index.count(CLASSES)), (name, -1)]
            case Simplex() as rows:
                found += [(name, 0.3 if rows.logarithms else 1.2)]
                found += [] if rows.logarithms else [(name, -0.2)]
    return [*found, ("weight", -1.0)]


def has_its_own_domain(loss: Any) -> bool:
    """Weights of classes and smoothing change no domain."""
    changed = [name for name, value in loss.settings.items() if value != getattr(type(loss)(), name)]
    return all(not name.startswith(("pos_", "label_")) for name in changed)


def planted(loss: Any, random: Any, *elements: tuple[int, str, Any]) -> dict[str, Any]:
    """Legal inputs, but for these elements: (row, argument, element)."""
    prediction, target = ordinary(loss, random).values()
    arrays = {"prediction": prediction, "target": target, "weight": np.ones(of_losses(loss))}
    for row, name, element in elements:
        arrays[name][(row, *(min(1, size - 1) for size in arrays[name].shape[1:]))] = element
    return arrays


@cases(dtypes=("float32",), only=has_its_own_domain, alike=True)
def test_illegal_elements_raise_where_values_can_be_read(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    for name, element in illegal(loss):
        arrays = {key: framework.array(x, dtype) for key, x in planted(loss, random, (2, name, element)).items()}
        with pytest.raises(errors.DomainError, match=f"{name} must"):
            loss(**arrays)


@cases(frameworks=AUTODIFF, dtypes=("float32",), only=has_its_own_domain, alike=True)
def test_illegal_elements_become_nan_under_a_trace(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    """Each in a row of its own, and no other row."""
    elements = {2 * k + 1: each for k, each in enumerate(illegal(loss))}
    batch = planted(loss, random, *((row, *each) for row, each in elements.items()))
    arrays = {key: framework.array(x, dtype) for key, x in batch.items()}

    def call(prediction: Any, target: Any, weight: Any) -> Any:
        return loss.values(prediction=prediction, target=target, weight=weight)

    if not loss.trainable:
        value = gradient = framework.numpy(TRACERS[framework.title](framework, call)(**arrays))
    elif framework.title == "PyTorch":
        value, gradient = map(framework.numpy, vmapped(framework, call, **arrays))
    else:
        value, gradient = map(framework.numpy, framework.traced(call, *arrays.values()))
    for each in (value, gradient):
        bad = np.isnan(each).reshape(ROWS, -1).any(axis=1)
        assert bad.tolist() == [row in elements for row in range(ROWS)], elements


TRACERS = {
    "PyTorch": lambda its, call: lambda **arrays: its.torch.func.vmap(call)(*arrays.values()),
    "TensorFlow": lambda its, call: its.tf.function(call, autograph=False),
    "JAX": lambda its, call: its.jax.jit(call),
}


def vmapped(its: Any, call: Any, prediction: Any, target: Any, weight: Any) -> tuple[Any, Any]:
    """Row by row under `torch.func.vmap`, which starts faster than the compiler does."""

    def row(p: Any, y: Any, w: Any) -> tuple[Any, Any]:
        values, pull = its.torch.func.vjp(lambda p: call(p, y, w), p)
        return values, pull(its.torch.ones_like(values))[0]

    return its.torch.func.vmap(row)(prediction, target, weight)


@pytest.mark.parametrize("name", ["torch", "tensorflow", "jax"])
@pytest.mark.parametrize(
    ("loss", "argument", "element"),
    [
        pytest.param(BinaryCrossEntropy(from_logits=False), "prediction", 1.2, id="probability"),
        pytest.param(SparseCategoricalCrossEntropy(), "target", CLASSES, id="index"),
        pytest.param(Hinge(), "target", 0.0, id="label"),
        pytest.param(CategoricalCrossEntropy(), "target", 2.0, id="row"),
        pytest.param(Huber(), "weight", -1.0, id="weight"),
    ],
)
def test_illegal_elements_become_nan_when_compiled(
    name: str, loss: Any, argument: str, element: Any, random: Any
) -> None:
    framework = adapter(name)
    arrays = [framework.array(x, "float32") for x in planted(loss, random, (2, argument, element)).values()]

    def call(prediction: Any, target: Any, weight: Any) -> Any:
        return loss.values(prediction=prediction, target=target, weight=weight)

    compiled = framework.traced if name == "torch" else framework.compiled
    for each in compiled(call, *arrays):
        bad = np.isnan(framework.numpy(each)).reshape(ROWS, -1).any(axis=1)
        assert bad.tolist() == [row == 2 for row in range(ROWS)]


@cases(frameworks=("jax",), dtypes=("float32",), of=DEFAULTS, only=lambda loss: loss.trainable, alike=True)
def test_vmap_in_jax_equals_the_batch(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = (framework.array(x, dtype) for x in ordinary(loss, random).values())
    one_row = framework.jax.grad(lambda p, y: loss(prediction=p, target=y, reduction="sum"))
    came = framework.jax.jit(framework.jax.vmap(one_row))(prediction, target)
    _, wanted = framework.value_and_gradient(loss, prediction, target, reduction="sum")
    size = size_of_terms(loss, "gradient", *map(framework.numpy, (prediction, target)))
    assert (abs(framework.numpy(came) - wanted) <= 1e-7 + 1e-6 * np.maximum(abs(wanted), size)).all()


@cases(frameworks=("torch",), dtypes=("float32",), only=lambda loss: loss.trainable, alike=True)
def test_transforms_in_torch_equal_the_batch(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = (framework.array(x, dtype) for x in ordinary(loss, random).values())
    func = framework.torch.func
    came = func.vmap(func.grad(lambda p, y: loss(prediction=p, target=y, reduction="sum")))(prediction, target)
    _, wanted = framework.value_and_gradient(loss, prediction, target, reduction="sum")
    size = size_of_terms(loss, "gradient", *map(framework.numpy, (prediction, target)))
    assert (abs(framework.numpy(came) - wanted) <= 1e-7 + 1e-6 * np.maximum(abs(wanted), size)).all()


@cases(dtypes=("float32",))
def test_nan_passes_every_check(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    for name in ("prediction", "target", "weight"):
        if name == "target" and loss.target.indices:
            continue
        arrays = planted(loss, random, (2, name, math.nan))
        for reduction in ("none", "mean"):
            value, gradient = framework.value_and_gradient(
                loss, **{key: framework.array(x, dtype) for key, x in arrays.items()}, reduction=reduction
            )
            if reduction == "mean":
                assert np.isnan(value)
            else:
                bad = np.isnan(value).reshape(ROWS, -1).any(axis=1)
                assert bad.tolist() == [row == 2 for row in range(ROWS)]
                if loss.trainable:
                    assert np.isnan(gradient[2]).any()
                    assert not np.isnan(gradient[np.arange(ROWS) != 2]).any()


@in_each()
def test_value_checks_can_be_switched_off(framework: Any) -> None:
    prediction, target = (framework.array(np.array(x), "float32") for x in ([0.5, 1.5], [1.0, 3.0]))
    loss = BinaryCrossEntropy()
    with pytest.raises(errors.DomainError):
        loss.compute(Call((prediction, target)), reduction="mean")
    value = loss.compute(Call((prediction, target), validate=False), reduction="none")
    wanted = np.log1p(np.exp([0.5, 1.5])) - np.array([1.0, 3.0]) * np.array([0.5, 1.5])
    np.testing.assert_allclose(framework.numpy(value), wanted, rtol=1e-6)


def test_the_environment_switches_value_checks_off() -> None:
    code = """
import numpy as np
from lossary import BinaryCrossEntropy, SparseCategoricalCrossEntropy
print(float(BinaryCrossEntropy()(prediction=np.array([0.5]), target=[3.0])))
try:
    BinaryCrossEntropy()(prediction=np.array([0.5]), target=[3.0, 1.0])
except ValueError as error:
    print("shapes are checked")
"""
    for value, wanted in (("0", "shapes are checked"), ("1", "DomainError")):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"LOSSARY_VALIDATE": value},
            capture_output=True,
            text=True,
            check=False,
        )
        assert wanted in ran.stdout + ran.stderr
        assert (ran.returncode == 0) == (value == "0")


# ── reduction ────────────────────────────────────────────────────────────────────────────────────────────────────────


@cases(alike=True)
def test_reductions_are_what_they_say(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    weight = random.uniform(0.5, 2.0, size=of_losses(loss))
    where = random.uniform(size=of_losses(loss)) < 0.7
    arrays = {
        key: framework.array(x, dtype)
        for key, x in {"prediction": prediction, "target": target, "weight": weight, "where": where}.items()
    }
    values = framework.numpy(loss.values(**arrays))
    assert values.shape == of_losses(loss)
    assert (values[~where] == 0.0).all()
    np.testing.assert_array_equal(values, framework.numpy(loss(**arrays, reduction="none")))
    plain = framework.numpy(loss.values(prediction=arrays["prediction"], target=arrays["target"]))
    weight = framework.numpy(arrays["weight"])
    rtol = 1e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(values, np.where(where, weight * plain, 0.0), rtol=rtol)

    total, mean = loss.total(**arrays), float(loss(**arrays))
    assert isinstance(total, Total)
    np.testing.assert_allclose(float(loss(**arrays, reduction="sum")), values.sum(), rtol=rtol)
    np.testing.assert_allclose(float(total.sum), values.sum(), rtol=rtol)
    counts = loss.row_weight(framework.ops, arrays["target"], arrays["prediction"])
    counts = 1.0 if counts is None else framework.numpy(counts)
    np.testing.assert_allclose(float(total.weight), np.where(where, weight * counts, 0.0).sum(), rtol=rtol)
    np.testing.assert_allclose(mean, values.sum() / np.where(where, weight * counts, 0.0).sum(), rtol=rtol)
    np.testing.assert_allclose(float(total.mean), mean, rtol=rtol)


@cases(dtypes=("float32",), of=DEFAULTS, only=lambda loss: not loss.prediction.rows, alike=True)
def test_a_weight_per_row_counts_once_per_entry(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = (framework.array(x, dtype) for x in ordinary(loss, random).values())
    weight, where = random.uniform(0.5, 2.0, size=ROWS), np.arange(ROWS) != 3
    full = {"weight": np.repeat(weight[:, None], CLASSES, 1), "where": np.repeat(where[:, None], CLASSES, 1)}
    for reduction in ("none", "sum", "mean"):
        short = framework.value_and_gradient(
            loss,
            prediction,
            target,
            weight=framework.array(weight, dtype),
            where=framework.array(where),
            reduction=reduction,
        )
        long = framework.value_and_gradient(
            loss, prediction, target, reduction=reduction, **{k: framework.array(x, dtype) for k, x in full.items()}
        )
        for one, other in zip(short, long, strict=True):
            np.testing.assert_array_equal(one, other)


@in_each()
def test_a_class_weight_of_0_drops_its_class(framework: Any, random: Any) -> None:
    """Also when the row holds NaN or infinity: it drops as weight 0 does."""
    prediction, target = random.normal(size=(ROWS, CLASSES)), np.arange(ROWS) % CLASSES
    dropped = target == 0
    prediction[dropped] = np.array([math.nan, math.inf, -math.inf])[:, None]
    for loss, y in (
        (SparseCategoricalCrossEntropy(class_weight=(0, 2, 1, 3)), target),
        (CategoricalCrossEntropy(class_weight=(0, 2, 1, 3)), np.eye(CLASSES)[target]),
    ):
        value, gradient = framework.value_and_gradient(
            loss, framework.array(prediction, "float32"), framework.array(y, "float32")
        )
        wanted, its = adapter("numpy").value_and_gradient(loss, prediction[~dropped], y[~dropped])
        assert value == pytest.approx(wanted, rel=1e-5)
        assert (gradient[dropped] == 0.0).all()
        np.testing.assert_allclose(gradient[~dropped], its, rtol=1e-4, atol=1e-6)


@in_each()
def test_class_weights_count_in_the_means_denominator_and_pos_weight_does_not(framework: Any) -> None:
    logits = framework.array(np.array([[1.0, 0.0], [0.5, 0.0]]), "float32")
    plain = framework.numpy(SparseCategoricalCrossEntropy().values(prediction=logits, target=[0, 1]))
    came = SparseCategoricalCrossEntropy(class_weight=(1, 3))(prediction=logits, target=[0, 1])
    assert float(came) == pytest.approx((plain[0] + 3 * plain[1]) / 4, rel=1e-6)
    plain = framework.numpy(BinaryCrossEntropy().values(prediction=logits, target=[[1, 0], [0, 0]]))
    came = BinaryCrossEntropy(pos_weight=3)(prediction=logits, target=[[1, 0], [0, 0]])
    assert float(came) == pytest.approx((plain.sum() + 2 * plain[0, 0]) / 4, rel=1e-6)
    assert float(BinaryCrossEntropy(pos_weight=(3, 1))(prediction=logits, target=[[1, 0], [0, 0]])) == float(came)


@in_each()
def test_ignored_indices_may_be_anything(framework: Any, random: Any) -> None:
    prediction, target = random.normal(size=(ROWS, CLASSES)), np.arange(ROWS) % CLASSES
    target[::3] = -100
    kept = target != -100
    loss = SparseCategoricalCrossEntropy()
    value, gradient = framework.value_and_gradient(
        loss, framework.array(prediction, "float32"), framework.array(target), where=framework.array(kept)
    )
    wanted, its = adapter("numpy").value_and_gradient(loss, prediction[kept], target[kept])
    assert value == pytest.approx(wanted, rel=1e-5)
    assert (gradient[~kept] == 0.0).all()
    np.testing.assert_allclose(gradient[kept], its, rtol=1e-4, atol=1e-6)


# ── totals ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@cases(frameworks=AUTODIFF, dtypes=("float32",), of=DEFAULTS, only=lambda loss: loss.trainable, alike=True)
def test_a_total_of_micro_batches_differentiates_as_the_whole(
    loss: Any, framework: Any, dtype: str, random: Any
) -> None:
    prediction, target = (framework.array(x, dtype) for x in ordinary(loss, random).values())
    where = framework.array(np.arange(ROWS) % 3 != 1)

    def parts(p: Any) -> Any:
        return sum(
            loss.total(prediction=p[rows], target=target[rows], where=where[rows])
            for rows in (slice(0, HALF), slice(HALF, ROWS))
        ).mean

    came = map(framework.numpy, framework.pulled(parts, prediction))
    wanted = framework.value_and_gradient(loss, prediction, target, where=where)
    for one, other in zip(came, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@in_each("jax")
def test_a_total_is_a_jax_pytree(framework: Any) -> None:
    jax = framework.jax
    prediction, target = (framework.array(np.array(x), "float32") for x in ([1.0, 4.0], [0.0, 0.0]))
    total = jax.jit(lambda p, y: MeanAbsoluteError().total(prediction=p, target=y))(prediction, target)
    assert isinstance(total, Total)
    assert [float(leaf) for leaf in jax.tree.leaves(total)] == [5.0, 0.0, 2.0, 0.0]  # with what rounding has lost
    doubled = jax.tree.map(lambda x: 2 * x, total)
    assert (float(doubled.sum), float(doubled.mean)) == (10.0, 2.5)
    summed = jax.vmap(lambda p, y: MeanAbsoluteError().total(prediction=p, target=y))(prediction, target)
    assert summed.sum.tolist() == [1.0, 4.0]
    assert jax.jit(lambda t: (t + t).mean)(total) == 2.5


@in_each()
def test_totals_of_many_batches_are_exact_in_any_order(framework: Any, random: Any) -> None:
    """One heavy batch swallows in float32 whatever is added to it."""
    count = 300 if framework.title == "JAX" else 3000
    losses = np.concatenate([[2.0**24], random.uniform(0.1, 0.4, size=count)]).astype("float32")
    exact = math.fsum(losses)
    assert float(np.add.accumulate(losses)[-1]) != pytest.approx(exact, rel=1e-6), "this test would prove nothing"
    loss, zero = MeanAbsoluteError(), framework.array(np.zeros(1), "float32")
    totals = [loss.total(prediction=framework.array(losses[i : i + 1]), target=zero) for i in range(len(losses))]
    objective = (0.5 * loss + 2.5 * loss).total(prediction=framework.array(losses[:1]), target=zero)
    assert float(objective.sum) == 3.0 * 2.0**24
    for order in (range(len(losses)), random.permutation(len(losses)), range(len(losses) - 1, -1, -1)):
        whole = sum(totals[i] for i in order)
        assert float(whole.sum) == np.float32(exact)
        assert float(whole.weight) == len(losses)
        assert float(whole.mean) == pytest.approx(exact / len(losses), rel=1.51 * 2.0**-23)
    thirds = [sum(totals[i::3]) for i in range(3)]  # as ranks have them
    assert float((thirds[2] + thirds[0] + thirds[1]).sum) == np.float32(exact)


@in_each()
def test_a_total_counts_beyond_the_whole_numbers_of_float32(framework: Any) -> None:
    """Compiled where a compiler keeps so many entries out of memory, which TensorFlow would not give back."""
    arrays, compiled = {
        "NumPy": lambda: (np, lambda function: function),
        "PyTorch": lambda: (framework.torch, lambda function: function),
        "TensorFlow": lambda: (framework.tf, framework.tf.function(jit_compile=True, autograph=False)),
        "JAX": lambda: (framework.jax.numpy, framework.jax.jit),
    }[framework.title]()

    @compiled
    def weights(one: Any) -> tuple[Any, Any]:
        entries = arrays.broadcast_to(one, (2**24 + 1,))
        large, small = (MeanAbsoluteError().total(prediction=x, target=x) for x in (entries, one))
        return large.exact_weight, (large + small + small + small).exact_weight

    carried = weights(framework.array(np.zeros(1), "float32"))  # JAX carries two numbers for one
    found = [math.fsum(map(float, each if isinstance(each, tuple) else (each,))) for each in carried]
    assert found == [2**24 + 1, 2**24 + 4]


def test_totals_of_different_frameworks_do_not_add() -> None:
    totals = [
        MeanAbsoluteError().total(prediction=adapter(name).array(np.ones(2), "float32"), target=[0, 0])
        for name in ("numpy", "torch", "jax")
    ]
    for one, other in itertools.permutations(totals, 2):
        with pytest.raises(errors.FrameworkError, match="from one framework"):
            one + other
    assert totals[0] + 0 is totals[0]


@in_each("jax")
def test_a_total_is_exact_in_a_compiled_loop(framework: Any) -> None:
    jax = framework.jax
    losses = np.full(100_000, 0.37, "float32")
    losses[0] = 2.0**24

    @jax.jit
    def added(losses: Any) -> Any:
        def one(total: Any, loss: Any) -> Any:
            return total + MeanAbsoluteError().total(prediction=loss[None], target=jax.numpy.zeros(1)), None

        first = MeanAbsoluteError().total(prediction=losses[:1], target=jax.numpy.zeros(1))
        return jax.lax.scan(one, first, losses[1:])[0]

    assert float(added(losses).sum) == np.float32(math.fsum(losses))


@in_each()
def test_totals_add_and_nothing_else(framework: Any) -> None:
    arrays = {"prediction": framework.array(np.array([1.0, 4.0]), "float32"), "target": [0, 0]}
    total = MeanAbsoluteError().total(**arrays)
    assert float((total + total).sum) == 10.0
    assert float(sum([total, total, total]).weight) == 6.0
    nothing = MeanAbsoluteError().total(**arrays, where=[False, False])
    assert float(nothing.mean) == 0.0
    assert float((nothing + total).mean) == 2.5
    with pytest.raises(TypeError):
        total + 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        total.exact_sum = 3.0


# ── value_and_gradient ───────────────────────────────────────────────────────────────────────────────────────────────


@cases(frameworks=("numpy",), dtypes=(*DTYPES, *HALVES), only=lambda loss: loss.trainable)
def test_value_and_gradient_in_numpy(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = (framework.array(x, dtype) for x in ordinary(loss, random).values())
    weight = framework.array(random.uniform(0.5, 2.0, size=of_losses(loss)), dtype)
    results = {}
    for reduction in ("mean", "sum", "none"):
        value, gradient = loss.value_and_gradient(
            prediction=prediction, target=target, weight=weight, reduction=reduction
        )
        np.testing.assert_array_equal(
            value, loss(prediction=prediction, target=target, weight=weight, reduction=reduction)
        )
        assert gradient.shape == prediction.shape
        assert framework.dtype(gradient) == dtype
        results[reduction] = gradient.astype("float64")
    np.testing.assert_array_equal(results["sum"], results["none"])
    counted = float(loss.total(prediction=prediction, target=target, weight=weight).weight)
    smallest = float(ml_dtypes.finfo(dtype).smallest_subnormal)  # below the normal numbers there are fewer digits
    np.testing.assert_allclose(
        results["mean"] * counted, results["sum"], rtol=2 * framework.spacing(dtype), atol=counted * smallest
    )


@in_each(*AUTODIFF)
def test_value_and_gradient_elsewhere_shows_the_door(framework: Any) -> None:
    with pytest.raises(
        errors.UsageError,
        match=rf"(?s)NumPy arrays.*a prediction from {framework.title}.*let {framework.title} differentiate",
    ):
        Huber().value_and_gradient(prediction=framework.array(np.zeros(3), "float32"), target=[0, 0, 0])


# ── a loss is frozen, hashable and final ─────────────────────────────────────────────────────────────────────────────


@losses(of=DEFAULTS)
def test_losses_are_frozen_and_final(loss: Any) -> None:
    for name in (*loss.settings, "anything"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(loss, name, 1.0)
    with pytest.raises(TypeError, match=f"{type(loss).__name__} is final"):
        type("Derived", (type(loss),), {})


@pytest.mark.parametrize("shape", [Pointwise, Rowwise])
def test_a_loss_must_write_what_a_loss_needs(shape: Any) -> None:
    with pytest.raises(TypeError, match="Unfinished must define prediction and target and value"):
        type("Unfinished", (shape,), {})


def test_tables_are_tuples() -> None:
    for table in ([1, 2, 3], (1, 2, 3), np.array([1, 2, 3]).tolist()):
        loss = SparseCategoricalCrossEntropy(class_weight=table)
        assert loss.class_weight == (1.0, 2.0, 3.0)
        assert hash(loss) == hash(SparseCategoricalCrossEntropy(class_weight=(1.0, 2.0, 3.0)))


@in_each("jax")
def test_a_loss_is_a_static_argument(framework: Any) -> None:
    traced = []

    def call(loss: Any, p: Any, y: Any) -> Any:
        traced.append(loss)
        return loss(prediction=p, target=y)

    jitted = framework.jax.jit(call, static_argnums=0)
    p, y = framework.array(np.array([3.0]), "float32"), framework.array(np.array([0.0]), "float32")
    assert float(jitted(Huber(), p, y)) == 2.5
    assert float(jitted(Huber(delta=2), p, y)) == 4.0
    assert float(jitted(Huber(delta=1.0), p, y)) == 2.5
    assert traced == [Huber(), Huber(delta=2)]


def test_a_pickle_names_the_class_and_its_settings_only() -> None:
    assert len(pickle.dumps(Huber(2.0))) < 200


@in_each()
def test_nan_passes_in_long_batches(framework: Any) -> None:
    """Compiled maxima overlook NaN in some rows of vectorised loops."""
    rows = np.zeros((4096, 3))
    rows[::2, 1] = np.nan
    values = framework.numpy(
        SparseCategoricalCrossEntropy().values(
            prediction=framework.array(rows, "float32"), target=np.zeros(4096, np.int64)
        )
    )
    np.testing.assert_array_equal(np.isnan(values), np.arange(4096) % 2 == 0)


@in_each()
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "int64"])
def test_narrow_class_indices(framework: Any, dtype: str) -> None:
    rows = framework.array(np.zeros((3, 300)), "float32")
    target = framework.array(np.array([0, 100, 127], dtype))
    call = SparseCategoricalCrossEntropy()
    if framework.title == "JAX" and dtype != "int8":
        call = framework.jax.jit(call)
    value = call(prediction=rows, target=target)
    np.testing.assert_allclose(framework.numpy(value), np.log(300), rtol=1e-6)


@in_each()
def test_an_index_beyond_int32_does_not_wrap(framework: Any) -> None:
    with pytest.raises(DomainError, match="class indices"):
        SparseCategoricalCrossEntropy()(prediction=framework.array(np.zeros((1, 3)), "float32"), target=[2**32])


@in_each(*AUTODIFF)
def test_an_illegal_index_is_nan_under_a_trace_whatever_its_class_weight(framework: Any) -> None:
    loss = SparseCategoricalCrossEntropy(class_weight=(0.0, 1.0, 2.0))
    rows, target = framework.array(np.zeros((3, 3)), "float32"), framework.array(np.array([7, 1, 2]))
    compiled = framework.traced if framework.title == "PyTorch" else framework.compiled
    values, _ = compiled(lambda p, y: loss.values(prediction=p, target=y), rows, target)
    np.testing.assert_array_equal(np.isnan(framework.numpy(values)), [True, False, False])


def test_penalties_compute_half_types_in_float32() -> None:
    assert float(L2()(parameters=[np.full(10, 1e-4, np.float16)])) == pytest.approx(1e-7, rel=1e-2)
    assert float(L2()(parameters=[np.full(10, 300, np.float16)])) == 900_000


def test_the_gradient_of_a_mean_divides_by_the_exact_weight() -> None:
    weight = np.full(10**6, 0.37, np.float32)
    weight[0] = 2**24
    prediction = np.ones(10**6, np.float32)
    gradient = MeanSquaredError().value_and_gradient(prediction=prediction, target=0 * prediction, weight=weight)[1]
    exact = 2 * weight.astype(np.float64) / weight.sum(dtype=np.float64)
    np.testing.assert_allclose(gradient, exact, rtol=2e-7)


def test_a_loss_that_reduces_by_itself_is_refused() -> None:
    class Reduced(Pointwise):
        task = "regression"
        prediction, target = Real(), Real()

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return xp.sum(xp.abs(p - y))

    with pytest.raises(ShapeError, match="one number for each entry"):
        Reduced()(prediction=np.ones(3), target=np.zeros(3))


def test_a_field_that_is_no_hyper_parameter_is_refused() -> None:
    with pytest.raises(TypeError, match=r"must be made by parameter"):

        class Plain(Pointwise):
            k: float = 2.0
            task = "regression"
            prediction, target = Real(), Real()

            def value(self, xp: Any, p: Any, y: Any) -> Any:
                return p - y
