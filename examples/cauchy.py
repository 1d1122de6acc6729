"""A loss of one's own, written once for every framework.

Cauchy's loss: an outlier pulls less the further out it is, so that gross errors are all but ignored. Import it where it
is needed; everything that lossary's own losses can do, it can do too.
"""

from __future__ import annotations

from typing import Any

from lossary import Pointwise
from lossary.define import Claim, Lipschitz, NotConvex, Real, Smooth, Symmetric, ZeroAtTarget, parameter


class Cauchy(Pointwise):
    """Squared error for small residuals, and hardly more than the logarithm of large ones."""

    scale: float = parameter(default=1.0, above=0, symbol="c", doc="residual size from which the pull declines")

    task = "regression"
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "scale about 2.4 × the robust spread of the residuals"
    strengths = ("gross errors are all but ignored",)
    weaknesses = ("not convex: where training starts matters",)
    sources = ("Black & Anandan 1996, doi:10.1006/cviu.1996.0006",)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return NotConvex(), Smooth(1.0), Lipschitz(self.scale / 2), Symmetric(), ZeroAtTarget()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        ratio = (p - y) / self.scale
        return 0.5 * self.scale * self.scale * xp.log1p(ratio * ratio)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        ratio = (p - y) / self.scale
        return (p - y) / (1.0 + ratio * ratio)

    def curvature(self, xp: Any, p: Any, y: Any) -> Any:
        ratio = (p - y) / self.scale
        square = ratio * ratio
        return (1.0 - square) / ((1.0 + square) * (1.0 + square))
