from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Domain,
    Labels,
    Lipschitz,
    NonNegative,
    NotConvex,
    Pointwise,
    Probability,
    Proper,
    Score,
    Smooth,
    StronglyConvex,
    Twin,
    parameter,
)

# The most that `of_margin` bends: where the share of the wrong label is (15 − √33) / 24.
_SHARE = (15.0 - 33.0**0.5) / 24.0
BEND = _SHARE * _SHARE * (1.0 - _SHARE) * (4.0 - 6.0 * _SHARE)
STEEPEST = 8.0 / 27.0


def of_margin(xp: Any, margin: Array) -> Array:
    """The square of what a logit gives to the wrong label: sigmoid(−margin)²."""
    # One exponential, not the square of one, which would be twice as far off.
    share = xp.exp(xp.where(margin >= 0.0, -2.0 * margin, 0.0 * xp.clip(margin, -1.0, 1.0)))
    total, lost = _total(xp, margin)
    return share / (total * total) * (1.0 - 2.0 * lost)


def slope_of_margin(xp: Any, margin: Array) -> Array:
    """Minus the derivative of that: 2 · sigmoid(−margin)² · sigmoid(margin)."""
    shares = 2.0 * xp.exp(xp.where(margin >= 0.0, -2.0 * margin, margin))
    total, lost = _total(xp, margin)
    return shares / (total * total * total) * (1.0 - 3.0 * lost)


def terms_of_bend(xp: Any, margin: Array) -> tuple[Array, ...]:
    """What the second derivative is rounded as: a sum of terms of both signs."""
    return (xp.abs(slope_of_margin(xp, margin)) * (2.0 - xp.sqrt(of_margin(xp, margin))),)


def bend_of_margin(xp: Any, margin: Array) -> Array:
    """The second derivative of it."""
    return slope_of_margin(xp, margin) * (2.0 * xp.sigmoid(margin) - xp.sigmoid(-margin))


def _total(xp: Any, margin: Array) -> tuple[Array, Array]:
    """1 + exp(−|margin|), and what rounding it has lost, as a share of it."""
    small = xp.exp(xp.where(margin >= 0.0, -margin, margin))
    total = 1.0 + small
    return total, (small - (total - 1.0)) / total


class Brier(Pointwise):
    """The square of the distance from the predicted probability to what happened, 0 or 1: the score of forecasts."""

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a sigmoid)"
    )

    task = "binary"
    tried = False
    target = Labels((0.0, 1.0))
    output_layer = "one linear unit (from_logits=True), or one with a sigmoid (from_logits=False)"
    choosing = "to judge forecasts, where a confident mistake must not cost infinity; to train, take BinaryCrossEntropy"
    strengths = (
        "proper: the best prediction is the true probability",
        "bounded by 1: no single forecast decides the mean",
    )
    weaknesses = (
        "what is confidently wrong hardly pulls on its logit",
        "rare events: next to nothing tells a probability of 0.001 from one of 0.0001",
    )
    sources = ("Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",)
    foreign_names = ("BrierScore", "BrierLoss", "brier_score_loss", "QuadraticScore")
    same_as = (
        Twin(
            "torch.nn.MSELoss(reduction='none')(torch.sigmoid(prediction), target)",
            when={"from_logits": True},
        ),
        Twin("torch.nn.MSELoss(reduction='none')(prediction, target)", when={"from_logits": False}),
        Twin("sklearn.metrics.brier_score_loss(target, prediction, pos_label=1)", when={"from_logits": False}),
    )

    @property
    def prediction(self) -> Domain:
        return Score() if self.from_logits else Probability()

    @property
    def claims(self) -> tuple[Claim, ...]:
        sides = NonNegative(), Proper(), ClassificationCalibrated()
        if not self.from_logits:
            return StronglyConvex(2.0), Smooth(2.0), Lipschitz(2.0), *sides
        return NotConvex(), Smooth(BEND), Lipschitz(STEEPEST), *sides

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        p = 1 / (1 + xp.exp(-p)) if self.from_logits else p
        return (p - y) * (p - y)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        if self.from_logits:
            return of_margin(xp, self.target.signs(y) * p)
        wrong = self._wrong(xp, p, y)
        return wrong * wrong

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        if self.from_logits:
            return -sign * slope_of_margin(xp, sign * p)
        return -2.0 * sign * self._wrong(xp, p, y)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        if self.from_logits:
            return bend_of_margin(xp, self.target.signs(y) * p)
        return 2.0 + 0.0 * p

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return terms_of_bend(xp, self.target.signs(y) * p) if self.from_logits else ()

    def _wrong(self, xp: Any, p: Array, y: Array) -> Array:
        """The probability of what did not happen; NaN where a label is."""
        return xp.where(xp.equal(y, 1.0), 1.0 - p, p + 0.0 * y)
