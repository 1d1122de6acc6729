from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Estimates,
    Identity,
    Kinked,
    Lipschitz,
    NotSymmetricInArguments,
    Pointwise,
    Real,
    Symmetric,
    Twin,
    Wanted,
    ZeroAtTarget,
    parameter,
)


class Quantile(Pointwise):
    """The pinball loss: too low costs `level`, too high costs 1 − `level`, so that the quantile of that level is best."""

    level: float = parameter(
        default=0.5,
        above=0,
        below=1,
        symbol="α",
        doc="the quantile wanted: 0.9 is a prediction not exceeded 9 times in 10",
        foreign=("alpha", "tau", "q", "quantile", "p"),
        examples=(0.1, 0.25, 0.9),
        choose=Wanted((0.1, 0.5, 0.9)),
    )

    task = "regression"
    everyday = True
    prediction, target = Real(), Real()
    output_layer = "one linear unit for each level"
    choosing = "level is the share of targets that should lie below the prediction"
    strengths = (
        "estimates any quantile: two levels make an interval that needs no normal errors",
        "an outlier's pull is capped at the larger of level and 1 − level",
    )
    weaknesses = (
        "kink at 0; no curvature to learn from",
        "quantiles of different levels that are trained apart may cross",
    )
    sources = ("Koenker & Bassett 1978, doi:10.2307/1913643",)
    foreign_names = ("PinballLoss", "Pinball", "QuantileLoss", "TiltedLoss", "CheckLoss")
    identities = (Identity("MeanAbsoluteError()", "0.5", when={"level": 0.5}),)
    same_as = (Twin("sklearn.metrics.mean_pinball_loss(target, prediction, alpha=level)"),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        name = "median" if self.level == 0.5 else f"{self.level:g}-quantile"
        symmetric = Symmetric() if self.level == 0.5 else NotSymmetricInArguments()
        steepest = max(self.level, 1.0 - self.level)
        return Convex(), Lipschitz(steepest), symmetric, ZeroAtTarget(), Kinked("0"), Estimates(name, self.level)

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return self.level * xp.maximum(y - p, 0) + (1 - self.level) * xp.maximum(p - y, 0)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.scaled_difference(self.gradient(xp, p, y), p, y)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        # What is neither above nor below is equal (0) or NaN, and both are p − y.
        return xp.where(p > y, 1.0 - self.level, xp.where(p < y, -self.level, p - y))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return 0.0 * self.gradient(xp, p, y)
