from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Estimates,
    Kinked,
    Lipschitz,
    Pointwise,
    Real,
    Symmetric,
    Twin,
    ZeroAtTarget,
)


class MeanAbsoluteError(Pointwise):
    """The size of the residual: right for the median, and deaf to how far an outlier is out."""

    task = "regression"
    everyday = True
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "when the typical case is what you want, and outliers are not your business"
    strengths = (
        "estimates the median, which outliers hardly move",
        "in the target's own units",
    )
    weaknesses = (
        "the same pull for every error: small errors are not calmed, so a fixed step size overshoots",
        "kink at 0; no curvature to learn from",
    )
    sources = ("Boscovich 1757; Laplace 1774", "Koenker & Bassett 1978, doi:10.2307/1913643")
    foreign_names = ("L1Loss", "MAE", "AbsoluteError", "LeastAbsoluteDeviations")
    same_as = (
        Twin("torch.nn.L1Loss(reduction='none')(prediction, target)"),
        Twin("keras.losses.MeanAbsoluteError()(target, prediction)"),
        Twin("sklearn.metrics.mean_absolute_error(target, prediction)"),
        Twin("torchmetrics.functional.mean_absolute_error(prediction, target)"),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), Lipschitz(1.0), Symmetric(), ZeroAtTarget(), Kinked("0"), Estimates("median", 0.5)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.abs(p - y)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        # What is neither above nor below is equal (0) or NaN, and both are p − y.
        return xp.where(p > y, 1.0, xp.where(p < y, -1.0, p - y))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return 0.0 * self.gradient(xp, p, y)
