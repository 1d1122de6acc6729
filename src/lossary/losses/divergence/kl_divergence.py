from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Departure,
    Differentiable,
    Domain,
    Lipschitz,
    Logits,
    NotSymmetricInArguments,
    Proper,
    Rowwise,
    ShiftInvariant,
    Simplex,
    Smooth,
    Twin,
    UnboundedGradient,
    ZeroAtTarget,
    parameter,
)


class KLDivergence(Rowwise):
    """What it costs, per distribution, to expect the prediction Q where the target P is true: KL(P ‖ Q)."""

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (log-probabilities are logits too) or probabilities"
    )
    log_target: bool = parameter(default=False, doc="whether targets are log-probabilities", examples=(True,))

    task = "distribution"
    everyday = True
    output_layer = "K linear units (from_logits=True), or K units with a softmax (from_logits=False)"
    choosing = "when the target is a distribution itself: distillation, variational inference, soft labels"
    strengths = (
        "0 exactly when both distributions are the same, unlike cross-entropy with soft targets",
        "one number for each distribution, whose mean over a batch is a mean of divergences",
    )
    weaknesses = (
        "from probabilities, infinite where the prediction rules out what the target allows",
        "not symmetric, and no distance: the direction matters",
    )
    sources = ("Kullback & Leibler 1951, doi:10.1214/aoms/1177729694",)
    foreign_names = ("KLDivLoss", "KLD", "RelativeEntropy", "KullbackLeiblerDivergence")
    same_as = (
        Twin(
            "torch.nn.KLDivLoss(reduction='none')(torch.log_softmax(prediction, -1), target).sum(-1)",
            when={"from_logits": True},
        ),
        Twin(
            "torch.nn.KLDivLoss(reduction='none', log_target=True)(torch.log_softmax(prediction, -1), target).sum(-1)",
            when={"from_logits": True, "log_target": True},
            departs=Departure(
                "NaN where the target rules a class out", [[0.0, 0.0]], [[0.0, -float("inf")]], float("nan")
            ),
        ),
        Twin(
            "torch.nn.KLDivLoss(reduction='none', log_target=log_target)(torch.log(prediction), target).sum(-1)",
            when={"from_logits": False},
            departs=Departure("NaN where the prediction rules a class out", [[1.0, 0.0]], [[1.0, 0.0]], float("nan")),
        ),
        Twin(
            "keras.losses.KLDivergence()(target, prediction)",
            when={"from_logits": False},
            departs=Departure("clips both to [1e-7, 1]", [[0.0, 1.0]], [[1.0, 0.0]], 16.118094),
        ),
        Twin("optax.kl_divergence(jax.nn.log_softmax(prediction), target)", when={"from_logits": True}),
        Twin(
            "optax.losses.kl_divergence_with_log_targets(jax.nn.log_softmax(prediction), target)",
            when={"from_logits": True, "log_target": True},
            departs=Departure(
                "NaN where the target rules a class out", [[0.0, 0.0]], [[0.0, -float("inf")]], float("nan")
            ),
        ),
        Twin("scipy.special.rel_entr(target, prediction).sum(-1)", when={"from_logits": False}),
        Twin(
            "torchmetrics.functional.kl_divergence(target, prediction, reduction='none')", when={"from_logits": False}
        ),
    )

    @property
    def prediction(self) -> Domain:
        return Logits() if self.from_logits else Simplex()

    @property
    def target(self) -> Domain:
        return Simplex(logarithms=self.log_target)

    @property
    def claims(self) -> tuple[Claim, ...]:
        slope: tuple[Claim, ...] = (Differentiable(), UnboundedGradient())
        if self.from_logits:
            slope = (Smooth(0.5), Lipschitz(2**0.5), ShiftInvariant())
        return Convex(), *slope, ZeroAtTarget(), NotSymmetricInArguments(), Proper("distribution")

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        q = xp.exp(p) / xp.row(xp.sum(xp.exp(p))) if self.from_logits else p
        true = xp.exp(y) / xp.row(xp.sum(xp.exp(y))) if self.log_target else y
        return xp.sum(xp.product(true, xp.log(true) - xp.log(q)))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        # Near equality nothing is left of the terms of Σ P log(P / Q) but what P log(P / Q) − P + Q sums up to. A
        # softmax sums to exactly 1, and rounding must not touch that; other rows sum to what they do.
        share = xp.softmax_and_complement(y)[0] if self.log_target else y
        if self.from_logits:
            total = xp.sum(xp.divergence(share, *xp.softmax_and_half_surprisal(p)))
            if self.log_target:
                return total
            given, rest = xp.sum_with_rest(share)
            return ((given - 1.0) + rest) + total
        near, entropy = xp.relative_entropy(share, p)
        if self.log_target:  # what is far of a share that sums to 1 is what is missing of it near
            given, rest = xp.sum_with_rest(xp.where(near, p, 0.0))
            return (((1.0 - given) - rest) - xp.sum(xp.where(near, 0.0, share))) + xp.sum(entropy)
        difference, rest = xp.sum_with_rest(xp.where(near, share - p, 0.0))
        return difference + (rest + xp.sum(entropy))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        # Log-probabilities are read as logits, so that rounding in their normalisation does not count.
        share = xp.softmax_and_complement(y)[0] if self.log_target else y
        if not self.from_logits:
            return -xp.quotient(share, p)
        predicted, complement = xp.softmax_and_complement(p)
        return predicted * xp.sum_of_others(share) - share * complement

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # Those of Σ P log(P / Q); where P itself is a rounded softmax, those of Σ P log P − Σ P log Q.
        share = xp.softmax_and_complement(y)[0] if self.log_target else y
        predicted, half = xp.softmax_and_half_surprisal(p) if self.from_logits else (p, -0.5 * xp.log(p))
        if self.log_target:
            return (xp.sum(xp.product(share, xp.abs(xp.log(share)) + 2.0 * half)),)
        near = xp.abs(share - predicted) < 0.5 * predicted
        shares_near = xp.where(near, share, 0.0)
        alike, entropy = xp.relative_entropy(shares_near, predicted)
        small = xp.where(alike, shares_near - predicted, 0.0) + entropy
        large = xp.product(share, xp.where(near, 0.0, xp.log(share) + 2.0 * half))
        return (xp.sum(xp.abs(xp.where(near, small, large))),)

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        share = xp.softmax_and_complement(y)[0] if self.log_target else y
        cost = xp.surprisal(p) if self.from_logits else -xp.log(p)
        of_each = xp.abs(xp.log(share)) + xp.abs(cost)
        if not self.log_target:
            return (of_each + 1.0,)
        return (share * (of_each + xp.row(xp.sum(share * of_each))),)
