"""One small adapter per framework, so that a test is written once and run in each.

A test talks in NumPy arrays; an adapter makes them its framework's, differentiates, traces and compiles there, and
hands NumPy arrays back. A framework is imported by its adapter and by nothing else here.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, final

import ml_dtypes
import numpy as np

from lossary import dispatch

Function = Callable[..., Any]


class Framework(ABC):
    """What the tests need of a framework."""

    title: str  # as messages write it
    differentiates = True  # whether it can differentiate a call
    compiles = True

    @property
    def vocabulary(self) -> Any:
        return dispatch.vocabulary(type(self).__name__.lower())

    @contextlib.contextmanager
    def precision(self, dtype: str) -> Iterator[None]:
        """Whatever must be switched on for that dtype."""
        yield

    @final
    def array(self, x: Any, dtype: str | None = None) -> Any:
        """This framework's array; a dtype is for floating numbers only, integers and booleans keep theirs.

        Rounding is NumPy's for all, so that every framework sees the same numbers.
        """
        x = np.asarray(x)
        if dtype is not None and x.dtype.kind == "f":
            with np.errstate(over="ignore"):
                x = x.astype(getattr(ml_dtypes, dtype, dtype))
        return self._array(x)

    @final
    def numpy(self, x: Any) -> Any:
        """As NumPy: float64 for every floating dtype, which holds all of them."""
        x = self._numpy(x)
        return x if x.dtype.kind in "iub" else x.astype(np.float64)

    @abstractmethod
    def _array(self, x: Any) -> Any: ...

    def _numpy(self, x: Any) -> Any:
        return np.asarray(x)

    @abstractmethod
    def dtype(self, x: Any) -> str: ...

    @abstractmethod
    def pulled(self, function: Function, at: Any, upstream: Any = None) -> tuple[Any, Any]:
        """The value of function(at), and its derivative times `upstream` (all ones where nothing is said)."""

    @abstractmethod
    def second(self, function: Function, at: Any, along: Any) -> Any:
        """The derivative of the sum of function(at), differentiated once more along a direction."""

    @abstractmethod
    def compiled(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        """The value of the compiled function(at, *others) and its derivative with respect to `at`."""

    @abstractmethod
    def traced(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        """As `compiled`, by the cheapest trace there is: values cannot be read there."""

    @staticmethod
    def spacing(dtype: str) -> float:
        """The spacing of numbers at 1."""
        return float(ml_dtypes.finfo(getattr(ml_dtypes, dtype, dtype)).eps)

    @final
    def value_and_gradient(self, loss: Any, prediction: Any, target: Any, **more: Any) -> tuple[Any, Any]:
        """The call and its gradient in the prediction, as NumPy; of the sum for reduction="none"."""
        if not loss.trainable:
            value = loss(prediction=prediction, target=target, **more)
            return self.numpy(value), np.zeros_like(self.numpy(prediction))
        value, gradient = self._value_and_gradient(loss, prediction, target, **more)
        return self.numpy(value), self.numpy(gradient)

    def _value_and_gradient(self, loss: Any, prediction: Any, target: Any, **more: Any) -> tuple[Any, Any]:
        return self.pulled(lambda p: loss(prediction=p, target=target, **more), prediction)


@final
class NumPy(Framework):
    title = "NumPy"
    differentiates = compiles = False

    def _array(self, x: Any) -> Any:
        return x

    def dtype(self, x: Any) -> str:
        return str(x.dtype.name)

    def pulled(self, function: Function, at: Any, upstream: Any = None) -> tuple[Any, Any]:
        raise NotImplementedError("NumPy does not differentiate")

    def second(self, function: Function, at: Any, along: Any) -> Any:
        raise NotImplementedError("NumPy does not differentiate")

    def compiled(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        raise NotImplementedError("NumPy does not compile")

    def traced(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        raise NotImplementedError("NumPy does not trace")

    def _value_and_gradient(self, loss: Any, prediction: Any, target: Any, **more: Any) -> tuple[Any, Any]:
        return loss.value_and_gradient(prediction=prediction, target=target, **more)


@final
class Torch(Framework):
    title = "PyTorch"

    def __init__(self) -> None:
        import torch

        self.torch = torch

    def _array(self, x: Any) -> Any:
        if x.dtype.name == "bfloat16":
            return self.torch.tensor(x.astype(np.float32)).bfloat16()
        return self.torch.tensor(x)

    def _numpy(self, x: Any) -> Any:
        x = x.detach()
        return (x.double() if x.is_floating_point() else x).numpy()

    def dtype(self, x: Any) -> str:
        return str(x.dtype).removeprefix("torch.")

    def pulled(self, function: Function, at: Any, upstream: Any = None) -> tuple[Any, Any]:
        at = at.detach().requires_grad_()
        value = function(at)
        upstream = self.torch.ones_like(value) if upstream is None else upstream.to(value.dtype)
        return value, self.torch.autograd.grad(value, at, upstream)[0]

    def second(self, function: Function, at: Any, along: Any) -> Any:
        at = at.detach().requires_grad_()
        (slope,) = self.torch.autograd.grad(function(at).sum(), at, create_graph=True)
        if not slope.requires_grad:  # a constant slope
            return self.torch.zeros_like(at)
        return self.torch.autograd.grad(slope, at, along, allow_unused=True, materialize_grads=True)[0]

    def compiled(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        return self._compiled("inductor", function, at, *others)

    def traced(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        return self._compiled("aot_eager", function, at, *others)

    def _compiled(self, backend: str, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        self.torch._dynamo.reset()  # what is compiled is remembered by code, and all losses share theirs
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the compiler's own
                quick = self.torch.compile(function, fullgraph=True, backend=backend)
                return self.pulled(lambda p: quick(p, *others), at)
        finally:
            self.torch._dynamo.reset()


@final
class TensorFlow(Framework):
    title = "TensorFlow"

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
        return self._function(function, jit_compile=True)(at, *others)

    def traced(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        return self._function(function, jit_compile=False)(at, *others)

    def _function(self, function: Function, *, jit_compile: bool) -> Function:
        def both(at: Any, *others: Any) -> tuple[Any, Any]:
            return self.pulled(lambda p: function(p, *others), at)

        return self.tf.function(both, jit_compile=jit_compile, autograph=False)


@final
class JAX(Framework):
    title = "JAX"

    def __init__(self) -> None:
        import jax

        self.jax = jax

    @contextlib.contextmanager
    def precision(self, dtype: str) -> Iterator[None]:
        with self.jax.enable_x64(dtype == "float64"):
            yield

    def _array(self, x: Any) -> Any:
        return self.jax.numpy.asarray(x)

    def dtype(self, x: Any) -> str:
        return str(x.dtype.name)

    def pulled(self, function: Function, at: Any, upstream: Any = None) -> tuple[Any, Any]:
        value, pull = self.jax.vjp(function, at)
        numpy = self.jax.numpy
        upstream = numpy.ones_like(value) if upstream is None else upstream.astype(value.dtype)
        return value, pull(upstream)[0]

    def second(self, function: Function, at: Any, along: Any) -> Any:
        slope = self.jax.grad(lambda p: function(p).sum())
        return self.jax.grad(lambda p: (slope(p) * along).sum())(at)

    def compiled(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        return self.jax.jit(lambda at, *others: self.pulled(lambda p: function(p, *others), at))(at, *others)

    traced = compiled


@functools.cache
def framework(name: str) -> Framework:
    return {"numpy": NumPy, "torch": Torch, "tensorflow": TensorFlow, "jax": JAX}[name]()
