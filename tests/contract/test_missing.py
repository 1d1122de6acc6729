"""Targets that are missing: where an adapter is told so, the rest of the batch is all that counts."""

from __future__ import annotations

import math
import pickle
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression

import lossary.jax
import lossary.sklearn
import lossary.torch
from lossary import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    ParameterError,
    Quantile,
    SparseCategoricalCrossEntropy,
    UsageError,
    metrics,
)
from lossary.ops.call import Call
from tests import paths
from tests.grid import DEFAULTS, cases, losses, of_losses, ordinary

SENTINEL = -999.0  # no label, no probability, no amount


def has_float_targets(loss: Any) -> bool:
    return not loss.target.indices


def is_trained_on_floats(loss: Any) -> bool:
    return has_float_targets(loss) and bool(loss.trainable)


def torn(loss: Any, target: Any, missing: Any) -> tuple[Any, Any]:
    """The target with holes, and which losses have one; of a row, one part is enough."""
    present = np.ones(of_losses(loss), bool)
    present.flat[::3] = False
    holes = ~present
    if loss.target.rows:
        holes = np.zeros(target.shape, bool)
        holes[~present, 1] = True
    return np.where(holes, math.nan if missing == "skip" else missing, target), present


@cases(only=has_float_targets, missing=("skip", SENTINEL), alike=True)
def test_what_has_no_target_is_dropped(loss: Any, framework: Any, dtype: str, random: Any, missing: Any) -> None:
    """By the same mask, value for value: that masks drop is a law of its own."""
    prediction, whole = ordinary(loss, random).values()
    target, present = torn(loss, whole, missing)

    prediction, target, whole = (framework.array(x, dtype) for x in (prediction, target, whole))
    for reduction in ("mean", "sum", "none"):
        came = loss.compute(Call((prediction, target), missing=missing), reduction=reduction)
        wanted = loss.compute(Call((prediction, whole), where=present), reduction=reduction)
        np.testing.assert_array_equal(framework.numpy(came), framework.numpy(wanted))
    came, wanted = (
        loss.compute_total(Call((prediction, target), missing=missing)),
        loss.compute_total(Call((prediction, whole), where=present)),
    )
    assert float(came.weight) == float(wanted.weight)


@losses(DEFAULTS, is_trained_on_floats, fused=(True, False), missing=("skip", SENTINEL), alike=True)
def test_pytorch(loss: Any, random: Any, missing: Any, fused: bool) -> None:
    if fused:
        paths.require_kernel(loss)
    prediction, whole = ordinary(loss, random).values()
    target, present = torn(loss, whole, missing)
    options = {"class_axis": -1} if loss.prediction.rows else {}
    input, plain = torch.tensor(prediction, requires_grad=True), loss.torch(**options)
    criterion = loss.torch(missing=missing, **options)
    with paths.by_kernels() if fused else paths.in_words():
        value, wanted = criterion(input, torch.tensor(target)), plain(input, torch.tensor(whole), where=present)
        torch.testing.assert_close(value, wanted)
        total = criterion.total(input, torch.tensor(target))
    assert float(total.weight) == present.sum()
    assert float(total.mean.detach()) == pytest.approx(float(wanted.detach()), rel=1e-12)
    slope, its = (torch.autograd.grad(each, input)[0] for each in (value, wanted))
    torch.testing.assert_close(slope, its)
    assert pickle.loads(pickle.dumps(criterion)).missing == missing


@losses(DEFAULTS, is_trained_on_floats, alike=True)
def test_a_compiled_step_in_pytorch(loss: Any, random: Any) -> None:
    torch.compiler.reset()
    prediction, target = ordinary(loss, random).values()
    target, _ = torn(loss, target, "skip")
    criterion = loss.torch(missing="skip", **({"class_axis": -1} if loss.prediction.rows else {}))
    layer = torch.nn.Linear(prediction.shape[1], prediction.shape[1], dtype=torch.float64)
    torch.nn.init.eye_(layer.weight)
    torch.nn.init.zeros_(layer.bias)

    def step(input: Any, target: Any) -> Any:
        return criterion(layer(input), target)

    arrays = torch.tensor(prediction), torch.tensor(target)
    came, wanted = torch.compile(step, backend="aot_eager", fullgraph=True)(*arrays), step(*arrays)
    torch.testing.assert_close(came, wanted)
    slopes = [torch.autograd.grad(each, list(layer.parameters())) for each in (came, wanted)]
    assert all(bool(each.isfinite().all()) for each in slopes[0])
    torch.testing.assert_close(*slopes)


@losses(DEFAULTS, has_float_targets, alike=True)
def test_jax(loss: Any, random: Any) -> None:
    prediction, whole = ordinary(loss, random).values()
    target, present = torn(loss, whole, "skip")
    prediction, target, whole = (x.astype("float32") for x in (prediction, target, whole))
    function, plain = loss.jax(missing="skip"), loss.jax()

    def answers(function: Any, target: Any, **more: Any) -> list[Any]:
        mean = lambda p: function.total(p, target, **more).mean  # noqa: E731 - one expression
        both = jax.value_and_grad(mean) if loss.trainable else mean
        traced = jax.jit(lambda p: (function(p, target, **more), both(p)))
        return [np.asarray(x) for x in jax.tree.leaves(traced(prediction))]

    came, wanted = answers(function, target), answers(plain, whole, where=present)
    np.testing.assert_array_equal(came[0] == 0.0, wanted[0] == 0.0)
    for one, other in zip(came, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    if loss.trainable:
        assert (came[-1][~present] == 0.0).all()
    assert function == pickle.loads(pickle.dumps(function)) != plain


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int16", "int64"])
def test_a_number_is_known_by_the_dtype_that_it_came_in(dtype: str) -> None:
    """−999.25 is rounded in the halves; 1e39 and its neighbours are one infinity in float32."""
    criterion = MeanSquaredError().torch(missing=-999.0 if "int" in dtype else -999.25)
    target = torch.tensor([1.0, -999.25, 3.0]).to(getattr(torch, dtype))
    assert float(criterion(torch.zeros(3), target)) == 5.0
    wide = torch.tensor([1.0, 1e39], dtype=torch.float64)
    assert float(MeanSquaredError().torch(missing=1e38)(torch.zeros(2), wide)) == math.inf
    assert float(MeanSquaredError().torch(missing=1e39)(torch.zeros(2), wide)) == 1.0


def test_integers_miss_nothing_by_themselves() -> None:
    assert float(MeanSquaredError().torch(missing="skip")(torch.zeros(2), torch.tensor([1, 3]))) == 5.0


@pytest.mark.parametrize("framework", ["numpy", "torch", "tensorflow", "jax"], indirect=True)
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64"])
def test_integers_are_compared_as_integers(framework: Any, dtype: str) -> None:
    """A number that they cannot hold, or that is none of them, is none of them; NaN and infinity are."""
    target = framework.array(np.array([0, 1, 1], dtype))
    prediction = framework.array([0.5, 1.5, 3.0], "float32")

    def mean(missing: Any) -> float:
        call = MeanSquaredError().compute(Call((prediction, target), missing=missing), reduction="mean")
        return float(framework.numpy(call))

    assert mean(1) == mean(1.0) == 0.25
    for absent in ("skip", 0.5, -(2**40), 2**70, 10**400, math.inf):
        assert mean(absent) == 1.5


def test_no_digit_is_lost() -> None:
    wide, p = torch.tensor([2**53, 2**53 + 1, 0]), torch.zeros(3)
    assert MeanAbsoluteError().torch(missing=2**53 + 1).total(p, wide).weight == 2
    assert MeanAbsoluteError().torch(missing=10**400)(p[:1], torch.tensor([math.inf])) == math.inf


def test_nan_is_what_skip_means() -> None:
    assert lossary.torch.Huber(missing=math.nan).missing == "skip"


def test_where_all_are_missing_the_mean_is_0() -> None:
    input = torch.ones(3, requires_grad=True)
    value = lossary.torch.MeanSquaredError(missing="skip")(input, torch.full((3,), math.nan))
    value.backward()
    assert value == 0.0
    assert (input.grad == 0.0).all()


def test_without_it_nan_stays_nan_and_a_nan_prediction_does_anyway() -> None:
    nan = torch.tensor([1.0, math.nan])
    assert lossary.torch.MeanSquaredError()(torch.zeros(2), nan).isnan()
    assert lossary.torch.MeanSquaredError(missing="skip")(nan, torch.zeros(2)).isnan()


def test_classes_on_axis_1() -> None:
    loss, random = CategoricalCrossEntropy(), np.random.default_rng(0)
    prediction = torch.tensor(random.normal(size=(2, 4, 3)))
    target = torch.tensor(np.eye(4)[[[0, 1, 2], [3, 0, 1]]]).movedim(-1, 1)
    holes = target.clone()
    holes[0, 2, 1] = math.nan
    where = torch.tensor([[True, False, True], [True, True, True]])
    torch.testing.assert_close(
        loss.torch(missing="skip")(prediction, holes), loss.torch()(prediction, target, where=where)
    )
    several = BinaryCrossEntropy(pos_weight=(1.0, 2.0, 3.0, 4.0))
    kept = several.torch(class_axis=1)(prediction, target, where=~holes.isnan())
    torch.testing.assert_close(several.torch(class_axis=1, missing="skip")(prediction, holes), kept)


def test_an_objective_leaves_out_the_same_for_all_its_losses() -> None:
    objective, p, y = 0.5 * Huber() + Quantile(0.9), torch.arange(3.0), torch.tensor([1.0, math.nan, 0.0])
    kept = objective.torch()(p[[0, 2]], y[[0, 2]])
    torch.testing.assert_close(objective.torch(missing="skip")(p, y), kept)
    assert np.asarray(objective.jax(missing="skip").total(np.arange(3.0), y.numpy()).mean) == pytest.approx(float(kept))


def test_class_indices_are_left_out_by_the_frameworks_own_option() -> None:
    with pytest.raises(UsageError, match=r"missing='skip'(.|\n)*ignore_index=-1"):
        SparseCategoricalCrossEntropy().torch(missing="skip")
    with pytest.raises(UsageError, match=r"missing=-1(.|\n)*ignore_index=-1"):
        SparseCategoricalCrossEntropy().torch(missing=-1)
    with pytest.raises(UsageError, match=r"class indices are integers(.|\n)*missing=-1"):
        SparseCategoricalCrossEntropy().jax(missing="skip")
    for beyond in (math.inf, 2**40, 10**400, 0.5):
        with pytest.raises(UsageError, match="class indices are integers"):
            SparseCategoricalCrossEntropy().jax(missing=beyond)
    logits = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    total = jax.jit(SparseCategoricalCrossEntropy().jax(missing=-1).total)(logits, np.array([0, -1, 2]))
    kept = SparseCategoricalCrossEntropy().total(prediction=logits[[0, 2]], target=np.array([0, 2]))
    np.testing.assert_allclose([total.sum, total.weight], [kept.sum, kept.weight], rtol=1e-6)


@pytest.mark.parametrize("module", [lossary.torch, lossary.jax, lossary.sklearn])
@pytest.mark.parametrize("wrong", ["drop", True, [1.0], np.array([1.0, 2.0])])
def test_what_is_no_answer(module: Any, wrong: Any) -> None:
    with pytest.raises(ParameterError, match=r'missing must be "skip"(.|\n)*Received: missing='):
        module.Huber(missing=wrong)


def test_scikit_learn() -> None:
    random = np.random.default_rng(0)
    features, y = random.normal(size=(30, 2)), random.normal(size=30)
    model = DummyRegressor().fit(features, y)
    holes, weight = np.where(np.arange(30) % 4 == 0, math.nan, y), random.uniform(size=30)
    kept = ~np.isnan(holes)
    scorer, plain = lossary.sklearn.Huber(missing="skip"), lossary.sklearn.Huber()
    wanted = plain(model, features[kept], y[kept], sample_weight=weight[kept])
    assert scorer(model, features, holes, sample_weight=weight) == pytest.approx(wanted, rel=1e-12)
    named = lossary.sklearn.Huber(missing=-999)
    assert named(model, features, np.nan_to_num(holes, nan=-999), sample_weight=weight) == pytest.approx(wanted)
    assert pickle.loads(pickle.dumps(scorer)) == scorer != plain
    assert len({scorer, plain, named}) == 3


def test_scikit_learn_with_rows_that_have_no_label() -> None:
    random = np.random.default_rng(0)
    features, y = random.normal(size=(40, 2)), np.arange(40) % 3
    model = LogisticRegression().fit(features, y)
    unlabelled = np.where(np.arange(40) % 5 == 0, -1, y)
    kept = unlabelled != -1
    scorer, plain = (
        lossary.sklearn.SparseCategoricalCrossEntropy(missing=-1),
        lossary.sklearn.SparseCategoricalCrossEntropy(),
    )
    assert scorer(model, features, unlabelled) == pytest.approx(plain(model, features[kept], y[kept]), rel=1e-12)


@pytest.mark.parametrize("kind", [int, str])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    "loss", ["SparseCategoricalCrossEntropy", "CategoricalCrossEntropy", "BinaryCrossEntropy", "Hinge", "ZeroOne"]
)
def test_labels_are_missing_before_they_are_encoded(loss: str, first: int, kind: Any) -> None:
    """The number that stands for none may be a class to the loss: 0 an index, -1 the lower label."""
    random = np.random.default_rng(0)
    features, y = random.normal(size=(60, 2)), (np.arange(60) % 2 + first).astype(kind)
    model = LogisticRegression().fit(features, y)
    kept, make = np.arange(60) % 5 != 0, getattr(lossary.sklearn, loss)
    wanted = make()(model, features[kept], y[kept])
    if kind is int:
        missing = -1 if first == 0 else 0
        came = make(missing=missing)(model, features, np.where(kept, y, missing))
    elif make.definition().target.indices:
        pytest.skip("indices are no text, and none is missing by itself")
    else:
        came = make(missing="skip")(model, features, np.where(kept, y.astype(object), None))
    assert came == pytest.approx(wanted, rel=1e-12)


def test_pandas_says_missing_in_its_own_way() -> None:
    features, y = np.arange(6.0)[:, None], pd.array(["a", "b", pd.NA, "a", "b", "b"], dtype="string")
    model = LogisticRegression().fit(features, list("abaabb"))
    wanted = lossary.sklearn.BinaryCrossEntropy()(model, features[[0, 1, 3, 4, 5]], list("ababb"))
    came = lossary.sklearn.BinaryCrossEntropy(missing="skip")(model, features, pd.Series(y))
    assert came == pytest.approx(wanted, rel=1e-12)


def test_it_is_seen_in_what_is_printed() -> None:
    assert repr(Huber().torch(missing="skip")) == "Huber(delta=1.0, missing='skip')"
    assert repr(SparseCategoricalCrossEntropy().torch(ignore_index=0, validate=False)) == (
        "SparseCategoricalCrossEntropy(ignore_index=0, validate=False)"
    )
    assert repr(Huber().jax(missing=-9)) == "lossary.jax.Huber(delta=1.0, missing=-9)"
    assert repr(MeanSquaredError().sklearn(missing="skip")) == "lossary.sklearn.MeanSquaredError(missing='skip')"
    assert repr((2 * Huber()).jax(missing="skip")) == "(2 * Huber(delta=1.0)).jax(missing='skip')"


def test_scikit_learn_with_several_targets() -> None:
    y = np.array([[1.0, math.nan], [2.0, 3.0]])
    assert lossary.sklearn.MeanSquaredError(missing="skip").metric(y, np.zeros((2, 2))) == pytest.approx(14 / 3)


def test_as_a_metric() -> None:
    criterion = lossary.torch.MeanSquaredError(missing="skip")
    mean = metrics.as_metric(criterion)
    mean.update(torch.zeros(3), torch.tensor([1.0, math.nan, 3.0]))
    mean.update(torch.zeros(2), torch.tensor([math.nan, math.nan]))
    assert float(mean.compute()) == 5.0


def test_hugging_face_counts_them() -> None:
    from lossary.trainers.hugging_face import compute_loss_func

    with pytest.raises(UsageError, match="counts the labels that are not -100, missing ones too"):
        compute_loss_func(lossary.torch.MeanSquaredError(missing="skip"))
