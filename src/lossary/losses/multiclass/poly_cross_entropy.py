from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassIndex,
    Convex,
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
    Twin,
    parameter,
)
from lossary.losses.multiclass.generalized_cross_entropy import terms_of_bend


class PolyCrossEntropy(Rowwise):
    """Cross-entropy plus ε times the probability of a mistake: the first term of its series counts 1 + ε times."""

    epsilon: float = parameter(
        default=1.0,
        above=-1,
        symbol="ε",
        doc="how much more the probability of a mistake counts; below 0 less, and 0 is cross-entropy",
        foreign=("epsilon_1", "poly_epsilon"),
        examples=(0.0, 2.0, -0.5),
    )

    task = "multiclass"
    tried = False
    prediction = Logits()
    target = ClassIndex()
    output_layer = "K linear units: the loss takes logits alone"
    choosing = "epsilon=1 to 2 for balanced classes, below 0 for rare ones; beyond 1 it is no longer convex"
    strengths = (
        "one number tunes how much examples count that are almost right",
        "convex for epsilon up to 1, as cross-entropy is",
    )
    weaknesses = (
        "but for epsilon=0, what it estimates is no longer the probability",
        "confident mistakes cost without bound, so that mislabelled examples weigh much",
    )
    sources = ("Leng et al. 2022, arXiv:2204.12511",)
    foreign_names = ("PolyLoss", "Poly1Loss", "Poly1CrossEntropy")
    identities = (Identity("SparseCategoricalCrossEntropy()", when={"epsilon": 0.0}),)
    same_as = (
        Twin(
            "optax.losses.poly_loss_cross_entropy(prediction, jax.nn.one_hot(target, prediction.shape[-1]), "
            "epsilon=epsilon)"
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        steepest = 1.0 if self.epsilon <= 1.0 else (1.0 + self.epsilon) ** 2 / (4.0 * self.epsilon)
        curve = Convex() if self.epsilon <= 1.0 else NotConvex()
        proper = Proper() if self.epsilon == 0.0 else NotProper()
        return curve, Differentiable(), Lipschitz(2**0.5 * steepest), NonNegative(), ShiftInvariant(), proper

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = xp.take(xp.exp(p), y) / xp.sum(xp.exp(p))
        return -xp.log(share) + self.epsilon * (1 - share)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        share, complement = (xp.take(each, y) for each in xp.softmax_and_complement(p))
        if self.epsilon >= 0.0:
            return xp.surprisal_at(p, y) + self.epsilon * complement
        # Nothing is subtracted: the surprisal is never less than the probability of a mistake.
        beyond = xp.divergence(1.0 + 0.0 * share, share, xp.take(xp.half_surprisal(p), y))
        return (1.0 + self.epsilon) * xp.surprisal_at(p, y) - self.epsilon * beyond

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        share, complement = xp.softmax_and_complement(p)
        right, wrong = xp.take(share, y), xp.take(complement, y)
        pull = (1.0 + self.epsilon) - self.epsilon * wrong  # which is 1 + ε · right
        if self.epsilon > 0.0:
            pull = xp.where(right < 0.5, 1.0 + self.epsilon * right, pull)
        return xp.row(pull) * xp.where(xp.is_class(y, p), -complement, share)

    # A share times another.

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (self._magnified * self.gradient(xp, p, y),)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return terms_of_bend(xp, p, y, self.gradient(xp, p, y), power=self._magnified)

    @property
    def _magnified(self) -> float:
        """A share of a share is off by twice as much as one; without the term of ε there is one alone."""
        return 1.0 + min(abs(self.epsilon), 1.0)
