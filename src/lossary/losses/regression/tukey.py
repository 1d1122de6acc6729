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


class Tukey(Pointwise):
    """The biweight: half the squared error near 0, and a constant from `c` on, so that gross outliers do not pull."""

    c: float = parameter(
        default=4.685,
        above=0,
        symbol="c",
        doc="residual size from which an example does not pull any more, in the target's units",
        foreign=("threshold", "cutoff", "tuning_constant", "delta"),
        examples=(1.0, 24.5),
        choose=TimesSpread((4.685, 3.0)),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "c about 4.685 × the robust spread of the residuals (95 % as efficient as the mean on normal errors)"
    strengths = (
        "a gross outlier does not count at all",
        "smooth everywhere: second-order optimisers may use it",
    )
    weaknesses = (
        "an example that is predicted wrong by more than c at first is never learnt from: begin with another loss",
        "not convex: where training ends depends on where it began",
    )
    sources = ("Beaton & Tukey 1974, doi:10.1080/00401706.1974.10489171",)
    foreign_names = ("TukeyLoss", "TukeyBiweight", "Biweight", "Bisquare", "TukeyBiweightLoss")
    same_as = (Twin("statsmodels.robust.norms.TukeyBiweight(c=c).rho((prediction - target).astype(float))"),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        # The steepest is at |r| = c / √5.
        steepest = 16.0 * self.c / (25.0 * math.sqrt(5.0))
        return NotConvex(), Smooth(1.0), Lipschitz(steepest), Symmetric(), ZeroAtTarget(), EstimatesBulk()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        rest = 1 - (p - y) * (p - y) / (self.c * self.c)
        near = self.c * self.c / 6 * (1 - rest * rest * rest)
        return xp.where(xp.abs(p - y) < self.c, near, self.c * self.c / 6)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        near = self._near(xp, p, y)
        square, rest = (near / self.c) * (near / self.c), self._rest(near)
        # 1 − (1 − x)³ by its terms where they are small, and itself where it is not.
        by_terms = (near * near) * ((3.0 - square * (3.0 - square)) / 6.0)
        return xp.where(square < 0.5, by_terms, (self.c * self.c / 6.0) * (1.0 - rest * rest * rest))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        near = self._near(xp, p, y)
        rest = self._rest(near)
        return near * (rest * rest)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        near = self._near(xp, p, y)
        return self._rest(near) * (1.0 - 5.0 * ((near / self.c) * (near / self.c)))

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        size = xp.abs(p - y)
        above = 1.0 + (size / self.c) * (size / self.c)
        return (xp.where(size <= self.c, size * (above * above), 0.0),)

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self.gradient_terms(xp, p, y)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        size = xp.minimum(xp.abs(p - y) / self.c, 1e9)
        square = size * size
        return (xp.where(square < 1.0, (1.0 + square) * (1.0 + 5.0 * square), 0.0),)

    def _near(self, xp: Any, p: Array, y: Array) -> Array:
        """The residual, and ±c beyond, where nothing changes any more."""
        return xp.clip(p - y, -self.c, self.c)

    def _rest(self, near: Array) -> Array:
        """1 − (r / c)², also near 0 without a loss of digits."""
        return ((self.c - near) / self.c) * ((self.c + near) / self.c)
