from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lossary.define import (
    Array,
    Claim,
    Departure,
    Differentiable,
    Domain,
    NonNegative,
    NotConvex,
    Probability,
    Row,
    Rowwise,
    Score,
    Twin,
    parameter,
)


def overlap(xp: Any, loss: Any, p: Array, y: Array, add: Callable[[Array], Array]) -> tuple[Array, Array, Array]:
    """The share of two masks that does not overlap, twice what does, and their sizes, smoothed; `add` sums over what
    is one mask."""
    p, not_p = shares(xp, loss, p)
    # Nothing is subtracted: 1 − 2 |P ∩ Y| / (|P| + |Y|) has no digits left where the masks are almost the same.
    wrong, right = p * (1.0 - y), not_p * y
    apart = (wrong - right) * (wrong - right) if loss.squared else wrong + right
    sizes = add(p * p + y * y if loss.squared else p + y) + loss.smooth
    return xp.quotient(add(apart), sizes), 2.0 * add(p * y) + loss.smooth, sizes


def slope(xp: Any, loss: Any, p: Array, y: Array, cost: Array, both: Array, sizes: Array) -> Array:
    """The derivative of `overlap` by each prediction."""
    chances, not_p = shares(xp, loss, p)
    nothing = xp.equal(sizes, 0.0)
    sizes = xp.where(nothing, 1.0, sizes)
    kept = both / sizes  # 1 − cost
    slope = 2.0 * (kept * chances - y) if loss.squared else (1.0 - y) * kept - y * (1.0 + cost)
    slope = xp.where(nothing, 0.0, slope / sizes)
    return slope * chances * not_p if loss.from_logits else slope


def shares(xp: Any, loss: Any, p: Array) -> tuple[Array, Array]:
    """How likely each pixel belongs to the mask, and how likely not."""
    return (xp.sigmoid(p), xp.sigmoid(-p)) if loss.from_logits else (p, 1.0 - p)


def mask(loss: Any, pixel: Domain) -> Domain:
    """As many trailing axes of pixels as one mask has."""
    for _ in range(loss.axes):
        pixel = Row(pixel)
    return pixel


def in_optax(call: str, *, from_logits: bool, nothing: list[Any]) -> tuple[Twin, Twin]:
    """Which divides 0 by 0 where nothing is smoothed and `nothing` is predicted."""
    departs = Departure("NaN for an empty mask, predicted exactly", nothing, _empty(nothing), math.nan)
    return (
        Twin(call, when={"from_logits": from_logits, "smooth": 1.0}),
        Twin(call, when={"from_logits": from_logits, "smooth": 0.0}, departs=departs),
    )


def twins(smoothed: str, in_keras: str) -> tuple[Twin, ...]:
    """The same losses of masks by optax's `dice_loss` with these arguments, and by a class of Keras', which smooths
    nothing."""
    axis = "axis=tuple(range(-1 - axes, -1))"
    both = "jax.numpy.stack([1 - prediction, prediction], -1), jax.numpy.stack([1 - target, target], -1)"
    of_shares = f"{both}, {smoothed}, apply_softmax=False, ignore_background=True, {axis}"
    of_logits = f"prediction[..., None], target[..., None], {smoothed}, {axis}"
    return (
        *in_optax(f"optax.losses.dice_loss({of_logits})", from_logits=True, nothing=[[[-1e5]]]),
        *in_optax(f"optax.losses.dice_loss({of_shares})", from_logits=False, nothing=[[[0.0]]]),
        Twin(
            f"keras.losses.{in_keras}reduction=None, axis=tuple(range(-axes, 0)))(target, prediction)",
            when={"from_logits": False, "smooth": 0.0},
            departs=Departure("1 for an empty mask, predicted exactly", [[[0.0]]], [[[0.0]]], 1.0),
        ),
    )


def _empty(mask: list[Any]) -> list[Any]:
    return [_empty(x) if isinstance(x, list) else 0.0 for x in mask]


class Dice(Rowwise):
    """How much of the predicted and the true mask of an image do not overlap: 0 where they are the same, 1 where they
    have nothing in common."""

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a sigmoid)"
    )
    squared: bool = parameter(default=False, doc="whether the two masks' sizes are sums of squares, as in V-Net")
    smooth: float = parameter(
        default=1.0,
        at_least=0,
        symbol="ε",
        doc="pixels added to overlap and sizes, so that a pixel too many in an image without any costs little",
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

    everyday = True
    task = "segmentation"
    output_layer = "one linear unit for each pixel (from_logits=True), or one with a sigmoid (from_logits=False)"
    choosing = (
        "where few pixels belong to the mask; often added to BinaryCrossEntropy's value, which is smoother far out"
    )
    strengths = (
        "the share of an image that its mask covers does not matter: few pixels count as much as many",
        "bounded by 1, so that no image outweighs the others",
    )
    weaknesses = (
        "not proper: it drives predictions to 0 and 1, however unsure a pixel is",
        "small masks dominate: one pixel may decide the loss of an image",
    )
    no_twin = "optax and Keras do not square"
    sources = ("Milletari, Navab & Ahmadi 2016, arXiv:1606.04797",)
    foreign_names = ("DiceLoss", "SoftDice", "SoftDiceLoss", "F1Loss")
    same_as = twins("smooth=smooth / 2", "Dice(")

    @property
    def prediction(self) -> Domain:
        return mask(self, Score() if self.from_logits else Probability())

    @property
    def target(self) -> Domain:
        return mask(self, Probability())

    @property
    def claims(self) -> tuple[Claim, ...]:
        return NonNegative(), NotConvex(), Differentiable()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        p, y = xp.flatten(p, self.axes), xp.flatten(y, self.axes)
        p = 1 / (1 + xp.exp(-p)) if self.from_logits else p
        sizes = xp.sum(p * p) + xp.sum(y * y) if self.squared else xp.sum(p) + xp.sum(y)
        return 1 - (2 * xp.sum(p * y) + self.smooth) / (sizes + self.smooth)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return overlap(xp, self, xp.flatten(p, self.axes), xp.flatten(y, self.axes), xp.sum)[0]

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        pixels, true = xp.flatten(p, self.axes), xp.flatten(y, self.axes)
        parts = map(xp.row, overlap(xp, self, pixels, true, xp.sum))
        return xp.reshape_like(slope(xp, self, pixels, true, *parts), p)
