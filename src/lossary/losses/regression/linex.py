from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Differentiable,
    EstimatesTransformed,
    NotSymmetricInArguments,
    Pointwise,
    Real,
    StrictlyConvex,
    UnboundedGradient,
    ZeroAtTarget,
    link,
    parameter,
)


class Linex(Pointwise):
    """Linear on one side and exponential on the other, exp(a r) − a r − 1: with a above 0 too high costs exponentially
    and too low in proportion, below 0 the reverse. Next to 0 it is a²/2 times the squared error."""

    a: float = parameter(
        default=1.0,
        other_than=0,
        symbol="a",
        doc="the rate, whose sign says which side is exponential, from residuals of 1/|a| on",
        foreign=("alpha", "phi"),
        examples=(-0.5, 2.0),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "1/|a| is the residual from which on the worse side is ruinous; a is above 0 where that is too high"
    strengths = (
        "a wrong guess on the harmless side costs in proportion, on the other what it costs in a disaster",
        "convex and smooth everywhere, with a minimum in closed form: −log of the mean of exp(−a y), over a",
    )
    weaknesses = (
        "on its exponential side the gradient grows with the residual without bound: one outlier rules a batch",
        "infinite in float32 where a · residual is above 88",
        "a is on the target's scale, and has to follow where that changes",
    )
    no_twin = "no library here has it"
    sources = ("Varian 1975, A Bayesian approach to real estate assessment", "Zellner 1986, doi:10.2307/2289234")
    foreign_names = ("LinexLoss", "LINEX", "LinearExponential", "LinExpLoss")

    @property
    def claims(self) -> tuple[Claim, ...]:
        estimates = EstimatesTransformed("exponential mean", link.exponential(-self.a))
        shape = StrictlyConvex(), Differentiable(), UnboundedGradient(), NotSymmetricInArguments()
        return *shape, ZeroAtTarget(), estimates

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.exp(self.a * (p - y)) - self.a * (p - y) - 1

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        scaled = xp.scaled_difference(self.a, p, y)
        is_near = xp.abs(scaled - 0.5) < 1.5
        near = xp.where(is_near, p - y, 0.0)
        parabola = (0.5 * self.a * self.a * near) * near * xp.expm1_bend(xp.where(is_near, scaled, 0.0))
        # Far above 0, where both may be infinite, nothing is left of the line beside the exponential.
        return xp.where(is_near, parabola, xp.exp(scaled) - (1.0 + xp.minimum(scaled, 100.0)))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        scaled = xp.scaled_difference(self.a, p, y)
        is_near = xp.abs(scaled - 0.5) < 1.5
        half = xp.exp(0.5 * scaled)  # the exponential alone may overflow where a share of it does not
        far = self.a * half * half - self.a
        near = self.a * xp.expm1(xp.where(is_near, scaled, 0.0))
        return xp.line_at_0(self.a * self.a, 2.0**-60 / abs(self.a), p, y, xp.where(is_near, near, far))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        half = self.a * xp.exp(0.5 * xp.scaled_difference(self.a, p, y))
        return half * half

    # The residual is rounded before all else, and a large exponential magnifies that.

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self.value(xp, p, y), self._magnified(xp, p, y)

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self.gradient(xp, p, y), self.a * self._magnified(xp, p, y)

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self.gradient_terms(xp, p, y)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        curvature = self.curvature(xp, p, y)
        return curvature, xp.scaled_difference(self.a, p, y) * curvature

    def _magnified(self, xp: Any, p: Array, y: Array) -> Array:
        scaled = xp.scaled_difference(self.a, p, y)
        return xp.where(scaled > 2.0, scaled * xp.exp(scaled), 0.0)
