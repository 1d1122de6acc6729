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
    NotProper,
    Rowwise,
    ShiftInvariant,
    Twin,
    parameter,
)


def terms_of_bend(
    xp: Any, logits: Array, y: Array, gradient: Array, *, power: Array | float, times: float = 1.0
) -> tuple[Array, ...]:
    """What the matrix of second derivatives is rounded as, where the gradient is a multiple of cross-entropy's: how
    the pull of the right class changes, as so high a power of a share, and how the shares that it is multiplied by do,
    which are those of so many times the logits."""
    share, complement = xp.softmax_and_complement(times * logits)
    apart = xp.where(xp.is_class(y, logits), complement, share)  # the sizes of the gradient of cross-entropy
    pull = xp.row(xp.row(times * xp.sum(xp.abs(gradient)) / xp.sum(apart)))
    own = xp.equal(xp.row(xp.positions(logits)), xp.positions(logits))
    across = xp.where(own, xp.transpose(xp.row(complement)), xp.transpose(xp.row(share)))
    of_pull = (power - 1.0) * xp.row(apart) * xp.transpose(xp.row(apart))
    return pull * of_pull, pull * xp.row(share) * across


class GeneralizedCrossEntropy(Rowwise):
    """What the q-th power of the right class's probability lacks of 1, divided by q: between cross-entropy, which q → 0
    would be, and the probability of a mistake, which q = 1 is."""

    q: float = parameter(
        default=0.7,
        above=0,
        at_most=1,
        symbol="q",
        doc="how little an example counts that the model finds unlikely; 0 would be cross-entropy",
        examples=(0.3,),
    )

    task = "multiclass"
    tried = False
    prediction = Logits()
    target = ClassIndex()
    output_layer = "K linear units: the loss takes logits alone"
    choosing = (
        "q=0.7 where many labels are wrong; less where fewer are, and SparseCategoricalCrossEntropy where none is"
    )
    strengths = (
        "bounded by 1 / q: a label that the model finds impossible pulls with next to nothing",
        "the nearer q is to 1, the less labels that were flipped at random move the minimum",
    )
    weaknesses = (
        "not convex, and slow to start: what is confidently wrong is hardly corrected",
        "what it estimates is no longer the probability: likely classes come out too likely",
    )
    sources = ("Zhang & Sabuncu 2018, arXiv:1805.07836",)
    foreign_names = ("CategoricalGeneralizedCrossEntropy", "GCE", "GCELoss", "LqLoss")
    same_as = (
        Twin(
            "keras.losses.CategoricalGeneralizedCrossEntropy(q=q)(target, tensorflow.nn.softmax(prediction))",
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        steepest = self.q**self.q / (1.0 + self.q) ** (1.0 + self.q)
        slope = Differentiable(), Lipschitz(2**0.5 * steepest)
        return NotConvex(), *slope, NonNegative(), ShiftInvariant(), NotProper()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = xp.take(xp.exp(p), y) / xp.sum(xp.exp(p))
        return (1 - xp.exp(self.q * xp.log(share))) / self.q

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return -xp.expm1(-self.q * xp.surprisal_at(p, y)) / self.q

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        share, complement = xp.softmax_and_complement(p)
        size, rest = (xp.row(xp.take(part, y)) for part in xp.surprisal_in_parts(p))
        return xp.discounted(xp.where(xp.is_class(y, p), -complement, share), self.q, size, rest)

    # A share times the power q of another.

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return ((1.0 + self.q) * self.gradient(xp, p, y),)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return terms_of_bend(xp, p, y, self.gradient(xp, p, y), power=1.0 + self.q)
