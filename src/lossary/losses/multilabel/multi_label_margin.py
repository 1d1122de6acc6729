from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Indicator,
    Kinked,
    NonNegative,
    Notation,
    Real,
    Row,
    Rowwise,
    ShiftInvariant,
    Twin,
)
from lossary.losses.survival.cox_partial_likelihood import nan_of


class MultiLabelMargin(Rowwise):
    """How far each label that holds falls short of leading each that does not by 1, summed over all such pairs of a row
    and divided by the number of all labels.

    Targets are rows of 0 and 1, one for each label; PyTorch's are the indices of those that hold, and -1 behind them. A
    row of which all labels hold, or none, costs 0.
    """

    task = "multilabel"
    prediction, target = Row(Real()), Row(Indicator())
    output_layer = "one linear unit for each label; the larger, the sooner it holds"
    choosing = "where labels are to be ranked and their probabilities do not matter; else MultiLabelSoftMargin"
    strengths = (
        "compares the labels of a row with each other: those that hold are to lead",
        "rows in which they lead by 1 cost nothing",
    )
    weaknesses = (
        "not right for the ranking, even on endless data: other orders may cost less than the best one",
        "scores have no threshold: which labels are said to hold must be decided otherwise",
        "time and memory grow with the square of the number of labels",
    )
    sources = (
        "Elisseeff & Weston 2001, Advances in Neural Information Processing Systems 14",
        "Gao & Zhou 2011, Conference on Learning Theory (not consistent)",
    )
    foreign_names = ("MultiLabelMarginLoss", "MultilabelMargin", "MultilabelHinge", "RankSVM")
    same_as = (
        Twin(
            "torch.nn.MultiLabelMarginLoss(reduction='none')(prediction, "
            "torch.where(target > 0, torch.arange(target.shape[-1]), -1).sort(descending=True).values)"
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), NonNegative(), ShiftInvariant(), Kinked("the margin")

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\frac{1}{K} \sum_{j: \, y_j = 1} \sum_{i: \, y_i = 0} \max\left(0, 1 - (s_j - s_i)\right)",
            text="Σ max(0, 1 - (sⱼ - sᵢ)) / K over pairs (j, i) with yⱼ = 1 and yᵢ = 0",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        short = xp.relu(1 + xp.row(p) - xp.transpose(xp.row(p)))
        return xp.sum(xp.sum(xp.where(self._is_pair(xp, y), short, 0))) / xp.classes(p)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        # Each pair is divided: their sum may overflow, and so may what is short of one.
        short, share = self._short(xp, p, y), 1.0 / xp.classes(p)
        apart = xp.scaled_difference(share, xp.row(p), xp.transpose(xp.row(p)))
        short = xp.where(xp.equal(xp.abs(short), math.inf), apart, share * short)
        return xp.sum(xp.sum(xp.relu(short))) + nan_of(xp, p, y)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        pull = xp.where(self._short(xp, p, y) > 0.0, 1.0 / xp.classes(p) + 0.0 * xp.row(y), 0.0)
        # NaN anywhere in a row is NaN in all of it.
        return xp.sum(pull) - xp.sum(xp.transpose(pull)) + xp.row(nan_of(xp, p, y))

    def _short(self, xp: Any, p: Array, y: Array) -> Array:
        """(K, K): how far the row's label, which does not hold, is from being led by the column's, which does."""
        short = xp.shifted_difference(1.0, xp.row(p), xp.transpose(xp.row(p)))
        return xp.where(self._is_pair(xp, y), short, 0.0)

    def _is_pair(self, xp: Any, y: Array) -> Array:
        held = xp.row(y) > 0.5
        return xp.logical_and(xp.logical_not(held), xp.transpose(held))
