"""How a hyper-parameter follows from the data: a rule, declared on the hyper-parameter in the loss's own file."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, final

from lossary.recipes import balanced

if TYPE_CHECKING:
    from lossary.define.parameters import Setting

_IMBALANCED = 0.5  # the rarest class has less than this part of an equal share


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Facts:
    """The numbers that hyper-parameters are made from: of all rows, or of the training rows of a fold."""

    center: float = 0.0  # the target's median
    scale: float = 1.0  # its interquartile range
    spread: float = 1.0  # robust standard deviation of what a linear fit leaves unexplained
    counts: tuple[int, ...] = ()  # rows per class
    noise: float = 0.0  # the share of labels that look wrong

    @property
    def imbalanced(self) -> bool:
        """Whether the rarest class has less than half of an equal share."""
        return bool(self.counts) and min(self.counts) * len(self.counts) < _IMBALANCED * sum(self.counts)


class Choice(ABC):
    """A rule that makes values of a hyper-parameter from facts."""

    # Whether the default says nothing about data (a residual size of 1, say), so that the rule's values replace it;
    # otherwise they are tried beside it.
    replaces_default: ClassVar[bool] = False
    # Whether each value answers a question of its own, so that data cannot choose among them.
    for_the_user: ClassVar[bool] = False
    # Whether it makes rare classes count as frequent ones do.
    balances: ClassVar[bool] = False

    def applies(self, facts: Facts) -> bool:
        """Whether the data give a reason to use the rule."""
        return True

    @abstractmethod
    def values(self, default: Setting, facts: Facts) -> tuple[Setting, ...]:
        """The values to choose among, the best guess first."""

    @abstractmethod
    def reason(self, name: str) -> str:
        """Why, in one sentence about the hyper-parameter `name`."""


@final
@dataclasses.dataclass(frozen=True)
class TimesSpread(Choice):
    """Multiples of the residuals' robust spread, in the target's own units; the first is the rule of thumb."""

    factors: tuple[float, ...]
    replaces_default: ClassVar[bool] = True

    def values(self, default: Setting, facts: Facts) -> tuple[Setting, ...]:
        return tuple(factor * facts.spread for factor in self.factors)

    def reason(self, name: str) -> str:
        return f"{name} = {self.factors[0]:g} x robust spread"


@final
@dataclasses.dataclass(frozen=True)
class Wanted(Choice):
    """What only the user can know; these values are the usual questions."""

    usual: tuple[float, ...]
    replaces_default: ClassVar[bool] = True
    for_the_user: ClassVar[bool] = True

    def values(self, default: Setting, facts: Facts) -> tuple[Setting, ...]:
        return self.usual

    def reason(self, name: str) -> str:
        return f"{name} is what you want it to be"


@final
@dataclasses.dataclass(frozen=True)
class Balance(Choice):
    """Weights that make imbalanced classes count alike, or go half of the way (square roots).

    A number is the weight of the positive class (the second); a table has one weight for each class, 1 on average.
    """

    balances: ClassVar[bool] = True

    def applies(self, facts: Facts) -> bool:
        return facts.imbalanced

    def values(self, default: Setting, facts: Facts) -> tuple[Setting, ...]:
        counts = [max(count, 1) for count in facts.counts]
        if isinstance(default, tuple):
            full = balanced(counts)
            roots = [weight**0.5 for weight in full]
            mean = sum(root * count for root, count in zip(roots, counts, strict=True)) / sum(counts)
            return full, tuple(root / mean for root in roots)
        ratio = counts[0] / counts[1]
        return ratio, ratio**0.5

    def reason(self, name: str) -> str:
        return "weights make the imbalanced classes count alike"


@final
@dataclasses.dataclass(frozen=True)
class Counted(Choice):
    """How many rows each class has, for losses that are told what is frequent."""

    replaces_default: ClassVar[bool] = True
    balances: ClassVar[bool] = True

    def applies(self, facts: Facts) -> bool:
        return facts.imbalanced

    def values(self, default: Setting, facts: Facts) -> tuple[Setting, ...]:
        return (tuple(float(max(count, 1)) for count in facts.counts),)

    def reason(self, name: str) -> str:
        return f"{name} is how many rows each class has"


@final
@dataclasses.dataclass(frozen=True)
class AgainstNoise(Choice):
    """A value that guards against wrong labels: for many classes worth a try, for two where labels look wrong."""

    value: float

    def applies(self, facts: Facts) -> bool:
        return len(facts.counts) > 2 or facts.noise > 0

    def values(self, default: Setting, facts: Facts) -> tuple[Setting, ...]:
        return (self.value,)

    def reason(self, name: str) -> str:
        return "guards against over-confidence and wrong labels"
