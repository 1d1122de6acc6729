from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    EstimatesCentre,
    Lipschitz,
    Pointwise,
    Real,
    Smooth,
    StrictlyConvex,
    Symmetric,
    TimesSpread,
    Twin,
    ZeroAtTarget,
    parameter,
)


class PseudoHuber(Pointwise):
    """A hyperbola: half the squared error for small residuals, δ times their size for large ones, smooth everywhere."""

    delta: float = parameter(
        default=1.0,
        above=0,
        symbol="δ",
        doc="residual size around which the parabola bends into the line, in the target's units",
        foreign=("epsilon", "eps", "beta", "d", "huber_slope", "threshold"),
        examples=(0.25, 24.5),
        choose=TimesSpread((1.287, 0.5, 3.0)),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "delta about 1.287 × the robust spread of the residuals (95 % as efficient as the mean on normal errors)"
    strengths = (
        "an outlier's pull is capped at δ",
        "smooth everywhere: second-order optimisers may use it",
    )
    weaknesses = (
        "of skewed targets it estimates neither the mean nor the median",
        "δ is on the target's scale: rescale the data, rescale δ",
    )
    sources = (
        "Charbonnier, Blanc-Féraud, Aubert & Barlaud 1994, doi:10.1109/ICIP.1994.413553",
        "Hartley & Zisserman 2004, Multiple View Geometry in Computer Vision, 2nd edition",
    )
    foreign_names = ("PseudoHuberLoss", "Charbonnier", "PseudoHuberError")
    same_as = (Twin("scipy.special.pseudo_huber(delta, prediction - target)"),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return StrictlyConvex(), Smooth(1.0), Lipschitz(self.delta), Symmetric(), ZeroAtTarget(), EstimatesCentre()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = (p - y) / self.delta
        return self.delta * self.delta * (xp.sqrt(1 + share * share) - 1)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        # √(1 + x²) − 1 is x² / (√(1 + x²) + 1), of which no digit is lost.
        r = p - y
        is_near, ratio, root = self._ratio_and_root(xp, r)
        line = xp.abs(xp.scaled_difference(self.delta, p, y)) / (root + xp.abs(ratio))
        near = xp.where(is_near, r, 0.0)
        return xp.where(is_near, near * (near / (root + 1.0)), line)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        is_near, _, root = self._ratio_and_root(xp, r)
        return xp.where(is_near, r, xp.where(r < 0.0, -self.delta, self.delta + 0.0 * root)) / root

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        is_near, ratio, root = self._ratio_and_root(xp, p - y)
        size = xp.where(is_near, 1.0, xp.abs(ratio))
        return size * size * size / ((1.0 + ratio * ratio) * root)

    def _ratio_and_root(self, xp: Any, r: Array) -> tuple[Array, Array, Array]:
        """(Whether |r| < δ, x = r / δ if so and δ / r if not, √(1 + x²)): nothing is squared that is large."""
        is_near = xp.abs(r) < self.delta
        ratio = xp.where(is_near, r, self.delta) / xp.where(is_near, self.delta, r)
        return is_near, ratio, xp.sqrt(1.0 + ratio * ratio)
