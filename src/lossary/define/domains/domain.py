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
from lossary.ops.ops import Array, Operations

if TYPE_CHECKING:
    from lossary.define.domains.classes import Labels
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

    @final
    @property
    def one_index(self) -> bool:
        """Whether one legal value is the index of a class, and no row of them: a call may leave it out."""
        return self.indices and not self.rows

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
    def says_interval(self) -> bool:
        """Whether a value predicts between which numbers one lies, which `interval` makes of it."""
        return False

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

    def interval(self, x: Any) -> Any:
        """The lower and the upper end that each value predicts for a number, in NumPy: (…, 2).

        Raises:
            TypeError: it predicts no two ends.
        """
        raise TypeError(f"{self!r} has no lower and upper end.")

    def perfect(self, target: Any, shape: tuple[int, ...]) -> Any:
        """The predictions that are right where amounts are known to be these, in NumPy: they themselves, or what stands
        for them; in rows beside single numbers, that number in each entry. Columns that are no estimate of the target
        have a legal value. None where it is not known what rows of a fixed size say of a single number: a domain that
        knows has its own.

        Args:
            target: targets that are no classes.
            shape: that of the prediction.
        """
        import numpy as np

        target = np.asarray(target, np.float64)
        if self.size and target.ndim < len(shape):
            return None
        said = target if self.link is None else self.link.apply(target)
        return np.broadcast_to(said[(..., *(None,) * (len(shape) - target.ndim))], shape)

    # ── legal values ─────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def innermost(self) -> Domain:
        """What rows are made of, or rows of rows; itself where that is all."""
        return self

    @final
    def shape_beside(self, prediction: Domain, shape: tuple[int, ...]) -> tuple[int, ...]:
        """What to ask `ordinary` and `sample` for, beside predictions of that domain and shape: as many of the axes of
        a prediction as a value of this domain has."""
        return shape if self.indices else shape[: len(shape) - prediction.axes + self.axes]

    def inside(self, x: Any) -> Any:
        """Amounts of any size and sign brought inside the bounds, in order: 0 to the middle of two, or away from the
        only one by a `_unit`; as they are where every number is legal. Of values that are apart the one or the other
        bound."""
        import numpy as np

        low, high = self.low, self.high
        if self.unbounded:
            return x
        if self.discrete and math.isfinite(high - low):
            return np.where(np.asarray(x) > 0.0, high, low)
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
        rows[...] = self.safe(numpy_ops(), rows)
        rows.reshape(len(numbers), -1)[:, 0] = numbers
        return self._legal(rows, dtype, classes)

    @final
    def _legal(self, points: Any, dtype: str, classes: int) -> Any:
        """Those of the points that are legal, as numbers of the dtype."""
        import numpy as np

        points = points.astype(_dtype(dtype)).astype("float64")
        with np.errstate(all="ignore"):
            legal = self.contains(numpy_ops(), points, np.empty((len(points), classes)), float(limits_of(dtype).eps))
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
            legal = None if alone else self.contains(numpy_ops(), found, found, float(np.finfo("float64").eps))
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
class Learned:
    """Marks an input of a loss that gradients are taken of: `anchor, positive, negative = (Learned(Row(Real())),) * 3`.

    Where no input is marked, gradients are taken of the first, the prediction.
    """

    domain: Domain


def _edges(dtype: str, low: float, high: float) -> Any:
    """Numbers at the edges of a dtype and of an interval, whether they are inside or not: sorted, float64."""
    import numpy as np

    kind, limits = _dtype(dtype), limits_of(dtype)
    anchors = np.array([0.0, 1.0, -1.0, *(each for each in (low, high) if math.isfinite(each))]).astype(kind)
    beside = [np.nextafter(anchors, np.array(far).astype(kind)) for far in (-math.inf, math.inf)]
    sizes = np.array([limits.smallest_normal, limits.max, math.inf]).astype(kind)
    return np.unique(np.concatenate([anchors, *beside, sizes, -sizes]).astype("float64"))


def _dtype(name: str) -> Any:
    import ml_dtypes
    import numpy as np

    return np.dtype(getattr(ml_dtypes, name, name))


def limits_of(dtype: str) -> Any:
    import ml_dtypes

    return ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]  # it has no types


def numpy_ops() -> Framework:
    from lossary.ops.numpy import ops

    return ops
