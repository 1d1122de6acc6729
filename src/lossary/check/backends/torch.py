"""PyTorch."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
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

    def _seed(self, seed: int) -> None:
        self.torch.manual_seed(seed)

    def _array(self, x: Any) -> Any:
        if x.dtype.name == "bfloat16":
            return self.torch.tensor(x.astype(np.float32)).bfloat16()
        return self.torch.tensor(x)

    def _numpy(self, x: Any) -> Any:
        x = x.detach()
        return (x.double() if x.is_floating_point() else x).numpy(force=True)  # zeros may be symbolic

    def dtype(self, x: Any) -> str:
        return str(x.dtype).removeprefix("torch.")

    def fitted(self, loss: Any, prediction: Any) -> Any:
        """As `module.double()` does, where class weights and the like are float32 and the prediction is not."""
        if not isinstance(loss, self.torch.nn.Module) or not isinstance(prediction, self.torch.Tensor):
            return loss
        kept = [x for x in (*loss.buffers(), *loss.parameters()) if x.dtype == self.torch.float32]
        if not kept or prediction.dtype == self.torch.float32 or not prediction.is_floating_point():
            return loss
        return copy.deepcopy(loss).to(prediction.dtype)

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

    def pushed(self, function: Function, at: Any, along: Any) -> Any:
        forward = self.torch.autograd.forward_ad
        with forward.dual_level():
            value, tangent = forward.unpack_dual(function(forward.make_dual(at.detach(), along)))
            return self.torch.zeros_like(value) if tangent is None else tangent

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

    def mapped(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        def total(at: Any, *others: Any) -> tuple[Any, Any]:
            value = function(at, *others)
            return value.sum(), value

        def both(at: Any, *others: Any) -> tuple[Any, Any]:
            slope, value = self.torch.func.grad(total, has_aux=True)(at, *others)
            return value, slope

        return self.torch.func.vmap(both)(at, *others)

    @contextlib.contextmanager
    def one_thread(self) -> Iterator[None]:
        threads = self.torch.get_num_threads()
        self.torch.set_num_threads(1)
        try:
            yield
        finally:
            self.torch.set_num_threads(threads)

    def tracing(self, function: Function) -> tuple[Function, Callable[[], int]]:
        seen: list[Any] = []

        def keep(graph: Any, _inputs: Any) -> Any:
            seen.append(graph)
            return graph.forward

        self.torch._dynamo.reset()
        return self.torch.compile(function, backend=keep), lambda: len(seen)

    def largest(self, function: Function, at: Any, *others: Any) -> int:
        from torch.utils._python_dispatch import TorchDispatchMode
        from torch.utils._pytree import tree_leaves

        tensor, sizes = self.torch.Tensor, [0]

        class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch has no types for it
            def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                made = operation(*args, **(kwargs or {}))
                # The storage, not the tensor: a view that is expanded takes no room.
                sizes.extend(
                    x.untyped_storage().nbytes() // x.element_size() for x in tree_leaves(made) if isinstance(x, tensor)
                )
                return made

        with Watch():  # type: ignore[no-untyped-call]  # as above
            self.pulled(lambda p: function(p, *others), at)
        return max(sizes)

    def literal(self, x: Any) -> str:
        usual = {"float32": "", "int64": "", "bool": ""}
        kind = usual.get(x.dtype.name, f", dtype=torch.{x.dtype.name}")
        return f"torch.tensor({listed(x)}{kind})"

    def gradient_code(self, prediction: str, call: Callable[[str], str]) -> tuple[str, str]:
        return f"x = {prediction}.requires_grad_(); {call('x')}.sum().backward()", "x.grad"
