from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    Columns,
    Domain,
    EstimatesLocationAndScale,
    Notation,
    Positive,
    Real,
    Twin,
    parameter,
)
from lossary.losses.distribution.score_of_law import ScoreOfLaw


class CRPSNormal(ScoreOfLaw):
    """The continuous ranked probability score of a normal law, of which the prediction is mean and scale: the integral
    of the squared difference of its distribution function and the target's step."""

    scale: str = parameter(
        default="log_std",
        choices=("log_std", "std"),
        doc="what the second column is: the logarithm of the standard deviation, or that itself",
        examples=("std",),
    )

    task = "regression"
    tried = False
    target = Real()
    output_layer = "two linear units: the mean and the logarithm of the standard deviation"
    choosing = "scale='log_std', which needs no activation; 'std' for models that end in a positive number"
    strengths = (
        "predicts how sure it is, for each row, in the target's own units",
        "an outlier pulls on the mean no harder than any other target on its side, where a likelihood's pull grows",
        "bounded below: where residuals become 0 the scale does too, and costs nothing",
    )
    weaknesses = (
        "where the law of the targets is not normal, what is best is neither their mean nor their standard deviation",
        "rows with a large predicted scale hardly pull on the mean",
    )
    sources = ("Gneiting et al. 2005, doi:10.1175/MWR2904.1", "Gneiting & Raftery 2007, doi:10.1198/016214506000001437")
    foreign_names = ("crps_normal", "crps_gaussian", "GaussianCRPS", "CRPSGaussian", "NormalCRPS")
    same_as = (
        Twin(
            "scoringrules.crps_normal(target, prediction[..., 0], numpy.exp(prediction[..., 1]))",
            when={"scale": "log_std"},
        ),
        Twin("scoringrules.crps_normal(target, prediction[..., 0], prediction[..., 1])", when={"scale": "std"}),
    )
    far = math.pi**-0.5

    @property
    def prediction(self) -> Domain:
        return Columns(mean=Real(), log_std=Real()) if self.scale == "log_std" else Columns(mean=Real(), std=Positive())

    @property
    def claims(self) -> tuple[Claim, ...]:
        return EstimatesLocationAndScale("normal"), *super().claims

    @property
    def notation(self) -> Notation:
        latex, text = (r"e^{\mathrm{log\_std}}", "exp(log_std)") if self.log else (r"\mathrm{std}", "std")
        return Notation(
            latex=r"\sigma \left(z \operatorname{erf}\left(z / \sqrt{2}\right) + \sqrt{2 / \pi}\, e^{-z^2 / 2} "
            rf"- 1 / \sqrt{{\pi}}\right), \quad z = (y - \mathrm{{mean}}) / \sigma, \quad \sigma = {latex}",
            text=f"σ (z erf(z/√2) + √(2/π) exp(-z²/2) - 1/√π)\nwhere z = (y - mean) / σ, σ = {text}",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        mean, scale = xp.columns(p, 2)
        std = xp.exp(scale) if self.log else scale
        z = (y - mean) / std
        # Far out, where it is 0 to every float, the judge would take minutes for its exponent.
        twice_the_density = xp.sqrt(2 / math.pi) * xp.exp(-xp.minimum(z * z, 1e6) / 2)
        return std * (z * xp.erf(z / xp.sqrt(2)) + twice_the_density - 1 / xp.sqrt(math.pi))

    def derivatives(self, xp: Any, z: Array) -> tuple[Array, Array]:
        # Near the mean the two cancel; far out nothing is left of an exponential beside 1, nor of its derivative.
        is_near = xp.abs(z) < 1.0
        near = xp.where(is_near, z, 0.0)
        excess = xp.expm1(0.5 * math.log(2.0) - (0.5 * near) * near)
        beyond = 2.0**0.5 * xp.exp(-(0.5 * z) * z) - 1.0
        return xp.erf(0.5**0.5 * z), self.far * xp.where(is_near, excess, beyond)

    def bend(self, xp: Any, z: Array) -> Array:
        return (2.0 / math.pi) ** 0.5 * xp.exp(-0.5 * z * z) * (1.0 + z * z)
