from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Learned,
    Lipschitz,
    NonNegative,
    Notation,
    Pointwise,
    Real,
    Smooth,
    Twin,
    parameter,
)
from lossary.losses.preference.direct_preference import exponential


class SimplePreference(Pointwise):
    """The cross-entropy of telling the chosen answer from the rejected one by how likely a model finds a token of
    either, where the chosen one must lead by a margin: SimPO, which needs no reference model.

    Inputs are log-probabilities of answers, each the mean over its tokens, so that long answers count no more than
    short ones. Gradients are taken of both.
    """

    beta: float = parameter(
        default=2.0,
        above=0,
        symbol="β",
        doc="how much a pair counts for each unit of log-probability",
        foreign=("temperature",),
        examples=(0.5,),
    )
    gamma: float = parameter(
        default=1.0,
        at_least=0,
        symbol="γ",
        doc="how far β times the lead of the chosen answer should be above 0; TRL has 0.5",
        foreign=("margin", "simpo_gamma", "gamma_beta_ratio"),
        examples=(0.0,),
    )

    task = "preference"
    chosen, rejected = (Learned(Real()),) * 2
    output_layer = "none: the means of the log-probabilities of an answer's tokens, in float32 or wider"
    choosing = "beta=2 to 2.5, and gamma a quarter to a half of beta"
    strengths = (
        "no reference model in memory, and what is trained is what decides when answers are generated",
        "long answers count no more than short ones",
        "convex in the log-probabilities: no pair pulls harder than beta",
    )
    weaknesses = (
        "nothing holds the model to where it started, but few steps that are small",
        "a pair is never done: its answers are driven apart without end",
    )
    sources = ("Meng, Xia & Chen 2024, arXiv:2405.14734",)
    foreign_names = ("SimPO", "SimPOLoss", "SimplePreferenceOptimization")
    same_as = (
        Twin(
            "torch.nn.BCEWithLogitsLoss(reduction='none')(beta * (chosen - rejected) - gamma, torch.ones_like(chosen))"
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), Smooth(0.25 * self.beta * self.beta), Lipschitz(self.beta), NonNegative()

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\log\left(1 + e^{\gamma - \beta \left(\bar{\ell}_w - \bar{\ell}_l\right)}\right)",
            text="log(1 + exp(γ - β (chosen - rejected)))",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        return xp.log(1 + xp.exp(self.gamma - self.beta * (p - y)))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        ahead, size, small = self._lead(xp, p, y)
        return xp.log1p(small) + xp.where(ahead, 0.0, size)

    def gradient(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array]:
        ahead, _, small = self._lead(xp, p, y)
        pull = self.beta * xp.where(ahead, small, 1.0) / (1.0 + small)
        return -pull, pull

    def _lead(self, xp: Any, chosen: Array, rejected: Array) -> tuple[Array, Array, Array]:
        """The lead beyond the margin, as `exponential` has it."""
        lead, first = xp.difference_in_parts(chosen, rejected)
        beyond, second = xp.difference_in_parts(lead, self.gamma / self.beta)
        return exponential(xp, self.beta, beyond, first + second)
