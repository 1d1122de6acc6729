from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    EstimatesBulk,
    Lipschitz,
    NotConvex,
    Pointwise,
    Real,
    Smooth,
    Symmetric,
    TimesSpread,
    Twin,
    ZeroAtTarget,
    parameter,
)


class Cauchy(Pointwise):
    """Half the squared error near 0, and far out hardly more than its logarithm: the further an outlier, the less it
    pulls."""

    c: float = parameter(
        default=2.385,
        above=0,
        symbol="c",
        doc="residual size from which the pull declines, in the target's units",
        foreign=("scale", "gamma", "sigma", "threshold"),
        examples=(0.5, 24.5),
        choose=TimesSpread((2.385, 1.0)),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "c about 2.385 × the robust spread of the residuals (95 % as efficient as the mean on normal errors)"
    strengths = (
        "an outlier's pull is capped at c/2",
        "the further an outlier is, the less it pulls, but no example is ever quite left out",
        "smooth everywhere: second-order optimisers may use it",
    )
    weaknesses = (
        "not convex: where training ends depends on where it began",
        "of skewed targets it estimates neither the mean nor the median",
    )
    sources = ("Black & Anandan 1996, doi:10.1006/cviu.1996.0006",)
    foreign_names = ("CauchyLoss", "Lorentzian", "LorentzianLoss")
    same_as = (Twin("statsmodels.robust.norms.StudentT(c=c, df=1).rho((prediction - target).astype(float))"),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return NotConvex(), Smooth(1.0), Lipschitz(0.5 * self.c), Symmetric(), ZeroAtTarget(), EstimatesBulk()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = (p - y) / self.c
        return self.c * self.c / 2 * xp.log(1 + share * share)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        is_near, ratio = self._ratio(xp, p, y)
        # log(1 + x²) is log(1 + 1/x²) + 2 log x: nothing is squared that is large. Next to 0 it is x², which may be
        # subnormal where the loss is not.
        beyond = xp.where(is_near, 0.0, self._logarithm(xp, p, y, is_near))
        far = (self.c * self.c) * (0.5 * xp.log1p(ratio * ratio) + beyond)
        is_tiny = xp.logical_and(is_near, xp.abs(ratio) < 1e-10)
        tiny = xp.where(is_tiny, p - y, 0.0)
        return xp.where(is_tiny, (0.5 * tiny) * tiny, far)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        is_near, ratio = self._ratio(xp, p, y)
        # Not c · (c / r), of which the quotient may be subnormal where the product is not.
        far = (0.5 * self.c * self.c) / xp.where(is_near, self.c, 0.5 * p - 0.5 * y)
        return xp.where(is_near, p - y, far) / (1.0 + ratio * ratio)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        is_near, ratio = self._ratio(xp, p, y)
        square = ratio * ratio
        bent = (1.0 - ratio) * (1.0 + ratio) / ((1.0 + square) * (1.0 + square))
        return xp.where(is_near, bent, -square * bent)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        size = xp.minimum(xp.abs(p - y) / self.c, 1e9)
        square = size * size
        return ((1.0 + 3.0 * square) / ((1.0 + square) * (1.0 + square)),)

    def _ratio(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array]:
        """(Whether |r| < c, r / c if so and c / r if not)."""
        half = 0.5 * p - 0.5 * y  # which does not overflow
        is_near = xp.abs(half) < 0.5 * self.c
        return is_near, xp.where(is_near, p - y, 0.5 * self.c) / xp.where(is_near, self.c, half)

    def _logarithm(self, xp: Any, p: Array, y: Array, is_near: Array) -> Array:
        """log(|r| / c) where they are not near."""
        size, half = xp.abs(p - y), xp.abs(0.5 * p - 0.5 * y)
        ratio = xp.where(is_near, 1.0, size / self.c)
        far = xp.log(xp.where(is_near, 1.0, half)) + (math.log(2.0) - math.log(self.c))
        return xp.where(xp.isfinite(ratio), xp.log(ratio), far)
