from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Batchwise,
    Claim,
    Convex,
    Group,
    Lipschitz,
    NonNegative,
    Notation,
    Real,
    ShiftInvariant,
    Smooth,
    Twin,
)
from lossary.losses.survival.cox_partial_likelihood import nan_of

_MASK = "((target.ravel()[:, None] > target.ravel()) & (group.ravel()[:, None] == group.ravel()))"


class PairwiseLogistic(Batchwise):
    """The cross-entropy of telling, of each two entries of a list, which is the more relevant one, by their scores:
    RankNet's loss.

    Prediction, target and group are (N,): the score of each entry, how relevant it is, and the number of the list that
    it is in. Lists may be of any length; two entries of one list that are equally relevant are no pair. The mean is for
    each pair; a batch without pairs costs 0. A weight counts an entry as often, and a pair as often as its two weights
    multiplied.
    """

    everyday = True
    task = "ranking"
    prediction, target, group = Real(), Real(), Group()
    output_layer = "one linear unit, without a bias: a constant changes nothing"
    choosing = "where only the order within each list counts, as of search results; a list must be in one batch"
    strengths = (
        "learns from which of two is better, so that relevance needs an order and no scale",
        "lists of any length, and as many as fit in a batch, without padding",
    )
    weaknesses = (
        "a swap at the end of a list counts as much as one at its top",
        "long lists outweigh short ones, for they have more pairs; memory grows with the square of the batch",
    )
    sources = ("Burges et al. 2005, doi:10.1145/1102351.1102363",)
    foreign_names = ("RankNet", "RankNetLoss", "PairwiseLogisticLoss", "rank:pairwise", "BayesianPersonalizedRanking")
    same_as = (
        Twin(
            "torch.nn.functional.softplus(prediction.ravel() - prediction.ravel()[:, None])"
            f"[{_MASK}].sum() / {_MASK}.sum().clamp(min=1)"
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        # Each pair is a softmax of two.
        return Convex(), Smooth(0.5), Lipschitz(2**0.5), NonNegative(), ShiftInvariant()

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\sum_{(i, j): \, y_i > y_j} \log\left(1 + e^{\hat{y}_j - \hat{y}_i}\right)",
            text="Σ log(1 + exp(ŷⱼ - ŷᵢ)) over pairs (i, j) of a list with yᵢ > yⱼ",
        )

    def formula(self, xp: Any, p: Array, y: Array, *, group: Array, weight: Array) -> Array:
        cost = xp.log(1 + xp.exp(p - xp.row(p)))
        return xp.sum(xp.sum(xp.where(self._is_pair(xp, y, group), xp.row(weight) * weight * cost, 0)))

    def value(self, xp: Any, p: Array, y: Array, *, group: Array, weight: Array) -> Array:
        behind, lost = xp.difference_in_parts(p, xp.row(p))
        cost = xp.softplus(behind) + lost * xp.sigmoid(behind)
        return xp.sum(xp.sum(self._weighed(xp, cost, y, group, weight))) + nan_of(xp, p, y, group, weight)

    def gradient(self, xp: Any, p: Array, y: Array, *, group: Array, weight: Array) -> Array:
        behind, lost = xp.difference_in_parts(p, xp.row(p))
        chance = xp.sigmoid(behind)
        pull = self._weighed(xp, chance + lost * (chance * xp.sigmoid(-behind)), y, group, weight)
        return xp.sum(xp.transpose(pull)) - xp.sum(pull) + xp.row(nan_of(xp, p, y, group, weight))

    def denominator(self, xp: Any, p: Array, y: Array, *, group: Array, weight: Array) -> Array:
        return xp.sum(xp.sum(self._weighed(xp, 1.0 + 0.0 * (xp.row(weight) * weight), y, group, weight)))

    def _weighed(self, xp: Any, x: Array, y: Array, group: Array, weight: Array) -> Array:
        """What belongs to pairs, as often as they count; else 0."""
        weight = xp.row(weight) * weight
        counts = xp.logical_and(self._is_pair(xp, y, group), weight > 0.0)
        return xp.where(counts, weight * x, 0.0)

    def _is_pair(self, xp: Any, y: Array, group: Array) -> Array:
        """(N, N): whether the row's entry is the more relevant one of a list."""
        return xp.logical_and(xp.row(y) > y, xp.equal(group, xp.row(group)))
