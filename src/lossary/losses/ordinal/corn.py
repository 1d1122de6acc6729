from __future__ import annotations

import math
from typing import Any

from lossary.define import Array, ClassIndex, Notation, Row, Score, Twin
from lossary.losses.ordinal.steps import Steps


class Corn(Steps):
    """Binary cross-entropy of each step between ranks that is reached, summed over these: whether the rank is above the
    first one, above the second where it is above the first, and so on.

    Of K ranks, predictions have K - 1 logits, and targets are the ranks themselves, 0 to K - 1. A logit says how likely
    its step is passed by those that reach it, so that the probability of a rank above k is the product of the first
    sigmoids, up to that of step k. coral-pytorch divides by the number of all steps that are reached in a batch, where
    the mean here is for each row.
    """

    prediction, target = Row(Score()), ClassIndex(ranks=True)
    output_layer = "K - 1 linear units for K ranks, each with weights of its own"
    choosing = "where the same weights for every step, as Coral needs them, are too few"
    strengths = (
        "steps never contradict each other, whatever the last layer is",
        "the product of the sigmoids is a probability of each rank: the loss is its surprisal",
    )
    weaknesses = (
        "steps that few reach learn from few",
        "the sum grows with the number of ranks",
    )
    sources = ("Shi, Cao & Raschka 2021, arXiv:2111.08851",)
    foreign_names = ("CornLoss", "ConditionalOrdinalRegression")
    same_as = (
        Twin(
            "torch.nn.BCEWithLogitsLoss(reduction='none')(prediction, (torch.arange(prediction.shape[-1]) < "
            "target[..., None]).to(prediction)).where(torch.arange(prediction.shape[-1]) <= target[..., None], 0.0)"
            ".sum(-1)"
        ),
    )

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\sum_{k < y} \log\left(1 + e^{-z_k}\right) + \log\left(1 + e^{z_y}\right)"
            r" \quad \text{without the last where there is no } z_y",
            text="Σₖ log(1 + exp(-zₖ)) over k < y, and log(1 + exp(z[y])) where there is one",
        )

    def passed(self, xp: Any, p: Array) -> Array:
        # The logarithm of the product of the sigmoids so far.
        return xp.cumulative_sum(-xp.softplus(-p)) > math.log(0.5)

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        passed, stopped = xp.log(1 / (1 + xp.exp(-p))), xp.log(1 / (1 + xp.exp(p)))
        return -xp.sum(xp.where(xp.is_below(y, p), passed, xp.where(xp.is_class(y, p), stopped, 0)))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        passed = xp.is_below(y, p)
        return xp.sum(self._reached(xp, p, y, xp.softplus(xp.where(passed, -p, p))))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return self._reached(xp, p, y, xp.where(xp.is_below(y, p), -xp.sigmoid(-p), xp.sigmoid(p)))

    def _reached(self, xp: Any, p: Array, y: Array, x: Array) -> Array:
        """What belongs to steps that are reached, and 0 of the others, but for NaN."""
        reached = xp.logical_or(xp.is_below(y, p), xp.is_class(y, p))
        return xp.where(reached, x, 0.0 * xp.clip(p, -1.0, 1.0))
