from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    EstimatesCentre,
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


class Huber(Pointwise):
    """Squared error for small residuals, absolute error for large ones."""

    delta: float = parameter(
        default=1.0,
        above=0,
        symbol="δ",
        doc="residual size at which the parabola gives way to the line, in the target's units",
        foreign=("beta", "d", "epsilon", "threshold", "alpha"),
        examples=(0.25, 24.5),
        choose=TimesSpread((1.345, 0.5, 3.0)),
    )

    task = "regression"
    everyday = True
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "delta about 1.345 × the robust spread of the residuals (95 % as efficient as the mean on normal errors)"
    strengths = (
        "an outlier's pull is capped at δ",
        "smooth at 0, where absolute error has its kink",
    )
    weaknesses = (
        "of skewed targets it estimates neither the mean nor the median",
        "δ is on the target's scale: rescale the data, rescale δ",
    )
    sources = ("Huber 1964, doi:10.1214/aoms/1177703732",)
    foreign_names = ("HuberLoss", "HuberNorm")
    same_as = (
        Twin("torch.nn.HuberLoss(reduction='none', delta=delta)(prediction, target)"),
        Twin("keras.losses.Huber(delta=delta)(target, prediction)"),
        Twin("optax.huber_loss(prediction, target, delta=delta)"),
        Twin("scipy.special.huber(delta, prediction - target)"),
        Twin("statsmodels.robust.norms.HuberT(t=delta).rho(prediction - target)"),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), Smooth(1.0), Lipschitz(self.delta), Symmetric(), ZeroAtTarget(), EstimatesCentre()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        size = xp.abs(p - y)
        return xp.where(size <= self.delta, size * size / 2, self.delta * (size - self.delta / 2))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        size, small = xp.abs(p - y), xp.clip(p - y, -self.delta, self.delta)
        # Half before the product, which may overflow; far out, δ·|r| may be finite where r is not.
        line = xp.abs(xp.scaled_difference(self.delta, p, y)) - (0.5 * self.delta) * self.delta
        near = self.delta * (size - 0.5 * self.delta)
        # At δ itself the line: `small` has half of its derivative there.
        return xp.where(size < self.delta, (0.5 * small) * small, xp.where(xp.isfinite(size), near, line))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.clip(p - y, -self.delta, self.delta)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        return xp.where(xp.abs(r) <= self.delta, 1.0 + 0.0 * r, 0.0 * xp.clip(r, -1.0, 1.0))
