from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Differentiable,
    Domain,
    Estimates,
    Metric,
    NotConvex,
    Pointwise,
    Positive,
    Real,
    StrictlyConvex,
    Twin,
    UnboundedGradient,
    parameter,
)


class Gamma(Pointwise):
    """The negative log-likelihood of an amount above 0 under a gamma law, of which the prediction is the mean or its
    logarithm.

    It is that of the exponential law; for any other shape of the gamma law it is multiplied, and a constant added.
    """

    from_log: bool = parameter(
        default=True, doc="whether predictions are logarithms of means (no activation) or means (above 0)"
    )

    task = "regression"
    target = Positive()
    output_layer = "one linear unit (from_log=True), or one that ends in a positive number (from_log=False)"
    choosing = "for amounts above 0 whose relative error matters: costs, durations, claims; from_log=True trains better"
    strengths = (
        "estimates the mean, whatever the law of the targets is above 0",
        "an error of a tenth costs the same on small targets as on large ones",
    )
    weaknesses = (
        "the gradient grows without bound where the mean is predicted too low",
        "a target of 0 is no legal one; where there are some, Poisson takes them",
    )
    sources = ("McCullagh & Nelder 1989, Generalized Linear Models, 2nd edition, chapter 8",)
    foreign_names = ("GammaNLL", "GammaNLLLoss", "HalfGammaLoss", "GammaDeviance", "ExponentialNLL")
    judged_by = (Metric("gamma_deviance", "mean_gamma_deviance"),)
    same_as = (
        Twin("sklearn._loss.loss.HalfGammaLoss().loss(target, prediction)", when={"from_log": True}),
        Twin("-scipy.stats.expon.logpdf(target, scale=prediction)", when={"from_log": False}),
    )

    @property
    def prediction(self) -> Domain:
        return Real(logarithms=True) if self.from_log else Positive()

    @property
    def claims(self) -> tuple[Claim, ...]:
        curve = StrictlyConvex() if self.from_log else NotConvex()
        return curve, Differentiable(), Estimates("mean"), UnboundedGradient()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return p + y * xp.exp(-p) if self.from_log else xp.log(p) + y / p

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        if self.from_log:
            return xp.maximum(p, -1e30) + self._ratio(xp, p, y)  # infinite by the ratio there
        return xp.log(p) + y / p

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return 1.0 - self._ratio(xp, p, y) if self.from_log else (p - y) / p / p

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return self._ratio(xp, p, y) if self.from_log else (2.0 * y - p) / p / p / p

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # What the mean costs beside a target of 0, and what the target does.
        alone = self.value(xp, p, 0.0 * y)
        return alone, self.value(xp, p, y) - alone

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        if not self.from_log:
            return ()
        alone = self.gradient(xp, p, 0.0 * y)
        return alone, self.gradient(xp, p, y) - alone

    def _ratio(self, xp: Any, p: Array, y: Array) -> Array:
        """y · exp(−p), in two steps: the exponential alone may overflow."""
        half = xp.exp(-0.5 * p)
        return (y * half) * half
