from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    EstimatesLaw,
    Kinked,
    Lipschitz,
    NonNegative,
    Notation,
    NotConvex,
    Real,
    Row,
    Rowwise,
    Twin,
    ZeroAtTarget,
    parameter,
)


class CRPSEnsemble(Rowwise):
    """The continuous ranked probability score of an ensemble: how far its draws are from the target in the mean, less
    half of how far they are from each other.

    The prediction is a row of M draws from the predicted law, in any order.
    """

    fair: bool = parameter(
        default=False,
        doc="whether draws are compared with the M − 1 others, which is right for draws at random, or with all M, which "
        "is right for numbers that are themselves the law",
    )

    everyday = True
    task = "regression"
    prediction = Row(Real())
    target = Real()
    output_layer = "M linear units, one for each draw; or M passes of a model that has chance in it"
    choosing = (
        "fair=True where draws are made at random, as by noise or dropout; fair=False where M units are the law itself"
    )
    strengths = (
        "estimates the whole law of the targets, of whatever kind it is",
        "in the target's own units: of a single draw it is the absolute error",
    )
    weaknesses = (
        "kink at the target, and where draws are equal; no curvature to learn from",
        "not convex: draws may change places",
        "with fair=True the outermost draws are free beyond the target, and two draws cost nothing wherever they enclose it",
    )
    sources = (
        "Gneiting & Raftery 2007, doi:10.1198/016214506000001437",
        "Ferro 2014, doi:10.1002/qj.2270",
    )
    foreign_names = (
        "CRPS",
        "crps_ensemble",
        "ContinuousRankedProbabilityScore",
        "continuous_ranked_probability_score",
        "FairCRPS",
        "EnsembleCRPS",
    )
    same_as = (
        Twin("scoringrules.crps_ensemble(target, prediction, estimator='fair' if fair else 'nrg')"),
        Twin("torchmetrics.regression.ContinuousRankedProbabilityScore()(prediction, target)"),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        # A single draw pulls hardest, with 1; so do two, of the fair score.
        shape = NotConvex(), Kinked("the target, and where draws are equal"), Lipschitz(1.0)
        return *shape, NonNegative() if self.fair else ZeroAtTarget(), EstimatesLaw(draws=self.fair)

    @property
    def notation(self) -> Notation:
        latex, text = (r"M (M - 1)", "M(M - 1)") if self.fair else ("M^2", "M²")
        return Notation(
            latex=rf"\frac{{1}}{{M}} \sum_i |\hat{{y}}_i - y| - \frac{{1}}{{2 {latex}}} \sum_{{i, j}} |\hat{{y}}_i - \hat{{y}}_j|",
            text=f"Σᵢ |ŷᵢ - y| / M - Σᵢⱼ |ŷᵢ - ŷⱼ| / (2 {text})",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        count, others = self._counts(xp, p)
        apart = xp.sum(xp.sum(xp.abs(xp.row(p) - xp.transpose(xp.row(p)))))
        return xp.sum(xp.abs(p - xp.row(y))) / count - apart / (2 * count * others)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        # Each draw by itself costs what the quantile of its rank does, so that nothing cancels.
        slope = self.gradient(xp, p, y)
        return xp.sum(xp.where(xp.equal(slope, 0.0), 0.0, xp.scaled_difference(slope, p, xp.row(y))))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        (count, others), rank, target = self._counts(xp, p), self._rank(xp, p), xp.row(y)
        # What is neither above nor below is equal (0) or NaN, and both are the difference.
        pull = xp.where(p > target, others - rank, xp.where(p < target, -others - rank, p - target))
        return pull / (count * others) + xp.row(xp.sum(xp.where(xp.isnan(p), p, 0.0)))

    def _counts(self, xp: Any, p: Array) -> tuple[Array, Array]:
        """How many draws there are, and with how many each is compared."""
        count = xp.classes(p)
        if not self.fair:
            return count, count
        return count, max(count - 1, 1) if isinstance(count, int) else xp.maximum(count - 1.0, 1.0)

    def _rank(self, xp: Any, p: Array) -> Array:
        """For each draw, how many others are below it less how many are above."""
        order = xp.argsort(p)
        ordered = xp.gather(p, order)
        starts = xp.logical_not(xp.equal(ordered, xp.shift(ordered, 1, math.nan)))
        ones = xp.where(xp.isnan(ordered), ordered, 1.0)
        alike, place = xp.run_sum(ones, starts), xp.cumulative_sum(ones) - 1.0
        below = xp.run_sum(xp.where(starts, place, 0.0), starts)
        return xp.gather(2.0 * below + alike, xp.inverse_permutation(order)) - xp.classes(p)
