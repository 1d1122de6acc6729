from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Differentiable,
    Estimates,
    Pointwise,
    Positive,
    Real,
    StrictlyConvex,
    UnboundedGradient,
    parameter,
)

_FAR = 80.0  # a logarithm whose exponential every dtype still has


class NegativeBinomial(Pointwise):
    """The negative log-likelihood of a count under a negative binomial law, of which the prediction is the logarithm of
    the mean μ. Its variance is μ + αμ²: Poisson's and, with it, a spread in proportion to the mean.

    What depends on the target alone is left out, so that the least cost is not 0 and Poisson's loss is the limit of no
    dispersion. Targets are any numbers of at least 0, not counts alone.
    """

    dispersion: float = parameter(
        default=1.0,
        above=0,
        symbol="α",
        doc="how much the variance exceeds the mean, in units of the mean's square; near 0 it is Poisson's law",
        foreign=("alpha", "overdispersion"),
        examples=(0.1, 4.0),
    )

    task = "regression"
    prediction = Real(logarithms=True)
    target = Positive(or_zero=True)
    output_layer = "one linear unit"
    choosing = (
        "dispersion is (variance - mean) / mean² of counts that have the same mean; Poisson where that is about 0"
    )
    strengths = (
        "estimates the mean, whatever the law of the targets is on 0 and above",
        "a few large counts do not rule: where the mean is large, targets are weighed by their share of it",
        "too large a prediction pulls with at most 1/α",
    )
    weaknesses = (
        "the dispersion is one number for all rows, and is not learned",
        "the gradient grows with the target without bound where the mean is predicted too low",
    )
    sources = ("Hilbe 2011, Negative Binomial Regression, 2nd edition, chapter 8",)
    foreign_names = ("NegativeBinomialNLL", "NegativeBinomialLoss", "NB2", "NegativeBinomialDistributionLoss")
    no_twin = "others add what depends on the target alone, of which they compute logarithms of the gamma function"
    claims = (StrictlyConvex(), Differentiable(), Estimates("mean"), UnboundedGradient())

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        of_mean = xp.log(1 + self.dispersion * xp.exp(p)) / self.dispersion
        return of_mean + y * xp.log(self.dispersion + xp.exp(-p))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        unit, of_mean, of_target = self._costs(xp, p, y)
        return unit * (of_mean + of_target)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        of_mean, of_target, share = self._pulls(xp, p, y)
        return (of_mean - of_target) / share

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        above, share = p > 0.0, self._pulls(xp, p, y)[2]
        small = xp.exp(xp.where(above, -p, p))
        return (1.0 + self.dispersion * y) * (small / share) / share

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        unit, of_mean, of_target = self._costs(xp, p, y)
        return unit * of_mean, unit * of_target

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        of_mean, of_target, share = self._pulls(xp, p, y)
        return of_mean / share, of_target / share

    def _costs(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array, Array]:
        """What both are in units of, where they may overflow and their sum may not; what the mean costs, and what the
        target does."""
        unit = xp.where(xp.maximum(p, y) > 1e30, 2.0**60, xp.where(xp.isnan(p), p, 1.0))
        # The odds of one more count. By the exponential, which is known better than the sum of two logarithms is.
        near, shifted = p < _FAR, p + math.log(self.dispersion)
        odds = self.dispersion * xp.exp(xp.minimum(p, _FAR))
        mean = xp.where(near, xp.log1p(odds), xp.softplus(shifted))
        # log(1 + odds) − p, which cancels where the mean is large.
        rest = xp.where(near, xp.log1p(1.0 / xp.maximum(odds, 1.0)), xp.softplus(-shifted))
        above = math.log(self.dispersion) + rest
        of_target = xp.product(y / unit, xp.where(odds > 1.0, above, mean - p))
        return unit, mean / unit / self.dispersion, of_target

    def _pulls(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array, Array]:
        """The gradient is (μ − y) / (1 + αμ): μ, y and 1 + αμ; all three divided by μ, where that is above 1."""
        above = p > 0.0
        small = xp.exp(xp.where(above, -p, p))
        half = xp.exp(xp.where(above, -0.5 * p, 0.0))  # of μ, which may underflow where its product does not
        of_mean = xp.where(above, 1.0, small)
        return of_mean, (y * half) * half, xp.where(above, small + self.dispersion, 1.0 + self.dispersion * small)
