from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Balance,
    Claim,
    ClassIndex,
    Convex,
    Departure,
    Differentiable,
    Identity,
    Lipschitz,
    Logits,
    NonNegative,
    NotConvex,
    NotProper,
    Proper,
    Rowwise,
    ShiftInvariant,
    Smooth,
    Table,
    Twin,
    parameter,
)
from lossary.losses.binary.binary_focal import steepest
from lossary.losses.multiclass.generalized_cross_entropy import terms_of_bend


class CategoricalFocal(Rowwise):
    """Cross-entropy times the γ-th power of what the right class's probability lacks of 1: easy examples hardly count."""

    gamma: float = parameter(
        default=2.0,
        at_least=0,
        symbol="γ",
        doc="how much less an example counts that is already right; 0 is cross-entropy",
        foreign=("focusing", "focusing_parameter"),
        examples=(0.0, 0.5, 5.0),
    )
    class_weight: Table = parameter(
        default=(),
        at_least=0,
        table=True,
        doc="how much each class counts, in the mean's denominator too; () for alike",
        foreign=("alpha", "weight", "class_weights"),
        examples=((0.5, 2.0, 1.0, 0.25),),
        choose=Balance(),
    )

    task = "multiclass"
    tried = False
    prediction = Logits()
    target = ClassIndex()
    output_layer = "K linear units: the loss takes logits alone"
    choosing = (
        "gamma=2 where easy examples of a common class are so many that they drown the rest; compare it with "
        "SparseCategoricalCrossEntropy"
    )
    strengths = (
        "many easy examples do not drown the few hard ones, as pixels of the background do",
        "finite value and gradient at finite logits, also for gamma below 1",
    )
    weaknesses = (
        "but for gamma=0, what it estimates is no longer the probability, but closer to even shares",
        "mislabelled examples are the hardest of all, and count the most",
    )
    sources = ("Lin et al. 2017, arXiv:1708.02002", "Charoenphakdee et al. 2020, arXiv:2011.09172")
    foreign_names = ("CategoricalFocalCrossentropy", "CategoricalFocalLoss", "MulticlassFocalLoss")
    identities = (Identity("SparseCategoricalCrossEntropy(class_weight=class_weight)", when={"gamma": 0.0}),)
    same_as = (
        Twin(
            "keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=gamma, from_logits=True, reduction=None)"
            "(tensorflow.one_hot(target, prediction.shape[-1]), prediction)",
            departs=Departure("clips probabilities to [1e-7, 1 - 1e-7]", [[0.0, 300.0]], [0], 16.118095),
        ),
        Twin(
            "keras.losses.CategoricalFocalCrossentropy(alpha=class_weight, gamma=gamma, from_logits=True, reduction=None)"
            "(tensorflow.one_hot(target, prediction.shape[-1]), prediction)",
            given=("class_weight",),
            departs=Departure("clips probabilities to [1e-7, 1 - 1e-7]", [[0.0, 300.0, 0.0, 0.0]], [2], 16.118095),
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        weights = self.class_weight or (1.0,)
        lightest, heaviest = min(weights), max(weights)
        same = NonNegative(), ShiftInvariant()
        if self.gamma == 0.0 or heaviest == 0.0:
            proper = Proper() if lightest == heaviest > 0.0 else NotProper()
            return Convex(), Smooth(0.5 * heaviest), Lipschitz(2**0.5 * heaviest), *same, proper
        slope = Differentiable(), Lipschitz(2**0.5 * heaviest * steepest(self.gamma))
        return NotConvex(), *slope, *same, NotProper()

    def row_weight(self, xp: Any, y: Array, prediction: Array) -> Array | None:
        return xp.lookup(xp.table(self.class_weight, prediction), y) if len(self.class_weight) else None

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = xp.take(xp.exp(p), y) / xp.sum(xp.exp(p))
        return -xp.exp(self.gamma * xp.log(1 - share)) * xp.log(share)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        share, complement = xp.softmax_and_complement(p)
        parts = self._surprisal_of_a_mistake(xp, p, y, xp.take(share, y), xp.take(complement, y))
        return xp.discounted(xp.surprisal_at(p, y), self.gamma, *parts)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        share, complement = xp.softmax_and_complement(p)
        right, wrong = xp.take(share, y), xp.take(complement, y)
        # At most 1, which it is where the right class is certain: nothing is divided by the power.
        of_power = self._of_power(xp, right, wrong)
        parts = self._surprisal_of_a_mistake(xp, p, y, right, wrong)
        pull = xp.discounted(1.0 + self.gamma * of_power, self.gamma, *parts)
        return xp.row(pull) * xp.where(xp.is_class(y, p), -complement, share)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (self._magnified * self.value(xp, p, y),)

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (self._magnified * self.gradient(xp, p, y),)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        share, complement = xp.softmax_and_complement(p)
        right, wrong = xp.take(share, y), xp.take(complement, y)
        of_power = self._of_power(xp, right, wrong)
        bend = self.gamma * (right + (right + of_power) / (1.0 + self.gamma * of_power)) / wrong
        terms = terms_of_bend(xp, p, y, self.gradient(xp, p, y), power=1.0 + xp.row(xp.row(bend)))
        return tuple(self._magnified * term for term in terms)

    def _of_power(self, xp: Any, right: Array, wrong: Array) -> Array:
        """The right class's probability times its surprisal, over that of all others. By these two alone, for both are
        known to the last digits and so are their derivatives: backwards, a surprisal's is a difference of ones."""
        near = wrong < 0.5
        surprisal = xp.where(near, -xp.log1p(-xp.where(near, wrong, 0.0)), -xp.log(xp.where(right > 0.0, right, 1.0)))
        return xp.quotient(xp.product(right, surprisal), wrong)

    @property
    def _magnified(self) -> float:
        """By how much the power magnifies what its base was rounded by, as far as anybody may lose digits by it."""
        return min(1.0 + self.gamma, 4.0)

    def _surprisal_of_a_mistake(self, xp: Any, p: Array, y: Array, right: Array, wrong: Array) -> tuple[Array, Array]:
        """−log of the probability of all other classes, in two parts for `discounted`: where they have less than half,
        the surprisal of the likeliest of them, less what it has among them alone."""
        others = xp.where(xp.is_class(y, p), -math.inf, p)
        likeliest = xp.argmax(others)
        size, rest = (xp.take(part, likeliest) for part in xp.surprisal_in_parts(p))
        near = right < wrong
        odds = xp.where(near, right, 0.0) / xp.where(near, wrong, 1.0)
        # Known by the parts, and differentiated as the logarithm that it is.
        logarithm = xp.log(xp.where(wrong > 0.0, wrong, 1.0))
        far = xp.stop_gradient(rest - xp.surprisal_at(others, likeliest)) + (xp.stop_gradient(logarithm) - logarithm)
        return xp.where(near, 0.0, xp.stop_gradient(size)), xp.where(near, xp.log1p(odds), far)
