from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    EstimatesCentre,
    Lipschitz,
    Pointwise,
    Real,
    Smooth,
    StrictlyConvex,
    Symmetric,
    Twin,
    ZeroAtTarget,
)


class LogisticDistance(Pointwise):
    """The negative log-likelihood of a residual under a logistic law of scale 1, less its least: a quarter of its
    square near 0, its size less 2 log 2 far out."""

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "when errors have the tails of a logistic law; divide the target by the law's scale first"
    strengths = (
        "an outlier's pull is capped at 1",
        "smooth everywhere: second-order optimisers may use it",
        "a likelihood, up to a constant: it says which law of errors is assumed",
    )
    weaknesses = (
        "of skewed targets it estimates neither the mean nor the median",
        "no parameter for the scale: residuals are large or small compared with 2",
    )
    sources = ("Johnson, Kotz & Balakrishnan 1995, Continuous Univariate Distributions, volume 2, chapter 23",)
    foreign_names = ("LogitDistLoss", "LogisticRegressionError", "LogisticResidual")
    same_as = (Twin("-scipy.stats.logistic.logpdf(target, loc=prediction)", offset=-2.0 * math.log(2.0)),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return StrictlyConvex(), Smooth(0.5), Lipschitz(1.0), Symmetric(), ZeroAtTarget(), EstimatesCentre()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return 2 * xp.log((xp.exp((p - y) / 2) + xp.exp((y - p) / 2)) / 2)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return 2.0 * xp.log_cosh(self._half(p, y))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.tanh(self._half(p, y))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        # ½ sech²(r/2); 1 − tanh² has no digits left far out.
        small = xp.exp(-2.0 * xp.abs(self._half(p, y)))
        return 2.0 * small / ((1.0 + small) * (1.0 + small))

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # It falls like exp(−|r|), and r is rounded before all else.
        bend = self.curvature(xp, p, y)
        return bend, xp.abs(p - y) * bend

    def _half(self, p: Array, y: Array) -> Array:
        """Half the residual."""
        return 0.5 * (p - y)
