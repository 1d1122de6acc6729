from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Convex,
    Labels,
    Lipschitz,
    NonNegative,
    Notation,
    Pair,
    Pointwise,
    Score,
    Smooth,
    parameter,
)


class DistanceWeightedDiscrimination(Pointwise):
    """Hinge's line below the margin q / (q + 1), and above it a power of one over the margin: who is right by more pulls
    less, and nobody not at all."""

    q: float = parameter(
        default=1.0,
        above=0,
        symbol="q",
        doc="how fast the pull declines beyond the margin; the larger, the nearer to Hinge",
        foreign=("exponent", "power"),
        examples=(0.5, 4.0),
    )
    labels: Pair = parameter(
        default=(-1.0, 1.0),
        choices=((-1.0, 1.0), (0.0, 1.0)),
        doc="how the two classes are written in the target: (-1, 1) or (0, 1)",
        examples=((0.0, 1.0),),
    )

    task = "binary"
    tried = False
    prediction = Score(logit=False)
    output_layer = "one linear unit; its sign is the class"
    choosing = (
        "q=1; with more features than examples it is less drawn to chance than Hinge, which a large q comes close to"
    )
    strengths = (
        "every example counts, those near the boundary most: the solution does not rest on few of them",
        "an outlier's pull is capped at 1",
        "smooth, where Hinge has its kink",
    )
    weaknesses = (
        "scores are no probabilities",
        "no example ever stops pulling, so that the larger class moves the boundary",
    )
    sources = (
        "Marron, Todd & Ahn 2007, doi:10.1198/016214507000001120",
        "Wang & Zou 2018, arXiv:1508.05913 (any q)",
    )
    foreign_names = ("DWD", "DWDMarginLoss", "DWDMargin", "GeneralizedDWD")
    no_twin = "no library here has it"

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        steepest = (self.q + 1.0) * (self.q + 1.0) / self.q
        return Convex(), Smooth(steepest), Lipschitz(1.0), NonNegative(), ClassificationCalibrated()

    @property
    def notation(self) -> Notation:
        label, in_latex = ("y", "y") if self.labels == (-1.0, 1.0) else ("(2 y - 1)", r"\left(2 \, y - 1\right)")
        return Notation(
            latex=rf"\begin{{cases}} 1 - m & \text{{where }} m \le \frac{{q}}{{q + 1}} \\ "
            r"\frac{1}{q + 1} \, \left(\frac{q}{(q + 1) \, m}\right)^q & \text{otherwise} \end{cases} "
            rf"\quad \text{{with }} m = {in_latex} \, s",
            text=f"1 - m                           where m ≤ q / (q + 1), m = {label} s\n"
            "(q / ((q + 1) m))^q / (q + 1)   otherwise",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        beyond = (self.q + 1) / self.q * xp.where(margin > self._bend, margin, 1)
        return xp.where(margin <= self._bend, 1 - margin, xp.exp(-self.q * xp.log(beyond)) / (self.q + 1))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        return xp.where(margin <= self._bend, 1.0 - margin, self._power(xp, margin, self.q) / (self.q + 1.0))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        margin = sign * p
        return -sign * xp.where(margin <= self._bend, 1.0, self._power(xp, margin, self.q + 1.0))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        steepest = (self.q + 1.0) * (self.q + 1.0) / self.q
        return xp.where(margin <= self._bend, 0.0, steepest * self._power(xp, margin, self.q + 2.0))

    # A power magnifies what its logarithm was rounded by.

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self._terms(xp, p, y, self.value(xp, p, y), self.q)

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self._terms(xp, p, y, self.gradient(xp, p, y), self.q + 1.0)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self._terms(xp, p, y, self.curvature(xp, p, y), self.q + 2.0)

    @property
    def _bend(self) -> float:
        """The margin at which the line gives way to the power."""
        return self.q / (self.q + 1.0)

    def _power(self, xp: Any, margin: Array, exponent: float) -> Array:
        """(q / ((q + 1) m)) to that power, beyond the bend; 1 below it."""
        beyond = xp.where(margin <= self._bend, self._bend, margin)
        # Not the quotient first, which may overflow.
        return math.exp(-exponent * math.log1p(1.0 / self.q)) * xp.exp(-exponent * xp.log(beyond))

    def _terms(self, xp: Any, p: Array, y: Array, power: Array, exponent: float) -> tuple[Array, ...]:
        margin = self.target.signs(y) * p
        return power, power * (exponent * xp.log(xp.where(margin <= self._bend, 1.0, margin)))
