from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassIndex,
    Convex,
    Counted,
    Identity,
    Lipschitz,
    Logits,
    NonNegative,
    Notation,
    NotProper,
    Proper,
    Rowwise,
    ShiftInvariant,
    Smooth,
    Table,
    Twin,
    parameter,
)

_FAR = 1e30  # below the largest, where no class has a share


class LogitAdjusted(Rowwise):
    """Cross-entropy of logits to which τ times the logarithm of how frequent each class is has been added: what is left
    for the logits to say is how likely each class were if all were equally frequent.

    Predict with the logits as they are, without the prior: whoever subtracts it from them as well does so twice.
    """

    prior: Table = parameter(
        default=(),
        above=0,
        table=True,
        symbol="π",
        doc="how frequent each class is, as shares or as counts of rows, for only their ratios matter; () for alike",
        foreign=("class_prior", "priors", "class_counts", "cls_num_list"),
        examples=((0.625, 0.25, 0.09375, 0.03125),),
        choose=Counted(),
    )
    tau: float = parameter(
        default=1.0,
        at_least=0,
        symbol="τ",
        doc="how far the prior is taken out of the logits; 0 is plain cross-entropy, and 1 balanced softmax",
        foreign=("temperature",),
        examples=(0.5,),
    )

    task = "multiclass"
    tried = False
    prediction = Logits()
    target = ClassIndex()
    output_layer = "K linear units: the loss takes logits alone; the largest names the class"
    choosing = "where rare classes matter as much as frequent ones: prior is the rows of each class, and tau=1"
    strengths = (
        "tau=1 is right for the mean error over classes: the best logits name the likeliest of equally frequent ones",
        "convex, and no row weighs more than another, as it does with class_weight",
    )
    weaknesses = (
        "with a prior the softmax of the logits is no probability, but for that of logits to which τ log π is added",
        "confident mistakes cost without bound, so that mislabelled examples weigh much",
    )
    sources = (
        "Menon et al. 2020, arXiv:2007.07314",
        "Ren et al. 2020, arXiv:2007.10740 (balanced softmax)",
    )
    foreign_names = (
        "LogitAdjustment",
        "LogitAdjustedLoss",
        "LogitAdjustLoss",
        "BalancedSoftmax",
        "BalancedSoftmaxLoss",
    )
    identities = (
        Identity("SparseCategoricalCrossEntropy()", when={"tau": 0.0}, whatever=("prior",)),
        Identity("SparseCategoricalCrossEntropy()", when={"prior": ()}, whatever=("tau",)),
    )
    same_as = (
        Twin(
            "torch.nn.CrossEntropyLoss(reduction='none')(prediction + tau * torch.log(torch.tensor(prior or (1.0,))), "
            "target)"
        ),
        Twin(
            "optax.softmax_cross_entropy_with_integer_labels(prediction + tau * jax.numpy.log(jax.numpy.array(prior or "
            "(1.0,))), target)"
        ),
    )

    @property
    def claims(self) -> tuple[Claim, ...]:
        alike = self.tau == 0.0 or len(set(self.prior)) <= 1
        slope = Smooth(0.5), Lipschitz(2**0.5)
        return Convex(), *slope, NonNegative(), ShiftInvariant(), Proper() if alike else NotProper()

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"-\log \frac{\pi_y^\tau \, e^{z_y}}{\sum_k \pi_k^\tau \, e^{z_k}}",
            text="-log(π[y]^τ exp(z[y]) / Σₖ πₖ^τ exp(zₖ))",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        parts = xp.exp(p + self._offset(xp, p))
        return -xp.log(xp.take(parts, y) / xp.sum(parts))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        logits, best, lost = self._adjusted(xp, p)
        surprisal, small = xp.surprisal_at(logits, y), xp.take(xp.softmax_and_complement(logits)[1], best)
        # Not small · mean added to it, which may be subnormal; nor more than 1 of it, where it is too small for a float.
        gained = xp.minimum(xp.quotient(small, surprisal), 1.0) * self._mean_of_others(xp, logits, best, lost)
        return surprisal * (1.0 + gained) - xp.take(lost, y)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        logits, best, lost = self._adjusted(xp, p)
        share, complement = xp.softmax_and_complement(logits)
        small = xp.take(complement, best)
        # Of what is small beside 1, the exponential is 1 more.
        mean = xp.row(self._mean_of_others(xp, logits, best, lost))
        gained = lost - xp.row(small) * mean
        others = xp.where(xp.is_class(best, p), complement * (1.0 + share * mean), complement - share * gained)
        return xp.where(xp.is_class(y, p), -others, share * (1.0 + gained))

    # The power τ of a ratio of two frequencies, whose logarithm is rounded by half a unit in its last place.

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (self._magnified(xp, p) * self.gradient(xp, p, y),)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        share, complement = xp.softmax_and_complement(p + self._offset(xp, p))
        own = xp.equal(xp.row(xp.positions(p)), xp.positions(p))
        across = xp.where(own, xp.row(complement), xp.transpose(xp.row(share)))
        return (xp.row(self._magnified(xp, p)) * xp.row(share) * across,)

    def _magnified(self, xp: Any, p: Array) -> Array:
        """How much more than a share of plain logits one is rounded."""
        offset = self._offset(xp, p) + 0.0 * xp.clip(p, -1.0, 1.0)
        return 1.0 + 0.5 * xp.row(xp.max(offset) + xp.max(-offset))

    def _adjusted(self, xp: Any, p: Array) -> tuple[Array, Array, Array]:
        """The logits with the prior, less those of the class that is the largest then; which one that is; and what
        rounding has lost of each, which is nothing of that class itself."""
        offset = self._offset(xp, p) + 0.0 * xp.clip(p, -1.0, 1.0)
        best = xp.argmax(p + offset)
        largest = xp.stop_gradient(xp.row(xp.take(p, best)))
        below, first = xp.difference_in_parts(p, largest)
        # ∞ − ∞ is 0 for that class itself.
        below = xp.where(xp.logical_and(xp.isnan(below), xp.equal(p, largest)), 0.0, below)
        logits, second = xp.difference_in_parts(below, xp.row(xp.take(offset, best)) - offset)
        return logits, best, first + second

    def _mean_of_others(self, xp: Any, logits: Array, best: Array, lost: Array) -> Array:
        """What rounding has lost in the mean over all classes but the best, by the shares that they have among them."""
        others = xp.where(xp.is_class(best, logits), -_FAR, xp.maximum(logits, -_FAR))
        return xp.sum(xp.softmax_and_complement(others)[0] * lost)

    def _offset(self, xp: Any, p: Array) -> Array:
        """τ times the logarithm of each class's frequency."""
        return self.tau * xp.log(xp.table(self.prior, p)) if len(self.prior) else 0.0
