"""What is said of a loss, each with a function that tries to refute it.

A claim is never believed because it was typed: `claim.examine(loss)` looks for a counterexample on adversarial and
random points, in float64 NumPy. What follows from a claim (strongly convex ⇒ strictly convex ⇒ convex) is derived by
`implies`, never written on a loss.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, final

from lossary.define.probe import NothingBetweenError, Probe
from lossary.errors import DifferentiationError

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.define.objective import Objective


NO_ENTRIES = "the losses of a batch are one"


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
        return self if all(includes(type(self), claims) for claims in others) else None

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


def includes(kind: type[Claim], claims: tuple[Claim, ...]) -> bool:
    return any(isinstance(claim, kind) for claim in claims)


def first_of(kind: type[Any], claims: tuple[Claim, ...]) -> Any:
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
            return NO_ENTRIES
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


def if_alone(claim: Claim, others: tuple[tuple[Claim, ...], ...]) -> Claim | None:
    """A claim that is lost as soon as another loss is added."""
    return claim if len(others) == 1 else None
