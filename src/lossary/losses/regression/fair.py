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
    ZeroAtTarget,
    parameter,
)


class Fair(Pointwise):
    """Half the squared error near 0, and c times the residual's size, less a logarithm, far out: convex as Huber's loss,
    and slower to reach its cap."""

    c: float = parameter(
        default=1.4,
        above=0,
        symbol="c",
        doc="residual size at which an example pulls half as hard as it can, in the target's units",
        foreign=("fair_c", "scale", "threshold"),
        examples=(0.25, 24.5),
        choose=TimesSpread((1.4, 0.5, 3.0)),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "c about 1.4 × the robust spread of the residuals (95 % as efficient as the mean on normal errors)"
    strengths = (
        "an outlier's pull is capped at c",
        "smooth everywhere: second-order optimisers may use it",
    )
    weaknesses = (
        "of skewed targets it estimates neither the mean nor the median",
        "it has hardly reached its cap at 10 c: outliers pull longer than Huber lets them grow",
    )
    no_twin = "no library here has it"
    sources = ("Fair 1974, On the robust estimation of econometric models",)
    foreign_names = ("FairLoss", "fair", "fairobj")

    @property
    def claims(self) -> tuple[Claim, ...]:
        return StrictlyConvex(), Smooth(1.0), Lipschitz(self.c), Symmetric(), ZeroAtTarget(), EstimatesCentre()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = xp.abs(p - y) / self.c
        return self.c * self.c * (share - xp.log(1 + share))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        size = xp.abs(p - y)
        is_near = size < self.c
        near = xp.where(is_near, p - y, 0.0)
        parabola = (0.5 * near) * near * xp.log1p_bend(xp.abs(near) / self.c)
        # Far out the loss may be finite where the residual, or what it is in units of c, is not.
        share = xp.where(is_near, 1.0, size / self.c)
        is_held = xp.isfinite(share)
        rest = xp.where(is_held, xp.log1p(xp.where(is_held, share, 1.0)) / share, 0.0)
        line = xp.abs(xp.scaled_difference(self.c, p, y))
        return xp.where(is_near, parabola, line * (1.0 - rest))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        is_near = xp.abs(r) < self.c
        far = self.c / (1.0 + self.c / xp.where(is_near, self.c, xp.abs(r)))
        near = xp.where(is_near, r, 0.0)
        return xp.where(is_near, near / (1.0 + xp.abs(near) / self.c), xp.where(p < y, -far, far))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        inverse = 1.0 / (1.0 + xp.abs(p - y) / self.c)
        return inverse * inverse
