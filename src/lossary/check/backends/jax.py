"""JAX."""

from __future__ import annotations

import contextlib
import functools
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

    def _seed(self, seed: int) -> None:
        """Keys are passed, and no seed is set."""

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

    def pushed(self, function: Function, at: Any, along: Any) -> Any:
        return self.jax.jvp(function, (at,), (along,))[1]

    def compiled(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        quick = self.jax.jit(lambda at, *others: self.pulled(lambda p: function(p, *others), at))
        value, gradient = quick(at, *others)
        return value, gradient

    traced = compiled

    def mapped(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        def total(at: Any, *others: Any) -> tuple[Any, Any]:
            value = function(at, *others)
            return value.sum(), value

        def both(at: Any, *others: Any) -> tuple[Any, Any]:
            slope, value = self.jax.grad(total, has_aux=True)(at, *others)
            return value, slope

        value, slope = self.jax.jit(self.jax.vmap(both))(at, *others)
        return value, slope

    def tracing(self, function: Function) -> tuple[Function, Callable[[], int]]:
        return function, _compilations()

    def largest(self, function: Function, at: Any, *others: Any) -> int:
        graph = self.jax.make_jaxpr(lambda at, *others: self.pulled(lambda p: function(p, *others), at))(at, *others)
        return max(_sizes(graph.jaxpr), default=0)

    def finished(self, x: Any) -> Any:
        return self.jax.block_until_ready(x)  # type: ignore[no-untyped-call]  # JAX has no types for it

    def literal(self, x: Any) -> str:
        kind = {"float32": "", "bool": "", "int32": ""}.get(x.dtype.name, f", jnp.{x.dtype.name}")
        if x.dtype.name == "int64":  # JAX' own integers
            kind = ""
        return f"jnp.array({listed(x)}{kind})"

    def gradient_code(self, prediction: str, call: Callable[[str], str]) -> tuple[str, str]:
        return f"x = {prediction}", f"jax.grad(lambda x: {call('x')}.sum())(x)"

    def setup_code(self, dtype: str) -> str:
        return 'jax.config.update("jax_enable_x64", True)' if dtype == "float64" else ""


def _sizes(graph: Any) -> Iterator[int]:
    """The sizes of all arrays that a traced function makes, in the functions it calls, too."""
    for equation in graph.eqns:
        yield from (made.aval.size for made in equation.outvars if hasattr(made.aval, "size"))
        for inner in equation.params.values():
            if hasattr(inner, "jaxpr"):  # a closed one
                yield from _sizes(inner.jaxpr)
            elif hasattr(inner, "eqns"):
                yield from _sizes(inner)


@functools.cache
def _compilations() -> Callable[[], int]:
    """How many programs JAX has compiled since this was first called."""
    import jax

    seen: list[str] = []

    def listen(event: str, duration_secs: float, **details: Any) -> None:
        if event.endswith("backend_compile_duration"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    return lambda: len(seen)
