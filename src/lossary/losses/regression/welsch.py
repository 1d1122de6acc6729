from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    EstimatesBulk,
    Lipschitz,
    NotConvex,
    Pointwise,
    Real,
    Smooth,
    Symmetric,
    TimesSpread,
    ZeroAtTarget,
    parameter,
)


class Welsch(Pointwise):
    """Half the squared error near 0, and c²/2 far out, by a Gaussian in between: what lies beyond a few c does not
    pull."""

    c: float = parameter(
        default=2.985,
        above=0,
        symbol="c",
        doc="residual size at which two thirds of all that an example can cost are reached, in the target's units",
        foreign=("scale", "sigma", "gamma", "bandwidth", "kernel_width"),
        examples=(0.5, 24.5),
        choose=TimesSpread((2.985, 1.5)),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "c about 2.985 × the robust spread of the residuals (95 % as efficient as the mean on normal errors)"
    strengths = (
        "a gross outlier does not count at all",
        "smooth everywhere: second-order optimisers may use it",
        "minimising it maximises the correntropy of predictions and targets",
    )
    weaknesses = (
        "an example that is predicted wrong by several c at first is never learnt from: begin with another loss",
        "not convex: where training ends depends on where it began",
    )
    no_twin = "no library here has it"
    sources = (
        "Dennis & Welsch 1978, doi:10.1080/03610917808812083",
        "Barron 2019, arXiv:1701.03077",
    )
    foreign_names = ("WelschLoss", "Leclerc", "LeclercLoss", "CorrentropyLoss", "MaximumCorrentropy", "welsch_loss")

    @property
    def claims(self) -> tuple[Claim, ...]:
        # The steepest is at |r| = c / √2.
        steepest = self.c / math.sqrt(2.0 * math.e)
        return NotConvex(), Smooth(1.0), Lipschitz(steepest), Symmetric(), ZeroAtTarget(), EstimatesBulk()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = (p - y) / self.c
        return self.c * self.c / 2 * (1 - xp.exp(-(share * share)))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        is_low, square = self._square(xp, p, y)
        low = -xp.expm1(-xp.where(is_low, square, 0.0))
        far = (0.5 * self.c * self.c) * xp.where(is_low, low, 1.0 - xp.exp(-xp.where(is_low, 1.0, square)))
        # Next to 0 the square may be subnormal where the loss is not.
        is_tiny = xp.abs(p - y) < 1e-10 * self.c
        tiny = xp.where(is_tiny, p - y, 0.0)
        return xp.where(is_tiny, (0.5 * tiny) * tiny, far)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        half = self._half(xp, self._square(xp, p, y)[1])
        return self._held(xp, p, y) * half * half

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        square = self._square(xp, p, y)[1]
        half = self._half(xp, square)
        return (1.0 - 2.0 * square) * half * half

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # It falls like exp(−(r/c)²), and r is rounded before all else.
        pull, square = self.gradient(xp, p, y), self._square(xp, p, y)[1]
        return pull, square * pull

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self.gradient_terms(xp, p, y)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        square = self._square(xp, p, y)[1]
        bent = (1.0 + 2.0 * square) * xp.exp(-square)
        return bent, square * bent

    def _half(self, xp: Any, square: Array) -> Array:
        """The root of exp(−square), which alone may be subnormal where a multiple of it is not."""
        return xp.exp(-0.5 * square)

    def _held(self, xp: Any, p: Array, y: Array) -> Array:
        """The residual, and a hundred c beyond, where nothing is left of the exponential of any square."""
        most = 100.0 * self.c
        return xp.clip(p - y, -most, most)

    def _square(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array]:
        """(Whether it is below 1, (r / c)²)."""
        ratio = self._held(xp, p, y) / self.c
        square = ratio * ratio
        return square < 1.0, square
