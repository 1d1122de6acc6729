from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Departure,
    Identity,
    Labels,
    Lipschitz,
    NonNegative,
    Pair,
    Pointwise,
    Proper,
    Score,
    Smooth,
    StrictlyConvex,
    Twin,
    parameter,
)


class SoftMargin(Pointwise):
    """The logistic loss as margins have it: BinaryCrossEntropy of logits for labels that are written as -1 and 1."""

    labels: Pair = parameter(
        default=(-1.0, 1.0),
        choices=((-1.0, 1.0), (0.0, 1.0)),
        doc="how the two classes are written in the target: (-1, 1) or (0, 1)",
        examples=((0.0, 1.0),),
    )

    task = "binary"
    tried = False
    prediction = Score()
    output_layer = "one linear unit; its sigmoid is the probability of the higher label"
    choosing = (
        "where labels are -1 and 1; for soft labels, label smoothing or weights of classes take BinaryCrossEntropy"
    )
    strengths = (
        "proper: the best prediction is the log-odds of the true probability",
        "no example pulls harder than 1",
    )
    weaknesses = (
        "a confident mistake has no largest cost, so that mislabelled examples weigh much",
        "examples that are right by a margin still pull a little",
    )
    sources = (
        "Friedman, Hastie & Tibshirani 2000, doi:10.1214/aos/1016218223",
        "Bartlett, Jordan & McAuliffe 2006, doi:10.1198/016214505000000907",
    )
    foreign_names = ("SoftMarginLoss", "LogitMargin", "LogitMarginLoss", "LogisticMargin")
    identities = (Identity("BinaryCrossEntropy()", whatever=("labels",)),)
    same_as = (
        Twin(
            "torch.nn.SoftMarginLoss(reduction='none')(prediction, target)",
            when={"labels": (-1.0, 1.0)},
            departs=Departure("overflows where the exponential of the margin does", [-100.0], [1.0], float("inf")),
        ),
        Twin(
            "torch.nn.SoftMarginLoss(reduction='none')(prediction, 2 * target - 1)",
            when={"labels": (0.0, 1.0)},
            departs=Departure("overflows where the exponential of the margin does", [-100.0], [1.0], float("inf")),
        ),
        Twin("optax.sigmoid_binary_cross_entropy(prediction, (target + 1) / 2)", when={"labels": (-1.0, 1.0)}),
        Twin("optax.sigmoid_binary_cross_entropy(prediction, target)", when={"labels": (0.0, 1.0)}),
    )

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return StrictlyConvex(), Smooth(0.25), Lipschitz(1.0), NonNegative(), Proper(), ClassificationCalibrated()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.log(1 + xp.exp(-self.target.signs(y) * p))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.softplus(-self.target.signs(y) * p)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        return -sign * xp.sigmoid(-sign * p)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        return xp.sigmoid(margin) * xp.sigmoid(-margin)
