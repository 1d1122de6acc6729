from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Differentiable,
    EstimatesTransformed,
    Metric,
    NotConvex,
    Pointwise,
    Positive,
    Twin,
    ZeroAtTarget,
    link,
)


class MeanSquaredLogarithmicError(Pointwise):
    """The squared difference of log(1 + prediction) and log(1 + target): of large amounts it counts by which factor one
    is wrong, of those well below 1 by how much."""

    task = "regression"
    tried = False
    prediction = target = Positive(or_zero=True)
    output_layer = "one unit that ends in a number of at least 0, as softplus does"
    choosing = "for amounts over many magnitudes, 0 among them; squared error of log1p of the target trains better"
    strengths = (
        "an error of a tenth costs about the same on all large targets",
        "targets of 0 are legal, which have no logarithm",
    )
    weaknesses = (
        "what it estimates is below the mean, and totals of predictions come out too low",
        "not convex: where training ends depends on where it began",
        "the pull on a prediction that is far too high is next to nothing",
        "depends on the unit of the target: what 1 is beside it decides",
    )
    sources = (
        "scikit-learn's user guide, 3.4.4.6 Mean squared logarithmic error",
        "Kolmogorov 1930; Hardy, Littlewood & Pólya 1934, Inequalities, chapter 3 (means by a function)",
    )
    foreign_names = ("MSLE", "RMSLE", "SquaredLogError", "mean_squared_log_error")
    judged_by = (Metric("msle", "mean_squared_log_error"),)
    same_as = (
        Twin("keras.losses.MeanSquaredLogarithmicError()(target, prediction)"),
        Twin("sklearn.metrics.mean_squared_log_error(target, prediction)"),
        Twin("torchmetrics.functional.mean_squared_log_error(prediction, target)"),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        estimates = EstimatesTransformed("mean by log(1 + target)", link.log1p)
        return NotConvex(), Differentiable(), ZeroAtTarget(), estimates

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        difference = xp.log1p(p) - xp.log1p(y)
        return difference * difference

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        difference = self._difference(xp, p, y)
        return difference * difference

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        # An infinite prediction does not pull: its logarithm is nothing beside it.
        return 2.0 * xp.where(xp.isfinite(p), self._difference(xp, p, y), 0.0) / (1.0 + p)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        difference = self._difference(xp, p, y)
        return 2.0 * (1.0 - xp.where(xp.isfinite(p), difference, 0.0)) / (1.0 + p) / (1.0 + p)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (2.0 * self.value(xp, p, y),)  # a square is off by twice as much

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        square = 1.0 / (1.0 + p) / (1.0 + p)
        return 2.0 * square, 2.0 * self._difference(xp, p, y) * square

    def _difference(self, xp: Any, p: Array, y: Array) -> Array:
        """log(1 + p) − log(1 + y), by the logarithm of 1 and what is above it: next to 1 both logarithms have lost what
        they differ by."""
        above = p > y
        more, less = xp.where(above, p, y), xp.where(above, y, p)
        size = xp.log1p((more - less) / (1.0 + less))
        return xp.where(above, size, -size)
