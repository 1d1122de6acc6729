from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    EstimatesCircularMean,
    Lipschitz,
    NonNegative,
    NotConvex,
    Pointwise,
    Real,
    Smooth,
    Symmetric,
    parameter,
)


class Periodic(Pointwise):
    """1 − cos(2π r / T), for what comes round again after a period T: an angle, the time of day, a phase. Whole turns
    cost nothing, and half a turn, the most that a prediction can be off, costs 2."""

    period: float = parameter(
        default=1.0,
        above=0,
        symbol="T",
        doc="the distance after which everything is as before, in the target's units: 360 for degrees, 24 for hours",
        foreign=("circ", "circumference"),
        examples=(24.0, 360.0),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit; its number is read modulo the period"
    choosing = "period is a fact about the target, and nothing to be tuned"
    strengths = (
        "23:59 and 0:01 are two minutes apart, as they are on a clock",
        "no error costs more than 2, and an outlier's pull is capped at 2π/T",
        "smooth everywhere; minimising it is maximum likelihood for von Mises errors of one concentration",
    )
    weaknesses = (
        "not convex: half a turn away the pull vanishes, and with many turns in reach there are as many minima",
        "a linear unit cannot jump: where targets go round and round, predict sine and cosine of the angle instead",
        "metrics such as the mean absolute error do not know of whole turns: judge by the loss itself",
    )
    no_twin = "no library of Python here has it"
    sources = ("Mardia & Jupp 2000, Directional Statistics, Wiley",)
    foreign_names = ("PeriodicLoss", "VonMisesLoss", "CircularLoss", "CircularDistance")

    @property
    def claims(self) -> tuple[Claim, ...]:
        pace = 2.0 * math.pi / self.period
        steady = Smooth(pace * pace), Lipschitz(pace)
        return NotConvex(), *steady, Symmetric(), NonNegative(), EstimatesCircularMean(self.period)

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.versinpi(2 * ((p - y) / self.period))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        whole, rest = self._turned(xp, p, y)
        return xp.versinpi((whole + rest) / (0.5 * self.period))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        # Beyond a quarter of a turn by how far it is from half a turn, where the pull vanishes.
        whole, rest = self._turned(xp, p, y)
        half, quarter, pace = 0.5 * self.period, 0.25 * self.period, 2.0 * math.pi / self.period
        back = xp.where(whole > 0.0, half - whole, -half - whole) - rest
        far = pace * xp.sinpi(xp.where(xp.abs(whole) > quarter, back, whole + rest) / half)
        return xp.line_at_0(pace * pace, 2.0**-60 * self.period, p, y, far)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        pace = 2.0 * math.pi / self.period
        return (pace * pace) * (1.0 - self.value(xp, p, y))

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        pace = 2.0 * math.pi / self.period
        return ((pace * pace) * (1.0 + self.value(xp, p, y)),)

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # What differentiates goes through a series, whose terms have both signs and cancel at half a turn.
        whole, rest = self._turned(xp, p, y)
        pace = 2.0 * math.pi / self.period
        return (pace * pace * (whole + rest),)

    def _turned(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array]:
        """The residual without its whole turns, from −T/2 to T/2, and what rounding it has lost.

        Turns are taken from prediction and target, which is exact: of their difference rounding may have lost more
        than a turn.
        """
        whole, rest = xp.difference_in_parts(xp.remainder(p, self.period), xp.remainder(y, self.period))
        return xp.remainder(whole, self.period), rest
