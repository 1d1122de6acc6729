"""PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, final

import numpy as np

from lossary.check.backends.backend import Backend, Function, listed


@final
class Torch(Backend):
    title = "PyTorch"
    imports = "import torch"

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

    def literal(self, x: Any) -> str:
        usual = {"float32": "", "int64": "", "bool": ""}
        kind = usual.get(x.dtype.name, f", dtype=torch.{x.dtype.name}")
        return f"torch.tensor({listed(x)}{kind})"

    def gradient_code(self, prediction: str, call: Callable[[str], str]) -> tuple[str, str]:
        return f"x = {prediction}.requires_grad_(); {call('x')}.sum().backward()", "x.grad"
