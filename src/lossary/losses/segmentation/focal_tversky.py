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
from lossary.losses.segmentation.dice import mask
from lossary.losses.segmentation.tversky import cost, pull, textbook, written


class FocalTversky(Rowwise):
    """A power of Tversky's loss of an image's mask, by which images count more or less the better they are.

    The paper writes the power as 1/γ, with γ = 4/3 for what is 0.75 here, and has alpha for pixels that are missing.
    """

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a sigmoid)"
    )
    alpha: float = parameter(
        default=0.3,
        at_least=0,
        symbol="α",
        doc="how much a pixel too many counts (a false positive), beside a right one",
    )
    beta: float = parameter(
        default=0.7,
        at_least=0,
        symbol="β",
        doc="how much a missing pixel counts (a false negative), beside a right one",
    )
    gamma: float = parameter(
        default=0.75,
        above=0,
        symbol="γ",
        doc="the power of Tversky's loss: below 1, images that are almost right pull more, above 1 less",
        examples=(1.5,),
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
    )

    task = "segmentation"
    tried = False
    output_layer = "one linear unit for each pixel (from_logits=True), or one with a sigmoid (from_logits=False)"
    choosing = "gamma=0.75 where small masks are hard to finish, gamma above 1 where failed images are; else Tversky"
    strengths = (
        "below a power of 1 an image that is almost right still pulls, where Tversky's loss hardly does",
        "says what is worse, a pixel too many or one that is missing; bounded by 1",
    )
    weaknesses = (
        "not proper: it drives predictions to 0 and 1, however unsure a pixel is",
        "from probabilities and below a power of 1, a mask that is all but perfect pulls without bound",
        "of little use where targets may be wrong: the last pixels count most",
    )
    no_twin = "neither PyTorch, Keras nor optax has it"
    sources = ("Abraham & Khan 2019, arXiv:1810.07842", "Salehi, Erdogmus & Gholipour 2017, arXiv:1706.05721")
    foreign_names = ("FocalTverskyLoss",)
    identities = (
        Identity(
            "Tversky(alpha=alpha, beta=beta, smooth=smooth, from_logits=from_logits, axes=axes)", when={"gamma": 1.0}
        ),
    )

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
        of_tversky = written(self)
        return Notation(latex=rf"T^\gamma, \quad T = {of_tversky.latex}", text=f"T^γ\nT = {of_tversky.text}")

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.power(textbook(xp, self, p, y), self.gamma)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return _power(xp, cost(xp, self, p, y), self.gamma)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        steep = self.gamma * _power(xp, cost(xp, self, p, y), self.gamma - 1.0)
        return xp.reshape_like(xp.row(steep) * pull(xp, self, p, y), p)


def _power(xp: Any, cost: Array, exponent: float) -> Array:
    """0 of a perfect mask, also where the slope or the power itself is infinite: it does not pull, as those next to it do."""
    if exponent == 0.0 or exponent >= 1.0:
        return xp.power(cost, exponent)
    perfect = xp.equal(cost, 0.0)
    return xp.where(perfect, 0.0, xp.power(xp.where(perfect, 1.0, cost), exponent))
