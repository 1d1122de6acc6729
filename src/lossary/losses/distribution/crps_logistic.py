from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    Columns,
    Departure,
    Domain,
    EstimatesLocationAndScale,
    Notation,
    Positive,
    Real,
    Twin,
    parameter,
)
from lossary.losses.distribution.score_of_law import ScoreOfLaw

_UNDERFLOW = "is infinite where a target is so far below the location that its probability underflows"


class CRPSLogistic(ScoreOfLaw):
    """The continuous ranked probability score of a logistic law, of which the prediction is location and scale: the
    integral of the squared difference of its distribution function and the target's step."""

    scale: str = parameter(
        default="log_scale",
        choices=("log_scale", "scale"),
        doc="what the second column is: the logarithm of the scale, or that itself; times π/√3 it is a standard deviation",
        examples=("scale",),
    )

    task = "regression"
    tried = False
    target = Real()
    output_layer = "two linear units: the location and the logarithm of the scale"
    choosing = "for targets with heavier tails than normal ones; 'scale' for models that end in a positive number"
    strengths = (
        "predicts how sure it is, for each row, in the target's own units",
        "of exponentials alone, where a normal law needs the error function",
    )
    weaknesses = (
        "where the law of the targets is not logistic, what is best is neither their mean nor their spread",
        "rows with a large predicted scale hardly pull on the location",
    )
    sources = ("Jordan, Krüger & Lerch 2019, doi:10.18637/jss.v090.i12",)
    foreign_names = ("crps_logistic", "LogisticCRPS")
    same_as = (
        Twin(
            "scoringrules.crps_logistic(target, prediction[..., 0], numpy.exp(prediction[..., 1]))",
            when={"scale": "log_scale"},
            departs=Departure(_UNDERFLOW, [[300.0, 0.0]], [1.0], math.inf),
        ),
        Twin(
            "scoringrules.crps_logistic(target, prediction[..., 0], prediction[..., 1])",
            when={"scale": "scale"},
            departs=Departure(_UNDERFLOW, [[300.0, 1.0]], [1.0], math.inf),
        ),
    )
    far = 1.0

    @property
    def prediction(self) -> Domain:
        if self.scale == "log_scale":
            return Columns(location=Real(), log_scale=Real())
        return Columns(location=Real(), scale=Positive())

    @property
    def claims(self) -> tuple[Claim, ...]:
        return EstimatesLocationAndScale("logistic"), *super().claims

    @property
    def notation(self) -> Notation:
        latex, text = (r"e^{\mathrm{log\_scale}}", "exp(log_scale)") if self.log else (r"\mathrm{scale}", "scale")
        return Notation(
            latex=r"\sigma \left(|z| + 2 \log\left(1 + e^{-|z|}\right) - 1\right), "
            rf"\quad z = (y - \mathrm{{location}}) / \sigma, \quad \sigma = {latex}",
            text=f"σ (|z| + 2 log(1 + exp(-|z|)) - 1)\nwhere z = (y - location) / σ, σ = {text}",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        location, scale = xp.columns(p, 2)
        scale = xp.exp(scale) if self.log else scale
        z = xp.abs(y - location) / scale
        # Far out, where it is 0 to every float, the judge would take minutes for its exponent.
        return scale * (z + 2 * xp.log(1 + xp.exp(-xp.minimum(z, 1e6))) - 1)

    def derivatives(self, xp: Any, z: Array) -> tuple[Array, Array]:
        is_near, size = xp.abs(z) < 1.0, xp.abs(z)
        near = xp.where(is_near, z, 0.0)
        at_0 = 2.0 * math.log(2.0) - 1.0
        excess = at_0 + (2.0 * xp.log_cosh(0.5 * near) - near * xp.tanh(0.5 * near))
        small = xp.exp(-size)
        beyond = 2.0 * (xp.log1p(small) + xp.product(small, size) / (1.0 + small)) - 1.0
        return xp.tanh(0.5 * z), xp.where(is_near, excess, beyond)

    def bend(self, xp: Any, z: Array) -> Array:
        small = xp.exp(-xp.abs(z))
        return 2.0 * small / (1.0 + small) / (1.0 + small) * (1.0 + xp.abs(z))
