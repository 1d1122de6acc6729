"""Values and gradients against the exact judge: at most 4 units in the last place, 12 where XLA's or TensorFlow's own
words set the limit. The quick part tries a few points of the grid; `make accuracy` measures and writes down all."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

from lossary import (
    BinaryCrossEntropy,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    Quantile,
    SparseCategoricalCrossEntropy,
    kernels,
)
from lossary.check.instruments.accuracy import (
    Distance,
    Exact,
    Judged,
    exactly,
    of_curvature,
    of_target_gradient,
    of_weight_gradient,
)
from lossary.define.domains.classes import Logits, Simplex
from lossary.define.domains.numbers import Probability
from lossary.define.loss import Loss
from lossary.judge import exact
from lossary.kernels import machine
from lossary.kernels.kernel import Kernel
from lossary.ops.numpy import ops as NUMPY
from tests import grid, paths
from tests.accuracy import grid as accuracy_grid
from tests.accuracy import judge, measure, words
from tests.accuracy.grid import smooth_points, weighted

BOUND = {"kernels": 4, "numpy": 4, "torch": 4, "tensorflow": 12, "jax": 12}

JUDGED = judge.JUDGED
# Inductor takes seconds for each sentence: those that bring all its words.
COMPILED = (LogCosh(), BinaryCrossEntropy(), SparseCategoricalCrossEntropy())


BOTH_FORMS = pytest.mark.parametrize("avx512", [True, False], ids=["avx512", "any CPU"])


def _check(loss: Loss, framework: Any, dtype: str, points: judge.Judged, *, compiled: bool) -> None:
    _check_by_name(loss, type(framework).__name__.lower(), dtype, points, compiled=compiled)


def _check_by_name(loss: Loss, name: str, dtype: str, points: judge.Judged, *, compiled: bool) -> None:
    if name == "kernels":
        paths.require_kernel(loss)
    for what, errors in measure.measure(loss, name, dtype, points, compiled=compiled).items():
        # XLA and TensorFlow take the smallest floats for 0.
        wrong = errors.wrong + (errors.subnormal_wrong if name in ("kernels", *grid.QUICK) else 0)
        assert wrong == 0, f"{wrong} wrong {what}s, such as {errors.at}"
        assert errors.worst <= BOUND[name], f"{what}: {errors.worst:.1f} ULP at {errors.at}"


@grid.cases(grid.QUICK, of=JUDGED)
def test_eager(loss: Loss, framework: Any, dtype: str) -> None:
    _check(loss, framework, dtype, judge.few(loss, dtype), compiled=False)


@grid.cases(("tensorflow", "jax"), of=tuple(loss for loss in JUDGED if loss in grid.DEFAULTS), alike=True)
def test_eager_in_what_compiles_each_operation(loss: Loss, framework: Any, dtype: str) -> None:
    """Of a few: the operations are measured one by one, and every loss compiled."""
    _check(loss, framework, dtype, judge.few(loss, dtype), compiled=False)


@grid.losses(of=JUDGED, dtype=grid.DTYPES, avx512=(True, False))
def test_kernels(loss: Loss, dtype: str, avx512: bool, monkeypatch: Any) -> None:
    _in_form(avx512, monkeypatch)
    _check_by_name(loss, "kernels", dtype, judge.few(loss, dtype), compiled=False)


@pytest.mark.thorough
@BOTH_FORMS
@pytest.mark.parametrize("dtype", grid.DTYPES)
@grid.losses(of=JUDGED)
def test_kernels_on_the_whole_grid(loss: Loss, dtype: str, avx512: bool, monkeypatch: Any) -> None:
    _in_form(avx512, monkeypatch)
    _check_by_name(loss, "kernels", dtype, judge.judged(loss, dtype), compiled=False)


@BOTH_FORMS
@pytest.mark.parametrize("dtype", grid.DTYPES)
def test_words_of_kernels(dtype: str, avx512: bool, monkeypatch: Any) -> None:
    _in_form(avx512, monkeypatch)
    for word, errors in words.measure("kernels", dtype, compiled=False, count=600).items():
        assert errors.wrong == 0, f"{word}: {errors.wrong} wrong answers, such as {errors.at}"
        assert errors.worst <= BOUND["kernels"], f"{word}: {errors.worst:.1f} ULP at {errors.at}"


def _in_form(avx512: bool, monkeypatch: Any) -> None:
    """With the instructions of AVX-512 or in those that every CPU has; nothing is remembered from the other form."""
    if avx512 and not machine.has_avx512():
        pytest.skip("this CPU has no AVX-512")
    monkeypatch.setattr(machine, "has_avx512", lambda: avx512)
    monkeypatch.setattr(kernels, "compiled", Kernel)


@grid.cases(("tensorflow", "jax"), of=JUDGED, settings=lambda loss: loss in grid.DEFAULTS)
def test_compiled(loss: Loss, framework: Any, dtype: str) -> None:
    _check(loss, framework, dtype, judge.few(loss, dtype), compiled=True)


@grid.cases(("torch",), ("float32",), of=COMPILED)
def test_compiled_by_inductor(loss: Loss, framework: Any, dtype: str) -> None:
    _check(loss, framework, dtype, judge.few(loss, dtype), compiled=True)


@pytest.mark.thorough
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@grid.cases(of=JUDGED)
def test_whole_grid(loss: Loss, framework: Any, dtype: str, compiled: bool) -> None:
    if compiled and not framework.compiles:
        pytest.skip("NumPy does not compile")
    _check(loss, framework, dtype, judge.judged(loss, dtype), compiled=compiled)


# ── where digits cancel, and at the ends of the range ────────────────────────────────────────────────────────────────

# XLA compiles every operation for every shape.
THOROUGH = [pytest.param(name, marks=pytest.mark.thorough) for name in ("tensorflow", "jax")]
EVERYWHERE = pytest.mark.parametrize("framework", ["kernels", "numpy", "torch", *THOROUGH])
UNBOUNDED = tuple(loss for loss in JUDGED if not isinstance(loss.prediction, Probability | Simplex))
DIVERGENCES = tuple(loss for loss in JUDGED if isinstance(loss, KLDivergence))


@EVERYWHERE
@pytest.mark.parametrize("classes", [4, 100])
@pytest.mark.parametrize("dtype", grid.DTYPES)
@grid.losses(of=DIVERGENCES)
def test_divergences_of_neighbours(loss: KLDivergence, dtype: str, classes: int, framework: str) -> None:
    """In units of what the terms add up to, and never negative where the exact sum is not."""
    points = _neighbours(loss, dtype, classes)
    found = measure.answers(loss, framework, dtype, points, compiled=False)[0]
    errors = measure.errors(points.of_value(found), found, points.value.near, str)
    assert errors.wrong == 0
    assert errors.worst <= BOUND[framework], f"{errors.worst:.1f} ULP at {errors.at}"
    assert not np.any((np.asarray(found) < 0) & (points.value.near >= 0))


@functools.cache
def _neighbours(loss: KLDivergence, dtype: str, classes: int) -> Judged:
    """Rows that differ by between 10 units in the last place and 1e-3, relatively."""
    random = grid.generator(f"neighbours {loss!r} {dtype}")
    p = random.dirichlet(np.ones(classes), size=240 // classes)
    apart = 10 ** random.uniform(np.log10(10 * np.finfo(dtype).eps), -3, size=(len(p), 1))
    q = p * (1 + apart * random.uniform(-1, 1, size=p.shape))
    q /= q.sum(axis=-1, keepdims=True)
    if classes == 4:
        p[0], q[0] = (0.1, 0.2, 0.3, 0.4), (0.1 + 3e-5, 0.2 - 3e-5, 0.3 + 3e-5, 0.4 - 3e-5)
    q, p = (np.log(q) + 0.5 if loss.from_logits else q), (np.log(p) if loss.log_target else p)
    q, p = q.astype(dtype), p.astype(dtype)
    nothing = Exact(np.zeros(q.shape), np.zeros(q.shape))
    return Judged.of(loss, q, p, value=Exact.of(exact.judge(loss, q, p)), low=nothing, high=nothing)


@EVERYWHERE
@pytest.mark.parametrize("dtype", grid.DTYPES)
@grid.losses(of=UNBOUNDED)
def test_the_ends_of_the_range(loss: Loss, dtype: str, framework: str) -> None:
    """Infinite only where the exact answer is beyond every float: a sum of small shares of large costs is not."""
    _check_by_name(loss, framework, dtype, _ends(loss, dtype), compiled=False)


@functools.cache
def _ends(loss: Loss, dtype: str) -> Judged:
    most = float(np.finfo(dtype).max)
    sizes = np.array([1.0, 0.9, 0.3, 0.0, -0.3, -0.9, -1.0]) * most
    if accuracy_grid.has_scale(loss.prediction):
        scales = most ** np.array([-0.9, 0.0, 0.5, 0.98])
        means, targets, scales = (x.ravel() for x in np.meshgrid(sizes, sizes, scales))
        p, y = accuracy_grid.in_columns(loss.prediction, means, scales), targets
    elif not loss.prediction.rows:
        of_class = loss.target.sample(grid.generator("ends"), (7,))
        targets = of_class if loss.target.says_class else loss.target._legal(sizes, dtype, 1)
        p, y = (x.ravel() for x in np.meshgrid(loss.prediction._legal(sizes, dtype, 1), targets))
    elif not (loss.prediction.takes_all or loss.prediction.says_class):
        p, y = accuracy_grid.at_edges(loss, dtype)
    else:
        p = np.array([[sizes[0], -sizes[0], 0, 1], [*sizes[[1, 4, 1]], -1], [*sizes[[5, 2, 3]], 0]])
        y = np.array([[0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25], [1e-3, 1e-3, 0.497, 0.501]])
        p, y = np.repeat(p[:, np.arange(loss.prediction.size or 4) % 4], 4, axis=0), np.tile(y, (4, 1))
        if loss.target.indices:
            y = np.tile(np.arange(4), 3)
        elif loss.target.unbounded:
            y = most * (y if loss.target.rows else y[:, 0])
        elif loss.target.discrete:
            y = loss.target.ordinary(grid.generator("ends"), loss.target.shape_beside(loss.prediction, p.shape))
        elif loss.target.logarithms:
            y = np.log(np.maximum(y, 1e-30))
    p, y = p.astype(dtype), y if loss.target.indices else y.astype(dtype)
    return Judged.of(loss, p, y, **exactly(loss, p, y))


@grid.losses(of=tuple(loss for loss in JUDGED if isinstance(loss.prediction, Logits)), dtype=grid.DTYPES)
def test_where_the_other_classes_shares_vanish(loss: Loss, dtype: str) -> None:
    """A class ahead of all others by so much that their shares are the smallest floats, or none; XLA has neither."""
    for name in ("kernels", *grid.QUICK):
        if name != "kernels" or not paths.needs_whole_rows(loss):
            _check_by_name(loss, name, dtype, _ahead(loss, dtype), compiled=False)


@functools.cache
def _ahead(loss: Loss, dtype: str) -> Judged:
    smallest = -np.log(np.finfo(dtype).smallest_subnormal)
    ahead = np.r_[np.linspace(smallest - 12.0, smallest - 5.0, 8), np.linspace(smallest - 4.0, smallest + 4.0, 81)]
    p = np.zeros((2 * len(ahead), 4))
    p[:, 1] = np.tile(ahead, 2)
    y = np.repeat([1, 0], len(ahead))
    if not loss.target.indices:
        y = loss.target.encode(y, 4)
    p, y = p.astype(dtype), y if loss.target.indices else y.astype(dtype)
    return Judged.of(loss, p, y, **exactly(loss, p, y))


# ── second derivatives, and those with respect to the target ─────────────────────────────────────────────────────────

# Entries of a matrix of second derivatives are products of two shares.
MATRIX_BOUND = {"torch": 8, "tensorflow": 16, "jax": 16}
TRAINABLE = tuple(loss for loss in JUDGED if loss.trainable and loss in grid.DEFAULTS)
SOFT = tuple(loss for loss in TRAINABLE if not loss.target.discrete)
SATURATED = tuple(loss for loss in JUDGED if isinstance(loss.prediction, Logits) and loss.prediction.softmax)


@grid.losses(of=tuple(loss for loss in JUDGED if loss in grid.DEFAULTS))
def test_what_a_loss_is_said_to_be_rounded_as_is_no_less_than_it_is(loss: Loss) -> None:
    """Terms add up to no less than the answer that is made of them; at some setting to more, or nobody needs them. But
    where nothing cancels to no more than four times as much: nobody buys a bound by a unit that is always large."""
    more: dict[str, list[bool]] = {}
    for each in JUDGED:
        if type(each) is not type(loss):
            continue
        p, y = accuracy_grid.points(each, "float64", random=200, hard=100)
        for what in ("value", "gradient") if each.trainable else ("value",):
            with np.errstate(all="ignore"):
                answer = np.abs(getattr(each, what)(NUMPY, p, y))
                terms = getattr(each, f"{what}_terms")(NUMPY, p, y)
                size = sum(map(np.abs, terms))
            if terms:
                held = np.isfinite(size) & np.isfinite(answer)
                assert size.shape == answer.shape
                # Rows of shares add up to 1 but for a rounding.
                assert (size >= (1.0 - 1e-9) * answer - 1e-15)[held].all()
                counts = held & (answer > 0.0)
                assert np.quantile(size[counts] / answer[counts], 0.25) <= 4.0, (each, what)
                more.setdefault(what, []).append(bool((size > 1.01 * answer)[held].any()))
    assert all(map(any, more.values())), more


@EVERYWHERE
@pytest.mark.parametrize("dtype", grid.DTYPES)
@grid.losses(of=TRAINABLE)
def test_second_derivatives(loss: Loss, dtype: str, framework: str) -> None:
    if loss.prediction.rows and framework in ("kernels", "numpy"):
        pytest.skip("NumPy has no second derivatives of rows")
    _check_second(loss, framework, *smooth_points(loss, dtype, random=10, hard=20))


@grid.cases(("jax",), ("float32",), of=TRAINABLE, only=lambda loss: loss.prediction.rows)
def test_second_derivatives_of_rows_backwards(loss: Loss, framework: Any, dtype: str) -> None:
    """Of a gradient made of differences, where nothing smaller than a normal number is left."""
    _check_second(loss, "jax", *smooth_points(loss, dtype, random=10, hard=20))


@pytest.mark.parametrize("framework", ["torch", *THOROUGH])
@pytest.mark.parametrize("dtype", grid.DTYPES)
@grid.losses(of=SATURATED)
def test_second_derivatives_of_the_almost_certain(loss: Loss, dtype: str, framework: str) -> None:
    margins = [1.0, 17.0, 40.0] if dtype == "float32" else [1.0, 40.0, 100.0]
    p = np.array([[0.0, margin, margin / 3, -1.0] for margin in margins] + [[9.0, 9.0, 0.0, 1.0]], dtype)
    y = np.array([1, 0, 2, 3]) if loss.target.indices else np.array([[0.1, 0.2, 0.3, 0.4]] * 4, dtype)
    _check_second(loss, framework, p, np.log(y) if loss.target.logarithms else y)


@pytest.mark.parametrize("framework", ["tensorflow", "jax"])
def test_what_xla_compiles_keeps_them_too(framework: str) -> None:
    test_second_derivatives(LogCosh(), "float32", framework)
    test_second_derivatives_of_the_almost_certain(SparseCategoricalCrossEntropy(), "float32", framework)


def _check_second(loss: Loss, framework: str, p: Any, y: Any) -> None:
    found = measure.second_derivatives(loss, framework, p, y)
    bound = (MATRIX_BOUND if loss.prediction.rows else BOUND)[framework]
    _check_found(found, of_curvature(loss, p, y, found), bound)


@pytest.mark.parametrize("framework", ["torch", *THOROUGH])
@pytest.mark.parametrize("dtype", grid.DTYPES)
@grid.losses(of=SOFT)
def test_target_derivatives(loss: Loss, dtype: str, framework: str) -> None:
    p, y = smooth_points(loss, dtype, random=20, hard=20)
    found = measure.target_derivatives(loss, framework, p, y)
    _check_found(found, of_target_gradient(loss, p, y, found), BOUND[framework])


@pytest.mark.parametrize("framework", ["torch", *THOROUGH])
@pytest.mark.parametrize("dtype", grid.DTYPES)
@grid.losses(of=tuple(loss for loss in JUDGED if loss.trainable))
def test_weight_derivatives(loss: Loss, dtype: str, framework: str) -> None:
    of_size = weighted(loss, *smooth_points(loss, dtype, random=20, hard=20))
    found = measure.weight_derivatives(loss, framework, *of_size)
    # The sums are rounded too, in float64 as often as there are doublings, and in float32 beyond its digits.
    rounded = math.log2(len(found)) if dtype == "float64" else 0.0
    _check_found(found, of_weight_gradient(loss, *of_size, found), BOUND[framework] + rounded)


def _check_found(found: Any, distance: Distance, bound: float) -> None:
    errors = measure.errors(distance, found, found, str)
    assert errors.wrong == 0, f"{errors.wrong} wrong, such as {errors.at}"
    assert errors.worst <= bound, f"{errors.worst:.1f} ULP at {errors.at}"


@pytest.mark.parametrize("dtype", grid.DTYPES)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("framework", grid.FRAMEWORKS, indirect=True)
def test_words(framework: Any, dtype: str, compiled: bool) -> None:
    if compiled and not framework.compiles:
        pytest.skip("NumPy does not compile")
    name = type(framework).__name__.lower()
    for word, errors in words.measure(name, dtype, compiled=compiled, count=600).items():
        assert errors.wrong == 0, f"{word}: {errors.wrong} wrong answers, such as {errors.at}"
        assert errors.worst <= BOUND[name], f"{word}: {errors.worst:.1f} ULP at {errors.at}"


# ── the judge itself ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "value", "low", "high"),
    [
        (LogCosh(), 1e-150, 0.0, 5e-301, 1e-150, 1e-150),
        (LogCosh(), -3e300, 3e300, 6e300, -1.0, -1.0),
        (LogCosh(), np.inf, 0.0, np.inf, 1.0, 1.0),
        (Huber(delta=1.5), 2.0, 0.0, 1.875, 1.5, 1.5),
        (Huber(delta=1.5), 1.5, 0.0, 1.125, 1.5, 1.5),
        (MeanAbsoluteError(), 3.0, 3.0, 0.0, -1.0, 1.0),
        (Quantile(level=0.25), 3e38, -3e38, 4.5e38, 0.75, 0.75),
        (BinaryCrossEntropy(), 700.0, 1.0, 9.85967654375977e-305, -9.85967654375977e-305, -9.85967654375977e-305),
        (BinaryCrossEntropy(), -np.inf, 1.0, np.inf, -1.0, -1.0),
        (BinaryCrossEntropy(), np.inf, 1.0, 0.0, 0.0, 0.0),
        (BinaryCrossEntropy(from_logits=False), 0.0, 1.0, np.inf, -np.inf, -np.inf),
        (BinaryCrossEntropy(from_logits=False), 0.0, 0.0, 0.0, 1.0, 1.0),
        (BinaryCrossEntropy(), np.nan, 1.0, np.nan, np.nan, np.nan),
    ],
)
def test_the_judge_knows(loss: Loss, prediction: float, target: float, value: float, low: float, high: float) -> None:
    got = exact.judge(loss, [prediction], [target]), *exact.judge_gradient(loss, [prediction], [target])
    np.testing.assert_allclose([float(x[0]) for x in got], [value, low, high], rtol=1e-15)


@grid.losses(of=JUDGED)
def test_what_is_recorded_is_what_the_judge_says(loss: Loss) -> None:
    """At a few of the points: whatever changes a formula, the judge or the points changes some of them."""
    for dtype in grid.DTYPES:
        p, y = accuracy_grid.points(loss, dtype, random=judge.FEW[0], hard=judge.FEW[1])
        record = judge.recorded(loss, p, y)
        assert record is not None, f"nothing is recorded for {loss!r} at these points: make oracle"
        rows = grid.generator(f"{loss!r} {dtype} recorded").choice(len(p), size=4, replace=False)
        for name, answer in exactly(loss, p[rows], y[rows]).items():
            its = record[name]
            np.testing.assert_array_equal(its.near[rows], answer.near, err_msg=f"{name}: make oracle")
            close = 1e-3 * np.spacing(np.where(np.isfinite(answer.near), np.abs(answer.near), 1.0))
            assert (np.abs(its.rest[rows] - answer.rest) <= close).all(), f"{name}: make oracle"


def test_the_judge_knows_rows() -> None:
    low, high = exact.judge_gradient(SparseCategoricalCrossEntropy(), [[0.0, 100.0, 1.0]], [1])
    others = np.exp(-99.0) + np.exp(-100.0)
    np.testing.assert_allclose(low.astype(float), [[np.exp(-100.0), -others, np.exp(-99.0)]], rtol=1e-14)
    assert (low == high).all()
    assert exact.judge(KLDivergence(from_logits=False), [[0.25, 0.75, 0.0]], [[0.25, 0.75, 0.0]]) == [0]


def test_an_error_is_found() -> None:
    points = judge.few(LogCosh(), "float64")
    near = points.value.near
    flags = points.with_nan, points.with_subnormal

    def found(got: Any) -> measure.Errors:
        return measure.errors(points.of_value(got), got, near, lambda place: "")

    assert found(near).worst <= 0.5
    assert found(near * (1 + 20 * np.finfo(float).eps)).worst >= 10
    assert found(np.where(near == 0, 1e-300, near)).wrong == np.sum((near == 0) & ~flags[1])
    assert found(np.where(np.isnan(near), 0.0, near)).wrong == np.sum(flags[0])
    assert found(np.full_like(near, np.nan)).wrong == np.sum(~flags[0] & ~flags[1])
