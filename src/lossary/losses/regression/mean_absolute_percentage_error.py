from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Departure,
    EstimatesWeighted,
    Kinked,
    Metric,
    NonZero,
    NotSymmetricInArguments,
    Pointwise,
    Real,
    Symmetric,
    Twin,
    UnboundedGradient,
    ZeroAtTarget,
)


class MeanAbsolutePercentageError(Pointwise):
    """The size of the residual in per cent of that of the target."""

    task = "regression"
    tried = False
    prediction, target = Real(), NonZero()
    output_layer = "one linear unit"
    choosing = "when errors will be judged in per cent, and no target is near 0"
    strengths = (
        "says errors in per cent, which everybody understands, whatever the target's unit",
        "small and large targets count alike",
    )
    weaknesses = (
        "it is least below the median, the more so the wider targets spread: too low is at most 100 % wrong",
        "a target of 0 is no legal one, and the gradient grows near it without bound",
        "kink at 0; no curvature to learn from",
    )
    sources = ("Gneiting 2011, arXiv:0912.0902",)
    foreign_names = ("MAPE", "MAPELoss", "AbsolutePercentageError")
    judged_by = (Metric("mape", "mean_absolute_percentage_error"),)
    same_as = (
        Twin(
            "keras.losses.MeanAbsolutePercentageError()(target, prediction)",
            departs=Departure("divides by no less than 1e-7", [1.0], [1e-30], 1e9),
        ),
        Twin(
            "sklearn.metrics.mean_absolute_percentage_error(target, prediction)",
            factor=100.0,
            departs=Departure("divides by no less than 2.2e-16", [1.0], [1e-30], 100.0 * 2.0**52),
        ),
        Twin(
            "torchmetrics.functional.mean_absolute_percentage_error(prediction, target)",
            factor=100.0,
            departs=Departure("divides by no less than 1.17e-6", [1.0], [1e-30], 100.0 / 1.17e-6),
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        estimates = EstimatesWeighted("median by 1/|target|", -1.0, level=0.5)
        return (
            Convex(),
            Symmetric(),
            NotSymmetricInArguments(),
            ZeroAtTarget(),
            Kinked("0"),
            UnboundedGradient(),
            estimates,
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return 100 * xp.abs(p - y) / xp.abs(y)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return 100.0 * xp.abs(share_of_target(xp, p, y))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.where(p > y, 100.0, xp.where(p < y, -100.0, p - y)) / xp.abs(y)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.where(xp.isnan(p - y), p - y, 0.0)

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # What the target is divided into, and what it is in the residual; beside it the prediction may be nothing.
        return self.value(xp, p, y) / y, 100.0 / y


def share_of_target(xp: Any, p: Array, y: Array) -> Array:
    """(p − y) / y: near the target by their difference, which is exact; elsewhere by their quotient, of which no digit
    of the derivative by the target is lost, and which holds where a difference overflows."""
    quotient = p / y
    is_near = xp.logical_and(quotient > 0.5, quotient < 2.0)
    near, unit = xp.where(is_near, p, 1.0), xp.where(is_near, y, 1.0)
    # By a power of 2 larger where the target is so small that the difference from it may be subnormal.
    is_small = xp.abs(unit) < 2.0**-60
    near, unit = (xp.where(is_small, 2.0**66 * x, x) for x in (near, unit))
    return xp.where(is_near, (near - unit) / unit, quotient - 1.0)
