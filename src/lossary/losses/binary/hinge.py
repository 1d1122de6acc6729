from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Convex,
    Departure,
    Kinked,
    Labels,
    Lipschitz,
    NonNegative,
    Pair,
    Pointwise,
    Score,
    Sparse,
    Twin,
    parameter,
)


class Hinge(Pointwise):
    """How far a score falls short of the margin 1 on the right side of 0: the loss of support vector machines."""

    labels: Pair = parameter(
        default=(-1.0, 1.0),
        choices=((-1.0, 1.0), (0.0, 1.0)),
        doc="how the two classes are written in the target: (-1, 1) or (0, 1)",
        examples=((0.0, 1.0),),
    )

    task = "binary"
    everyday = True
    prediction = Score(logit=False)
    output_layer = "one linear unit; its sign is the class"
    choosing = "when only the decision matters, and a wide margin is wanted; for probabilities take BinaryCrossEntropy"
    strengths = (
        "examples that are right by a margin do not pull at all: the solution rests on few of them",
        "an outlier's pull is capped at 1",
    )
    weaknesses = (
        "scores are no probabilities, and cannot be made into them reliably",
        "kink at margin 1",
    )
    sources = (
        "Cortes & Vapnik 1995, doi:10.1007/BF00994018",
        "Bartlett, Jordan & McAuliffe 2006, doi:10.1198/016214505000000907",
    )
    foreign_names = ("HingeLoss", "SVMLoss", "MaxMarginLoss")
    same_as = (
        Twin("keras.losses.Hinge()(target, prediction)", when={"labels": (-1.0, 1.0)}),
        Twin("keras.losses.Hinge()(target, prediction)", when={"labels": (0.0, 1.0)}),
        Twin("optax.hinge_loss(prediction, target)", when={"labels": (-1.0, 1.0)}),
        Twin("optax.hinge_loss(prediction, 2 * target - 1)", when={"labels": (0.0, 1.0)}),
        Twin(
            "sklearn.metrics.hinge_loss(target, prediction, labels=[labels[0], labels[1]])",
            departs=Departure("takes the only class of a batch for the lower one", [2.0], [1.0], 3.0),
        ),
    )

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return (
            Convex(),
            Lipschitz(1.0),
            NonNegative(),
            Sparse(),
            Kinked("margin 1"),
            ClassificationCalibrated(),
        )

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.relu(1.0 - self.target.signs(y) * p)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        margin = sign * p
        # What is neither short of the margin nor past it is NaN.
        return xp.where(margin < 1.0, -sign, xp.where(margin >= 1.0, 0.0, margin))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return 0.0 * self.gradient(xp, p, y)
