"""Kernels under PyTorch, in eager mode on the CPU: where anything else is going on, the operations runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor
from torch.autograd import forward_ad

from lossary import kernels
from lossary.kernels.layout import Layout, layout, repeated
from lossary.kernels.memory import in_large_pages
from lossary.kernels.program import Output, Variant
from lossary.ops.call import Call
from lossary.ops.dtypes import VALIDATE, spacing_of
from lossary.ops.labels import undecided
from lossary.ops.missing import by_kind, with_target
from lossary.ops.reduce import Total
from lossary.ops.torch import ops

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.kernels.kernel import Kernel

_COMPUTED_IN = {
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
    torch.float32: torch.float32,
    torch.float64: torch.float64,
}
_NAMES = {dtype: str(dtype).removeprefix("torch.") for dtype in _COMPUTED_IN}
_INDICES = frozenset((torch.bool, torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64))
_NUMBERS = _INDICES | set(_COMPUTED_IN)
_PLAIN = frozenset((Tensor, torch.nn.Parameter))
_VALUES: tuple[Output, ...] = ("values",)
_TOTAL: tuple[Output, ...] = ("total",)
_GRADIENT: tuple[Output, ...] = ("gradient",)
_BOTH: tuple[Output, ...] = ("total", "gradient")
_SMALL = 1 << 14  # entries that one thread is enough for, whatever the loss


def fused(loss: Loss, call: Call, reduction: str, derivatives: tuple[Output, ...] = ()) -> Any:
    """The loss by a kernel: a tensor, or a `Total` for reduction="total"; None where a kernel must not run, or where
    PyTorch itself is to differentiate."""
    (prediction, target), weight, where, validate, original_dtype, missing = call
    if derivatives or _watched() or not _plain(prediction):
        return None
    prediction_dtype, indices = prediction.dtype, loss.target.indices
    dtype = _COMPUTED_IN.get(prediction_dtype)
    target = _beside(target, prediction, _INDICES if indices else _NUMBERS)
    shapes = layout(loss, prediction.shape, target.shape) if target is not None else None
    if dtype is None or target is None or shapes is None:
        return None
    spacing = _spacing(original_dtype, prediction_dtype, target.dtype) if validate and VALIDATE else None
    differentiable = torch.is_grad_enabled()
    differentiated = differentiable and prediction.requires_grad
    outputs = _VALUES if reduction == "none" else _BOTH if differentiated else _TOTAL
    ignored, skipped = by_kind(loss, missing)
    masked = where is not None or skipped is not None
    variant = Variant(_NAMES[dtype], outputs, spacing, weight is not None, masked, ignored is not None)
    kernel = kernels.compiled(loss, variant)
    if kernel is None:
        return None
    arrays: dict[str, Any] = {
        "prediction": _converted(prediction, dtype),
        "target": _converted(target, torch.int64 if indices else dtype),
    }
    if variant.weighted or variant.masked:
        counting = _counting(prediction, shapes.losses, dtype, weight, where)
        if counting is None:
            return None
        arrays |= counting
    if skipped is not None:
        arrays["where"] = with_target(ops, loss, target, skipped, arrays.get("where"))
    if kernel.may_be_labels and undecided(ops, loss, prediction, arrays.get("weight"), arrays.get("where")):
        return None
    beside = arrays["target"].requires_grad or (variant.weighted and arrays["weight"].requires_grad)
    if differentiable and beside:
        return None
    work = _Work(loss, kernel, variant, shapes, reduction, ignored)
    if differentiated:
        work.call = Call((), None, None, validate, original_dtype, ignored)  # arrays may be freed
        result = _Fused.apply(arrays["prediction"], work, arrays)  # type: ignore[no-untyped-call]  # torch has no types
    else:
        result = work.forward(arrays, None)
    if work.illegal:
        return None
    if reduction == "total":
        return Total(result, torch.scalar_tensor(work.weight, dtype=torch.float64), _NAMES[dtype])
    return result.to(prediction_dtype) if reduction == "none" else result


@final
class _Work:
    """How a call is computed, whatever memory its arrays are in: they are autograd's to keep and to let go."""

    def __init__(
        self, loss: Loss, kernel: Kernel, variant: Variant, shapes: Layout, reduction: str, ignored: int | None
    ) -> None:
        self._loss, self._kernel, self._variant = loss, kernel, variant
        self.shapes, self.reduction = shapes, reduction
        self._constants = {} if ignored is None else {"ignored": ignored}
        self._threads = 1 if shapes.rows * shapes.length < _SMALL else torch.get_num_threads()
        self._divisor = 1.0
        self.weight = 1.0
        self.illegal = 0.0  # how many values the operations will complain about, or must average
        self.call: Call  # what the operations would be asked; set where somebody may differentiate

    def forward(self, arrays: dict[str, Tensor], gradient: Tensor | None) -> Tensor:
        """The loss, and its gradient into `gradient` unless losses are not reduced."""
        kernel, shapes, dtype = self._kernel, self.shapes, arrays["prediction"].dtype
        addresses = {name: array.data_ptr() for name, array in arrays.items()} | self._constants
        if self.reduction == "none":
            values = _fresh(shapes.losses, dtype)
            addresses["values"] = values.data_ptr()
            self.illegal = kernel(addresses, shapes.rows, shapes.length, 1.0, self._threads)[2]
            return values
        if gradient is not None:
            addresses["gradient"] = gradient.data_ptr()
        if self.reduction != "sum":
            self.weight = kernel.weight(addresses, shapes.rows, shapes.length, self._threads)
            if self.reduction == "mean":
                self._divisor = self.weight or 1.0
        total, _, self.illegal = kernel(addresses, shapes.rows, shapes.length, 1.0 / self._divisor, self._threads)
        if self.reduction == "mean":
            self.illegal = self.illegal or not kernel.averages(total, self.weight)
        return torch.scalar_tensor(total / self._divisor, dtype=torch.float64 if self.reduction == "total" else dtype)

    def backward(self, arrays: dict[str, Tensor], upstream: Tensor | None = None) -> Tensor | None:
        """The gradient: as the losses are reduced, or with an upstream derivative for each loss; None without a
        kernel."""
        kernel = kernels.compiled(self._loss, self._variant._replace(outputs=_GRADIENT, pulled=upstream is not None))
        if kernel is None:
            return None
        gradient = _fresh(arrays["prediction"].shape, arrays["prediction"].dtype)
        written = {"gradient": gradient} if upstream is None else {"gradient": gradient, "upstream": upstream}
        addresses = {name: array.data_ptr() for name, array in (arrays | written).items()} | self._constants
        kernel(addresses, self.shapes.rows, self.shapes.length, 1.0 / self._divisor, self._threads)
        return gradient

    def differentiable(self, arrays: dict[str, Tensor], upstream: Tensor) -> Tensor:
        """The gradient as an expression of PyTorch's, which can be differentiated again, or batched."""
        again, loss = torch.is_grad_enabled(), self._loss
        inputs = (arrays["prediction"], arrays["target"])
        call = self.call._replace(inputs=inputs, weight=arrays.get("weight"), where=arrays.get("where"))
        with torch.enable_grad():
            value = (
                loss.compute_total(call, fused=False).exact_sum
                if self.reduction == "total"
                else loss.compute(call, reduction=self.reduction, fused=False)  # type: ignore[arg-type]  # checked
            )
        return torch.autograd.grad(value, arrays["prediction"], upstream, create_graph=again)[0]


@final
class _Fused(torch.autograd.Function):
    """Value and gradient in one pass; the gradient waits for the backward pass, which takes it away."""

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, work: _Work, arrays: dict[str, Tensor]) -> Tensor:
        gradient = None if work.reduction == "none" else _fresh(prediction.shape, prediction.dtype)
        value = work.forward(arrays, gradient)
        ctx.save_for_backward(*arrays.values())
        ctx.work, ctx.names, ctx.gradient = work, tuple(arrays), gradient
        return value

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        work = ctx.work
        arrays = dict(zip(ctx.names, ctx.saved_tensors, strict=True))  # raises where one was changed since
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or _watched() or not _plain(upstream):
            return work.differentiable(arrays, upstream), None, None
        if work.reduction == "none":
            gradient, factor = work.backward(arrays, upstream.contiguous()), 1.0
        else:
            gradient, ctx.gradient = ctx.gradient, None
            gradient = work.backward(arrays) if gradient is None else gradient
            factor = upstream.item()
        if gradient is None:
            return work.differentiable(arrays, upstream), None, None
        return gradient if factor == 1.0 else gradient.mul_(factor), None, None


def _watched() -> bool:
    """Whether anybody but a compiler looks at the operations: a trace, a transform, forward-mode derivatives."""
    return (
        torch._C._len_torch_dispatch_stack() > 0
        or torch._C._len_torch_function_stack() > 0
        or torch._ops._len_torch_dispatch_stack_pre_dispatch() > 0  # type: ignore[no-untyped-call]  # torch has no types for it
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._get_tracing_state() is not None
        or forward_ad._current_level >= 0
    )


def _plain(x: Any) -> bool:
    """Whether a tensor is nothing but numbers in the memory of the CPU."""
    return (
        type(x) in _PLAIN
        and x.is_cpu
        and x.layout is torch.strided
        and not x.is_neg()
        and not x.is_conj()
        and torch._C._has_storage(x)
    )


@functools.cache
def _spacing(original_dtype: str | None, prediction: torch.dtype, target: torch.dtype) -> float:
    return spacing_of(original_dtype or _NAMES[prediction], _NAMES.get(target))


def _beside(x: Any, prediction: Tensor, dtypes: frozenset[torch.dtype]) -> Tensor | None:
    """A plain tensor, of what may stand beside a prediction; None for what the operations must look at."""
    if not _plain(x):
        if isinstance(x, Tensor):
            return None
        try:
            x = ops.convert(x, prediction)
        except (TypeError, ValueError, RuntimeError):
            return None
    return x if x.dtype in dtypes else None


def _fresh(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Memory for a result."""
    memory = torch.empty(shape, dtype=dtype)
    in_large_pages(memory.data_ptr(), memory.nbytes)
    return memory


def _converted(x: Tensor, dtype: torch.dtype) -> Tensor:
    return (x if x.dtype == dtype else x.to(dtype)).contiguous()


def _counting(
    prediction: Tensor, losses: tuple[int, ...], dtype: torch.dtype, weight: Any, where: Any
) -> dict[str, Tensor] | None:
    """The weight and the mask that are given, once for each loss; None where the operations must look at them."""
    counting = {}
    for name, array, array_dtype in (("weight", weight, dtype), ("where", where, torch.bool)):
        if array is not None:
            whole = _over(array, prediction, losses, array_dtype)
            if whole is None:
                return None
            counting[name] = whole
    return counting


def _over(array: Any, prediction: Tensor, losses: tuple[int, ...], dtype: torch.dtype) -> Tensor | None:
    """A weight or mask, once for each loss; None where the operations must look at it."""
    array = _beside(array, prediction, frozenset((torch.bool,)) if dtype == torch.bool else _NUMBERS)
    shape = None if array is None else repeated(tuple(array.shape), losses)
    return None if array is None or shape is None else _converted(array.reshape(shape).expand(losses), dtype)
