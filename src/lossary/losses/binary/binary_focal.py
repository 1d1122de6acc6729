from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Balance,
    Claim,
    ClassificationCalibrated,
    Differentiable,
    Identity,
    Labels,
    Lipschitz,
    NonNegative,
    NotConvex,
    NotProper,
    Pair,
    Pointwise,
    Proper,
    Score,
    Smooth,
    StrictlyConvex,
    Twin,
    parameter,
)


def magnified(gamma: float) -> float:
    """By how much the power γ + 1 of a share, above the second, magnifies what that was rounded by."""
    return max(1.0, 0.5 * (gamma + 1.0))


def steepest(gamma: float) -> float:
    """The largest size of the derivative by the right label's lead in logits, by golden sections: it rises with what is
    lacking, and falls."""
    low, high, golden = -50.0, 50.0, 0.5 * (math.sqrt(5.0) - 1.0)

    def slope(z: float) -> float:
        share, rest = 1.0 / (1.0 + math.exp(-z)), 1.0 / (1.0 + math.exp(z))
        return float(share**gamma) * (share - gamma * rest * math.log(rest))

    for _ in range(80):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (left, high) if slope(left) < slope(right) else (low, right)
    return max(1.0, slope(low))


class BinaryFocal(Pointwise):
    """Cross-entropy times the γ-th power of what the right label's probability lacks of 1: easy examples hardly count."""

    gamma: float = parameter(
        default=2.0,
        at_least=0,
        symbol="γ",
        doc="how much less an example counts that is already right; 0 is cross-entropy",
        foreign=("focusing", "focusing_parameter"),
        examples=(0.0, 0.5, 5.0),
    )
    pos_weight: float = parameter(
        default=1.0,
        above=0,
        symbol="a",
        doc="how much more a positive counts than a negative; where others have alpha, it is alpha / (1 - alpha)",
        foreign=("positive_weight", "scale_pos_weight"),
        examples=(3.0,),
        choose=Balance(),
    )
    labels: Pair = parameter(
        default=(0.0, 1.0),
        choices=((0.0, 1.0), (-1.0, 1.0)),
        doc="how the two classes are written in the target: (0, 1) or (-1, 1)",
        examples=((-1.0, 1.0),),
    )

    task = "binary"
    tried = False
    prediction = Score()
    output_layer = "one linear unit: the loss takes logits alone"
    choosing = "gamma=2 where easy negatives are so many that they drown the rest; compare it with BinaryCrossEntropy"
    strengths = (
        "many easy examples do not drown the few hard ones, as in the detection of objects",
        "finite value and gradient at every logit, also for gamma below 1",
    )
    weaknesses = (
        "what it estimates is no longer the probability, but closer to one half, the more so the larger gamma is",
        "mislabelled examples are the hardest of all, and count the most",
    )
    sources = ("Lin et al. 2017, arXiv:1708.02002", "Charoenphakdee et al. 2020, arXiv:2011.09172")
    foreign_names = ("FocalLoss", "BinaryFocalLoss", "SigmoidFocalLoss", "BinaryFocalCrossentropy", "Focal")
    identities = (Identity("BinaryCrossEntropy(pos_weight=pos_weight)", when={"gamma": 0.0}),)
    same_as = (
        Twin("optax.sigmoid_focal_loss(prediction, target, gamma=gamma)"),
        Twin(
            "optax.sigmoid_focal_loss(prediction, target, alpha=pos_weight / (1 + pos_weight), gamma=gamma)"
            " * (1 + pos_weight)",
            given=("pos_weight",),
        ),
        Twin(
            "optax.sigmoid_focal_loss(prediction, (target + 1) / 2, gamma=gamma)",
            when={"labels": (-1.0, 1.0)},
        ),
        Twin("keras.losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=True)(target, prediction)"),
    )

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        alike, most = self.pos_weight == 1.0, max(1.0, self.pos_weight)
        sides = (ClassificationCalibrated(),) if alike else ()
        if self.gamma == 0.0:
            proper = Proper() if alike else NotProper()
            return StrictlyConvex(), Smooth(0.25 * most), Lipschitz(most), NonNegative(), proper, *sides
        return NotConvex(), Differentiable(), Lipschitz(most * steepest(self.gamma)), NonNegative(), NotProper(), *sides

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        lacking = xp.exp(-self.gamma * xp.log(1 + xp.exp(margin)))
        return self._weighted(xp, y, lacking * xp.log(1 + xp.exp(-margin)))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        return self._weighted(xp, y, self._focused(xp, margin, xp.softplus(-margin)))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        margin = sign * p
        slope = xp.sigmoid(-margin) + self.gamma * xp.product(xp.sigmoid(margin), xp.softplus(-margin))
        return -sign * self._weighted(xp, y, self._focused(xp, margin, slope))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        margin = self.target.signs(y) * p
        share, rest, cost = xp.sigmoid(margin), xp.sigmoid(-margin), xp.softplus(-margin)
        bend = (1.0 + 2.0 * self.gamma) * rest * share
        bend = bend + self.gamma * (self.gamma * share - rest) * xp.product(share, cost)
        return self._weighted(xp, y, self._focused(xp, margin, bend))

    # It is about the power γ + 1 of a share: one above the second magnifies what that was rounded by.

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (magnified(self.gamma) * self.value(xp, p, y),)

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (magnified(self.gamma) * self.gradient(xp, p, y),)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        bent = xp.sigmoid(p) * xp.sigmoid(-p)
        of_share = magnified(self.gamma) * 2.0 * self.gamma * self.value(xp, p, y) * bent
        return magnified(self.gamma) * self.curvature(xp, p, y), of_share

    def _weighted(self, xp: Any, y: Array, x: Array) -> Array:
        if self.pos_weight == 1.0:
            return x
        return xp.where(xp.equal(y, self.labels[1]), self.pos_weight * x, x)

    def _focused(self, xp: Any, margin: Array, x: Array) -> Array:
        """x times sigmoid(−margin) to the power γ, which is exp(−γ · softplus(margin))."""
        above = xp.where(margin >= 0.0, margin, 0.0)
        beyond = xp.log1p(xp.exp(xp.where(margin >= 0.0, -margin, margin)))
        return xp.discounted(x, self.gamma, above, beyond)
