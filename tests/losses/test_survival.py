"""Cox's partial likelihood beside loops over its definition, statsmodels and mpmath, in every framework."""

from __future__ import annotations

import functools
import itertools
import math
import re
import time
from typing import Any

import mpmath
import numpy as np
import pytest

from lossary.check.backends import backend
from lossary.judge.exact import exact
from lossary.losses.survival.cox_partial_likelihood import CoxPartialLikelihood
from tests.grid import FRAMEWORKS

EFRON, BRESLOW = LOSSES = tuple(CoxPartialLikelihood(ties=ties) for ties in ("efron", "breslow"))
COUNT = 40  # entries of a batch: the same everywhere, so that JAX compiles once
of_each_method = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def in_each(*rarely: str, frameworks: tuple[str, ...] = FRAMEWORKS, dtypes: tuple[str, ...] = ("float64",)) -> Any:
    """Each method in each framework and dtype; those whose names have one of these words when everything is tried."""
    params = []
    for loss, name, dtype in itertools.product(LOSSES, frameworks, dtypes):
        words = f"{name}-{loss.ties}-{dtype}"
        marks = pytest.mark.thorough if any(re.fullmatch(each, words) for each in rarely) else ()
        params.append(pytest.param(loss, name, dtype, marks=marks, id=words))
    return pytest.mark.parametrize(("loss", "framework", "dtype"), params, indirect=["framework"])


def patients(random: Any, count: int = COUNT, *, times: int = 5, scale: float = 2.0) -> dict[str, Any]:
    """Entries of which many have the same time, events and others."""
    return {
        "prediction": random.normal(scale=scale, size=count),
        "time": random.integers(1, times + 1, size=count).astype("float64"),
        "event": (random.uniform(size=count) < 0.6).astype("float64"),
    }


def defined(loss: Any, prediction: Any, time: Any, event: Any, weight: Any) -> tuple[Any, list[Any], list[Any]]:
    """The sum, its derivative by each prediction, and the sum of the sizes of what that is added up from: in 80 digits,
    one time after the other, as the papers have it."""
    mp: Any = mpmath.MPContext()
    mp.dps = 80
    p, w = ([mp.mpf(float(each)) for each in x] for x in (prediction, weight))
    total, slopes, sizes = mp.mpf(0), [mp.mpf(0) for _ in p], [mp.mpf(0) for _ in p]
    hazard = [each * mp.exp(its) for each, its in zip(w, p, strict=True)]
    for now in np.unique(time[event > 0]):
        at_risk = [j for j in range(len(p)) if time[j] >= now]
        tied = [j for j in at_risk if time[j] == now and event[j]]
        whole, left = mp.mpf(0), mp.mpf(0)
        for rank, k in enumerate(tied):
            efron = loss.ties == "efron"
            gone = mp.mpf(rank) / len(tied) if efron else mp.mpf(0)
            own = sum(w[j] for j in tied) / len(tied) if efron else w[k]
            risk = sum(hazard[j] for j in at_risk) - gone * sum(hazard[j] for j in tied)
            total += own * mp.log(risk) - w[k] * p[k]
            whole, left = whole + own / risk, left + own * (1 - gone) / risk
        for j in at_risk:
            change = hazard[j] * left - w[j] if j in tied else hazard[j] * whole
            slopes[j], sizes[j] = slopes[j] + change, sizes[j] + abs(change)
    return total, slopes, sizes


def both(loss: Any, framework: Any, inputs: dict[str, Any], weight: Any, dtype: str) -> tuple[float, Any]:
    """The sum and its gradient."""
    arrays = [framework.array(x, dtype) for x in (*inputs.values(), weight)]
    if framework.title == "NumPy":
        named = dict(zip((*loss.inputs, "weight"), arrays, strict=True))
        return loss.value_and_gradient(**named, reduction="sum")
    if framework.title == "JAX":
        value, slope = _compiled(loss)(*arrays)
    else:
        value, slope = framework.pulled(lambda p: _sum(loss, p, *arrays[1:]), arrays[0])
    return float(framework.numpy(value)), framework.numpy(slope)


def _sum(loss: Any, p: Any, moment: Any, event: Any, weight: Any) -> Any:
    return loss(prediction=p, time=moment, event=event, weight=weight, reduction="sum")


@functools.cache
def _compiled(loss: Any) -> Any:
    import jax

    return jax.jit(jax.value_and_grad(functools.partial(_sum, loss)))


@in_each("jax.*")
def test_it_is_what_its_definition_says(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs, weight = patients(random), random.uniform(0.3, 2.0, size=COUNT)
    wanted, slopes, _ = defined(loss, *inputs.values(), weight)
    value, slope = both(loss, framework, inputs, weight, dtype)
    assert value == pytest.approx(float(wanted), rel=1e-14)
    np.testing.assert_allclose(slope, [float(each) for each in slopes], rtol=1e-13, atol=1e-14)


@of_each_method
def test_the_mean_is_for_each_event(loss: Any, random: Any) -> None:
    inputs, weight = patients(random), random.uniform(0.3, 2.0, size=COUNT)
    value, slope = loss.value_and_gradient(**inputs, weight=weight)
    total, slopes = loss.value_and_gradient(**inputs, weight=weight, reduction="sum")
    assert value == pytest.approx(total / (weight @ inputs["event"]), rel=1e-15)
    np.testing.assert_allclose(slope, slopes / (weight @ inputs["event"]), rtol=1e-14)


@of_each_method
def test_the_formula_is_the_same(loss: Any, random: Any) -> None:
    inputs, weight = patients(random), random.uniform(0.3, 2.0, size=COUNT)
    xp = exact(80)
    p, moment, event, w = (xp.numbers(x) for x in (*inputs.values(), weight))
    wanted = defined(loss, *inputs.values(), weight)[0]
    assert abs(loss.formula(xp, p, moment, event=event, weight=w) - wanted) < 1e-60
    with np.errstate(invalid="ignore"):  # NumPy takes infinite numbers of mpmath's for invalid ones
        # The stable form, in numbers of as many digits.
        assert abs(loss.value(xp, p, moment, event=event, weight=w) - wanted) < 1e-60


@of_each_method
def test_statsmodels_says_the_same(loss: Any, random: Any) -> None:
    hazards = pytest.importorskip("statsmodels.duration.hazard_regression")
    inputs = patients(random, 50, times=12)
    (twin,) = (each for each in loss.same_as if each.applies(loss))
    assert loss(**inputs) == pytest.approx(twin.evaluate(loss, **inputs), rel=1e-12)
    # With a coefficient for each entry, its score is the derivative by the predictions.
    model = hazards.PHReg(inputs["time"], np.eye(50), status=inputs["event"], ties=loss.ties)
    slope = loss.value_and_gradient(**inputs, reduction="sum")[1]
    np.testing.assert_allclose(slope, -model.score(inputs["prediction"]), rtol=1e-10, atol=1e-12)


def hard(random: Any) -> dict[str, dict[str, Any]]:
    """Predictions far apart, far from 0, and so right that next to nothing is left."""
    few = patients(random, times=12)
    order = 1.0 + random.permutation(COUNT)
    right = {"time": order, "event": np.ones(COUNT)}
    return {
        "far apart": {**few, "prediction": random.uniform(-500.0, 500.0, size=COUNT)},
        "far from 0": {**few, "prediction": 1e4 + few["prediction"]},
        "alike": {**few, "prediction": np.full(COUNT, 3.0)},
        "in order": {"prediction": -3.3 * order + 0.1 * random.normal(size=COUNT), **right},
        "far apart, in order": {"prediction": -13.3 * order + 0.1 * random.normal(size=COUNT), **right},
    }


@in_each("jax.*float64", "jax-breslow.*", "tensorflow.*float64", "tensorflow-breslow.*", dtypes=("float32", "float64"))
def test_it_has_all_the_digits(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    """The value to 3 units in the last place. The gradient to 4 of what it is added up from; beside the largest of its
    risk set a hazard is as exact as the exponential of a difference is, a unit for each of its size."""
    spacing, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    for name, inputs in hard(random).items():
        rounded = {each: x.astype(dtype).astype("float64") for each, x in inputs.items()}
        wanted, slopes, sizes = defined(loss, *rounded.values(), np.ones(COUNT))
        value, slope = both(loss, framework, inputs, np.ones(COUNT), dtype)
        assert abs(value - wanted) <= 3 * spacing * abs(wanted), name
        for mine, its, size in zip(slope.tolist(), slopes, sizes, strict=True):
            distance = min(max(0.0, -float(mpmath.log(size))), np.ptp(rounded["prediction"]))
            assert abs(mine - its) <= (4 + distance) * spacing * size + tiny, name


@in_each("jax.*", "tensorflow-breslow.*")
def test_what_is_dropped_might_as_well_not_be_there(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs, counts = patients(random, times=3), np.arange(COUNT) % 3 != 1
    kept = {name: x[counts] for name, x in inputs.items()}
    wanted, slopes = loss.value_and_gradient(**kept, reduction="sum")
    torn = {name: np.where(counts, x, np.nan) for name, x in inputs.items()}
    huge = {**inputs, "prediction": np.where(counts, inputs["prediction"], 1e300)}
    for others in (inputs, torn, huge):
        value, slope = both(loss, framework, others, counts.astype(dtype), dtype)
        assert value == pytest.approx(wanted, rel=1e-14)
        np.testing.assert_allclose(slope[counts], slopes, rtol=1e-12, atol=1e-14)
        assert (slope[~counts] == 0.0).all()
        if framework.title != "JAX":  # which would compile it anew
            arrays = {name: framework.array(x, dtype) for name, x in others.items()}
            masked = framework.numpy(loss(**arrays, where=counts, reduction="sum"))
            assert float(masked) == pytest.approx(wanted, rel=1e-14)


@of_each_method
def test_the_order_of_the_entries_does_not_matter(loss: Any, random: Any) -> None:
    inputs, weight, order = patients(random, times=9), random.uniform(0.3, 2.0, size=COUNT), random.permutation(COUNT)
    value, slope = loss.value_and_gradient(**inputs, weight=weight)
    again = loss.value_and_gradient(**{name: x[order] for name, x in inputs.items()}, weight=weight[order])
    assert again[0] == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(again[1], slope[order], rtol=1e-12, atol=1e-16)


@in_each("jax.*", "tensorflow-breslow.*", dtypes=("float32",))
def test_where_there_is_little(loss: Any, framework: Any, dtype: str) -> None:
    def of(prediction: list[float], moment: list[float], event: list[float]) -> tuple[float, list[float]]:
        inputs = {"prediction": np.array(prediction), "time": np.array(moment), "event": np.array(event)}
        value, slope = both(loss, framework, inputs, np.ones(len(moment)), dtype)
        return float(value), slope.tolist()

    assert of([], [], []) == (0.0, [])
    assert of([7.0], [1.0], [1.0]) == (0.0, [0.0])
    assert of([7.0], [1.0], [0.0]) == (0.0, [0.0])
    assert of([7.0, -80.0, 3.0], [1.0, 2.0, 2.0], [0.0, 0.0, 0.0]) == (0.0, [0.0, 0.0, 0.0])
    assert of([5.0, -math.inf, 5.0], [1.0, 3.0, 2.0], [1.0, 0.0, 0.0])[0] == pytest.approx(math.log(2.0), rel=1e-6)
    for broken in ([[math.nan, 0.0], [1.0, 2.0], [1.0, 0.0]], [[0.0, 0.0], [1.0, math.nan], [1.0, 0.0]]):
        value, slope = of(*broken)
        assert math.isnan(value)
        assert all(map(math.isnan, slope))


@in_each("jax-breslow.*", "tensorflow-breslow.*", frameworks=tuple(name for name in FRAMEWORKS if name != "numpy"))
def test_the_second_derivative(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs, along = patients(random), random.normal(size=COUNT)
    p, *others, weight = (framework.array(x, dtype) for x in (*inputs.values(), np.ones(COUNT)))

    def second(p: Any, direction: Any) -> Any:
        return framework.second(lambda p: _sum(loss, p, *others, weight), p, direction)

    if framework.title == "JAX":
        import jax

        second = jax.jit(second)
    low, high = (
        loss.value_and_gradient(**{**inputs, "prediction": inputs["prediction"] + step * along}, reduction="sum")[1]
        for step in (-1e-5, 1e-5)
    )
    bent = framework.numpy(second(p, framework.array(along, dtype)))
    np.testing.assert_allclose(bent, (high - low) / 2e-5, rtol=1e-7, atol=1e-7)


@in_each(".*-breslow-.*", frameworks=("torch", "tensorflow"))
def test_compiled_like_eager(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs = {**patients(random), "weight": np.ones(COUNT)}
    arrays = [framework.array(x, dtype) for x in inputs.values()]
    value, slope = framework.traced(functools.partial(_sum, loss), *arrays)
    wanted, slopes = loss.value_and_gradient(**inputs, reduction="sum")
    assert float(framework.numpy(value)) == pytest.approx(wanted, rel=1e-13)
    np.testing.assert_allclose(framework.numpy(slope), slopes, rtol=1e-12, atol=1e-14)


def test_a_graph_does_not_grow_with_the_batch(random: Any) -> None:
    """torch.compile makes one for all sizes, and XLA has a loop for what takes more steps with more entries."""
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    graphs, sizes = [], set()

    def counting(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph

    step = torch.compile(EFRON.torch(), backend=counting, fullgraph=True, dynamic=True)
    for count in (50, 9000):
        inputs = patients(random, count)
        assert step(*map(torch.tensor, inputs.values())).item() == pytest.approx(EFRON(**inputs), rel=1e-13)
        single = (jax.numpy.asarray(x, "float32") for x in inputs.values())
        sizes.add(str(jax.make_jaxpr(EFRON.jax())(*single)).count(" = "))
    assert len(graphs) == len(sizes) == 1


@of_each_method
def test_many_entries_take_little_time_and_memory(loss: Any, random: Any) -> None:
    count = 20_000
    inputs = patients(random, count, times=300)
    began = time.process_time()
    value, slope = loss.value_and_gradient(**inputs)
    assert time.process_time() - began < 1.0
    assert loss(**{name: x.astype("float32") for name, x in inputs.items()}) == pytest.approx(value, rel=1e-6)
    assert abs(slope.sum()) < 1e-12

    def call(p: Any, moment: Any, event: Any) -> Any:
        return loss.value_and_gradient(prediction=p, time=moment, event=event)

    assert backend("numpy").largest(call, *inputs.values()) < 100 * count


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("framework", ["numpy", "torch", "tensorflow"], indirect=True)
def test_half_types_are_computed_in_float32(framework: Any, dtype: str, random: Any) -> None:
    inputs = patients(random)
    p = framework.array(inputs["prediction"], dtype)
    rounded = {**inputs, "prediction": framework.numpy(p).astype("float64")}
    value = EFRON(prediction=p, time=inputs["time"], event=inputs["event"] > 0.5)
    assert framework.dtype(value) == "float32"
    assert float(framework.numpy(value)) == pytest.approx(EFRON(**rounded), rel=1e-6)
