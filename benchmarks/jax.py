"""JAX under `jit`: the mean and its gradient, beside optax or, where it has no such loss, the textbook expression."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.inputs import LARGE, LEVEL, POINTWISE, SOFTMAX, Effort, name, pointwise, rows, words
from benchmarks.measurement import Measurement, compare

PACKAGES = ("jax", "optax")
KIND = "jit, value + gradient"


def absolute_error(p: Any, y: Any) -> Any:
    return jnp.abs(p - y)


def pinball(p: Any, y: Any) -> Any:
    r = y - p
    return jnp.maximum(LEVEL * r, (LEVEL - 1.0) * r)


PEERS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "MeanSquaredError": ("optax.squared_error", optax.squared_error),
    "MeanAbsoluteError": ("textbook", absolute_error),
    "Huber": ("optax.huber_loss", optax.huber_loss),
    "LogCosh": ("optax.log_cosh", optax.log_cosh),
    "Quantile": ("textbook", pinball),
    "BinaryCrossEntropy": ("optax.sigmoid_binary_cross_entropy", optax.sigmoid_binary_cross_entropy),
    "Hinge": ("optax.hinge_loss", optax.hinge_loss),
}
SOFTMAX_PEER = (
    "optax.softmax_cross_entropy_with_integer_labels",
    optax.softmax_cross_entropy_with_integer_labels,
)


def threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def step(function: Callable[[Any, Any], Any], p: Any, y: Any) -> Callable[[], Any]:
    both = jax.jit(jax.value_and_grad(lambda p, y: function(p, y).mean()))
    return lambda: jax.block_until_ready(both(p, y))  # type: ignore[no-untyped-call]  # JAX has no types for it


def measure(effort: Effort) -> Iterator[Measurement]:
    cases: list[tuple[Any, Any, str, Any]] = [
        (loss, size, words(size), PEERS[name(loss)]) for size in effort.sizes(LARGE) for loss in POINTWISE
    ]
    cases += [(SOFTMAX, shape, words(shape), SOFTMAX_PEER) for shape in effort.rows()]
    for loss, size, said, (peer, function) in cases:
        p, y = map(jnp.asarray, rows(size) if isinstance(size, tuple) else pointwise(loss, size))
        steps = step(loss.jax(), p, y), peer, step(function, p, y)
        array = p.nbytes if p.nbytes > 1 << 25 else None
        yield compare(name(loss), said, *steps, kind=KIND, seconds=effort.seconds, array=array)
