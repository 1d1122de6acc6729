from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Batchwise,
    Claim,
    Departure,
    Differentiable,
    Domain,
    NonNegative,
    Notation,
    NotConvex,
    Probability,
    Score,
    Twin,
    parameter,
)
from lossary.losses.segmentation.dice import in_optax, overlap, slope


class BatchDice(Batchwise):
    """How much of the predicted and the true mask do not overlap, of all images of a batch as if they were one."""

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a sigmoid)"
    )
    squared: bool = parameter(default=False, doc="whether the two masks' sizes are sums of squares, as in V-Net")
    smooth: float = parameter(
        default=1.0,
        at_least=0,
        symbol="ε",
        doc="pixels added to overlap and sizes, so that a batch without any has a slope",
        foreign=("smoothing", "eps", "smooth_nr", "smooth_dr"),
        examples=(0.0,),
    )

    task = "segmentation"
    target = Probability()
    output_layer = "one linear unit for each pixel (from_logits=True), or one with a sigmoid (from_logits=False)"
    choosing = "where many images have an empty mask, which Dice would let decide each alone; batches must be large"
    strengths = (
        "images without a mask do not jump between 0 and 1, as they do for Dice",
        "bounded by 1, and few pixels count as much as many",
    )
    weaknesses = (
        "depends on which images share a batch, so that batches and devices do not add up",
        "large masks outweigh small ones; not proper",
    )
    no_twin = "optax and Keras do not square, and optax takes no probabilities of one class"
    sources = ("Milletari, Navab & Ahmadi 2016, arXiv:1606.04797",)
    foreign_names = ("DiceLoss(batch=True)",)
    same_as = (
        *in_optax(
            "optax.losses.dice_loss(prediction.reshape(1, -1, 1), target.reshape(1, -1, 1), smooth=smooth / 2)[0]",
            from_logits=True,
            nothing=[-1e5],
        ),
        Twin(
            "keras.losses.Dice(reduction=None)(target, prediction)",
            when={"from_logits": False, "smooth": 0.0},
            departs=Departure("1 for an empty mask, predicted exactly", [0.0], [0.0], 1.0),
        ),
    )

    @property
    def prediction(self) -> Domain:
        return Score() if self.from_logits else Probability()

    @property
    def claims(self) -> tuple[Claim, ...]:
        return NonNegative(), NotConvex(), Differentiable()

    @property
    def notation(self) -> Notation:
        square, latex = ("²", "^2") if self.squared else ("", "")
        chance = "\npₖ = 1 / (1 + exp(-zₖ))" if self.from_logits else ""
        in_latex = r", \quad p_k = \frac{1}{1 + e^{-z_k}}" if self.from_logits else ""
        sizes = rf"\sum_k p_k{latex} + \sum_k y_k{latex} + \varepsilon"
        return Notation(
            latex=rf"1 - \frac{{2 \sum_k p_k y_k + \varepsilon}}{{{sizes}}}{in_latex}",
            text=f"1 - (2 Σₖ pₖ yₖ + ε) / (Σₖ pₖ{square} + Σₖ yₖ{square} + ε) over all entries k{chance}",
        )

    def formula(self, xp: Any, p: Array, y: Array, *, weight: Array) -> Array:
        p = 1 / (1 + xp.exp(-p)) if self.from_logits else p
        sizes = xp.sum(weight * (p * p + y * y if self.squared else p + y))
        return 1 - (2 * xp.sum(weight * p * y) + self.smooth) / (sizes + self.smooth)

    def value(self, xp: Any, p: Array, y: Array, *, weight: Array) -> Array:
        return overlap(xp, self, p, y, lambda x: xp.sum(weight * x))[0]

    def gradient(self, xp: Any, p: Array, y: Array, *, weight: Array) -> Array:
        return weight * slope(xp, self, p, y, *overlap(xp, self, p, y, lambda x: xp.sum(weight * x)))

    def denominator(self, xp: Any, p: Array, y: Array, *, weight: Array) -> Array:
        """One loss for the whole batch; none where nothing counts."""
        return xp.where(xp.sum(weight) > 0.0, 1.0, 0.0 * xp.sum(weight))
