from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassIndex,
    Convex,
    Differentiable,
    Kinked,
    Logits,
    NonNegative,
    Notation,
    Rowwise,
    ShiftInvariant,
    Sparse,
    Twin,
    UnboundedGradient,
    parameter,
)


class SumHinge(Rowwise):
    """How far the right class's score falls short of leading each other score by the margin, summed over the others:
    Weston and Watkins' hinge loss.

    PyTorch's MultiMarginLoss divides this sum by K, the number of all classes.
    """

    margin: float = parameter(
        default=1.0,
        above=0,
        symbol="m",
        doc="how far the right class must lead each other one",
        foreign=("delta",),
        examples=(2.5,),
    )
    power: int = parameter(
        default=1,
        choices=(1, 2),
        doc="1 sums what is missing of the margin, 2 its square, which has no kinks",
        foreign=("p",),
        examples=(2,),
    )

    task = "multiclass"
    tried = False
    prediction = Logits(softmax=False)
    target = ClassIndex()
    output_layer = "K linear units; the largest names the class"
    choosing = "power=2 where a gradient without jumps is wanted; for a single rival at a time take MulticlassHinge"
    strengths = (
        "examples that lead every other class by the margin do not pull at all",
        "every class that comes too close is pushed back, not the best one alone",
    )
    weaknesses = (
        "scores are no probabilities, and cannot be made into them reliably",
        "with more than two classes the largest score need not be the likeliest class",
        "the sum grows with the number of classes",
    )
    sources = ("Weston & Watkins 1999, European Symposium on Artificial Neural Networks",)
    foreign_names = ("MultiMarginLoss", "MultiMargin", "WestonWatkinsLoss", "MulticlassSumHinge")
    same_as = (
        Twin(
            "torch.nn.MultiMarginLoss(p=power, margin=margin, reduction='none')(prediction, target)"
            " * prediction.shape[-1]"
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        shape = Convex(), NonNegative(), ShiftInvariant(), Sparse(self.margin)
        if self.power == 2:
            return *shape, Differentiable(), UnboundedGradient()
        return *shape, Kinked("the margin")

    @property
    def notation(self) -> Notation:
        latex, text = ("^2", "²") if self.power == 2 else ("", "")
        return Notation(
            latex=rf"\sum_{{k \ne y}} \max\left(0, m + s_k - s_y\right){latex}",
            text=f"Σₖ≠y max(0, m + sₖ - s[y]){text}",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        short = xp.relu(self.margin + (p - xp.row(xp.take(p, y))))
        return xp.sum(xp.where(xp.is_class(y, p), 0.0, short * short if self.power == 2 else short))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        short = self._short(xp, p, y)
        return xp.sum(short * short if self.power == 2 else short)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        short = self._short(xp, p, y)
        pull = 2.0 * short if self.power == 2 else xp.where(short > 0.0, 1.0, 0.0 * short)
        total = xp.row(xp.sum(pull))
        # NaN anywhere in a row is NaN in all of it.
        return xp.where(xp.is_class(y, p), -total, xp.where(xp.isnan(total), total, pull))

    def _short(self, xp: Any, p: Array, y: Array) -> Array:
        """How far each other class is from being led by the margin."""
        short = xp.relu(xp.shifted_difference(self.margin, p, xp.row(xp.take(p, y))))
        return xp.where(xp.is_class(y, p), 0.0, short)
