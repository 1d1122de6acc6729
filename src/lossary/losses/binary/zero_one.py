from __future__ import annotations

from typing import Any

from lossary.claim import Claim, NonNegative, NotConvex
from lossary.domain import Domain, Labels, Score
from lossary.errors import DifferentiationError
from lossary.loss import Pointwise
from lossary.parameter import parameter
from lossary.twin import Twin
from lossary.vocabulary.vocabulary import Array


class ZeroOne(Pointwise):
    """1 for a score on the wrong side of 0 and 0 for one on the right side: the share of mistakes."""

    labels: tuple[float, float] = parameter(
        default=(-1.0, 1.0),
        choices=((-1.0, 1.0), (0.0, 1.0)),
        doc="how the two classes are written in the target: (-1, 1) or (0, 1)",
        examples=((0.0, 1.0),),
    )

    task = "binary"
    trainable = False
    prediction = Score(logit=False)
    elicits = "sign"
    output_layer = "for evaluation: any score whose sign is the class"
    choosing = "to report mistakes; to train, take BinaryCrossEntropy or Hinge"
    strengths = ("it is what is meant by a mistake: 1 − accuracy",)
    weaknesses = (
        "the gradient is 0 almost everywhere, so that nothing can be learned from it",
        "a narrow mistake costs as much as a gross one",
    )
    sources = ("Bartlett, Jordan & McAuliffe 2006, doi:10.1198/016214505000000907",)
    foreign_names = ("ZeroOneLoss", "MisclassificationLoss", "ErrorRate")
    same_as = (
        Twin("sklearn.metrics.zero_one_loss(target, (prediction > 0) * 2.0 - 1.0)", when={"labels": (-1.0, 1.0)}),
    )

    @property
    def target(self) -> Domain:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return NotConvex(), NonNegative()

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        # The sign of 0 counts as wrong; what is neither right nor wrong is NaN.
        margin = (y if self.labels[0] else 2.0 * y - 1.0) * p
        return xp.where(margin > 0.0, 0.0, xp.where(margin <= 0.0, 1.0, margin))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        raise DifferentiationError(
            "ZeroOne has no useful gradient: it is 0 wherever it exists.",
            hint="train with BinaryCrossEntropy or Hinge, and evaluate with ZeroOne.",
        )
