from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Convex,
    Identity,
    Labels,
    Lipschitz,
    NonNegative,
    Pair,
    Pointwise,
    Score,
    Smooth,
    Sparse,
    Twin,
    parameter,
)


class ModifiedHuber(Pointwise):
    """The square of how far a score falls short of the margin 1, which goes on as a line below the margin -1."""

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
    choosing = "where SquaredHinge would be taken, and some labels may be wrong; it is 4 times SmoothedHinge(gamma=2)"
    strengths = (
        "examples that are right by a margin do not pull at all: the solution rests on few of them",
        "between -1 and 1 the score says how likely the higher label is: (1 + score) / 2",
        "an outlier's pull is capped at 4",
    )
    weaknesses = (
        "what is beyond -1 or 1 says no more than that it is certain",
        "a mislabelled example still pulls as hard as any other",
    )
    sources = ("Zhang 2004, doi:10.1145/1015330.1015332",)
    foreign_names = ("ModifiedHuberLoss", "modified_huber")
    identities = (Identity("SmoothedHinge(2.0, labels=labels)", "4"),)
    same_as = (
        Twin(
            "scipy.special.huber(2, numpy.maximum(1 - target * prediction, 0))",
            factor=2.0,
            when={"labels": (-1.0, 1.0)},
        ),
        Twin(
            "scipy.special.huber(2, numpy.maximum(1 - (2 * target - 1) * prediction, 0))",
            factor=2.0,
            when={"labels": (0.0, 1.0)},
        ),
    )

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), Smooth(2.0), Lipschitz(4.0), NonNegative(), Sparse(), ClassificationCalibrated()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        short = xp.relu(1 - margin)
        return xp.where(margin >= -1, short * short, -4 * margin)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        short = xp.relu(1.0 - xp.maximum(margin, -1.0))  # not the square of what is far out, which may overflow
        return xp.where(margin > -1.0, short * short, -4.0 * margin)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        return -2.0 * sign * xp.minimum(xp.relu(1.0 - sign * p), 2.0)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        # What is neither within nor beyond is NaN.
        within = xp.where(margin > -1.0, 2.0, 0.0 * xp.clip(margin, -1.0, 1.0))
        return xp.where(margin < 1.0, within, xp.where(margin >= 1.0, 0.0, margin))
