"""What is said of a loss, each with a function that tries to refute it.

A claim is never believed because it was typed: `claim.examine(loss)` looks for a counterexample on adversarial and
random points, in float64 NumPy. What follows from a claim (strongly convex ⇒ strictly convex ⇒ convex) is derived by
`implies`, never written on a loss.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, final

if TYPE_CHECKING:
    from lossary.loss import Loss

_CLASSES = 4  # of the rows on which claims about rowwise losses are tried


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

    @abstractmethod
    def refute(self, probe: Probe) -> str | None:
        """A counterexample in words, or None."""

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        """The same property of the weighted sum of losses with these claims, if it follows; None if it does not."""
        return self if all(_has(type(self), claims) for claims in others) else None

    @final
    def examine(self, loss: Loss, *, points: int = 20_000, seed: int = 0) -> Evidence:
        """Try to refute the claim of this loss on that many points."""
        return Evidence(self, points, self.refute(Probe(loss, points, seed)))


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


def combined(factors: tuple[float, ...], claims: tuple[tuple[Claim, ...], ...]) -> tuple[Claim, ...]:
    """What follows for Σ factor · loss from what is claimed of each loss (factors are not negative)."""
    closures = tuple(closure(each) for each in claims)
    candidates = {claim.name: claim for each in closures for claim in each}
    results = (claim.combine(factors, closures) for claim in candidates.values())
    return tuple(claim for claim in results if claim is not None)


def _has(kind: type[Claim], claims: tuple[Claim, ...]) -> bool:
    return any(isinstance(claim, kind) for claim in claims)


def _found(kind: type[Any], claims: tuple[Claim, ...]) -> Any:
    return next((claim for claim in claims if isinstance(claim, kind)), None)


@final
class Probe:
    """A loss, and legal points to try it on; everything in float64 NumPy."""

    def __init__(self, loss: Loss, points: int, seed: int, classes: int = _CLASSES) -> None:
        import numpy as np

        self.np = np
        self.loss = loss
        self.points = points
        self.classes = classes
        self.generator = np.random.default_rng(seed)
        self.shape = (points, classes) if loss.prediction.rows else (points,)
        self.counterexample: dict[str, Any] = {}  # what `first` put into words, as numbers

    def prediction(self) -> Any:
        return self.loss.prediction.sample(self.generator, self.shape).astype("float64")

    def target(self) -> Any:
        return self.loss.target.sample(self.generator, self.shape)

    def values(self, prediction: Any, target: Any) -> Any:
        return self.loss.values(prediction=prediction, target=target)

    def gradient(self, prediction: Any, target: Any) -> Any:
        return self.loss.value_and_gradient(prediction=prediction, target=target, reduction="none")[1]

    def segments(self) -> tuple[Any, Any, Any]:
        """Pairs of predictions and a target for each: far apart, close together, and around the target."""
        first, second, target = self.prediction(), self.prediction(), self.target()
        if not self.loss.prediction.rows and self.loss.task == "regression":
            third = self.points // 3
            first[:third] = target[:third] + self.generator.normal(size=third)
            second[:third] = target[:third] + self.generator.normal(size=third)
        near = slice(0, self.points // 4)
        second[near] = 0.99 * first[near] + 0.01 * second[near]
        return first, second, target

    def describe(self, index: int, **arrays: Any) -> str:
        return ", ".join(f"{name} = {self.np.round(array[index], 6).tolist()}" for name, array in arrays.items())

    def first(self, bad: Any, **arrays: Any) -> str | None:
        """The first bad point in words."""
        where = self.np.flatnonzero(bad)
        if not len(where):
            return None
        self.counterexample = {name: array[where[0]] for name, array in arrays.items()}
        return f"at {self.describe(int(where[0]), **arrays)}"

    def size(self, x: Any) -> Any:
        """Euclidean, per point."""
        return self.np.sqrt((x**2).sum(axis=-1)) if x.ndim > 1 else self.np.abs(x)

    def distance(self, x: Any, y: Any) -> Any:
        """Euclidean, per point."""
        return self.size(x - y)


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
        # Close to the target, where float64 can tell a curve from its chord.
        centre = 0.5 if probe.loss.prediction.threshold == 0.5 or probe.loss.target.rows else target
        if not probe.loss.prediction.rows:
            first = np.clip(first, centre - 4.0, centre + 4.0) if probe.loss.task == "regression" else first
            second = first + np.where(second > first, 0.5, -0.5) * probe.generator.uniform(0.2, 1.0, size=first.shape)
            if probe.loss.prediction.threshold == 0.5:
                second = np.clip(second, 0.0, 1.0)
        low, middle, high = _along(probe, first, second, target)
        apart = probe.distance(first, second) > 0.05
        flat = ~(middle < 0.5 * low + 0.5 * high) & np.isfinite(low) & np.isfinite(high) & apart
        return probe.first(flat, between=first, and_=second, target=target) or _midpoint_above_chord(probe, 0.0)

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        strict = any(factor > 0 and _has(StrictlyConvex, each) for factor, each in zip(factors, others, strict=True))
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


@final
@dataclasses.dataclass(frozen=True)
class Symmetric(Claim):
    """ℓ(y + r, y) = ℓ(y − r, y)."""

    name = "symmetric"

    def refute(self, probe: Probe) -> str | None:
        residual = probe.prediction()
        zero = probe.np.zeros_like(residual)
        unequal = probe.values(residual, zero) != probe.values(-residual, zero)
        return probe.first(unequal, residual=residual)


@final
@dataclasses.dataclass(frozen=True)
class NonNegative(Claim):
    name = "never negative"

    def refute(self, probe: Probe) -> str | None:
        prediction, target = probe.prediction(), probe.target()
        return probe.first(probe.values(prediction, target) < 0.0, prediction=prediction, target=target)


@final
@dataclasses.dataclass(frozen=True)
class ZeroAtTarget(Claim):
    """A perfect prediction costs exactly 0; anything else costs more."""

    name = "zero only at the target"

    @property
    def implies(self) -> tuple[Claim, ...]:
        return (NonNegative(),)

    def refute(self, probe: Probe) -> str | None:
        prediction, target = probe.prediction(), probe.target()
        if probe.loss.prediction.rows and not probe.loss.target.rows:
            return "a class index is not a prediction"
        target = target.astype("float64")
        off_target = probe.values(target, target) != 0.0
        apart = probe.distance(prediction, target) > 1e-3
        free = apart & (probe.values(prediction, target) <= 0.0)
        return probe.first(off_target, prediction=target, target=target) or probe.first(
            free, prediction=prediction, target=target
        )


@final
@dataclasses.dataclass(frozen=True)
class NotSymmetricInArguments(Claim):
    """ℓ(a, b) ≠ ℓ(b, a) for some a, b; refuted when no such pair is found."""

    name = "not symmetric in its arguments"

    def refute(self, probe: Probe) -> str | None:
        first, second = probe.target(), probe.target()
        difference = probe.np.abs(probe.values(first, second) - probe.values(second, first))
        return None if (difference > 1e-3).any() else "both orders cost the same everywhere"


# ── the slope ────────────────────────────────────────────────────────────────────────────────────────────────────────


@final
@dataclasses.dataclass(frozen=True)
class Differentiable(Claim):
    """The gradient has no jumps."""

    name = "continuously differentiable"

    def refute(self, probe: Probe) -> str | None:
        jump = _largest_jump(probe)
        return None if jump is None else f"the gradient jumps at {jump}"


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
        first, second, target = probe.segments()
        change = probe.distance(probe.gradient(first, target), probe.gradient(second, target))
        apart = probe.distance(first, second)
        steep = change > self.bound * apart * (1 + 1e-9) + 1e-12
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
        if probe.loss.prediction.threshold == 0.5 or probe.loss.prediction.wanted.startswith("rows"):
            prediction = 1e-6 * prediction  # probabilities close to 0
            if prediction.ndim > 1:
                prediction[..., 0] = 1.0 - prediction[..., 1:].sum(axis=-1)
        gradient = probe.gradient(prediction, target)
        steepest = float(probe.np.max(probe.size(gradient)))
        return None if steepest > 1e3 else f"the steepest gradient found is {steepest:g}"

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        grows = any(factor > 0 and _has(UnboundedGradient, each) for factor, each in zip(factors, others, strict=True))
        return self if grows and all(_has(Convex, each) for each in others) else None


@final
@dataclasses.dataclass(frozen=True)
class Sparse(Claim):
    """Examples that are right by a margin pull with exactly 0."""

    name = "zero gradient past the margin"

    def refute(self, probe: Probe) -> str | None:
        target = probe.target()
        low = probe.loss.target.sample(probe.generator, (4096,)).min()
        prediction = probe.np.where(target > low, 1.0, -1.0) * probe.generator.uniform(1.001, 100.0, size=target.shape)
        return probe.first(probe.gradient(prediction, target) != 0.0, prediction=prediction, target=target)


# ── what minimising it estimates ─────────────────────────────────────────────────────────────────────────────────────


@final
@dataclasses.dataclass(frozen=True)
class Elicits(Claim):
    """The expected loss over a distribution of targets is least at this functional of it ("mean", or a quantile)."""

    functional: str
    level: float | None = None
    name = "elicits"

    def __str__(self) -> str:
        return f"elicits the {self.functional}"

    def refute(self, probe: Probe) -> str | None:
        np, generator = probe.np, probe.generator
        for _ in range(max(1, probe.points // 200)):
            targets = generator.gamma(1.5, 2.0, size=20)
            if self.level is None:
                best = float(targets.mean())
            else:
                best = float(np.quantile(targets, self.level, method="inverted_cdf"))
            candidates = best + generator.normal(size=10) * generator.choice([0.01, 0.1, 1.0, 10.0], size=10)
            costs = [
                float(np.mean(probe.values(np.full_like(targets, candidate), targets)))
                for candidate in (best, *candidates)
            ]
            if min(costs[1:]) < costs[0] * (1 - 1e-12):
                better = candidates[int(np.argmin(costs[1:]))]
                return f"{better:.6g} costs less than the {self.functional} {best:.6g}"
        return None

    def combine(self, factors: tuple[float, ...], others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
        same = all(_found(Elicits, each) == self for each in others)
        return self if same else None


@final
@dataclasses.dataclass(frozen=True)
class Proper(Claim):
    """The expected loss is least when the prediction is the true probability."""

    name = "proper"

    def refute(self, probe: Probe) -> str | None:
        np, generator = probe.np, probe.generator
        rows = probe.loss.prediction.rows
        classes = probe.classes if rows else 2
        true = generator.dirichlet(np.ones(classes), size=probe.points)
        other = generator.dirichlet(np.ones(classes), size=probe.points)
        near = slice(0, probe.points // 2)  # a minimum that is off by little
        other[near] = 0.97 * true[near] + 0.03 * other[near]
        excess = self._expected(probe, other, true) - self._expected(probe, true, true)
        return probe.first(excess < -1e-12, true=true, better=other)

    def _expected(self, probe: Probe, share: Any, true: Any) -> Any:
        """The mean loss of predicting `share` where the classes come up with the probabilities `true`."""
        np = probe.np
        rows, logits = probe.loss.prediction.rows, probe.loss.prediction.symbol == "z"
        if rows:
            prediction = np.log(share) if logits else share
        else:
            prediction = np.log(share[:, 1] / share[:, 0]) if logits else share[:, 1]
        expected = np.zeros(len(share))
        for index in range(true.shape[1]):
            if probe.loss.target.indices:
                target = np.full(len(share), index)
            elif rows:
                target = np.eye(true.shape[1])[np.full(len(share), index)]
            else:
                target = np.full(len(share), float(index))
            expected += true[:, index] * probe.values(prediction, target)
        return expected


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
    if first.ndim == 1 and probe.loss.task == "regression":
        half = len(first) // 2
        first[:half], second[:half] = target[:half] - 1.5, target[:half] + 2.5
    for _ in range(60):
        middle = 0.5 * first + 0.5 * second
        at_first, at_middle, at_second = (probe.gradient(x, target) for x in (first, middle, second))
        left = probe.distance(at_first, at_middle) >= probe.distance(at_middle, at_second)
        left = left[:, None] if first.ndim > 1 else left
        first, second = np.where(left, first, middle), np.where(left, middle, second)
    jump = probe.distance(probe.gradient(first, target), probe.gradient(second, target))
    scale = 1.0 + np.abs(first).reshape(len(first), -1).max(axis=1)
    where = np.flatnonzero((jump > 1e-4) & (probe.distance(first, second) < 1e-12 * scale))
    return probe.describe(int(where[0]), prediction=first, target=target) if len(where) else None
