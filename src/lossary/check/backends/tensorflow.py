"""TensorFlow, which is also what Keras' losses run on unless another backend is chosen."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, final

import numpy as np

from lossary.check.backends.backend import Backend, Function, listed


@final
class TensorFlow(Backend):
    title = "TensorFlow"
    imports = "import tensorflow as tf"

    def __init__(self) -> None:
        import tensorflow

        self.tf = tensorflow

    def _seed(self, seed: int) -> None:
        self.tf.random.set_seed(seed)

    def _array(self, x: Any) -> Any:
        return self.tf.constant(x)

    def _numpy(self, x: Any) -> Any:
        return np.asarray(x.numpy() if hasattr(x, "numpy") else x)  # by itself, NumPy fails on a bfloat16 scalar

    def dtype(self, x: Any) -> str:
        return str(x.dtype.name)

    def pulled(self, function: Function, at: Any, upstream: Any = None) -> tuple[Any, Any]:
        with self.tf.GradientTape() as tape:
            tape.watch(at)
            value = function(at)
        upstream = None if upstream is None else self.tf.cast(upstream, value.dtype)
        return value, tape.gradient(value, at, upstream, unconnected_gradients="zero")

    def second(self, function: Function, at: Any, along: Any) -> Any:
        with self.tf.GradientTape() as outer:
            outer.watch(at)
            with self.tf.GradientTape() as inner:
                inner.watch(at)
                value = self.tf.reduce_sum(function(at))
            slope = inner.gradient(value, at)
        return outer.gradient(slope, at, along, unconnected_gradients="zero")

    def pushed(self, function: Function, at: Any, along: Any) -> Any:
        with self.tf.autodiff.ForwardAccumulator(at, along) as accumulator:
            value = function(at)
        return accumulator.jvp(value, unconnected_gradients="zero")

    def compiled(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        value, gradient = self._function(function, jit_compile=True)(at, *others)
        return value, gradient

    def traced(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        value, gradient = self._function(function, jit_compile=False)(at, *others)
        return value, gradient

    def _function(self, function: Function, *, jit_compile: bool) -> Function:
        def both(at: Any, *others: Any) -> tuple[Any, Any]:
            return self.pulled(lambda p: function(p, *others), at)

        traced: Function = self.tf.function(both, jit_compile=jit_compile, autograph=False)
        return traced

    def tracing(self, function: Function) -> tuple[Function, Callable[[], int]]:
        return function, _graphs()

    def largest(self, function: Function, at: Any, *others: Any) -> int:
        eagerly = self.tf.config.functions_run_eagerly()
        self.tf.config.run_functions_eagerly(True)  # functions that it calls are written out in its own graph
        try:
            quick: Any = self._function(function, jit_compile=False)
            graph = quick.get_concrete_function(at, *others).graph
        finally:
            self.tf.config.run_functions_eagerly(eagerly)
        shapes = [made.shape for operation in graph.get_operations() for made in operation.outputs]
        return max((shape.num_elements() or 0 for shape in shapes if shape.rank is not None), default=0)

    def literal(self, x: Any) -> str:
        kind = {"float32": "", "bool": "", "int32": ""}.get(x.dtype.name, f", tf.{x.dtype.name}")
        return f"tf.constant({listed(x)}{kind})"

    def gradient_code(self, prediction: str, call: Callable[[str], str]) -> tuple[str, str]:
        gradient = "tape.gradient(loss, x)"
        return f"x = tf.Variable({prediction})\nwith tf.GradientTape() as tape: loss = {call('x')}", gradient


@functools.cache
def _graphs() -> Callable[[], int]:
    """How many graphs TensorFlow has traced since this was first called."""
    from tensorflow import __internal__

    seen: list[str] = []
    begin = __internal__.FuncGraph.__init__

    def counted(self: Any, *positional: Any, **named: Any) -> None:
        seen.append(str(positional[:1]))
        begin(self, *positional, **named)

    __internal__.FuncGraph.__init__ = counted
    return lambda: len(seen)
