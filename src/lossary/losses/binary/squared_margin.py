from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Identity,
    Labels,
    NonNegative,
    Pair,
    Pointwise,
    Score,
    Smooth,
    StronglyConvex,
    Twin,
    UnboundedGradient,
    parameter,
)


class SquaredMargin(Pointwise):
    """The square of the distance from a score to its label: least squares on labels -1 and 1."""

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
        "for classifiers in closed form, by least squares; otherwise take SquaredHinge, which lets right be right"
    )
    strengths = (
        "its best linear model has a formula, and so has leaving one example out",
        "the best score says how likely the higher label is: (1 + score) / 2",
    )
    weaknesses = (
        "what is right by more than the margin is pulled back, as if it were wrong",
        "the gradient grows with the distance without bound, so that mislabelled examples weigh much",
    )
    sources = (
        "Zhang 2004, doi:10.1214/aos/1079120130",
        "Bartlett, Jordan & McAuliffe 2006, doi:10.1198/016214505000000907",
    )
    foreign_names = ("L2MarginLoss", "L2Margin", "LeastSquaresMargin")
    identities = (Identity("MeanSquaredError()", when={"labels": (-1.0, 1.0)}),)
    same_as = (
        Twin("torch.nn.MSELoss(reduction='none')(prediction, target)", when={"labels": (-1.0, 1.0)}),
        Twin("torch.nn.MSELoss(reduction='none')(prediction, 2 * target - 1)", when={"labels": (0.0, 1.0)}),
    )

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return StronglyConvex(2.0), Smooth(2.0), NonNegative(), UnboundedGradient(), ClassificationCalibrated()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        missing = 1 - self.target.signs(y) * p
        return missing * missing

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        missing = p - self.target.signs(y)
        return missing * missing

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return 2.0 * (p - self.target.signs(y))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return 2.0 + 0.0 * xp.clip(p, -1.0, 1.0)
