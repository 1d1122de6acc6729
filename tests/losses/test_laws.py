"""What holds for every loss, in every framework and dtype."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest

import lossary
from lossary import catalogue
from lossary.check.backends import backend as adapter
from lossary.define.domains.numbers import Real, Score
from lossary.define.loss import Pointwise
from lossary.ops import dispatch
from lossary.ops.call import Call
from tests.grid import (
    CLASSES,
    DEFAULTS,
    EVERY,
    FRAMEWORKS,
    HALF,
    HALVES,
    ROWS,
    cases,
    losses,
    of_losses,
    ordinary,
    points,
)

NUMPY = dispatch.ops("numpy")
AUTODIFF = tuple(name for name in FRAMEWORKS if name != "numpy")
CLOSE = {"float32": {"rtol": 1e-5, "atol": 1e-6}, "float64": {"rtol": 1e-12, "atol": 1e-13}}


def trainable(loss: Any) -> bool:
    return bool(loss.trainable)


def has_curvature(loss: Any) -> bool:
    return trainable(loss) and isinstance(loss, Pointwise) and type(loss).curvature is not Pointwise.curvature


def has_smooth_target(loss: Any) -> bool:
    return trainable(loss) and not loss.target.indices and not hasattr(loss.target, "values")


def method(loss: Any, name: str, prediction: Any, target: Any) -> Any:
    """What the loss's own method says, in NumPy."""
    with np.errstate(all="ignore"):
        return np.asarray(getattr(loss, name)(NUMPY, prediction, target))


def unreduced(loss: Any, prediction: Any, target: Any) -> Any:
    """What reduction="none" must give, from the methods: a class weight counts like a caller's."""
    value, counts = method(loss, "value", prediction, target), loss.row_weight(NUMPY, target, prediction)
    return value if counts is None else counts * value


def both(framework: Any, loss: Any, prediction: Any, target: Any, dtype: str, **more: Any) -> tuple[Any, Any]:
    """The call's value and gradient, NumPy in and out."""
    given = {name: x if isinstance(x, str) else framework.array(x, dtype) for name, x in more.items()}
    arrays = (framework.array(x, dtype) for x in (prediction, target))
    value, gradient = framework.value_and_gradient(loss, *arrays, **given)
    return value, gradient


KEPT = np.array([True, False, True, True, False, False, True, False, True, False])


def left_out(loss: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The same inputs, with what no loss could take in the five rows that are not kept."""
    hidden = np.array([math.nan, math.inf, -math.inf, 1e30, math.nan])
    spoilt = {name: x.copy() for name, x in inputs.items()}
    for name, x in spoilt.items():
        x[~KEPT] = -100 if loss.domains[name].indices else hidden.reshape(-1, *(1,) * (x.ndim - 1))
    return spoilt


def same(one: tuple[Any, Any], other: tuple[Any, Any], dtype: str) -> None:
    """Two values and gradients agree up to the order of summation."""
    for each, its in zip(one, other, strict=True):
        np.testing.assert_allclose(each, its, **CLOSE[dtype])


def slopes(function: Any, at: Any, step: float = 1e-6) -> tuple[Any, Any]:
    """One-sided finite differences of a function of rows or entries, for every entry of `at`."""
    left, right = np.empty_like(at), np.empty_like(at)
    for k in range(at.shape[-1]):
        h = step * (np.arange(at.shape[-1]) == k) * np.maximum(1.0, np.abs(at))
        here, ahead, behind = function(at), function(at + h), function(at - h)
        pick = (lambda x: x) if here.ndim < at.ndim else (lambda x, k=k: x[..., k])
        left[..., k] = (pick(here) - pick(behind)) / h[..., k]
        right[..., k] = (pick(ahead) - pick(here)) / h[..., k]
    return left, right


# ── gradients: every witness agrees ──────────────────────────────────────────────────────────────────────────────────


@losses(only=trainable)
def test_gradient_is_the_slope_of_value(loss: Any, random: Any) -> None:
    prediction, target = ordinary(loss, random, rows=200).values()
    left, right = slopes(lambda p: method(loss, "value", p, target), prediction)
    gradient = method(loss, "gradient", prediction, target)
    assert gradient.shape == prediction.shape
    np.testing.assert_allclose(gradient, (left + right) / 2, rtol=1e-4, atol=1e-4)


@losses(only=lambda loss: trainable(loss) and isinstance(loss.prediction, Real | Score))
def test_gradient_at_a_kink_lies_between_the_slopes(loss: Any, random: Any) -> None:
    _, target = ordinary(loss, random).values()
    prediction = np.where(np.arange(CLASSES) % 2 == 0, target, np.sign(target))
    left, right = slopes(lambda p: method(loss, "value", p, target), prediction)
    gradient = method(loss, "gradient", prediction, target)
    assert (gradient >= np.minimum(left, right) - 1e-4).all()
    assert (gradient <= np.maximum(left, right) + 1e-4).all()


@cases(frameworks=AUTODIFF, only=trainable)
def test_framework_differentiates_as_the_method_says(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = (framework.array(x, dtype) for x in points(loss, random).values())
    upstream = random.uniform(0.5, 2.0, size=of_losses(loss))  # a different one for each entry
    value, gradient = framework.pulled(
        lambda p: loss.values(prediction=p, target=target), prediction, framework.array(upstream, dtype)
    )
    p, y = (np.asarray(framework.numpy(x)) for x in (prediction, target))
    p, y = p.astype(dtype), y if loss.target.indices else y.astype(dtype)
    counts = loss.row_weight(NUMPY, y, p)
    upstream = upstream if counts is None else counts * upstream
    wanted = method(loss, "gradient", p, y) * (upstream[..., None] if loss.prediction.rows else upstream)
    np.testing.assert_allclose(framework.numpy(value), unreduced(loss, p, y), **CLOSE[dtype])
    np.testing.assert_allclose(framework.numpy(gradient), wanted, **CLOSE[dtype])


@cases(frameworks=AUTODIFF, dtypes=("float64",), only=trainable)
def test_frameworks_own_derivative_of_value_agrees(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = (framework.array(x, dtype) for x in ordinary(loss, random).values())
    _, own = framework.pulled(lambda p: loss.value(framework.ops, p, target), prediction)
    own, rule = framework.numpy(own), method(loss, "gradient", *map(framework.numpy, (prediction, target)))
    finite = np.isfinite(own)
    assert finite.mean() > 0.9
    np.testing.assert_allclose(own[finite], rule[finite], rtol=1e-9, atol=1e-11)


@losses(only=has_curvature)
def test_curvature_is_the_slope_of_gradient(loss: Any, random: Any) -> None:
    prediction, target = ordinary(loss, random, rows=200).values()
    left, right = slopes(lambda p: method(loss, "gradient", p, target), prediction)
    smooth = np.abs(left - right) < 1e-2  # no kink of the gradient within the step
    assert smooth.mean() > 0.9
    curvature = method(loss, "curvature", prediction, target)
    np.testing.assert_allclose(curvature[smooth], ((left + right) / 2)[smooth], rtol=1e-3, atol=1e-4)


@cases(frameworks=AUTODIFF, dtypes=("float64",), only=trainable)
def test_second_derivative_is_the_slope_of_gradient(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    along = random.normal(size=prediction.shape)
    step = 1e-6
    counts = loss.row_weight(NUMPY, target, prediction)
    counts = 1.0 if counts is None else counts[..., None]
    ahead, behind = (counts * method(loss, "gradient", prediction + h * along, target) for h in (step, -step))
    second = framework.second(
        lambda p: loss(prediction=p, target=framework.array(target, dtype), reduction="sum"),
        framework.array(prediction, dtype),
        framework.array(along, dtype),
    )
    np.testing.assert_allclose(framework.numpy(second), (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-4)


@cases(frameworks=AUTODIFF, dtypes=("float64",), only=has_smooth_target)
def test_derivative_by_the_target_is_that_of_value(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    left, right = slopes(lambda y: unreduced(loss, prediction, y), target)
    p = framework.array(prediction, dtype)
    _, slope = framework.pulled(lambda y: loss(prediction=p, target=y, reduction="sum"), framework.array(target, dtype))
    np.testing.assert_allclose(framework.numpy(slope), (left + right) / 2, rtol=1e-4, atol=1e-4)


@cases(frameworks=("torch", "jax"), dtypes=("float64",), only=trainable)
def test_forward_mode_agrees_with_the_gradient(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    along = random.normal(size=prediction.shape)
    jvp = framework.torch.func.jvp if framework.title == "PyTorch" else framework.jax.jvp
    y = framework.array(target, dtype)
    _, tangent = jvp(
        lambda p: loss.values(prediction=p, target=y),
        (framework.array(prediction, dtype),),
        (framework.array(along, dtype),),
    )
    wanted = method(loss, "gradient", prediction, target) * along
    if loss.prediction.rows:
        counts = loss.row_weight(NUMPY, target, prediction)
        wanted = wanted.sum(axis=-1) * (1.0 if counts is None else counts)
    np.testing.assert_allclose(framework.numpy(tangent), wanted, **CLOSE[dtype])


# ── one number everywhere ────────────────────────────────────────────────────────────────────────────────────────────


@cases(frameworks=AUTODIFF)
def test_all_frameworks_give_the_same_number(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = points(loss, random).values()
    weight = random.uniform(0.0, 3.0, size=ROWS)
    for reduction in ("none", "sum", "mean"):
        answers = [
            both(each, loss, prediction, target, dtype, weight=weight, reduction=reduction)
            for each in (framework, adapter("numpy"))
        ]
        same(*answers, dtype)


@cases(frameworks=AUTODIFF, of=DEFAULTS, dtypes=("float32",), compiled=True)
def test_compiled_equals_eager(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    _compiled_equals_eager(loss, framework, dtype, random)


@pytest.mark.thorough
@cases(frameworks=AUTODIFF)
def test_compiled_equals_eager_at_every_setting(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    _compiled_equals_eager(loss, framework, dtype, random)


def _compiled_equals_eager(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    """A weighted mean, beside rows that it leaves out by their mask or by a weight of 0."""
    inputs, first = left_out(loss, points(loss, random)), np.arange(ROWS) < HALF
    weight = random.uniform(0.5, 2.0, size=ROWS) * (KEPT | first)
    arrays = [framework.array(x, dtype) for x in (*inputs.values(), weight, KEPT | ~first)]

    def call(prediction: Any, target: Any, weight: Any, where: Any) -> Any:
        return loss(prediction=prediction, target=target, weight=weight, where=where)

    if trainable(loss):
        quick = framework.compiled(call, *arrays)
        eager = framework.pulled(lambda p: call(p, *arrays[1:]), arrays[0])
        same(tuple(map(framework.numpy, quick)), tuple(map(framework.numpy, eager)), dtype)
    else:
        quick = COMPILERS[framework.title](framework, call)(*arrays)
        np.testing.assert_allclose(framework.numpy(quick), framework.numpy(call(*arrays)), **CLOSE[dtype])


COMPILERS = {
    "PyTorch": lambda its, call: its.torch.compile(call, fullgraph=True, backend="aot_eager"),
    "TensorFlow": lambda its, call: its.tf.function(call, jit_compile=True, autograph=False),
    "JAX": lambda its, call: its.jax.jit(call),
}


def in_other_words(loss: Any, prediction: Any, target: Any) -> list[tuple[Any, Any, Any]]:
    """The same losses written differently: other settings with the inputs that mean the same there."""
    cls, settings = type(loss), loss.settings
    others: list[tuple[Any, Any, Any]] = []
    if loss.target.indices and loss.prediction.says_class:
        others += [
            (type(twin)(**settings), prediction, np.eye(CLASSES)[target])
            for twin in DEFAULTS
            if twin.target.rows and twin.prediction == loss.prediction and set(twin.settings) == set(settings)
        ]
    if "labels" in settings:
        low, high = settings["labels"]
        others += [
            (dataclasses.replace(loss, labels=choice), prediction, np.where(target == low, *choice))
            for choice in ((-1.0, 1.0), (0.0, 1.0))
            if choice != (low, high)
        ]
    if settings.get("from_logits"):
        if loss.prediction.rows:
            share = np.exp(prediction) / np.exp(prediction).sum(axis=-1, keepdims=True)
        else:
            share = 1.0 / (1.0 + np.exp(-prediction))
        others.append((cls(**settings | {"from_logits": False}), share, target))
    if settings.get("from_log"):
        others.append((cls(**settings | {"from_log": False}), np.exp(prediction), target))
    if settings.get("log_target") is False:
        others.append((cls(**settings | {"log_target": True}), prediction, np.log(target)))
    if "pos_weight" in loss.tables and isinstance(loss.pos_weight, float):
        others.append((cls(**settings | {"pos_weight": (settings["pos_weight"],) * CLASSES}), prediction, target))
    return others


@cases(only=lambda loss: bool(in_other_words(loss, *ordinary(loss, np.random.default_rng(0)).values())))
def test_equal_targets_in_other_words_cost_the_same(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    for reduction in ("none", "mean"):
        ours = both(framework, loss, prediction, target, dtype, reduction=reduction)
        for other, p, y in in_other_words(loss, prediction, target):
            if p is prediction:
                same(both(framework, other, p, y, dtype, reduction=reduction), ours, dtype)
            elif dtype == "float64":  # the link loses digits
                value, _ = both(framework, other, p, y, dtype, reduction=reduction)
                np.testing.assert_allclose(value, ours[0], rtol=1e-12)


# ── weights, masks, totals ───────────────────────────────────────────────────────────────────────────────────────────


def weights_of(loss: Any, random: Any) -> Any:
    return random.uniform(0.1, 3.0, size=of_losses(loss))


@cases(alike=True)
def test_sum_is_linear_in_the_weights(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    one, other = weights_of(loss, random), weights_of(loss, random)
    parts = [both(framework, loss, prediction, target, dtype, weight=w, reduction="sum") for w in (one, other)]
    whole = both(framework, loss, prediction, target, dtype, weight=2.0 * one + other, reduction="sum")
    same(whole, tuple(2.0 * a + b for a, b in zip(*parts, strict=True)), dtype)


@cases(alike=True)
def test_mean_does_not_change_when_weights_are_scaled(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    weight = weights_of(loss, random)
    same(
        both(framework, loss, prediction, target, dtype, weight=weight),
        both(framework, loss, prediction, target, dtype, weight=3.7 * weight),
        dtype,
    )


@cases(alike=True)
def test_weight_2_is_a_row_given_twice(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random, rows=HALF).values()
    times = np.array([1, 2, 3, 1, 3])
    rows = np.repeat(np.arange(HALF), times)
    for reduction in ("mean", "sum"):
        came = both(framework, loss, prediction, target, dtype, weight=times * 1.0, reduction=reduction)
        value, parts = both(framework, loss, prediction[rows], target[rows], dtype, reduction=reduction)
        gradient = np.zeros_like(came[1])
        np.add.at(gradient, rows, parts)
        same(came, (value, gradient), dtype)


@cases(alike=True)
def test_what_is_left_out_is_dropped(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = left_out(loss, ordinary(loss, random)).values()
    for reduction in ("mean", "sum", "none"):
        wanted, its = both(framework, loss, prediction[KEPT], target[KEPT], dtype, reduction=reduction)
        for how in ({"weight": KEPT * 1.0}, {"where": KEPT}):
            value, gradient = both(framework, loss, prediction, target, dtype, reduction=reduction, **how)
            if reduction == "none":
                assert (value[~KEPT] == 0.0).all(), how
                value = value[KEPT]
            assert (gradient[~KEPT] == 0.0).all(), how
            same((value, gradient[KEPT]), (wanted, its), dtype)


@cases(alike=True)
def test_two_totals_add_to_one_call(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    arrays = {
        name: framework.array(x, dtype)
        for name, x in {"prediction": prediction, "target": target, "weight": weights_of(loss, random)}.items()
    }
    whole, mean = loss.total(**arrays), loss(**arrays)
    together = sum(
        loss.total(**{name: x[rows] for name, x in arrays.items()}) for rows in (slice(0, HALF), slice(HALF, ROWS))
    )
    for one, other in ((together.sum, whole.sum), (together.weight, whole.weight), (together.mean, mean)):
        np.testing.assert_allclose(framework.numpy(one), framework.numpy(other), **CLOSE[dtype])


@cases(alike=True)
def test_nothing_to_count_costs_0_with_zero_gradient(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = points(loss, random).values()
    hidden = np.full_like(prediction, math.nan)
    empty = prediction[:0], target[:0]
    for reduction in ("mean", "sum"):
        for inputs in (
            both(framework, loss, hidden, target, dtype, weight=np.zeros(ROWS), reduction=reduction),
            both(framework, loss, hidden, target, dtype, where=np.zeros(ROWS, dtype=bool), reduction=reduction),
            both(framework, loss, *empty, dtype, reduction=reduction),
        ):
            assert [float(np.abs(x).sum()) for x in inputs] == [0.0, 0.0]
    values = loss.values(prediction=framework.array(empty[0], dtype), target=framework.array(empty[1], dtype))
    assert tuple(values.shape) == of_losses(loss, rows=0)


# ── precision ────────────────────────────────────────────────────────────────────────────────────────────────────────


@cases(of=DEFAULTS, dtypes=("float32",), alike=True)
def test_sums_accumulate_in_float64(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random, rows=50).values()
    costly = np.unravel_index(np.argmax(unreduced(loss, prediction, target)), of_losses(loss, rows=50))
    count = 50_000
    prediction, target = (framework.array(np.array([x[costly]] * count), dtype) for x in (prediction, target))
    # One heavy entry swallows in float32 whatever is added to it.
    weight = framework.array(np.where(np.arange(count) == 0, 2.0**24, 0.37), dtype)
    arrays = {"prediction": prediction, "target": target, "weight": weight}

    values, counted = framework.numpy(loss.values(**arrays)), framework.numpy(weight).sum()
    plain = np.add.accumulate(values.astype(dtype))[-1]
    assert plain != pytest.approx(values.sum(), rel=1e-4), "this test would prove nothing"
    # Where there is no float64 the sum and the weight are rounded before they are divided.
    half, more = 0.51 * 2.0**-23, (1.51 if framework.title == "JAX" else 0.51) * 2.0**-23
    total = loss.total(**arrays)
    assert float(total.sum) == pytest.approx(values.sum(), rel=half)
    assert float(total.weight) == pytest.approx(counted, rel=half)
    assert float(loss(**arrays, reduction="sum")) == pytest.approx(values.sum(), rel=half)
    assert float(loss(**arrays)) == pytest.approx(values.sum() / counted, rel=more)


@cases(dtypes=HALVES, alike=True)
def test_half_types_are_computed_in_float32(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    half = [framework.array(x, dtype) for x in ordinary(loss, random).values()]
    wide = [framework.array(framework.numpy(x), "float32") for x in half]

    def call(arrays: Any, reduction: Any = "mean") -> Any:
        # Unchecked: rows that sum to 1 as well as bfloat16 can do not in float32.
        return loss.compute(Call(tuple(arrays), validate=arrays is half), reduction=reduction)

    for reduction, given in (("none", dtype), ("mean", "float32"), ("sum", "float32")):
        came = call(half, reduction)
        assert framework.dtype(came) == given
        rounded = framework.array(framework.numpy(call(wide, reduction)), given)
        np.testing.assert_array_equal(framework.numpy(came), framework.numpy(rounded))
    total = loss.total(prediction=half[0], target=half[1])
    assert [framework.dtype(x) for x in (total.sum, total.mean)] == ["float32"] * 2
    assert framework.dtype(total.weight) == ("float32" if framework.title == "JAX" else "float64")
    if not trainable(loss):
        return
    if framework.differentiates:
        gradient, exact = (framework.pulled(lambda p, x=x: call((p, x[1])), x[0])[1] for x in (half, wide))
    else:
        gradient = loss.value_and_gradient(prediction=half[0], target=half[1])[1]
        p, y = (np.asarray(x) for x in wide)
        counts = loss.row_weight(NUMPY, y, p)
        counts = np.ones(of_losses(loss), np.float32) if counts is None else counts
        exact = method(loss, "gradient", p, y) * (counts[:, None] if loss.prediction.rows else counts)
        exact = exact / counts.sum(dtype=np.float64)
    assert framework.dtype(gradient) == dtype
    rounded = framework.numpy(framework.array(framework.numpy(exact), dtype))
    np.testing.assert_allclose(framework.numpy(gradient), rounded, rtol=framework.spacing(dtype))


# ── a loss is a value ────────────────────────────────────────────────────────────────────────────────────────────────


@losses(of=EVERY)
def test_round_trips(loss: Any) -> None:
    config = json.loads(json.dumps(loss.config()))
    copies = [
        lossary.from_config(config),
        type(loss).from_config(config),
        pickle.loads(pickle.dumps(loss)),
        copy.deepcopy(loss),
        copy.copy(loss),
        dataclasses.replace(loss),
        eval(repr(loss), {type(loss).__name__: type(loss)}),
        lossary.get(type(loss).__name__, **loss.settings),
    ]
    for other in copies:
        assert other == loss
        assert type(other) is type(loss)
        assert hash(other) == hash(loss)
        assert other.config() == loss.config()
        assert repr(other) == repr(loss)


def test_settings_differ() -> None:
    assert len(set(EVERY)) == len(EVERY)
    for one, other in itertools.combinations(EVERY, 2):
        assert one != other
        assert one.config() != other.config()
        assert repr(one) != repr(other)
    assert {type(loss) for loss in EVERY} == set(catalogue.classes())


# ── what is not finite ───────────────────────────────────────────────────────────────────────────────────────────────


@cases(of=DEFAULTS, dtypes=("float32",), alike=True)
def test_the_row_that_is_not_finite_is_named(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    prediction[3, 1] = math.nan
    p, y = framework.array(prediction, dtype), framework.array(target, dtype)

    def call(p: Any) -> Any:
        return loss(prediction=p, target=y)

    with pytest.raises(lossary.NonFiniteError, match=r"the loss is nan in row 3 of the batch"), lossary.explain():
        framework.compiled(call, p) if trainable(loss) and framework.compiles else call(p)
