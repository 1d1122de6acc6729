from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Estimates,
    EstimatesCentre,
    Identity,
    Kinked,
    Lipschitz,
    NonNegative,
    Pointwise,
    Real,
    Symmetric,
    TimesSpread,
    Twin,
    ZeroAtTarget,
    parameter,
)


class EpsilonInsensitive(Pointwise):
    """Absolute error beyond a tube of half-width ε, within which an error costs nothing: the loss of support vectors."""

    epsilon: float = parameter(
        default=0.1,
        at_least=0,
        symbol="ε",
        doc="the largest residual that costs nothing, in the target's units; 0 is absolute error",
        foreign=("eps", "tolerance", "tube", "margin"),
        examples=(0.0, 1.5),
        choose=TimesSpread((0.612, 0.25)),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "epsilon is the error that does not matter to you, or 0.612 × the robust spread, best on normal errors"
    strengths = (
        "errors that are too small to matter do not pull: the solution rests on few examples",
        "an outlier's pull is capped at 1",
    )
    weaknesses = (
        "kink at ±ε; no curvature to learn from",
        "within the tube every prediction is as good as another",
    )
    no_twin = "scikit-learn has it inside its models alone"
    sources = (
        "Vapnik 1995, The Nature of Statistical Learning Theory, chapter 6",
        "Smola, Murata, Schölkopf & Müller 1998, Asymptotically Optimal Choice of ε-Loss for Support Vector Machines",
    )
    foreign_names = ("EpsilonInsensitiveLoss", "L1EpsilonInsensitive", "L1EpsilonIns", "SVRLoss", "EpsilonHinge")
    identities = (Identity("MeanAbsoluteError()", when={"epsilon": 0.0}),)
    same_as = (Twin("torch.nn.L1Loss(reduction='none')(prediction, target)", when={"epsilon": 0.0}),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        shape = Convex(), Lipschitz(1.0), Symmetric()
        if self.epsilon == 0.0:
            return *shape, ZeroAtTarget(), Kinked("0"), Estimates("median", 0.5)
        return *shape, NonNegative(), Kinked("±ε"), EstimatesCentre(within=self.epsilon)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.relu(xp.abs(p - y) - self.epsilon)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        # What is neither above, below nor within is NaN.
        below = xp.where(r < -self.epsilon, -1.0, 0.0 * xp.clip(r, -1.0, 1.0))
        return xp.where(r > self.epsilon, 1.0, below)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return 0.0 * self.gradient(xp, p, y)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array | float, ...]:
        return p - y, self.epsilon
