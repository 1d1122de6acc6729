from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Labels,
    Lipschitz,
    NonNegative,
    NotConvex,
    Pair,
    Pointwise,
    Score,
    Smooth,
    Twin,
    parameter,
)


class SigmoidMargin(Pointwise):
    """1 less the hyperbolic tangent of the margin: a smooth count of mistakes, from 0 to 2."""

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
    choosing = "where many labels are wrong, from a start that is already good; otherwise take SoftMargin"
    strengths = (
        "bounded by 2: an example that is far on the wrong side pulls with next to nothing",
        "the losses of both labels add up to 2 everywhere, so that labels flipped at random do not move the minimum",
    )
    weaknesses = (
        "not convex: where training starts decides where it ends",
        "what is confidently wrong is hardly corrected",
    )
    sources = ("Mason, Baxter, Bartlett & Frean 1999, Advances in Neural Information Processing Systems 12",)
    foreign_names = ("SigmoidLoss", "SigmoidMarginLoss", "TanhLoss", "NormalizedSigmoidCost")
    same_as = (
        Twin("scipy.special.expit(-2 * target * prediction)", factor=2.0, when={"labels": (-1.0, 1.0)}),
        Twin("scipy.special.expit(-2 * (2 * target - 1) * prediction)", factor=2.0, when={"labels": (0.0, 1.0)}),
    )

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        steepest = 4.0 / 27.0**0.5  # of the slope, 2 tanh · (1 − tanh²), where tanh² is a third
        return NotConvex(), Smooth(steepest), Lipschitz(1.0), NonNegative(), ClassificationCalibrated()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return 1 - xp.tanh(self.target.signs(y) * p)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return 2.0 * xp.sigmoid(-2.0 * self.target.signs(y) * p)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return -self.target.signs(y) * self._slope(xp, p)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return 2.0 * xp.tanh(self.target.signs(y) * p) * self._slope(xp, p)

    def _slope(self, xp: Any, p: Array) -> Array:
        """1 − tanh², to the last digits, and so that its own derivative has them too: that of the product cancels near
        0."""
        tanh = xp.tanh(xp.clip(p, -0.75, 0.75))
        far = (2.0 * xp.sigmoid(2.0 * p)) * (2.0 * xp.sigmoid(-2.0 * p))
        return xp.where(xp.abs(p) < 0.75, 1.0 - tanh * tanh, far)
