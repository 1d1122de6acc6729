"""What the continuous ranked probability scores of laws with a location and a scale have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

from lossary.define import (
    Array,
    Claim,
    Convex,
    Differentiable,
    Lipschitz,
    NonNegative,
    NotConvex,
    Rowwise,
    UnboundedGradient,
)


def residual_in_scales(xp: Any, location: Array, y: Array, scale: Array, *, log: bool) -> Array:
    """(location − y) / scale, also where the difference overflows; of a scale, or with `log` of its logarithm."""
    if not log:
        difference = location - y
        return xp.where(xp.isfinite(difference), difference / scale, location / scale - y / scale)
    # By one exponential; what is left of a scale beyond the floats goes to the quotient, else that is 1, as it is beside
    # an infinite residual.
    near = xp.clip(scale, -80.0, 80.0)
    rest = xp.where(xp.isfinite(0.5 * location - 0.5 * y), xp.exp(near - scale), 1.0)
    return xp.product(xp.scaled_difference(xp.exp(-near), location, y), rest)


def times_scale(xp: Any, x: Array, scale: Array, *, log: bool) -> Array:
    """x · scale, also where a scale of which the logarithm is given overflows and the product does not."""
    if not log:
        return x * scale
    large = scale > 64.0  # from which 8 is taken off without a rounding
    return xp.exp(xp.where(large, scale - 8.0, scale)) * xp.where(large, math.exp(8.0) * x, x)


def symmetric(xp: Any, first: Array, mixed: Array, second: Array) -> Array:
    """The matrices with these entries, of rows of two."""
    return xp.stack(xp.stack(first, mixed), xp.stack(mixed, second))


class ScoreOfLaw(Rowwise, abstract=True):
    """The integral of (F(x) − [y ≤ x])², for the distribution function F of a law with a location and a scale.

    It is scale · C(z), where z = (location − y) / scale, so that its derivatives are C′(z) and C(z) − z C′(z), and it is
    what residual and scale make of these two (Euler). Columns are a location and a scale, or `log_…` of one.
    """

    # What is taken off the scale far out: C(z) tends to |z| less this.
    far: ClassVar[float]

    @abstractmethod
    def derivatives(self, xp: Any, z: Array) -> tuple[Array, Array]:
        """C′(z), and C(z) − z C′(z), which is −`far` far out."""

    @abstractmethod
    def bend(self, xp: Any, z: Array) -> Array:
        """How large C″(z) is, times what it magnifies of how z was rounded."""

    @property
    def log(self) -> bool:
        """Whether the second column is the scale's logarithm."""
        return bool(self.prediction.names[1].startswith("log_"))

    @property
    def claims(self) -> tuple[Claim, ...]:
        # The further out a target is, the harder it pulls.
        shape = (NotConvex(), UnboundedGradient()) if self.log else (Convex(), Lipschitz(math.hypot(1.0, self.far)))
        return *shape, Differentiable(), NonNegative()

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        (location, scale), (inside, of_scale) = xp.columns(p, 2), self._derivatives(xp, p, y)
        distance = xp.scaled_difference(inside, location, y)
        # Where it is infinite, what a scale takes off may be, too.
        return xp.where(
            xp.equal(distance, math.inf), distance, distance + times_scale(xp, of_scale, scale, log=self.log)
        )

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        inside, of_scale = self._derivatives(xp, p, y)
        return xp.stack(inside, self._by_column(xp, of_scale, p))

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # The scale is pulled up by what is far from the location, and down by what is near.
        inside, of_scale = self._derivatives(xp, p, y)
        return tuple(
            xp.stack(inside, self._by_column(xp, each, p)) for each in (of_scale + self.far, self.far + 0.0 * inside)
        )

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        location, scale = xp.columns(p, 2)
        z = residual_in_scales(xp, location, y, scale, log=self.log)
        bend = self.bend(xp, z)
        if not self.log:
            bend = bend / scale
            return (symmetric(xp, bend, z * bend, z * z * bend),)
        of_location = times_scale(xp, bend, -scale, log=True)
        of_scale = times_scale(xp, z * z * bend, scale, log=True)
        pulls = [xp.columns(each, 2)[1] for each in self.gradient_terms(xp, p, y)]
        return symmetric(xp, of_location, z * bend, of_scale), *(symmetric(xp, 0.0 * z, 0.0 * z, x) for x in pulls)

    def _derivatives(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array]:
        location, scale = xp.columns(p, 2)
        return self.derivatives(xp, residual_in_scales(xp, location, y, scale, log=self.log))

    def _by_column(self, xp: Any, by_scale: Array, p: Array) -> Array:
        """A derivative by the scale as one by the second column."""
        return times_scale(xp, by_scale, xp.columns(p, 2)[1], log=True) if self.log else by_scale
