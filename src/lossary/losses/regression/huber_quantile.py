from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    EstimatesHuberQuantile,
    Identity,
    Lipschitz,
    NotSymmetricInArguments,
    Pointwise,
    Real,
    Smooth,
    Symmetric,
    Twin,
    ZeroAtTarget,
    parameter,
)


class HuberQuantile(Pointwise):
    """The pinball loss whose kink is rounded off: Huber's loss divided by δ, where too low costs `level` of it and too
    high 1 − `level`. It lies between a quantile, for a small δ, and an expectile, for a large one."""

    level: float = parameter(
        default=0.5,
        above=0,
        below=1,
        symbol="τ",
        doc="the quantile that it tends to for a small delta: at 0.9 too low costs nine times what too high does",
        foreign=("tau", "q", "quantile", "alpha", "p"),
        examples=(0.1, 0.9),
    )
    delta: float = parameter(
        default=1.0,
        above=0,
        symbol="δ",
        doc="residual size below which the line is rounded to a parabola, in the target's units",
        foreign=("kappa", "beta", "threshold", "k"),
        examples=(0.25, 24.5),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit for each level"
    choosing = "level as for Quantile; delta where errors are too small to matter, well below the spread of the targets"
    strengths = (
        "an outlier's pull is capped at the larger of level and 1 − level",
        "smooth at 0, where the pinball loss has its kink",
    )
    weaknesses = (
        "what it estimates is no quantile, but for a delta that is next to nothing",
        "δ is on the target's scale, and has to follow where that changes",
    )
    identities = (Identity("SmoothL1(delta)", "0.5", when={"level": 0.5}),)
    no_twin = "no library here has other levels than 0.5"
    sources = ("Dabney, Rowland, Bellemare & Munos 2018, arXiv:1710.10044",)
    foreign_names = ("HuberQLoss", "HuberPinballLoss", "QuantileHuberLoss", "HuberQuantileLoss")
    same_as = (Twin("torch.nn.SmoothL1Loss(reduction='none', beta=delta)(prediction, target)", factor=0.5),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        symmetric = Symmetric() if self.level == 0.5 else NotSymmetricInArguments()
        steepest = max(self.level, 1.0 - self.level)
        estimates = EstimatesHuberQuantile(self.level, self.delta)
        return Convex(), Smooth(steepest / self.delta), Lipschitz(steepest), symmetric, ZeroAtTarget(), estimates

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        size = xp.abs(p - y)
        small = xp.minimum(size, self.delta)
        rounded = small / self.delta * (size - small / 2)
        return xp.where(p < y, self.level * rounded, (1 - self.level) * rounded)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        r, small = p - y, xp.clip(p - y, -self.delta, self.delta)
        near = self._weighted(xp, r, (0.5 * small) * (small / self.delta))
        # By half of it, which does not overflow. At δ itself the line: `small` has half of its derivative there.
        line = self._weighted(xp, r, xp.abs(0.5 * p - 0.5 * y) - 0.25 * self.delta)
        return xp.where(xp.abs(r) < self.delta, near, 2.0 * line)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return self._weighted(xp, p - y, xp.clip(p - y, -self.delta, self.delta) / self.delta)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        bent = xp.where(xp.abs(r) <= self.delta, 1.0 / self.delta + 0.0 * r, 0.0 * xp.clip(r, -1.0, 1.0))
        return self._weighted(xp, r, bent)

    def _weighted(self, xp: Any, r: Array, x: Array) -> Array:
        """x times what the side counts for on which r is."""
        return xp.where(r > 0.0, (1.0 - self.level) * x, self.level * x)
