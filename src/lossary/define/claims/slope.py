"""Claims about the slope of a loss: kinks, bounds, where it is 0."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, final

from lossary.define.claims.claim import Claim, first_of, includes
from lossary.define.claims.curve import Convex
from lossary.define.probe import Probe


@final
@dataclasses.dataclass(frozen=True)
class Differentiable(Claim):
    """The gradient has no jumps."""

    name = "continuously differentiable"

    def refute(self, probe: Probe) -> str | None:
        jump = _largest_jump(probe)
        return None if jump is None else f"the gradient jumps {jump}"


@final
@dataclasses.dataclass(frozen=True)
class Kinked(Claim):
    """The gradient jumps somewhere; refuted when no jump is found."""

    at: str
    name = "kinked"

    def __str__(self) -> str:
        return f"kink at {self.at}"

    def refute(self, probe: Probe) -> str | None:
        return None if _largest_jump(probe) else "no jump of the gradient was found"

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        # Convex losses jump upwards only, so that no jump makes up for another.
        lasting = all(includes(Convex, each) for each in others)
        rest = [each for each in others if not includes(Kinked, each)]
        single = len(rest) == len(others) - 1 and all(includes(Differentiable, each) for each in rest)
        return self if lasting or single else None


@final
@dataclasses.dataclass(frozen=True)
class Smooth(Claim):
    """The gradient's own slope is bounded: |∇f(x) − ∇f(y)| ≤ bound · |x − y|."""

    bound: float
    name = "smooth"

    def __str__(self) -> str:
        return f"smooth (gradient Lipschitz {self.bound:g})"

    @property
    def implies(self) -> tuple[Claim, ...]:
        return (Differentiable(),)

    def refute(self, probe: Probe) -> str | None:
        first, second, target = probe.pairs()
        here, there = probe.gradient(first, target), probe.gradient(second, target)
        apart = probe.distance(first, second)
        # What float64 may have rounded away of the gradients.
        slack = 1e-12 + 1e-15 * (probe.size(here) + probe.size(there))
        steep = probe.distance(here, there) > self.bound * apart * (1 + 1e-9) + slack
        return probe.first(steep, between=first, and_=second, target=target)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        found = [first_of(Smooth, each) for each in others]
        if any(claim is None for claim in found):
            return None
        return Smooth(sum(factor * claim.bound for factor, claim in zip(factors, found, strict=True)))


@final
@dataclasses.dataclass(frozen=True)
class Lipschitz(Claim):
    """|f(x) − f(y)| ≤ bound · |x − y|: no example pulls harder than the bound."""

    bound: float
    name = "Lipschitz"

    def __str__(self) -> str:
        return f"Lipschitz {self.bound:.4g}"

    def refute(self, probe: Probe) -> str | None:
        prediction, target = probe.prediction(), probe.target()
        gradient = probe.gradient(prediction, target)
        steep = probe.size(gradient) > self.bound * (1 + 1e-9)
        return probe.first(steep, prediction=prediction, target=target)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        found = [first_of(Lipschitz, each) for each in others]
        if any(claim is None for claim in found):
            return None
        return Lipschitz(sum(factor * claim.bound for factor, claim in zip(factors, found, strict=True)))


@final
@dataclasses.dataclass(frozen=True)
class UnboundedGradient(Claim):
    """One example can pull arbitrarily hard; refuted when the gradient stays below a thousand everywhere tried."""

    name = "gradient without bound"

    def refute(self, probe: Probe) -> str | None:
        prediction, target = probe.prediction(), probe.target()
        if probe.loss.prediction.shares:
            prediction = 1e-6 * prediction  # probabilities close to 0
            if probe.rows:
                prediction[..., 0] = 1.0 - prediction[..., 1:].sum(axis=-1)
        tried = [prediction]
        if probe.loss.prediction.takes_all and probe.loss.prediction.rows:  # a short row has little room to turn
            tried.append(1e-6 * prediction)
        if probe.is_regression:  # where both are small, too
            tried.append(probe.towards(target, prediction, 1e-3))
        if probe.loss.prediction.rows and probe.loss.prediction.says_estimate:  # where a location is near its target
            perfect, follows = probe.perfect(target), probe.np.isnan(probe.perfect(target + math.nan))
            near = probe.np.where(follows, perfect + 1e-3 * (prediction - perfect), prediction)
            tried.append(probe.legal(near, prediction))
        pairs, amounts = [(each, target) for each in tried], probe.loss.target
        if amounts.says_amount and not amounts.rows and math.isinf(amounts.high):  # where a target is large
            pairs.append((prediction, 1e4 * target))
        steepest = max(float(probe.np.max(probe.size(probe.gradient(*pair)))) for pair in pairs)
        return None if steepest > 1e3 else f"the steepest gradient found is {steepest:g}"

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        # The gradients of convex losses all grow outwards; a bounded one cannot hold another back.
        convex = all(includes(Convex, each) for each in others)
        rest = [each for each in others if not includes(UnboundedGradient, each)]
        single = len(rest) == len(others) - 1 and all(includes(Lipschitz, each) for each in rest)
        return self if convex or single else None


@final
@dataclasses.dataclass(frozen=True)
class Sparse(Claim):
    """Examples that are right by a margin pull with exactly 0: by so much on their side of the threshold, or in rows
    before every other class."""

    margin: float = 1.0
    name = "zero gradient past the margin"

    def refute(self, probe: Probe) -> str | None:
        domain, target = probe.loss.prediction, probe.target()
        scores = domain.rows and domain.says_class and domain.axes == 1
        if not (scores or domain.threshold is not None) or not domain.unbounded:
            return "its prediction has no margin"
        np = probe.np
        right = probe.loss.target.decide(target, lambda rows: rows.argmax(-1))
        ahead = self.margin + probe.generator.uniform(0.001, 100.0, size=right.shape)
        if scores:
            prediction = probe.prediction()
            best = prediction.max(axis=-1) + ahead
            np.put_along_axis(prediction, right[..., None], best[..., None], axis=-1)
        else:
            prediction = domain.threshold + (2.0 * right - 1.0) * ahead
        pulls = probe.size(probe.gradient(prediction, target)) != 0.0
        return probe.first(pulls, prediction=prediction, target=target)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        found = [first_of(Sparse, each) for each in others]
        return None if None in found else Sparse(max(claim.margin for claim in found))


def _largest_jump(probe: Probe) -> str | None:
    """Bisect segments towards the larger change of the gradient; what is left after 60 halvings is a jump."""
    np = probe.np
    first, second, target = probe.segments()
    if probe.is_regression:
        half = len(first) // 2
        if probe.loss.prediction.takes_all:
            first[:half], second[:half] = target[:half] - 1.5, target[:half] + 2.5
    for place, name in enumerate(getattr(probe.loss.prediction, "names", ())):
        if name.startswith("log_"):  # in the bend of a tiny scale, the gradient jumps from a float to the next
            first[..., place], second[..., place] = (x[..., place].clip(-5.0, 5.0) for x in (first, second))
    if probe.loss.prediction.takes_all and not probe.rows:
        # Short ones where kinks are, so that no bend beside them changes the gradient more than they do.
        few = len(first) // 4
        losses: Any = getattr(probe.loss, "losses", (probe.loss,))
        its = [x for each in losses for x in each.settings.values()]
        steps = [0.0, *(sign * x for x in its if isinstance(x, float) for sign in (-1.0, 1.0))]
        centre = target[-few:] + probe.generator.choice(steps, size=target[-few:].shape)
        if not probe.is_regression:
            centre = probe.generator.choice([-1.0, 1.0], size=centre.shape)
        first[-few:], second[-few:] = centre - 0.013, centre + 0.017
    for _ in range(60):
        middle = 0.5 * first + 0.5 * second
        at_first, at_middle, at_second = (probe.gradient(x, target) for x in (first, middle, second))
        left = probe.distance(at_first, at_middle) >= probe.distance(at_middle, at_second)
        left = probe.over_rows(left)
        first, second = np.where(left, first, middle), np.where(left, middle, second)
    middle = 0.5 * first + 0.5 * second
    at_first, at_middle, at_second = (probe.gradient(x, target) for x in (first, middle, second))
    jump = probe.distance(at_first, at_second)
    # A jump is all in one half of what is left; a steep gradient rises in both, and is rounded.
    half = np.maximum(probe.distance(at_first, at_middle), probe.distance(at_middle, at_second))
    jumps = (jump > 1e-4 + 1e-8 * probe.size(at_first)) & (half > 0.75 * jump) & np.isfinite(jump)
    close = probe.distance(first, second) < 1e-12 * (1.0 + probe.size(first))
    # At the edge of a domain the gradient may be infinite, which is no jump.
    return probe.first(jumps & close, prediction=first, target=target)
