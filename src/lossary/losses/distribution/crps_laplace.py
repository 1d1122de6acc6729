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


class CRPSLaplace(ScoreOfLaw):
    """The continuous ranked probability score of a Laplace law, of which the prediction is median and scale: the integral
    of the squared difference of its distribution function and the target's step."""

    scale: str = parameter(
        default="log_scale",
        choices=("log_scale", "scale"),
        doc="what the second column is: the logarithm of the scale, or that itself: the mean distance from the median",
        examples=("scale",),
    )

    task = "regression"
    tried = False
    target = Real()
    output_layer = "two linear units: the median and the logarithm of the scale"
    choosing = "for targets most of which are close to their median; 'scale' for models that end in a positive number"
    strengths = (
        "predicts how sure it is, for each row, in the target's own units",
        "smooth also where the target is the median, where the likelihood of the same law has a kink",
    )
    weaknesses = (
        "where the law of the targets is not Laplace's, what is best is neither their median nor their spread",
        "rows with a large predicted scale hardly pull on the median",
    )
    sources = ("Jordan, Krüger & Lerch 2019, doi:10.18637/jss.v090.i12",)
    foreign_names = ("crps_laplace", "LaplaceCRPS")
    same_as = (
        Twin(
            "scoringrules.crps_laplace(target, prediction[..., 0], numpy.exp(prediction[..., 1]))",
            when={"scale": "log_scale"},
        ),
        Twin("scoringrules.crps_laplace(target, prediction[..., 0], prediction[..., 1])", when={"scale": "scale"}),
    )
    far = 0.75

    @property
    def prediction(self) -> Domain:
        if self.scale == "log_scale":
            return Columns(median=Real(), log_scale=Real())
        return Columns(median=Real(), scale=Positive())

    @property
    def claims(self) -> tuple[Claim, ...]:
        return EstimatesLocationAndScale("Laplace"), *super().claims

    @property
    def notation(self) -> Notation:
        latex, text = (r"e^{\mathrm{log\_scale}}", "exp(log_scale)") if self.log else (r"\mathrm{scale}", "scale")
        return Notation(
            latex=r"\sigma \left(|z| + e^{-|z|} - \tfrac{3}{4}\right), "
            rf"\quad z = (y - \mathrm{{median}}) / \sigma, \quad \sigma = {latex}",
            text=f"σ (|z| + exp(-|z|) - 3/4)\nwhere z = (y - median) / σ, σ = {text}",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        median, scale = xp.columns(p, 2)
        scale = xp.exp(scale) if self.log else scale
        z = xp.abs(y - median) / scale
        # Far out, where it is 0 to every float, the judge would take minutes for its exponent.
        return scale * (z + xp.exp(-xp.minimum(z, 1e6)) - 0.75)

    def derivatives(self, xp: Any, z: Array) -> tuple[Array, Array]:
        towards_0 = xp.where(z >= 0.0, -z, z)  # −|z|, with a derivative at 0
        is_near, small = towards_0 > -1.0, xp.exp(towards_0)
        near = xp.where(is_near, towards_0, 0.0)
        inside = xp.where(is_near, -xp.expm1(near), 1.0 - small)
        # What (1 + |z|) exp(−|z|) lacks of 1, as a share of z², where that is little.
        lacking = 0.0 * near
        for k in range(20, 1, -1):
            lacking = lacking * near + (k - 1) / math.factorial(k)
        beyond = (small - xp.product(small, towards_0)) - self.far
        return xp.where(z < 0.0, -inside, inside), xp.where(is_near, 0.25 - near * near * lacking, beyond)

    def bend(self, xp: Any, z: Array) -> Array:
        return xp.exp(-xp.abs(z)) * (1.0 + xp.abs(z))
