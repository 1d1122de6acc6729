from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Differentiable,
    Domain,
    Identity,
    NonNegative,
    Notation,
    NotConvex,
    Probability,
    Rowwise,
    Score,
    parameter,
)
from lossary.losses.segmentation.dice import mask, shares, twins
from lossary.losses.segmentation.tversky import missed, slope


class Jaccard(Rowwise):
    """How much of the union of the predicted and the true mask of an image is in one of them alone: 1 less the
    intersection over union."""

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a sigmoid)"
    )
    smooth: float = parameter(
        default=1.0,
        at_least=0,
        symbol="ε",
        doc="pixels added to intersection and union, so that a pixel too many in an image without any costs little",
        foreign=("smoothing", "eps", "smooth_nr", "smooth_dr"),
        examples=(0.0,),
    )
    axes: int = parameter(
        default=2,
        choices=(1, 2, 3),
        doc="how many trailing axes one mask has: 2 for images (…, H, W), 3 for volumes, 1 where they are flattened",
        foreign=("spatial_dims",),
        examples=(1,),
    )

    task = "segmentation"
    tried = False
    output_layer = "one linear unit for each pixel (from_logits=True), or one with a sigmoid (from_logits=False)"
    choosing = "where masks are judged by their intersection over union; else Dice, which pulls less at small overlaps"
    strengths = (
        "of masks of zeros and ones it is 1 less the intersection over union, by which segmentation is judged",
        "bounded by 1, and few pixels count as much as many",
    )
    weaknesses = (
        "not proper: it drives predictions to 0 and 1, however unsure a pixel is",
        "small masks dominate: one pixel may decide the loss of an image",
    )
    sources = (
        "Rahman & Wang 2016, doi:10.1007/978-3-319-50835-1_22",
        "Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x",
    )
    foreign_names = ("JaccardLoss", "IoULoss", "SoftJaccard", "SoftIoU")
    identities = (Identity("Tversky(alpha=1.0, beta=1.0, smooth=smooth, from_logits=from_logits, axes=axes)"),)
    same_as = twins("smooth=smooth, alpha=1.0, beta=1.0", "Tversky(alpha=1.0, beta=1.0, ")

    @property
    def prediction(self) -> Domain:
        return mask(self, Score() if self.from_logits else Probability())

    @property
    def target(self) -> Domain:
        return mask(self, Probability())

    @property
    def claims(self) -> tuple[Claim, ...]:
        return NonNegative(), NotConvex(), Differentiable()

    @property
    def notation(self) -> Notation:
        chance = "\npₖ = 1 / (1 + exp(-zₖ))" if self.from_logits else ""
        in_latex = r", \quad p_k = \frac{1}{1 + e^{-z_k}}" if self.from_logits else ""
        return Notation(
            latex=r"1 - \frac{\sum_k p_k y_k + \varepsilon}{\sum_k (p_k + y_k - p_k y_k) + \varepsilon}" + in_latex,
            text=f"1 - (Σₖ pₖ yₖ + ε) / (Σₖ (pₖ + yₖ - pₖ yₖ) + ε){chance}",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        p, y = xp.flatten(p, self.axes), xp.flatten(y, self.axes)
        p = 1 / (1 + xp.exp(-p)) if self.from_logits else p
        both = xp.sum(p * y)
        union = xp.sum(p) + xp.sum(y) - both
        return 1 - (both + self.smooth) / (union + self.smooth)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        p, not_p = shares(xp, self, xp.flatten(p, self.axes))
        false, both = missed(p, not_p, xp.flatten(y, self.axes), xp.sum, 1.0, 1.0, self.smooth)
        return xp.quotient(false, both + false)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        chances, not_p = shares(xp, self, xp.flatten(p, self.axes))
        true = xp.flatten(y, self.axes)
        false, both = map(xp.row, missed(chances, not_p, true, xp.sum, 1.0, 1.0, self.smooth))
        by_chance = slope(xp, true, false, both, 1.0, 1.0)
        return xp.reshape_like(by_chance * chances * not_p if self.from_logits else by_chance, p)
