from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Kinked,
    Labels,
    Lipschitz,
    NonNegative,
    NotConvex,
    Pair,
    Pointwise,
    Score,
    Sparse,
    parameter,
)


class Ramp(Pointwise):
    """Hinge that stops rising at a cap: how far a score falls short of the margin 1, but no more than so much."""

    cap: float = parameter(
        default=2.0,
        above=0,
        symbol="c",
        doc="the most that an example can cost; with 2 it stops pulling beyond the margin -1",
        foreign=("s", "clip"),
        examples=(0.5,),
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
    choosing = "cap=2 where some labels are wrong, from a start that Hinge has found"
    strengths = (
        "an example that is far on the wrong side does not pull: few support vectors, and no outlier among them",
        "an outlier's pull is capped at 1",
        "examples that are right by a margin do not pull at all",
    )
    weaknesses = (
        "not convex: where training starts decides where it ends",
        "what is wrong by more than the cap is never corrected",
        "scores are no probabilities, and cannot be made into them",
    )
    no_twin = "no library here stops a hinge from rising"
    sources = ("Collobert, Sinz, Weston & Bottou 2006, doi:10.1145/1143844.1143870",)
    foreign_names = ("RampLoss", "TruncatedHinge", "TruncatedHingeLoss", "RobustHinge")

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        kinks = Kinked("margin 1, and where the cap is reached")
        return NotConvex(), Lipschitz(1.0), NonNegative(), Sparse(), kinks, ClassificationCalibrated()

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        short = xp.relu(1.0 - self.target.signs(y) * p)
        return xp.where(short >= self.cap, self.cap, short)  # where the two meet, neither pulls

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        margin = sign * p
        # What is neither short of the margin nor past it is NaN.
        short = xp.where(margin > 1.0 - self.cap, -sign, 0.0 * xp.clip(margin, -1.0, 1.0))
        return xp.where(margin < 1.0, short, xp.where(margin >= 1.0, 0.0, margin))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return 0.0 * self.gradient(xp, p, y)
