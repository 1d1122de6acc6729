from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Balance,
    Claim,
    Differentiable,
    Domain,
    NonNegative,
    Notation,
    NotConvex,
    Rowwise,
    ShiftInvariant,
    Table,
    parameter,
)
from lossary.losses.segmentation.multiclass_tversky import add, by_prediction, masks, pixels, textbook_masks


class GeneralizedDice(Rowwise):
    """How much of the predicted and the true masks of an image's classes do not overlap, all pixels of all classes in one
    share, in which a class counts the less the more pixels it has; a class that the image does not have counts nothing.

    MONAI's weights "square", "simple" and "uniform" are the exponents 2, 1 and 0.
    """

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a softmax)"
    )
    one_hot: bool = parameter(
        default=False, doc="whether masks have a row of K for each pixel, one-hot or soft, instead of a class index"
    )
    exponent: float = parameter(
        default=2.0,
        at_least=0,
        symbol="a",
        doc="how fast the weight of a class falls with its size: by 1 / its pixels to this power",
        examples=(1.0,),
    )
    class_weight: Table = parameter(
        default=(),
        at_least=0,
        table=True,
        doc="how much each class counts beside that; (0, 1, 1) leaves the background out, and () counts all alike",
        foreign=("weight", "class_weights"),
        examples=((0.0, 2.0, 1.0, 1.0),),
        choose=Balance(),
    )
    void: float = parameter(
        default=-100.0,
        doc="the index of pixels whose class is not known: they count for nothing; one-hot masks have none",
        foreign=("ignore_index", "ignore_class", "ignore_label"),
    )
    axes: int = parameter(
        default=2,
        choices=(1, 2, 3),
        doc="how many axes the pixels stand on: 2 for images (…, H, W, K), 3 for volumes, 1 where they are flattened",
        foreign=("spatial_dims",),
    )

    task = "segmentation"
    tried = False
    output_layer = "K linear units for each pixel (from_logits=True), or K units with a softmax (from_logits=False)"
    choosing = "where classes differ by orders of magnitude in their pixels, as lesions do; else MulticlassDice"
    strengths = (
        "a class of few pixels counts as much as a large one, without a weight for each to be chosen",
        "a class that an image does not have costs nothing by itself; bounded by 1",
    )
    weaknesses = (
        "not proper: it drives predictions to 0 and 1, however unsure a pixel is",
        "a class of one or two pixels outweighs all the others of its image",
    )
    no_twin = "neither PyTorch, Keras nor optax has it: optax multiplies whole losses by such weights"
    sources = ("Sudre et al. 2017, arXiv:1707.03237",)
    foreign_names = ("GeneralizedDiceLoss", "GDL")

    @property
    def prediction(self) -> Domain:
        return pixels(self)[0]

    @property
    def target(self) -> Domain:
        return pixels(self)[1]

    @property
    def claims(self) -> tuple[Claim, ...]:
        return NonNegative(), NotConvex(), Differentiable(), *((ShiftInvariant(),) if self.from_logits else ())

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"1 - \frac{2 \sum_k w_k \sum_i p_{ik} y_{ik}}{\sum_k w_k \sum_i (p_{ik} + y_{ik})}, "
            r"\quad w_k = \left(\sum_i y_{ik}\right)^{-a}",
            text="1 - 2 Σₖ wₖ Σᵢ pᵢₖ yᵢₖ / Σₖ wₖ Σᵢ (pᵢₖ + yᵢₖ) over the pixels i\n"
            "wₖ = class_weight / (Σᵢ yᵢₖ)^a, 0 of a class without pixels",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share, right = textbook_masks(xp, self, p, y)
        both, sizes, true = (add(xp)(x) for x in (share * right, share + right, right))
        there = true > 0
        weight = xp.where(there, xp.power(xp.where(there, true, 1), -self.exponent), 0) * self._class_weight(xp, true)
        return 1 - 2 * xp.sum(weight * both) / xp.sum(weight * sizes)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        weight, (apart, _, sizes) = self._sums(xp, *masks(xp, self, p, y))
        return xp.quotient(xp.sum(weight * apart), xp.sum(weight * sizes))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return self._pull(xp, p, y)[0]

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self._pull(xp, p, y)[1:]

    def _pull(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        share, complement, right = masks(xp, self, p, y)
        weight, sums = self._sums(xp, share, complement, right)
        apart, both, sizes = (xp.row(xp.row(xp.sum(weight * x))) for x in sums)
        cost, kept = xp.quotient(apart, sizes), xp.quotient(2.0 * both, sizes)  # kept = 1 − cost
        by_share = xp.quotient(xp.transpose(xp.row(weight)), sizes) * ((1.0 - right) * kept - right * (1.0 + cost))
        return by_prediction(xp, self, p, y, share, complement, by_share)

    def _sums(self, xp: Any, share: Array, complement: Array, right: Array) -> tuple[Array, tuple[Array, Array, Array]]:
        """What each class counts; and of each what does not overlap, what does, and the sizes of both masks."""
        # Nothing is subtracted, as in Dice.
        each = share * (1.0 - right) + complement * right, share * right, share + right
        return self._weights(xp, add(xp)(right)), tuple(map(add(xp), each))

    def _weights(self, xp: Any, true: Array) -> Array:
        """What each class counts, beside the smallest one that is there: only ratios matter."""
        there = true > 0.0
        smallest = xp.stop_gradient(-xp.max(-xp.where(there, true, math.inf)))
        weight = xp.power(xp.where(there, xp.row(smallest), 1.0) / xp.where(there, true, 1.0), self.exponent)
        return xp.where(there, weight, 0.0) * self._class_weight(xp, true)

    def _class_weight(self, xp: Any, like: Array) -> Array:
        return xp.table(self.class_weight, like) if len(self.class_weight) else 1.0
