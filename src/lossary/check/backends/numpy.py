"""NumPy: no derivatives but those that a loss brings, and no compiler."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any, final

from lossary.check.backends.backend import Backend, Function, listed


@final
class NumPy(Backend):
    title = "NumPy"
    imports = "import numpy as np"
    differentiates = compiles = False

    def _seed(self, seed: int) -> None:
        """NumPy's is set already, as Python's is."""

    def _array(self, x: Any) -> Any:
        return x

    def dtype(self, x: Any) -> str:
        return str(x.dtype.name)

    def pulled(self, function: Function, at: Any, upstream: Any = None) -> tuple[Any, Any]:
        raise NotImplementedError("NumPy does not differentiate")

    def second(self, function: Function, at: Any, along: Any) -> Any:
        raise NotImplementedError("NumPy does not differentiate")

    def pushed(self, function: Function, at: Any, along: Any) -> Any:
        raise NotImplementedError("NumPy does not differentiate")

    def compiled(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        raise NotImplementedError("NumPy does not compile")

    def traced(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        raise NotImplementedError("NumPy does not trace")

    def largest(self, function: Function, at: Any, *others: Any) -> int:
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            function(at, *others)
            return int((tracemalloc.get_traced_memory()[1] - before) / at.itemsize)
        finally:
            tracemalloc.stop()

    def literal(self, x: Any) -> str:
        if x.dtype.name == "bfloat16":
            return f'np.array({listed(x)}, "bfloat16")'
        kind = {"float64": "", "int64": "", "bool": ""}.get(x.dtype.name, f", np.{x.dtype.name}")
        return f"np.array({listed(x)}{kind})"

    def gradient_code(self, prediction: str, call: Callable[[str], str]) -> tuple[str, str]:
        raise NotImplementedError("NumPy does not differentiate")
