from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    EstimatesCentre,
    Identity,
    Lipschitz,
    Pointwise,
    Real,
    Smooth,
    Symmetric,
    TimesSpread,
    Twin,
    ZeroAtTarget,
    parameter,
)


class SmoothL1(Pointwise):
    """Absolute error whose kink is rounded off: the Huber loss divided by its δ, so that β changes the middle alone."""

    beta: float = parameter(
        default=1.0,
        above=0,
        symbol="β",
        doc="residual size below which the line is rounded to a parabola, in the target's units",
        foreign=("delta", "sigma", "threshold"),
        examples=(0.25, 24.5),
        choose=TimesSpread((1.345, 0.5, 3.0)),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "beta where errors are too small to matter; it trains as Huber with that delta and a rate divided by it"
    strengths = (
        "an outlier's pull is capped at 1",
        "smooth at 0, where absolute error has its kink",
    )
    weaknesses = (
        "of skewed targets it estimates neither the mean nor the median",
        "its curvature near 0 is 1/β: a small β brings the kink back",
    )
    sources = ("Girshick 2015, arXiv:1504.08083",)
    foreign_names = ("SmoothL1Loss", "SmoothedL1", "SmoothAbsoluteError")
    identities = (Identity("Huber(beta)", "1 / beta"),)
    same_as = (
        Twin("torch.nn.SmoothL1Loss(reduction='none', beta=beta)(prediction, target)"),
        Twin("scipy.special.huber(beta, prediction - target) / beta"),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), Smooth(1.0 / self.beta), Lipschitz(1.0), Symmetric(), ZeroAtTarget(), EstimatesCentre()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        size = xp.abs(p - y)
        return xp.where(size < self.beta, size * size / (2 * self.beta), size - self.beta / 2)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        size, small = xp.abs(p - y), xp.clip(p - y, -self.beta, self.beta)
        # Not the square first, which may overflow. At β itself the line: `small` has half of its derivative there.
        return xp.where(size < self.beta, (0.5 * small) * (small / self.beta), size - 0.5 * self.beta)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.clip(p - y, -self.beta, self.beta) / self.beta

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        return xp.where(xp.abs(r) <= self.beta, 1.0 / self.beta + 0.0 * r, 0.0 * xp.clip(r, -1.0, 1.0))
