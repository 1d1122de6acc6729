from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Columns,
    Departure,
    Domain,
    EstimatesLocationAndScale,
    Kinked,
    NotConvex,
    Positive,
    Real,
    Rowwise,
    Twin,
    UnboundedGradient,
    parameter,
)
from lossary.losses.distribution.score_of_law import residual_in_scales, symmetric

_UNDERFLOW = "is infinite where the density underflows"


class LaplaceNLL(Rowwise):
    """The negative log-likelihood of a number under a Laplace law, of which the prediction is median and scale."""

    scale: str = parameter(
        default="log_scale",
        choices=("log_scale", "scale"),
        doc="what the second column is: the logarithm of the scale, or that itself: the mean distance from the median",
        examples=("scale",),
    )
    full: bool = parameter(default=False, doc="whether the constant log 2 is added, as in a likelihood")

    task = "regression"
    tried = False
    target = Real()
    output_layer = "two linear units: the median and the logarithm of the scale"
    choosing = "scale='log_scale', which needs no activation; 'scale' for models that end in a positive number"
    strengths = (
        "predicts how sure it is, for each row; a few large errors move it less than they move a normal law",
        "the best scale is the mean distance from the median, whatever the law of the targets",
    )
    weaknesses = (
        "kink at the target: the median is hardly told apart from what is close to it",
        "without bound below: where residuals become 0 the scale collapses",
    )
    sources = ("Koenker & Machado 1999, Goodness of Fit and Related Inference Processes for Quantile Regression",)
    foreign_names = ("LaplaceNLLLoss", "LaplacianNLL", "logs_laplace")
    same_as = (
        Twin(
            "-scipy.stats.laplace.logpdf(target, prediction[..., 0], numpy.exp(prediction[..., 1]))",
            offset=-math.log(2.0),
            when={"scale": "log_scale", "full": False},
            departs=Departure(_UNDERFLOW, [[1000.0, 0.0]], [1.0], math.inf),
        ),
        Twin(
            "-scipy.stats.laplace.logpdf(target, prediction[..., 0], numpy.exp(prediction[..., 1]))",
            when={"scale": "log_scale", "full": True},
            departs=Departure(_UNDERFLOW, [[1000.0, 0.0]], [1.0], math.inf),
        ),
        Twin(
            "-scipy.stats.laplace.logpdf(target, prediction[..., 0], prediction[..., 1])",
            offset=-math.log(2.0),
            when={"scale": "scale", "full": False},
            departs=Departure(_UNDERFLOW, [[1000.0, 1.0]], [1.0], math.inf),
        ),
        Twin(
            "-scipy.stats.laplace.logpdf(target, prediction[..., 0], prediction[..., 1])",
            when={"scale": "scale", "full": True},
            departs=Departure(_UNDERFLOW, [[1000.0, 1.0]], [1.0], math.inf),
        ),
    )
    claims = (EstimatesLocationAndScale("Laplace"), NotConvex(), Kinked("the target"), UnboundedGradient())

    @property
    def prediction(self) -> Domain:
        if self.scale == "log_scale":
            return Columns(median=Real(), log_scale=Real())
        return Columns(median=Real(), scale=Positive())

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        median, scale = xp.columns(p, 2)
        cost = scale + xp.abs(y - median) / xp.exp(scale) if self._log else xp.log(scale) + xp.abs(y - median) / scale
        return cost + xp.log(2.0) if self.full else cost

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        of_scale, distance, constant = self.value_terms(xp, p, y)
        return (of_scale + constant) + distance

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        median, scale = xp.columns(p, 2)
        pull = xp.exp(-scale) if self._log else 1.0 / scale
        of_scale = 1.0 - self._distance(xp, p, y)
        # What is neither above nor below is equal (0) or NaN, and both are the difference.
        pull = xp.where(median > y, pull, xp.where(median < y, -pull, median - y))
        return xp.stack(pull, of_scale if self._log else of_scale / scale)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array | float, ...]:
        # What the scale costs, what the residual does, and the constant.
        _, scale = xp.columns(p, 2)
        constant = math.log(2.0) if self.full else 0.0
        return scale if self._log else xp.log(scale), self._distance(xp, p, y), constant

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # The scale is pulled down by itself, and up by the residual.
        scale, distance = xp.columns(p, 2)[1], self._distance(xp, p, y)
        down = 1.0 + 0.0 * distance if self._log else 1.0 / scale
        pull = xp.columns(self.gradient(xp, p, y), 2)[0]
        return xp.stack(pull, down), xp.stack(pull, down * distance)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        if self._log:
            return ()
        scale, distance = xp.columns(p, 2)[1], self._distance(xp, p, y)
        bend = 1.0 / scale / scale
        return (symmetric(xp, 0.0 * bend, bend, (1.0 + 2.0 * distance) * bend),)

    @property
    def _log(self) -> bool:
        return self.scale == "log_scale"

    def _distance(self, xp: Any, p: Array, y: Array) -> Array:
        """From the median, in scales."""
        median, scale = xp.columns(p, 2)
        return xp.abs(residual_in_scales(xp, median, y, scale, log=self._log))
