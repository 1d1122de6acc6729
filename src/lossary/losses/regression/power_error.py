from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Differentiable,
    Estimates,
    EstimatesCentre,
    Identity,
    Kinked,
    Lipschitz,
    Pointwise,
    Real,
    Smooth,
    StrictlyConvex,
    StronglyConvex,
    Symmetric,
    Twin,
    UnboundedGradient,
    ZeroAtTarget,
    parameter,
)


class PowerError(Pointwise):
    """The size of the residual to the power p: absolute error at 1, squared error at 2, and what is between them."""

    p: float = parameter(
        default=1.5,
        at_least=1,
        symbol="p",
        doc="the power of the residual's size: the larger, the more an outlier counts",
        foreign=("power", "exponent", "P", "norm"),
        examples=(1.0, 2.0, 3.0),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "p between 1 and 2 where the mean is too easily moved and the median too coarse"
    strengths = (
        "one number leads from the median to the mean, and on towards the middle of the range",
        "has no scale of its own: rescale the data, and the same prediction is best",
    )
    weaknesses = (
        "of skewed targets it estimates neither the mean nor the median",
        "below 2 the curvature is infinite at 0, above 2 it vanishes there: a fixed step size over- or undershoots",
    )
    no_twin = "no library here has other powers than 1 and 2"
    sources = ("Chen 1996, Conditional L_p-quantiles and their application to testing of symmetry",)
    foreign_names = ("LPDistLoss", "LpLoss", "LpDistance", "MeanPowerError")
    identities = (
        Identity("MeanAbsoluteError()", when={"p": 1.0}),
        Identity("MeanSquaredError()", when={"p": 2.0}),
    )
    same_as = (
        Twin("torch.nn.L1Loss(reduction='none')(prediction, target)", when={"p": 1.0}),
        Twin("torch.nn.MSELoss(reduction='none')(prediction, target)", when={"p": 2.0}),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        always = Symmetric(), ZeroAtTarget()
        if self.p == 1.0:
            return Convex(), Lipschitz(1.0), Kinked("0"), Estimates("median", 0.5), *always
        if self.p == 2.0:
            return StronglyConvex(2.0), Smooth(2.0), UnboundedGradient(), Estimates("mean"), *always
        # With a lower power the bend at 0 is as sharp as a kink to float64, and it is steep only where no residual is.
        bent = (Differentiable(), UnboundedGradient()) if self.p >= 1.5 else ()
        return StrictlyConvex(), *bent, EstimatesCentre(), *always

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.power(xp.abs(p - y), self.p)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.abs(p - y) if self.p == 1.0 else self._multiple(xp, p, y, 1.0, self.p)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        if self.p == 1.0:
            return xp.where(p > y, 1.0, xp.where(p < y, -1.0, p - y))
        size = self._multiple(xp, p, y, self.p, self.p - 1.0)
        return xp.where(p < y, -size, size)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        if self.p == 1.0:
            return 0.0 * self.gradient(xp, p, y)
        return self._multiple(xp, p, y, self.p * (self.p - 1.0), self.p - 2.0)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self._magnified(self.value(xp, p, y))

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self._magnified(self.gradient(xp, p, y))

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self._magnified(self.gradient(xp, p, y))

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self._magnified(self.curvature(xp, p, y))

    def _magnified(self, x: Array) -> tuple[Array, ...]:
        """What it is rounded as: a large power magnifies the rounding of the residual."""
        return (0.25 * self.p * x,) if self.p > 4.0 else ()

    def _multiple(self, xp: Any, p: Array, y: Array, factor: float, exponent: float) -> Array:
        """factor · |p − y| to the exponent; in other units where the difference overflows, or where it or its power is
        subnormal, which may be taken for 0, and the result is not."""
        unit = 2.0**60 if exponent < 1.0 else 2.0 ** math.ceil(math.log2(factor) / exponent)
        is_small = xp.logical_and(xp.abs(p) < 1.0, xp.abs(y) < 1.0)
        is_held = xp.isfinite(p - y)
        r = xp.where(is_held, xp.where(is_small, unit * p - unit * y, p - y), 0.5 * p - 0.5 * y)
        # Not `abs`, whose derivative of 0 at 0 would be the curvature there. Where that is infinite, it is 0 at 0.
        size = xp.where(r < 0.0, -r, r)
        if 0.0 != exponent < 1.0:
            is_0 = xp.equal(size, 0.0)
            power = xp.where(is_0, 0.0, xp.power(xp.where(is_0, 1.0, size), exponent))
        else:
            power = xp.power(size, exponent)
        near = xp.where(is_small, (factor * unit ** (-exponent)) * power, factor * power)
        return xp.where(is_held, near, (factor * 2.0**exponent) * power)
