from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    Differentiable,
    Estimates,
    EstimatesBulk,
    EstimatesCentre,
    Identity,
    Lipschitz,
    NotConvex,
    Pointwise,
    Real,
    Smooth,
    StrictlyConvex,
    StronglyConvex,
    Symmetric,
    TimesSpread,
    Twin,
    UnboundedGradient,
    ZeroAtTarget,
    parameter,
)

_NEAR_0 = 1e-6  # a power next to which the loss is its limit, and a little


class Barron(Pointwise):
    """Half the squared error near 0 and a power of the residual far out: the robust losses in one, by how much α lets
    outliers count.

    At 2 it is half the squared error, at 1 PseudoHuber, at 0 Cauchy, at −2 GemanMcClure, and towards −∞ Welsch, with the
    last three's c times √2, 2 and √2. It is Barron's loss times c², so that its curvature at 0 is 1, as theirs is.
    """

    alpha: float = parameter(
        default=1.0,
        symbol="α",
        doc="how outliers count: as their squares at 2, as their sizes at 1, less and less below, any number",
        foreign=("shape", "a", "robustness"),
        examples=(-2.0, 0.0, 0.5, 2.0),
    )
    c: float = parameter(
        default=1.0,
        above=0,
        symbol="c",
        doc="residual size around which the parabola ends, in the target's units",
        foreign=("scale", "sigma"),
        examples=(24.5,),
        choose=TimesSpread((1.0, 0.5, 3.0)),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "alpha by validation, from 2 down as outliers are more; c about the robust spread of the residuals"
    strengths = (
        "one number leads from the mean to a fit that ignores outliers, through most of the robust losses in use",
        "smooth everywhere: second-order optimisers may use it",
    )
    weaknesses = (
        "below an alpha of 1 it is not convex: where training ends depends on where it began",
        "of skewed targets it estimates neither the mean nor the median, but for an alpha of 2",
        "alpha is no weight to train: by itself it would fall, as every outlier then costs less",
    )
    no_twin = "no library here has it, but for some powers"
    sources = ("Barron 2019, arXiv:1701.03077",)
    foreign_names = ("AdaptiveRobustLoss", "GeneralRobustLoss", "RobustLoss", "BarronLoss")
    identities = (
        Identity("MeanSquaredError()", "0.5", when={"alpha": 2.0}, whatever=("c",)),
        Identity("PseudoHuber(c)", when={"alpha": 1.0}),
        Identity("Cauchy(2**0.5 * c)", when={"alpha": 0.0}),
        Identity("GemanMcClure(2.0 * c)", when={"alpha": -2.0}),
    )
    same_as = (
        Twin("scipy.special.pseudo_huber(c, prediction - target)", when={"alpha": 1.0}),
        Twin("torch.nn.MSELoss(reduction='none')(prediction, target)", factor=0.5, when={"alpha": 2.0}),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        always = Symmetric(), ZeroAtTarget()
        if self.alpha >= 2.0:
            ends = (Smooth(1.0), Estimates("mean")) if self.alpha == 2.0 else (Differentiable(), EstimatesCentre())
            return StronglyConvex(1.0), UnboundedGradient(), *ends, *always
        if self.alpha > 1.0:
            return StrictlyConvex(), Smooth(1.0), EstimatesCentre(), *always
        if self.alpha == 1.0:
            return StrictlyConvex(), Smooth(1.0), Lipschitz(self.c), EstimatesCentre(), *always
        steepest = self.c * ((2.0 - self.alpha) / (1.0 - self.alpha)) ** (0.5 * (self.alpha - 1.0))
        return NotConvex(), Smooth(1.0), Lipschitz(steepest), EstimatesBulk(), *always

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = (p - y) / self.c
        if self.alpha == 0:
            return self.c * self.c * xp.log(1 + share * share / 2)
        if self.alpha == 2:
            return (p - y) * (p - y) / 2
        size = xp.abs(self.alpha - 2)
        power = xp.power(share * share / size + 1, self.alpha / 2)
        return self.c * self.c * (size / self.alpha) * (power - 1)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        if self.alpha == 2.0:
            return (0.5 * (p - y)) * (p - y)
        is_near, square = self._square(xp, p, y)
        within = xp.log1p(square)
        logarithm = within + xp.where(is_near, 0.0, 2.0 * self._logarithm(xp, p, y, is_near))
        exponent = (0.5 * self.alpha) * xp.minimum(logarithm, 1e4)  # 0 · ∞ is unknown
        if abs(self.alpha) < _NEAR_0:
            series = 1.0 + exponent / 2.0 * (1.0 + exponent / 3.0 * (1.0 + exponent / 4.0 * (1.0 + exponent / 5.0)))
            far = (0.5 * self._unit * self._unit) * logarithm * series
        else:
            # A large exponential magnifies what its argument was rounded by, and a power of the residual does not.
            is_low = xp.logical_or(is_near, xp.abs(exponent) < 1.0)
            part = self._unit * self._unit / self.alpha
            power = self._power(xp, p, y, is_low, 2, 1.0 / self.alpha) * xp.exp((0.5 * self.alpha) * within)
            far = xp.where(is_low, part * xp.expm1(xp.where(is_low, exponent, 0.0)), power - part)
        # Next to 0 the logarithm may be subnormal where the loss is not.
        is_tiny = xp.abs(p - y) < 1e-10 * self.c
        tiny = xp.where(is_tiny, p - y, 0.0)
        return xp.where(is_tiny, (0.5 * tiny) * tiny, far)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        if self.alpha == 2.0:
            return p - y
        is_near, square = self._square(xp, p, y)
        pull = xp.exp((0.5 * self.alpha - 1.0) * xp.log1p(square))
        far = self._power(xp, p, y, is_near, 1)
        return xp.where(is_near, p - y, xp.where(p < y, -far, far)) * pull

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        if self.alpha == 2.0:
            return 1.0 + 0.0 * (p - y)
        is_near, square = self._square(xp, p, y)
        bent = xp.exp((0.5 * self.alpha - 2.0) * xp.log1p(square))
        near, far = 1.0 + (self.alpha - 1.0) * square, square + (self.alpha - 1.0)
        return xp.where(is_near, near, far * self._power(xp, p, y, is_near, 0)) * bent

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (0.5 * self.alpha * self.value(xp, p, y),) if self.alpha > 3.0 else ()

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # A large power magnifies what the residual was rounded by.
        size = abs(0.5 * self.alpha - 1.0)
        return (size * self.gradient(xp, p, y),) if size > 2.0 else ()

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self.gradient_terms(xp, p, y)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        if self.alpha == 2.0:
            return ()
        (is_near, square), size = self._square(xp, p, y), abs(self.alpha - 1.0)
        bent = xp.exp((0.5 * self.alpha - 2.0) * xp.log1p(square))
        far = (square + size) * self._power(xp, p, y, is_near, 0)
        magnified = 1.0 + 0.25 * abs(0.5 * self.alpha - 2.0)  # what the square was rounded by, by the power
        return (magnified * xp.where(is_near, 1.0 + size * square, far) * bent,)

    @property
    def _unit(self) -> float:
        """The residual at which the square in the power is as large as the 1 beside it."""
        return self.c * math.sqrt(abs(self.alpha - 2.0))

    def _square(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array]:
        """(Whether the residual is below the unit, the square of it in units if so, and 1 by that if not)."""
        half = 0.5 * p - 0.5 * y  # which does not overflow
        is_near = xp.abs(half) < 0.5 * self._unit
        near, ratio = xp.where(is_near, p - y, 0.0), (0.5 * self._unit) / xp.where(is_near, 1.0, half)
        return is_near, xp.where(is_near, near * near / (self._unit * self._unit), ratio * ratio)

    def _logarithm(self, xp: Any, p: Array, y: Array, is_near: Array) -> Array:
        """log(|r| / unit) where they are not near."""
        size, half = xp.abs(p - y), xp.abs(0.5 * p - 0.5 * y)
        ratio = xp.where(is_near, 1.0, size / self._unit)
        far = xp.log(xp.where(is_near, 1.0, half)) + (math.log(2.0) - math.log(self._unit))
        return xp.where(xp.isfinite(ratio), xp.log(ratio), far)

    def _power(self, xp: Any, p: Array, y: Array, is_near: Array, order: int, factor: float = 1.0) -> Array:
        """factor · |r| to the order · |r| / unit to (α − 2), where they are not near; else something finite."""
        half = xp.where(is_near, self._unit, xp.abs(0.5 * p - 0.5 * y))
        if 1.0 < self.alpha <= 3.0:  # the unit may be next to nothing, so that residuals are too large to count in it
            power = xp.power(0.5 * half, self.alpha - 2.0)
            power = (factor * 2.0**order * (0.25 * self._unit) ** (2.0 - self.alpha)) * power
            for _ in range(order):
                power = power * half
        else:
            # α − 1 has fewer digits than a small α, of which residuals are taken off one by one.
            exponent, by_one = (self.alpha - 2.0 + order, 0) if self.alpha >= 0.5 else (self.alpha, 2 - order)
            ratio = xp.where(is_near, 1.0, xp.abs(p - y) / self._unit)
            is_held, part = xp.isfinite(ratio), 0.5 * min(1.0, self._unit)
            power = xp.power(xp.where(is_held, ratio, (part / self._unit) * half), exponent)
            power = xp.where(is_held, power, (2.0 / part) ** min(exponent, 10.0) * power)
            power = (factor * self._unit**order) * power
            for _ in range(by_one):  # raised, for the inverse of a large number may be subnormal
                power = power * (2.0**24 * self._unit / half) * 2.0**-25
        grows = self.alpha - 2.0 + order
        limit = math.inf if grows > 0.0 else self._unit**order if grows == 0.0 else 0.0
        return xp.where(xp.equal(half, math.inf), limit, power)
