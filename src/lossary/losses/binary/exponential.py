from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Differentiable,
    Labels,
    NonNegative,
    Pair,
    Pointwise,
    Score,
    StrictlyConvex,
    Twin,
    UnboundedGradient,
    parameter,
)


class Exponential(Pointwise):
    """The exponential of minus the margin: what AdaBoost makes small."""

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
    choosing = "to boost as AdaBoost does, on labels that are sure; otherwise take SoftMargin, or BinaryCrossEntropy"
    strengths = (
        "the best score is half the log-odds, so that sigmoid(2 · score) is the probability",
        "all derivatives are as cheap as the loss, for boosting in closed form",
    )
    weaknesses = (
        "the gradient grows with a mistake without bound, and exponentially: one wrong label may rule a batch",
        "infinite in float32 where a score is on the wrong side by 89",
    )
    sources = (
        "Freund & Schapire 1997, doi:10.1006/jcss.1997.1504",
        "Friedman, Hastie & Tibshirani 2000, doi:10.1214/aos/1016218223",
    )
    foreign_names = ("ExponentialLoss", "ExpLoss", "AdaBoostLoss")
    same_as = (
        Twin("sklearn._loss.loss.ExponentialLoss().loss((target + 1) / 2, prediction)", when={"labels": (-1.0, 1.0)}),
        Twin("sklearn._loss.loss.ExponentialLoss().loss(target, prediction)", when={"labels": (0.0, 1.0)}),
    )

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return StrictlyConvex(), Differentiable(), NonNegative(), UnboundedGradient(), ClassificationCalibrated()

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.exp(-self.target.signs(y) * p)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        return -sign * xp.exp(-sign * p)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return self.value(xp, p, y)
