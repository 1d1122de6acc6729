from __future__ import annotations

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
    ZeroAtTarget,
    parameter,
)


class GemanMcClure(Pointwise):
    """Half the squared error near 0, and hardly more than c²/2 far out: gross outliers all cost about the same."""

    c: float = parameter(
        default=3.787,
        above=0,
        symbol="c",
        doc="residual size at which half of all that an example can cost is reached, in the target's units",
        foreign=("scale", "sigma", "mu", "threshold"),
        examples=(0.5, 24.5),
        choose=TimesSpread((3.787, 2.0)),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "c about 3.787 × the robust spread of the residuals (95 % as efficient as the mean on normal errors)"
    strengths = (
        "a gross outlier hardly counts",
        "smooth everywhere: second-order optimisers may use it",
    )
    weaknesses = (
        "an example that is predicted far off at first is hardly learnt from: begin with another loss",
        "not convex: where training ends depends on where it began",
    )
    no_twin = "no library here has it"
    sources = (
        "Geman & McClure 1985, Bayesian image analysis: an application to single photon emission tomography",
        "Barron 2019, arXiv:1701.03077",
    )
    foreign_names = ("GemanMcClureLoss", "GMLoss", "geman_mcclure_loss")

    @property
    def claims(self) -> tuple[Claim, ...]:
        # The steepest is at |r| = c / √3.
        steepest = 3.0 * 3.0**0.5 * self.c / 16.0
        return NotConvex(), Smooth(1.0), Lipschitz(steepest), Symmetric(), ZeroAtTarget(), EstimatesBulk()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = (p - y) / self.c
        return (p - y) * (p - y) / 2 / (1 + share * share)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        is_near, ratio = self._ratio(xp, p, y)
        near = xp.where(is_near, p - y, 0.0)
        return xp.where(is_near, (0.5 * near) * near, 0.5 * self.c * self.c) / (1.0 + ratio * ratio)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        is_near, ratio = self._ratio(xp, p, y)
        above = 1.0 + ratio * ratio
        return xp.where(is_near, p - y, self.c * ratio * ratio * ratio) / (above * above)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        is_near, ratio = self._ratio(xp, p, y)
        square = ratio * ratio
        above = 1.0 + square
        return xp.where(is_near, 1.0 - 3.0 * square, (square - 3.0) * square * square) / (above * above * above)

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (1.5 * self.gradient(xp, p, y),)  # the fourth power of a quotient is off by four times as much

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self.gradient_terms(xp, p, y)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        is_near, ratio = self._ratio(xp, p, y)
        square = ratio * ratio
        above = 1.0 + square
        bent = xp.where(is_near, 1.0 + 3.0 * square, (square + 3.0) * square * square)
        return (1.5 * bent / (above * above * above),)

    def _ratio(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array]:
        """(Whether |r| < c, r / c if so and c / r if not)."""
        half = 0.5 * p - 0.5 * y  # which does not overflow
        is_near = xp.abs(half) < 0.5 * self.c
        return is_near, xp.where(is_near, p - y, 0.5 * self.c) / xp.where(is_near, self.c, half)
