from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Estimates,
    Identity,
    NotSymmetricInArguments,
    Pointwise,
    Real,
    Smooth,
    StronglyConvex,
    Symmetric,
    Twin,
    UnboundedGradient,
    ZeroAtTarget,
    parameter,
)


class Expectile(Pointwise):
    """Squared error with unequal sides: too low costs `level` of the square, too high 1 − `level` of it."""

    level: float = parameter(
        default=0.5,
        above=0,
        below=1,
        symbol="τ",
        doc="the expectile wanted: at 0.9 what is missed above weighs nine times what is missed below",
        foreign=("alpha", "tau", "q", "quantile", "expectile", "p"),
        examples=(0.1, 0.9),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit for each level"
    choosing = (
        "level above 0.5 where a target above the prediction is the worse surprise; 0.5 is half the squared error"
    )
    strengths = (
        "it says how far targets lie beyond it, not only how many do, as a quantile does",
        "smooth and strongly convex: every optimiser likes it",
    )
    weaknesses = (
        "the gradient grows with the residual without bound, so that one outlier rules a batch",
        "level is no share of targets, and hard to explain",
    )
    no_twin = "no library here has expectiles, but for the mean"
    sources = ("Newey & Powell 1987, doi:10.2307/1911031",)
    foreign_names = ("ExpectileLoss", "AsymmetricSquaredError", "AsymmetricLeastSquares")
    identities = (Identity("MeanSquaredError()", "0.5", when={"level": 0.5}),)
    same_as = (Twin("torch.nn.MSELoss(reduction='none')(prediction, target)", factor=0.5),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        at_half = self.level == 0.5
        estimates = Estimates("mean") if at_half else Estimates(f"{self.level:g}-expectile", expectile=self.level)
        symmetric = Symmetric() if at_half else NotSymmetricInArguments()
        least, most = sorted((self.level, 1.0 - self.level))
        return (
            StronglyConvex(2.0 * least),
            Smooth(2.0 * most),
            symmetric,
            ZeroAtTarget(),
            estimates,
            UnboundedGradient(),
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        above, below = xp.maximum(y - p, 0), xp.maximum(p - y, 0)
        return self.level * above * above + (1 - self.level) * below * below

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        return self._weighted(xp, r, r) * r

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        # Doubled first: where subnormal numbers are flushed, a small difference would be lost before it is doubled.
        r, doubled = p - y, 2.0 * p - 2.0 * y
        halved = 4.0 * self._weighted(xp, r, 0.5 * p - 0.5 * y)
        return xp.where(xp.isfinite(doubled), self._weighted(xp, r, doubled), halved)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        return self._weighted(xp, r, 2.0 + 0.0 * r)

    def _weighted(self, xp: Any, r: Array, x: Array) -> Array:
        """x times what the side counts for on which r is."""
        return xp.where(r > 0.0, (1.0 - self.level) * x, self.level * x)
