from __future__ import annotations

from typing import Any

from lossary.define import Array, Penalty, parameter


class ElasticNet(Penalty):
    """ratio · Σ|w| + (1 − ratio) · Σw²: sparse as L1, and as steady as L2 where columns say the same."""

    ratio: float = parameter(default=0.5, at_least=0, at_most=1, doc="the share of L1", foreign=("l1_ratio", "alpha"))
    strength: float = parameter(default=1.0, at_least=0, doc="factor of the sum", foreign=("lambda_", "weight"))
    biases: bool = parameter(default=True, doc="whether arrays of fewer than two axes count")

    strengths = ("keeps groups of columns that say the same, and drops the rest",)
    weaknesses = ("two numbers to choose",)
    sources = ("Zou & Hastie 2005, doi:10.1111/j.1467-9868.2005.00503.x",)

    def value(self, xp: Any, w: Array) -> Array:
        return self.strength * (self.ratio * xp.abs(w) + (1.0 - self.ratio) * w * w)
