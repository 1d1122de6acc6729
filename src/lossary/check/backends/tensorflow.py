"""TensorFlow, which is also what Keras' losses run on unless another backend is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from lossary.check.backends.backend import Backend, Function, listed


@final
class TensorFlow(Backend):
    title = "TensorFlow"
    imports = "import tensorflow as tf"

    def __init__(self) -> None:
        import tensorflow

        self.tf = tensorflow

    def _array(self, x: Any) -> Any:
        return self.tf.constant(x)

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

    def literal(self, x: Any) -> str:
        kind = {"float32": "", "bool": "", "int32": ""}.get(x.dtype.name, f", tf.{x.dtype.name}")
        return f"tf.constant({listed(x)}{kind})"

    def gradient_code(self, prediction: str, call: Callable[[str], str]) -> tuple[str, str]:
        gradient = "tape.gradient(loss, x)"
        return f"x = tf.Variable({prediction})\nwith tf.GradientTape() as tape: loss = {call('x')}", gradient
