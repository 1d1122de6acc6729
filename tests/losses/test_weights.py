"""Derivatives by prediction, target and weight, and the mixed second one, against the exact judge: at any weights."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from lossary import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    KLDivergence,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossEntropy,
    ZeroOne,
)
from lossary.check.backends import backend as adapter
from lossary.check.instruments.accuracy import size_of_terms
from lossary.define.domains.classes import Labels
from lossary.define.domains.numbers import Real
from lossary.define.loss import Pointwise
from lossary.judge.exact import judge, judge_gradient
from lossary.ops.call import Call
from tests.grid import FRAMEWORKS, cases, has_table, losses, ordinary

AUTODIFF = tuple(name for name in FRAMEWORKS if name != "numpy")
WEIGHTS = {
    "some are 0": [0.0, 1.0, 2.0, 0.0, 0.5],
    "all are 0": [0.0, 0.0, 0.0, 0.0, 0.0],
    "equal": [1.0, 1.0, 1.0, 1.0, 1.0],
    "small": [2e-37, 3e-37, 0.0, 2e-37, 9e-37],
    "huge": [3e38, 1e38, 0.0, 3e38, 2e38],
    # Below the smallest normal number, which XLA and TensorFlow take for 0.
    "tiny": [1e-40, 2e-40, 0.0, 1e-40, 3e-40],
}
ROWS = 5
ROOM = {"mean": 1.0, "sum": 8.0}  # below the largest number, for compilers to double a factor that they halve elsewhere
CLOSE = 1e-6  # eight units in the last place of what is added up
FLUSHED = 20 * 2.0**-126  # each of so many terms may be taken for 0 if it is below the smallest normal number


def judged(loss: Any, prediction: Any, target: Any) -> tuple[Any, Any, Any, Any]:
    """The exact values, their derivatives by prediction and by target, and what pulls, which no weight changes."""
    if loss.prediction.rows:
        values, slopes = judge(loss, prediction, target)[:, None], judge_gradient(loss, prediction, target)[0]
    else:
        columns = [(of_column(loss, k), prediction[:, k], target[:, k]) for k in range(prediction.shape[1])]
        values = np.stack([judge(*column) for column in columns], axis=1)
        slopes = np.stack([judge_gradient(*column)[0] for column in columns], axis=1)
    return values, slopes, of_targets(loss, prediction, target), pulls(loss, prediction, target)


def pulls(loss: Any, prediction: Any, target: Any) -> Any:
    """What a gradient is the difference of: for ordinary inputs of size 1, or as large as an amount is, or what the
    loss states."""
    amounts = target.shape == prediction.shape and not loss.target.says_class
    usual = np.maximum(1.0, np.abs(target)) if amounts else np.ones(prediction.shape)
    return np.maximum(usual, size_of_terms(loss, "gradient", prediction, target))


def exactly(of_class: Any, judged: Any, weight: Any, along: Any, reduction: str) -> tuple[Any, ...]:
    """(answer, size of what it is made of) of the value, of its derivatives by prediction and by weight, of the
    derivative by the weight of the one by the prediction along `along`, and of that by a target of numbers."""
    values, slopes, by_target, pulls = judged
    counts, values, slopes = of_class * values.shape[1], of_class * values.sum(axis=1), of_class[:, None] * slopes
    size = abs(slopes) + 0.1 * of_class[:, None] * pulls
    along, of_along = (slopes * along).sum(axis=1), (size * abs(along)).sum(axis=1)
    # A loss that may be below 0 is a difference too, of what is below 10 for ordinary inputs.
    costs = abs(values) + (10.0 * counts if (values < 0).any() else 0.0)
    weight = weight.astype("float64") + 0 * values
    value, by_prediction, of_size = (weight * values).sum(), weight[:, None] * slopes, weight[:, None] * size
    of_value = (weight * costs).sum()
    # By the target: a difference of what both classes cost, each below 10 for ordinary inputs.
    by_target = weight[:, None] * by_target, weight[:, None] * (abs(by_target) + 10.0)
    if reduction == "sum":
        return (value, of_value), (by_prediction, of_size), (values, costs), (along, of_along), by_target
    whole = (weight * counts).sum()
    if whole == 0:
        return tuple((0 * x, 0 * x) for x in (value, by_prediction, values, along, by_target[0]))
    value, of_value = value / whole, of_value / whole
    mean_along, of_mean = (weight * along).sum() / whole, (weight * of_along).sum() / whole
    return (
        (value, of_value),
        (by_prediction / whole, of_size / whole),
        ((values - counts * value) / whole, (costs + counts * of_value) / whole),
        ((along - counts * mean_along) / whole, (of_along + counts * of_mean) / whole),
        (by_target[0] / whole, by_target[1] / whole),
    )


def has_target_slope(loss: Any) -> bool:
    """Whether the target is of numbers on which nothing else depends."""
    return not (loss.target.indices or isinstance(loss.target, Labels) or getattr(loss, "class_weight", ()))


def of_targets(loss: Any, prediction: Any, target: Any) -> Any:
    """The exact derivatives by the target, or zeros."""
    if not has_target_slope(loss):
        return np.zeros(prediction.shape)
    if loss.prediction.rows:
        return judge_gradient(loss, prediction, target, of_target=True)[0].reshape(len(target), -1)
    columns = [(of_column(loss, k), prediction[:, k], target[:, k]) for k in range(prediction.shape[1])]
    return np.stack([judge_gradient(*column, of_target=True)[0] for column in columns], axis=1)


def weights_of_classes(loss: Any, prediction: Any, target: Any) -> Any:
    """What each row counts for because of its class."""
    of_class = loss.row_weight(adapter("numpy").ops, target, prediction)
    return np.ones(ROWS) if of_class is None else of_class.astype("float64")


def of_column(loss: Any, k: int) -> Any:
    """What a pointwise loss is in one column, where a table gives each its own setting."""
    tables = {name: getattr(loss, name) for name in loss.tables}
    return dataclasses.replace(loss, **{name: table[k] for name, table in tables.items() if isinstance(table, tuple)})


def agree(came: Any, answer: tuple[Any, Any], *, flushed: bool = False) -> None:
    """Finite where the answer is a float32, and then close to it; only finite where the weights are taken for 0."""
    exact, size = (np.asarray(x, dtype="float64").ravel() for x in answer)
    came = np.asarray(came, dtype="float64").ravel()
    held = np.abs(exact) < float(np.finfo("float32").max)
    assert np.isfinite(came[held]).all()
    if not flushed:
        assert (np.abs(came - exact)[held] <= (CLOSE * size + FLUSHED)[held]).all()


@cases(
    frameworks=AUTODIFF,
    dtypes=("float32",),
    only=lambda loss: loss.trainable,
    settings=has_table,
    reduction=("mean", "sum"),
    alike=True,
)
def test_derivatives_are_exact_whatever_the_weights(
    loss: Any, framework: Any, dtype: str, reduction: Any, random: Any
) -> None:
    prediction, target = (
        x if x.dtype.kind == "i" else x.astype(dtype) for x in ordinary(loss, random, rows=ROWS).values()
    )
    columns = prediction.shape[1]
    along = random.normal(size=prediction.shape).astype(dtype)
    y, of_class = framework.array(target), weights_of_classes(loss, prediction, target)
    heaviest, exact = max(of_class.max(), 1.0), judged(loss, prediction, target)

    def call(both: Any, y: Any = y) -> Any:
        return loss(prediction=both[:, :columns], target=y, weight=both[:, columns], reduction=reduction)

    def derivatives(both: Any, way: Any) -> Any:
        of_target = framework.pulled(lambda y: call(both, y), y)[1:] if has_target_slope(loss) else ()
        return *framework.pulled(call, both), framework.second(call, both, way), *of_target

    # One program for all weights, where each operation would be compiled by itself.
    quick = framework.jax.jit(derivatives) if framework.title == "JAX" else derivatives
    way = framework.array(np.concatenate([along, 0 * along[:, :1]], axis=1))
    for name, entries in WEIGHTS.items():
        weight = (np.array(entries) / heaviest / ROOM[reduction]).astype(dtype)
        both = framework.array(np.concatenate([prediction, weight[:, None]], axis=1))
        value, slope, second, *of_target = map(framework.numpy, quick(both, way))
        answers = exactly(of_class, exact, weight, along, reduction)
        came = (value, slope[:, :columns], slope[:, columns], second[:, columns], *of_target)
        for its, answer in zip(came, answers, strict=False):
            agree(its, answer, flushed=name == "tiny" and framework.title != "PyTorch")


@losses(only=lambda loss: loss.trainable)
def test_the_gradient_in_numpy_is_exact_whatever_the_weights(loss: Any, random: Any) -> None:
    prediction, target = (
        x if x.dtype.kind == "i" else x.astype("float32") for x in ordinary(loss, random, rows=ROWS).values()
    )
    of_class, exact = weights_of_classes(loss, prediction, target), judged(loss, prediction, target)
    heaviest = max(of_class.max(), 1.0)  # weights count times those of the classes
    for reduction in ("mean", "sum"):
        for entries in WEIGHTS.values():
            weight = (np.array(entries) / heaviest / ROOM[reduction]).astype("float32")
            came = loss.value_and_gradient(prediction=prediction, target=target, weight=weight, reduction=reduction)
            answers = exactly(of_class, exact, weight, 0 * prediction, reduction)
            for its, answer in zip(came, answers[:2], strict=True):
                agree(its, answer)


@pytest.mark.parametrize("framework", AUTODIFF, indirect=True)
def test_a_weight_of_0_leaves_out_what_is_not_finite_and_nothing_else(framework: Any) -> None:
    """An illegal class, an infinite loss, an infinite gradient; an infinite slope by the target alone stays in."""

    class Root(Pointwise):
        """Finite at its kink, where its gradient is not; and differentiated by the framework."""

        task = "regression"
        prediction, target = Real(), Real()

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return xp.sqrt(p - y)

    weights = framework.array(np.zeros(3, "float32"))
    for loss, prediction, target, wanted in (
        (SparseCategoricalCrossEntropy(), np.zeros((3, 2)), np.array([0, 7, -100]), [np.log(2.0), 0.0, 0.0]),
        (MeanSquaredError(), np.array([3.0, np.nan, np.inf]), np.zeros(3), [9.0, 0.0, 0.0]),
        (MeanSquaredError(), np.array([3.0, 2e19, 1.0]), np.zeros(3), [9.0, 0.0, 1.0]),
        (Root(), np.array([4.0, 0.0, 1.0]), np.zeros(3), [2.0, 0.0, 1.0]),
        (KLDivergence(), np.zeros((3, 2)), np.array([[1.0, 0.0]] * 3), [np.log(2.0)] * 3),
    ):
        p, y = (framework.array(x, "float32") for x in (prediction, target))
        value, slope = framework.pulled(lambda w: loss(prediction=p, target=y, weight=w, reduction="sum"), weights)  # noqa: B023
        np.testing.assert_allclose(framework.numpy(slope), wanted, rtol=1e-6)
        assert framework.numpy(value) == 0.0
        _, slope = framework.pulled(lambda p: loss(prediction=p, target=y, weight=weights, reduction="sum"), p)  # noqa: B023
        assert (framework.numpy(slope) == 0.0).all()


@pytest.mark.parametrize("framework", AUTODIFF, indirect=True)
def test_a_weight_of_0_silences_an_infinite_slope_by_the_target(framework: Any) -> None:
    p, w = framework.array(np.zeros((2, 2)), "float32"), framework.array(np.array([0.0, 1.0]), "float32")
    y = framework.array(np.array([[1.0, 0.0], [0.5, 0.5]]), "float32")
    _, slope = framework.pulled(lambda y: KLDivergence()(prediction=p, target=y, weight=w), y)
    np.testing.assert_allclose(framework.numpy(slope), [[0.0, 0.0], [1.0, 1.0]], atol=1e-6)


class Surprise(Pointwise):
    """Infinite at 0, which is what stands where a mask hides a number."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return y - xp.log(xp.abs(p))


@pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
def test_what_is_left_out_may_have_no_finite_loss_in_its_place(framework: Any) -> None:
    p, y = framework.array([1.0, np.nan, 2.0], "float32"), framework.array([1.0, 5.0, 1.0], "float32")
    for leaving_out in ({"where": np.array([True, False, True])}, {"weight": np.array([1.0, 0.0, 1.0])}):
        for reduction, wanted in (("mean", 1.0 - 0.5 * math.log(2.0)), ("sum", 2.0 - math.log(2.0))):
            value = Surprise()(prediction=p, target=y, reduction=reduction, **leaving_out)
            assert float(framework.numpy(value)) == pytest.approx(wanted, rel=1e-6)
        each = framework.numpy(Surprise().values(prediction=p, target=y, **leaving_out))
        np.testing.assert_allclose(each, [1.0, 0.0, 1.0 - math.log(2.0)], rtol=1e-6)


@pytest.mark.parametrize("framework", AUTODIFF, indirect=True)
def test_a_weight_of_0_silences_an_infinite_curvature(framework: Any) -> None:
    """The loss, and with it the derivative by the weight, is finite there, and so is the gradient."""
    loss, y = BinaryCrossEntropy(from_logits=False), framework.array(np.ones(2), "float32")
    both = framework.array(np.array([[1e-20, 0.5], [0.0, 1.0]]), "float32")

    def call(both: Any) -> Any:
        return loss(prediction=both[0], target=y, weight=both[1], reduction="sum")

    way = framework.array(np.array([[1.0, 1.0], [0.0, 0.0]]), "float32")
    second = framework.numpy(framework.second(call, both, way))
    np.testing.assert_allclose(second[0], [0.0, 4.0], rtol=1e-6)
    slope = framework.numpy(framework.pulled(call, both)[1])
    np.testing.assert_allclose(slope[1], [-math.log(1e-20), math.log(2.0)], rtol=1e-6)


@pytest.mark.parametrize("framework", AUTODIFF, indirect=True)
def test_the_target_moves_a_class_weight_away_from_0(framework: Any) -> None:
    """The row counts Σ c y: its derivative by a class of weight 1 is the loss, also where the row counts 0."""
    loss = CategoricalCrossEntropy(class_weight=(1.0, 0.0))
    p, y = (framework.array(np.array([x]), "float32") for x in ([1.0, 3.0], [0.0, 1.0]))
    slope = framework.numpy(framework.pulled(lambda y: loss(prediction=p, target=y, reduction="sum"), y)[1])
    np.testing.assert_allclose(slope, [[math.log1p(math.exp(-2.0)), 0.0]], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("framework", AUTODIFF, indirect=True)
def test_a_negative_weight_has_no_plausible_derivative_under_a_trace(framework: Any) -> None:
    p, w = framework.array(np.array([1.0, 2.0]), "float32"), framework.array(np.array([1.0, -1.0]), "float32")

    def call(w: Any) -> Any:
        return MeanSquaredError()(prediction=p, target=0 * p, weight=w, reduction="sum")

    if framework.title == "PyTorch":
        slope = framework.torch.func.vmap(framework.torch.func.grad(call))(w[None])[0]
    else:
        slope = framework.traced(call, w)[1]
    assert np.isnan(framework.numpy(slope)).tolist() == [False, True]


@pytest.mark.parametrize("framework", AUTODIFF, indirect=True)
def test_weights_of_what_cannot_be_trained_are_differentiated(framework: Any) -> None:
    p, y = (framework.array(np.array(x), "float32") for x in ([2.0, -1.0], [1.0, 1.0]))
    weights = framework.array(np.zeros(2, "float32"))
    _, slope = framework.pulled(lambda w: ZeroOne()(prediction=p, target=y, weight=w, reduction="sum"), weights)
    assert framework.numpy(slope).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("framework", ["torch"], indirect=True)
def test_torch_sums_in_two_numbers_where_there_is_no_float64(framework: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Apple's GPUs, of which there is none here: the same paths, on the CPU."""
    monkeypatch.setattr(type(framework.ops), "has_float64", lambda self, x: False)
    losses = np.random.default_rng(0).uniform(0.1, 0.4, size=2000).astype("float32")
    losses[0] = 2.0**24
    p, y = framework.array(losses), framework.array(np.zeros_like(losses))
    exact, loss = math.fsum(losses), MeanAbsoluteError()

    def total(rows: Any) -> Any:
        return loss.compute_total(Call((p[rows], y[rows])), fused=False)

    assert [part.dtype for part in total(slice(None)).exact_sum] == [framework.torch.float32] * 2
    whole = sum(total(slice(first, first + 7)) for first in range(0, 2000, 7))
    for each in (whole, total(slice(None))):
        assert float(each.sum) == np.float32(exact)
        assert float(each.weight) == 2000
        assert float(each.mean) == pytest.approx(exact / 2000, rel=1.51 * 2.0**-23)
    large = framework.array(np.full(8, 9e18), "float32")
    value, slope = framework.pulled(
        lambda p: MeanSquaredError().compute(Call((p, 0 * p), large * 1e19), reduction="mean", fused=False), large
    )
    assert float(framework.numpy(value)) == pytest.approx(8.1e37, rel=1e-6)
    np.testing.assert_allclose(framework.numpy(slope), np.full(8, 9e18 / 4), rtol=1e-6)


@pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
@pytest.mark.parametrize(("dtype", "large"), [("float32", 9e18), ("float64", 6e153)])
def test_a_mean_is_finite_where_its_sum_is_not(framework: Any, dtype: str, large: float) -> None:
    with framework.precision(dtype):
        p = framework.array(np.full(64, large), dtype)
        y = framework.array(np.zeros(64), dtype)
        for weight in (None, np.full(64, np.finfo(dtype).max / 2, dtype), np.full(64, 1e-30, dtype)):
            more = {} if weight is None else {"weight": framework.array(weight)}
            value, gradient = framework.value_and_gradient(MeanSquaredError(), p, y, **more)
            assert float(value) == pytest.approx(large**2, rel=1e-6)
            np.testing.assert_allclose(gradient, np.full(64, 2.0 * large / 64), rtol=1e-6)
