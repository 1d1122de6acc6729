from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Estimates,
    Pointwise,
    Real,
    Smooth,
    StronglyConvex,
    Symmetric,
    Twin,
    UnboundedGradient,
    ZeroAtTarget,
)


class MeanSquaredError(Pointwise):
    """The square of the residual: right for the mean, and ruled by the largest errors."""

    task = "regression"
    everyday = True
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "when the mean is what you want: totals, averages, energies"
    strengths = (
        "estimates the mean, which is what totals are made of",
        "smooth and strongly convex: every optimiser likes it",
    )
    weaknesses = (
        "the gradient grows with the residual without bound, so that one outlier rules a batch",
        "its scale is the square of the target's",
    )
    sources = ("Gauss 1809, Theoria motus corporum coelestium", "Gneiting 2011, doi:10.1198/jasa.2011.r10138")
    foreign_names = ("MSELoss", "MSE", "L2Loss", "SquaredError", "QuadraticLoss")
    same_as = (
        Twin("torch.nn.MSELoss(reduction='none')(prediction, target)"),
        Twin("keras.losses.MeanSquaredError()(target, prediction)"),
        Twin("optax.squared_error(prediction, target)"),
        Twin("optax.l2_loss(prediction, target)", factor=2.0),
        Twin("sklearn.metrics.mean_squared_error(target, prediction)"),
        Twin("torchmetrics.functional.mean_squared_error(prediction, target)"),
        Twin("statsmodels.robust.norms.LeastSquares().rho(prediction - target)", factor=2.0),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return StronglyConvex(2.0), Smooth(2.0), Symmetric(), ZeroAtTarget(), Estimates("mean"), UnboundedGradient()

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        return r * r

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        # Doubled first: where subnormal numbers are flushed, a small difference would be lost before it is doubled.
        doubled = 2.0 * p - 2.0 * y
        return xp.where(xp.isfinite(doubled), doubled, 2.0 * (p - y))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return 2.0 + 0.0 * (p - y)
