"""Operations on what is in order: sorting, sums of what came before, sums of runs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tests.grid import FRAMEWORKS

in_each = pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
in_both = pytest.mark.parametrize("dtype", ["float32", "float64"])
COUNT = 37


def discounted(x: Any, level: Any, *, backwards: bool = False) -> Any:
    """One entry after the other, in extended precision."""
    if backwards:
        return discounted(x[..., ::-1], level[..., ::-1])[..., ::-1]
    x, level = np.asarray(x, np.longdouble), np.asarray(level, np.longdouble)
    sums, total = np.empty_like(x), np.zeros(x.shape[:-1], np.longdouble)
    for k in range(x.shape[-1]):
        step = np.abs(level[..., k - 1] - level[..., k]) if k else 0.0
        total = total * np.exp(-step) + x[..., k]
        sums[..., k] = total
    return sums


def runs(x: Any, starts: Any) -> Any:
    """Run after run."""
    sums = np.empty(x.shape, np.longdouble)
    for row in range(len(x)):
        edges = [0, *(k for k in range(1, x.shape[1]) if starts[row, k]), x.shape[1]]
        for begin, end in itertools.pairwise(edges):
            sums[row, begin:end] = x[row, begin:end].astype(np.longdouble).sum()
    return sums


def compiled(framework: Any, function: Any) -> Any:
    """The function as the framework traces it; NumPy has it as it is."""
    if framework.title == "JAX":
        import jax

        return jax.jit(function)
    if framework.title == "TensorFlow":
        import tensorflow as tf

        return tf.function(function, autograph=False)
    if framework.title == "PyTorch":
        import torch

        torch._dynamo.reset()
        return torch.compile(function, fullgraph=True, backend="aot_eager")
    return function


@pytest.mark.parametrize("count", [COUNT, 3000])
@in_both
@in_each
def test_the_order_of_each_row(framework: Any, dtype: str, count: int, random: Any) -> None:
    xp = framework.ops
    x = random.integers(-3, 4, size=(3, count)).astype(dtype)
    x[1, ::5], x[1, 3], x[2, 7] = np.inf, -np.inf, np.nan
    x[0, ::3], x[0, 5], x[0, 8], x[2, 20] = -0.0, np.finfo(dtype).tiny, -np.finfo(dtype).tiny, -np.nan
    wanted = np.argsort(x, axis=-1, kind="stable")
    order = xp.argsort(framework.array(x))
    assert framework.numpy(order).tolist() == wanted.tolist()
    sorted_rows = framework.numpy(xp.gather(framework.array(x), order))
    np.testing.assert_array_equal(sorted_rows, np.sort(x, axis=-1))
    back = framework.numpy(xp.gather(xp.gather(framework.array(x), order), xp.inverse_permutation(order)))
    np.testing.assert_array_equal(back, x)
    assert framework.numpy(xp.inverse_permutation(order)).tolist() == np.argsort(wanted, axis=-1).tolist()
    few = framework.array(np.array([[1, 1], [0, 36], [2, 5]]))
    assert framework.numpy(xp.gather(framework.array(wanted.astype(dtype)), few)).tolist() == [
        wanted[row, list(places)].tolist() for row, places in enumerate([(1, 1), (0, 36), (2, 5)])
    ]


@in_both
@in_each
@pytest.mark.parametrize("furthest", [400.0, 40.0])
@pytest.mark.parametrize("how", ["eager", "compiled"])
def test_what_came_before(framework: Any, dtype: str, how: str, furthest: float, random: Any) -> None:
    xp = framework.ops
    if how == "compiled" and framework.title == "NumPy":
        pytest.skip("NumPy does not compile")
    x = (10.0 ** random.uniform(-3, 3, size=(3, COUNT))).astype(dtype)
    level = np.maximum.accumulate(random.normal(size=(3, COUNT)) * [[0.0], [2.0], [furthest]], axis=-1).astype(dtype)
    starts = random.uniform(size=(3, COUNT)) < 0.3
    largest = np.where(random.uniform(size=(3, COUNT)) < 0.2, -np.inf, level[::-1]).astype(dtype)
    largest[1, 20] = np.nan

    def words(x: Any, level: Any, starts: Any, largest: Any) -> tuple[Any, ...]:
        sums = (xp.discounted_sum(x, level, backwards=backwards) for backwards in (False, True))
        return *sums, xp.run_sum(x, starts), xp.cumulative_sum(x), xp.cumulative_max(largest)

    if furthest < 100.0:  # these fall
        level[1] = -level[1]
    function = compiled(framework, words) if how == "compiled" else words
    with np.errstate(invalid="ignore"):
        got = [framework.numpy(each) for each in function(*map(framework.array, (x, level, starts, largest)))]
    exactly = discounted(x, level), discounted(x, level, backwards=True), runs(x, starts), x.cumsum(-1, np.longdouble)
    for mine, its in zip(got, exactly, strict=False):
        assert np.max(np.abs(mine - its) / its) <= 4 * np.finfo(dtype).eps
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(got[-1], np.maximum.accumulate(largest, axis=-1))


@pytest.mark.parametrize("dtype", ["float32"])
@in_each
def test_shifted_rows(framework: Any, dtype: str, random: Any) -> None:
    xp, x = framework.ops, random.normal(size=(2, 5)).astype(dtype)
    for steps in (0, 1, -1, 3, -4, 5, -5, 9, -9):
        wanted = np.full_like(x, np.nan)
        kept = x[:, : 5 - steps] if steps >= 0 else x[:, -steps:]
        if kept.shape[1]:
            wanted[:, slice(steps, None) if steps >= 0 else slice(None, steps)] = kept
        np.testing.assert_array_equal(framework.numpy(xp.shift(framework.array(x), steps, np.nan)), wanted)


@pytest.mark.parametrize("dtype", ["float32"])
@in_each
@pytest.mark.parametrize("count", [0, 1])
def test_rows_of_nothing_and_of_one_entry(framework: Any, dtype: str, count: int) -> None:
    xp, x = framework.ops, framework.array(np.full((2, count), 7.0), dtype)
    order, starts = xp.argsort(x), framework.array(np.zeros((2, count), bool))
    made = xp.gather(x, order), xp.run_sum(x, starts), xp.cumulative_sum(x), xp.cumulative_max(x), xp.stop_gradient(x)
    for each in (*made, xp.discounted_sum(x, x), xp.discounted_sum(x, x, backwards=True), xp.shift(x, 0, 1.0)):
        assert framework.numpy(each).tolist() == [[7.0] * count] * 2
    assert framework.numpy(xp.shift(x, 1, 1.0)).tolist() == [[1.0] * count] * 2


@pytest.mark.parametrize("dtype", ["float64"])
@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "numpy"], indirect=True)
def test_sums_are_differentiated(framework: Any, dtype: str, random: Any) -> None:
    """A sum of what came before has that of what comes after for its derivative, and a run's sum has itself."""
    xp, (x, upstream) = framework.ops, random.normal(size=(2, 2, 9))
    level, starts = np.sort(random.normal(size=(2, 9)) * 3.0), random.uniform(size=(2, 9)) < 0.4
    at, along, height, begin = map(framework.array, (x, upstream, level, starts))
    order = np.argsort(x, axis=-1)
    gathered = np.empty_like(x)
    np.put_along_axis(gathered, order, upstream, axis=-1)
    for function, wanted in (
        (lambda x: xp.discounted_sum(x, height), discounted(upstream, level, backwards=True)),
        (lambda x: xp.discounted_sum(x, height, backwards=True), discounted(upstream, level)),
        (xp.cumulative_sum, upstream[..., ::-1].cumsum(-1)[..., ::-1]),
        (lambda x: xp.run_sum(x, begin), runs(upstream, starts)),
        (lambda x: xp.shift(x, 2, 1.0), np.pad(upstream, ((0, 0), (0, 2)))[:, 2:]),
        (lambda x: xp.gather(x, xp.argsort(x)), gathered),
        (lambda x: x + xp.cumulative_max(x) + xp.stop_gradient(x) + xp.discounted_sum(0.0 * height, x), upstream),
    ):
        slope = framework.pulled(function, at, along)[1]
        np.testing.assert_allclose(framework.numpy(slope), wanted.astype("float64"), rtol=1e-13, atol=1e-13)


@in_each
def test_long_rows_have_all_their_digits(framework: Any, random: Any) -> None:
    """Also those in steps so small that a product of all of them would have none."""
    xp, eps = framework.ops, np.finfo("float32").eps
    x = random.uniform(size=(3, 20_000)).astype("float32")
    level = np.stack([np.linspace(0.0, 1.0, 20_000), np.linspace(-500.0, 500.0, 20_000), np.zeros(20_000)])
    arrays = framework.array(x), framework.array(level, "float32")
    got = framework.numpy(xp.discounted_sum(*arrays))
    its = discounted(x, level.astype("float32"))
    assert np.max(np.abs(got - its) / its) <= 4 * eps
    whole = framework.numpy(xp.run_sum(arrays[0], arrays[0] > 2.0))
    assert np.max(np.abs(whole / x.sum(-1, np.longdouble)[:, None] - 1.0)) <= eps
