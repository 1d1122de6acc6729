from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Domain,
    Indicator,
    Kinked,
    Lipschitz,
    NonNegative,
    Notation,
    Rowwise,
    Score,
    parameter,
)
from lossary.losses.segmentation.dice import mask


def steps(xp: Any, errors: Array, true: Array, false: Array) -> Array:
    """For each pixel of a row, by how much 1 − intersection over union grows when it turns wrong after all that are more
    wrong than itself; `true` is what pixels of the mask count, 0 for others, and `false` what these count.

    A true pixel leaves the union as it is, and takes itself from the intersection; a false one adds itself to the union.
    Nothing is subtracted from what it is close to, as two neighbouring shares would be.
    """
    order = xp.argsort(-errors)
    true, false = xp.gather(true, order), xp.gather(false, order)
    size = xp.row(xp.sum(true))
    right, union = size - xp.cumulative_sum(true), size + xp.cumulative_sum(false)
    before = union - false
    first = xp.where(false > 0.0, 1.0, 0.0 * false)  # beside an empty mask
    of_false = xp.where(before > 0.0, right * false / (union * xp.where(before > 0.0, before, 1.0)), first)
    return xp.gather(true / xp.where(union > 0.0, union, 1.0) + of_false, xp.inverse_permutation(order))


class LovaszHinge(Rowwise):
    """The convex surrogate of 1 less the intersection over union of two masks: pixels are sorted by how far they fall
    short of their margin, and each counts what it takes from the overlap when all before it are wrong."""

    axes: int = parameter(
        default=2,
        choices=(1, 2, 3),
        doc="how many trailing axes one mask has: 2 for images (…, H, W), 3 for volumes, 1 where they are flattened",
        foreign=("spatial_dims",),
        examples=(1,),
    )

    task = "segmentation"
    tried = False
    output_layer = "one linear unit for each pixel; the mask is where it is positive"
    choosing = "to fine-tune a model, trained by BinaryCrossEntropy or Dice, for the intersection over union itself"
    strengths = (
        "convex, and the tightest convex bound on what segmentation is judged by",
        "an outlier's pull is capped at 1, and few pixels count as much as many",
    )
    weaknesses = (
        "most pixels hardly pull: trained from scratch it is slow and unsteady",
        "scores are no probabilities; kink at margin 1, and where pixels tie",
        "an image costs a sort of its pixels",
    )
    no_twin = "neither PyTorch, Keras nor optax has it"
    sources = ("Yu & Blaschko 2015, arXiv:1512.07797", "Berman, Rannen Triki & Blaschko 2018, arXiv:1705.08790")
    foreign_names = ("LovaszHingeLoss", "LovaszLoss", "BinaryLovaszLoss")

    @property
    def prediction(self) -> Domain:
        return mask(self, Score(logit=False))

    @property
    def target(self) -> Domain:
        return mask(self, Indicator())

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), Lipschitz(1.0), NonNegative(), Kinked("margin 1, and where pixels are equally wrong")

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\sum_k \max(0, m_k) \left(\Delta_k - \Delta_{k-1}\right), \quad m = 1 - (2 y - 1) s",
            text="Σₖ max(0, mₖ) (Δₖ - Δₖ₋₁), mₖ = 1 - (2 yₖ - 1) sₖ in descending order\n"
            "Δₖ = 1 - |intersection| / |union| where the first k pixels are wrong",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        p, y = xp.flatten(p, self.axes), xp.flatten(y, self.axes)
        errors = 1 - (2 * y - 1) * p
        order = xp.argsort(-errors)
        errors, y = xp.gather(errors, order), xp.gather(y, order)
        union = xp.row(xp.sum(y)) + xp.cumulative_sum(1 - y)
        wrong = 1 - (xp.row(xp.sum(y)) - xp.cumulative_sum(y)) / xp.where(union > 0, union, 1)
        return xp.sum(xp.relu(errors) * (wrong - xp.shift(wrong, 1, 0.0)))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        p, y = xp.flatten(p, self.axes), xp.flatten(y, self.axes)
        short = 1.0 - (2.0 * y - 1.0) * p
        return xp.sum(xp.product(xp.stop_gradient(steps(xp, short, y, 1.0 - y)), xp.relu(short)))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        scores, true = xp.flatten(p, self.axes), xp.flatten(y, self.axes)
        sign = 2.0 * true - 1.0
        short = 1.0 - sign * scores
        pull = xp.where(short > 0.0, -sign * steps(xp, short, true, 1.0 - true), xp.where(short <= 0.0, 0.0, short))
        return xp.reshape_like(pull + xp.row(xp.sum(xp.where(xp.isnan(scores), scores, 0.0))), p)
