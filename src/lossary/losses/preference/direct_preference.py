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


def gain(
    xp: Any, chosen: Array, rejected: Array, reference_chosen: Array, reference_rejected: Array
) -> tuple[Array, Array]:
    """How much further the chosen answer leads than the reference lets it, and what rounding has lost of that."""
    lead, first = xp.difference_in_parts(chosen, rejected)
    expected, second = xp.difference_in_parts(reference_chosen, reference_rejected)
    beyond, third = xp.difference_in_parts(lead, expected)
    return beyond, (first - second) + third


def exponential(xp: Any, rate: float, lead: Array, lost: Array) -> tuple[Array, Array, Array]:
    """(Whether a lead in two parts is not negative, its size times the rate, the exponential of minus that).

    What the exponential would magnify is kept: log-probabilities of answers are large beside their differences.
    """
    ahead = lead >= 0.0
    size, rest = xp.where(ahead, lead, -lead), xp.where(ahead, lost, -lost)
    return ahead, rate * (size + rest), xp.discounted(1.0 + 0.0 * rest, rate, size, rest)


class DirectPreference(Pointwise):
    """The cross-entropy of telling the chosen answer from the rejected one by how much likelier each has become than a
    reference model finds it: direct preference optimization.

    All four inputs are log-probabilities of whole answers, each the sum over its tokens, of one shape. Gradients are
    taken of chosen and rejected alone; what the reference says is given. TRL's loss_type="robust" is another loss: it
    takes the cost of a swapped pair off, and divides by 1 - 2 ε.
    """

    beta: float = parameter(
        default=0.1,
        above=0,
        symbol="β",
        doc="how much a pair counts for each unit of log-probability; the smaller, the further the model may leave the "
        "reference",
        foreign=("temperature",),
        examples=(0.5,),
    )
    label_smoothing: float = parameter(
        default=0.0,
        at_least=0,
        below=0.5,
        symbol="ε",
        doc="the share of pairs whose answers are taken to have been swapped",
        foreign=("eps",),
        examples=(0.1,),
    )

    everyday = True
    task = "preference"
    chosen, rejected = (Learned(Real()),) * 2
    reference_chosen, reference_rejected = (Real(),) * 2
    output_layer = "none: the sums of the log-probabilities of an answer's tokens, in float32 or wider"
    choosing = "beta=0.1, up to 0.5 to stay nearer to the reference; label_smoothing where pairs may be swapped"
    strengths = (
        "learns from which of two answers is better, without a model of rewards and without sampling",
        "convex in the log-probabilities: no pair pulls harder than beta",
    )
    weaknesses = (
        "without label_smoothing a pair is never done: its answers are driven apart without end",
        "only their difference counts, so that the chosen answer may become less likely too",
    )
    sources = (
        "Rafailov et al. 2023, arXiv:2305.18290",
        "Chowdhury, Kini & Natarajan 2024, arXiv:2403.00409 (swapped pairs)",
    )
    foreign_names = ("DPO", "DPOLoss", "DirectPreferenceOptimization", "DirectPreferenceLoss", "cDPO")
    same_as = (
        Twin(
            "torch.nn.BCEWithLogitsLoss(reduction='none')(beta * ((chosen - rejected) - (reference_chosen - "
            "reference_rejected)), torch.full_like(chosen, 1 - label_smoothing))"
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        return Convex(), Smooth(0.25 * self.beta * self.beta), Lipschitz(self.beta), NonNegative()

    @property
    def notation(self) -> Notation:
        latex, text = r"\log\left(1 + e^{-\beta \rho}\right)", "log(1 + exp(-β ρ))"
        if self.label_smoothing:
            latex = rf"(1 - \varepsilon) \, {latex} + \varepsilon \, \log\left(1 + e^{{\beta \rho}}\right)"
            text = f"(1 - ε) {text} + ε log(1 + exp(β ρ))"
        return Notation(
            latex=rf"{latex} \quad \text{{with }} \rho = \log \frac{{\pi_w}}{{\pi_l}} - \log \frac{{r_w}}{{r_l}}",
            text=f"{text}\nwith ρ = (chosen - rejected) - (reference_chosen - reference_rejected)",
        )

    def formula(self, xp: Any, p: Array, y: Array, *, reference_chosen: Array, reference_rejected: Array) -> Array:
        lead = self.beta * ((p - y) - (reference_chosen - reference_rejected))
        right, swapped = xp.log(1 + xp.exp(-lead)), xp.log(1 + xp.exp(lead))
        return (1 - self.label_smoothing) * right + self.label_smoothing * swapped

    def value(self, xp: Any, p: Array, y: Array, *, reference_chosen: Array, reference_rejected: Array) -> Array:
        ahead, size, small = self._lead(xp, p, y, reference_chosen, reference_rejected)
        swapped = self.label_smoothing * size if self.label_smoothing else 0.0
        return xp.log1p(small) + xp.where(ahead, swapped, (1.0 - self.label_smoothing) * size)

    def gradient(
        self, xp: Any, p: Array, y: Array, *, reference_chosen: Array, reference_rejected: Array
    ) -> tuple[Array, Array]:
        ahead, _, small = self._lead(xp, p, y, reference_chosen, reference_rejected)
        right, swapped = xp.where(ahead, small, 1.0), xp.where(ahead, 1.0, small)
        kept, turned = self.beta * (1.0 - self.label_smoothing), self.beta * self.label_smoothing
        pull = (kept * right - turned * swapped) / (1.0 + small)
        return -pull, pull

    def _lead(
        self, xp: Any, chosen: Array, rejected: Array, reference_chosen: Array, reference_rejected: Array
    ) -> tuple[Array, Array, Array]:
        return exponential(xp, self.beta, *gain(xp, chosen, rejected, reference_chosen, reference_rejected))
