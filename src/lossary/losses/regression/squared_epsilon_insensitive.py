from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Estimates,
    EstimatesCentre,
    Identity,
    NonNegative,
    Pointwise,
    Real,
    Smooth,
    StronglyConvex,
    Symmetric,
    TimesSpread,
    Twin,
    UnboundedGradient,
    ZeroAtTarget,
    parameter,
)


class SquaredEpsilonInsensitive(Pointwise):
    """The square of what an error exceeds ε by: squared error without the errors that do not matter."""

    epsilon: float = parameter(
        default=0.1,
        at_least=0,
        symbol="ε",
        doc="the largest residual that costs nothing, in the target's units; 0 is squared error",
        foreign=("eps", "tolerance", "tube", "margin"),
        examples=(0.0, 0.5),
        choose=TimesSpread((0.1, 0.5)),
    )

    task = "regression"
    tried = False
    prediction, target = Real(), Real()
    output_layer = "one linear unit"
    choosing = "epsilon is the error that does not matter to you, in the target's units; 0 is MeanSquaredError"
    strengths = (
        "errors that are too small to matter do not pull: the solution rests on few examples",
        "smooth at ±ε, where EpsilonInsensitive has its kinks",
    )
    weaknesses = (
        "the gradient grows with the residual without bound, so that one outlier rules a batch",
        "within the tube every prediction is as good as another",
    )
    no_twin = "scikit-learn has it inside its models alone"
    sources = (
        "Drucker, Burges, Kaufman, Smola & Vapnik 1997, Support Vector Regression Machines",
        "Ho & Lin 2012, Large-scale Linear Support Vector Regression",
    )
    foreign_names = ("SquaredEpsilonInsensitiveLoss", "L2EpsilonInsensitive", "L2EpsilonIns", "L2SVRLoss")
    identities = (Identity("MeanSquaredError()", when={"epsilon": 0.0}),)
    same_as = (Twin("torch.nn.MSELoss(reduction='none')(prediction, target)", when={"epsilon": 0.0}),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        shape = Smooth(2.0), Symmetric(), UnboundedGradient()
        if self.epsilon == 0.0:
            return StronglyConvex(2.0), *shape, ZeroAtTarget(), Estimates("mean")
        return Convex(), *shape, NonNegative(), EstimatesCentre(within=self.epsilon)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        beyond = xp.relu(xp.abs(p - y) - self.epsilon)
        return beyond * beyond

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        return 2.0 * (xp.relu(r - self.epsilon) - xp.relu(-r - self.epsilon))

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        r = p - y
        return xp.where(xp.abs(r) > self.epsilon, 2.0 + 0.0 * r, 0.0 * xp.clip(r, -1.0, 1.0))

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (xp.relu(xp.abs(p - y) - self.epsilon) * (xp.abs(p - y) + self.epsilon),)

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (2.0 * (xp.abs(p - y) + self.epsilon),)
