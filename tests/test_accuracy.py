"""Values and gradients against the exact judge: at most 4 units in the last place, 12 where XLA's or TensorFlow's own
words set the limit. The quick part tries a few points of the grid; `make accuracy` measures and writes down all."""

from __future__ import annotations

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
from lossary.kernels import machine
from lossary.kernels.kernel import Kernel
from lossary.loss import Loss
from lossary.vocabulary import exact
from tests import grid
from tests.accuracy import judge, measure, words

BOUND = {"kernels": 4, "numpy": 4, "torch": 4, "tensorflow": 12, "jax": 12}

# Class weights count in the reduction, and are no part of the judged loss.
JUDGED = tuple(loss for loss in grid.ALL if not grid.has_table(loss))
# Inductor takes seconds for each sentence: those that bring all its words.
COMPILED = (LogCosh(), BinaryCrossEntropy(), SparseCategoricalCrossEntropy())


BOTH_FORMS = pytest.mark.parametrize("avx512", [True, False], ids=["avx512", "any CPU"])


def _eager_is_thorough(loss: Loss, framework: str, dtype: str) -> bool:
    plain = all(value in (True, False, 0.0, 1.0, ()) or loss in grid.DEFAULTS for value in loss.settings.values())
    return loss.prediction.rows and not plain


def _compiled_is_thorough(loss: Loss, framework: str, dtype: str) -> bool:
    if framework == "torch":
        return loss not in COMPILED or dtype == "float64"
    return loss not in grid.DEFAULTS


def _check(loss: Loss, framework: Any, dtype: str, points: judge.Judged, *, compiled: bool) -> None:
    _check_by_name(loss, type(framework).__name__.lower(), dtype, points, compiled=compiled)


def _check_by_name(loss: Loss, name: str, dtype: str, points: judge.Judged, *, compiled: bool) -> None:
    for what, errors in measure.measure(loss, name, dtype, points, compiled=compiled).items():
        assert errors.wrong == 0, f"{errors.wrong} wrong {what}s, such as {errors.at}"
        assert errors.worst <= BOUND[name], f"{what}: {errors.worst:.1f} ULP at {errors.at}"


@grid.cases(of=JUDGED, thorough=_eager_is_thorough)
def test_eager(loss: Loss, framework: Any, dtype: str) -> None:
    _check(loss, framework, dtype, judge.judged(loss, dtype, 30, 30), compiled=False)


@BOTH_FORMS
@pytest.mark.parametrize("dtype", grid.DTYPES)
@grid.losses(of=JUDGED)
def test_kernels(loss: Loss, dtype: str, avx512: bool, monkeypatch: Any) -> None:
    _in_form(avx512, monkeypatch)
    _check_by_name(loss, "kernels", dtype, judge.judged(loss, dtype, 30, 30), compiled=False)


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


@grid.cases(("torch", "tensorflow", "jax"), of=JUDGED, thorough=_compiled_is_thorough)
def test_compiled(loss: Loss, framework: Any, dtype: str) -> None:
    _check(loss, framework, dtype, judge.judged(loss, dtype, 30, 30), compiled=True)


@pytest.mark.thorough
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@grid.cases(of=JUDGED)
def test_whole_grid(loss: Loss, framework: Any, dtype: str, compiled: bool) -> None:
    if compiled and not framework.compiles:
        pytest.skip("NumPy does not compile")
    _check(loss, framework, dtype, judge.judged(loss, dtype), compiled=compiled)


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


def test_the_judge_knows_rows() -> None:
    low, high = exact.judge_gradient(SparseCategoricalCrossEntropy(), [[0.0, 100.0, 1.0]], [1])
    others = np.exp(-99.0) + np.exp(-100.0)
    np.testing.assert_allclose(low.astype(float), [[np.exp(-100.0), -others, np.exp(-99.0)]], rtol=1e-14)
    assert (low == high).all()
    assert exact.judge(KLDivergence(from_logits=False), [[0.25, 0.75, 0.0]], [[0.25, 0.75, 0.0]]) == [0]


def test_an_error_is_found() -> None:
    points = judge.judged(LogCosh(), "float64", 30, 30)
    near = points.value.near
    flags = points.with_nan, points.with_subnormal

    def found(got: Any) -> measure.Errors:
        return measure.errors(points.of_value(got), got, near, lambda place: "")

    assert found(near).worst <= 0.5
    assert found(near * (1 + 20 * np.finfo(float).eps)).worst >= 10
    assert found(np.where(near == 0, 1e-300, near)).wrong == np.sum((near == 0) & ~flags[1])
    assert found(np.where(np.isnan(near), 0.0, near)).wrong == np.sum(flags[0])
    assert found(np.full_like(near, np.nan)).wrong == np.sum(~flags[0] & ~flags[1])
