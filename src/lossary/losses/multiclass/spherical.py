from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassIndex,
    Differentiable,
    Lipschitz,
    Logits,
    NonNegative,
    NotConvex,
    Proper,
    Rowwise,
    ShiftInvariant,
    Twin,
)
from lossary.losses.multiclass.generalized_cross_entropy import terms_of_bend


class Spherical(Rowwise):
    """1 less the cosine between the predicted distribution and the right class: proper, and bounded by 1."""

    task = "multiclass"
    tried = False
    prediction = Logits()
    target = ClassIndex()
    output_layer = "K linear units: the loss takes logits alone"
    choosing = "to judge forecasts of several classes by a bounded score; to train, take SparseCategoricalCrossEntropy"
    strengths = (
        "proper: the best prediction is the true distribution",
        "bounded by 1: a label that the model finds impossible pulls with next to nothing",
    )
    weaknesses = (
        "not convex: where training starts decides where it ends",
        "what is confidently wrong is hardly corrected",
    )
    sources = (
        "Good 1971, in Foundations of Statistical Inference",
        "Gneiting & Raftery 2007, doi:10.1198/016214506000001437",
    )
    foreign_names = ("SphericalScore", "SphericalLoss")
    same_as = (Twin("optax.cosine_distance(jax.nn.softmax(prediction), jax.nn.one_hot(target, prediction.shape[-1]))"),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        steepest = 2.0 / 27.0**0.5  # of a · (1 − a²), where the cosine's square is a third
        slope = Differentiable(), Lipschitz(2**0.5 * steepest)
        return NotConvex(), *slope, NonNegative(), ShiftInvariant(), Proper()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return 1 - xp.take(xp.exp(p), y) / xp.sqrt(xp.sum(xp.exp(p) * xp.exp(p)))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        # The square of the cosine is the right class's share in the squares of the probabilities.
        return -xp.expm1(-0.5 * xp.surprisal_at(self._doubled(xp, p), y))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        squares = self._doubled(xp, p)
        share, complement = xp.softmax_and_complement(squares)
        size, rest = (xp.row(xp.take(part, y)) for part in xp.surprisal_in_parts(squares))
        return xp.discounted(xp.where(xp.is_class(y, p), -complement, share), 0.5, size, rest)

    # A share of the squares times the root of another.

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (1.5 * self.gradient(xp, p, y),)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return terms_of_bend(xp, p, y, self.gradient(xp, p, y), power=1.5, times=2.0)

    def _doubled(self, xp: Any, p: Array) -> Array:
        """Logits whose softmax is that of the squares. Where two would be beyond every float, so much more leaves them in
        order, and as far apart as an exponential can tell."""
        far = xp.where(p > 0.0, p + 1e30, p - 1e30)
        return xp.where(xp.abs(p) > 1e30, far, 2.0 * p)
