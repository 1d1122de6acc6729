"""Where two terms tie, every framework has the same derivative: half to each, and 0 for |x| and relu at 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, final

import numpy as np
import pytest

from lossary.check.backends import backend as adapter
from lossary.check.inference.infer import subject
from lossary.check.rulebook.rule import rules
from lossary.check.run.ask import ask
from lossary.define.claims.curve import ZeroAtTarget
from lossary.define.claims.slope import Kinked
from lossary.define.domains.classes import Logits
from lossary.define.domains.numbers import Real
from lossary.define.loss import Loss, Pointwise, Rowwise
from lossary.describe.formula import formula
from lossary.judge.exact import judge, judge_gradient
from lossary.ops import dispatch
from tests import grid

nan, inf = math.nan, math.inf

FRAMEWORK = pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax"], indirect=True)
FLOAT64 = pytest.mark.parametrize("dtype", ["float64"])
THIRD = 1 / 3


def ways(*pairs: str) -> pytest.MarkDecorator:
    """A test for each "framework how"; those in parentheses are thorough, because they take long to start."""
    return pytest.mark.parametrize(
        ("framework", "how"),
        [
            pytest.param(*pair.strip("()").split(), id=pair, marks=pytest.mark.thorough if pair[0] == "(" else ())
            for pair in pairs
        ],
        indirect=["framework"],
    )


# A use of one operation on a row of three numbers, where they are, and how the results change with each number: one
# factor for each entry, or the whole matrix.
OPERATIONS: dict[str, tuple[Callable[[Any, Any], Any], tuple[float, ...], Any]] = {
    "maximum": (lambda xp, x: xp.maximum(0.9 * x, -0.1 * x), (0.0, 1.0, -1.0), (0.4, 0.9, -0.1)),
    "minimum": (lambda xp, x: xp.minimum(0.9 * x, -0.1 * x), (0.0, 1.0, -1.0), (0.4, -0.1, 0.9)),
    "maximum, a number": (lambda xp, x: xp.maximum(x, 1.0), (1.0, 2.0, 0.0), (0.5, 1.0, 0.0)),
    "maximum of a number": (lambda xp, x: xp.maximum(1.0, x), (1.0, 2.0, 0.0), (0.5, 1.0, 0.0)),
    "minimum, a number": (lambda xp, x: xp.minimum(x, 1.0), (1.0, 2.0, 0.0), (0.5, 0.0, 1.0)),
    "minimum of a number": (lambda xp, x: xp.minimum(1.0, x), (1.0, 2.0, 0.0), (0.5, 0.0, 1.0)),
    "maximum of -0 and 0": (lambda xp, x: xp.maximum(x, 0.0), (-0.0, 2.0, -2.0), (0.5, 1.0, 0.0)),
    # Words within words share as they stand: a quarter, a quarter, a half.
    "maximum of three": (lambda xp, x: xp.maximum(xp.maximum(x, 2.0 * x), 3.0 * x), (0.0, 1.0, -1.0), (2.25, 3.0, 1.0)),
    "maximum beside rows": (
        lambda xp, x: xp.sum(xp.maximum(xp.row(x), x)),
        (1.0, 1.0, 0.0),
        ((2.5, 0.5, 0.0), (0.5, 2.5, 0.0), (1.0, 1.0, 1.0)),
    ),
    "clip": (lambda xp, x: xp.clip(x, -1.0, 1.0), (-1.0, 1.0, 0.0), (0.5, 0.5, 1.0)),
    "clip, bounds that meet": (lambda xp, x: xp.clip(x, 1.0, 1.0), (1.0, 2.0, 0.0), (0.0, 0.0, 0.0)),
    "clip, bounds swapped": (lambda xp, x: xp.clip(x, 1.0, -1.0), (1.0, -1.0, 0.0), (0.0, 0.0, 0.0)),
    "abs": (lambda xp, x: xp.abs(x), (0.0, 1.0, -2.0), (0.0, 1.0, -1.0)),
    "relu": (lambda xp, x: xp.relu(x), (0.0, 1.0, -2.0), (0.0, 1.0, 0.0)),
    "max, two largest": (lambda xp, x: xp.max(x), (1.0, 0.0, 1.0), ((0.5, 0.0, 0.5),)),
    "max, all equal": (lambda xp, x: xp.max(x), (2.0, 2.0, 2.0), ((THIRD, THIRD, THIRD),)),
    # Composed words take another way beyond a bound, and have no kink there.
    "log1p": (lambda xp, x: xp.log1p(x), (-0.3, 0.5, 0.0), (1 / 0.7, 1 / 1.5, 1.0)),
    "log_cosh": (lambda xp, x: xp.log_cosh(x), (-1.0, 1.0, 0.0), (-math.tanh(1), math.tanh(1), 0.0)),
    "sum_of_others": (
        lambda xp, x: xp.sum_of_others(x),
        (0.5, 0.5, 0.0),
        ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0)),
    ),
}
AT = np.array([at for _, at, _ in OPERATIONS.values()])
JACOBIANS = [np.diag(given) if np.ndim(given) == 1 else np.array(given) for _, _, given in OPERATIONS.values()]
CURVED = ("log1p", "log_cosh")


def total(xp: Any, x: Any, factors: Any, power: int = 1) -> Any:
    """All results of all operations, times a factor for each operation."""
    came = [word(xp, x[k]) for k, (word, _, _) in enumerate(OPERATIONS.values())]
    return sum(factor * xp.accumulate(math.prod([each] * power)) for factor, each in zip(factors, came, strict=True))


def differentiated(framework: Any, how: str, function: Any, at: Any) -> tuple[Any, Any]:
    """A function's value and its derivative."""
    came = framework.pulled(function, at) if how == "eager" else getattr(framework, how)(function, at)
    return framework.numpy(came[0]), framework.numpy(came[1])


@FLOAT64
@ways(
    "torch eager",
    "torch traced",
    "(torch compiled)",
    "tensorflow eager",
    "tensorflow traced",
    "(tensorflow compiled)",
    "(jax eager)",
    "jax compiled",
)
def test_operations_have_one_derivative_at_ties(framework: Any, dtype: str, how: str) -> None:
    ones = [1.0] * len(OPERATIONS)
    at = framework.array(AT, dtype)
    _, slopes = differentiated(framework, how, lambda x: total(framework.ops, x, ones), at)
    for name, got, jacobian in zip(OPERATIONS, slopes, JACOBIANS, strict=True):
        np.testing.assert_allclose(got, jacobian.sum(axis=0), rtol=1e-14, atol=1e-15, err_msg=name)


@FLOAT64
@ways("torch eager", "tensorflow eager", "tensorflow compiled", "jax compiled")
def test_second_derivatives_at_ties(framework: Any, dtype: str, how: str, random: Any) -> None:
    """Of F + F²: they are made of the first derivatives where F itself is straight."""
    xp, ones = framework.ops, [1.0] * len(OPERATIONS)
    along = random.normal(size=AT.shape)
    v = framework.array(along, dtype)

    def both(x: Any) -> Any:
        return total(xp, x, ones) + total(xp, x, ones, power=2)

    def slope(x: Any) -> Any:
        return xp.accumulate(framework.pulled(both, x)[1] * v)

    at = framework.array(AT, dtype)
    if how == "eager":
        second = framework.numpy(framework.second(both, at, v))
    else:
        first, second = differentiated(framework, how, slope, at)
        with np.errstate(all="ignore"):
            values = [np.ravel(word(dispatch.ops("numpy"), np.array(x))) for word, x, _ in OPERATIONS.values()]
        steps = zip(values, JACOBIANS, along, strict=True)
        wanted = sum(((1.0 + 2.0 * value) * (jacobian @ step)).sum() for value, jacobian, step in steps)
        np.testing.assert_allclose(first, wanted, rtol=1e-12)
    for name, got, jacobian, step in zip(OPERATIONS, second, JACOBIANS, along, strict=True):
        if name not in CURVED:
            np.testing.assert_allclose(got, 2 * jacobian.T @ jacobian @ step, rtol=1e-13, atol=1e-13, err_msg=name)


@FLOAT64
@pytest.mark.parametrize("framework", ["torch", "jax"], indirect=True)
def test_ties_under_vmap(framework: Any, dtype: str) -> None:
    ones = [1.0] * len(OPERATIONS)
    batch = framework.array(np.stack([AT, AT]), dtype)
    _, slopes = framework.mapped(lambda x: total(framework.ops, x, ones), batch)
    wanted = np.array([jacobian.sum(axis=0) for jacobian in JACOBIANS])
    np.testing.assert_allclose(framework.numpy(slopes), np.stack([wanted, wanted]), rtol=1e-14, atol=1e-15)


@FLOAT64
@pytest.mark.parametrize("framework", ["torch"], indirect=True)
def test_ties_in_forward_mode(framework: Any, dtype: str, random: Any) -> None:
    """In JAX all modes come from this one; TensorFlow's does not know of derivatives that are given by hand."""
    along, factors = random.normal(size=AT.shape), random.normal(size=len(AT))
    arrays = framework.array(AT, dtype), framework.array(along, dtype)
    got = framework.pushed(lambda x: total(framework.ops, x, factors), *arrays)
    steps = [factor * (jacobian @ step).sum() for factor, jacobian, step in zip(factors, JACOBIANS, along, strict=True)]
    np.testing.assert_allclose(framework.numpy(got), sum(steps), rtol=1e-12)


BENDS = {"log_cosh": 1.0, "softplus": 0.25, "sigmoid": 0.0, "tanh": 0.0}


@FLOAT64
@FRAMEWORK
def test_composed_words_bend_at_0_as_they_should(framework: Any, dtype: str) -> None:
    xp = framework.ops
    second = framework.jax.jit(framework.second, static_argnums=0) if framework.title == "JAX" else framework.second
    shape = len(BENDS), 3
    zeros, ones = framework.array(np.zeros(shape), dtype), framework.array(np.ones(shape), dtype)
    bent = second(lambda x: sum(xp.sum(getattr(xp, word)(x[k])) for k, word in enumerate(BENDS)), zeros, ones)
    np.testing.assert_allclose(framework.numpy(bent), np.repeat([*BENDS.values()], 3).reshape(shape), atol=1e-15)


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────

SPECIAL = np.array([nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 5e-324, -1.5e-323, 1.7e308, -1.7e308, 2.5e-310, 0.1])


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_tensorflows_values_keep_every_bit(compiled: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    from lossary.ops.tensorflow import ops as xp

    pairs = [(xp.maximum, tf.maximum), (xp.minimum, tf.minimum)]
    if compiled:
        pairs = [tuple(tf.function(each, jit_compile=True, autograph=False) for each in pair) for pair in pairs]
    for ours, theirs in pairs:
        for x, y in ((SPECIAL[:, None], SPECIAL), (SPECIAL, SPECIAL[:, None])):
            one, other = (np.asarray(each(tf.constant(x), tf.constant(y))) for each in (ours, theirs))
            is_nan = np.isnan(x) | np.isnan(y)
            assert np.array_equal(np.isnan(one), is_nan)  # which theirs overlooks where it is compiled
            assert np.array_equal(one.view(np.int64)[~is_nan], other.view(np.int64)[~is_nan])


@pytest.mark.parametrize("dtype", grid.DTYPES)
@pytest.mark.parametrize("framework", grid.FRAMEWORKS, indirect=True)
def test_relu_is_the_larger_of_x_and_0(framework: Any, dtype: str) -> None:
    with np.errstate(over="ignore", under="ignore"):
        x = SPECIAL.astype(dtype)
    x = x[~((x != 0) & (np.abs(x) < np.finfo(dtype).tiny))] if framework.ops.flushes_subnormals else x
    got = framework.ops.relu(framework.array(x))
    assert framework.dtype(got) == dtype
    np.testing.assert_array_equal(framework.numpy(got), np.maximum(x.astype(np.float64), 0.0))


# ── losses without a gradient of their own ───────────────────────────────────────────────────────────────────────────


@final
class MaximumOfTwoLines(Pointwise):
    """By the larger of two lines."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.maximum(0.9 * (p - y), 0.1 * (y - p))


@final
class Clipped(Pointwise):
    """The residual, capped on both sides."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.clip(p - y, -1.0, 1.0)


@final
class Insensitive(Pointwise):
    """Free within 1 of the target."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.relu(xp.abs(p - y) - 1.0)


@final
class Truncated(Pointwise):
    """The absolute error, up to 1."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.minimum(xp.abs(p - y), 1.0)


@final
class Margin(Rowwise):
    """How far the largest entry of a row is ahead of the weighted mean."""

    task = "distribution"
    prediction, target = Logits(), Logits()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.max(p) - xp.sum(0.25 * p * y)


LOSSES = (MaximumOfTwoLines(), Clipped(), Insensitive(), Truncated(), Margin())
P, Y = np.array([[0.0, 1.0, -1.0, 2.0], [2.0, 2.0, 2.0, 0.5]]), np.zeros((2, 4))
AT_TIES = {
    "MaximumOfTwoLines": [[0.4, 0.9, -0.1, 0.9], [0.9, 0.9, 0.9, 0.9]],
    "Clipped": [[1.0, 0.5, 0.5, 0.0], [0.0, 0.0, 0.0, 1.0]],
    "Insensitive": [[0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]],
    "Truncated": [[0.0, 0.5, -0.5, 0.0], [0.0, 0.0, 0.0, 1.0]],
    "Margin": [[0.0, 0.0, 0.0, 1.0], [THIRD, THIRD, THIRD, 0.0]],
}


@FLOAT64
@ways(
    "torch eager",
    "torch traced",
    "(torch compiled)",
    "tensorflow eager",
    "tensorflow traced",
    "tensorflow compiled",
    "(jax eager)",
    "jax compiled",
)
def test_users_losses_have_one_gradient_at_ties(framework: Any, dtype: str, how: str) -> None:
    y = framework.array(Y, dtype)

    def together(p: Any) -> Any:  # one compilation for all
        return sum(loss(prediction=p[k], target=y, reduction="sum") for k, loss in enumerate(LOSSES))

    _, got = differentiated(framework, how, together, framework.array(np.stack([P] * len(LOSSES)), dtype))
    for loss, gradient in zip(LOSSES, got, strict=True):
        np.testing.assert_allclose(gradient, AT_TIES[type(loss).__name__], rtol=1e-14, err_msg=repr(loss))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_judge_admits_that_gradient(loss: Loss) -> None:
    shape = P.shape if loss.prediction.rows else (-1,)
    p, y, came = (np.reshape(x, shape) for x in (P, Y, AT_TIES[type(loss).__name__]))
    low, high = (np.asarray(x, dtype=float) for x in judge_gradient(loss, p, y))
    assert (low < high).any()  # there are ties
    assert ((low - 1e-12 <= came) & (came <= high + 1e-12)).all()
    np.testing.assert_allclose(np.asarray(judge(loss, p, y), dtype=float), loss.values(prediction=p, target=y))


@pytest.mark.parametrize("loss", [MaximumOfTwoLines(), Margin()], ids=repr)
def test_check_compares_the_gradients_at_ties(loss: Loss) -> None:
    """Of the frameworks that are loaded; what it must find is planted beside the other mutants."""
    for name in grid.FRAMEWORKS:
        adapter(name)
    rule = next(each for each in rules() if each.code == "LSY611")
    assert ask(rule, subject(loss.jax(), framework="jax")).status == "passed"


def test_relu_prints_as_a_maximum() -> None:
    assert formula(Insensitive()).text == "max(0, |ŷ - y| - 1)"


# ── the catalogue ────────────────────────────────────────────────────────────────────────────────────────────────────


def kinks(loss: Loss) -> tuple[Any, Any]:
    """Predictions and targets at kinks: where the slopes of the two sides differ. Of rows, perfect predictions."""
    if loss.prediction.rows:
        p, y = grid.ordinary(loss, grid.generator("kinks")).values()
        p = loss.prediction.perfect(y, p.shape)
    else:
        y = loss.target._legal(np.array(getattr(loss.target, "values", (0.0, 0.75, -2.0))), "float64", 2)
        steps = [1.0, *(each for each in loss.settings.values() if isinstance(each, float))]
        p = np.unique([y, *(y + sign * step for step in steps for sign in (-1.0, 1.0))])
        p, y = (x.ravel() for x in np.meshgrid(p, y))
    low, high = judge_gradient(loss, p, y)
    at = np.asarray(low < high, dtype=bool).reshape(len(p), -1).any(axis=1)
    assert at.any()
    return p[at], y[at]


def has_kinks(loss: Loss) -> bool:
    return any(isinstance(each, Kinked) for each in loss.claims)


def has_kinks_at_known_places(loss: Loss) -> bool:
    """At its target, or by a step that it has for a hyper-parameter."""
    if loss.prediction.rows and loss.prediction != loss.target:
        return has_kinks(loss) and ZeroAtTarget() in loss.claims
    return has_kinks(loss)


@grid.cases(dtypes=("float64",), only=has_kinks_at_known_places)
def test_the_catalogues_gradients_are_0_at_kinks(loss: Any, framework: Any, dtype: str) -> None:
    p, y = kinks(loss)
    arrays = [framework.array(x, dtype) for x in (p, y)]
    _, gradient = framework.value_and_gradient(loss, *arrays, reduction="sum")
    assert not gradient.any()
    if framework.differentiates:  # so are those of the value, which the target's are made of
        own = framework.pulled(lambda p: loss.value(framework.ops, p, arrays[1]), arrays[0])
        assert not framework.numpy(own[1]).any()


@grid.cases(dtypes=("float64",), only=lambda loss: has_kinks(loss) and loss.target.indices)
def test_a_class_that_leads_by_just_the_margin_does_not_pull(loss: Any, framework: Any, dtype: str) -> None:
    lead = loss.settings.get("margin", 0.0)
    p = np.array([[lead, 0.0, 0.0, -1.0], [0.5, -2.0, lead + 0.5, 0.5], [-0.25, -0.25 - lead, -4.0, -0.25 - lead]])
    arrays = framework.array(p, dtype), framework.array(np.array([0, 2, 0]))
    value, gradient = framework.value_and_gradient(loss, *arrays, reduction="sum")
    assert value == 0.0
    assert not gradient.any()


@grid.cases(
    frameworks=("torch", "tensorflow", "jax"),
    dtypes=("float64",),
    only=lambda loss: loss.trainable and isinstance(loss.prediction, Real) and isinstance(loss.target, Real),
)
def test_the_targets_derivative_at_thresholds(loss: Any, framework: Any, dtype: str) -> None:
    """It is that of the value, whose branches meet there: minus the prediction's, of a loss of the residual."""
    thresholds = [each for each in loss.settings.values() if isinstance(each, float)]
    p = np.resize([0.0, *thresholds, *(-each for each in thresholds)], 16)  # of one shape, for JAX compiles each anew
    p, y = framework.array(p, dtype), framework.array(np.zeros_like(p), dtype)
    by_prediction = framework.pulled(lambda p: loss(prediction=p, target=y, reduction="sum"), p)[1]
    by_target = framework.pulled(lambda y: loss(prediction=p, target=y, reduction="sum"), y)[1]
    np.testing.assert_allclose(framework.numpy(by_target), -framework.numpy(by_prediction), rtol=1e-12)


# ── softmax ──────────────────────────────────────────────────────────────────────────────────────────────────────────

ROWS = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0], [-5.0, 0.5, 0.5], [0.3, 1.0, -2.0], [800.0, 800.0, -800.0]])


@FLOAT64
@ways("torch eager", "torch traced", "(torch compiled)", "tensorflow eager", "tensorflow compiled", "jax compiled")
def test_softmax_has_its_derivatives_where_classes_tie(framework: Any, dtype: str, how: str, random: Any) -> None:
    """Of the share pᵢ by zⱼ: pᵢ(1 − pᵢ), and −pᵢpⱼ; of the surprisal −log pᵢ: pⱼ less 1 for the class itself."""
    xp = framework.ops
    share = np.exp(ROWS - ROWS.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    jacobian = share[:, :, None] * (np.eye(3) - share[:, None, :])
    upstream = random.normal(size=(3, *ROWS.shape))
    one, other, third = (framework.array(x, dtype) for x in upstream)
    index = framework.array(np.arange(len(ROWS)) % 3)

    def first(z: Any) -> Any:
        shares, complements = xp.softmax_and_complement(z)
        rows = one * shares + other * complements + third * xp.surprisal(z)
        return xp.accumulate(rows) + xp.accumulate(xp.surprisal_at(z, index))

    def second(z: Any) -> Any:
        return xp.accumulate(one * framework.pulled(lambda z: xp.surprisal_at(z, index), z)[1])

    z = framework.array(ROWS, dtype)
    wanted = np.einsum("ri,rij->rj", upstream[0] - upstream[1], jacobian)
    wanted += upstream[2].sum(axis=1, keepdims=True) * share - upstream[2]
    wanted += share - np.eye(3)[np.arange(len(ROWS)) % 3]
    bent = np.einsum("rij,rj->ri", jacobian, upstream[0])
    if framework.title != "PyTorch":
        _, got = differentiated(framework, how, lambda z: first(z) + second(z), z)
        np.testing.assert_allclose(got, wanted + bent, rtol=1e-12, atol=1e-14)
        return
    # PyTorch does not differentiate twice what it has compiled.
    np.testing.assert_allclose(differentiated(framework, how, first, z)[1], wanted, rtol=1e-12, atol=1e-14)
    twice = framework.second(lambda z: xp.surprisal_at(z, index), z, one)
    np.testing.assert_allclose(framework.numpy(twice), bent, rtol=1e-12, atol=1e-14)
