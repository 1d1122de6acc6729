from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    Columns,
    Departure,
    Differentiable,
    Domain,
    EstimatesMoments,
    NotConvex,
    Positive,
    Real,
    Rowwise,
    Twin,
    UnboundedGradient,
    parameter,
)


class GaussianNLL(Rowwise):
    """The negative log-likelihood of a number under a normal law, of which the prediction is mean and scale."""

    scale: str = parameter(
        default="log_std",
        choices=("log_std", "std", "variance"),
        doc="what the second column is: the logarithm of the standard deviation, that itself, or the variance",
        examples=("std", "variance"),
    )
    full: bool = parameter(default=False, doc="whether the constant ½ log 2π is added, as in a likelihood")

    everyday = True
    task = "regression"
    target = Real()
    output_layer = "two linear units: the mean and the logarithm of the standard deviation"
    choosing = "scale='log_std', which needs no activation; the others for models that end in a positive number"
    strengths = (
        "predicts how sure it is, for each row",
        "the best prediction is the true mean and the true standard deviation, whatever the law of the targets",
    )
    weaknesses = (
        "rows with a large predicted scale hardly pull on the mean, so that it may be fitted late",
        "without bound below: where residuals become 0 the scale collapses",
    )
    sources = ("Nix & Weigend 1994, doi:10.1109/ICNN.1994.374138",)
    foreign_names = ("GaussianNLLLoss", "NormalNLL", "MeanVarianceEstimation")
    same_as = (
        Twin(
            "torch.nn.GaussianNLLLoss(reduction='none', full=full)(prediction[..., 0], target, prediction[..., 1])",
            when={"scale": "variance"},
            departs=Departure("takes no variance below 1e-6", [[0.0, 1e-8]], [0.001], -6.407755),
        ),
        Twin(
            "torch.nn.GaussianNLLLoss(reduction='none', full=full)(prediction[..., 0], target, prediction[..., 1] ** 2)",
            when={"scale": "std"},
            departs=Departure("takes no variance below 1e-6", [[0.0, 1e-4]], [0.001], -6.407755),
        ),
        Twin(
            "torch.nn.GaussianNLLLoss(reduction='none', full=full)"
            "(prediction[..., 0], target, torch.exp(2 * prediction[..., 1]))",
            when={"scale": "log_std"},
            departs=Departure("takes no variance below 1e-6", [[0.0, -9.25]], [0.001], -6.407755),
        ),
        Twin(
            "-scipy.stats.norm.logpdf(target, prediction[..., 0], prediction[..., 1])",
            when={"scale": "std", "full": True},
        ),
        Twin(
            "-scipy.stats.norm.logpdf(target, prediction[..., 0], numpy.exp(prediction[..., 1]))",
            when={"scale": "log_std", "full": True},
        ),
    )

    @property
    def prediction(self) -> Domain:
        if self.scale == "log_std":
            return Columns(mean=Real(), log_std=Real())
        return (
            Columns(mean=Real(), std=Positive()) if self.scale == "std" else Columns(mean=Real(), variance=Positive())
        )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return EstimatesMoments(), NotConvex(), Differentiable(), UnboundedGradient()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        mean, scale = xp.columns(p, 2)
        if self.scale == "variance":
            cost = xp.log(scale) / 2 + (y - mean) * (y - mean) / (2 * scale)
        elif self.scale == "std":
            cost = xp.log(scale) + (y - mean) * (y - mean) / (2 * scale * scale)
        else:
            cost = scale + (y - mean) * (y - mean) / (2 * xp.exp(scale) * xp.exp(scale))
        return cost + xp.log(2 * math.pi) / 2 if self.full else cost

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        mean, scale = xp.columns(p, 2)
        log_std = scale if self.scale == "log_std" else xp.log(scale)
        cost = (0.5 * log_std if self.scale == "variance" else log_std) + self._pull_and_cost(xp, mean, y, scale)[1]
        return cost + 0.5 * math.log(2.0 * math.pi) if self.full else cost

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        mean, scale = xp.columns(p, 2)
        pull, cost = self._pull_and_cost(xp, mean, y, scale)
        if self.scale == "log_std":
            return xp.stack(pull, 1.0 - 2.0 * cost)
        # Divided before they are multiplied: the square alone may overflow.
        if self.scale == "std":
            return xp.stack(pull, 1.0 / scale - pull * self._divided(xp, mean, y, scale))
        return xp.stack(pull, 0.5 / scale - (0.5 * pull) * pull)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array | float, ...]:
        # What the scale costs, what the residual does, and the constant.
        of_scale = self.value(xp, self._without_residual(xp, p, y), y)
        constant = 0.5 * math.log(2.0 * math.pi) if self.full else 0.0
        return of_scale - constant, self.value(xp, p, y) - of_scale, constant

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # The scale is pulled down by itself, and up by the residual.
        alone = self.gradient(xp, self._without_residual(xp, p, y), y)
        return alone, self.gradient(xp, p, y) - alone

    def _without_residual(self, xp: Any, p: Array, y: Array) -> Array:
        """The same predicted scales, beside means that are right."""
        _, scale = xp.columns(p, 2)
        return xp.stack(y, scale)

    def _pull_and_cost(self, xp: Any, mean: Array, y: Array, scale: Array) -> tuple[Array, Array]:
        """(mean − y) / variance, and ½ (mean − y)² / variance."""
        if self.scale == "variance":
            pull = self._divided(xp, mean, y, scale)
            return pull, xp.scaled_difference(0.5 * pull, mean, y)
        if self.scale == "std":
            r = self._divided(xp, mean, y, scale)
            return r / scale, (0.5 * r) * r
        # One exponential of twice the logarithm has half the error of a square. Far out it is beyond the floats, and
        # what is left of the scale goes to each of the two residuals; else that is 1, as it is beside an infinite one.
        near = xp.clip(scale, -40.0, 40.0)
        rest = xp.where(xp.isfinite(0.5 * mean - 0.5 * y), xp.exp(near - scale), 1.0)
        part = xp.product(xp.scaled_difference(xp.exp(-2.0 * near), mean, y), rest)
        residual = xp.where(xp.equal(mean, y), 0.0, xp.scaled_difference(rest, mean, y))
        return xp.product(part, rest), (0.5 * part) * residual

    def _divided(self, xp: Any, mean: Array, y: Array, divisor: Array) -> Array:
        """(mean − y) / divisor, also where mean − y overflows."""
        difference = mean - y
        return xp.where(xp.isfinite(difference), difference / divisor, mean / divisor - y / divisor)
