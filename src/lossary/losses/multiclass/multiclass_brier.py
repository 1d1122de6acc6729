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


class MulticlassBrier(Rowwise):
    """The squared distance between the predicted distribution and the right class: proper, and bounded by 2.

    Of two classes it is twice Brier's loss of the one probability, which some libraries halve for.
    """

    task = "multiclass"
    tried = False
    prediction = Logits()
    target = ClassIndex()
    output_layer = "K linear units: the loss takes logits alone"
    choosing = (
        "to judge forecasts of several classes, where a confident mistake must not cost infinity; to train, take "
        "SparseCategoricalCrossEntropy"
    )
    strengths = (
        "proper: the best prediction is the true distribution",
        "bounded by 2: no single forecast decides the mean",
    )
    weaknesses = (
        "what is confidently wrong hardly pulls on its logits",
        "not convex: where training starts decides where it ends",
    )
    sources = ("Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",)
    foreign_names = ("MulticlassBrierScore", "MulticlassQuadraticScore")
    same_as = (
        Twin(
            "optax.squared_error(jax.nn.softmax(prediction), jax.nn.one_hot(target, prediction.shape[-1])).sum(-1)",
        ),
        Twin(
            "sklearn.metrics.brier_score_loss(target, scipy.special.softmax(prediction, axis=-1), "
            "labels=range(prediction.shape[-1]), scale_by_half=False)"
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        # The derivative of a softmax stretches by 1/2 at most, and twice the error is no longer than 2 √2.
        return NotConvex(), Differentiable(), Lipschitz(2**0.5), NonNegative(), ShiftInvariant(), Proper()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = xp.exp(p) / xp.row(xp.sum(xp.exp(p)))
        wrong = share - xp.where(xp.is_class(y, p), 1, 0)
        return xp.sum(wrong * wrong)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        share, complement = xp.softmax_and_complement(p)
        wrong = xp.where(xp.is_class(y, p), complement, share)
        return xp.sum(wrong * wrong)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        share, complement = xp.softmax_and_complement(p)
        right, wrong = xp.row(xp.take(share, y)), xp.row(xp.take(complement, y))
        own = xp.is_class(y, p)
        others = xp.where(own, 0.0, share)
        squares = others * others
        of_right = -(wrong * wrong + xp.row(xp.sum(squares)))
        # How far a class is ahead of the mean of all but the right one, both seen from the likeliest of them: nothing
        # is left of that where they tie. It does not matter which class that is, nor does its derivative.
        best = xp.stop_gradient(xp.row(xp.max(others)))
        ahead = wrong * (share - best) + xp.row(xp.sum(others * (best - others)))
        # What the others have beside a class that has almost all is better known as a sum.
        alone = share * complement - xp.row(xp.sum(xp.where(share > 0.75, 0.0, squares)))
        of_wrong = right * wrong + xp.where(share > 0.75, alone, right * share + ahead)
        return 2.0 * share * xp.where(own, of_right, of_wrong)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (2.0 * self.value(xp, p, y),)  # a square is off by twice as much

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        share, _ = xp.softmax_and_complement(p)
        return tuple(4.0 * share * term for term in self._in_brackets(xp, p, y))

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        share, complement = xp.softmax_and_complement(p)
        right, wrong, own = xp.row(xp.take(share, y)), xp.row(xp.take(complement, y)), xp.is_class(y, p)
        same = xp.equal(xp.row(xp.positions(p)), xp.positions(p))
        # How each share moves by each logit, and so the right one, and the squares of the others.
        moved = xp.row(share) * xp.where(same, xp.transpose(xp.row(complement)), xp.transpose(xp.row(share)))
        squares = 2.0 * xp.row(xp.where(own, 0.0, share)) * moved
        of_right = xp.transpose(xp.row(right * xp.where(own, complement, share)))
        of_squares = xp.transpose(xp.row(xp.sum(xp.transpose(squares))))
        of_wrong = of_right + moved + of_squares - squares
        of_brackets = xp.where(xp.row(own), 2.0 * xp.row(wrong) * of_right + of_squares, of_wrong)
        brackets = sum(self._in_brackets(xp, p, y))
        return 4.0 * moved * xp.row(brackets), 4.0 * xp.row(share) * of_brackets

    def _in_brackets(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array]:
        """The sizes of what a share is multiplied by in half the gradient: the right class's part, and the squares'."""
        share, complement = xp.softmax_and_complement(p)
        right, wrong, own = xp.row(xp.take(share, y)), xp.row(xp.take(complement, y)), xp.is_class(y, p)
        others = xp.where(own, 0.0, share)
        first = xp.where(own, wrong * wrong, right * wrong)
        return first, xp.row(xp.sum(others * others)) + xp.where(own, 0.0, share * complement - others * others)
