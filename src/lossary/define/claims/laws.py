"""Claims about what minimising a loss of several numbers, or of a whole batch, estimates of the targets' law."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, final

from lossary.define.claims.claim import NO_ENTRIES, Claim, first_of
from lossary.define.claims.estimates import between_ends, quantiles_of
from lossary.define.probe import Probe


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
        ends = [quantiles_of(probe, values, shares, level) for level in self.levels]
        lowest, highest = (np.stack(each, axis=-1)[:, None] for each in zip(*ends, strict=True))
        # Off in one entry, over the whole range of the law and close to the quantile, and in all of them.
        tried = [lowest, highest]
        for place in range(count):
            moved = between_ends(probe, values, lowest[:, 0, place])
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
