from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Convex,
    Labels,
    NonNegative,
    Pair,
    Pointwise,
    Score,
    Smooth,
    Sparse,
    Twin,
    UnboundedGradient,
    parameter,
)


class SquaredHinge(Pointwise):
    """The square of how far a score falls short of the margin 1: Hinge without its kink."""

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
    choosing = "when Hinge is wanted with a gradient that has no jumps; where labels may be wrong, take SmoothedHinge"
    strengths = (
        "examples that are right by a margin do not pull at all: the solution rests on few of them",
        "smooth at margin 1, where Hinge has its kink",
        "between -1 and 1 the score says how likely the higher label is: (1 + score) / 2",
    )
    weaknesses = (
        "the gradient grows with the shortfall without bound, so that mislabelled examples weigh much",
        "what is beyond -1 or 1 says no more than that it is certain",
    )
    sources = (
        "Zhang 2004, doi:10.1214/aos/1079120130",
        "Bartlett, Jordan & McAuliffe 2006, doi:10.1198/016214505000000907",
    )
    foreign_names = ("SquaredHingeLoss", "L2Hinge", "L2HingeLoss", "L2SVM", "TruncatedSquaredLoss")
    same_as = (
        Twin("keras.losses.SquaredHinge()(target, prediction)", when={"labels": (-1.0, 1.0)}),
        Twin("keras.losses.SquaredHinge()(target, prediction)", when={"labels": (0.0, 1.0)}),
    )

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), Smooth(2.0), NonNegative(), Sparse(), UnboundedGradient(), ClassificationCalibrated()

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        short = xp.relu(1.0 - self.target.signs(y) * p)
        return short * short

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        return -2.0 * sign * xp.relu(1.0 - sign * p)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        # What is neither short of the margin nor past it is NaN.
        return xp.where(margin < 1.0, 2.0, xp.where(margin >= 1.0, 0.0, margin))
