from __future__ import annotations

from typing import Any

from lossary.define import Array, Penalty, parameter


class L2(Penalty):
    """Σw², without a factor of one half: keeps parameters small, and shares the work among them."""

    strength: float = parameter(
        default=1.0, at_least=0, doc="factor of the sum", foreign=("l2", "alpha", "lambda_", "weight")
    )
    biases: bool = parameter(default=True, doc="whether arrays of fewer than two axes count")

    strengths = ("steadies models whose columns say the same",)
    weaknesses = ("nothing becomes exactly 0",)
    sources = ("Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634",)

    def value(self, xp: Any, w: Array) -> Array:
        return self.strength * w * w
