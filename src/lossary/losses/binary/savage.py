from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Identity,
    Labels,
    Lipschitz,
    NonNegative,
    NotConvex,
    Pair,
    Pointwise,
    Proper,
    Score,
    Smooth,
    Twin,
    parameter,
)
from lossary.losses.binary.brier import BEND, STEEPEST, bend_of_margin, of_margin, slope_of_margin, terms_of_bend


class Savage(Pointwise):
    """The square of the probability that a logit gives to the wrong label: proper, bounded, and calm about outliers."""

    labels: Pair = parameter(
        default=(-1.0, 1.0),
        choices=((-1.0, 1.0), (0.0, 1.0)),
        doc="how the two classes are written in the target: (-1, 1) or (0, 1)",
        examples=((0.0, 1.0),),
    )

    task = "binary"
    tried = False
    prediction = Score()
    output_layer = "one linear unit: the loss takes logits alone"
    choosing = (
        "where some labels are wrong, and probabilities are wanted all the same; it is the Brier score of a logit"
    )
    strengths = (
        "proper: the best prediction is the true probability",
        "bounded by 1, and flat far on the wrong side: a wrong label cannot rule a batch",
    )
    weaknesses = (
        "not convex: where training starts decides where it ends",
        "what is confidently wrong is hardly corrected: the gradient falls off on both sides",
    )
    sources = (
        "Masnadi-Shirazi & Vasconcelos 2008, Advances in Neural Information Processing Systems 21",
        "Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
    )
    foreign_names = ("SavageLoss", "SavageBoost")
    identities = (Identity("Brier()", whatever=("labels",)),)
    same_as = (
        Twin(
            "torch.nn.MSELoss(reduction='none')(torch.sigmoid(prediction), (target + 1) / 2)",
            when={"labels": (-1.0, 1.0)},
        ),
        Twin("torch.nn.MSELoss(reduction='none')(torch.sigmoid(prediction), target)", when={"labels": (0.0, 1.0)}),
    )

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        sides = Proper(), ClassificationCalibrated()
        return NotConvex(), Smooth(BEND), Lipschitz(STEEPEST), NonNegative(), *sides

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = 1 / (1 + xp.exp(self.target.signs(y) * p))
        return share * share

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return of_margin(xp, self.target.signs(y) * p)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        return -sign * slope_of_margin(xp, sign * p)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return bend_of_margin(xp, self.target.signs(y) * p)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return terms_of_bend(xp, self.target.signs(y) * p)
