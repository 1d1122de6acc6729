"""Domains of one number."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, final

from lossary.define import link as links
from lossary.define.domains.classes import Labels
from lossary.define.domains.domain import Domain
from lossary.define.link import Link
from lossary.ops import dispatch
from lossary.ops.ops import Array, Operations


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
class NonZero(Domain):
    """Any number but 0: an amount in which an error is counted."""

    wanted = "other than 0"

    def advice(self, argument: str) -> str:
        return "an error is no share of 0: where 0 is a number like others, take a loss of the error itself."

    def room(self, x: Any) -> Any:
        import numpy as np

        return np.abs(x)

    def contains(self, xp: Operations, x: Array, prediction: Array, epsilon: float) -> Array | None:
        return xp.logical_not(xp.equal(x, 0.0))

    def inside(self, x: Any) -> Any:
        import numpy as np

        return np.where(x < 0.0, x, x + 1.0)

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 1.0

    def activate(self, xp: Operations, x: Array) -> Array:
        return xp.where(x < 0.0, x, x + 1.0)

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        return generator.choice([-1.0, 1.0], size=shape) * np.exp(generator.normal(size=shape))


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
