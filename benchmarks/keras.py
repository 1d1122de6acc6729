"""Keras on TensorFlow, in a graph and compiled by XLA: the loss and its gradient, beside Keras' own losses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from benchmarks.inputs import LARGE, LEVEL, POINTWISE, SOFTMAX, Effort, name, pointwise, rows, words
from benchmarks.measurement import Measurement, compare

PACKAGES = ("keras", "tensorflow-cpu")
GRAPH, XLA = "graph", "jit_compile"


def pinball(y_true: Any, y_pred: Any) -> Any:
    r = y_true - y_pred
    return tf.reduce_mean(tf.maximum(LEVEL * r, (LEVEL - 1.0) * r))


PEERS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "MeanSquaredError": ("MeanSquaredError", keras.losses.MeanSquaredError()),
    "MeanAbsoluteError": ("MeanAbsoluteError", keras.losses.MeanAbsoluteError()),
    "Huber": ("Huber", keras.losses.Huber()),
    "LogCosh": ("LogCosh", keras.losses.LogCosh()),
    "Quantile": ("textbook", pinball),
    "BinaryCrossEntropy": ("BinaryCrossentropy", keras.losses.BinaryCrossentropy(from_logits=True)),
    "Hinge": ("Hinge", keras.losses.Hinge()),
    "SparseCategoricalCrossEntropy": (
        "SparseCategoricalCrossentropy",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ),
}


def threads() -> int:
    asked: int = tf.config.threading.get_intra_op_parallelism_threads()
    return asked or len(os.sched_getaffinity(0))


def step(function: Callable[[Any, Any], Any], y: Any, p: Any, *, xla: bool) -> Callable[[], None]:
    @tf.function(jit_compile=xla)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def both(y: Any, p: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(p)
            value = function(y, p)
        return value, tape.gradient(value, p)

    def run() -> None:
        both(y, p)[0].numpy()

    return run


def measure(effort: Effort) -> Iterator[Measurement]:
    cases: list[tuple[Any, Any]] = [(loss, size) for size in effort.sizes(LARGE) for loss in POINTWISE]
    cases += [(SOFTMAX, shape) for shape in effort.rows()]
    for loss, size in cases:
        # One entry a sample, as after Dense(1).
        arrays = rows(size) if isinstance(size, tuple) else (each[:, None] for each in pointwise(loss, size))
        p, y = map(tf.constant, arrays)
        peer, function = PEERS[name(loss)]
        for kind, xla in ((GRAPH, False), (XLA, True)):
            steps = step(loss.keras(), y, p, xla=xla), peer, step(function, y, p, xla=xla)
            array = _bytes(p) if xla and _bytes(p) > 1 << 25 else None
            yield compare(name(loss), words(size), *steps, kind=kind, seconds=effort.seconds, array=array)


def _bytes(x: Any) -> int:
    return int(x.shape.num_elements()) * int(x.dtype.size)
