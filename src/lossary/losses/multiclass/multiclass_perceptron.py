from __future__ import annotations

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
    Rowwise,
    ShiftInvariant,
    Sparse,
    Twin,
)


class MulticlassPerceptron(Rowwise):
    """How far the largest score is above the right class's own: nothing where the right class is ahead."""

    task = "multiclass"
    tried = False
    prediction = Logits(softmax=False)
    target = ClassIndex()
    output_layer = "K linear units; the largest names the class"
    choosing = "for the perceptron's rule; otherwise take MulticlassHinge, which asks for a margin too"
    strengths = (
        "only mistakes pull: an update is the perceptron's, the right score up and the chosen one down",
        "has no scale: scores that are all multiplied by a number decide alike, and cost as many times as much",
    )
    weaknesses = (
        "equal scores cost nothing, and so does a model that says 0 everywhere",
        "no margin is asked for: what is right is right, however narrowly",
        "scores are no probabilities, and cannot be made into them reliably",
    )
    sources = ("Collins 2002, doi:10.3115/1118693.1118694",)
    foreign_names = ("MulticlassPerceptronLoss", "StructuredPerceptron", "PerceptronLoss")
    same_as = (Twin("optax.losses.multiclass_perceptron_loss(prediction, target)"),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        kinks = Kinked("ties of the largest scores")
        return Convex(), Lipschitz(2**0.5), NonNegative(), ShiftInvariant(), Sparse(0.0), kinks

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.max(p) - xp.take(p, y)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return self._ahead(xp, p, y)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        largest = xp.row(xp.max(p))
        # A tie with the right class does not pull. What is neither a mistake nor right is NaN.
        ahead = xp.row(self._ahead(xp, p, y))
        ties = xp.where(xp.equal(p, largest), 1.0, 0.0 * xp.clip(p, -1.0, 1.0))
        pull = xp.where(xp.is_class(y, p), -1.0, ties / xp.row(xp.sum(ties)))
        return xp.where(ahead > 0.0, pull, xp.where(ahead <= 0.0, 0.0, ahead))

    def _ahead(self, xp: Any, p: Array, y: Array) -> Array:
        """How far the largest score is above the right one; 0 where the right one is +∞."""
        return xp.shifted_difference(0.0, xp.max(p), xp.take(p, y))
