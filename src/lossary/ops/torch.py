"""The operations on PyTorch tensors."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from lossary.ops import dispatch
from lossary.ops.arrays import Described, Differentiable, Framework, Look, flat_shape, of_one
from lossary.ops.numpy import stable_argsort
from lossary.ops.ops import Array

if TYPE_CHECKING:
    from lossary.ops.reduce import Exact


_NEAR = 1000.0  # how far levels may be apart for their exponentials, from the middle, to be numbers in float64


@final
class PyTorch(Framework):
    name = "PyTorch"

    # ── operations ────────────────────────────────────────────────────────────────────────────────────────────────────

    def abs(self, x: Array) -> Array:
        return torch.abs(x)

    def erf(self, x: Array) -> Array:
        # Inductor's is off by 1e-7, which is everything near 0.
        return self._erf_from_exp(x) if torch.compiler.is_compiling() else torch.erf(x)

    def exp(self, x: Array) -> Array:
        return torch.exp(x)

    def expm1(self, x: Array) -> Array:
        if not torch.compiler.is_compiling():
            return torch.expm1(x)
        # Inductor makes exp(x) − 1 of it, which is 0 near 0.
        near = torch.clamp(x, -1.0, 1.0)
        return torch.where(x.abs() < 1.0, 2.0 * torch.exp(0.5 * near) * torch.sinh(0.5 * near), torch.exp(x) - 1.0)

    def log(self, x: Array) -> Array:
        return torch.log(x)

    def log1p(self, x: Array) -> Array:
        return torch.log1p(x)

    def sqrt(self, x: Array) -> Array:
        return torch.sqrt(x)

    def _power(self, x: Array, exponent: float) -> Array:
        return torch.pow(x, exponent)

    def remainder(self, x: Array, divisor: float) -> Array:
        if divisor < 1.0:  # PyTorch gives NaN where the quotient overflows: in two steps, the first by a multiple
            x = torch.fmod(x, divisor * 2.0**60)
        return self._nearest(torch.fmod(x, divisor), divisor)

    def tanh(self, x: Array) -> Array:
        return self._tanh_with_derivatives(x, torch.tanh)

    def maximum(self, x: Array, y: Array) -> Array:
        return torch.maximum(*self._both(x, y))

    def minimum(self, x: Array, y: Array) -> Array:
        return torch.minimum(*self._both(x, y))

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        return torch.where(condition, x, y)

    def equal(self, x: Array, y: Array) -> Array:
        return x == y

    def isnan(self, x: Array) -> Array:
        return torch.isnan(x)

    def isfinite(self, x: Array) -> Array:
        return torch.isfinite(x)

    def logical_and(self, x: Array, y: Array) -> Array:
        return torch.logical_and(x, y)

    def logical_or(self, x: Array, y: Array) -> Array:
        return torch.logical_or(x, y)

    def logical_not(self, x: Array) -> Array:
        return torch.logical_not(x)

    def sum(self, x: Array) -> Array:
        return torch.sum(x, dim=-1)

    def max(self, x: Array) -> Array:
        return torch.amax(x, dim=-1)  # `torch.max` would give one of several all of the derivative

    def _largest(self, x: Array, index: Array) -> Array:
        if torch.compiler.is_compiling() and not torch.is_grad_enabled():  # as within a rule: nothing differentiates it
            return torch.amax(x, dim=-1)
        return self.take(x, index)

    def argmax(self, x: Array) -> Array:
        return torch.argmax(x, dim=-1)

    def take(self, x: Array, index: Array) -> Array:
        if _mesh(x) is not None:  # each device may have some of the classes, and nobody looks them up
            return self.sum(self.where(self.is_class(index, x), x, 0.0))
        return torch.gather(x, -1, index.long().unsqueeze(-1)).squeeze(-1)

    def is_class(self, index: Array, like: Array) -> Array:
        return index.long().unsqueeze(-1) == self.positions(like)

    def is_below(self, index: Array, like: Array) -> Array:
        return self.positions(like) < index.long().unsqueeze(-1)

    def positions(self, like: Array) -> Array:
        return _replicated(torch.arange(like.shape[-1], device=like.device), like)

    def argsort(self, x: Array) -> Array:
        if x.dtype == torch.float32 and self._at_hand(x):
            return torch.from_numpy(stable_argsort(x.detach().resolve_neg().numpy()))
        return torch.argsort(x, dim=-1, stable=True)

    def inverse_permutation(self, order: Array) -> Array:
        if _mesh(order) is not None:  # each device has some of the places
            return self.argsort(order)
        return torch.scatter(order, -1, order, self.positions(order).expand_as(order))

    def gather(self, x: Array, index: Array) -> Array:
        return torch.gather(x, -1, index.long())

    def shift(self, x: Array, steps: int, fill: float) -> Array:
        size = x.shape[-1]
        count = min(abs(steps), size)
        filled = x.new_full((*x.shape[:-1], count), fill)
        if steps < 0:
            return torch.cat([x[..., count:], filled], dim=-1)
        return torch.cat([filled, x[..., : size - count]], dim=-1)

    def cumulative_sum(self, x: Array) -> Array:
        return self._widened(x).cumsum(-1).to(x.dtype)

    def cumulative_max(self, x: Array) -> Array:
        return torch.cummax(x.detach(), dim=-1).values

    def run_sum(self, x: Array, starts: Array) -> Array:
        later = starts[..., 1:]
        starts = torch.cat([torch.ones_like(starts[..., :1]), later], dim=-1)
        runs, flat = starts.reshape(-1).cumsum(0) - 1, self._widened(x).reshape(-1)
        return torch.zeros_like(flat).scatter_add(0, runs, flat)[runs].reshape(x.shape).to(x.dtype)

    def _widened(self, x: Array) -> Array:
        """In the dtype that sums are taken in."""
        return x.double() if self.has_float64(x) else x

    def discounted_sum(self, x: Array, level: Array, *, backwards: bool = False) -> Array:
        if torch.compiler.is_compiling():  # which would look at each step, and compile anew for each number of them
            total: Tensor = _discounted_sum(x, level.detach(), backwards)
            return total
        if x.dtype == torch.float32 and x.numel() and self._at_hand(x, level):
            height = level.detach().double()
            low, high = height.aminmax()
            if high - low <= _NEAR:
                return self._discounted_from_the_middle(x, height - 0.5 * (low + high), backwards).float()
        return super().discounted_sum(x, level, backwards=backwards)

    def _discounted_from_the_middle(self, x: Tensor, height: Tensor, backwards: bool) -> Tensor:
        """The sum in float64, of levels so near to 0 that their exponentials are numbers there. The last factor of each
        partial sum is its largest, so that nothing is lost beside it."""
        rising = height[..., -1:] >= height[..., :1]
        height = torch.where(rising, height, -height)
        if not backwards:
            return (x * height.exp()).cumsum(-1) * (-height).exp()
        return (x * (-height).exp()).flip(-1).cumsum(-1).flip(-1) * height.exp()

    def _at_hand(self, *arrays: Tensor) -> bool:
        """Whether numbers can be looked at while a loss is computed: within a transform of torch.func, whatever is made
        of a plain tensor is none."""
        return self.readable(*arrays) and torch._C._functorch.peek_interpreter_stack() is None

    def row(self, x: Array) -> Array:
        return x.unsqueeze(-1)

    def flatten(self, x: Array, axes: int, rest: int = 0) -> Array:
        return x.reshape(flat_shape(x.shape, axes, rest))

    def reshape_like(self, x: Array, like: Array) -> Array:
        return x.reshape(like.shape)

    def stack(self, *columns: Array) -> Array:
        like = next(x for x in columns if isinstance(x, Tensor))
        whole = [x if isinstance(x, Tensor) else torch.full_like(like, x) for x in columns]
        return torch.stack(torch.broadcast_tensors(*whole), dim=-1)  # type: ignore[no-untyped-call]  # torch has no types for it

    def matmul(self, x: Array, y: Array) -> Array:
        return torch.matmul(x, y)

    def transpose(self, x: Array) -> Array:
        return x.transpose(-1, -2)

    def classes(self, x: Array) -> Array:
        count = x.shape[-1]
        # Where a compiler has left it open it is no int.
        return count if isinstance(count, int) else torch.full((), count, dtype=x.dtype, device=x.device)

    def table(self, entries: Array, like: Array) -> Array:
        return _replicated(torch.as_tensor(entries, dtype=like.dtype, device=like.device), like)

    def lookup(self, table: Array, index: Array) -> Array:
        if _mesh(table) is not None:
            return self.take(table, index)
        return torch.index_select(table, 0, index.long().reshape(-1)).reshape(index.shape)

    def softmax_and_complement(self, logits: Array) -> tuple[Array, Array]:
        if torch.compiler.is_compiling():  # what is compiled is differentiated once
            return self._softmax_and_complement(logits)
        share, complement = _Softmax.apply(logits)  # type: ignore[no-untyped-call]  # torch has no types for it
        return share, complement

    def _both(self, x: Array, y: Array) -> tuple[Tensor, Tensor]:
        """A plain number as a tensor beside the other: `clamp` would not halve the derivative at a tie."""
        if not isinstance(y, Tensor):
            return x, torch.full((), y, dtype=x.dtype, device=x.device)
        if not isinstance(x, Tensor):
            return torch.full((), x, dtype=y.dtype, device=y.device), y
        return x, y

    # ── plumbing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def shape(self, x: Array) -> tuple[int | None, ...] | None:
        return tuple(x.shape)

    def dtype(self, x: Array) -> str:
        return str(x.dtype).removeprefix("torch.")

    def readable(self, *arrays: Array) -> bool:
        return not _in_trace() and all(
            type(x) in (Tensor, torch.nn.Parameter)
            and x.device.type == "cpu"
            and not torch._C._functorch.is_functorch_wrapped_tensor(x)
            for x in arrays
        )

    def to_numpy(self, x: Array) -> Any:
        x = x.detach()
        if x.dtype == torch.bfloat16:  # which NumPy does not have; float32 holds all of it
            x = x.float()
        return x.cpu().resolve_conj().resolve_neg().numpy().copy()

    def convert(self, x: Any, like: Array | None = None) -> Array:
        if isinstance(x, Tensor):
            return x
        if isinstance(x, (bool, int)):  # without a detour over NumPy, which torch.compile cannot trace
            number = torch.full((), x, device=None if like is None else like.device)
            return number if like is None else _replicated(number, like)
        if torch.compiler.is_compiling():
            return self._convert_in_trace(x, like)
        array = np.asarray(x)
        if array.dtype.kind in "OUS":
            raise TypeError(f"PyTorch makes no tensor of {array.dtype}")
        if array.dtype.name == "bfloat16":
            tensor = torch.from_numpy(np.array(array.view(np.int16), order="C")).view(torch.bfloat16)
        else:
            # Always a copy in C order: PyTorch takes no negative strides and warns about read-only memory.
            tensor = torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), order="C"))
        if tensor.dtype in (torch.uint16, torch.uint32, torch.uint64):
            tensor = tensor.long()  # PyTorch compares no wide unsigned integers
        if isinstance(x, (float, list, tuple)) and tensor.dtype == torch.float64:
            # Python's floats have no dtype of their own.
            dtype = like.dtype if like is not None and like.is_floating_point() else torch.get_default_dtype()
            tensor = tensor.to(dtype)
        return tensor if like is None else _replicated(tensor.to(like.device), like)

    def _convert_in_trace(self, x: Any, like: Array | None) -> Array:
        """As `convert`, where Dynamo knows of NumPy's arrays only what PyTorch makes of them."""
        tensor = torch.as_tensor(x)
        if isinstance(x, (float, list, tuple)) and tensor.is_floating_point() and like is not None:
            tensor = torch.as_tensor(x, dtype=like.dtype)
        return tensor if like is None else tensor.to(like.device)

    def described(self, x: Any, like: Array | None = None) -> Described:
        tensor = x if isinstance(x, Tensor) else self.convert(x, like)
        device = tensor.device if _mesh(tensor) is None else f"{tensor.device}, as a DTensor"
        return Described(tensor, self.dtype(tensor), self.shape(tensor), device)

    def cast(self, x: Array, dtype: str) -> Array:
        return x.to(getattr(torch, dtype))

    def expand(self, x: Array, like: Array) -> Array:
        return x.reshape(tuple(x.shape) + (1,) * (like.dim() - x.dim())).expand(like.shape)

    def flat(self, x: Array, axes: int) -> Array:
        return x.reshape(-1, *x.shape[x.dim() - axes :])

    def stop_gradient(self, x: Array) -> Array:
        return x.detach()

    def all(self, x: Array) -> Array:
        return torch.all(x)

    def watch(self, look: Look) -> bool:
        if _in_trace() or any(x.is_meta for x in look.arrays):
            return False
        if any(map(torch._C._functorch.is_functorch_wrapped_tensor, look.arrays)):
            with torch._C._DisableFuncTorch():  # which would wrap again whatever is made of them
                self._judge(dataclasses.replace(look, fine=[False], arrays=_unwrapped(look.arrays)))
        elif all(type(x) in (Tensor, torch.nn.Parameter) for x in look.arrays):
            self._judge(look)
        else:
            return False
        return True

    @contextlib.contextmanager
    def observable(self) -> Iterator[None]:
        with torch.compiler.set_stance("force_eager"):
            yield

    def has_float64(self, x: Array) -> bool:
        return bool(x.device.type != "mps")

    def accumulate(self, x: Array) -> Exact:
        if self.has_float64(x):
            return torch.sum(x, dtype=torch.float64)
        plain = torch.sum(x)
        if torch.compiler.is_compiling():  # which takes seconds for the two parts
            return plain, torch.zeros_like(plain)
        whole, rest = self.sum_with_rest(x.reshape(-1))
        finite = torch.isfinite(plain)
        return torch.where(finite, whole, plain), torch.where(finite, rest, 0.0)

    def count(self, x: Array) -> Exact:
        if self.has_float64(x):
            # Not by way of a Python number: a size that is dynamic under torch.export would become a constant.
            number = torch.full((), x.numel(), dtype=torch.float64, device=x.device)
            return number if _mesh(x) is None else _replicated(number, x)
        whole = self.convert(x.numel(), like=x).float()
        return whole, self.convert(x.numel() - int(np.float32(x.numel())), like=x).float()

    def largest(self, x: Array) -> Array:
        return torch.cat([x.reshape(-1), x.new_zeros(1)]).amax()

    def differentiable(self, x: Array) -> bool:
        if torch.compiler.is_compiling():
            return bool(x.requires_grad)
        return bool(
            x.requires_grad
            or torch._C._functorch.is_functorch_wrapped_tensor(x)
            or forward_ad._current_level >= 0  # a dual number does not say so
        )

    def is_constant(self, x: Array) -> bool:
        return not (torch.compiler.is_compiling() or x.is_meta or self.differentiable(x))

    def slope(self, function: Callable[[Array], Array], at: Array) -> Array:
        return torch.func.grad(lambda x: function(x).sum())(at)

    def evaluate(self, formula: Differentiable, *arrays: Array) -> Array:
        # torch.jit.trace looks into a Function and keeps its operations alone.
        if not formula.has_gradient or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]  # as above
            return formula.value(self, *arrays)
        if not torch.compiler.is_compiling():
            return _Eager.apply(formula, *arrays)  # type: ignore[no-untyped-call]  # torch has no types for it
        if not (torch.is_grad_enabled() and any(x.requires_grad for x in arrays)):
            return formula.value(self, *arrays)  # Dynamo would look into `forward`, and hand it a context too many
        return _Compiled.apply(formula, *arrays)  # type: ignore[no-untyped-call]  # as above

    @property
    def compiling(self) -> bool:  # type: ignore[override]  # just now
        return torch.compiler.is_compiling()


def _in_trace() -> bool:
    return bool(
        torch.compiler.is_compiling() or torch.jit.is_tracing() or torch._C._len_torch_dispatch_stack() > 0  # type: ignore[attr-defined, no-untyped-call]  # torch has no types for some
    )


def _unwrapped(arrays: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tensors below all transforms of `torch.func`; what `vmap` has taken apart is whole again, its axes first."""
    inside = torch._C._functorch
    whole, axes = list(arrays), [dict[int, int]() for _ in arrays]  # by level, where it has put its axis
    while (level := max(map(inside.maybe_get_level, whole))) > 0:
        for place, x in enumerate(whole):
            if inside.maybe_get_level(x) == level:
                axis, whole[place] = inside.maybe_get_bdim(x), inside.get_unwrapped(x)
                if axis >= 0:  # those that are known already do not count it
                    axes[place] = {other: at + (at >= axis) for other, at in axes[place].items()} | {level: axis}
    sizes = {level: x.shape[at] for x, own_axes in zip(whole, axes, strict=True) for level, at in own_axes.items()}
    return tuple(_with_axes(x, own_axes, sizes) for x, own_axes in zip(whole, axes, strict=True))


def _with_axes(x: Tensor, axes: dict[int, int], sizes: dict[int, int]) -> Tensor:
    """The tensor with an axis for each level before its own, repeated along those that it does not have."""
    x = x.movedim([axes[level] for level in sorted(axes)], list(range(len(axes))))
    for place, level in enumerate(sorted(sizes)):
        x = x if level in axes else x.unsqueeze(place)
    return x.expand(*(sizes[level] for level in sorted(sizes)), *x.shape[len(sizes) :])


def _mesh(x: Tensor) -> Any:
    """The devices that a DTensor is spread over; None for other tensors."""
    return None if type(x) is Tensor else getattr(x, "device_mesh", None)


def _replicated(x: Tensor, like: Tensor) -> Tensor:
    """A tensor that every process has, as a DTensor beside a DTensor: PyTorch mixes them with no other tensors."""
    mesh = _mesh(like)
    if mesh is None or _mesh(x) is not None:
        return x
    from torch.distributed.tensor import DTensor, Replicate

    return DTensor.from_local(x, mesh, [Replicate()] * mesh.ndim, run_check=False)


ops = PyTorch()


@torch.library.custom_op("lossary::discounted_sum", mutates_args=())
def _discounted_sum(x: Tensor, level: Tensor, backwards: bool) -> Tensor:
    """`discounted_sum` as one operation of a compiled graph."""
    total: Tensor = Framework.discounted_sum(ops, x, level, backwards=backwards)
    return total.clone()  # a single entry is its own sum, and an operation must not return what it was given


@_discounted_sum.register_fake
def _(x: Tensor, level: Tensor, backwards: bool) -> Tensor:
    return torch.empty_like(x)


def _keep(ctx: Any, inputs: Any, output: Tensor) -> None:
    _, level, ctx.backwards = inputs
    ctx.save_for_backward(level)


def _pulled(ctx: Any, upstream: Tensor) -> Any:
    (level,) = ctx.saved_tensors
    return _discounted_sum(upstream, level, not ctx.backwards), None, None


_discounted_sum.register_autograd(_pulled, setup_context=_keep)

dispatch.framework_of(np.empty(0))  # remembered now: under a trace, `torch.compile` cannot look up a class


class _Rule(torch.autograd.Function):
    """A formula's value with the formula's gradients as its derivatives; only the arrays are kept."""

    @staticmethod
    def forward(formula: Differentiable, *arrays: Tensor) -> Any:
        return formula.value(ops, *arrays)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.formula, *arrays = inputs
        ctx.axes = output.dim()
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*arrays)
        ctx.save_for_forward(*arrays)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor | None) -> Any:
        formula, arrays = ctx.formula, ctx.saved_tensors
        results: list[Tensor | None] = [None] * len(arrays)
        if upstream is None:
            return None, *results
        needed, learned = [place for place in range(len(arrays)) if ctx.needs_input_grad[place + 1]], formula.learned
        if any(place < learned for place in needed):
            for place, gradient in enumerate(formula.gradients(ops, *arrays)):
                results[place] = gradient * _beside(upstream, gradient)
        for place in needed:
            if place >= learned:
                # The slope before the product: its terms times a large derivative might be infinite.
                value = functools.partial(formula.value, ops)
                slope = ops.slope(of_one(value, arrays, place), arrays[place])
                results[place] = slope * _beside(upstream, slope)
        return None, *results


@final
class _Compiled(_Rule):
    """Without `jvp`, which Dynamo refuses."""


@final
class _Eager(_Rule):
    generate_vmap_rule = True

    @staticmethod
    def jvp(ctx: Any, _: None, *along: Tensor | None) -> Any:
        formula, arrays = ctx.formula, ctx.saved_tensors
        tangent = None
        gradients: tuple[Tensor, ...] = ()
        for place, direction in enumerate(along):
            if direction is None:
                continue
            if place < formula.learned:
                gradients = gradients or formula.gradients(ops, *arrays)
                step = gradients[place] * direction
                step = step.sum(tuple(range(ctx.axes, step.dim()))) if step.dim() > ctx.axes else step
            else:
                value = functools.partial(formula.value, ops)
                step = _push(of_one(value, arrays, place), arrays[place], direction)
            tangent = step if tangent is None else tangent + step
        return tangent


def _beside(x: Tensor, like: Tensor) -> Tensor:
    """`x` with trailing axes of size 1 until it has as many as `like`."""
    for _ in range(like.dim() - x.dim()):
        x = x.unsqueeze(-1)
    return x


@final
class _Softmax(torch.autograd.Function):
    """Softmax and its complement, with a derivative that keeps its digits where one class is almost certain."""

    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor) -> Any:
        return ops._softmax_and_complement(logits)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def backward(ctx: Any, of_share: Tensor, of_complement: Tensor) -> Any:
        share, complement = ctx.saved_tensors
        return ops.softmax_tangent(share, complement, of_share - of_complement)

    @staticmethod
    def jvp(ctx: Any, along: Tensor) -> Any:
        share, complement = ctx.saved_tensors
        tangent = ops.softmax_tangent(share, complement, along)
        return tangent, -tangent


def _push(function: Callable[[Tensor], Tensor], at: Tensor, along: Tensor) -> Tensor:
    """The derivative along a direction, by reverse mode twice: forward mode does not nest in forward mode."""
    value, pull = torch.func.vjp(function, at)[:2]
    transposed = torch.func.vjp(lambda upstream: pull(upstream)[0], torch.zeros_like(value))[1]
    tangent: Tensor = transposed(along)[0]
    return tangent
