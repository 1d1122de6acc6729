"""What must hold for JAX arrays that are spread over several devices; `test_sharded.py` runs this file in a process of
its own, because devices are counted before JAX starts.

XLA_FLAGS=--xla_force_host_platform_device_count=4 JAX_PLATFORMS=cpu \
    python -m pytest --noconftest tests/adapters/mesh_cases.py
"""

from __future__ import annotations

import functools
import math
import os
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from lossary import BinaryCrossEntropy, Huber, MeanAbsoluteError, NonFiniteError, SparseCategoricalCrossEntropy, explain
from lossary.check.instruments.accuracy import size_of_terms
from lossary.define.loss import Loss
from lossary.ops.reduce import Total
from tests import grid, paths

ROWS = 8
AXES = {"auto": AxisType.Auto, "explicit": AxisType.Explicit}
# What each axis of an array lies along, in a mesh whose axes are "rows" and "columns".
PLACEMENTS = {
    "everywhere": (None, None),
    "by batch": ("rows", None),
    "by class": (None, "columns"),
    "by both": ("rows", "columns"),
}
TABLES = (
    BinaryCrossEntropy(pos_weight=(0.5, 2.0, 1.0, 0.25)),
    SparseCategoricalCrossEntropy(class_weight=(0.5, 2.0, 1.0, 0.25)),
    SparseCategoricalCrossEntropy(label_smoothing=0.1),
)
THOROUGH = "LOSSARY_THOROUGH" in os.environ
LOSSES = grid.PAIRS if THOROUGH else (*grid.covering(grid.DEFAULTS), Huber(), *TABLES)
SAMPLE = (Huber(), TABLES[1])


def placements_of(loss: Loss) -> list[str]:
    """The most spread last; named columns stay together, for nobody computes a mean on one device and its scale on
    another, and so does what is put in order."""
    together = loss.prediction.size is not None or paths.needs_whole_rows(loss)
    return [name for name, (_, along) in PLACEMENTS.items() if along is None or not together]


CONFIGURATIONS = [
    pytest.param(loss, axes, placement, id=f"{loss!r}-{axes}-{placement}")
    for loss in LOSSES
    for axes in AXES
    for placement in placements_of(loss)
    if THOROUGH or (placement == placements_of(loss)[-1] if axes == "auto" else loss in SAMPLE)
]


def mesh(axes: str) -> Any:
    return jax.make_mesh((2, 2), ("rows", "columns"), axis_types=(AXES[axes],) * 2)


def placed(x: Any, axes: str, placement: str) -> Any:
    x = np.asarray(x)
    x = x.astype({"f": "float32", "i": "int32"}.get(x.dtype.kind, x.dtype))
    return jax.device_put(x, NamedSharding(mesh(axes), PartitionSpec(*PLACEMENTS[placement][: x.ndim])))


@functools.cache
def batch(loss: Loss) -> dict[str, Any]:
    """All inputs of a call, the numbers such that float32 holds them."""
    random = grid.generator(repr(loss))
    arrays = grid.ordinary(loss, random, ROWS)
    shape = grid.of_losses(loss, ROWS)
    arrays |= {"weight": random.integers(1, 9, size=shape) / 4.0, "where": random.uniform(size=shape) < 0.7}
    arrays["row"] = random.integers(1, 9, size=ROWS) / 4.0
    return {name: x.astype("float32").astype("float64") if x.dtype.kind == "f" else x for name, x in arrays.items()}


def answers(loss: Loss, arrays: dict[str, Any]) -> dict[str, Any]:
    """What is asked of a loss beside its gradient, in any framework."""
    call, weight = {name: arrays[name] for name in ("prediction", "target")}, arrays["weight"]
    found = {"unreduced": loss(**call, weight=weight, where=arrays["where"], reduction="none")}
    if THOROUGH or loss in SAMPLE or not loss.trainable:
        found |= {"mean": loss(**call), "masked mean": loss(**call, where=arrays["where"])}
        found |= {"mean by row": loss(**call, weight=arrays["row"]), "total": loss.total(**call, weight=weight)}
    return found


def test_there_are_several_devices():
    assert jax.device_count() == 4


@pytest.mark.parametrize(("loss", "axes", "placement"), CONFIGURATIONS)
def test_the_answers_are_those_of_one_device_and_no_array_is_gathered(loss: Loss, axes: str, placement: str) -> None:
    def asked(inputs: Any) -> Any:
        found = answers(loss, inputs)
        if loss.trainable:
            rest = {name: inputs[name] for name in ("target", "weight", "where")}
            differentiated = jax.value_and_grad(lambda p: loss(prediction=p, **rest))
            found["weighted mean"], found["gradient"] = differentiated(inputs["prediction"])
        return found

    inputs = {name: placed(x, axes, placement) for name, x in batch(loss).items()}
    with jax.set_mesh(mesh(axes)):
        program = jax.jit(asked).lower(inputs).compile()
        found = program(inputs)
    assert set(re.findall(r"\b(all-gather|all-to-all|collective-permute|all-reduce)\(", program.as_text())) <= {
        "all-reduce"
    }

    wanted = answers(loss, batch(loss))
    if loss.trainable:
        assert found["gradient"].sharding.is_equivalent_to(inputs["prediction"].sharding, 2)
        call = {name: x for name, x in batch(loss).items() if name != "row"}
        wanted["weighted mean"], wanted["gradient"] = loss.value_and_gradient(**call)
    stated = size_of_terms(loss, "value", *(batch(loss)[name] for name in ("prediction", "target")))
    for name, its in wanted.items():
        for one, other in zip(jax.tree.leaves(read(found[name])), jax.tree.leaves(read(its)), strict=True):
            # A loss is as exact as the terms that it states, where these are of both signs.
            room = 1e-7 + 1e-6 * np.maximum(np.abs(other), stated if name == "unreduced" else 0.0)
            np.testing.assert_array_less(np.abs(np.nan_to_num(one - other)), room, err_msg=name)
            np.testing.assert_array_equal(np.isnan(one), np.isnan(other), err_msg=name)


def read(x: Any) -> Any:
    return (x.sum, x.weight, x.mean) if isinstance(x, Total) else x


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss.trainable], ids=repr)
def test_explicit_axes_are_kept_wherever_the_arrays_lie(loss: Loss) -> None:
    """Traced alone, which is where JAX asks how arrays lie together."""
    spread = [way for way in ("by batch", "by class") if way in placements_of(loss)]
    ways = [(way, others) for way in spread for others in ("everywhere", way)]
    for of_prediction, of_others in ways if THOROUGH or loss in SAMPLE else [grid.chosen(ways, loss)]:
        inputs = {
            name: placed(x, "explicit", of_prediction if name == "prediction" else of_others)
            for name, x in batch(loss).items()
        }
        rest = {name: x for name, x in inputs.items() if name in ("target", "weight", "where")}
        with jax.set_mesh(mesh("explicit")):
            mean, gradient = jax.eval_shape(
                jax.value_and_grad(lambda p, rest=rest: loss(prediction=p, **rest)), inputs["prediction"]
            )
            values = jax.eval_shape(loss.jax(), inputs["prediction"], inputs["target"])
        assert mean.sharding.spec == PartitionSpec()
        assert gradient.sharding.spec == inputs["prediction"].sharding.spec
        rows = loss.prediction.rows
        assert values.sharding.spec == PartitionSpec(*PLACEMENTS[of_prediction][: 2 - rows])


@pytest.mark.parametrize("axes", AXES)
def test_the_sums_of_devices_are_as_exact_as_those_of_one(axes: str) -> None:
    """One heavy entry swallows in float32 whatever is added to it; and what rounding has lost is known."""
    random = np.random.default_rng(0)
    losses = random.uniform(0.1, 0.4, size=(2**12, 6)).astype("float32")
    losses[17, 3] = 2.0**24
    plain, exact = float(np.add.accumulate(losses.ravel())[-1]), math.fsum(losses.ravel())
    assert plain != pytest.approx(exact, rel=1e-6), "this test would prove nothing"
    total = jax.jit(lambda p: MeanAbsoluteError().total(prediction=p, target=jnp.zeros_like(p)))
    with jax.set_mesh(mesh(axes)):
        for placement in PLACEMENTS:
            found = total(placed(losses, axes, placement))
            assert float(found.sum) == np.float32(exact)
            assert math.fsum(map(float, found.exact_sum)) == pytest.approx(exact, rel=2.0**-38)
            assert float(found.weight) == losses.size
        for size in (1e-36, 1e-30, 1e30):
            scaled = (losses * np.float32(size)).astype("float32")
            assert float(total(placed(scaled, axes, "by batch")).sum) == np.float32(math.fsum(scaled.ravel()))
        for odd in (np.inf, np.nan, 3e38):
            losses[:2] = odd
            with np.errstate(over="ignore"):
                wanted = losses.sum()
            assert float(total(placed(losses, axes, "by both")).sum) == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss.trainable and (THOROUGH or loss in SAMPLE)], ids=repr)
def test_totals_of_shards_add_to_one_call(loss: Loss, axes: str) -> None:
    """By the recipe: every leaf of a Total is summed over the shards."""
    call = {name: x for name, x in batch(loss).items() if name != "row"}

    def shard(inputs: Any) -> Any:
        return jax.lax.psum(loss.total(**inputs), "rows").mean

    def mean(prediction: Any, others: Any) -> Any:
        spread = jax.shard_map(shard, in_specs=PartitionSpec("rows"), out_specs=PartitionSpec())
        return spread({"prediction": prediction} | others)

    inputs = {name: placed(x, axes, "by batch") for name, x in call.items()}
    with jax.set_mesh(mesh(axes)):
        value, gradient = jax.jit(jax.value_and_grad(mean))(inputs.pop("prediction"), inputs)
    wanted, its = loss.value_and_gradient(**call)
    np.testing.assert_allclose(value, wanted, rtol=1e-6)
    np.testing.assert_allclose(gradient, its, rtol=1e-6, atol=1e-7)


def test_the_mean_of_the_means_of_shards_is_another_number() -> None:
    """Or the law above would prove nothing."""
    call = {name: x for name, x in batch(Huber()).items() if name != "row"}
    inputs = {name: placed(x, "auto", "by batch") for name, x in call.items()}

    def shard(inputs: Any) -> Any:
        return jax.lax.pmean(Huber()(**inputs), "rows")

    with jax.set_mesh(mesh("auto")):
        naive = jax.jit(jax.shard_map(shard, in_specs=PartitionSpec("rows"), out_specs=PartitionSpec()))(inputs)
    assert float(naive) != pytest.approx(Huber()(**call), rel=1e-3)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_the_row_that_is_nan_is_known_by_its_place_in_the_whole(axes: str, placement: str) -> None:
    numbers = np.ones((ROWS, 4))
    numbers[5, 3] = math.nan
    with jax.set_mesh(mesh(axes)):
        step = jax.jit(jax.value_and_grad(lambda p, y: Huber().jax().total(p, y).mean))
        arrays = placed(numbers, axes, placement), placed(np.ones((ROWS, 4)), axes, placement)
        with pytest.raises(NonFiniteError, match=r"row 5 of the batch, at \[5, 3\]"), explain():
            step(*arrays)
        assert bool(jnp.isnan(step(*arrays)[0]))


def test_one_device_does_not_wait_for_another_that_has_found_something() -> None:
    """The error comes at the end of the block: raised on one device, it would leave the others in the sum for ever."""

    @functools.partial(jax.shard_map, mesh=mesh("auto"), in_specs=PartitionSpec("rows"), out_specs=PartitionSpec())
    def mean(p: Any) -> Any:
        total: Any = jax.lax.psum(Huber().jax().total(p, jnp.zeros_like(p)), ("rows",))
        return total.mean

    numbers = jnp.ones(ROWS).at[5].set(math.nan)
    with pytest.raises(NonFiniteError, match="row 1 of the batch"), explain():  # of its shard
        jax.jit(mean)(numbers)
