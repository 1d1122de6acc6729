"""Claims about what minimising a loss estimates."""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from typing import Any, final

from lossary.define.claims.claim import NO_ENTRIES, Claim, first_of, if_alone, includes
from lossary.define.claims.curve import Convex
from lossary.define.link import Link
from lossary.define.probe import Probe

_NO_PROBABILITIES = "its predictions are no probabilities"
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
        candidates = _between_ends(probe, values, lowest)
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
            return _quantiles(probe, values, shares, self.level)
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
        candidates = _between_ends(probe, values, centre)
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


@final
@dataclasses.dataclass(frozen=True)
class EstimatesMoments(Claim):
    """The expected loss is least where each column is what its name says of the targets' law, whatever that law is, and
    nowhere else: the mean, and the spread as `std`, `variance` or `log_std`."""

    name = "estimates mean and variance"

    @property
    def estimated(self) -> str:
        return "mean and variance"

    def refute(self, probe: Probe) -> str | None:
        np = probe.np
        names = getattr(probe.loss.prediction, "names", ())
        if set(names) - {"mean", "std", "variance", "log_std"} or "mean" not in names or len(names) < 2:
            return "its prediction is no mean and variance"
        values, shares = probe.laws(max(2, probe.points // 200))
        values = values / np.abs(values).max(axis=1, keepdims=True)  # so that no cost is large beside the least one
        mean = (values * shares).sum(axis=1)
        variance = ((values - mean[:, None]) ** 2 * shares).sum(axis=1)
        # Off by many units of the spread or by few, in one column or in both; at first by nothing.
        away = np.concatenate([[0.0], *(sign * np.geomspace(0.01, 3.0, 6) for sign in (1.0, -1.0))])
        shift, factor = (x.ravel() for x in np.meshgrid(away, np.exp(away)))
        std = np.sqrt(variance)[:, None] * factor
        columns = {
            "mean": mean[:, None] + np.sqrt(variance)[:, None] * shift,
            "std": std,
            "variance": std * std,
            "log_std": np.log(std),
        }
        candidates = np.stack([columns[name] for name in names], axis=-1)
        cost = sum(
            share[:, None] * probe.values(candidates, np.repeat(value[:, None], len(shift), axis=1))
            for value, share in zip(values.T, shares.T, strict=True)
        )
        slack = 1e-10 * (1.0 + np.abs(cost[:, :1]))
        cheaper = cost <= cost[:, :1] + slack
        cheaper[:, 0] = cost[:, 0] == -np.inf
        law = np.repeat(values[:, None], len(shift), axis=1)
        true = np.repeat(candidates[:, :1], len(shift), axis=1)
        return probe.first(cheaper, true=true, better=candidates, targets=law)


@final
@dataclasses.dataclass(frozen=True)
class EstimatesLocationAndScale(Claim):
    """Where the targets' law is of this family, the expected loss is least at its location and its scale, and nowhere
    else; of other laws it says nothing. Columns are a location and a scale, of which a name that begins with `log_` has
    the logarithm; a Student's t law has so many degrees of freedom."""

    law: str
    degrees: float | None = None
    name = "estimates location and scale"

    def __str__(self) -> str:
        return f"estimates location and scale of a {self.law} law"

    @property
    def estimated(self) -> str:
        return f"{self.law} law"

    def refute(self, probe: Probe) -> str | None:
        np, generator, prediction = probe.np, probe.generator, probe.loss.prediction
        names: tuple[str, ...] = getattr(prediction, "names", ())
        if len(names) != 2 or not prediction.says_estimate or probe.loss.target.rows:
            return "its prediction is no location and scale"
        # Far out in steps that grow, so that heavy tails are held, and 0 among them, where there may be a kink.
        steps = np.linspace(-7.6, 7.6, 801)
        away, shares = np.sinh(steps), self._density(np, np.sinh(steps)) * np.cosh(steps)
        shares = shares / shares.sum()
        # Off by many units of the scale or by few, in one column or in both; at first by nothing.
        off = np.concatenate([[0.0], *(sign * np.geomspace(0.01, 3.0, 6) for sign in (1.0, -1.0))])
        shift, factor = (x.ravel() for x in np.meshgrid(off, np.exp(off)))
        for _ in range(max(2, probe.points // 2000)):
            location, scale = generator.normal(), np.exp(generator.normal())
            second = np.log(scale * factor) if names[1].startswith("log_") else scale * factor
            candidates = np.stack([location + scale * shift, second], axis=-1)
            prediction = np.repeat(candidates[:, None], len(away), axis=1)
            target = np.broadcast_to(location + scale * away, prediction.shape[:2])
            cost = probe.values(prediction, np.ascontiguousarray(target)) @ shares
            cheaper = cost <= cost[0] + 1e-10 * (1.0 + np.abs(cost[0]))
            cheaper[0] = cost[0] == -np.inf
            found = probe.first(cheaper, true=np.broadcast_to(candidates[0], candidates.shape), better=candidates)
            if found is not None:
                return found
        return None

    def _density(self, np: Any, z: Any) -> Any:
        """How dense the family's standard law is, up to a factor."""
        match self.law:
            case "normal":
                return np.exp(-0.5 * z * z)
            case "Laplace":
                return np.exp(-np.abs(z))
            case "logistic":
                return np.exp(-np.abs(z)) / (1.0 + np.exp(-np.abs(z))) ** 2
            case "Student's t" if self.degrees is not None:
                return (1.0 + z * z / self.degrees) ** (-0.5 * (self.degrees + 1.0))
        raise TypeError(f"{self!r} is of no family of laws that is known.")

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        same = all(first_of(EstimatesLocationAndScale, each) == self for each in others)
        return self if same else None


@final
@dataclasses.dataclass(frozen=True)
class EstimatesQuantiles(Claim):
    """The expected loss is least where each entry of a row is the quantile of its level, and nowhere else."""

    levels: tuple[float, ...]
    name = "estimates quantiles"

    def __str__(self) -> str:
        return f"estimates the {self.estimated}"

    @property
    def estimated(self) -> str:
        if len(self.levels) > 2:
            return f"{self.levels[0]:g}- to {self.levels[-1]:g}-quantiles"
        return " and ".join(f"{level:g}-quantile" for level in self.levels)

    def refute(self, probe: Probe) -> str | None:
        np, generator, count = probe.np, probe.generator, len(self.levels)
        if probe.shape[1:] != (count,) or probe.loss.prediction.says_class or probe.loss.target.rows:
            return f"its prediction is no row of {count} numbers"
        values, shares = probe.laws(max(2, probe.points // 200))
        ends = [_quantiles(probe, values, shares, level) for level in self.levels]
        lowest, highest = (np.stack(each, axis=-1)[:, None] for each in zip(*ends, strict=True))
        # Off in one entry, over the whole range of the law and close to the quantile, and in all of them.
        tried = [lowest, highest]
        for place in range(count):
            moved = _between_ends(probe, values, lowest[:, 0, place])
            tried.append(np.where(np.arange(count) == place, moved[..., None], lowest))
        spread = np.ptp(values, axis=1)[:, None, None]
        tried.append(lowest + spread * generator.normal(scale=0.3, size=(len(values), 20, count)))
        candidates = np.concatenate(tried, axis=1)
        true = np.repeat(lowest, candidates.shape[1], axis=1)
        flat = (each.reshape(-1, count) for each in (candidates, true))
        candidates = probe.legal(*flat).reshape(true.shape)
        if not np.array_equal(probe.legal(lowest[:, 0], lowest[:, 0] + np.nan), lowest[:, 0]):
            return "quantiles are no legal predictions"
        costs = sum(
            share[:, None] * probe.values(candidates, np.repeat(value[:, None], candidates.shape[1], axis=1))
            for value, share in zip(values.T, shares.T, strict=True)
        )
        least = costs[:, :2].max(axis=1, keepdims=True)
        slack, away = 1e-12 * np.abs(least), 1e-3 * spread
        outside = ((candidates < lowest - away) | (candidates > highest + away)).any(axis=-1)
        cheaper = (costs < least - slack) | (outside & (costs <= least + slack))
        law = np.repeat(values[:, None], candidates.shape[1], axis=1)
        return probe.first(cheaper, true=true, better=candidates, targets=law)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        same = all(first_of(EstimatesQuantiles, each) == self for each in others)
        return self if same else None


@final
@dataclasses.dataclass(frozen=True)
class EstimatesLaw(Claim):
    """The expected loss is least where the entries of a row are the law of the targets, each with the same share, and
    nowhere else; or with `draws`, where they are drawn at random from that law, and from no other."""

    draws: bool = False
    name = "estimates the law"

    def __str__(self) -> str:
        return f"estimates the law that the {'draws are from' if self.draws else 'entries are'}"

    @property
    def estimated(self) -> str:
        return "whole law"

    def refute(self, probe: Probe) -> str | None:
        prediction, target = probe.loss.prediction, probe.loss.target
        if prediction.axes != 1 or target.rows or not (prediction.says_amount and target.says_amount):
            return "its prediction is no row of draws"
        if probe.pooled:
            return NO_ENTRIES
        values, _ = probe.laws(max(2, probe.points // 200))
        return self._of_draws(probe, values[:, :3]) if self.draws else self._of_entries(probe, values)

    def _of_entries(self, probe: Probe, values: Any) -> str | None:
        np, generator, count = probe.np, probe.generator, probe.classes
        true = generator.permuted(np.resize(values, (len(values), count)), axis=1)[:, None]
        spread = np.ptp(true, axis=-1, keepdims=True)
        steps = generator.normal(size=(len(true), 60, count)) * 10.0 ** generator.uniform(-2.0, 0.0, size=(60, 1))
        steps[:, ::2] *= np.arange(count) == generator.integers(count, size=(30, 1))  # every other in one entry alone
        closer = true.mean(axis=-1, keepdims=True) - true
        others = np.concatenate([true + spread * steps, *(true + share * closer for share in (-0.1, 0.1, 1.0))], axis=1)
        candidates = np.concatenate([true, others], axis=1)
        flat = candidates.reshape(-1, count)
        candidates = probe.legal(flat, np.repeat(true, candidates.shape[1], axis=1).reshape(flat.shape))
        candidates = candidates.reshape(len(true), -1, count)
        costs = sum(probe.values(candidates, np.broadcast_to(true[..., k], candidates.shape[:2])) for k in range(count))
        away = np.abs(np.sort(candidates) - np.sort(true)).max(axis=-1) > 1e-3 * spread[..., 0]
        cheaper = away & (costs <= costs[:, :1] + 1e-12 * np.abs(costs[:, :1]))
        return probe.first(cheaper, better=candidates, targets=np.broadcast_to(true, candidates.shape))

    def _of_draws(self, probe: Probe, values: Any) -> str | None:
        """Of three numbers, by every row that can be drawn."""
        np, generator = probe.np, probe.generator
        drawn = np.stack(np.meshgrid(*[np.arange(3)] * min(probe.classes, 5), indexing="ij"), -1)
        drawn = drawn.reshape(-1, drawn.shape[-1])
        rows = values[:, drawn]
        costs = np.stack([probe.values(rows, np.repeat(x[:, None], len(drawn), axis=1)) for x in values.T], axis=-1)
        true = generator.dirichlet(np.ones(3), size=(len(values), 1))
        near = 10.0 ** generator.uniform(-1.5, 0.0, size=(60, 1))
        laws = np.concatenate([true, true + near * (generator.dirichlet(np.ones(3), size=(len(values), 60)) - true)], 1)
        expected = np.einsum("lcr,lrt,lt->lc", laws[:, :, drawn].prod(axis=-1), costs, true[:, 0])
        away = np.abs(laws - true).max(axis=-1) > 1e-3
        cheaper = away & (expected <= expected[:, :1] + 1e-12 * np.abs(expected[:, :1]))
        of_each = (np.broadcast_to(x, laws.shape) for x in (values[:, None], true))
        return probe.first(cheaper, better=laws, **dict(zip(("targets", "shares"), of_each, strict=True)))

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        same = all(first_of(EstimatesLaw, each) == self for each in others)
        return self if same else None


@final
@dataclasses.dataclass(frozen=True)
class EstimatesHazardRatio(Claim):
    """Of two groups whose hazards keep their ratio, the loss is least where the predictions differ by its logarithm."""

    name = "estimates the hazard ratio"

    @property
    def estimated(self) -> str:
        return "log hazard ratio"

    def refute(self, probe: Probe) -> str | None:
        if probe.loss.inputs != ("prediction", "time", "event"):
            return "its inputs are no times and events"
        np, size = probe.np, 500
        quantiles = -np.log1p(-(np.arange(size) + 0.5) / size)  # of the time at which a hazard of 1 strikes
        for wanted in (-1.5, *probe.generator.uniform(-1.0, 1.0, size=3)):
            strikes = np.concatenate([quantiles, quantiles * math.exp(-wanted)])
            seen = np.tile(probe.generator.permutation(quantiles) * 2.0 + 0.01, 2)  # and nobody is seen for longer
            data = {"time": np.minimum(strikes, seen), "event": (strikes <= seen).astype("float64")}
            tried = wanted + np.array([0.0, -0.5, -0.25, 0.25, 0.5])
            costs = [probe.loss(prediction=np.repeat([0.0, each], size), **data) for each in tried]
            best = tried[int(np.argmin(costs))]
            if best != wanted or np.ptp(costs) == 0.0:
                return f"{best:g} costs no more than the logarithm of the hazards' ratio, {wanted:g}"
        return None


@final
@dataclasses.dataclass(frozen=True)
class Proper(Claim):
    """The expected loss is least when the prediction is the true probability, and nowhere else (strictly proper)."""

    functional: str = "probability"
    name = "proper"

    @property
    def estimated(self) -> str:
        return self.functional

    def refute(self, probe: Probe) -> str | None:
        if probe.pooled or not probe.loss.prediction.probabilities:
            return NO_ENTRIES if probe.pooled else _NO_PROBABILITIES
        np = probe.np
        outcomes = probe.outcomes()
        chances = np.moveaxis(probe.generator.dirichlet(np.ones(len(outcomes)), size=probe.lead), -1, 0)
        true = sum(probe.over_rows(chance) * share for chance, (_, share) in zip(chances, outcomes, strict=True))
        other = probe.shares()
        other[::2] = 0.97 * true[::2] + 0.03 * other[::2]  # a minimum that is off by little

        def cost(share: Any) -> Any:
            prediction = probe.as_prediction(share)
            return sum(
                chance * probe.values(prediction, target) for chance, (target, _) in zip(chances, outcomes, strict=True)
            )

        here, there = cost(true), cost(other)
        slack = 1e-12 * (np.abs(here) + np.abs(there))
        apart = probe.distance(true, other) > 0.02
        better = (there < here - slack) | (apart & (there <= here + slack))
        return probe.first(better & np.isfinite(here), true=true, better=other)


@final
@dataclasses.dataclass(frozen=True)
class NotProper(Claim):
    """Some prediction costs less, in the mean, than the true probability; refuted when none is found."""

    name = "not proper"

    @property
    def estimated(self) -> str:
        return "biased probability"

    def refute(self, probe: Probe) -> str | None:
        if probe.pooled or not probe.loss.prediction.probabilities:
            return NO_ENTRIES if probe.pooled else _NO_PROBABILITIES
        return None if Proper().refute(probe) else "nothing was found that costs less than the true probability"

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        return if_alone(self, others)  # two biases may cancel


@final
@dataclasses.dataclass(frozen=True)
class ClassificationCalibrated(Claim):
    """The expected loss is least on the side of the likelier of two classes, and nowhere else as low."""

    name = "classification-calibrated"

    @property
    def estimated(self) -> str:
        return "likelier class"

    def refute(self, probe: Probe) -> str | None:
        np, prediction, threshold = probe.np, probe.loss.prediction, probe.loss.prediction.threshold
        if probe.pooled or threshold is None or not probe.loss.target.certain:
            return NO_ENTRIES if probe.pooled else "its prediction has no side"
        (low, _), (high, _) = probe.outcomes()[:2]
        few = max(2, probe.points // 40 // (probe.classes if len(probe.shape) > 1 else 1))
        low, high = low[:few], high[:few]
        chance = probe.generator.uniform(size=low.shape)
        chance = np.where(np.abs(chance - 0.5) < 0.01, 0.9, chance)
        room = min(threshold - prediction.low, prediction.high - threshold)
        sizes = np.geomspace(1e-3, 1e3, 31) if np.isinf(room) else room * np.geomspace(1e-3, 1.0, 31)

        # All at once: scores that are all 0 might be labels.
        positions = np.concatenate([-sizes, [0.0], sizes]).reshape(-1, *(1,) * low.ndim)
        tried, low, high = np.broadcast_arrays(threshold + positions, low, high)
        costs = (1.0 - chance) * probe.values(tried, low) + chance * probe.values(tried, high)

        def least(side: Any) -> Any:
            """The cost of the best prediction on a side of the threshold, or on it (0)."""
            return np.min(np.where(np.sign(positions) == side, costs, np.inf), axis=0)

        right = np.where(chance > 0.5, 1.0, -1.0)
        wrong = np.minimum(least(-right), least(0.0 * right))
        return probe.first(~(least(right) < wrong), chance_of_the_higher=chance)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        # Convex losses that are least on one side all fall towards it from the threshold, and so does their sum.
        every = all(includes(ClassificationCalibrated, each) for each in others)
        return self if every and (len(others) == 1 or all(includes(Convex, each) for each in others)) else None


def _in_order(probe: Probe, values: Any, shares: Any) -> tuple[Any, Any]:
    """Each law's values in ascending order, and the shares that go with them."""
    order = probe.np.argsort(values, axis=1)
    return probe.np.take_along_axis(values, order, axis=1), probe.np.take_along_axis(shares, order, axis=1)


def _quantiles(probe: Probe, values: Any, shares: Any, level: float) -> tuple[Any, Any]:
    """The lowest and the highest quantile of that level, for each law."""
    np = probe.np
    ordered, shares = _in_order(probe, values, shares)
    below = np.cumsum(shares, axis=1)
    places = [(below < level - 1e-12).sum(axis=1), (below <= level + 1e-12).sum(axis=1)]
    last = values.shape[1] - 1
    lowest, highest = (np.take_along_axis(ordered, np.minimum(each, last)[:, None], axis=1)[:, 0] for each in places)
    return lowest, highest


def _between_ends(probe: Probe, values: Any, best: Any) -> Any:
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
