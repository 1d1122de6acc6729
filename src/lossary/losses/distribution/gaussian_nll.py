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
        "proper: the best prediction is the true mean and the true variance",
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
        return NotConvex(), Differentiable(), UnboundedGradient()

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
        r, log_std, _ = self._standardised(xp, p, y)
        return log_std + 0.5 * r * r + (0.5 * math.log(2.0 * math.pi) if self.full else 0.0)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        r, _, std = self._standardised(xp, p, y)
        excess = (1.0 - r) * (1.0 + r)
        if self.scale == "log_std":
            return xp.stack(r / std, excess)
        return xp.stack(r / std, excess / std if self.scale == "std" else 0.5 * excess / std / std)

    def _standardised(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array, Array]:
        """The residual in units of the scale, before it is squared; the scale's logarithm, and the scale."""
        mean, scale = xp.columns(p, 2)
        if self.scale == "log_std":
            std = xp.exp(scale)
            return (mean - y) / std, scale, std
        if self.scale == "std":
            return (mean - y) / scale, xp.log(scale), scale
        std = xp.sqrt(scale)
        return (mean - y) / std, 0.5 * xp.log(scale), std
