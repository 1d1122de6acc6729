from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Learned,
    NonNegative,
    Notation,
    Pointwise,
    Real,
    Smooth,
    StronglyConvex,
    Twin,
    UnboundedGradient,
    parameter,
)
from lossary.losses.preference.direct_preference import gain


class IdentityPreference(Pointwise):
    """The squared distance of how much likelier the chosen answer has become, beside the rejected one and beside what a
    reference model says of both, from 1 / (2 τ): identity preference optimization.

    All four inputs are log-probabilities of answers, of one shape; gradients are taken of chosen and rejected alone.
    TRL's loss_type="ipo" divides each by the number of its answer's tokens first, but not in its CPOTrainer.
    """

    tau: float = parameter(
        default=0.1,
        above=0,
        symbol="τ",
        doc="how near the model is held to the reference; log-probabilities are to differ by 1 / (2 τ), which is 5 at 0.1",
        foreign=("beta",),
        examples=(0.5,),
    )

    task = "preference"
    chosen, rejected = (Learned(Real()),) * 2
    reference_chosen, reference_rejected = (Real(),) * 2
    output_layer = "none: the log-probabilities of an answer, summed over its tokens, or their mean"
    choosing = "tau=0.1; where pairs are always decided alike, on which DirectPreference drives answers apart"
    strengths = (
        "a pair is done: once it leads by 1 / (2 τ) it does not lead further",
        "assumes no law of preferences",
    )
    weaknesses = (
        "a pair that leads by too much costs as much as one that leads by as much too little",
        "its pull grows with the distance, so that few pairs may outweigh the others",
    )
    sources = ("Azar et al. 2023, arXiv:2310.12036",)
    foreign_names = ("IPO", "IPOLoss", "IdentityPreferenceOptimization")
    same_as = (
        Twin(
            "torch.nn.MSELoss(reduction='none')((chosen - rejected) - (reference_chosen - reference_rejected), "
            "torch.full_like(chosen, 1 / (2 * tau)))"
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return StronglyConvex(2.0), Smooth(2.0), UnboundedGradient(), NonNegative()

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"\left(\rho - \frac{1}{2 \tau}\right)^2 \quad \text{with } \rho = \log \frac{\pi_w}{\pi_l} - "
            r"\log \frac{r_w}{r_l}",
            text="(ρ - 1 / (2 τ))²\nwith ρ = (chosen - rejected) - (reference_chosen - reference_rejected)",
        )

    def formula(self, xp: Any, p: Array, y: Array, *, reference_chosen: Array, reference_rejected: Array) -> Array:
        beyond = ((p - y) - (reference_chosen - reference_rejected)) - 1 / (2 * self.tau)
        return beyond * beyond

    def value(self, xp: Any, p: Array, y: Array, *, reference_chosen: Array, reference_rejected: Array) -> Array:
        beyond = self._beyond(xp, p, y, reference_chosen, reference_rejected)
        return beyond * beyond

    def gradient(
        self, xp: Any, p: Array, y: Array, *, reference_chosen: Array, reference_rejected: Array
    ) -> tuple[Array, Array]:
        slope = 2.0 * self._beyond(xp, p, y, reference_chosen, reference_rejected)
        return slope, -slope

    def _beyond(
        self, xp: Any, chosen: Array, rejected: Array, reference_chosen: Array, reference_rejected: Array
    ) -> Array:
        """How much further the chosen answer leads than it should."""
        lead, lost = gain(xp, chosen, rejected, reference_chosen, reference_rejected)
        beyond, rest = xp.difference_in_parts(lead, 0.5 / self.tau)
        return beyond + (lost + rest)
