from __future__ import annotations

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
from lossary.losses.segmentation.multiclass_tversky import cost, in_optax, pixels, pull, textbook


class MulticlassDice(Rowwise):
    """How much of the predicted and the true masks of an image's classes do not overlap, in the mean over the classes: 0
    where they are the same, 1 where they have nothing in common."""

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a softmax)"
    )
    one_hot: bool = parameter(
        default=False, doc="whether masks have a row of K for each pixel, one-hot or soft, instead of a class index"
    )
    smooth: float = parameter(
        default=1.0,
        at_least=0,
        symbol="ε",
        doc="pixels added to overlap and sizes, so that a pixel too many of a class that is not there costs little",
        foreign=("smoothing", "eps", "smooth_nr", "smooth_dr"),
        examples=(0.0,),
    )
    class_weight: Table = parameter(
        default=(),
        at_least=0,
        table=True,
        doc="how much each class counts in the mean; (0, 1, 1) leaves the background out, and () counts all alike",
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
        examples=(1,),
    )

    everyday = True
    task = "segmentation"
    tried = False
    output_layer = "K linear units for each pixel (from_logits=True), or K units with a softmax (from_logits=False)"
    choosing = (
        "where classes differ much in how many pixels they have; often added to SparseCategoricalCrossEntropy, which is "
        "smoother far out"
    )
    strengths = (
        "every class counts alike, however few pixels it has",
        "bounded by 1, so that no image outweighs the others",
    )
    weaknesses = (
        "not proper: it drives predictions to 0 and 1, however unsure a pixel is",
        "a class that an image does not have costs by whatever is predicted of it, with smooth=0 all it can",
    )
    sources = ("Milletari, Navab & Ahmadi 2016, arXiv:1606.04797",)
    foreign_names = ("MulticlassDiceLoss", "CategoricalDice", "CategoricalDiceLoss")
    same_as = in_optax("smooth=smooth / 2")

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
        both, sizes = r"2 \sum_i p_{ik} y_{ik} + \varepsilon", r"\sum_i (p_{ik} + y_{ik}) + \varepsilon"
        return Notation(
            latex=rf"\sum_k w_k \left(1 - \frac{{{both}}}{{{sizes}}}\right)",
            text="Σₖ wₖ (1 - (2 Σᵢ pᵢₖ yᵢₖ + ε) / (Σᵢ (pᵢₖ + yᵢₖ) + ε)) over the pixels i\nwₖ = class_weight / its sum",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return textbook(xp, self, p, y, 0.5, 0.5, 0.5 * self.smooth)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return cost(xp, self, p, y, 0.5, 0.5, 0.5 * self.smooth)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return pull(xp, self, p, y, 0.5, 0.5, 0.5 * self.smooth)[0]

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return pull(xp, self, p, y, 0.5, 0.5, 0.5 * self.smooth)[1:]
