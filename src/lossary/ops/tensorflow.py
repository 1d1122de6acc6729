"""The operations on TensorFlow tensors."""

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, final

import numpy as np
import tensorflow as tf

from lossary.ops.arrays import Described, Differentiable, Look, of_one
from lossary.ops.ops import Array
from lossary.ops.xla import XLA

if TYPE_CHECKING:
    from lossary.ops.reduce import Exact


@final
class TensorFlow(XLA):
    name = "TensorFlow"

    # ── operations ────────────────────────────────────────────────────────────────────────────────────────────────────

    def abs(self, x: Array) -> Array:
        return tf.abs(x)

    def erf(self, x: Array) -> Array:
        return tf.math.erf(self.clip(x, -100.0, 100.0))  # NaN far out

    def exp(self, x: Array) -> Array:
        return tf.exp(x)

    def expm1(self, x: Array) -> Array:
        return tf.math.expm1(x)

    def log(self, x: Array) -> Array:
        return tf.math.log(x)

    def log1p(self, x: Array) -> Array:
        return self._log1p_from_log(x) if x.dtype == tf.float64 else tf.math.log1p(x)

    def sqrt(self, x: Array) -> Array:
        return tf.sqrt(x)

    def _power(self, x: Array, exponent: float) -> Array:
        return tf.pow(x, tf.constant(exponent, x.dtype))

    def remainder(self, x: Array, divisor: float) -> Array:
        constant = tf.stop_gradient(x)  # of which TensorFlow knows no derivative
        rest = tf.truncatemod(constant, tf.constant(divisor, x.dtype))
        return self._nearest(rest + (x - constant), divisor)

    def tanh(self, x: Array) -> Array:
        return self._tanh_with_derivatives(x, tf.tanh)

    def maximum(self, x: Array, y: Array) -> Array:
        return self._chosen(tf.maximum, *self._both(x, y))

    def minimum(self, x: Array, y: Array) -> Array:
        return self._chosen(tf.minimum, *self._both(x, y))

    def _chosen(self, choose: Callable[[Array, Array], Array], x: Array, y: Array) -> Array:
        # The compiled ones overlook NaN in their second argument.
        is_nan = tf.logical_or(tf.math.is_nan(x), tf.math.is_nan(y))
        return self.where(is_nan, math.nan, _shared(choose(x, y), choose(y, x)))

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        return tf.where(condition, *self._both(x, y))

    def equal(self, x: Array, y: Array) -> Array:
        return tf.equal(*self._both(x, y))

    def isnan(self, x: Array) -> Array:
        return tf.math.is_nan(x)

    def isfinite(self, x: Array) -> Array:
        return tf.math.is_finite(x)

    def logical_and(self, x: Array, y: Array) -> Array:
        return tf.logical_and(x, y)

    def logical_or(self, x: Array, y: Array) -> Array:
        return tf.logical_or(x, y)

    def logical_not(self, x: Array) -> Array:
        return tf.logical_not(x)

    def sum(self, x: Array) -> Array:
        return tf.reduce_sum(x, axis=-1)

    def max(self, x: Array) -> Array:
        # XLA's overlooks NaN in some rows.
        return self.where(tf.reduce_any(tf.math.is_nan(x), axis=-1), math.nan, self._max(x))

    def _max(self, x: Array) -> Array:
        return tf.reduce_max(x, axis=-1)

    def argmax(self, x: Array) -> Array:
        return tf.argmax(x, axis=-1)

    def take(self, x: Array, index: Array) -> Array:
        rows = tf.reshape(x, [-1, tf.shape(x)[-1]])  # `batch_dims` must be known, and the rank may not be
        index = tf.cast(index, tf.int64)
        return tf.reshape(tf.gather(rows, tf.reshape(index, [-1]), batch_dims=1), tf.shape(index))

    def is_class(self, index: Array, like: Array) -> Array:
        return self.row(tf.cast(index, tf.int64)) == self.positions(like)

    def is_below(self, index: Array, like: Array) -> Array:
        return self.positions(like) < self.row(tf.cast(index, tf.int64))

    def positions(self, like: Array) -> Array:
        return tf.range(tf.shape(like, tf.int64)[-1])

    def argsort(self, x: Array) -> Array:
        if x.dtype.is_floating:  # beside NaN, TensorFlow puts numbers in no order
            x = self.where(tf.math.is_nan(x), math.inf, x)
        return tf.argsort(x, axis=-1, stable=True)

    def gather(self, x: Array, index: Array) -> Array:
        rows, places = self._as_rows(x), self._as_rows(tf.cast(index, tf.int64))
        return tf.reshape(tf.gather(rows, places, batch_dims=1), tf.shape(index))

    def _as_rows(self, x: Array) -> Array:
        shape = tf.shape(x)
        return tf.reshape(x, [tf.reduce_prod(shape[:-1]), shape[-1]])

    def shift(self, x: Array, steps: Any, fill: float) -> Array:
        beside, shape = tf.fill(tf.shape(x), tf.constant(fill, x.dtype)), tf.shape(x)
        whole = tf.concat([beside, x, beside], axis=-1)
        steps = tf.clip_by_value(steps, -shape[-1], shape[-1])
        begin = tf.concat([tf.zeros_like(shape[:-1]), [shape[-1] - steps]], axis=0)
        return tf.ensure_shape(tf.slice(whole, begin, shape), x.shape)

    def cumulative_sum(self, x: Array) -> Array:
        return tf.cast(tf.cumsum(tf.cast(x, tf.float64), axis=-1), x.dtype)

    def cumulative_max(self, x: Array) -> Array:
        def doubled(step: Array, x: Array) -> Array:
            before = self.shift(x, step, -math.inf)
            return tf.where(tf.logical_or(before > x, tf.math.is_nan(before)), before, x)

        return self._doubling(doubled, tf.stop_gradient(x))

    def run_sum(self, x: Array, starts: Array) -> Array:
        flat = tf.reshape(tf.cast(x, tf.float64), [-1])
        starts = tf.concat([tf.ones_like(starts[..., :1]), starts[..., 1:]], axis=-1)
        runs = tf.cumsum(tf.cast(tf.reshape(starts, [-1]), tf.int32)) - 1
        sums = tf.gather(tf.math.unsorted_segment_sum(flat, runs, tf.size(x)), runs)
        return tf.cast(tf.reshape(sums, tf.shape(x)), x.dtype)

    def discounted_sum(self, x: Array, level: Array, *, backwards: bool = False) -> Array:
        # TensorFlow would take minutes to differentiate the loop, and its derivative is such a sum again.
        @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def discounted(x: Array) -> Any:
            total = super(TensorFlow, self).discounted_sum(x, level, backwards=backwards)
            return total, lambda upstream: self.discounted_sum(upstream, level, backwards=not backwards)

        return discounted(x)

    def _doubling(self, doubled: Callable[[Any, Array], Array], x: Array) -> Array:
        size = tf.shape(x)[-1]
        _, x = tf.while_loop(
            lambda step, x: step < size, lambda step, x: (2 * step, doubled(step, x)), (1, x), maximum_iterations=31
        )
        return x

    def row(self, x: Array) -> Array:
        return tf.expand_dims(x, -1)

    def flatten(self, x: Array, axes: int, rest: int = 0) -> Array:
        shape, first = tf.shape(x), len(x.shape) - axes - rest
        size = tf.reduce_prod(shape[first : first + axes], keepdims=True)
        return tf.reshape(x, tf.concat([shape[:first], size, shape[first + axes :]], axis=0))

    def reshape_like(self, x: Array, like: Array) -> Array:
        return tf.reshape(x, tf.shape(like))

    def stack(self, *columns: Array) -> Array:
        like = next(x for x in columns if tf.is_tensor(x))
        return tf.stack(
            [x if tf.is_tensor(x) else tf.fill(tf.shape(like), tf.cast(x, like.dtype)) for x in columns], axis=-1
        )

    def matmul(self, x: Array, y: Array) -> Array:
        return tf.matmul(x, y)

    def transpose(self, x: Array) -> Array:
        return tf.linalg.matrix_transpose(x)

    def classes(self, x: Array) -> Array:
        count = x.shape[-1]
        return tf.cast(tf.shape(x)[-1], x.dtype) if count is None else count

    def table(self, entries: Array, like: Array) -> Array:
        return tf.cast(entries, like.dtype) if tf.is_tensor(entries) else tf.constant(entries, like.dtype)

    def lookup(self, table: Array, index: Array) -> Array:
        return tf.gather(table, tf.cast(index, tf.int64))

    def softmax_and_complement(self, logits: Array) -> tuple[Array, Array]:
        @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def softmax(logits: Array) -> Any:
            def gradient(of_share: Array, of_complement: Array) -> Array:
                return self.softmax_tangent(*self.softmax_and_complement(logits), of_share - of_complement)

            return self._softmax_and_complement(logits), gradient

        share, complement = softmax(logits)
        return share, complement

    def _both(self, x: Array, y: Array) -> tuple[Array, Array]:
        """A plain number in the dtype of the tensor beside it: TensorFlow would round it to float32 first."""
        if tf.is_tensor(x) and not tf.is_tensor(y):
            return x, tf.constant(y, dtype=x.dtype)
        if tf.is_tensor(y) and not tf.is_tensor(x):
            return tf.constant(x, dtype=y.dtype), y
        return x, y

    # ── plumbing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def shape(self, x: Array) -> tuple[int | None, ...] | None:
        return None if x.shape.rank is None else tuple(x.shape)

    def dtype(self, x: Array) -> str:
        return str(x.dtype.name)

    def readable(self, *arrays: Array) -> bool:
        return tf.executing_eagerly() and all(hasattr(x, "numpy") and "CPU" in x.device for x in arrays)

    def to_numpy(self, x: Array) -> Any:
        return np.array(x)

    def convert(self, x: Any, like: Array | None = None) -> Array:
        if tf.is_tensor(x):
            return tf.convert_to_tensor(x)  # a variable's value
        array = np.asarray(x)
        dtype = None
        if isinstance(x, (float, list, tuple)) and array.dtype == np.float64:
            # Python's floats have no dtype of their own.
            dtype = like.dtype if like is not None and like.dtype.is_floating else tf.float32
        if like is None or not tf.executing_eagerly():
            return tf.constant(array, dtype)
        with tf.device(like.device):
            return tf.constant(array, dtype)

    def described(self, x: Any, like: Array | None = None) -> Described:
        tensor = self.convert(x, like)
        device = tensor.device if tf.executing_eagerly() else None
        return Described(tensor, self.dtype(tensor), self.shape(tensor), device)

    def cast(self, x: Array, dtype: str) -> Array:
        return tf.cast(x, dtype)

    def expand(self, x: Array, like: Array) -> Array:
        return tf.broadcast_to(self._beside(x, like), tf.shape(like))

    def flat(self, x: Array, axes: int) -> Array:
        shape = tf.shape(x)
        return tf.reshape(x, tf.concat([[-1], shape[tf.size(shape) - axes :]], axis=0))

    def stop_gradient(self, x: Array) -> Array:
        return tf.stop_gradient(x)

    def all(self, x: Array) -> Array:
        return tf.reduce_all(x)

    def watch(self, look: Look) -> bool:
        if not (tf.executing_eagerly() and all(hasattr(x, "numpy") for x in look.arrays)):
            return False
        self._judge(look)
        return True

    @contextlib.contextmanager
    def observable(self) -> Iterator[None]:
        eager = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        try:
            with warnings.catch_warnings():  # that pipelines of tf.data are not run so
                warnings.filterwarnings("ignore", "Even though the `tf.config.", UserWarning)
                yield
        finally:
            tf.config.run_functions_eagerly(eager)

    def has_float64(self, x: Array) -> bool:
        return True

    def accumulate(self, x: Array) -> Exact:
        return tf.reduce_sum(tf.cast(x, tf.float64))

    def count(self, x: Array) -> Exact:
        return tf.cast(tf.size(x, tf.int64), tf.float64)

    def largest(self, x: Array) -> Array:
        return tf.reduce_max(tf.concat([tf.reshape(x, [-1]), tf.zeros([1], x.dtype)], axis=0))

    def differentiable(self, x: Array) -> bool:
        return True

    def is_constant(self, x: Array) -> bool:
        return hasattr(x, "numpy") and not isinstance(x, tf.Variable)

    def slope(self, function: Callable[[Array], Array], at: Array) -> Array:
        with tf.GradientTape() as tape:
            tape.watch(at)
            values = function(at)
        return tape.gradient(values, at, unconnected_gradients="zero")

    def evaluate(self, formula: Differentiable, *arrays: Array) -> Array:
        if not formula.has_gradient:
            return formula.value(self, *arrays)

        @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def rule(*arrays: Array) -> Any:
            value = formula.value(self, *arrays)

            def gradient(upstream: Array) -> list[Array | None]:
                results: list[Array | None] = [
                    steps * self._beside(upstream, steps) for steps in formula.gradients(self, *arrays)
                ]
                fixed, value = tuple(map(tf.identity, arrays)), functools.partial(formula.value, self)
                for place in range(formula.learned, len(arrays)):
                    if not arrays[place].dtype.is_floating:
                        results.append(None)
                        continue
                    # The slope before the product: its terms times a large derivative might be infinite.
                    slope = self.slope(of_one(value, fixed, place), fixed[place])
                    results.append(slope * self._beside(upstream, slope))
                return results

            return value, gradient

        return rule(*arrays)

    def _beside(self, x: Array, like: Array) -> Array:
        """`x` with trailing axes of size 1 until it has the rank of `like`."""
        if x.shape.rank is None or like.shape.rank is None:
            missing = tf.rank(like) - tf.rank(x)
            return tf.reshape(x, tf.concat([tf.shape(x), tf.ones([missing], tf.int32)], axis=0))
        for _ in range(like.shape.rank - x.shape.rank):
            x = self.row(x)
        return x


ops = TensorFlow()


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
def _shared(one: Array, same: Array) -> Any:
    """One of two equal tensors, each with half of the derivative: at a tie TensorFlow gives all of it to its first
    argument, and the two orders together give half to each."""
    return tf.identity(one), lambda upstream: (0.5 * upstream, 0.5 * upstream)
