"""What is said of a loss, each with a function that tries to refute it.

A claim is never believed because it was typed: `claim.examine(loss)` looks for a counterexample on adversarial and
random points, in float64 NumPy. What follows from a claim (strongly convex ⇒ strictly convex ⇒ convex) is derived by
`implies`, never written on a loss.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, final

from lossary.define.probe import NothingBetweenError, Probe
from lossary.errors import DifferentiationError

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.define.objective import Objective

_NO_PROBABILITIES = "its predictions are no probabilities"
_NO_ENTRIES = "the losses of a batch are one"
_NO_NUMBERS = "its predictions are no estimates of a number"


@final
@dataclasses.dataclass(frozen=True)
class Evidence:
    """What came of trying to refute a claim."""

    claim: Claim
    points: int
    counterexample: str | None

    @property
    def refuted(self) -> bool:
        return self.counterexample is not None

    def __str__(self) -> str:
        if self.refuted:
            return f"{self.claim}: refuted, {self.counterexample}"
        proof = f"; proved in {self.claim.proved_in}" if self.claim.proved_in else ""
        return f"{self.claim}: not refuted on {self.points:,} points{proof}"


@dataclasses.dataclass(frozen=True)
class Claim(ABC):
    """One property of a loss as a function of its prediction."""

    name: ClassVar[str]
    proved_in: str | None = dataclasses.field(default=None, kw_only=True)

    def __str__(self) -> str:
        return self.name

    @property
    def implies(self) -> tuple[Claim, ...]:
        """The next weaker claims; theirs follow from them."""
        return ()

    @property
    def estimated(self) -> str:
        """What minimising the loss estimates, in a word or two, where the claim is about that: "mean"."""
        return ""

    @abstractmethod
    def refute(self, probe: Probe) -> str | None:
        """A counterexample in words, or None."""

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        """The same property of Σ factor · loss for losses with these claims, if it follows; None if it does not.

        Every factor is above 0. What one loss alone has may be lost in a sum: as it stands, all must have it.
        """
        return self if all(_has(type(self), claims) for claims in others) else None

    @final
    def examine(self, loss: Loss | Objective, *, points: int = 20_000, seed: int = 0) -> Evidence:
        """Try to refute the claim of this loss, or weighted sum of losses, on that many points."""
        probe = Probe(loss, points, seed)
        try:
            counterexample = self.refute(probe)
        except DifferentiationError:
            counterexample = "it has no gradient"
        except NothingBetweenError:
            counterexample = "between no two predictions everything is legal, so that nothing can be tried there"
        return Evidence(self, probe.points, counterexample)


def closure(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """The claims and everything they imply, each once, the strongest first."""
    found: dict[str, Claim] = {}
    waiting = list(claims)
    while waiting:
        claim = waiting.pop(0)
        if claim.name not in found:
            found[claim.name] = claim
            waiting.extend(claim.implies)
    return tuple(found.values())


def stated(loss: Loss | Objective) -> tuple[Claim, ...]:
    """What a loss claims, and what its shape says of it."""
    return (*loss.claims, Separable()) if loss.separable else loss.claims


def combined(factors: tuple[float, ...], claims: tuple[tuple[Claim, ...], ...]) -> tuple[Claim, ...]:
    """What follows for Σ factor · loss from what is claimed of each loss (factors are not negative).

    A loss with the factor 0 adds nothing, and takes nothing away.
    """
    counted = [(factor, closure(each)) for factor, each in zip(factors, claims, strict=True) if factor > 0]
    weights, closures = tuple(factor for factor, _ in counted), tuple(each for _, each in counted)
    candidates = {claim.name: claim for each in closures for claim in each}
    results = (claim.combine(weights, closures) for claim in candidates.values())
    return tuple(claim for claim in results if claim is not None)


def _has(kind: type[Claim], claims: tuple[Claim, ...]) -> bool:
    return any(isinstance(claim, kind) for claim in claims)


def _found(kind: type[Any], claims: tuple[Claim, ...]) -> Any:
    return next((claim for claim in claims if isinstance(claim, kind)), None)


@final
@dataclasses.dataclass(frozen=True)
class Separable(Claim):
    """Each loss depends on its own entry or row alone, so that batches may be split, masked and put in any order.

    What derives from `Pointwise` or `Rowwise` says so; nobody writes it.
    """

    name = "separable"

    def refute(self, probe: Probe) -> str | None:
        if probe.pooled:
            return _NO_ENTRIES
        np = probe.np
        prediction, target = probe.prediction(), probe.target()
        whole = probe.values(prediction, target)
        order = probe.generator.permutation(len(prediction))
        apart = np.empty_like(whole)
        for part in np.array_split(order, 3):
            apart[part] = probe.values(prediction[part], target[part], part)
        with np.errstate(invalid="ignore"):
            near = np.abs(apart - whole) <= 1e-12 * (probe.scale + np.abs(whole))
        same = near | (apart == whole) | (np.isnan(apart) & np.isnan(whole))
        found = probe.first(~same, prediction=prediction, target=target, alone=apart, among_others=whole)
        return None if found is None else f"another loss among other entries, {found}"


# ── the shape of the curve ───────────────────────────────────────────────────────────────────────────────────────────


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
        strict = any(_has(StrictlyConvex, each) for each in others)
        return self if strict and all(_has(Convex, each) for each in others) else None


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
        if not all(_has(Convex, each) for each in others):
            return None
        moduli = (getattr(_found(StronglyConvex, each), "modulus", 0.0) for each in others)
        return StronglyConvex(sum(factor * modulus for factor, modulus in zip(factors, moduli, strict=True)))


@final
@dataclasses.dataclass(frozen=True)
class NotConvex(Claim):
    """There is a chord that the curve rises above; refuted when none is found."""

    name = "not convex"

    def refute(self, probe: Probe) -> str | None:
        return None if _midpoint_above_chord(probe, strong=0.0) else "no chord was found that the curve rises above"

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        return _alone(self, others)  # a convex loss, or even another that is not, may mend the curve


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
        if not domain.unbounded:
            target, rounded = probe.target(), 1e-9
            room = np.minimum(target - domain.low, domain.high - target)
            residual = np.minimum(np.abs(residual - target), 0.99 * room)
        above, below = probe.values(target + residual, target), probe.values(target - residual, target)
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
            first, second = probe.target(), probe.target()
            there, back = probe.values(first, second), probe.values(second, first)
        return None if (probe.np.abs(there - back) > 1e-3).any() else "both orders cost the same everywhere"

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        return _alone(self, others)  # what one order costs more by one loss it may cost less by another


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


# ── the slope ────────────────────────────────────────────────────────────────────────────────────────────────────────


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
        lasting = all(_has(Convex, each) for each in others)
        rest = [each for each in others if not _has(Kinked, each)]
        single = len(rest) == len(others) - 1 and all(_has(Differentiable, each) for each in rest)
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
        found = [_found(Smooth, each) for each in others]
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
        found = [_found(Lipschitz, each) for each in others]
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
        steepest = max(float(probe.np.max(probe.size(probe.gradient(each, target)))) for each in tried)
        return None if steepest > 1e3 else f"the steepest gradient found is {steepest:g}"

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        # The gradients of convex losses all grow outwards; a bounded one cannot hold another back.
        convex = all(_has(Convex, each) for each in others)
        rest = [each for each in others if not _has(UnboundedGradient, each)]
        single = len(rest) == len(others) - 1 and all(_has(Lipschitz, each) for each in rest)
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
        found = [_found(Sparse, each) for each in others]
        return None if None in found else Sparse(max(claim.margin for claim in found))


# ── what minimising it estimates ─────────────────────────────────────────────────────────────────────────────────────


@final
@dataclasses.dataclass(frozen=True)
class Estimates(Claim):
    """The expected loss is least at this functional of the targets' law, and nowhere else.

    Without a level the functional is the mean; with one, the quantile of that level (all of them, where there are
    several), or the expectile: where what is missed above, times its level, is what is missed below times the rest.
    """

    functional: str
    level: float | None = None
    expectile: float | None = dataclasses.field(default=None, kw_only=True)
    name = "estimates"

    def __str__(self) -> str:
        return f"estimates the {self.functional}"

    @property
    def implies(self) -> tuple[Claim, ...]:
        return (EstimatesCentre(),) if {self.level, self.expectile} <= {None, 0.5} else ()

    @property
    def estimated(self) -> str:
        return self.functional

    def refute(self, probe: Probe) -> str | None:
        np = probe.np
        if probe.loss.prediction.says_class or probe.rows:
            return _NO_NUMBERS
        values, shares = probe.laws(max(2, probe.points // 40))
        lowest, highest = self._functional(probe, values, shares)
        candidates = _between_ends(probe, values, lowest)
        costs = probe.mean_costs(candidates, values, shares)
        least = probe.mean_costs(np.stack([lowest, highest], axis=1), values, shares).max(axis=1)[:, None]
        slack = 1e-12 * np.abs(least)
        away = np.ptp(values, axis=1)[:, None] * 1e-3
        outside = (candidates < lowest[:, None] - away) | (candidates > highest[:, None] + away)
        cheaper = (costs < least - slack) | (outside & (costs <= least + slack))
        return _cheaper_than(probe, cheaper, candidates, self.functional, lowest, values, shares)

    def _functional(self, probe: Probe, values: Any, shares: Any) -> tuple[Any, Any]:
        """The lowest and the highest value of the functional, for each law."""
        if self.level is not None:
            return _quantiles(probe, values, shares, self.level)
        np = probe.np
        ordered, shares = _in_order(probe, values, shares)
        # A mean in which the upper values count for the level and the lower ones for the rest: of all ways to part
        # them the one that is most on the heavier side (Newey & Powell 1987).
        level = 0.5 if self.expectile is None else self.expectile
        parted = np.where(np.tri(values.shape[1], dtype=bool), 1.0 - level, level) * shares[:, None, :]
        means = (parted * ordered[:, None, :]).sum(axis=2) / parted.sum(axis=2)
        found = means.max(axis=1) if level >= 0.5 else means.min(axis=1)
        return found, found

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        same = all(_found(Estimates, each) == self for each in others)
        return self if same else None


@final
@dataclasses.dataclass(frozen=True)
class EstimatesCentre(Claim):
    """Where the targets' law is symmetric, the expected loss is least at its centre; of skewed laws it says nothing.

    Predictions that are off by no more than `within` may cost as little.
    """

    within: float = 0.0
    name = "estimates the centre of symmetry"

    @property
    def estimated(self) -> str:
        return "centre of symmetry"

    def refute(self, probe: Probe) -> str | None:
        np = probe.np
        if probe.loss.prediction.says_class or probe.rows:
            return _NO_NUMBERS
        centre, values, shares = probe.symmetric_laws(max(2, probe.points // 40))
        candidates = _between_ends(probe, values, centre)
        costs = probe.mean_costs(candidates, values, shares)
        least = probe.mean_costs(centre[:, None], values, shares)
        slack = 1e-12 * np.abs(least)
        at_an_end = (candidates == values.min(axis=1)[:, None]) | (candidates == values.max(axis=1)[:, None])
        at_an_end &= np.ptp(values, axis=1)[:, None] > 2.0 * self.within
        cheaper = (costs < least - slack) | (at_an_end & (costs <= least + slack))
        return _cheaper_than(probe, cheaper, candidates, "centre", centre, values, shares)


@final
@dataclasses.dataclass(frozen=True)
class EstimatesBulk(Claim):
    """The further out a target is, the less it pulls, in the end with nothing: the expected loss is least among the
    bulk of the targets, whatever the others are. There may be several minima."""

    name = "estimates where the bulk is"

    @property
    def estimated(self) -> str:
        return "bulk of the targets"

    def refute(self, probe: Probe) -> str | None:
        np, generator, loss = probe.np, probe.generator, probe.loss
        if not probe.is_regression or probe.rows or not (loss.prediction.unbounded and loss.target.unbounded):
            return _NO_NUMBERS
        far = generator.choice([-1.0, 1.0], size=probe.shape) * 10.0 ** generator.uniform(6.0, 9.0, size=probe.shape)
        target = np.zeros(probe.shape)
        here, there = (probe.size(probe.gradient(x, target)) for x in (far, 1e3 * far))
        pulled = probe.first((there > 0.01 * here) & (there > 0.0), prediction=1e3 * far, target=target)
        if pulled is not None:
            return f"the gradient does not decline, {pulled}"
        # Four of six values, with four fifths of the shares, are together.
        centre = generator.normal(size=(max(2, probe.points // 40), 1))
        away = generator.choice([-1.0, 1.0], size=(len(centre), 2)) * far[: 2 * len(centre)].reshape(-1, 2)
        values = centre + np.concatenate([1e-3 * generator.normal(size=(len(centre), 4)), away], axis=1)
        shares = np.broadcast_to([0.2, 0.2, 0.2, 0.2, 0.1, 0.1], values.shape)
        costs = probe.mean_costs(values, values, shares)
        cheaper = (costs <= costs[:, :4].min(axis=1, keepdims=True)) & (np.arange(6) >= 4)
        return _cheaper_than(probe, cheaper, values, "bulk", centre[:, 0], values, shares)


@final
@dataclasses.dataclass(frozen=True)
class EstimatesMoments(Claim):
    """The expected loss is least where each column is what its name says of the targets' law, whatever that law is, and
    nowhere else: the mean, and the spread as `std`, `variance` or `log_std`."""

    name = "estimates mean and variance"

    @property
    def estimated(self) -> str:
        return "mean and variance"

    def refute(self, probe: Probe) -> str | None:
        np = probe.np
        names = getattr(probe.loss.prediction, "names", ())
        if set(names) - {"mean", "std", "variance", "log_std"} or "mean" not in names or len(names) < 2:
            return "its prediction is no mean and variance"
        values, shares = probe.laws(max(2, probe.points // 200))
        values = values / np.abs(values).max(axis=1, keepdims=True)  # so that no cost is large beside the least one
        mean = (values * shares).sum(axis=1)
        variance = ((values - mean[:, None]) ** 2 * shares).sum(axis=1)
        # Off by many units of the spread or by few, in one column or in both; at first by nothing.
        away = np.concatenate([[0.0], *(sign * np.geomspace(0.01, 3.0, 6) for sign in (1.0, -1.0))])
        shift, factor = (x.ravel() for x in np.meshgrid(away, np.exp(away)))
        std = np.sqrt(variance)[:, None] * factor
        columns = {
            "mean": mean[:, None] + np.sqrt(variance)[:, None] * shift,
            "std": std,
            "variance": std * std,
            "log_std": np.log(std),
        }
        candidates = np.stack([columns[name] for name in names], axis=-1)
        cost = sum(
            share[:, None] * probe.values(candidates, np.repeat(value[:, None], len(shift), axis=1))
            for value, share in zip(values.T, shares.T, strict=True)
        )
        slack = 1e-10 * (1.0 + np.abs(cost[:, :1]))
        cheaper = cost <= cost[:, :1] + slack
        cheaper[:, 0] = cost[:, 0] == -np.inf
        law = np.repeat(values[:, None], len(shift), axis=1)
        true = np.repeat(candidates[:, :1], len(shift), axis=1)
        return probe.first(cheaper, true=true, better=candidates, targets=law)


@final
@dataclasses.dataclass(frozen=True)
class EstimatesQuantiles(Claim):
    """The expected loss is least where each entry of a row is the quantile of its level, and nowhere else."""

    levels: tuple[float, ...]
    name = "estimates quantiles"

    def __str__(self) -> str:
        return f"estimates the {self.estimated}"

    @property
    def estimated(self) -> str:
        return " and ".join(f"{level:g}-quantile" for level in self.levels)

    def refute(self, probe: Probe) -> str | None:
        np, generator, count = probe.np, probe.generator, len(self.levels)
        if probe.shape[1:] != (count,) or probe.loss.prediction.says_class or probe.loss.target.rows:
            return f"its prediction is no row of {count} numbers"
        values, shares = probe.laws(max(2, probe.points // 200))
        ends = [_quantiles(probe, values, shares, level) for level in self.levels]
        lowest, highest = (np.stack(each, axis=-1)[:, None] for each in zip(*ends, strict=True))
        # Off in one entry, over the whole range of the law and close to the quantile, and in all of them.
        tried = [lowest, highest]
        for place in range(count):
            moved = _between_ends(probe, values, lowest[:, 0, place])
            tried.append(np.where(np.arange(count) == place, moved[..., None], lowest))
        spread = np.ptp(values, axis=1)[:, None, None]
        tried.append(lowest + spread * generator.normal(scale=0.3, size=(len(values), 20, count)))
        candidates = np.concatenate(tried, axis=1)
        true = np.repeat(lowest, candidates.shape[1], axis=1)
        flat = (each.reshape(-1, count) for each in (candidates, true))
        candidates = probe.legal(*flat).reshape(true.shape)
        if not np.array_equal(probe.legal(lowest[:, 0], lowest[:, 0] + np.nan), lowest[:, 0]):
            return "quantiles are no legal predictions"
        costs = sum(
            share[:, None] * probe.values(candidates, np.repeat(value[:, None], candidates.shape[1], axis=1))
            for value, share in zip(values.T, shares.T, strict=True)
        )
        least = costs[:, :2].max(axis=1, keepdims=True)
        slack, away = 1e-12 * np.abs(least), 1e-3 * spread
        outside = ((candidates < lowest - away) | (candidates > highest + away)).any(axis=-1)
        cheaper = (costs < least - slack) | (outside & (costs <= least + slack))
        law = np.repeat(values[:, None], candidates.shape[1], axis=1)
        return probe.first(cheaper, true=true, better=candidates, targets=law)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        same = all(_found(EstimatesQuantiles, each) == self for each in others)
        return self if same else None


@final
@dataclasses.dataclass(frozen=True)
class EstimatesLaw(Claim):
    """The expected loss is least where the entries of a row are the law of the targets, each with the same share, and
    nowhere else; or with `draws`, where they are drawn at random from that law, and from no other."""

    draws: bool = False
    name = "estimates the law"

    def __str__(self) -> str:
        return f"estimates the law that the {'draws are from' if self.draws else 'entries are'}"

    @property
    def estimated(self) -> str:
        return "whole law"

    def refute(self, probe: Probe) -> str | None:
        prediction, target = probe.loss.prediction, probe.loss.target
        if prediction.axes != 1 or target.rows or not (prediction.says_amount and target.says_amount):
            return "its prediction is no row of draws"
        if probe.pooled:
            return _NO_ENTRIES
        values, _ = probe.laws(max(2, probe.points // 200))
        return self._of_draws(probe, values[:, :3]) if self.draws else self._of_entries(probe, values)

    def _of_entries(self, probe: Probe, values: Any) -> str | None:
        np, generator, count = probe.np, probe.generator, probe.classes
        true = generator.permuted(np.resize(values, (len(values), count)), axis=1)[:, None]
        spread = np.ptp(true, axis=-1, keepdims=True)
        steps = generator.normal(size=(len(true), 60, count)) * 10.0 ** generator.uniform(-2.0, 0.0, size=(60, 1))
        steps[:, ::2] *= np.arange(count) == generator.integers(count, size=(30, 1))  # every other in one entry alone
        closer = true.mean(axis=-1, keepdims=True) - true
        others = np.concatenate([true + spread * steps, *(true + share * closer for share in (-0.1, 0.1, 1.0))], axis=1)
        candidates = np.concatenate([true, others], axis=1)
        flat = candidates.reshape(-1, count)
        candidates = probe.legal(flat, np.repeat(true, candidates.shape[1], axis=1).reshape(flat.shape))
        candidates = candidates.reshape(len(true), -1, count)
        costs = sum(probe.values(candidates, np.broadcast_to(true[..., k], candidates.shape[:2])) for k in range(count))
        away = np.abs(np.sort(candidates) - np.sort(true)).max(axis=-1) > 1e-3 * spread[..., 0]
        cheaper = away & (costs <= costs[:, :1] + 1e-12 * np.abs(costs[:, :1]))
        return probe.first(cheaper, better=candidates, targets=np.broadcast_to(true, candidates.shape))

    def _of_draws(self, probe: Probe, values: Any) -> str | None:
        """Of three numbers, by every row that can be drawn."""
        np, generator = probe.np, probe.generator
        drawn = np.stack(np.meshgrid(*[np.arange(3)] * min(probe.classes, 5), indexing="ij"), -1)
        drawn = drawn.reshape(-1, drawn.shape[-1])
        rows = values[:, drawn]
        costs = np.stack([probe.values(rows, np.repeat(x[:, None], len(drawn), axis=1)) for x in values.T], axis=-1)
        true = generator.dirichlet(np.ones(3), size=(len(values), 1))
        near = 10.0 ** generator.uniform(-1.5, 0.0, size=(60, 1))
        laws = np.concatenate([true, true + near * (generator.dirichlet(np.ones(3), size=(len(values), 60)) - true)], 1)
        expected = np.einsum("lcr,lrt,lt->lc", laws[:, :, drawn].prod(axis=-1), costs, true[:, 0])
        away = np.abs(laws - true).max(axis=-1) > 1e-3
        cheaper = away & (expected <= expected[:, :1] + 1e-12 * np.abs(expected[:, :1]))
        of_each = (np.broadcast_to(x, laws.shape) for x in (values[:, None], true))
        return probe.first(cheaper, better=laws, **dict(zip(("targets", "shares"), of_each, strict=True)))

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        same = all(_found(EstimatesLaw, each) == self for each in others)
        return self if same else None


@final
@dataclasses.dataclass(frozen=True)
class EstimatesHazardRatio(Claim):
    """Of two groups whose hazards keep their ratio, the loss is least where the predictions differ by its logarithm."""

    name = "estimates the hazard ratio"

    @property
    def estimated(self) -> str:
        return "log hazard ratio"

    def refute(self, probe: Probe) -> str | None:
        if probe.loss.inputs != ("prediction", "time", "event"):
            return "its inputs are no times and events"
        np, size = probe.np, 500
        quantiles = -np.log1p(-(np.arange(size) + 0.5) / size)  # of the time at which a hazard of 1 strikes
        for wanted in (-1.5, *probe.generator.uniform(-1.0, 1.0, size=3)):
            strikes = np.concatenate([quantiles, quantiles * math.exp(-wanted)])
            seen = np.tile(probe.generator.permutation(quantiles) * 2.0 + 0.01, 2)  # and nobody is seen for longer
            data = {"time": np.minimum(strikes, seen), "event": (strikes <= seen).astype("float64")}
            tried = wanted + np.array([0.0, -0.5, -0.25, 0.25, 0.5])
            costs = [probe.loss(prediction=np.repeat([0.0, each], size), **data) for each in tried]
            best = tried[int(np.argmin(costs))]
            if best != wanted or np.ptp(costs) == 0.0:
                return f"{best:g} costs no more than the logarithm of the hazards' ratio, {wanted:g}"
        return None


@final
@dataclasses.dataclass(frozen=True)
class Proper(Claim):
    """The expected loss is least when the prediction is the true probability, and nowhere else (strictly proper)."""

    functional: str = "probability"
    name = "proper"

    @property
    def estimated(self) -> str:
        return self.functional

    def refute(self, probe: Probe) -> str | None:
        if probe.pooled or not probe.loss.prediction.probabilities:
            return _NO_ENTRIES if probe.pooled else _NO_PROBABILITIES
        np = probe.np
        outcomes = probe.outcomes()
        chances = np.moveaxis(probe.generator.dirichlet(np.ones(len(outcomes)), size=probe.lead), -1, 0)
        true = sum(probe.over_rows(chance) * share for chance, (_, share) in zip(chances, outcomes, strict=True))
        other = probe.shares()
        other[::2] = 0.97 * true[::2] + 0.03 * other[::2]  # a minimum that is off by little

        def cost(share: Any) -> Any:
            prediction = probe.as_prediction(share)
            return sum(
                chance * probe.values(prediction, target) for chance, (target, _) in zip(chances, outcomes, strict=True)
            )

        here, there = cost(true), cost(other)
        slack = 1e-12 * (np.abs(here) + np.abs(there))
        apart = probe.distance(true, other) > 0.02
        better = (there < here - slack) | (apart & (there <= here + slack))
        return probe.first(better & np.isfinite(here), true=true, better=other)


@final
@dataclasses.dataclass(frozen=True)
class NotProper(Claim):
    """Some prediction costs less, in the mean, than the true probability; refuted when none is found."""

    name = "not proper"

    @property
    def estimated(self) -> str:
        return "biased probability"

    def refute(self, probe: Probe) -> str | None:
        if probe.pooled or not probe.loss.prediction.probabilities:
            return _NO_ENTRIES if probe.pooled else _NO_PROBABILITIES
        return None if Proper().refute(probe) else "nothing was found that costs less than the true probability"

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        return _alone(self, others)  # two biases may cancel


@final
@dataclasses.dataclass(frozen=True)
class ClassificationCalibrated(Claim):
    """The expected loss is least on the side of the likelier of two classes, and nowhere else as low."""

    name = "classification-calibrated"

    @property
    def estimated(self) -> str:
        return "likelier class"

    def refute(self, probe: Probe) -> str | None:
        np, prediction, threshold = probe.np, probe.loss.prediction, probe.loss.prediction.threshold
        if probe.pooled or threshold is None or not probe.loss.target.certain:
            return _NO_ENTRIES if probe.pooled else "its prediction has no side"
        (low, _), (high, _) = probe.outcomes()[:2]
        few = max(2, probe.points // 40 // (probe.classes if len(probe.shape) > 1 else 1))
        low, high = low[:few], high[:few]
        chance = probe.generator.uniform(size=low.shape)
        chance = np.where(np.abs(chance - 0.5) < 0.01, 0.9, chance)
        room = min(threshold - prediction.low, prediction.high - threshold)
        sizes = np.geomspace(1e-3, 1e3, 31) if np.isinf(room) else room * np.geomspace(1e-3, 1.0, 31)

        # All at once: scores that are all 0 might be labels.
        positions = np.concatenate([-sizes, [0.0], sizes]).reshape(-1, *(1,) * low.ndim)
        tried, low, high = np.broadcast_arrays(threshold + positions, low, high)
        costs = (1.0 - chance) * probe.values(tried, low) + chance * probe.values(tried, high)

        def least(side: Any) -> Any:
            """The cost of the best prediction on a side of the threshold, or on it (0)."""
            return np.min(np.where(np.sign(positions) == side, costs, np.inf), axis=0)

        right = np.where(chance > 0.5, 1.0, -1.0)
        wrong = np.minimum(least(-right), least(0.0 * right))
        return probe.first(~(least(right) < wrong), chance_of_the_higher=chance)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        # Convex losses that are least on one side all fall towards it from the threshold, and so does their sum.
        every = all(_has(ClassificationCalibrated, each) for each in others)
        return self if every and (len(others) == 1 or all(_has(Convex, each) for each in others)) else None


def _alone(claim: Claim, others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
    """A claim that is lost as soon as another loss is added."""
    return claim if len(others) == 1 else None


def _in_order(probe: Probe, values: Any, shares: Any) -> tuple[Any, Any]:
    """Each law's values in ascending order, and the shares that go with them."""
    order = probe.np.argsort(values, axis=1)
    return probe.np.take_along_axis(values, order, axis=1), probe.np.take_along_axis(shares, order, axis=1)


def _quantiles(probe: Probe, values: Any, shares: Any, level: float) -> tuple[Any, Any]:
    """The lowest and the highest quantile of that level, for each law."""
    np = probe.np
    ordered, shares = _in_order(probe, values, shares)
    below = np.cumsum(shares, axis=1)
    places = [(below < level - 1e-12).sum(axis=1), (below <= level + 1e-12).sum(axis=1)]
    last = values.shape[1] - 1
    lowest, highest = (np.take_along_axis(ordered, np.minimum(each, last)[:, None], axis=1)[:, 0] for each in places)
    return lowest, highest


def _between_ends(probe: Probe, values: Any, best: Any) -> Any:
    """Predictions to try, for each law: over its whole range, and ever closer to what should be best."""
    np = probe.np
    ends = np.stack([values.min(axis=1), values.max(axis=1)], axis=1)
    steps = np.linspace(0.0, 1.0, 13)
    over = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * steps
    over[:, -1] = ends[:, 1]
    close = [best[:, None] + (ends - best[:, None]) * 10.0**-k for k in range(1, 5)]
    return np.concatenate([over, *close], axis=1)


def _cheaper_than(
    probe: Probe, cheaper: Any, candidates: Any, functional: str, best: Any, values: Any, shares: Any
) -> str | None:
    """The first candidate that costs no more than the functional, in words."""
    np = probe.np
    where = np.argwhere(cheaper)
    if not len(where):
        return None
    law, which = where[0]
    better = f"{candidates[law, which]:.6g} costs no more than the {functional} {best[law]:.6g}"
    targets = ", ".join(f"{x:.4g} ({share:.2f})" for x, share in zip(values[law], shares[law], strict=True))
    return f"{better} of targets (and shares) {targets}"


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


def _largest_jump(probe: Probe) -> str | None:
    """Bisect segments towards the larger change of the gradient; what is left after 60 halvings is a jump."""
    np = probe.np
    first, second, target = probe.segments()
    if probe.is_regression:
        half = len(first) // 2
        if probe.loss.prediction.takes_all:
            first[:half], second[:half] = target[:half] - 1.5, target[:half] + 2.5
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
