"""Claims about the shape of a loss: convex, symmetric, never negative, 0 at the target."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, final

from lossary.define.claims.claim import Claim, first_of, if_alone, includes
from lossary.define.probe import Probe


@final
@dataclasses.dataclass(frozen=True)
class Convex(Claim):
    name = "convex"

    def refute(self, probe: Probe) -> str | None:
        return _midpoint_above_chord(probe, strong=0.0)


@final
@dataclasses.dataclass(frozen=True)
class StrictlyConvex(Claim):
    name = "strictly convex"

    @property
    def implies(self) -> tuple[Claim, ...]:
        return (Convex(),)

    def refute(self, probe: Probe) -> str | None:
        np = probe.np
        first, second, target = probe.segments()
        if not probe.rows:
            # Short chords near the target or the threshold: further out float64 cannot tell a curve from its chord.
            centre = target if probe.is_regression else probe.loss.prediction.threshold or 0.0
            first = np.clip(first, centre - 4.0, centre + 4.0)
            length = probe.generator.uniform(0.1, 0.5, size=first.shape)
            second = first + np.clip(second - first, -length, length)
        low, middle, high = _along(probe, first, second, target)
        apart = probe.distance(first, second) > 0.05
        flat = ~(middle < 0.5 * low + 0.5 * high) & np.isfinite(low) & np.isfinite(high) & apart
        return probe.first(flat, between=first, and_=second, target=target) or _midpoint_above_chord(probe, 0.0)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        strict = any(includes(StrictlyConvex, each) for each in others)
        return self if strict and all(includes(Convex, each) for each in others) else None


@final
@dataclasses.dataclass(frozen=True)
class StronglyConvex(Claim):
    """f(y) ≥ f(x) + ∇f(x)·(y − x) + modulus/2 · |y − x|²."""

    modulus: float
    name = "strongly convex"

    def __str__(self) -> str:
        return f"strongly convex with modulus {self.modulus:g}"

    @property
    def implies(self) -> tuple[Claim, ...]:
        return (StrictlyConvex(),)

    def refute(self, probe: Probe) -> str | None:
        return _midpoint_above_chord(probe, strong=self.modulus)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        if not all(includes(Convex, each) for each in others):
            return None
        moduli = (getattr(first_of(StronglyConvex, each), "modulus", 0.0) for each in others)
        return StronglyConvex(sum(factor * modulus for factor, modulus in zip(factors, moduli, strict=True)))


@final
@dataclasses.dataclass(frozen=True)
class NotConvex(Claim):
    """There is a chord that the curve rises above; refuted when none is found."""

    name = "not convex"

    def refute(self, probe: Probe) -> str | None:
        return None if _midpoint_above_chord(probe, strong=0.0) else "no chord was found that the curve rises above"

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        return if_alone(self, others)  # a convex loss, or even another that is not, may mend the curve


@final
@dataclasses.dataclass(frozen=True)
class Symmetric(Claim):
    """ℓ(y + r, y) = ℓ(y − r, y)."""

    name = "symmetric"

    def refute(self, probe: Probe) -> str | None:
        if not probe.is_regression or probe.rows:
            return "its prediction and its target have no difference"
        np, domain = probe.np, probe.loss.prediction
        residual, target, rounded = probe.prediction(), np.zeros(probe.shape), 0.0
        if not (domain.unbounded and probe.loss.target.takes_all):
            target, rounded = probe.legal(probe.target(), residual), 1e-9
            room = np.minimum(target - domain.low, domain.high - target)
            residual = np.minimum(np.abs(residual - target), 0.99 * room)
        above, below = probe.values(target + residual, target), probe.values(target - residual, target)
        with np.errstate(invalid="ignore"):  # both may be infinite
            unequal = (above != below) & ~(np.abs(above - below) <= rounded * (1.0 + np.abs(above)))
        return probe.first(unequal, residual=residual, target=target)


@final
@dataclasses.dataclass(frozen=True)
class NonNegative(Claim):
    name = "never negative"

    def refute(self, probe: Probe) -> str | None:
        prediction, target = probe.prediction(), probe.target()
        least: Any = 0.0
        if probe.rows_of_classes:
            close = 10.0 ** probe.generator.uniform(-9.0, 0.0, size=(len(target), 1))
            mixed = (1.0 - close) * probe.said_by(target, probe.loss.target) + close * probe.shares()
            prediction[::2] = probe.as_prediction(mixed)[::2]
            least = self._of_rounded_rows(probe, prediction, target)
        return probe.first(probe.values(prediction, target) < least, prediction=prediction, target=target)

    def _of_rounded_rows(self, probe: Probe, prediction: Any, target: Any) -> Any:
        """How low a divergence may be for rows P and Q as they are stored, whose sums are not exactly 1: by the
        log-sum inequality Σ P log(P/Q) ≥ ΣP · log(ΣP/ΣQ), less some units in the last place of the terms."""
        np = probe.np
        sums = [
            np.array([math.fsum([*row, -1.0]) for row in x]) if domain.shares else np.zeros(len(x))
            for x, domain in ((prediction, probe.loss.prediction), (target, probe.loss.target))
        ]
        q, p = probe.said_by(prediction, probe.loss.prediction), probe.said_by(target, probe.loss.target)
        smallest = np.finfo("float64").tiny
        terms = p * (np.abs(np.log(np.maximum(p, smallest))) + np.abs(np.log(np.maximum(q, smallest))))
        exact = (1.0 + sums[1]) * (np.log1p(sums[1]) - np.log1p(sums[0]))
        return probe.scale * (np.minimum(exact, 0.0) - 4.0 * np.finfo("float64").eps * terms.sum(axis=-1))


@final
@dataclasses.dataclass(frozen=True)
class ZeroAtTarget(Claim):
    """A perfect prediction costs exactly 0; anything else costs more."""

    name = "zero only at the target"

    @property
    def implies(self) -> tuple[Claim, ...]:
        return (NonNegative(),)

    def refute(self, probe: Probe) -> str | None:
        np = probe.np
        prediction, target = probe.prediction(), probe.target()
        if probe.is_regression:  # not every target need be a prediction, too
            target = probe.legal(target, prediction)
            if probe.loss.prediction.takes_all and probe.loss.target.takes_all:
                # Apart by whole numbers, which may be whole turns.
                prediction[1::8], target[1::8] = np.round(prediction[1::8]), np.round(target[1::8])
        known = probe.perfect(target)
        if known is None:
            return "its target is no prediction"
        perfect, rounded, said = known, 0.0, known
        if probe.rows and not probe.rows_of_classes:  # right but for some entries
            wrong = probe.generator.uniform(size=prediction.shape) < 0.3
            prediction[::2] = probe.legal(np.where(wrong, prediction, perfect), prediction)[::2]
        if probe.rows and probe.loss.prediction.takes_all:  # in the same direction, but not as far
            prediction[1::4] = 0.5 * perfect[1::4]
        if probe.rows_of_classes:
            said = probe.said_by(target, probe.loss.target)
            prediction = probe.as_prediction(probe.shares())
            if probe.loss.prediction.of_logits != probe.loss.target.logarithms:
                # Logarithms are rounded, by half a unit in their last place.
                perfect, rounded = probe.as_prediction(said), 4.0 * np.finfo("float64").eps * probe.scale
                if probe.loss.prediction.of_logits:
                    perfect = np.maximum(perfect, -1e4)  # as good as certain, and finite
        costs = probe.values(perfect, target)
        size = np.abs(np.where(np.isfinite(perfect), perfect, 0.0)).max(axis=tuple(range(-probe.axes, 0)))
        off_target = ~(np.abs(costs) <= rounded * (1.0 + size))
        meant = probe.said_by(prediction, probe.loss.prediction) if probe.rows_of_classes else prediction
        apart = probe.distance(meant, said) > 1e-3
        free = apart & (probe.values(prediction, target) <= 0.0)
        return probe.first(off_target, prediction=perfect, target=target) or probe.first(
            free, prediction=prediction, target=target
        )


@final
@dataclasses.dataclass(frozen=True)
class NotSymmetricInArguments(Claim):
    """ℓ(a, b) ≠ ℓ(b, a) for some a, b; refuted when no such pair is found."""

    name = "not symmetric in its arguments"

    def refute(self, probe: Probe) -> str | None:
        if not probe.interchangeable:
            return "its target is no prediction"
        if probe.rows_of_classes:
            first, second = probe.shares(), probe.shares()
            there = probe.values(probe.as_prediction(first), probe.as_target(second))
            back = probe.values(probe.as_prediction(second), probe.as_target(first))
        else:
            first, second = (probe.legal(probe.target(), probe.prediction()) for _ in range(2))
            there, back = probe.values(first, second), probe.values(second, first)
        return None if (probe.np.abs(there - back) > 1e-3).any() else "both orders cost the same everywhere"

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        return if_alone(self, others)  # what one order costs more by one loss it may cost less by another


@final
@dataclasses.dataclass(frozen=True)
class ShiftInvariant(Claim):
    """The same number added to all predictions of a row, or of a batch that is one loss, changes nothing."""

    name = "shift-invariant"

    def refute(self, probe: Probe) -> str | None:
        if not probe.rows:
            return "its predictions are single numbers"
        if math.isfinite(probe.loss.prediction.high):
            return "its predictions have a bound"
        np = probe.np
        prediction, target = probe.prediction(), probe.target()
        moved = prediction + probe.over_rows(probe.generator.uniform(0.0, 100.0, size=probe.lead))
        here, there = probe.values(prediction, target), probe.values(moved, target)
        with np.errstate(invalid="ignore"):
            same = (here == there) | (np.abs(here - there) <= 1e-12 * (1.0 + np.abs(here) + probe.size(prediction)))
        return probe.first(~same, prediction=prediction, moved=moved, target=target)


def _along(probe: Probe, first: Any, second: Any, target: Any) -> tuple[Any, Any, Any]:
    return (
        probe.values(first, target),
        probe.values(0.5 * first + 0.5 * second, target),
        probe.values(second, target),
    )


def _midpoint_above_chord(probe: Probe, strong: float) -> str | None:
    np = probe.np
    first, second, target = probe.segments()
    low, middle, high = _along(probe, first, second, target)
    with np.errstate(invalid="ignore"):
        gap = strong / 8.0 * probe.distance(first, second) ** 2
        # What float64 may have rounded away: digits of the values, and of the predictions they came from.
        slack = 1e-12 * (1.0 + np.abs(low) + np.abs(high)) + 1e-15 * (probe.size(first) + probe.size(second))
        above = middle > 0.5 * low + 0.5 * high - gap + slack
    above &= np.isfinite(low) & np.isfinite(high)
    return probe.first(above, between=first, and_=second, target=target)
