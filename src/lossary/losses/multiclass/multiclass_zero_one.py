from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassIndex,
    Departure,
    DifferentiationError,
    Logits,
    NonNegative,
    Notation,
    NotConvex,
    Rowwise,
    ShiftInvariant,
    Twin,
)


class MulticlassZeroOne(Rowwise):
    """1 where another class's score is as large as the right one's, and 0 where the right one leads: the share of
    mistakes.

    What ties is wrong, as a score of 0 is for ZeroOne: other libraries take the first of several largest scores, so
    that a model that says the same of every class is right about class 0.

    Raises:
        DifferentiationError: it is differentiated.
    """

    task = "multiclass"
    trainable = False
    prediction = Logits(softmax=False)
    target = ClassIndex()
    output_layer = "for evaluation: any scores, logits or probabilities, of which the largest names the class"
    choosing = "to report mistakes; to train, take SparseCategoricalCrossEntropy or MulticlassHinge"
    strengths = ("it is what is meant by a mistake: 1 − accuracy",)
    weaknesses = (
        "the gradient is 0 almost everywhere, so that nothing can be learned from it",
        "a narrow mistake costs as much as a gross one, and every class as much as any other",
    )
    sources = ("Tewari & Bartlett 2007, Journal of Machine Learning Research 8:1007-1025",)
    foreign_names = ("MisclassLoss", "MulticlassZeroOneLoss", "MulticlassErrorRate", "TopOneError")
    same_as = (
        Twin(
            "sklearn.metrics.zero_one_loss(target, numpy.argmax(prediction, axis=-1))",
            departs=Departure("takes the first of several largest scores", [[1.0, 1.0]], [0], 0.0),
        ),
        Twin(
            "keras.metrics.sparse_categorical_accuracy(target, prediction)",
            factor=-1.0,
            offset=1.0,
            departs=Departure("takes the first of several largest scores", [[1.0, 1.0]], [0], 0.0),
        ),
        Twin(
            "torchmetrics.functional.classification.multiclass_accuracy(prediction, target, prediction.shape[-1], "
            "average='micro')",
            factor=-1.0,
            offset=1.0,
            departs=Departure("takes the first of several largest scores", [[1.0, 1.0]], [0], 0.0),
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return NotConvex(), NonNegative(), ShiftInvariant()

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\left[\max_{k \ne y} s_k \ge s_y\right]",
            text="1 where maxₖ≠y sₖ ≥ s[y], else 0",
        )

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        right, best = xp.take(p, y), xp.max(xp.where(xp.is_class(y, p), -math.inf, p))
        # What is neither ahead nor behind is NaN.
        return xp.where(right > best, 0.0, xp.where(right <= best, 1.0, right + best))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        raise DifferentiationError(
            "MulticlassZeroOne has no useful gradient: it is 0 wherever it exists.",
            hint="train with SparseCategoricalCrossEntropy or MulticlassHinge, and evaluate with MulticlassZeroOne.",
        )
