from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Differentiable,
    EstimatesWeighted,
    NonZero,
    NotSymmetricInArguments,
    Pointwise,
    Real,
    StrictlyConvex,
    Symmetric,
    UnboundedGradient,
    ZeroAtTarget,
)
from lossary.losses.regression.mean_absolute_percentage_error import share_of_target


class SquaredPercentageError(Pointwise):
    """The square of the residual as a share of the target."""

    task = "regression"
    tried = False
    prediction, target = Real(), NonZero()
    output_layer = "one linear unit"
    choosing = "when errors will be judged as shares of the target, large ones most, and no target is near 0"
    strengths = (
        "small and large targets count alike, whatever their unit",
        "smooth and convex: every optimiser likes it",
    )
    weaknesses = (
        "it is least far below the mean, the more so the wider targets spread: too low is at most a share of 1",
        "a target of 0 is no legal one, and the gradient grows near it without bound",
    )
    no_twin = "no library here has it"
    sources = ("Gneiting 2011, arXiv:0912.0902",)
    foreign_names = ("SPELoss", "MSPE", "MeanSquaredPercentageError", "RMSPE")

    @property
    def claims(self) -> tuple[Claim, ...]:
        estimates = EstimatesWeighted("mean by 1/target²", -2.0)
        both = Symmetric(), NotSymmetricInArguments()
        return StrictlyConvex(), Differentiable(), *both, ZeroAtTarget(), UnboundedGradient(), estimates

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = (p - y) / y
        return share * share

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        share = share_of_target(xp, p, y)
        return share * share

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return 2.0 * share_of_target(xp, p, y) / y

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        inverse = 1.0 / xp.where(xp.isnan(p - y), p - y, y)
        return (2.0 * inverse) * inverse

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # What the target is divided into, and what it is in the residual; beside it the prediction may be nothing.
        pull = self.gradient(xp, p, y)
        return pull * share_of_target(xp, p, y), pull
