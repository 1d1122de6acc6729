from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Departure,
    EstimatesCentre,
    Lipschitz,
    Pointwise,
    Real,
    Smooth,
    StrictlyConvex,
    Symmetric,
    Twin,
    ZeroAtTarget,
)


class LogCosh(Pointwise):
    """The logarithm of the residual's hyperbolic cosine: half its square near 0, its size less log 2 far out."""

    task = "regression"
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "when Huber is wanted with a curvature everywhere; standardise the target first, for there is no scale"
    strengths = (
        "an outlier's pull is capped at 1",
        "smooth everywhere: second-order optimisers may use it",
    )
    weaknesses = (
        "of skewed targets it estimates neither the mean nor the median",
        "no parameter for the scale: residuals are large or small compared with 1",
    )
    sources = ("Saleh & Saleh 2022, arXiv:2208.04564",)
    foreign_names = ("LogCoshLoss", "logcosh", "LogCoshError")
    same_as = (
        Twin("keras.losses.LogCosh()(target, prediction)"),
        Twin("optax.log_cosh(prediction, target)"),
        Twin(
            "torchmetrics.functional.log_cosh_error(prediction.flatten(), target.flatten())",
            departs=Departure("overflows where the exponential of the residual does", [100.0], [0.0], float("inf")),
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return StrictlyConvex(), Smooth(1.0), Lipschitz(1.0), Symmetric(), ZeroAtTarget(), EstimatesCentre()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.log((xp.exp(p - y) + xp.exp(y - p)) / 2)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.log_cosh(p - y)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.tanh(p - y)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        # sech²; 1 − tanh² has no digits left far out.
        small = xp.exp(-2.0 * xp.abs(p - y))
        return 4.0 * small / ((1.0 + small) * (1.0 + small))

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # It falls like exp(−2 |r|), and r is rounded before all else.
        bend = self.curvature(xp, p, y)
        return bend, 2.0 * xp.abs(p - y) * bend
