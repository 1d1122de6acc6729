from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Domain,
    EstimatesQuantiles,
    Kinked,
    Levels,
    Lipschitz,
    Quantiles,
    Real,
    Rowwise,
    Twin,
    ZeroAtTarget,
    parameter,
)


class MultiQuantile(Rowwise):
    """The mean of the pinball losses of several quantiles, which are predicted in one row.

    The prediction is a row of K numbers, one for each level. It is the mean over the levels, not the sum: twice it tends
    to the continuous ranked probability score as levels fill the range from 0 to 1 evenly.
    """

    levels: Levels = parameter(
        default=(0.1, 0.5, 0.9),
        above=0,
        below=1,
        increasing=True,
        symbol="τ",
        doc="the quantiles wanted, in the order of the row: 0.9 is a prediction not exceeded 9 times in 10",
        foreign=("quantiles", "taus", "alphas"),
        examples=((0.25,), (0.05, 0.25, 0.75, 0.95)),
    )

    task = "regression"
    target = Real()
    output_layer = "a linear unit for each level; or one, and for each further level a softplus added to the one before"
    choosing = "levels are the shares of targets that should lie below each prediction; 0.05 and 0.95 enclose 9 in 10"
    strengths = (
        "one model for several quantiles: a picture of the law that needs no normal errors",
        "in the target's own units; an outlier pulls no harder than any other target on its side",
    )
    weaknesses = (
        "kink at the target; no curvature to learn from",
        "nothing keeps quantiles from crossing, though in order they never cost more",
        "levels near 0 and 1 hardly count beside those in the middle",
    )
    sources = ("Koenker & Bassett 1978, doi:10.2307/1913643", "Chernozhukov et al. 2010, arXiv:0704.3649")
    foreign_names = ("MQLoss", "MultiQuantileLoss", "MultiPinballLoss", "MeanPinballLoss")
    same_as = (Twin("scoringrules.quantile_score(target[..., None], prediction, numpy.array(levels)).mean(axis=-1)"),)

    @property
    def prediction(self) -> Domain:
        return Quantiles(self.levels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        steepest = [max(level, 1.0 - level) / len(self.levels) for level in self.levels]
        slope = Lipschitz(sum(each * each for each in steepest) ** 0.5), Kinked("the target")
        return Convex(), *slope, ZeroAtTarget(), EstimatesQuantiles(self.levels)

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        level, target = xp.table(self.levels, p), xp.row(y)
        return xp.sum(level * xp.maximum(target - p, 0) + (1 - level) * xp.maximum(p - target, 0)) / xp.classes(p)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.sum(xp.scaled_difference(self.gradient(xp, p, y), p, xp.row(y)))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        count, target = len(self.levels), xp.row(y)
        above, below = (
            xp.table([each / count for each in slopes], p)
            for slopes in ([1.0 - level for level in self.levels], [-level for level in self.levels])
        )
        # What is neither above nor below is equal (0) or NaN, and both are the difference.
        return xp.where(p > target, above, xp.where(p < target, below, p - target))
