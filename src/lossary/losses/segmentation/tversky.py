from __future__ import annotations

from collections.abc import Callable
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


def missed(
    p: Array, not_p: Array, y: Array, add: Callable[[Array], Array], alpha: float, beta: float, smooth: float
) -> tuple[Array, Array]:
    """What is false of the pixels of a mask, where the predicted ones that are wrong count alpha and the true ones that
    are missing beta; and the overlap, smoothed. `add` sums over what is one mask."""
    false = add(alpha * (p * (1.0 - y)) + beta * (not_p * y))  # nothing is subtracted, as in Dice
    return false, add(p * y) + smooth


def slope(xp: Any, y: Array, false: Array, both: Array, alpha: float, beta: float) -> Array:
    """The derivative of the false share, false / (both + false), by each probability."""
    union = both + false
    nothing = xp.equal(union, 0.0)
    union = xp.where(nothing, 1.0, union)
    kept, cost = both / union, false / union
    return xp.where(nothing, 0.0, (alpha * (1.0 - y) * kept - y * (beta * kept + cost)) / union)


def cost(xp: Any, loss: Any, p: Array, y: Array) -> Array:
    """The false share of an image's mask."""
    p, not_p = shares(xp, loss, xp.flatten(p, loss.axes))
    false, both = missed(p, not_p, xp.flatten(y, loss.axes), xp.sum, loss.alpha, loss.beta, loss.smooth)
    return xp.quotient(false, both + false)


def pull(xp: Any, loss: Any, p: Array, y: Array) -> Array:
    """The derivative of `cost`, the pixels in a row."""
    chances, not_p = shares(xp, loss, xp.flatten(p, loss.axes))
    true = xp.flatten(y, loss.axes)
    false, both = map(xp.row, missed(chances, not_p, true, xp.sum, loss.alpha, loss.beta, loss.smooth))
    by_chance = slope(xp, true, false, both, loss.alpha, loss.beta)
    return by_chance * chances * not_p if loss.from_logits else by_chance


def textbook(xp: Any, loss: Any, p: Array, y: Array) -> Array:
    """`cost`, from sums of probabilities."""
    p, y = xp.flatten(p, loss.axes), xp.flatten(y, loss.axes)
    p = 1 / (1 + xp.exp(-p)) if loss.from_logits else p
    both = xp.sum(p * y) + loss.smooth
    false = loss.alpha * xp.sum(p * (1 - y)) + loss.beta * xp.sum((1 - p) * y)
    return 1 - both / (both + false)


def written(loss: Any) -> Notation:
    """`cost`, for readers."""
    chance = "\npₖ = 1 / (1 + exp(-zₖ))" if loss.from_logits else ""
    in_latex = r", \quad p_k = \frac{1}{1 + e^{-z_k}}" if loss.from_logits else ""
    both, false = r"\sum_k p_k y_k + \varepsilon", r"\alpha \sum_k p_k (1 - y_k) + \beta \sum_k (1 - p_k) y_k"
    return Notation(
        latex=rf"1 - \frac{{{both}}}{{{both} + {false}}}{in_latex}",
        text=f"1 - (I + ε) / (I + ε + α Σₖ pₖ (1 - yₖ) + β Σₖ (1 - pₖ) yₖ)\nI = Σₖ pₖ yₖ{chance}",
    )


class Tversky(Rowwise):
    """How much of a predicted mask of an image is false, pixels too many and pixels that are missing counting
    differently: 0 where it is the true one, 1 where they have nothing in common.

    alpha is for pixels too many, as in the paper and in most libraries; Keras has the two the other way around.
    """

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a sigmoid)"
    )
    alpha: float = parameter(
        default=0.5,
        at_least=0,
        symbol="α",
        doc="how much a pixel too many counts (a false positive), beside a right one",
        examples=(0.3,),
    )
    beta: float = parameter(
        default=0.5,
        at_least=0,
        symbol="β",
        doc="how much a missing pixel counts (a false negative), beside a right one",
        examples=(0.7,),
    )
    smooth: float = parameter(
        default=1.0,
        at_least=0,
        symbol="ε",
        doc="pixels added to the overlap, so that a pixel too many in an image without any costs little",
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
    output_layer = "one linear unit for each pixel (from_logits=True), or one with a sigmoid (from_logits=False)"
    choosing = "alpha=0.3 and beta=0.7 where missing a pixel is worse than one too many; 0.5 and 0.5 are Dice's loss"
    strengths = (
        "says what is worse, a pixel too many or one that is missing",
        "bounded by 1, and few pixels count as much as many",
    )
    weaknesses = (
        "not proper: it drives predictions to 0 and 1, however unsure a pixel is",
        "small masks dominate: one pixel may decide the loss of an image",
    )
    sources = ("Salehi, Erdogmus & Gholipour 2017, arXiv:1706.05721", "Tversky 1977, doi:10.1037/0033-295X.84.4.327")
    foreign_names = ("TverskyLoss", "TverskyIndex")
    identities = (
        Identity("Dice(smooth=2 * smooth, from_logits=from_logits, axes=axes)", when={"alpha": 0.5, "beta": 0.5}),
        Identity("Jaccard(smooth=smooth, from_logits=from_logits, axes=axes)", when={"alpha": 1.0, "beta": 1.0}),
    )
    same_as = twins("smooth=smooth, alpha=alpha, beta=beta", "Tversky(alpha=beta, beta=alpha, ")

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
        return written(self)

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return textbook(xp, self, p, y)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return cost(xp, self, p, y)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.reshape_like(pull(xp, self, p, y), p)
