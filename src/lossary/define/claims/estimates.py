"""Claims about which number minimising a loss estimates."""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from typing import Any, final

from lossary.define.claims.claim import Claim, first_of
from lossary.define.link import Link
from lossary.define.probe import Probe

_NO_NUMBERS = "its predictions are no estimates of a number"


@dataclasses.dataclass(frozen=True)
class EstimatesFunctional(Claim):
    """The expected loss is least at a functional of the targets' law, a number, and nowhere else."""

    @final
    def __str__(self) -> str:
        return f"estimates the {self.estimated}"

    @abstractmethod
    def of_laws(self, probe: Probe, values: Any, shares: Any) -> tuple[Any, Any]:
        """The lowest and the highest value of the functional, for each law."""

    @final
    def refute(self, probe: Probe) -> str | None:
        if probe.loss.prediction.says_class or probe.rows or not probe.loss.paired:
            return _NO_NUMBERS
        np = probe.np
        values, shares = probe.laws(max(2, probe.points // 40))
        lowest, highest = self.of_laws(probe, values, shares)
        candidates = between_ends(probe, values, lowest)
        costs = probe.mean_costs(candidates, values, shares)
        least = probe.mean_costs(np.stack([lowest, highest], axis=1), values, shares).max(axis=1)[:, None]
        slack = 1e-12 * np.abs(least)
        away = np.ptp(values, axis=1)[:, None] * 1e-3
        outside = (candidates < lowest[:, None] - away) | (candidates > highest[:, None] + away)
        cheaper = (costs < least - slack) | (outside & (costs <= least + slack))
        return _cheaper_than(probe, cheaper, candidates, self.estimated, lowest, values, shares)

    @final
    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        return self if all(first_of(type(self), each) == self for each in others) else None


@final
@dataclasses.dataclass(frozen=True)
class Estimates(EstimatesFunctional):
    """The expected loss is least at this functional of the targets' law, and nowhere else.

    Without a level the functional is the mean; with one, the quantile of that level (all of them, where there are
    several), or the expectile: where what is missed above, times its level, is what is missed below times the rest.
    """

    functional: str
    level: float | None = None
    expectile: float | None = dataclasses.field(default=None, kw_only=True)
    name = "estimates"

    @property
    def implies(self) -> tuple[Claim, ...]:
        return (EstimatesCentre(),) if {self.level, self.expectile} <= {None, 0.5} else ()

    @property
    def estimated(self) -> str:
        return self.functional

    def of_laws(self, probe: Probe, values: Any, shares: Any) -> tuple[Any, Any]:
        if self.level is not None:
            return quantiles_of(probe, values, shares, self.level)
        np = probe.np
        ordered, shares = _in_order(probe, values, shares)
        # A mean in which the upper values count for the level and the lower ones for the rest: of all ways to part
        # them the one that is most on the heavier side (Newey & Powell 1987).
        level = 0.5 if self.expectile is None else self.expectile
        parted = np.where(np.tri(values.shape[1], dtype=bool), 1.0 - level, level) * shares[:, None, :]
        means = (parted * ordered[:, None, :]).sum(axis=2) / parted.sum(axis=2)
        found = means.max(axis=1) if level >= 0.5 else means.min(axis=1)
        return found, found


@final
@dataclasses.dataclass(frozen=True)
class EstimatesWeighted(EstimatesFunctional):
    """The expected loss is least at the mean (with a level, at that quantile) of the law in which each target counts as
    much as this power of its size, and nowhere else."""

    functional: str
    power: float
    level: float | None = None
    name = "estimates a weighted functional"

    @property
    def estimated(self) -> str:
        return self.functional

    def of_laws(self, probe: Probe, values: Any, shares: Any) -> tuple[Any, Any]:
        weighted = shares * probe.np.abs(values) ** self.power
        weighted = weighted / weighted.sum(axis=1, keepdims=True)
        return Estimates(self.functional, self.level).of_laws(probe, values, weighted)


@final
@dataclasses.dataclass(frozen=True)
class EstimatesHuberQuantile(EstimatesFunctional):
    """The expected loss is least where what is missed above, counted up to `delta` and times the level, is what is
    missed below, counted so and times the rest; and nowhere else."""

    level: float
    delta: float
    name = "estimates a Huber quantile"

    @property
    def implies(self) -> tuple[Claim, ...]:
        return (EstimatesCentre(),) if self.level == 0.5 else ()

    @property
    def estimated(self) -> str:
        return f"Huber {'median' if self.level == 0.5 else f'{self.level:g}-quantile'}"

    def of_laws(self, probe: Probe, values: Any, shares: Any) -> tuple[Any, Any]:
        return self._end(probe, values, shares, -1e-12), self._end(probe, values, shares, 1e-12)

    def _end(self, probe: Probe, values: Any, shares: Any, slack: float) -> Any:
        """For each law the lowest number at which less is missed above than below, by bisection; with some slack, for
        there may be many at which it is equal."""
        np = probe.np
        low, high = values.min(axis=1), values.max(axis=1)
        for _ in range(60):
            middle = 0.5 * low + 0.5 * high
            missed = np.clip(middle[:, None] - values, -self.delta, self.delta)
            counted = np.where(missed < 0.0, self.level, 1.0 - self.level) * missed
            below = (shares * counted).sum(axis=1) < slack * self.delta
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return high


@final
@dataclasses.dataclass(frozen=True)
class EstimatesTransformed(EstimatesFunctional):
    """The expected loss is least at what the mean of the link's answers for the targets stands for, and nowhere
    else."""

    functional: str
    link: Link
    name = "estimates a transformed mean"

    @property
    def estimated(self) -> str:
        return self.functional

    def of_laws(self, probe: Probe, values: Any, shares: Any) -> tuple[Any, Any]:
        mean = self.link.inverse((shares * self.link.apply(values)).sum(axis=1))
        return mean, mean


@final
@dataclasses.dataclass(frozen=True)
class EstimatesCentre(Claim):
    """Where the targets' law is symmetric, the expected loss is least at its centre; of skewed laws it says nothing.

    Predictions that are off by no more than `within` may cost as little.
    """

    within: float = 0.0
    name = "estimates the centre of symmetry"

    @property
    def estimated(self) -> str:
        return "centre of symmetry"

    def refute(self, probe: Probe) -> str | None:
        np = probe.np
        if probe.loss.prediction.says_class or probe.rows or not probe.loss.paired:
            return _NO_NUMBERS
        centre, values, shares = probe.symmetric_laws(max(2, probe.points // 40))
        candidates = between_ends(probe, values, centre)
        costs = probe.mean_costs(candidates, values, shares)
        least = probe.mean_costs(centre[:, None], values, shares)
        slack = 1e-12 * np.abs(least)
        at_an_end = (candidates == values.min(axis=1)[:, None]) | (candidates == values.max(axis=1)[:, None])
        at_an_end &= np.ptp(values, axis=1)[:, None] > 2.0 * self.within
        cheaper = (costs < least - slack) | (at_an_end & (costs <= least + slack))
        return _cheaper_than(probe, cheaper, candidates, "centre", centre, values, shares)


@final
@dataclasses.dataclass(frozen=True)
class EstimatesBulk(Claim):
    """The further out a target is, the less it pulls, in the end with nothing: the expected loss is least among the
    bulk of the targets, whatever the others are. There may be several minima."""

    name = "estimates where the bulk is"

    @property
    def estimated(self) -> str:
        return "bulk of the targets"

    def refute(self, probe: Probe) -> str | None:
        np, generator, loss = probe.np, probe.generator, probe.loss
        if not probe.is_regression or probe.rows or not (loss.prediction.takes_all and loss.target.takes_all):
            return _NO_NUMBERS
        far = generator.choice([-1.0, 1.0], size=probe.shape) * 10.0 ** generator.uniform(6.0, 9.0, size=probe.shape)
        target = np.zeros(probe.shape)
        # Far further out: it may decline slowly.
        here, there = (probe.size(probe.gradient(x, target)) for x in (far, 1e60 * far))
        pulled = probe.first((there > 0.01 * here) & (there > 0.0), prediction=1e60 * far, target=target)
        if pulled is not None:
            return f"the gradient does not decline, {pulled}"
        # Four of six values, with four fifths of the shares, are together.
        centre = generator.normal(size=(max(2, probe.points // 40), 1))
        away = generator.choice([-1.0, 1.0], size=(len(centre), 2)) * far[: 2 * len(centre)].reshape(-1, 2)
        values = centre + np.concatenate([1e-3 * generator.normal(size=(len(centre), 4)), away], axis=1)
        shares = np.broadcast_to([0.2, 0.2, 0.2, 0.2, 0.1, 0.1], values.shape)
        costs = probe.mean_costs(values, values, shares)
        cheaper = (costs <= costs[:, :4].min(axis=1, keepdims=True)) & (np.arange(6) >= 4)
        return _cheaper_than(probe, cheaper, values, "bulk", centre[:, 0], values, shares)


@final
@dataclasses.dataclass(frozen=True)
class EstimatesCircularMean(Claim):
    """On a circle of this circumference the expected loss is least in the direction of the mean of the targets' points,
    so many turns away as well, and nowhere else. Where the points' mean is the circle's centre it says nothing."""

    circumference: float
    name = "estimates the circular mean"

    @property
    def estimated(self) -> str:
        return "circular mean"

    def refute(self, probe: Probe) -> str | None:
        np, loss = probe.np, probe.loss
        if not probe.is_regression or probe.rows or not (loss.prediction.takes_all and loss.target.takes_all):
            return _NO_NUMBERS
        values, shares = probe.laws(max(2, probe.points // 40))
        values = 0.2 * self.circumference * values  # so that most are apart by some share of a turn, and some by more
        points = (shares * np.exp(2j * math.pi / self.circumference * values)).sum(axis=1)
        mean = np.angle(points) / (2.0 * math.pi)
        # In turns from the mean: over a whole one, ever closer, and further away than a turn.
        close = [sign * 0.5 * 10.0**-k for k in range(1, 5) for sign in (1.0, -1.0)]
        away = np.concatenate([[0.0, 1.0, -3.0], close, np.linspace(-0.5, 0.5, 12), [1.9, 2.3]])
        candidates = self.circumference * (mean[:, None] + away)
        costs = probe.mean_costs(candidates, values, shares)
        least, said = costs[:, :1], np.abs(points)[:, None] > 0.05
        slack = 1e-12 * np.abs(least)
        if ((np.abs(costs - least)[:, :3] > 1e3 * slack) & said).any():
            return "a whole turn away it costs something else"
        outside = np.abs(away - np.round(away)) > 1e-3
        cheaper = said & ((costs < least - slack) | (outside & (costs <= least + slack)))
        return _cheaper_than(probe, cheaper, candidates, self.estimated, candidates[:, 0], values, shares)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        return self if all(first_of(type(self), each) == self for each in others) else None


def _in_order(probe: Probe, values: Any, shares: Any) -> tuple[Any, Any]:
    """Each law's values in ascending order, and the shares that go with them."""
    order = probe.np.argsort(values, axis=1)
    return probe.np.take_along_axis(values, order, axis=1), probe.np.take_along_axis(shares, order, axis=1)


def quantiles_of(probe: Probe, values: Any, shares: Any, level: float) -> tuple[Any, Any]:
    """The lowest and the highest quantile of that level, for each law."""
    np = probe.np
    ordered, shares = _in_order(probe, values, shares)
    below = np.cumsum(shares, axis=1)
    places = [(below < level - 1e-12).sum(axis=1), (below <= level + 1e-12).sum(axis=1)]
    last = values.shape[1] - 1
    lowest, highest = (np.take_along_axis(ordered, np.minimum(each, last)[:, None], axis=1)[:, 0] for each in places)
    return lowest, highest


def between_ends(probe: Probe, values: Any, best: Any) -> Any:
    """Predictions to try, for each law: over its whole range, and ever closer to what should be best."""
    np = probe.np
    ends = np.stack([values.min(axis=1), values.max(axis=1)], axis=1)
    steps = np.linspace(0.0, 1.0, 13)
    over = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * steps
    over[:, -1] = ends[:, 1]
    close = [best[:, None] + (ends - best[:, None]) * 10.0**-k for k in range(1, 5)]
    return np.concatenate([over, *close], axis=1)


def _cheaper_than(
    probe: Probe, cheaper: Any, candidates: Any, functional: str, best: Any, values: Any, shares: Any
) -> str | None:
    """The first candidate that costs no more than the functional, in words."""
    np = probe.np
    where = np.argwhere(cheaper)
    if not len(where):
        return None
    law, which = where[0]
    better = f"{candidates[law, which]:.6g} costs no more than the {functional} {best[law]:.6g}"
    targets = ", ".join(f"{x:.4g} ({share:.2f})" for x, share in zip(values[law], shares[law], strict=True))
    return f"{better} of targets (and shares) {targets}"
