"""What a prediction or a target may be: a domain tests membership, makes legal points, and says what they mean.

Whoever wants to know something of a domain asks it; nobody asks which class of domain it is, so that a new one answers
for itself.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, final

from lossary.define import link as links
from lossary.define.link import Link
from lossary.ops import dispatch
from lossary.ops.ops import Array, Operations

if TYPE_CHECKING:
    from lossary.ops.arrays import Framework


class Domain(ABC):
    """A set of legal values.

    `axes` says how many trailing axes one legal value takes: none for a number, one for a row; `indices` whether values
    are integers that are never cast to float.
    """

    indices: ClassVar[bool] = False
    # How many trailing axes one legal value takes.
    axes: int = 0
    # How many entries a row has; None where it may be any number.
    size: int | None = None
    # Whether every value is legal: domains without a `contains` of their own.
    takes_all: bool = False
    # Above this, a prediction says "positive class"; None where a prediction says no such thing.
    threshold: ClassVar[float | None] = None
    # The labels that a prediction may be instead, written as integers or booleans; None where it may not.
    labels: Labels | None = None
    # Whether values are the logarithms of what they stand for.
    logarithms: bool = False
    # Whether rows usually give everything to a single class.
    one_hot: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.takes_all = cls.contains is Domain.contains

    # ── which numbers ────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def low(self) -> float:
        """No number of a legal value is below."""
        return -math.inf

    @property
    def high(self) -> float:
        """No number of a legal value is above."""
        return math.inf

    @property
    def discrete(self) -> bool:
        """Whether legal values are apart, so that none can change a little."""
        return self.indices

    @final
    @property
    def unbounded(self) -> bool:
        """Whether numbers may be of any size and either sign."""
        return math.isinf(self.low) and math.isinf(self.high)

    def room(self, x: Any) -> Any:
        """How far numbers of legal values are from the nearer bound, as a NumPy array; NaN at an infinite one."""
        import numpy as np

        with np.errstate(invalid="ignore"):  # −∞ from −∞
            return np.minimum(x - self.low, self.high - x)

    # ── what they mean ───────────────────────────────────────────────────────────────────────────────────────────

    @final
    @property
    def rows(self) -> bool:
        """Whether one legal value is more than a number."""
        return self.axes > 0

    @property
    def probabilities(self) -> bool:
        """Whether what values stand for is the probability of a class, or a distribution over classes."""
        return False

    @property
    def says_amount(self) -> bool:
        """Whether a value is itself the number that it predicts; `estimate` makes that of others."""
        return not (self.says_class or self.logarithms or self.size)

    @property
    def says_estimate(self) -> bool:
        """Whether a value predicts a single number, which `estimate` makes of it."""
        return not (self.says_class or self.rows)

    @property
    def says_class(self) -> bool:
        """Whether values say a class, or how likely each is; else they are amounts."""
        return self.probabilities or self.indices or self.threshold is not None

    @property
    def link(self) -> Link | None:
        """How a value says what it stands for; None where it says no more than which class is likelier."""
        return links.identity

    @final
    @property
    def of_logits(self) -> bool:
        """Whether a sigmoid or softmax makes probabilities of values."""
        return self.link is not None and self.link.of_logits

    @final
    @property
    def shares(self) -> bool:
        """Whether values are probabilities themselves."""
        return self.probabilities and self.link is links.identity

    @final
    @property
    def of_shares(self) -> bool:
        """Whether values are probabilities or their logarithms: where one rises, another falls."""
        return self.probabilities and not self.of_logits

    @final
    @property
    def certain(self) -> bool:
        """Whether some values say a class for sure: those that `encode` makes."""
        return self.says_class and (self.discrete or self.of_shares)

    # ── for readers ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    @abstractmethod
    def wanted(self) -> str:
        """The values allowed, in words that complete "must be …"."""

    @property
    def symbol(self) -> str | None:
        """The letter that stands for such a prediction in formulas, where it has one of its own."""
        return None

    def advice(self, argument: str) -> str:
        """What to do with values from outside, in the prediction or in the target."""
        return "check how these values are made."

    # ── classes there and back ───────────────────────────────────────────────────────────────────────────────────

    def encode(self, index: Any, classes: int) -> Any:
        """The values that say these classes for sure, in NumPy: of indices from 0, (…), values (…) or rows
        (…, classes).

        Raises:
            TypeError: no value of this domain says a class for sure.
        """
        import numpy as np

        if not self.of_shares or self.link is None:
            raise TypeError(f"{self!r} says no class for sure.")
        index = index.astype("int64")
        return self.link.apply(np.eye(classes)[index] if self.rows else index.astype("float64"))

    def decide(self, x: Any, argmax: Callable[[Any], Any]) -> Any:
        """What each value says in any framework: the index of a class, or whether it is the higher of two.

        Args:
            argmax: finds the largest entry of each row.

        Raises:
            TypeError: values of this domain say no classes.
        """
        if self.rows:
            return argmax(x)
        if self.threshold is None:
            raise TypeError(f"{self!r} says no class.")
        return x > self.threshold

    def estimate(self, x: Any) -> Any:
        """The number that each value predicts, in any framework: itself; of a logarithm what it is of, and of named
        columns the mean, the median or the location.

        Raises:
            TypeError: no column is called so.
        """
        return x

    def perfect(self, target: Any, shape: tuple[int, ...]) -> Any:
        """The predictions that are right where amounts are known to be these, in NumPy: they themselves, or what stands
        for them; in rows beside single numbers, that number in each entry. Columns that are no estimate of the target
        have a legal value.

        Args:
            target: targets that are no classes.
            shape: that of the prediction.

        Raises:
            TypeError: what rows of a fixed size say of a single number is not known; a domain that knows has its own.
        """
        import numpy as np

        target = np.asarray(target, np.float64)
        if self.size and target.ndim < len(shape):
            raise TypeError(f"{self!r} does not say which of its rows predicts a single number.")
        said = target if self.link is None else self.link.apply(target)
        return np.broadcast_to(said[(..., *(None,) * (len(shape) - target.ndim))], shape)

    # ── legal values ─────────────────────────────────────────────────────────────────────────────────────────────

    @final
    def shape_beside(self, prediction: Domain, shape: tuple[int, ...]) -> tuple[int, ...]:
        """What to ask `ordinary` and `sample` for, beside predictions of that domain and shape: as many of the axes of
        a prediction as a value of this domain has."""
        return shape if self.indices else shape[: len(shape) - prediction.axes + self.axes]

    @final
    def inside(self, x: Any) -> Any:
        """Amounts of any size and sign brought inside the bounds, in order: 0 to the middle of two, or away from the
        only one by a `_unit`; as they are where there is none."""
        import numpy as np

        low, high = self.low, self.high
        if self.unbounded:
            return x
        if math.isfinite(low) and math.isfinite(high):
            return 0.5 * (low + high) + 0.495 * (high - low) * x / (1.0 + np.abs(x))
        towards, bound = (-x, low) if math.isfinite(low) else (x, high)
        near = np.maximum(1.0 / (1.0 + np.maximum(towards, 0.0)), 0.01 if bound else 0.0)  # float16 rounds
        away = np.where(towards > 0.0, self._unit * near, self._unit - towards)
        return low + away if math.isfinite(low) else high - away

    @final
    @property
    def _unit(self) -> float:
        """How far from its only bound an everyday number is: beside 1000, a distance of 1 is next to nothing."""
        return max(1.0, *(abs(bound) for bound in (self.low, self.high) if math.isfinite(bound)))

    def contains(self, xp: Framework, x: Array, prediction: Array, epsilon: float) -> Array | None:
        """Whether each value (each row, for domains of rows) is legal; NaN is. None where every value is.

        `prediction` says how many classes there are; `epsilon` is the spacing of the dtype that the values came in.
        """
        return None

    @abstractmethod
    def safe(self, xp: Operations, x: Array) -> Array | float:
        """A legal value to stand where a mask hides what is there."""

    def activate(self, xp: Operations, x: Array) -> Array:
        """Legal values made of any numbers, in any framework: what the last layer of a model does. Here a softplus or a
        sigmoid keeps the bounds; a domain whose rows are legal as a whole has one of its own.

        Raises:
            TypeError: no value of this domain can change a little.
        """
        if self.discrete:
            raise TypeError(f"{self!r} has no values that can change a little.")
        low, high = self.low, self.high
        if self.unbounded:
            return x
        if math.isfinite(low) and math.isfinite(high):
            return low + (high - low) * xp.sigmoid(x)
        return low + xp.softplus(x) if math.isfinite(low) else high - xp.softplus(-x)

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        """Legal points of everyday size, none at an edge, as a float64 (or integer) NumPy array.

        Args:
            generator: a NumPy generator of random numbers.
            shape: that of the prediction: of rows, the last axis is the row; class indices have one axis less.
        """
        import numpy as np

        bounded = math.isfinite(self.low), math.isfinite(self.high)
        if all(bounded):
            margin = 0.05 * (self.high - self.low)
            return generator.uniform(self.low + margin, self.high - margin, size=shape)
        if not any(bounded):
            return generator.normal(scale=1.5, size=shape)
        away = self._unit * np.exp(generator.normal(size=shape))
        return self.low + away if bounded[0] else self.high - away

    def edges(self, dtype: str, classes: int = 3) -> Any:
        """The legal values at the edges of the domain and of the dtype, as numbers of that dtype in a float64 (or
        integer) NumPy array, (n,), or (n, classes) for rows, (n, classes, classes) for rows of rows.

        Edges are 0, ±1, the bounds and what is next to them, the smallest and largest numbers, and the infinities.
        """
        import numpy as np

        numbers = _edges(dtype, self.low, self.high)
        if not self.rows:
            return self._legal(numbers, dtype, classes)
        rows = np.empty((len(numbers), *(self.size or classes,) * self.axes))
        rows[...] = self.safe(_numpy(), rows)
        rows.reshape(len(numbers), -1)[:, 0] = numbers
        return self._legal(rows, dtype, classes)

    @final
    def _legal(self, points: Any, dtype: str, classes: int) -> Any:
        """Those of the points that are legal, as numbers of the dtype."""
        import numpy as np

        points = points.astype(_dtype(dtype)).astype("float64")
        with np.errstate(all="ignore"):
            legal = self.contains(_numpy(), points, np.empty((len(points), classes)), float(_limits(dtype).eps))
        # What a tolerance lets pass is no edge.
        beyond = ((points < self.low) | (points > self.high)).reshape(len(points), -1).any(axis=1)
        return points[~beyond if legal is None else legal & ~beyond]

    def sample(self, generator: Any, shape: tuple[int, ...]) -> Any:
        """Legal points as a float64 (or integer) NumPy array: ordinary ones, of which every tenth is far out where that
        is legal, or at an edge where bounds leave no room. Shapes are as in `ordinary`."""
        import numpy as np

        ordinary = self.ordinary(generator, shape)
        if self.discrete:
            return ordinary
        alone = self.takes_all or not self.rows  # else a row is legal as a whole
        rare = generator.uniform(size=shape if alone else (*shape[:-1], 1)) < 0.1
        found = np.where(rare, self._far(generator, shape), ordinary)
        with np.errstate(all="ignore"):
            legal = None if alone else self.contains(_numpy(), found, found, float(np.finfo("float64").eps))
        return found if legal is None else np.where(legal[(..., *(None,) * self.axes)], found, ordinary)

    def _far(self, generator: Any, shape: tuple[int, ...]) -> Any:
        """Legal points over many magnitudes; where both sides are bounded, at the edges and close to them."""
        import numpy as np

        low, high = self.low, self.high
        if not (math.isfinite(low) and math.isfinite(high)):
            away = 10.0 ** generator.uniform(-6.0, 6.0, size=shape)
            if self.unbounded:
                return away * generator.choice([-1.0, 1.0], size=shape)
            away = np.maximum(away, 0.01 * abs(low if math.isfinite(low) else high))  # float16 rounds
            return low + away if math.isfinite(low) else high - away
        if self.rows:
            edges = self.edges("float16", shape[-1])  # every dtype has those
            return edges[generator.integers(len(edges), size=shape[:-1])]
        ends = self._legal(np.array([low, high]), "float64", 1)
        away = (high - low) * 10.0 ** generator.uniform(-4.0, -1.0, size=shape)
        near = np.where(generator.uniform(size=shape) < 0.5, low + away, high - away)
        if not len(ends):
            return near
        return np.where(generator.uniform(size=shape) < 0.5, generator.choice(ends, size=shape), near)


@final
@dataclasses.dataclass(frozen=True)
class Real(Domain):
    """Any number; with `logarithms`, the logarithm of an amount above 0."""

    logarithms: bool = False
    wanted = "numbers"

    def __repr__(self) -> str:
        return f"Real({'logarithms=True' if self.logarithms else ''})"

    @property
    def link(self) -> Link | None:
        return links.log if self.logarithms else links.identity

    @property
    def symbol(self) -> str | None:
        return "f" if self.logarithms else None

    def estimate(self, x: Any) -> Any:
        return dispatch.ops(dispatch.framework_of(x)).exp(x) if self.logarithms else x

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 0.0


@final
@dataclasses.dataclass(frozen=True)
class Positive(Domain):
    """A number above 0: a rate, a duration, a count's expectation; with `or_zero`, 0 too: a count."""

    or_zero: bool = False
    low = 0.0

    @property
    def wanted(self) -> str:
        return "at least 0" if self.or_zero else "above 0"

    def contains(self, xp: Operations, x: Array, prediction: Array, epsilon: float) -> Array | None:
        return xp.logical_not(x < 0.0 if self.or_zero else x <= 0.0)

    def sample(self, generator: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        above = super().sample(generator, shape)
        return np.where(generator.uniform(size=shape) < 0.1, 0.0, above) if self.or_zero else above

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 1.0


@final
@dataclasses.dataclass(frozen=True)
class Score(Domain):
    """Any number, of which the sign decides the class; `logit` when it is a log-odds.

    With `labels`, integers and booleans are taken too: as the labels themselves.
    """

    logit: bool = True
    labels: Labels | None = dataclasses.field(default=None, compare=False)  # scores mean the same with it
    threshold: ClassVar[float | None] = 0.0

    @property
    def probabilities(self) -> bool:
        return self.logit

    @property
    def link(self) -> Link | None:
        return links.logit if self.logit else None

    @property
    def wanted(self) -> str:
        return "numbers" if self.labels is None else f"scores, or labels as integers ({self.labels.wanted}) or booleans"

    @property
    def symbol(self) -> str | None:
        return "z" if self.logit else "s"

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 0.0


@final
@dataclasses.dataclass(frozen=True)
class Probability(Domain):
    """A number from 0 to 1."""

    threshold: ClassVar[float | None] = 0.5
    low, high = 0.0, 1.0
    probabilities = True
    wanted = "from 0 to 1"

    @property
    def symbol(self) -> str | None:
        return "p"

    def advice(self, argument: str) -> str:
        if argument == "prediction":
            return "logits belong to from_logits=True."
        return "labels -1 and 1 become 0 and 1 by (target + 1) / 2; what is no probability needs a regression loss."

    def contains(self, xp: Operations, x: Array, prediction: Array, epsilon: float) -> Array | None:
        return xp.logical_not(xp.logical_or(x < 0.0, x > 1.0))

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 0.5


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
class Indicator(Domain):
    """Whether something happened: 1 if it did, 0 if not; booleans say the same."""

    low, high = 0.0, 1.0
    discrete = True
    wanted = "0 or 1"

    def advice(self, argument: str) -> str:
        return f"of several kinds, say which one is meant: {argument} == kind."

    def contains(self, xp: Operations, x: Array, prediction: Array, epsilon: float) -> Array | None:
        return xp.logical_or(xp.logical_or(xp.equal(x, 0.0), xp.equal(x, 1.0)), xp.isnan(x))

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 0.0

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        return generator.integers(0, 2, size=shape).astype("float64")


@final
@dataclasses.dataclass(frozen=True)
class Group(Domain):
    """The number of the list that an entry is in: equal ones are together, and which is larger says nothing."""

    low, high = 0.0, 2.0**24 - 1.0  # so far float32 tells whole numbers apart
    discrete = True
    wanted = "numbers of lists, from 0 to 16777215"

    def advice(self, argument: str) -> str:
        return "numpy.unique(names, return_inverse=True)[1] numbers lists by their names."

    def contains(self, xp: Operations, x: Array, prediction: Array, epsilon: float) -> Array | None:
        return xp.logical_not(xp.logical_or(x < self.low, x > self.high))

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 0.0

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        return generator.integers(0, 3, size=shape).astype("float64")

    def edges(self, dtype: str, classes: int = 3) -> Any:
        import numpy as np

        return np.array([0.0, 1.0, 2.0])


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

        limits = _limits(dtype)
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
    """An integer from 0 to K − 1, where K is the size of the prediction's last axis."""

    indices: ClassVar[bool] = True
    low = 0.0
    wanted = "class indices from 0 to K - 1, where K is the size of the prediction's last axis"

    def advice(self, argument: str) -> str:
        return "indices that count from 1 need target - 1; to leave entries out, say where=(target != ignored)."

    def contains(self, xp: Framework, x: Array, prediction: Array, epsilon: float) -> Array | None:
        count: Any = xp.classes(prediction)
        if not isinstance(count, int):  # TensorFlow, where K is only known when the graph runs
            count = xp.cast(count, xp.dtype(x))
        return xp.logical_not(xp.logical_or(x < 0, x >= count))

    def encode(self, index: Any, classes: int) -> Any:
        return index.astype("int64")

    def decide(self, x: Any, argmax: Callable[[Any], Any]) -> Any:
        return x

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 0

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        return generator.integers(0, shape[-1], size=shape[:-1])

    def edges(self, dtype: str, classes: int = 3) -> Any:
        import numpy as np

        return np.array([0, classes - 1])


@final
@dataclasses.dataclass(frozen=True)
class Row(Domain):
    """Rows of numbers, each of which is legal by itself: an embedding, an image's pixels, one number for each quantile.

    Rows of rows are `Row(Row(...))`: what one loss is made of may have two axes, or more.
    """

    entry: Domain

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", self.entry.axes + 1)
        object.__setattr__(self, "takes_all", self.entry.takes_all)

    @property
    def indices(self) -> bool:  # type: ignore[override]  # of each entry
        return self.entry.indices

    @property
    def low(self) -> float:
        return self.entry.low

    @property
    def high(self) -> float:
        return self.entry.high

    @property
    def discrete(self) -> bool:
        return self.entry.discrete

    @property
    def link(self) -> Link | None:
        return self.entry.link

    @property
    def symbol(self) -> str | None:
        return self.entry.symbol

    @property
    def wanted(self) -> str:
        return f"rows whose entries are {self.entry.wanted}" if self.entry.rows else self.entry.wanted

    def advice(self, argument: str) -> str:
        return self.entry.advice(argument)

    def contains(self, xp: Framework, x: Array, prediction: Array, epsilon: float) -> Array | None:
        legal = self.entry.contains(xp, x, prediction, epsilon)
        return None if legal is None else _all_of_each(xp, legal)

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return self.entry.safe(xp, x)

    def activate(self, xp: Operations, x: Array) -> Array:
        return self.entry.activate(xp, x)

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        return self.entry.ordinary(generator, shape)

    def sample(self, generator: Any, shape: tuple[int, ...]) -> Any:
        return self.entry.sample(generator, shape)


@final
@dataclasses.dataclass(frozen=True)
class Boxes(Domain):
    """Rows of two opposite corners of a box, (x1, y1, x2, y2), with x1 ≤ x2 and y1 ≤ y2; all four are finite."""

    axes = 1
    size = 4
    wanted = "rows of finite (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2"

    def room(self, x: Any) -> Any:
        import numpy as np

        with np.errstate(over="ignore"):
            return np.tile(x[..., 2:] - x[..., :2], 2)

    def advice(self, argument: str) -> str:
        return "of (x, y, width, height) the other corner is (x + width, y + height)."

    def contains(self, xp: Framework, x: Array, prediction: Array, epsilon: float) -> Array | None:
        left, top, right, bottom = xp.columns(x, 4)
        swapped = xp.logical_or(left > right, top > bottom)
        return xp.logical_not(xp.logical_or(swapped, xp.equal(xp.max(xp.abs(x)), math.inf)))

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return xp.table([0.0, 0.0, 1.0, 1.0], x)

    def activate(self, xp: Operations, x: Array) -> Array:
        """A corner, and after a softplus width and height."""
        left, top, width, height = xp.columns(x, 4)
        return xp.stack(left, top, left + xp.softplus(width), top + xp.softplus(height))

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        corner = generator.normal(size=(*shape[:-1], 2))
        return np.concatenate([corner, corner + np.exp(0.5 * generator.normal(size=corner.shape))], axis=-1)

    def sample(self, generator: Any, shape: tuple[int, ...]) -> Any:
        """Ordinary boxes, of which every tenth is of another size altogether, or has no area."""
        import numpy as np

        boxes = self.ordinary(generator, shape)
        size = np.where(generator.uniform(size=shape[:-1]) < 0.2, 0.0, 10.0 ** generator.uniform(-6.0, 6.0, shape[:-1]))
        return boxes * np.where(generator.uniform(size=shape[:-1]) < 0.1, size, 1.0)[..., None]

    def edges(self, dtype: str, classes: int = 4) -> Any:
        import numpy as np

        limits = _limits(dtype)
        small, most = float(limits.smallest_normal), float(limits.max)
        flat = [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0], [0.5, -1, 0.5, 1]]
        sizes = [[-size, -size, size, size] for size in (small, 1.0, most)]
        far = [[0, 0, most, most], [-1, 0, 1, small], [-most, -most, -0.5 * most, -0.5 * most]]
        return self._legal(np.array([*flat, *sizes, *far], np.float64), dtype, 4)


@final
@dataclasses.dataclass(frozen=True, init=False)
class Columns(Domain):
    """Rows of as many numbers as there are names, each with a domain of its own.

    `Columns(mean=Real(), log_scale=Real())` are rows of two. In a loss, `xp.columns(p, 2)` takes such rows apart, and
    `xp.stack(mean, log_scale)` puts them together.

    Some names say what a column predicts of the target: mean, median and location a number that stands for it, lower
    and upper what it is not below and not above. Columns of any other name are on a scale of their own.
    """

    _centres: ClassVar[tuple[str, ...]] = ("mean", "median", "location")
    _ends: ClassVar[tuple[str, ...]] = ("lower", "upper")
    columns: tuple[tuple[str, Domain], ...]
    axes = 1

    def __init__(self, **columns: Domain) -> None:
        if len(columns) < 2 or any(domain.rows or domain.indices for domain in columns.values()):
            raise TypeError("Columns needs two names or more, each with a domain of single numbers.")
        object.__setattr__(self, "columns", tuple(columns.items()))
        object.__setattr__(self, "size", len(columns))
        object.__setattr__(self, "takes_all", all(domain.takes_all for domain in columns.values()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.columns)

    @property
    def link(self) -> Link | None:
        return None

    def room(self, x: Any) -> Any:
        import numpy as np

        return np.stack([domain.room(x[..., k]) for k, (_, domain) in enumerate(self.columns)], axis=-1)

    @property
    def says_estimate(self) -> bool:
        return any(name in self._centres for name in self.names)

    def estimate(self, x: Any) -> Any:
        if not self.says_estimate:
            raise TypeError(f"{self!r} has no column that is called mean, median or location.")
        place, domain = next((k, domain) for k, (name, domain) in enumerate(self.columns) if name in self._centres)
        return domain.estimate(x[..., place])

    def perfect(self, target: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        if len(np.shape(target)) == len(shape):
            return np.asarray(target, np.float64)
        if not any(name in (*self._centres, *self._ends) for name in self.names):
            raise TypeError(f"{self!r} has no column of which it is known what it predicts.")
        rows = np.empty(shape)
        rows[...] = self.safe(_numpy(), rows)
        for place, (name, domain) in enumerate(self.columns):
            if name in (*self._centres, *self._ends):
                rows[..., place] = domain.perfect(target, shape[:-1])
        return rows

    @property
    def wanted(self) -> str:
        each = [f"{name} ({domain.wanted})" for name, domain in self.columns]
        return f"rows of {len(each)} columns, {', '.join(each[:-1])} and {each[-1]}"

    def advice(self, argument: str) -> str:
        return f"{argument}[..., k] is column k: {', '.join(f'{k} {name}' for k, name in enumerate(self.names))}."

    def contains(self, xp: Framework, x: Array, prediction: Array, epsilon: float) -> Array | None:
        legal = None
        for (_, domain), column in zip(self.columns, xp.columns(x, len(self.columns)), strict=True):
            inside = domain.contains(xp, column, prediction, epsilon)
            if inside is not None:
                legal = inside if legal is None else xp.logical_and(legal, inside)
        return legal

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return xp.table([domain.safe(xp, x) for _, domain in self.columns], x)

    def activate(self, xp: Operations, x: Array) -> Array:
        columns = zip(self.columns, xp.columns(x, len(self.columns)), strict=True)
        return xp.stack(*(domain.activate(xp, column) for (_, domain), column in columns))

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        return np.stack([domain.ordinary(generator, shape[:-1]) for _, domain in self.columns], axis=-1)

    def edges(self, dtype: str, classes: int = 3) -> Any:
        import numpy as np

        rows = []
        for place, (_, domain) in enumerate(self.columns):
            edges = domain.edges(dtype)
            beside = np.empty((len(edges), len(self.columns)))
            beside[...] = self.safe(_numpy(), beside)
            beside[:, place] = edges
            rows.append(beside)
        return np.unique(np.concatenate(rows), axis=0)

    def sample(self, generator: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        return np.stack([domain.sample(generator, shape[:-1]) for _, domain in self.columns], axis=-1)


@final
@dataclasses.dataclass(frozen=True)
class Learned:
    """Marks an input of a loss that gradients are taken of: `anchor, positive, negative = (Learned(Row(Real())),) * 3`.

    Where no input is marked, gradients are taken of the first, the prediction.
    """

    domain: Domain


def _all_of_each(xp: Operations, holds: Array) -> Array:
    """Whether all entries of each row hold."""
    return xp.equal(xp.sum(xp.where(holds, 0.0, 1.0)), 0.0)


def _edges(dtype: str, low: float, high: float) -> Any:
    """Numbers at the edges of a dtype and of an interval, whether they are inside or not: sorted, float64."""
    import numpy as np

    kind, limits = _dtype(dtype), _limits(dtype)
    anchors = np.array([0.0, 1.0, -1.0, *(each for each in (low, high) if math.isfinite(each))]).astype(kind)
    beside = [np.nextafter(anchors, np.array(far).astype(kind)) for far in (-math.inf, math.inf)]
    sizes = np.array([limits.smallest_normal, limits.max, math.inf]).astype(kind)
    return np.unique(np.concatenate([anchors, *beside, sizes, -sizes]).astype("float64"))


def _dtype(name: str) -> Any:
    import ml_dtypes
    import numpy as np

    return np.dtype(getattr(ml_dtypes, name, name))


def _limits(dtype: str) -> Any:
    import ml_dtypes

    return ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]  # it has no types


def _numpy() -> Framework:
    from lossary.ops.numpy import ops

    return ops


def _at_least(bound: float, other: Any, xp: Operations) -> Any:
    return max(bound, other) if isinstance(other, float) else xp.maximum(other, bound)
