from __future__ import annotations

from typing import Any, NamedTuple

from lossary.define import (
    Array,
    Claim,
    Convex,
    Kinked,
    Learned,
    Lipschitz,
    NonNegative,
    Notation,
    NotConvex,
    Real,
    Row,
    Rowwise,
    Twin,
    UnboundedGradient,
    parameter,
)
from lossary.losses.embedding.cosine_distance import unit


class Triplet(Rowwise):
    """How far a row's positive, which belongs with it, falls short of being nearer than its negative by the margin.

    Rows that are the same have no direction towards each other, and do not pull. PyTorch adds 1e-6 to each difference
    there, and optax under the root, so that their values differ in the seventh digit.
    """

    margin: float = parameter(
        default=1.0,
        above=0,
        symbol="m",
        doc="how much nearer the positive must be",
        foreign=("alpha",),
        examples=(0.2,),
    )
    squared: bool = parameter(default=False, doc="whether distances are squared, as in FaceNet")
    swap: bool = parameter(
        default=False, doc="whether the negative's distance is that to the positive, where that is smaller"
    )

    everyday = True
    task = "embedding"
    anchor, positive, negative = (Learned(Row(Real())),) * 3
    output_layer = "linear units, as many as the embedding has; often divided by their length"
    choosing = (
        "margin=1, or 0.2 to 0.5 where embeddings have length 1; negatives that are near, or most triplets cost 0"
    )
    strengths = (
        "only says what is nearer, so that classes need no names and may be as many as there are rows",
        "triplets that are right by the margin cost nothing; but for squared=True no anchor is pulled by more than 2",
    )
    weaknesses = (
        "most triplets soon cost nothing: which ones are chosen decides what is learned",
        "each anchor sees one negative at a time, where InfoNCE sees all of the batch",
        "with squared the pull has no bound, and embeddings may collapse into one point",
    )
    sources = (
        "Schroff, Kalenichenko & Philbin 2015, arXiv:1503.03832",
        "Balntas et al. 2016, doi:10.5244/C.30.119 (swap)",
    )
    foreign_names = ("TripletMarginLoss", "TripletMarginWithDistanceLoss", "TripletLoss")
    same_as = (
        Twin(
            "torch.nn.functional.triplet_margin_loss(anchor, positive, negative, margin=margin, swap=swap, "
            "reduction='none')"
        ),
        Twin(
            "torch.nn.functional.triplet_margin_with_distance_loss(anchor, positive, negative, "
            "distance_function=lambda x, y: ((x - y) ** 2).sum(-1), margin=margin, swap=swap, reduction='none')",
            when={"squared": True},
        ),
        Twin("optax.losses.triplet_margin_loss(anchor, positive, negative, margin=margin)"),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        # In the anchors, beside given positives and negatives.
        shape = (Convex(), UnboundedGradient()) if self.squared else (NotConvex(), Lipschitz(2.0))
        return NonNegative(), *shape, Kinked("the margin")

    @property
    def notation(self) -> Notation:
        square, latex = ("²", "^2") if self.squared else ("", "")
        other = f"|a - n|{square}"
        in_latex = rf"\left|a - n\right|{latex}"
        if self.swap:
            other = f"min({other}, |p - n|{square})"
            in_latex = rf"\min\left({in_latex}, \left|p - n\right|{latex}\right)"
        return Notation(
            latex=rf"\max\left(0, \left|a - p\right|{latex} - {in_latex} + m\right)",
            text=f"max(0, |a - p|{square} - {other} + m)",
        )

    def formula(self, xp: Any, a: Array, p: Array, *, negative: Array) -> Array:
        near, far, beside = (xp.sum(x * x) for x in (a - p, a - negative, p - negative))
        far = xp.minimum(far, beside) if self.swap else far
        return xp.relu((near - far if self.squared else xp.sqrt(near) - xp.sqrt(far)) + self.margin)

    def value(self, xp: Any, a: Array, p: Array, *, negative: Array) -> Array:
        return xp.relu(self._sides(xp, a, p, negative).short)

    def gradient(self, xp: Any, a: Array, p: Array, *, negative: Array) -> tuple[Array, Array, Array]:
        sides = self._sides(xp, a, p, negative)
        short = xp.row(sides.short)

        def pulled(slope: Array) -> Array:
            """Nothing past the margin; what is neither short of it nor past it is NaN."""
            return xp.where(short > 0.0, slope, xp.where(short <= 0.0, 0.0, short))

        of_anchor, of_positive = sides.to_positive - sides.to_negative, -sides.to_positive
        if self.swap:
            swapped = xp.row(sides.swapped)
            of_anchor = xp.where(swapped, sides.to_positive, of_anchor)
            of_positive = xp.where(swapped, -sides.to_positive - sides.to_negative, of_positive)
        return pulled(of_anchor), pulled(of_positive), pulled(sides.to_negative)

    def _sides(self, xp: Any, a: Array, p: Array, n: Array) -> _Sides:
        near, far, swapped = a - p, a - n, None
        less, more = n - p, near + far  # their difference and their sum
        if self.swap:
            beside = p - n
            swapped = _length(xp, beside)[0] < _length(xp, far)[0]
            chosen = xp.row(swapped)
            less, more = xp.where(chosen, near - beside, less), xp.where(chosen, far, more)
            far = xp.where(chosen, beside, far)
        if self.squared:  # a difference of squares, of which no large ones are taken
            return _Sides(self.margin + xp.sum(less * more), 2.0 * near, 2.0 * far, swapped)
        (length, to_positive), (other, to_negative) = _length(xp, near), _length(xp, far)
        return _Sides(xp.shifted_difference(self.margin, length, other), to_positive, to_negative, swapped)


def _length(xp: Any, x: Array) -> tuple[Array, Array]:
    """How long rows are, and the derivative of that: their direction, which is 0 for rows of zeros."""
    direction, length = unit(xp, x)
    return xp.where(xp.equal(xp.sum(direction * direction), 0.0), 0.0, xp.sum(length)), direction


class _Sides(NamedTuple):
    """What a triplet lacks of the margin, the derivatives of the two distances, and where the negative's is the
    positive's, if that may be."""

    short: Array
    to_positive: Array
    to_negative: Array
    swapped: Array | None
