from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Columns,
    Convex,
    EstimatesQuantiles,
    Identity,
    Kinked,
    Lipschitz,
    Real,
    Rowwise,
    Twin,
    Wanted,
    ZeroAtTarget,
    parameter,
)


class IntervalScore(Rowwise):
    """Winkler's score of a predicted interval: its width, and 2/α times how far the target is outside, where 1 − α is
    the coverage wanted."""

    coverage: float = parameter(
        default=0.9,
        above=0,
        below=1,
        symbol="c",
        doc="the share of targets that should lie inside the interval",
        foreign=("level", "confidence", "confidence_level"),
        examples=(0.5, 0.95),
        choose=Wanted((0.5, 0.8, 0.9)),
    )

    task = "regression"
    prediction = Columns(lower=Real(), upper=Real())
    target = Real()
    output_layer = "two linear units: the lower end and the upper end; or the lower end and a softplus for the width"
    choosing = "coverage is the share of targets that should lie between the two ends"
    strengths = (
        "wide intervals and missed targets cost in one number, in the target's own units",
        "needs no law: the ends are two quantiles, with as many targets below the one as above the other",
    )
    weaknesses = (
        "kink at the target; no curvature to learn from",
        "the larger the coverage, the harder the few targets outside pull",
        "nothing keeps the lower end below the upper one, though in order the two never cost more",
    )
    sources = (
        "Winkler 1972, doi:10.1080/01621459.1972.10481224",
        "Gneiting & Raftery 2007, doi:10.1198/016214506000001437",
    )
    foreign_names = ("WinklerScore", "WinklerLoss", "MeanIntervalScore", "IntervalLoss")
    identities = (Identity("MultiQuantile((0.5 - 0.5 * coverage, 0.5 + 0.5 * coverage))", "4 / (1 - coverage)"),)
    same_as = (Twin("scoringrules.interval_score(target, prediction[..., 0], prediction[..., 1], 1 - coverage)"),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        outside = 0.5 * (1.0 - self.coverage)
        # Where the two ends have changed places, both pull as hard as they can.
        steepest = Lipschitz(2.0**0.5 * (1.0 / outside - 1.0))
        estimates = EstimatesQuantiles((outside, 1.0 - outside))
        return Convex(), steepest, ZeroAtTarget(), Kinked("the target"), estimates

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        lower, upper = xp.columns(p, 2)
        missed = xp.maximum(lower - y, 0) + xp.maximum(y - upper, 0)
        return upper - lower + 2 / (1 - self.coverage) * missed

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        # Each end by itself costs what its quantile does, so that nothing cancels.
        (lower, upper), (below, above) = xp.columns(p, 2), self._slopes(xp, p, y)
        return xp.scaled_difference(below, lower, y) + xp.scaled_difference(above, upper, y)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.stack(*self._slopes(xp, p, y))

    def _slopes(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array]:
        lower, upper = xp.columns(p, 2)
        outside = 2.0 / (1.0 - self.coverage) - 1.0
        # What is neither above nor below is equal (0) or NaN, and both are the difference.
        below = xp.where(lower > y, outside, xp.where(lower < y, -1.0, lower - y))
        above = xp.where(upper > y, 1.0, xp.where(upper < y, -outside, upper - y))
        return below, above
