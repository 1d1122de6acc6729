from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Balance,
    Batchwise,
    Claim,
    ClassIndex,
    Convex,
    Domain,
    Indicator,
    Kinked,
    Lipschitz,
    Logits,
    NonNegative,
    Notation,
    NotConvex,
    Row,
    ShiftInvariant,
    Simplex,
    Table,
    parameter,
)
from lossary.losses.segmentation.lovasz_hinge import steps


class LovaszSoftmax(Batchwise):
    """How far the pixels of a batch, as if they were one image, are from the intersections over unions of their classes'
    masks: in each class they are sorted by how wrong they are, and each counts what it takes from the overlap when all
    before it are wrong."""

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a softmax)"
    )
    one_hot: bool = parameter(
        default=False, doc="whether masks have a row of K zeros and ones for each pixel instead of a class index"
    )
    classes: str = parameter(
        default="present",
        choices=("present", "all"),
        doc="which classes the mean is over: those that some pixel of the batch has, or all",
        examples=("all",),
    )
    class_weight: Table = parameter(
        default=(),
        at_least=0,
        table=True,
        doc="how much each class counts in the mean; (0, 1, 1) leaves the background out, and () counts all alike",
        foreign=("weight", "class_weights"),
        choose=Balance(),
    )

    task = "segmentation"
    tried = False
    output_layer = "K linear units for each pixel (from_logits=True), or K units with a softmax (from_logits=False)"
    choosing = (
        "to fine-tune a model, trained by SparseCategoricalCrossEntropy or MulticlassDice, for the mean intersection over "
        "union; of one image at a time it is that image's"
    )
    strengths = (
        "of masks that are certain it is 1 less the mean intersection over union, by which segmentation is judged",
        "few pixels count as much as many, and no pixel's pull on its probabilities is above 1",
    )
    weaknesses = (
        "most pixels hardly pull: trained from scratch it is slow and unsteady",
        "depends on which images share a batch, so that batches and devices do not add up",
        "kink where pixels are equally wrong; a batch costs a sort of its pixels for each class",
    )
    no_twin = "neither PyTorch, Keras nor optax has it"
    sources = ("Berman, Rannen Triki & Blaschko 2018, arXiv:1705.08790",)
    foreign_names = ("LovaszSoftmaxLoss", "MulticlassLovasz", "MulticlassLovaszLoss")

    @property
    def prediction(self) -> Domain:
        return Logits() if self.from_logits else Simplex()

    @property
    def target(self) -> Domain:
        return Row(Indicator()) if self.one_hot else ClassIndex()

    @property
    def claims(self) -> tuple[Claim, ...]:
        kinked = Kinked("pixels that are equally wrong")
        if self.from_logits:
            return NotConvex(), Lipschitz(0.5), NonNegative(), kinked, ShiftInvariant()
        return Convex(), Lipschitz(1.0), NonNegative(), kinked

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\sum_k w_k \sum_i e_{ik} \left(\Delta_{ik} - \Delta_{i-1,k}\right), \quad e = |y - p|",
            text="Σₖ wₖ Σᵢ eᵢₖ (Δᵢₖ - Δᵢ₋₁ₖ), wₖ = class_weight / its sum\n"
            "eₖ = |yₖ - pₖ| of the pixels in descending order\n"
            "Δᵢₖ = 1 - |intersection| / |union| where the first i are wrong",
        )

    def formula(self, xp: Any, p: Array, y: Array, *, weight: Array) -> Array:
        share = xp.exp(p) / xp.row(xp.sum(xp.exp(p))) if self.from_logits else p
        true = self._of_class(xp, share, y)
        errors, true = xp.transpose(xp.abs(true - share)), xp.transpose(true)
        order = xp.argsort(-errors)
        count, is_true = xp.gather(0 * true + weight, order), xp.gather(true, order)
        size = xp.row(xp.sum(count * is_true))
        union = size + xp.cumulative_sum(count * (1 - is_true))
        right = size - xp.cumulative_sum(count * is_true)
        wrong = xp.where(union > 0, 1 - right / xp.where(union > 0, union, 1), 0)
        each = xp.sum(xp.gather(errors, order) * (wrong - xp.shift(wrong, 1, 0.0)))
        return xp.sum(self._share_of_mean(xp, p, true * weight) * each)

    def value(self, xp: Any, p: Array, y: Array, *, weight: Array) -> Array:
        _, _, errors, true, false = self._masks(xp, p, y, weight)
        return xp.sum(self._share_of_mean(xp, p, true) * xp.sum(xp.product(steps(xp, errors, true, false), errors)))

    def gradient(self, xp: Any, p: Array, y: Array, *, weight: Array) -> Array:
        share, complement, errors, true, false = self._masks(xp, p, y, weight)
        size = xp.row(self._share_of_mean(xp, p, true)) * steps(xp, errors, true, false)
        size = xp.transpose(size + 0.0 * xp.row(xp.sum(errors)))  # NaN goes through
        by_share = xp.where(self._of_class(xp, share, y) > 0.5, -size, size)
        return xp.softmax_tangent(share, complement, by_share) if self.from_logits else by_share

    def denominator(self, xp: Any, p: Array, y: Array, *, weight: Array) -> Array:
        """One loss for the whole batch; none where nothing counts."""
        return xp.where(xp.sum(weight) > 0.0, 1.0, 0.0 * xp.sum(weight))

    def _of_class(self, xp: Any, share: Array, y: Array) -> Array:
        """1 where a pixel is of the class, else 0: (N, K)."""
        return y if self.one_hot else xp.where(xp.is_class(y, share), 1.0, 0.0 * share)

    def _masks(self, xp: Any, p: Array, y: Array, weight: Array) -> tuple[Array, ...]:
        """How likely each pixel is of each class and how likely not, (N, K); and (K, N), how wrong that is, and what
        each pixel counts for the mask and beside it."""
        share, complement = xp.softmax_and_complement(p) if self.from_logits else (p, 1.0 - p)
        true = self._of_class(xp, share, y)
        errors = xp.where(true > 0.5, complement, share)
        counts = xp.row(weight)
        return share, complement, *(xp.transpose(x) for x in (errors, counts * true, counts * (1.0 - true)))

    def _share_of_mean(self, xp: Any, like: Array, true: Array) -> Array:
        """What each class has of the mean over them: (K,)."""
        counts = xp.table(self.class_weight, like) if len(self.class_weight) else 1.0
        if self.classes == "present":
            counts = counts * xp.where(xp.sum(true) > 0.0, 1.0, 0.0 * xp.sum(true))
        else:
            counts = counts + 0.0 * xp.sum(true)
        return xp.quotient(counts, xp.sum(counts))
