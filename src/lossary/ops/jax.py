"""The operations on JAX arrays."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from lossary.ops.arrays import Described, Differentiable, Look, flat_shape, of_one
from lossary.ops.ops import Array
from lossary.ops.reduce import Exact, Total, two_sum
from lossary.ops.xla import XLA


@final
class JAX(XLA):
    name = "JAX"

    # ── operations ────────────────────────────────────────────────────────────────────────────────────────────────────

    def abs(self, x: Array) -> Array:
        return _abs(x)

    def erf(self, x: Array) -> Array:
        return jax.lax.erf(x)

    def exp(self, x: Array) -> Array:
        return jnp.exp(x)

    def expm1(self, x: Array) -> Array:
        return jnp.expm1(x)

    def log(self, x: Array) -> Array:
        return jnp.log(x)

    def log1p(self, x: Array) -> Array:
        return self._log1p_from_log(x) if x.dtype == jnp.float64 else jnp.log1p(x)

    def sqrt(self, x: Array) -> Array:
        return jnp.sqrt(x)

    def _power(self, x: Array, exponent: float) -> Array:
        return jnp.power(x, exponent)

    def remainder(self, x: Array, divisor: float) -> Array:
        return self._nearest(jnp.fmod(x, divisor), divisor)

    def tanh(self, x: Array) -> Array:
        return self._tanh_with_derivatives(x, _tanh)

    def maximum(self, x: Array, y: Array) -> Array:
        return jnp.maximum(x, y)

    def minimum(self, x: Array, y: Array) -> Array:
        return jnp.minimum(x, y)

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        return jnp.where(*_placed_alike(condition, x, y))

    def equal(self, x: Array, y: Array) -> Array:
        return jnp.equal(x, y)

    def isnan(self, x: Array) -> Array:
        return jnp.isnan(x)

    def isfinite(self, x: Array) -> Array:
        return jnp.isfinite(x)

    def logical_and(self, x: Array, y: Array) -> Array:
        return jnp.logical_and(x, y)

    def logical_or(self, x: Array, y: Array) -> Array:
        return jnp.logical_or(x, y)

    def logical_not(self, x: Array) -> Array:
        return jnp.logical_not(x)

    def sum(self, x: Array) -> Array:
        return jnp.sum(x, axis=-1)

    def max(self, x: Array) -> Array:
        # On the CPU, the compiled maximum overlooks NaN in some rows.
        return jnp.where(jnp.any(jnp.isnan(x), axis=-1), jnp.nan, self._max(x))

    def _max(self, x: Array) -> Array:
        return jnp.max(x, axis=-1)

    def argmax(self, x: Array) -> Array:
        # By two reductions, which every device does for its own part: JAX's own would first gather the classes.
        largest = jnp.logical_or(x == self.row(self.max(x)), jnp.isnan(x))
        return jnp.min(jnp.where(largest, self.positions(x), x.shape[-1] - 1), axis=-1)

    def take(self, x: Array, index: Array) -> Array:
        if _placement(x)[-1] is not None:  # each device has some of the classes, and nobody looks them up
            return self.sum(self.where(self.is_class(index, x), x, 0.0))
        return jnp.take_along_axis(x, self.row(index), axis=-1)[..., 0]

    def columns(self, x: Array, count: int) -> list[Array]:
        if _placement(x)[-1] is not None:  # each device has some of the columns, and none can be cut out
            return [self.sum(self.where(self.positions(x) == k, x, 0.0)) for k in range(count)]
        return [x[..., k] for k in range(count)]

    def is_class(self, index: Array, like: Array) -> Array:
        return self.row(index) == self.positions(like)

    def is_below(self, index: Array, like: Array) -> Array:
        return self.positions(like) < self.row(index)

    def positions(self, like: Array) -> Array:
        return jnp.arange(like.shape[-1])

    def argsort(self, x: Array) -> Array:
        return jnp.argsort(jax.lax.stop_gradient(x), axis=-1, stable=True)

    def gather(self, x: Array, index: Array) -> Array:
        return jnp.take_along_axis(x, index, axis=-1)

    def shift(self, x: Array, steps: Any, fill: float) -> Array:
        beside, size = jnp.full_like(x, fill), x.shape[-1]
        whole = jnp.concatenate([beside, x, beside], axis=-1)
        return jax.lax.dynamic_slice_in_dim(whole, size - steps, size, axis=-1)

    def cumulative_sum(self, x: Array) -> Array:
        return jnp.cumsum(x, axis=-1)

    def cumulative_max(self, x: Array) -> Array:
        def doubled(step: Array, x: Array) -> Array:
            return jnp.maximum(x, self.shift(x, step, -math.inf))

        return self._doubling(doubled, jax.lax.stop_gradient(x))

    def run_sum(self, x: Array, starts: Array) -> Array:
        if x.ndim > 1:  # each row by itself, so that devices keep their rows
            return jax.vmap(self.run_sum)(x, starts)
        flat, runs = x, jnp.cumsum(starts.at[:1].set(True)) - 1

        def summed(x: Array) -> Array:
            return jax.ops.segment_sum(x, runs, num_segments=flat.size, indices_are_sorted=True)[runs]

        if self.has_float64(x):
            total = summed(flat.astype(jnp.float64)).astype(x.dtype)
        else:  # rounded beside a larger number, entries add up without an error; then what rounding has left of them
            beside = 3.0 * summed(jnp.abs(flat))
            rounded = jax.lax.stop_gradient((beside + flat) - beside)
            total = summed(rounded) + summed(flat - rounded)
        return total

    def _doubling(self, doubled: Callable[[Any, Array], Array], x: Array) -> Array:
        # A loop, which XLA compiles once: one after the other, the steps would take it seconds.
        steps = max(x.shape[-1] - 1, 0).bit_length()
        return jax.lax.fori_loop(0, steps, lambda power, x: doubled(1 << power, x), x)

    def row(self, x: Array) -> Array:
        return jnp.expand_dims(x, -1)

    def flatten(self, x: Array, axes: int, rest: int = 0) -> Array:
        return jnp.reshape(x, flat_shape(x.shape, axes, rest))

    def reshape_like(self, x: Array, like: Array) -> Array:
        return jnp.reshape(x, like.shape)

    def stack(self, *columns: Array) -> Array:
        return jnp.stack(jnp.broadcast_arrays(*columns), axis=-1)

    def matmul(self, x: Array, y: Array) -> Array:
        return jnp.matmul(x, y, precision=jax.lax.Precision.HIGHEST)

    def transpose(self, x: Array) -> Array:
        return jnp.swapaxes(x, -1, -2)

    def classes(self, x: Array) -> Array:
        return x.shape[-1]

    def table(self, entries: Array, like: Array) -> Array:
        return jnp.asarray(entries, dtype=like.dtype)

    def lookup(self, table: Array, index: Array) -> Array:
        if any(_placement(index)):
            return table.at[index].get(mode="fill", out_sharding=jax.typeof(index).sharding)
        return jnp.take(table, index)

    def softmax_and_complement(self, logits: Array) -> tuple[Array, Array]:
        return _softmax(logits)

    # ── plumbing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def shape(self, x: Array) -> tuple[int | None, ...] | None:
        return tuple(x.shape)

    def dtype(self, x: Array) -> str:
        return str(x.dtype.name)

    def readable(self, *arrays: Array) -> bool:
        if isinstance(jnp.zeros(()), jax.core.Tracer):
            return False  # inside a trace everything is traced, plain arrays too
        return all(
            not isinstance(x, jax.core.Tracer)
            and x.is_fully_addressable
            and all(device.platform == "cpu" for device in x.devices())
            for x in arrays
        )

    def to_numpy(self, x: Array) -> Any:
        return np.array(x)

    def convert(self, x: Any, like: Array | None = None) -> Array:
        if isinstance(x, jax.Array):
            return x
        array = np.asarray(x)
        if isinstance(x, (float, list, tuple)) and array.dtype == np.float64:
            # Python's floats have no dtype of their own.
            return jnp.asarray(array, dtype=like.dtype if like is not None and self._is_float(like) else float)
        if array.dtype.kind in "iu" and not jax.config.jax_enable_x64:  # type: ignore[attr-defined]  # it has
            # JAX would wrap what int32 cannot hold round to another number.
            narrow, own = np.iinfo(np.int32), np.iinfo(array.dtype)
            array = np.clip(array, max(narrow.min, own.min), min(narrow.max, own.max))
        return jnp.asarray(array.astype(array.dtype.newbyteorder("="), copy=False))

    def described(self, x: Any, like: Array | None = None) -> Described:
        array, device = self.convert(x, like), None
        if not isinstance(array, jax.core.Tracer) and array.committed:  # else it goes where it is needed
            device = ", ".join(sorted(str(device) for device in array.devices()))
        return Described(array, self.dtype(array), self.shape(array), device)

    def cast(self, x: Array, dtype: str) -> Array:
        return jnp.asarray(x).astype(dtype)

    def expand(self, x: Array, like: Array) -> Array:
        return jnp.broadcast_to(jnp.reshape(x, x.shape + (1,) * (like.ndim - x.ndim)), like.shape)

    def flat(self, x: Array, axes: int) -> Array:
        return jnp.reshape(x, (-1, *x.shape[x.ndim - axes :]))

    def stop_gradient(self, x: Array) -> Array:
        return jax.lax.stop_gradient(x)

    def stamped(self, x: Array, legal: Array) -> Array:
        return _stamped(x, legal)

    def all(self, x: Array) -> Array:
        return jnp.all(x)

    def watch(self, look: Look) -> bool:
        alone = jax.device_count() == 1

        def judge(*numbers: Any) -> None:
            error = look.judge(*map(np.asarray, numbers))
            if error is not None:
                look.record(error)
                if alone:  # others would wait for this one, forever
                    raise error

        @jax.custom_batching.custom_vmap
        def watched(fine: Array, *arrays: Array) -> tuple[()]:
            jax.lax.cond(fine, lambda: None, lambda: jax.debug.callback(judge, *arrays))
            return ()

        @watched.def_vmap
        def _(size: int, batched: list[bool], fine: Array, *arrays: Array) -> tuple[tuple[()], tuple[()]]:
            along = zip(arrays, batched[1:], strict=True)
            whole = (x if mapped else jnp.broadcast_to(x, (size, *x.shape)) for x, mapped in along)
            return watched(jnp.all(fine), *whole), ()

        watched(functools.reduce(jnp.logical_and, look.fine), *look.arrays)
        return True

    def forget_failures(self) -> None:
        with contextlib.suppress(ImportError, AttributeError):  # without a public name; raised as Python ends
            from jax._src.dispatch import runtime_tokens

            runtime_tokens.clear()  # type: ignore[no-untyped-call]  # JAX has no types for it

    @contextlib.contextmanager
    def observable(self) -> Iterator[None]:
        # What was compiled before does not look at losses, and what is compiled within need not afterwards.
        jax.clear_caches()  # type: ignore[no-untyped-call]  # JAX has no types for it
        log = logging.getLogger("jax._src.debugging")  # which prints an error that is raised anyway
        silent, log.disabled = log.disabled, True
        try:
            yield
        finally:
            jax.clear_caches()  # type: ignore[no-untyped-call]  # as above
            log.disabled = silent

    def has_float64(self, x: Array) -> bool:
        return bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]  # it has

    def accumulate(self, x: Array) -> Exact:
        if self.has_float64(x):
            return jnp.sum(x, dtype=jnp.float64)
        return _compensated_sum(x.astype(jnp.float32))

    def count(self, x: Array) -> Exact:
        if self.has_float64(x):
            return jnp.asarray(x.size, dtype=jnp.float64)
        whole = np.float32(x.size)
        return jnp.asarray(whole), jnp.asarray(np.float32(x.size - int(whole)))

    def largest(self, x: Array) -> Array:
        return jnp.max(x, initial=0.0)

    def differentiable(self, x: Array) -> bool:
        return isinstance(x, jax.core.Tracer)

    def slope(self, function: Callable[[Array], Array], at: Array) -> Array:
        return jax.grad(lambda x: jnp.sum(function(x)))(at)

    def evaluate(self, formula: Differentiable, *arrays: Array) -> Array:
        return _rule(formula, arrays) if formula.has_gradient else formula.value(self, *arrays)

    def _is_float(self, x: Array) -> bool:
        return bool(jnp.issubdtype(x.dtype, jnp.floating))


ops = JAX()


@jax.custom_jvp
def _abs(x: Array) -> Array:
    """With the derivative 0 at 0, as everywhere else: JAX's own is 1 there, which would push zeros away from 0."""
    return jnp.abs(x)


_abs.defjvps(lambda along, size, x: jnp.sign(x) * along)


@jax.custom_jvp
def _tanh(x: Array) -> Array:
    """JAX's own derivative is (1 − tanh) (1 + tanh), whose own derivative cancels near 0."""
    return jnp.tanh(x)


@_tanh.defjvp
def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
    result = _tanh(*primals)
    return result, (1.0 - result * result) * tangents[0]


@jax.custom_jvp
def _softmax(logits: Array) -> tuple[Array, Array]:
    return ops._softmax_and_complement(logits)


@_softmax.defjvp
def _(primals: Any, tangents: Any) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    share, complement = _softmax(*primals)
    tangent = ops.softmax_tangent(share, complement, tangents[0])
    return (share, complement), (tangent, -tangent)


@jax.custom_jvp
def _stamped(x: Array, legal: Array) -> Array:
    """By a choice: XLA would write both factors of a product down before it sums them."""
    return jnp.where(legal, x, jnp.nan)


@_stamped.defjvp
def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
    return _stamped(*primals), _stamped(tangents[0], primals[1])


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _rule(formula: Differentiable, arrays: tuple[Array, ...]) -> Array:
    """A formula's value with the formula's gradients as its derivatives."""
    return formula.value(ops, *arrays)


@functools.partial(_rule.defjvp, symbolic_zeros=True)
def _(formula: Differentiable, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (arrays,), (along,) = primals, tangents
    value, learned = _rule(formula, arrays), range(formula.learned)
    tangent = jnp.zeros_like(value)
    moving = [k for k, each in enumerate(along) if not isinstance(each, SymbolicZero)]
    gradients = _gradients(formula, arrays) if set(moving) & set(learned) else ()
    for k in moving:
        # The slope before the product: its terms times a large derivative might be infinite.
        slope = (
            gradients[k]
            if k in learned
            else ops.slope(of_one(functools.partial(formula.value, ops), arrays, k), arrays[k])
        )
        steps = slope * along[k]
        tangent = tangent + jnp.sum(steps, axis=tuple(range(jnp.ndim(value), jnp.ndim(steps))))
    return value, tangent


def _gradients(formula: Differentiable, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
    """The gradients, which read their inputs anew unless they have an exponential, which the value has too: what is
    shared is written down by XLA, and that takes longer than to compute simple things twice."""
    count = formula.learned

    def gradients(*first: Array) -> tuple[Array, ...]:
        return formula.gradients(ops, *first, *arrays[count:])

    first = arrays[:count]
    shares = re.search(r"= exp\b", str(jax.make_jaxpr(gradients)(*first)))
    return gradients(*(first if shares else map(_apart, first)))


@jax.custom_jvp
def _apart(x: Array) -> Array:
    """`x`, of which XLA does not know that it is."""
    return jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]  # JAX has no type for it


_apart.defjvps(lambda along, result, x: along)


def _placement(x: Array) -> tuple[Any, ...]:
    """The mesh axes that each axis of an array is spread over, as far as its type says so: under explicit meshes."""
    return tuple(jax.typeof(x).sharding.spec) if jnp.ndim(x) else ()


def _placed_alike(*arrays: Array) -> tuple[Array, ...]:
    """Arrays of one shape, spread alike: JAX sees to that itself wherever arrays meet but in a choice."""
    placements = [_placement(x) for x in arrays]
    if len(set(placements)) == 1 or len({jnp.shape(x) for x in arrays}) > 1:
        return arrays
    axes = (next((axis for axis in of_each if axis is not None), None) for of_each in zip(*placements, strict=True))
    common = jax.sharding.PartitionSpec(*axes)  # type: ignore[no-untyped-call]  # JAX has no type for it
    return tuple(jax.sharding.reshard(x, common) for x in arrays)  # type: ignore[no-untyped-call]  # as above


@jax.custom_jvp
@jax.jit
def _compensated_sum(x: Array) -> tuple[Array, Array]:
    """The sum of all entries, and what rounding it has lost.

    One row of entries after the other is fastest on one CPU alone. A GPU would start each row anew, and several devices
    would first bring together what each of them has, which a trace does not tell: there by reductions alone, which
    every device does for its own part.
    """
    alone = jax.device_count() == 1 and jax.default_backend() == "cpu"
    return _sum_of_rows(x) if alone else _sum_of_digits(x)


_LANES = 128  # sums that run side by side


def _sum_of_rows(x: Array) -> tuple[Array, Array]:
    """With the rounding error of every addition carried along, in a loop: XLA reorders what stands inside a reduction,
    which destroys the errors and makes such a sum worse than a plain one."""
    x = x.reshape(-1)
    totals = x, jnp.zeros_like(x)
    if x.size > _LANES:
        rows = jnp.pad(x, (0, -x.size % _LANES)).reshape(-1, _LANES)
        totals = _added_up((rows, jnp.zeros_like(rows)))
    total, error = _added_up(totals)
    return two_sum(ops, total, jnp.where(jnp.isfinite(error), error, 0.0))


def _added_up(totals: tuple[Array, Array]) -> tuple[Array, Array]:
    """Totals and their errors, added over the first axis (Knuth's TwoSum)."""

    def add(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        total = one[0] + other[0]
        back = total - one[0]
        return (total, one[1] + other[1] + ((one[0] - (total - back)) + (other[0] - back))), None

    zero = jnp.zeros_like(totals[0], shape=totals[0].shape[1:])
    added, _ = jax.lax.scan(add, (zero, zero), totals)
    return added


_KEPT = 40  # bits of a sum, below the first of its largest entry


def _sum_of_digits(x: Array) -> tuple[Array, Array]:
    """In fixed point, beside the largest entry: sums of integers are exact in any order, so that XLA may do them as it
    likes. A digit has as many bits as int32 has to spare when all entries are added up."""
    places = max(x.size - 1, 0).bit_length()
    bits = max(31 - places, 1)
    plain, largest = jnp.sum(x), jnp.max(jnp.abs(x), initial=0.0)
    exponent = (jax.lax.bitcast_convert_type(largest, jnp.int32) >> 23) - 126  # largest < 2 ** exponent
    shift = jnp.clip(bits - exponent, -126, 126)
    x = x * _power_of_2(shift)
    total, lost = jnp.zeros_like(plain), jnp.zeros_like(plain)
    digits = []
    for _ in range(-(-(_KEPT + places) // bits)):
        whole = jnp.trunc(x)
        digits.append(jnp.sum(whole.astype(jnp.int32)))
        x = (x - whole) * 2.0**bits
    for place, digit in reversed(list(enumerate(digits))):
        size = 2.0 ** (-bits * place)
        for half in (digit & 0xFFFF, digit >> 16 << 16):  # each a float without rounding
            total, error = two_sum(ops, half.astype(x.dtype) * size, total)
            lost = lost + error
    total, lost = (part * _power_of_2(-shift) for part in two_sum(ops, total, lost))
    held = jnp.isfinite(plain)
    return jnp.where(held, total, plain), jnp.where(held, lost, 0.0)


def _power_of_2(exponent: Array) -> Array:
    return jax.lax.bitcast_convert_type((exponent + 127) << 23, jnp.float32)


@_compensated_sum.defjvp
def _(primals: Any, tangents: Any) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    (x,), (along,) = primals, tangents
    total = _compensated_sum(x)
    return total, (jnp.sum(along), jnp.zeros_like(total[1]))


# A Total goes through jit, vmap and grad like any other pytree.
jax.tree_util.register_dataclass(Total, data_fields=["exact_sum", "exact_weight"], meta_fields=["dtype", "of"])
