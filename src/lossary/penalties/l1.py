from __future__ import annotations

from typing import Any

from lossary.define import Array, Penalty, parameter


class L1(Penalty):
    """Σ|w|: pushes parameters to exactly 0, so that few remain."""

    strength: float = parameter(
        default=1.0, at_least=0, doc="factor of the sum", foreign=("l1", "alpha", "lambda_", "weight")
    )
    biases: bool = parameter(default=True, doc="whether arrays of fewer than two axes count")

    strengths = ("sparse models: what does not help becomes 0",)
    weaknesses = ("of several columns that say the same, it keeps one at random",)
    sources = ("Tibshirani 1996, doi:10.1111/j.2517-6161.1996.tb02080.x",)

    def value(self, xp: Any, w: Array) -> Array:
        return self.strength * xp.abs(w)
