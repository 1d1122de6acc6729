"""JAX."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, final

from lossary.check.backends.backend import Backend, Function, listed


@final
class JAX(Backend):
    title = "JAX"
    imports = "import jax, jax.numpy as jnp"

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
        quick = self.jax.jit(lambda at, *others: self.pulled(lambda p: function(p, *others), at))
        value, gradient = quick(at, *others)
        return value, gradient

    traced = compiled

    def literal(self, x: Any) -> str:
        kind = {"float32": "", "bool": "", "int32": ""}.get(x.dtype.name, f", jnp.{x.dtype.name}")
        if x.dtype.name == "int64":  # JAX' own integers
            kind = ""
        return f"jnp.array({listed(x)}{kind})"

    def gradient_code(self, prediction: str, call: Callable[[str], str]) -> tuple[str, str]:
        return f"x = {prediction}", f"jax.grad(lambda x: {call('x')}.sum())(x)"

    def setup_code(self, dtype: str) -> str:
        return 'jax.config.update("jax_enable_x64", True)' if dtype == "float64" else ""
