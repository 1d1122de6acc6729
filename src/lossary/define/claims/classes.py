"""Claims about which class, or which probability of each, minimising a loss estimates."""

from __future__ import annotations

import dataclasses
from typing import Any, final

from lossary.define.claims.claim import NO_ENTRIES, Claim, if_alone, includes
from lossary.define.claims.curve import Convex
from lossary.define.probe import Probe

_NO_PROBABILITIES = "its predictions are no probabilities"


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
