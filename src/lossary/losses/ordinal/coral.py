from __future__ import annotations

from typing import Any

from lossary.define import Array, ClassIndex, Notation, Row, Score, Twin
from lossary.losses.ordinal.steps import Steps


class Coral(Steps):
    """Binary cross-entropy of each step between ranks, summed over the steps: whether the rank is above the first one,
    above the second, and so on.

    Of K ranks, predictions have K - 1 logits, and targets are the ranks themselves, 0 to K - 1. The predicted rank is
    the number of logits above 0. That a higher step is never likelier than a lower one is for the model to see to: it
    is where all logits of a row are one number plus a bias for each step.
    """

    everyday = True
    prediction, target = Row(Score()), ClassIndex(ranks=True)
    output_layer = "K - 1 logits for K ranks: one linear unit without a bias, plus a learned bias for each step"
    choosing = "the default where classes have an order and no distances, such as grades, or stages of a disease"
    strengths = (
        "a mistake by several ranks costs more than one by a single rank",
        "each step gets its own probability; ranks need no scale",
    )
    weaknesses = (
        "steps may contradict each other where the last layer lets them",
        "the sum grows with the number of ranks",
    )
    sources = ("Cao, Mirjalili & Raschka 2020, arXiv:1901.07884",)
    foreign_names = ("CoralLoss", "ConsistentRankLogits", "OrdinalCrossEntropy")
    same_as = (
        Twin(
            "torch.nn.BCEWithLogitsLoss(reduction='none')(prediction, (torch.arange(prediction.shape[-1]) < "
            "target[..., None]).to(prediction)).sum(-1)"
        ),
    )

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\sum_{k < y} \log\left(1 + e^{-z_k}\right) + \sum_{k \ge y} \log\left(1 + e^{z_k}\right)",
            text="Σₖ log(1 + exp(-zₖ)) over k < y, and log(1 + exp(zₖ)) over k ≥ y",
        )

    def passed(self, xp: Any, p: Array) -> Array:
        return p > 0.0

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        passed = xp.is_below(y, p)
        return -xp.sum(xp.where(passed, xp.log(1 / (1 + xp.exp(-p))), xp.log(1 / (1 + xp.exp(p)))))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.sum(xp.softplus(xp.where(xp.is_below(y, p), -p, p)))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.where(xp.is_below(y, p), -xp.sigmoid(-p), xp.sigmoid(p))
