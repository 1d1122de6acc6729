from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lossary.define import (
    Array,
    Balance,
    Claim,
    ClassIndex,
    Departure,
    Differentiable,
    Domain,
    Identity,
    Logits,
    NonNegative,
    Notation,
    NotConvex,
    Rowwise,
    ShiftInvariant,
    Simplex,
    Table,
    Twin,
    parameter,
)
from lossary.losses.segmentation.dice import mask
from lossary.losses.segmentation.tversky import missed, slope


def pixels(loss: Any) -> tuple[Domain, Domain]:
    """What an image's pixels are predicted as and labelled with."""
    prediction = Logits() if loss.from_logits else Simplex()
    target = Simplex(one_hot=True) if loss.one_hot else ClassIndex(void=int(loss.void))
    return mask(loss, prediction), mask(loss, target)


def masks(xp: Any, loss: Any, p: Array, y: Array) -> tuple[Array, Array, Array]:
    """For each pixel of an image, which stand on one axis, and each class: how likely it is, how likely not, and whether
    it is right. A pixel that is void is of none, and none is predicted there."""
    p = xp.flatten(p, loss.axes, 1)
    share, complement = xp.softmax_and_complement(p) if loss.from_logits else (p, 1.0 - p)
    share, complement = (known(xp, loss, y, x) for x in (share, complement))
    return share, complement, of_class(xp, loss, share, y)


def of_class(xp: Any, loss: Any, share: Array, y: Array) -> Array:
    """How much each pixel is of each class."""
    if loss.one_hot:
        return xp.flatten(y, loss.axes, 1)
    return xp.where(xp.is_class(xp.flatten(y, loss.axes), share), 1.0, 0.0 * share)


def known(xp: Any, loss: Any, y: Array, x: Array) -> Array:
    """What is said of pixels, and 0 of those that are void."""
    if loss.one_hot:
        return x
    return xp.where(xp.row(xp.logical_not(xp.equal(xp.flatten(y, loss.axes), int(loss.void)))), x, 0.0)


def weights(xp: Any, loss: Any, like: Array) -> Array:
    """What each class has of the mean over them."""
    if not len(loss.class_weight):
        return 1.0 / xp.classes(like)
    return xp.table(loss.class_weight, like) / (sum(loss.class_weight) or 1.0)


def add(xp: Any) -> Callable[[Array], Array]:
    """The sum over the pixels, for each class."""
    return lambda x: xp.sum(xp.transpose(x))


def cost(xp: Any, loss: Any, p: Array, y: Array, alpha: float, beta: float, smooth: float) -> Array:
    """The false share of each class's mask, in the mean over the classes."""
    false, both = missed(*masks(xp, loss, p, y), add(xp), alpha, beta, smooth)
    return xp.sum(weights(xp, loss, false) * xp.quotient(false, both + false))


def pull(xp: Any, loss: Any, p: Array, y: Array, alpha: float, beta: float, smooth: float) -> tuple[Array, ...]:
    """The derivative of `cost`, as `by_prediction` has it."""
    share, complement, right = masks(xp, loss, p, y)
    sizes = missed(share, complement, right, add(xp), alpha, beta, smooth)
    false, both = (xp.transpose(xp.row(x)) for x in sizes)
    by_share = weights(xp, loss, p) * slope(xp, right, false, both, alpha, beta)
    return by_prediction(xp, loss, p, y, share, complement, by_share)


def by_prediction(
    xp: Any, loss: Any, p: Array, y: Array, share: Array, complement: Array, by_share: Array
) -> tuple[Array, ...]:
    """A derivative by what each pixel is likely to be, as one by what is predicted; and of the terms that it is the sum
    of, each pixel's own and what its other classes have, the sizes."""
    if not loss.from_logits:
        by_share = xp.reshape_like(known(xp, loss, y, by_share), p)
        return by_share, xp.abs(by_share)
    terms = share * complement * xp.abs(by_share), share * xp.sum_of_others(share * xp.abs(by_share))
    return tuple(xp.reshape_like(x, p) for x in (xp.softmax_tangent(share, complement, by_share), *terms))


def textbook(xp: Any, loss: Any, p: Array, y: Array, alpha: float, beta: float, smooth: float) -> Array:
    """`cost`, from sums of shares."""
    share, right = textbook_masks(xp, loss, p, y)
    both, predicted, true = (add(xp)(x) for x in (share * right, share, right))
    union = both + alpha * (predicted - both) + beta * (true - both) + smooth
    return xp.sum(weights(xp, loss, both) * (1 - (both + smooth) / union))


def textbook_masks(xp: Any, loss: Any, p: Array, y: Array) -> tuple[Array, Array]:
    """For each pixel and class how likely it is, and whether it is right."""
    p = xp.flatten(p, loss.axes, 1)
    share = known(xp, loss, y, xp.exp(p) / xp.row(xp.sum(xp.exp(p))) if loss.from_logits else p)
    return share, of_class(xp, loss, share, y)


def in_optax(smooth: str) -> tuple[Twin, ...]:
    """The same losses by optax' `dice_loss`, which adds this to the overlap; it multiplies by class weights, and then
    divides by the number of classes."""
    index, rows = "jax.nn.one_hot(target, prediction.shape[-1])", "target"
    return (*_in_optax(index, smooth, [[[0]]], one_hot=False), *_in_optax(rows, smooth, [[[[1.0, 0.0]]]], one_hot=True))


def _in_optax(target: str, smooth: str, alone: list[Any], *, one_hot: bool) -> tuple[Twin, ...]:
    """With its target made so, and a mask `alone` where only the first class is there."""
    call = (
        f"optax.losses.dice_loss(prediction, {target}, apply_softmax=from_logits, axis=tuple(range(-1 - axes, -1)), "
        f"{smooth}"
    )
    weighted = ", class_weights=jax.numpy.array(class_weight) * len(class_weight) / sum(class_weight)"
    departs = Departure("NaN for a class that is not there, and not predicted", [[[[0.0, -1e5]]]], alone, math.nan)
    return (
        Twin(f"{call})", when={"one_hot": one_hot, "smooth": 1.0}),
        Twin(f"{call})", when={"one_hot": one_hot, "smooth": 0.0}, departs=departs),
        Twin(f"{call}{weighted})", when={"one_hot": one_hot}, given=("class_weight",)),
    )


class MulticlassTversky(Rowwise):
    """How much of the predicted and the true masks of an image's classes is false, in the mean over the classes, pixels
    too many and pixels that are missing counting differently."""

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a softmax)"
    )
    one_hot: bool = parameter(
        default=False, doc="whether masks have a row of K for each pixel, one-hot or soft, instead of a class index"
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
        doc="pixels added to the overlap, so that a pixel too many of a class that is not there costs little",
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
    )

    task = "segmentation"
    tried = False
    output_layer = "K linear units for each pixel (from_logits=True), or K units with a softmax (from_logits=False)"
    choosing = "alpha=0.3 and beta=0.7 where missing a pixel is worse than one too many; 1 and 1 are Jaccard's loss"
    strengths = (
        "says what is worse, a pixel too many or one that is missing",
        "every class counts alike, however few pixels it has",
    )
    weaknesses = (
        "not proper: it drives predictions to 0 and 1, however unsure a pixel is",
        "a class that an image does not have costs by whatever is predicted of it, with smooth=0 all it can",
    )
    sources = ("Salehi, Erdogmus & Gholipour 2017, arXiv:1706.05721",)
    foreign_names = ("MulticlassTverskyLoss", "MulticlassJaccard", "MulticlassJaccardLoss", "CategoricalTversky")
    identities = (
        Identity(
            "MulticlassDice(smooth=2 * smooth, class_weight=class_weight, void=void, axes=axes, one_hot=one_hot, "
            "from_logits=from_logits)",
            when={"alpha": 0.5, "beta": 0.5},
        ),
    )
    same_as = in_optax("smooth=smooth, alpha=alpha, beta=beta")

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
        both, false = (
            r"\sum_i p_{ik} y_{ik} + \varepsilon",
            (r"\alpha \sum_i p_{ik} (1 - y_{ik}) + \beta \sum_i (1 - p_{ik}) y_{ik}"),
        )
        return Notation(
            latex=rf"\sum_k w_k \left(1 - \frac{{{both}}}{{{both} + {false}}}\right)",
            text="Σₖ wₖ (1 - (Iₖ + ε) / (Iₖ + ε + α Σᵢ pᵢₖ (1 - yᵢₖ) + β Σᵢ (1 - pᵢₖ) yᵢₖ))\n"
            "Iₖ = Σᵢ pᵢₖ yᵢₖ over the pixels i, wₖ = class_weight / its sum",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return textbook(xp, self, p, y, self.alpha, self.beta, self.smooth)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return cost(xp, self, p, y, self.alpha, self.beta, self.smooth)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return pull(xp, self, p, y, self.alpha, self.beta, self.smooth)[0]

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return pull(xp, self, p, y, self.alpha, self.beta, self.smooth)[1:]
