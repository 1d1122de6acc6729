from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Departure,
    Differentiable,
    Domain,
    Estimates,
    Metric,
    Pointwise,
    Positive,
    Real,
    StrictlyConvex,
    Twin,
    UnboundedGradient,
    parameter,
)


class Poisson(Pointwise):
    """The negative log-likelihood of a count under a Poisson law, of which the prediction is the mean or its logarithm.

    The constant log y! is left out, so that the least cost is not 0. Targets are any numbers of at least 0, not counts
    alone.
    """

    from_log: bool = parameter(
        default=True, doc="whether predictions are logarithms of means (no activation) or means (of at least 0)"
    )

    task = "regression"
    everyday = True
    target = Positive(or_zero=True)
    output_layer = "one linear unit (from_log=True), or one that ends in a positive number (from_log=False)"
    choosing = (
        "for counts and rates, whose mean is wanted and whose spread grows with it; exposure belongs into weight="
    )
    strengths = (
        "estimates the mean, whatever the law of the targets is on 0 and above",
        "a model of logarithms cannot predict a count below 0, and its effects multiply",
    )
    weaknesses = (
        "the gradient grows with the predicted mean without bound",
        "weighs targets as if their variance were their mean: a few large counts rule where they are more spread out",
        "takes logarithms unless told otherwise: in the place of keras.losses.Poisson, which takes means, say from_log=False",
    )
    sources = ("Nelder & Wedderburn 1972, doi:10.2307/2344614",)
    foreign_names = ("PoissonNLLLoss", "PoissonNLL", "HalfPoissonLoss", "PoissonDeviance")
    judged_by = (Metric("poisson_deviance", "mean_poisson_deviance"),)
    same_as = (
        Twin("torch.nn.PoissonNLLLoss(reduction='none')(prediction, target)", when={"from_log": True}),
        Twin(
            "torch.nn.PoissonNLLLoss(log_input=False, reduction='none')(prediction, target)",
            when={"from_log": False},
            departs=Departure("adds 1e-8 to the mean inside the logarithm", [0.0], [1.0], 18.420681),
        ),
        Twin(
            "keras.losses.Poisson()(target, prediction)",
            when={"from_log": False},
            departs=Departure("adds 1e-7 to the mean inside the logarithm", [0.0], [1.0], 16.118095),
        ),
        Twin("sklearn._loss.loss.HalfPoissonLoss().loss(target, prediction)", when={"from_log": True}),
    )

    @property
    def prediction(self) -> Domain:
        return Real(logarithms=True) if self.from_log else Positive(or_zero=True)

    @property
    def claims(self) -> tuple[Claim, ...]:
        # Of a count of 0 the cost is the mean itself, which is straight.
        curve = StrictlyConvex() if self.from_log else Convex()
        return curve, Differentiable(), Estimates("mean"), UnboundedGradient()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.exp(p) - xp.product(y, p) if self.from_log else p - xp.product(y, xp.log(p))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        if self.from_log:
            # Beyond 1000 the mean is infinite whatever is taken off, which may be infinite too.
            return self._mean_less(xp, p, y, xp.minimum(p, 1000.0))
        return xp.where(xp.isfinite(p), p - xp.product(y, xp.log(p)), p)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        if self.from_log:
            return self._mean_less(xp, p, y, xp.where(xp.isnan(p), p, 1.0))
        # Near each other their difference is exact.
        near = xp.logical_and(p < 2.0 * y, y < 2.0 * p)
        return xp.where(near, p - y, 1.0 - xp.quotient(y, p)) / xp.where(near, p, 1.0)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.exp(p) if self.from_log else xp.quotient(xp.quotient(y, p), p)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # What the mean costs beside a target of 0, and what the target does.
        alone = self.value(xp, p, 0.0 * y)
        return alone, self.value(xp, p, y) - alone

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        if not self.from_log:
            return ()
        alone = self.gradient(xp, p, 0.0 * y)
        return alone, self.gradient(xp, p, y) - alone

    def _mean_less(self, xp: Any, p: Array, y: Array, x: Array) -> Array:
        """exp(p) − y · x. Where one of the two may overflow and the difference may not, both are divided by e⁸, which
        is taken off a logarithm of this size without a rounding."""
        large = p > 64.0
        share = xp.where(large, math.exp(-8.0) * y, y)
        less = xp.exp(xp.where(large, p - 8.0, p)) - xp.product(share, x)
        return xp.where(large, math.exp(8.0) * less, less)
