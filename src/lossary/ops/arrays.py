"""What lossary needs of an array framework beyond the operations of a loss."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, final

from lossary.ops.ops import Array, Operations

if TYPE_CHECKING:
    from lossary.ops.reduce import Exact


class Differentiable(Hashable, Protocol):
    """A value and, where they are written, its gradients, which `Framework.evaluate` makes its derivatives."""

    def value(self, xp: Any, *arrays: Array) -> Array: ...

    @property
    def has_gradient(self) -> bool: ...

    @property
    def learned(self) -> int:
        """How many arrays, the first, the gradients are of."""

    def gradients(self, xp: Any, *arrays: Array) -> tuple[Array, ...]: ...


def of_one(function: Callable[..., Any], arrays: tuple[Array, ...], place: int) -> Callable[[Array], Any]:
    """A function of arrays, as one of the array in that place."""
    return lambda x: function(*arrays[:place], x, *arrays[place + 1 :])


def flat_shape(shape: tuple[int, ...], axes: int, rest: int) -> tuple[int, ...]:
    """This shape with the `axes` axes before its last `rest` ones as one."""
    first = len(shape) - axes - rest
    return (*shape[:first], math.prod(shape[first : first + axes]), *shape[first + axes :])


class Described(NamedTuple):
    """An array as it came into a call, and what is asked of every one."""

    array: Array
    dtype: str
    shape: tuple[int | None, ...] | None
    device: Any  # where the array lives, for comparison and for messages; None where that is not known (tracing)


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Look:
    """What `lossary.explain` wants to know of a computation.

    Args:
        fine: truths, all of which hold where nothing is wrong.
        arrays: what is judged, as NumPy's arrays, where one does not.
        judge: makes of them the error to raise; None where there is none after all.
        record: is told of an error that cannot be raised as it is.
    """

    fine: list[Array]
    arrays: tuple[Array, ...]
    judge: Callable[..., Exception | None]
    record: Callable[[Any], None]


class Framework(Operations):
    """Operations that run on a framework's arrays, and what else is needed of it."""

    name: str  # as its users write it: "NumPy", "PyTorch", "TensorFlow", "JAX"

    compiling: ClassVar[bool] = False  # whether a compiler reads what is done just now

    # ── what an array is ─────────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def shape(self, x: Array) -> tuple[int | None, ...] | None:
        """The static shape: None for a dimension not known yet, and None altogether for an unknown rank."""

    @abstractmethod
    def dtype(self, x: Array) -> str:
        """The dtype's plain name: "float32", "bfloat16", "int64", "bool", "complex64"…"""

    @abstractmethod
    def readable(self, *arrays: Array) -> bool:
        """Whether the values can be read here and now: no trace, no transform, no wait for a device."""

    @abstractmethod
    def to_numpy(self, x: Array) -> Any:
        """A NumPy copy of a readable array, for messages."""

    # ── making and changing arrays ───────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def convert(self, x: Any, like: Array | None = None) -> Array:
        """A list, a scalar, a NumPy array or this framework's own array as this framework's array, its dtype kept
        (Python floats take the dtype of `like`, or the framework's default), on the device of `like`.

        Raises:
            TypeError or ValueError: what NumPy or the framework says of data that make no array (a ragged list).
        """

    @abstractmethod
    def described(self, x: Any, like: Array | None = None) -> Described:
        """`convert`, and what is asked of the result."""

    @abstractmethod
    def cast(self, x: Array, dtype: str) -> Array: ...

    @abstractmethod
    def expand(self, x: Array, like: Array) -> Array:
        """`x`, whose shape is a leading part of that of `like`, repeated over the missing trailing axes."""

    def stamped(self, x: Array, legal: Array) -> Array:
        """x, and NaN where not legal: by a product, so that the derivative is NaN there too."""
        return x * self.cast(self.where(legal, 1.0, float("nan")), self.dtype(x))

    def columns(self, x: Array, count: int) -> list[Array]:
        return [x[..., k] for k in range(count)]

    @abstractmethod
    def flat(self, x: Array, axes: int) -> Array:
        """`x` with one axis before its last `axes`, which holds all that came before them."""

    # ── over all entries ─────────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def all(self, x: Array) -> Array:
        """Whether every entry holds: a boolean scalar."""

    # ── for lossary.explain ──────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def watch(self, look: Look) -> bool:
        """Have the arrays judged, and raise what is found: now, or when the computation runs, and then it is recorded
        beside. False where nobody can look."""

    @final
    def _judge(self, look: Look) -> None:
        """Now."""
        error = None if all(look.fine) else look.judge(*map(self.to_numpy, look.arrays))
        if error is not None:
            raise error

    def forget_failures(self) -> None:
        """What a watch has raised in a computation is not raised once more."""

    @contextlib.contextmanager
    def observable(self) -> Iterator[None]:
        """What was compiled runs in a way that lets it be watched."""
        yield

    @abstractmethod
    def has_float64(self, x: Array) -> bool:
        """Whether float64 is to be had where the array lives."""

    @abstractmethod
    def accumulate(self, x: Array) -> Exact:
        """The sum of all entries: a float64 scalar, or (the sum, what rounding it has lost) where there is none."""

    @abstractmethod
    def count(self, x: Array) -> Exact:
        """The number of entries, as `accumulate` would sum as many ones."""

    @abstractmethod
    def largest(self, x: Array) -> Array:
        """The largest of all entries, and 0 where there are none that are larger."""

    # ── differentiation ──────────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def differentiable(self, x: Array) -> bool:
        """Whether somebody may ask for derivatives by `x`; in doubt, yes."""

    def is_constant(self, x: Array) -> bool:
        """Whether its numbers can be taken out of it without anybody missing a derivative or a trace."""
        return not self.differentiable(x)

    @abstractmethod
    def slope(self, function: Callable[[Array], Array], at: Array) -> Array:
        """The derivative of the sum of all that `function` returns, by the framework's own differentiation."""

    @abstractmethod
    def evaluate(self, formula: Differentiable, *arrays: Array) -> Array:
        """`formula.value`, with `formula.gradients` as its derivatives with respect to the first arrays.

        Second derivatives come from differentiating the gradients; derivatives with respect to the other arrays from
        the framework's own differentiation of `value` with the first held fixed. A formula without gradients is
        differentiated by the framework. Where a gradient has more axes than the value, the upstream derivative is
        repeated over the last ones.
        """

    @final
    def _tanh_with_derivatives(self, x: Array, near: Callable[[Array], Array]) -> Array:
        """`tanh`, which is `near` near 0; beyond by an exponential, whose derivatives of every order keep their digits:
        the frameworks' own is 1 − tanh², which has none left where tanh is almost 1."""
        size = self.abs(x)
        is_near = size < 1.0
        small = self.exp(-2.0 * self.where(is_near, 1.0, size))
        far = 1.0 - 2.0 * small / (1.0 + small)
        return self.where(is_near, near(self.where(is_near, x, 0.0)), self.where(x < 0.0, -far, far))

    @final
    def _log1p_from_log(self, x: Array) -> Array:
        """`log1p` for frameworks that XLA compiles: its own is wrong by up to 125 units in the last place in float64.

        Near 0 by the series of log(1 + x) in s = x / (2 + x), added to x itself. (The usual repair, which adds what
        rounding 1 + x has lost, is a constant in a compiler's eyes: it takes (1 + x) − 1 for x.)
        """
        is_near = self.logical_and(x > -0.3, x < 0.5)
        near = self.where(is_near, x, 0.0)  # not clipped, which would halve the derivative at the bounds
        s = near / (2.0 + near)
        square = s * s
        series = square * self._series(square, [2.0 / k for k in range(3, 29, 2)])
        half = 0.5 * near * near
        return self.where(is_near, near - (half - s * (half + series)), self.log(1.0 + x))
