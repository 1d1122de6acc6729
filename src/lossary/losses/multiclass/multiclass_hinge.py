from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassIndex,
    Convex,
    Kinked,
    Lipschitz,
    Logits,
    NonNegative,
    Notation,
    Rowwise,
    ShiftInvariant,
    Sparse,
    Twin,
    parameter,
)


class MulticlassHinge(Rowwise):
    """How far the right class's score falls short of leading the best other score by the margin: Crammer and Singer's
    hinge loss.

    Keras' CategoricalHinge is another loss where all other scores are below 0: it takes a 0 for the right class's own
    entry into their maximum. For the scores (-5, -3, -4) and class 1 it says 4 where there is nothing to lose.
    """

    margin: float = parameter(
        default=1.0,
        above=0,
        symbol="m",
        doc="how far the right class must lead",
        foreign=("delta",),
        examples=(2.5,),
    )

    task = "multiclass"
    tried = False
    prediction = Logits(softmax=False)
    target = ClassIndex()
    output_layer = "K linear units; the largest names the class"
    choosing = "when only the decision matters, and a wide margin is wanted; margin=1, since scores have no scale"
    strengths = (
        "examples that lead by the margin do not pull at all: the solution rests on few of them",
        "linear far out: one example pulls the right score up and one other down, each by 1 at most",
    )
    weaknesses = (
        "scores are no probabilities, and cannot be made into them reliably",
        "finds the likeliest class only where that has more than half of the probability",
        "kink at the margin, and where the best other classes tie",
    )
    sources = ("Crammer & Singer 2001, Journal of Machine Learning Research 2:265-292",)
    foreign_names = ("MulticlassHingeLoss", "CrammerSingerLoss", "MulticlassSVMLoss")
    same_as = (
        Twin("optax.losses.multiclass_hinge_loss(prediction, target)"),
        Twin("optax.losses.multiclass_hinge_loss(prediction / margin, target) * margin", given=("margin",)),
        Twin("sklearn.metrics.hinge_loss(target, prediction, labels=range(prediction.shape[-1]))"),
    )

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\max\left(0, m + \max_{k \ne y} s_k - s_y\right)",
            text="max(0, m + maxₖ≠y sₖ - s[y])",
        )

    @property
    def claims(self) -> tuple[Claim, ...]:
        kinks = Kinked("the margin, and where the best other classes tie")
        return Convex(), Lipschitz(2**0.5), NonNegative(), ShiftInvariant(), Sparse(self.margin), kinks

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.relu(self.margin + (xp.max(self._others(xp, p, y)) - xp.take(p, y)))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.relu(xp.shifted_difference(self.margin, xp.max(self._others(xp, p, y)), xp.take(p, y)))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        others = self._others(xp, p, y)
        best = xp.max(others)
        short = xp.row(xp.shifted_difference(self.margin, best, xp.take(p, y)))
        ties = xp.where(xp.equal(others, xp.row(best)), 1.0, 0.0 * xp.clip(p, -1.0, 1.0))
        pull = xp.where(xp.is_class(y, p), -1.0, ties / xp.row(xp.sum(ties)))
        # What is neither short of the margin nor past it is NaN.
        return xp.where(short > 0.0, pull, xp.where(short <= 0.0, 0.0, short))

    def _others(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.where(xp.is_class(y, p), -math.inf, p)
