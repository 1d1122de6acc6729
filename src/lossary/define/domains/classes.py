"""Domains that say a class: labels, indices, and rows with an entry for each class."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, final

from lossary.define import link as links
from lossary.define.domains.domain import Domain, limits_of
from lossary.define.link import Link
from lossary.ops.ops import Array, Operations

if TYPE_CHECKING:
    from lossary.ops.arrays import Framework


@final
@dataclasses.dataclass(frozen=True)
class Labels(Domain):
    """One of two numbers that stand for the two classes."""

    values: tuple[float, float] = (-1.0, 1.0)
    discrete = True
    says_class = True

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    @property
    def wanted(self) -> str:
        return "{:g} or {:g}".format(*self.values)

    def advice(self, argument: str) -> str:
        low, high = (0, 1) if self.values[0] else (-1, 1)
        return f"if the classes are written as {low} and {high}, say labels=({low}, {high})."

    @property
    def are_scores(self) -> bool:
        """Whether each label, taken for a score, is on its own side of 0."""
        low, high = self.values
        return low < 0.0 < high

    def read(self, xp: Framework, x: Array, dtype: str) -> Array:
        """Integers as floats; False as the lower label and True as the higher."""
        low, high = self.values
        numbers = xp.cast(x, dtype)
        return low + (high - low) * numbers if xp.dtype(x) == "bool" else numbers

    def signs(self, x: Array) -> Array:
        """Labels as -1 and 1."""
        low, high = self.values
        return x if self.values == (-1.0, 1.0) else (2.0 * x - (low + high)) / (high - low)

    def scores(self, xp: Operations, x: Array) -> Array:
        """Labels as the scores -1 and 1; NaN for what is none."""
        return xp.where(self.holds(xp, x), self.signs(x), float("nan"))

    def holds(self, xp: Operations, x: Array) -> Array:
        """Whether each value is one of the two."""
        low, high = self.values
        return xp.logical_or(xp.equal(x, low), xp.equal(x, high))

    def contains(self, xp: Operations, x: Array, prediction: Array, epsilon: float) -> Array | None:
        return xp.logical_or(self.holds(xp, x), xp.isnan(x))

    def encode(self, index: Any, classes: int) -> Any:
        import numpy as np

        return np.asarray(self.values)[index.astype("int64")]

    def decide(self, x: Any, argmax: Callable[[Any], Any]) -> Any:
        return x == self.values[1]

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return self.values[1]

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        return generator.choice(np.array(self.values, np.float64), size=shape)


@final
@dataclasses.dataclass(frozen=True)
class Logits(Domain):
    """Rows of any numbers, of which the softmax is a distribution; without `softmax`, scores, of which the largest
    names the class and nothing more."""

    softmax: bool = True
    axes = 1
    says_class = True
    wanted = "numbers"

    @property
    def probabilities(self) -> bool:
        return self.softmax

    @property
    def link(self) -> Link | None:
        return links.softmax if self.softmax else None

    @property
    def symbol(self) -> str | None:
        return "z" if self.softmax else "s"

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 0.0


@final
@dataclasses.dataclass(frozen=True)
class Simplex(Domain):
    """Rows of probabilities that sum to 1; with `logarithms`, the logarithms of such rows."""

    logarithms: bool = False
    one_hot: bool = False  # whether sampled rows favour a single class, as classification targets do
    axes = 1
    probabilities = True

    @property
    def low(self) -> float:
        return -math.inf if self.logarithms else 0.0

    @property
    def high(self) -> float:
        return 0.0 if self.logarithms else 1.0

    @property
    def link(self) -> Link:
        return links.log if self.logarithms else links.identity

    @property
    def wanted(self) -> str:
        return "rows of log-probabilities" if self.logarithms else "rows of probabilities that sum to 1"

    @property
    def symbol(self) -> str | None:
        return None if self.logarithms else "p"

    def advice(self, argument: str) -> str:
        if self.logarithms:
            return "probabilities belong to log_target=False."
        if argument == "prediction":
            return "logits belong to from_logits=True; divide other rows by their sum."
        return "divide rows by their sum; to leave rows out, say where=."

    def contains(self, xp: Operations, x: Array, prediction: Array, epsilon: float) -> Array | None:
        shares = xp.exp(x) if self.logarithms else x
        tolerance = _at_least(1e-3, epsilon * xp.classes(x), xp)
        # Not max(−shares): TensorFlow's graph optimizer swaps the two, and may read another tensor when it does.
        below = xp.sum(xp.where(shares < 0.0, 1.0, 0.0)) > 0.0
        above = xp.abs(xp.sum(shares) - 1.0) > tolerance
        return xp.logical_not(xp.logical_or(below, above))

    def safe(self, xp: Operations, x: Array) -> Array | float:
        share = 1.0 / xp.classes(x)
        if not self.logarithms:
            return share
        return math.log(share) if isinstance(share, float) else xp.log(share)

    def activate(self, xp: Operations, x: Array) -> Array:
        return -xp.surprisal(x) if self.logarithms else xp.softmax_and_complement(x)[0]

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        rows = np.exp(generator.normal(size=shape))
        return self.link.apply(rows / rows.sum(axis=-1, keepdims=True))

    def edges(self, dtype: str, classes: int = 3) -> Any:
        import numpy as np

        limits = limits_of(dtype)
        certain = np.eye(classes)
        small = np.array([[limits.smallest_subnormal], [limits.smallest_normal], [limits.eps]], np.float64)
        nearly = (1.0 - small) * certain[0] + small * certain[-1]
        equal = np.full((1, classes), 1.0 / classes)
        return self._legal(self.link.apply(np.concatenate([certain, nearly, equal])), dtype, classes)

    def sample(self, generator: Any, shape: tuple[int, ...]) -> Any:
        """Ordinary rows; with `one_hot`, most of them certain. Others never are: a predicted 0 may cost infinity."""
        import numpy as np

        rows = self.ordinary(generator, shape)
        index = generator.integers(0, shape[-1], size=shape[:-1])
        hot = generator.uniform(size=(*shape[:-1], 1)) < (0.7 if self.one_hot else 0.0)
        return np.where(hot, self.encode(index, shape[-1]), rows)


@final
@dataclasses.dataclass(frozen=True)
class ClassIndex(Domain):
    """An integer from 0 to K − 1, where K is the size of the prediction's last axis; with `ranks`, an integer from 0 to
    K: how many steps have been passed, each of which has an entry in the prediction. `void` where the class is not
    known."""

    ranks: bool = False
    void: int | None = None
    indices: ClassVar[bool] = True
    low = 0.0

    def __repr__(self) -> str:
        stated = (["ranks=True"] if self.ranks else []) + ([] if self.void is None else [f"void={self.void}"])
        return f"ClassIndex({', '.join(stated)})"

    @property
    def wanted(self) -> str:
        said = "ranks from 0 to K" if self.ranks else "class indices from 0 to K - 1"
        known = f"{said}, where K is the size of the prediction's last axis"
        return known if self.void is None else f"{known}, or {self.void} where the class is not known"

    def count(self, entries: int) -> int:
        """How many there are beside predictions with so many entries."""
        return entries + self.ranks

    def advice(self, argument: str) -> str:
        if self.ranks:
            return "rows of 0 and 1, one for each step, add up to the rank; ranks that count from 1 need target - 1."
        if self.void is not None:
            return "indices that count from 1 need target - 1; void= names the index of pixels that are not labelled."
        return "indices that count from 1 need target - 1; to leave entries out, say where=(target != ignored)."

    def contains(self, xp: Framework, x: Array, prediction: Array, epsilon: float) -> Array | None:
        count: Any = xp.classes(prediction)
        if not isinstance(count, int):  # TensorFlow, where K is only known when the graph runs
            count = xp.cast(count, xp.dtype(x))
        legal = xp.logical_not(xp.logical_or(x < 0, x > count if self.ranks else x >= count))
        return legal if self.void is None else xp.logical_or(legal, xp.equal(x, self.void))

    def encode(self, index: Any, classes: int) -> Any:
        return index.astype("int64")

    def decide(self, x: Any, argmax: Callable[[Any], Any]) -> Any:
        return x

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 0

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        return generator.integers(0, self.count(shape[-1]), size=shape[:-1])

    def edges(self, dtype: str, classes: int = 3) -> Any:
        import numpy as np

        return np.array([0, self.count(classes) - 1])


def _at_least(bound: float, other: Any, xp: Operations) -> Any:
    return max(bound, other) if isinstance(other, float) else xp.maximum(other, bound)
