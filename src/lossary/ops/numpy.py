"""The operations on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import ml_dtypes
import numpy as np

from lossary.errors import DifferentiationError
from lossary.ops.arrays import Described, Differentiable, Framework, Look, flat_shape
from lossary.ops.ops import Array

if TYPE_CHECKING:
    from lossary.ops.reduce import Exact


_LONG = 1024  # entries of a row from which on ranking them pays


def stable_argsort(x: Any) -> Any:
    """The indices that put the last axis in order, NaN last; equal ones stay as they stand.

    Of long rows in float32, NumPy sorts whole numbers that have an entry's rank among all floats before its index: none
    are equal, so that its fastest sort will do, which is many times as fast as the one that leaves equal ones alone.
    """
    if x.dtype != np.float32 or x.shape[-1] < _LONG:
        return np.argsort(x, axis=-1, kind="stable")
    bits = np.ascontiguousarray(x).view(np.int32)
    # The larger a negative number's size, the smaller it is; and −0 is 0.
    ranks = np.where(bits < 0, np.where(x == 0.0, 0, bits ^ 0x7FFFFFFF), bits)
    keys = np.where(np.isnan(x), 0x7FFFFFFF, ranks).astype(np.int64) << 32
    keys |= np.arange(x.shape[-1])
    keys.sort(axis=-1)
    return keys & 0xFFFFFFFF


@final
class NumPy(Framework):
    """NumPy knows no derivatives: `evaluate` is the value, and the hosts call `gradient` themselves."""

    name = "NumPy"

    # ── operations ────────────────────────────────────────────────────────────────────────────────────────────────────

    def abs(self, x: Array) -> Array:
        return np.abs(x)

    def erf(self, x: Array) -> Array:
        return self._erf_from_exp(x)

    def exp(self, x: Array) -> Array:
        return np.exp(x)

    def expm1(self, x: Array) -> Array:
        return np.expm1(x)

    def log(self, x: Array) -> Array:
        return np.log(x)

    def log1p(self, x: Array) -> Array:
        return np.log1p(x)

    def sqrt(self, x: Array) -> Array:
        return np.sqrt(x)

    def _power(self, x: Array, exponent: float) -> Array:
        return np.power(x, exponent)

    def remainder(self, x: Array, divisor: float) -> Array:
        return self._nearest(np.fmod(x, divisor), divisor)

    def tanh(self, x: Array) -> Array:
        return np.tanh(x)

    def maximum(self, x: Array, y: Array) -> Array:
        return np.maximum(x, y)

    def minimum(self, x: Array, y: Array) -> Array:
        return np.minimum(x, y)

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        return np.where(condition, x, y)

    def equal(self, x: Array, y: Array) -> Array:
        return np.equal(x, y)

    def isnan(self, x: Array) -> Array:
        return np.isnan(x)

    def isfinite(self, x: Array) -> Array:
        return np.isfinite(x)

    def logical_and(self, x: Array, y: Array) -> Array:
        return np.logical_and(x, y)

    def logical_or(self, x: Array, y: Array) -> Array:
        return np.logical_or(x, y)

    def logical_not(self, x: Array) -> Array:
        return np.logical_not(x)

    def sum(self, x: Array) -> Array:
        return np.sum(x, axis=-1)

    def max(self, x: Array) -> Array:
        return np.max(x, axis=-1)

    def argmax(self, x: Array) -> Array:
        return np.argmax(x, axis=-1)

    def take(self, x: Array, index: Array) -> Array:
        return np.take_along_axis(x, self.row(index).astype(np.intp), axis=-1)[..., 0]

    def is_class(self, index: Array, like: Array) -> Array:
        return self.row(index) == self.positions(like)

    def is_below(self, index: Array, like: Array) -> Array:
        return self.positions(like) < self.row(index)

    def positions(self, like: Array) -> Array:
        return np.arange(like.shape[-1])

    def argsort(self, x: Array) -> Array:
        return stable_argsort(x)

    def inverse_permutation(self, order: Array) -> Array:
        inverse = np.empty_like(order)
        np.put_along_axis(inverse, order, self.positions(order), axis=-1)
        return inverse

    def gather(self, x: Array, index: Array) -> Array:
        return np.take_along_axis(x, index.astype(np.intp), axis=-1)

    def shift(self, x: Array, steps: int, fill: float) -> Array:
        return shifted(x, steps, fill)

    def cumulative_sum(self, x: Array) -> Array:
        return np.cumsum(x, axis=-1, dtype=np.float64).astype(x.dtype)

    def cumulative_max(self, x: Array) -> Array:
        return np.maximum.accumulate(x, axis=-1)

    def run_sum(self, x: Array, starts: Array) -> Array:
        runs = run_of(starts)
        return np.bincount(runs, weights=x.ravel())[runs].reshape(x.shape).astype(x.dtype)

    def row(self, x: Array) -> Array:
        return np.expand_dims(x, -1)

    def flatten(self, x: Array, axes: int, rest: int = 0) -> Array:
        return x.reshape(flat_shape(x.shape, axes, rest))

    def reshape_like(self, x: Array, like: Array) -> Array:
        return x.reshape(like.shape)

    def stack(self, *columns: Array) -> Array:
        return np.stack(np.broadcast_arrays(*columns), axis=-1)

    def matmul(self, x: Array, y: Array) -> Array:
        return np.matmul(x, y)

    def transpose(self, x: Array) -> Array:
        return np.swapaxes(x, -1, -2)

    def classes(self, x: Array) -> Array:
        return x.shape[-1]

    def table(self, entries: Array, like: Array) -> Array:
        return np.asarray(entries, dtype=like.dtype)

    def lookup(self, table: Array, index: Array) -> Array:
        return np.take(table, index.astype(np.intp))

    # ── plumbing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def shape(self, x: Array) -> tuple[int | None, ...] | None:
        return tuple(x.shape)

    def dtype(self, x: Array) -> str:
        return str(x.dtype.name)

    def readable(self, *arrays: Array) -> bool:
        return True

    def to_numpy(self, x: Array) -> Any:
        return np.array(x)

    def convert(self, x: Any, like: Array | None = None) -> Array:
        array = np.asarray(x)
        if like is not None and isinstance(x, (float, list, tuple)) and array.dtype == np.float64:
            # Python's floats have no dtype of their own.
            return self.cast(array, like.dtype.name) if self._is_float(like) else array
        return array

    def described(self, x: Any, like: Array | None = None) -> Described:
        array = self.convert(x, like)
        return Described(array, self.dtype(array), self.shape(array), None)

    def cast(self, x: Array, dtype: str) -> Array:
        with np.errstate(all="ignore"):
            # A result of no axes is a plain NumPy number.
            return np.asarray(x).astype(getattr(ml_dtypes, dtype, dtype), copy=False)[()]

    def expand(self, x: Array, like: Array) -> Array:
        x = np.asarray(x)
        return np.broadcast_to(x.reshape(x.shape + (1,) * (like.ndim - x.ndim)), like.shape)

    def flat(self, x: Array, axes: int) -> Array:
        return x.reshape(-1, *x.shape[x.ndim - axes :])

    def stop_gradient(self, x: Array) -> Array:
        return x

    def all(self, x: Array) -> Array:
        return np.all(x)

    def watch(self, look: Look) -> bool:
        self._judge(look)
        return True

    def has_float64(self, x: Array) -> bool:
        return True

    def accumulate(self, x: Array) -> Exact:
        with np.errstate(all="ignore"):
            return np.sum(x, dtype=np.float64)

    def count(self, x: Array) -> Exact:
        return np.float64(np.size(x))

    def largest(self, x: Array) -> Array:
        return np.max(x, initial=0.0)

    def differentiable(self, x: Array) -> bool:
        return False

    def slope(self, function: Callable[[Array], Array], at: Array) -> Array:
        raise DifferentiationError("NumPy does not differentiate.", hint="PyTorch, TensorFlow and JAX do.")

    def evaluate(self, formula: Differentiable, *arrays: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(formula.value(self, *arrays))

    def _is_float(self, x: Array) -> bool:
        # np.issubdtype(bfloat16, np.floating) is False.
        return x.dtype.kind == "f" or x.dtype.name in ("bfloat16", "float16")


def shifted(x: Any, steps: int, fill: Any) -> Any:
    """A NumPy array of any entries, moved along its last axis."""
    count = min(abs(steps), x.shape[-1])
    moved = np.empty_like(x)
    here, there = slice(None, count), slice(count, None)
    if steps < 0:
        here, there = slice(x.shape[-1] - count, None), slice(None, x.shape[-1] - count)
    moved[..., here] = fill
    moved[..., there] = x[..., count:] if steps < 0 else x[..., : x.shape[-1] - count]
    return moved


def run_of(starts: Any) -> Any:
    """The number of the run that each entry is in, of all rows one after the other."""
    starts = np.array(starts)
    starts[..., :1] = True
    return np.cumsum(starts.ravel()) - 1


ops = NumPy()
