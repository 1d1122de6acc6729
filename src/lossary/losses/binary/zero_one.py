from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    DifferentiationError,
    Domain,
    Labels,
    NonNegative,
    NotConvex,
    Pair,
    Pointwise,
    Score,
    Twin,
    parameter,
)


class ZeroOne(Pointwise):
    """1 for a wrong label, or a score on the wrong side of 0, and 0 for a right one: the share of mistakes.

    Predictions are labels where they are integers or booleans (False is the lower label, True the higher), and scores
    where they are floats: the sign is the class, and a score of 0 is wrong. Losses of labels have the dtype that the
    framework gives to Python's floats: float64 in NumPy, float32 elsewhere.

    Raises:
        DomainError: where values can be read: integers that are no labels (elsewhere they cost NaN); with
            labels=(0, 1), floats that are all 0 or 1, which may be labels or scores (elsewhere they are scores).
        DifferentiationError: it is differentiated.
    """

    labels: Pair = parameter(
        default=(-1.0, 1.0),
        choices=((-1.0, 1.0), (0.0, 1.0)),
        doc="how the two classes are written in the target and in predicted labels: (-1, 1) or (0, 1)",
        examples=((0.0, 1.0),),
    )

    task = "binary"
    trainable = False
    output_layer = "for evaluation: predicted labels (integer or bool), or any score whose sign is the class"
    choosing = "to report mistakes; to train, take BinaryCrossEntropy or Hinge"
    strengths = ("it is what is meant by a mistake: 1 − accuracy",)
    weaknesses = (
        "the gradient is 0 almost everywhere, so that nothing can be learned from it",
        "a narrow mistake costs as much as a gross one",
    )
    sources = ("Bartlett, Jordan & McAuliffe 2006, doi:10.1198/016214505000000907",)
    foreign_names = ("ZeroOneLoss", "MisclassificationLoss", "ErrorRate")
    same_as = (
        Twin(
            "sklearn.metrics.zero_one_loss(target, prediction)",
            when={"labels": (-1.0, 1.0)},
            labels=("prediction", "target"),
        ),
        Twin(
            "sklearn.metrics.zero_one_loss(target, prediction)",
            when={"labels": (0.0, 1.0)},
            labels=("prediction", "target"),
        ),
        Twin(
            "torchmetrics.functional.classification.binary_hamming_distance(prediction, target)",
            when={"labels": (0.0, 1.0)},
            labels=("prediction", "target"),
        ),
    )

    @property
    def prediction(self) -> Domain:
        return Score(logit=False, labels=Labels(self.labels))

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return NotConvex(), NonNegative(), ClassificationCalibrated()

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        # The sign of 0 counts as wrong; what is neither right nor wrong is NaN.
        margin = self.target.signs(y) * p
        return xp.where(margin > 0.0, 0.0, xp.where(margin <= 0.0, 1.0, margin))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        raise DifferentiationError(
            "ZeroOne has no useful gradient: it is 0 wherever it exists.",
            hint="train with BinaryCrossEntropy or Hinge, and evaluate with ZeroOne.",
        )
