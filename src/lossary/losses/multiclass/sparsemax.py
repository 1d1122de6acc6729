from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassIndex,
    Convex,
    Lipschitz,
    Logits,
    NonNegative,
    Notation,
    Rowwise,
    ShiftInvariant,
    Smooth,
    Sparse,
    Twin,
)


class Sparsemax(Rowwise):
    """Half the squared distance from the right class to the scores' nearest distribution, many of whose classes have
    exactly 0, plus how far the right class is from having a share.

    The nearest distribution is the sparsemax of the scores: what is left of each above a threshold, which is where
    these are 1 together. Two classes with a lead of 1 between them have 1 and 0.
    """

    task = "multiclass"
    tried = False
    prediction = Logits(softmax=False)
    target = ClassIndex()
    output_layer = "K linear units; their sparsemax is the probabilities, and the largest names the class"
    choosing = "where few of many classes are possible, and the others are to have exactly 0"
    strengths = (
        "its probabilities are exactly 0 for most classes",
        "examples that lead every other class by 1 do not pull at all",
        "smooth at that margin, where MulticlassHinge has its kink",
    )
    weaknesses = (
        "a class that has no share gets its probability back by a pull of 1 alone, however wrong that is",
        "sorts the scores of each row",
    )
    sources = ("Martins & Astudillo 2016, arXiv:1602.02068",)
    foreign_names = ("SparsemaxLoss", "MulticlassSparsemax", "MulticlassSparsemaxLoss")
    same_as = (Twin("optax.losses.multiclass_sparsemax_loss(prediction, target)"),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), Smooth(1.0), Lipschitz(2**0.5), NonNegative(), ShiftInvariant(), Sparse()

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\frac{1}{2} \sum_{k: \, s_k > \tau} \left(s_k^2 - \tau^2\right) - s_y + \frac{1}{2}"
            r" \quad \text{with } \sum_k \max\left(0, s_k - \tau\right) = 1",
            text="Σ (sₖ² - τ²) / 2 over sₖ > τ, - s[y] + 1/2, with Σₖ max(0, sₖ - τ) = 1",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        threshold, has_share = self._threshold(xp, p)
        squares = xp.where(has_share, p * p - xp.row(threshold * threshold), 0)
        return xp.sum(squares) / 2 - xp.take(p, y) + 1 / 2

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        below, threshold, share = self._shares(xp, p)
        others = xp.where(xp.is_class(y, p), 0.0, share)
        missing = xp.sum(others)  # of the right class
        return 0.5 * (xp.sum(others * others) + missing * missing) + xp.relu(threshold - xp.take(below, y))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        share = self._shares(xp, p)[-1]
        others = xp.where(xp.is_class(y, p), 0.0, share)
        return xp.where(xp.is_class(y, p), -xp.row(xp.sum(others)), share)

    # What a score is above the threshold, both of which are between 0 and 1 below the largest.

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        share, _, of_others = self._terms(xp, p, y)
        return self.value(xp, p, y), xp.sum(share * of_others)

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        _, each, of_others = self._terms(xp, p, y)
        return (xp.where(xp.is_class(y, p), xp.row(xp.sum(of_others)), each),)

    def _terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array, Array]:
        """(The sparsemax, what each share is rounded as, and the same of the other classes that have a share.)"""
        below, threshold, share = self._shares(xp, p)
        each = xp.where(share > 0.0, xp.abs(below), 0.0) + xp.row(xp.abs(threshold))
        counts = xp.logical_and(share > 0.0, xp.logical_not(xp.is_class(y, p)))
        return share, each, xp.where(counts, each, 0.0)

    def _shares(self, xp: Any, p: Array) -> tuple[Array, Array, Array]:
        """(How far each score is below the largest, as a number ≤ 0; the threshold on that scale; the sparsemax)."""
        below = xp.shifted_difference(0.0, p, xp.stop_gradient(xp.row(xp.max(p))))
        threshold, _ = self._threshold(xp, below)
        return below, threshold, xp.relu(below - xp.row(threshold))

    def _threshold(self, xp: Any, scores: Array) -> tuple[Array, Array]:
        """Above which scores have a share, and which these are."""
        order = xp.argsort(-scores)
        ordered = xp.gather(scores, order)
        ones = xp.where(xp.isnan(ordered), ordered, 1.0)
        among = xp.where(1.0 + xp.cumulative_sum(ones) * ordered > xp.cumulative_sum(ordered), ones, 0.0)
        has_share = xp.gather(among, xp.inverse_permutation(order)) > 0.5  # back in their places
        return (xp.sum(xp.where(has_share, scores, 0.0)) - 1.0) / xp.maximum(xp.sum(among), 1.0), has_share
