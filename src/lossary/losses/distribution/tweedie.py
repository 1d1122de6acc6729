from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
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


class Tweedie(Pointwise):
    """The negative log-likelihood of an amount under a Tweedie law, whose variance is a power of its mean, of which the
    prediction is the mean or its logarithm.

    A power of 1 is Poisson's law and a power of 2 the gamma law; between them, sums of a random number of amounts, which
    may be 0; a power of 3 is the inverse Gaussian law. A constant is left out that depends on the target, so that the
    loss changes with the power without a jump.
    """

    power: float = parameter(
        default=1.5,
        at_least=1,
        symbol="ρ",
        doc="the power of the mean that the variance goes with; from 2 on, targets are above 0",
        foreign=("p", "variance_power", "tweedie_variance_power", "tweedie_power", "rho"),
        examples=(1.0, 2.0, 3.0),
    )
    from_log: bool = parameter(
        default=True, doc="whether predictions are logarithms of means (no activation) or means (above 0)"
    )

    task = "regression"
    output_layer = "one linear unit (from_log=True), or one that ends in a positive number (from_log=False)"
    choosing = (
        "power between 1 and 2 for amounts of which many are 0, as claims and sales are; Poisson and Gamma are its ends"
    )
    strengths = (
        "estimates the mean, whatever the law of the targets is",
        "takes targets of 0 beside amounts of any size (power below 2)",
    )
    weaknesses = (
        "the power is a guess about the law: a wrong one weighs large targets too much or too little",
        "the gradient grows without bound where the mean is predicted too low",
    )
    sources = ("Jørgensen 1987, doi:10.1111/j.2517-6161.1987.tb01685.x",)
    foreign_names = ("TweedieLoss", "TweedieNLL", "HalfTweedieLoss", "TweedieDeviance", "InverseGaussian")
    judged_by = (Metric("tweedie_deviance", "mean_tweedie_deviance", {"power": "power"}),)
    same_as = (
        Twin(
            "sklearn._loss.loss.HalfTweedieLoss(power=power).loss(target, prediction) - 1 / (2 - power) + target / (1 - power)",
            when={"power": 1.5, "from_log": True},
        ),
        Twin(
            "sklearn._loss.loss.HalfTweedieLoss(power=power).loss(target, prediction) - 1 / (2 - power) + target / (1 - power)",
            when={"power": 3.0, "from_log": True},
        ),
        Twin(
            "sklearn._loss.loss.HalfTweedieLoss(power=power).loss(target, prediction)",
            offset=-1.0,
            when={"power": 1.0, "from_log": True},
        ),
        Twin(
            "sklearn._loss.loss.HalfTweedieLoss(power=power).loss(target, prediction) - target",
            when={"power": 2.0, "from_log": True},
        ),
    )
    no_twin = "others have losses of means that leave out another constant, which jumps with the power"

    @property
    def prediction(self) -> Domain:
        return Real(logarithms=True) if self.from_log else Positive()

    @property
    def target(self) -> Domain:
        return Positive(or_zero=self.power < 2.0)

    @property
    def claims(self) -> tuple[Claim, ...]:
        curve: Claim = NotConvex()
        if self.from_log and self.power <= 2.0:
            curve = StrictlyConvex()
        elif self.power == 1.0:
            curve = Convex()
        return curve, Differentiable(), Estimates("mean"), UnboundedGradient()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        f, up, down = p if self.from_log else xp.log(p), 2 - self.power, 1 - self.power
        of_mean = f if up == 0 else (xp.exp(up * f) - 1) / up
        return of_mean - y * (f if down == 0 else (xp.exp(down * f) - 1) / down)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return self._less(xp, *self._costs(xp, p, y))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        if self.from_log:
            return self._less(xp, *self._pulls(xp, p, y))
        # Near each other their difference is exact.
        near = xp.logical_and(p < 2.0 * y, y < 2.0 * p)
        share = xp.where(near, p - y, 1.0 - y / p) / xp.where(near, p, 1.0)
        return self._lowered(xp, share, p)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        if self.from_log:
            unit, of_mean, of_target = self._pulls(xp, p, y)
            return unit * ((2.0 - self.power) * of_mean - (1.0 - self.power) * of_target)
        bend = ((1.0 - self.power) + self.power * (y / p)) / p
        return self._lowered(xp, bend, p)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        unit, of_mean, of_target = self._costs(xp, p, y)
        return self._magnified * unit * of_mean, self._magnified * unit * of_target

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        if not self.from_log:
            return (self._magnified * self.gradient(xp, p, y),)
        unit, of_mean, of_target = self._pulls(xp, p, y)
        return unit * of_mean, unit * of_target

    @property
    def _magnified(self) -> float:
        """By how much a power magnifies what the logarithm was rounded by, as far as anybody may lose digits by it."""
        return 1.0 if self.from_log else min(max(1.0, self.power - 1.0), 4.0)

    def _costs(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array, Array]:
        """What both are in units of, what the mean costs and what the target takes off."""
        size, rest = (p, 0.0) if self.from_log else xp.log_in_parts(p)
        up, down = 2.0 - self.power, 1.0 - self.power
        unit, lowered, amount = self._in_units(xp, size, y)
        if up > 0.0:
            size = xp.minimum(size, 1000.0 / up)  # infinite by the mean beyond, whatever is taken off
        # By half the logarithm: that of the whole may overflow where the product does not.
        half = xp.box_cox_of_exp(0.5 * down, size, rest)
        of_target = xp.product(amount, half if down == 0.0 else 0.5 * half)
        if down != 0.0:
            of_target = xp.product(of_target, 2.0 + 0.5 * down * half)
        return unit, xp.box_cox_of_exp(up, lowered, rest), of_target

    def _pulls(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array, Array]:
        """What both are in units of, exp((2 − power) · p) and y · exp((1 − power) · p)."""
        unit, lowered, amount = self._in_units(xp, p, y)
        one = xp.where(xp.isnan(p), p, 1.0)
        half = xp.discounted(one, 0.5 * (self.power - 1.0), p, 0.0)
        return unit, xp.discounted(one, self.power - 2.0, lowered, 0.0), xp.product(xp.product(amount, half), half)

    def _in_units(self, xp: Any, size: Array, y: Array) -> tuple[Array, Array, Array]:
        """A unit, and in it the logarithm and the target: where one of two terms may overflow and their difference may
        not, 16 are taken off the logarithm, without a rounding."""
        up = max(2.0 - self.power, 0.0)
        large = up * size > 64.0
        return (
            xp.where(large, math.exp(16.0 * up), xp.where(xp.isnan(size), size, 1.0)),
            xp.where(large, size - 16.0, size),
            xp.where(large, math.exp(-16.0 * up) * y, y),
        )

    def _lowered(self, xp: Any, x: Array, p: Array) -> Array:
        """x · p^(1 − power): by divisions, as far as they go, and what is left in two steps, for a power of the mean may
        overflow where the product does not."""
        rate = self.power - 1.0
        divisions = min(int(rate), 2)
        for _ in range(divisions):
            x = x / p
        parts, left = xp.log_in_parts(p), rate - divisions
        if left <= 1.0:
            return xp.discounted(x, left, *parts)
        return xp.discounted(xp.discounted(x, 0.5 * left, *parts), 0.5 * left, *parts)

    def _less(self, xp: Any, unit: Array, of_mean: Array, of_target: Array) -> Array:
        """unit · (of_mean − of_target), of which the latter is larger where both are infinite."""
        return unit * (xp.where(xp.equal(xp.abs(of_target), math.inf), 0.0, of_mean) - of_target)
