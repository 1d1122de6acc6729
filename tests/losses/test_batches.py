"""What holds for losses that are tried by whole batches: of several inputs, over images, across all entries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lossary
from lossary import errors
from lossary.check.backends import backend
from lossary.check.instruments.accuracy import size_of_terms
from lossary.judge.exact import judge_total
from lossary.ops.arrays import of_one
from lossary.ops.call import Call
from lossary.ops.dispatch import ops
from tests.grid import FRAMEWORKS, HALVES, SHAPED, cases, losses, of_losses, one_of_each, ordinary, points

AUTODIFF = tuple(name for name in FRAMEWORKS if name != "numpy")
N = 6
KINDS = one_of_each(SHAPED, "whole batches")
CLOSE = {"float32": {"rtol": 2e-5, "atol": 2e-6}, "float64": {"rtol": 1e-11, "atol": 1e-12}}
# ULP of the value, and of the largest slope of the batch: slopes are sums of terms of both signs.
MOST = {"numpy": (4.0, 8.0), "torch": (4.0, 8.0), "tensorflow": (12.0, 12.0), "jax": (12.0, 12.0)}


def is_a_kind(loss: Any) -> bool:
    """Whether it stands for those that take their inputs alike: derivatives of other settings are thorough."""
    return loss in KINDS


def rounded(loss: Any, inputs: dict[str, Any], dtype: str) -> dict[str, Any]:
    """As numbers of the dtype."""
    return {name: x if loss.domains[name].indices else x.astype(dtype) for name, x in inputs.items()}


def arrays_of(framework: Any, inputs: dict[str, Any], dtype: str) -> dict[str, Any]:
    return {name: framework.array(x, dtype) for name, x in inputs.items()}


def in_one_program(framework: Any, function: Any) -> Any:
    """Jitted in JAX, which else compiles each operation by itself."""
    return framework.jax.jit(function) if framework.title == "JAX" else function


def differentiated(framework: Any, function: Any, at: Any) -> Any:
    return in_one_program(framework, lambda x: framework.pulled(function, x))(at)


def value_and_gradients(framework: Any, loss: Any, inputs: dict[str, Any], dtype: str, **more: Any) -> tuple[Any, Any]:
    """The call and its gradient by each learned input, NumPy in and out."""
    options = {name: x for name, x in more.items() if isinstance(x, str)}
    given = {name: framework.array(x, dtype) for name, x in more.items() if name not in options}
    arrays = arrays_of(framework, inputs, dtype)
    if not framework.differentiates:
        value, gradients = loss.value_and_gradient(**arrays, **given, **options)
        return framework.numpy(value), gradients if isinstance(gradients, tuple) else (gradients,)

    def call(*learned: Any) -> Any:
        return loss(**{**arrays, **dict(zip(loss.learned, learned, strict=True))}, **given, **options)

    learned = [arrays[name] for name in loss.learned]
    if framework.title == "JAX":  # in one program: it compiles each operation that it meets alone
        jax = framework.jax
        value, slopes = jax.jit(jax.value_and_grad(call, argnums=tuple(range(len(learned)))))(*learned)
        return framework.numpy(value), tuple(map(framework.numpy, slopes))
    value, gradients = None, []
    for place in range(len(learned)):
        value, gradient = framework.pulled(of_one(call, tuple(learned), place), learned[place])
        gradients.append(framework.numpy(gradient))
    return framework.numpy(value), tuple(gradients)


def flat(loss: Any, inputs: dict[str, Any], weight: Any) -> tuple[dict[str, Any], Any]:
    """With one axis of entries."""
    axes = {name: domain.axes for name, domain in loss.domains.items()}
    return {name: x.reshape(-1, *x.shape[x.ndim - axes[name] :]) for name, x in inputs.items()}, weight.reshape(-1)


def check_exact(loss: Any, framework: Any, inputs: dict[str, Any], weight: Any, dtype: str) -> None:
    value, gradients = value_and_gradients(framework, loss, inputs, dtype, weight=weight, reduction="sum")
    exact, slopes = judge_total(loss, *flat(loss, inputs, weight))
    spacing, (of_value, of_slope) = float(np.finfo(dtype).eps), MOST[framework.name]
    smallest = float(np.finfo(dtype).tiny)
    assert abs(float(value) - float(exact)) <= of_value * spacing * max(abs(float(exact)), smallest)
    paired = loss.paired and not loss.pooled
    stated = size_of_terms(loss, "gradient", *inputs.values()) if paired else 0.0
    for gradient, slope in zip(gradients, slopes, strict=True):
        wanted = slope.astype(float).reshape(gradient.shape)
        sizes = np.maximum(np.abs(wanted), stated)
        largest = sizes.max(axis=tuple(range(1, wanted.ndim)) if loss.separable else None, keepdims=True)
        assert (np.abs(gradient - wanted) <= of_slope * spacing * np.maximum(largest, smallest)).all()


@cases(of=SHAPED)
def test_value_and_gradients_are_exact(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs = rounded(loss, ordinary(loss, random, N), dtype)
    weight = random.uniform(0.5, 2.0, size=of_losses(loss, N)).astype(dtype)
    check_exact(loss, framework, inputs, weight, dtype)


@cases(of=SHAPED)
def test_they_are_far_out_too(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    """Embeddings long and short, logits that are certain, probabilities of 0 and 1."""
    inputs = ordinary(loss, random, N)
    for name, domain in loss.domains.items():
        if domain.unbounded:
            inputs[name] = inputs[name] * 10.0 ** random.uniform(-1.0, 1.5, size=(N, *(1,) * (inputs[name].ndim - 1)))
        elif domain.innermost.rows and not domain.indices:
            near = 10.0 ** random.uniform(-4.0, 0.0, size=(*inputs[name].shape[:-1], 1))
            certain = domain.innermost.encode(inputs[name].argmax(-1), inputs[name].shape[-1])
            inputs[name] = (1.0 - near) * certain + near * inputs[name]
        elif math.isfinite(domain.high):
            inputs[name] = np.where(random.uniform(size=inputs[name].shape) < 0.5, np.round(inputs[name]), inputs[name])
    weight = np.ones(of_losses(loss, N), dtype)
    check_exact(loss, framework, rounded(loss, inputs, dtype), weight, dtype)


@cases(of=SHAPED, alike=True)
def test_what_is_dropped_might_as_well_not_be_there(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs, counts = ordinary(loss, random, N), np.arange(N) % 3 != 1
    weight = np.broadcast_to(counts.reshape(-1, *(1,) * (len(of_losses(loss, N)) - 1)), of_losses(loss, N))
    torn = {name: x.copy() for name, x in inputs.items()}
    for name, x in torn.items():
        x[~counts] = -100 if loss.domains[name].indices else math.nan
    kept = {name: x[counts] for name, x in inputs.items()}
    wanted, its = value_and_gradients(framework, loss, kept, dtype)
    for how in ({"weight": weight * 1.0}, {"where": weight}):
        value, gradients = value_and_gradients(framework, loss, torn, dtype, **how)
        np.testing.assert_allclose(value, wanted, **CLOSE[dtype])
        for gradient, expected in zip(gradients, its, strict=True):
            assert (gradient[~counts] == 0.0).all()
            np.testing.assert_allclose(gradient[counts], expected, **CLOSE[dtype])


@cases(of=SHAPED, alike=True)
def test_nothing_to_count_costs_0_with_zero_gradient(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs = points(loss, random, N)
    nothing = np.zeros(of_losses(loss, N))
    empty = {name: x[:0] for name, x in inputs.items()}
    for given, how in ((inputs, {"weight": nothing}), (inputs, {"where": nothing > 0.0}), (empty, {})):
        value, gradients = value_and_gradients(framework, loss, given, dtype, **how)
        assert float(value) == 0.0, how
        assert all((gradient == 0.0).all() for gradient in gradients), how


@cases(of=SHAPED, alike=True)
def test_nan_goes_through(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    for name, domain in loss.domains.items():
        if domain.indices:
            continue
        inputs = ordinary(loss, random, N)
        inputs[name][(1,) * inputs[name].ndim] = math.nan
        value, gradients = value_and_gradients(framework, loss, inputs, dtype)
        assert math.isnan(value), name
        assert all(np.isnan(gradient[1]).any() for gradient in gradients), name


@cases(of=SHAPED, frameworks=AUTODIFF, dtypes=("float64",), settings=is_a_kind)
def test_second_derivative_is_the_slope_of_gradient(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs, first = ordinary(loss, random, N), loss.learned[0]
    along, step = random.normal(size=inputs[first].shape), 1e-6
    ends = [
        value_and_gradients(backend("numpy"), loss, {**inputs, first: inputs[first] + h * along}, dtype)[1][0]
        for h in (step, -step)
    ]
    arrays = arrays_of(framework, inputs, dtype)
    second = in_one_program(
        framework, lambda at, along: framework.second(lambda x: loss(**{**arrays, first: x}), at, along)
    )(arrays[first], framework.array(along, dtype))
    np.testing.assert_allclose(framework.numpy(second), (ends[0] - ends[1]) / (2 * step), rtol=1e-4, atol=1e-5)


@cases(of=SHAPED, frameworks=AUTODIFF, dtypes=("float64",), settings=is_a_kind)
def test_derivatives_by_what_is_given_and_by_the_weight(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs = ordinary(loss, random, N) | {"weight": random.uniform(0.5, 2.0, size=of_losses(loss, N))}
    given = [name for name in loss.inputs if name not in loss.learned and not loss.domains[name].discrete]
    for name in given if loss.pooled else ():  # where they tie, an order may change
        inputs[name] += 0.005 * np.arange(N).reshape(-1, *(1,) * (inputs[name].ndim - 1))
    arrays = arrays_of(framework, inputs, dtype)
    for name in (*given, "weight"):
        _, slope = differentiated(framework, lambda x, name=name: loss(**{**arrays, name: x}), arrays[name])
        wanted = np.empty(inputs[name].shape)
        for place in np.ndindex(wanted.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = inputs[name].copy()
                moved[place] += step
                ends.append(float(loss(**{**inputs, name: moved})))
            wanted[place] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(framework.numpy(slope), wanted, rtol=1e-4, atol=1e-7, err_msg=name)


@cases(of=SHAPED, frameworks=("torch", "jax"), dtypes=("float64",), settings=is_a_kind)
def test_forward_mode_agrees_with_the_gradient(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs, first = ordinary(loss, random, N), loss.learned[0]
    along, arrays = random.normal(size=inputs[first].shape), arrays_of(framework, inputs, dtype)
    tangent = in_one_program(
        framework, lambda at, along: framework.pushed(lambda x: loss(**{**arrays, first: x}), at, along)
    )(arrays[first], framework.array(along, dtype))
    gradient = value_and_gradients(backend("numpy"), loss, inputs, dtype)[1][0]
    np.testing.assert_allclose(framework.numpy(tangent), (gradient * along).sum(), **CLOSE[dtype])


@cases(of=SHAPED, frameworks=AUTODIFF, dtypes=("float32",), settings=lambda loss: False, compiled=True)
def test_compiled_equals_eager(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs = arrays_of(framework, ordinary(loss, random, N), dtype)
    names = list(inputs)

    def call(*given: Any) -> Any:
        return loss(**dict(zip(names, given, strict=True)))

    first, *others = inputs.values()
    quick, eager = framework.compiled(call, first, *others), framework.pulled(lambda x: call(x, *others), first)
    for one, other in zip(quick, eager, strict=True):
        np.testing.assert_allclose(framework.numpy(one), framework.numpy(other), **CLOSE[dtype])


@cases(of=SHAPED, dtypes=HALVES, alike=True)
def test_half_types_are_computed_in_float32(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    half = arrays_of(framework, ordinary(loss, random, N), dtype)
    wide = {name: framework.array(framework.numpy(x), "float32") for name, x in half.items()}
    # Unchecked: rows that sum to 1 as well as bfloat16 can do not in float32.
    call = Call(tuple(wide.values()), validate=False)
    for reduction in ("mean", "sum"):
        came = loss(**half, reduction=reduction)
        assert framework.dtype(came) == "float32"
        np.testing.assert_array_equal(framework.numpy(came), framework.numpy(loss.compute(call, reduction=reduction)))


@losses(of=SHAPED)
def test_the_order_of_entries_does_not_matter(loss: Any, random: Any) -> None:
    inputs, weight, order = ordinary(loss, random, N), random.uniform(0.5, 2.0, size=N), random.permutation(N)
    value, gradients = value_and_gradients(backend("numpy"), loss, inputs, "float64", weight=weight)
    moved = {name: x[order] for name, x in inputs.items()}
    other, its = value_and_gradients(backend("numpy"), loss, moved, "float64", weight=weight[order])
    assert other == pytest.approx(value, rel=1e-12)
    for one, two in zip(gradients, its, strict=True):
        np.testing.assert_allclose(two, one[order], rtol=1e-9, atol=1e-12)


@losses(of=SHAPED)
def test_parts_add_up_or_are_refused(loss: Any, random: Any) -> None:
    inputs = ordinary(loss, random, N)
    parts = [loss.total(**{name: x[part] for name, x in inputs.items()}) for part in (slice(0, 2), slice(2, N))]
    if loss.separable:
        assert sum(parts).mean == pytest.approx(loss(**inputs), rel=1e-12)
        return
    with pytest.raises(errors.UsageError, match="do not add"):
        sum(parts)
    with pytest.raises(errors.ParameterError, match="whole batch"):
        loss.values(**inputs)


@cases(
    of=SHAPED, frameworks=("torch", "jax", "tensorflow"), dtypes=("float32",), settings=lambda loss: False, alike=True
)
def test_adapters_say_the_same(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs = arrays_of(framework, ordinary(loss, random, N), dtype)
    wanted = float(framework.numpy(loss(**inputs)))
    if framework.title == "TensorFlow":
        if not loss.paired:
            with pytest.raises(errors.UsageError, match=r"calls losses with \(y_true, y_pred\)"):
                loss.keras()
            return
        came = loss.keras()(inputs["target"], inputs["prediction"])
        assert loss.sklearn().metric(*(np.asarray(inputs[name]) for name in ("target", "prediction"))) == pytest.approx(
            wanted, rel=1e-6
        )
    elif framework.title == "JAX":
        came = loss.jax()(*inputs.values()).mean()
    else:
        last = {"class_axis": -1} if loss.prediction.innermost.rows else {}  # PyTorch has classes first
        came = loss.torch(**last)(*inputs.values())
    assert float(framework.numpy(came)) == pytest.approx(wanted, rel=1e-5)


@losses(of=SHAPED, only=lambda loss: loss == type(loss)())
def test_a_model_learns(loss: Any, random: Any) -> None:
    """By a layer before the loss, and two losses in a sum."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    inputs = {name: torch.tensor(x) for name, x in rounded(loss, ordinary(loss, random, 16), "float64").items()}
    size = inputs[loss.learned[0]].shape[-1] if inputs[loss.learned[0]].ndim > 1 else 1
    layer, objective = torch.nn.Linear(size, size, dtype=torch.float64), 0.5 * loss + 0.5 * loss
    optimizer, costs = torch.optim.Adam(layer.parameters(), lr=0.05), []
    for _ in range(30):
        optimizer.zero_grad()
        learned = {name: layer(inputs[name].reshape(-1, size)).reshape(inputs[name].shape) for name in loss.learned}
        learned = {name: loss.domains[name].activate(ops("torch"), x) for name, x in learned.items()}
        cost = objective(**{**inputs, **learned})
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    assert costs[-1] < costs[0]
    assert loss(**{**inputs, **{name: x.detach() for name, x in learned.items()}}).item() == pytest.approx(costs[-1])


def test_explain_says_that_it_cannot_look_at_a_whole_batch(random: Any) -> None:
    pooled = next(loss for loss in SHAPED if loss.pooled)
    with pytest.warns(UserWarning, match="1 calls could not be looked at"), lossary.explain():
        pooled(**ordinary(pooled, random, N))
