from __future__ import annotations

from typing import Any

from lossary.define import (
    AgainstNoise,
    Array,
    Balance,
    Claim,
    Convex,
    Departure,
    Differentiable,
    Domain,
    Lipschitz,
    Logits,
    NonNegative,
    NotProper,
    Proper,
    Rowwise,
    ShiftInvariant,
    Simplex,
    Smooth,
    StrictlyConvex,
    Table,
    Twin,
    UnboundedGradient,
    parameter,
)


class CategoricalCrossEntropy(Rowwise):
    """The surprise at the right class, given as a one-hot or soft row, when the prediction says how likely each was."""

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a softmax)"
    )
    class_weight: Table = parameter(
        default=(),
        at_least=0,
        table=True,
        doc="how much each class counts, in the mean's denominator too; () for alike",
        foreign=("weight", "class_weights", "alpha"),
        examples=((0.5, 2.0, 1.0, 0.25),),
        choose=Balance(),
    )
    label_smoothing: float = parameter(
        default=0.0,
        at_least=0,
        below=1,
        symbol="ε",
        doc="the share of every target that is spread evenly over all classes",
        foreign=("smoothing",),
        examples=(0.1,),
        choose=AgainstNoise(0.1),
    )

    task = "multiclass"
    everyday = True
    target = Simplex(one_hot=True)
    output_layer = "K linear units (from_logits=True), or K units with a softmax (from_logits=False)"
    choosing = "the default for soft targets; with class indices take SparseCategoricalCrossEntropy, which is the same"
    strengths = (
        "without class_weight and label_smoothing proper: the best prediction is the true distribution",
        "takes soft targets: mixtures, distillation, several annotators",
    )
    weaknesses = (
        "confident mistakes cost without bound, so that mislabelled examples weigh much",
        "one-hot targets take K numbers where an index takes one",
    )
    sources = (
        "Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x",
        "Szegedy et al. 2016, doi:10.1109/CVPR.2016.308 (label smoothing)",
    )
    foreign_names = ("SoftmaxCrossEntropy", "CategoricalCrossentropy", "SoftCrossEntropy", "CCE")
    same_as = (
        Twin(
            "torch.nn.CrossEntropyLoss(reduction='none', label_smoothing=label_smoothing)(prediction, target)",
            when={"from_logits": True},
        ),
        Twin(
            "torch.nn.CrossEntropyLoss(reduction='none', weight=torch.tensor(class_weight))(prediction, target)",
            when={"from_logits": True},
            given=("class_weight",),
            labels=("target",),
        ),
        Twin(
            "torch.nn.NLLLoss(reduction='none', weight=torch.tensor(class_weight))(torch.log(prediction), target.argmax(-1))",
            when={"from_logits": False},
            given=("class_weight",),
            labels=("target",),
        ),
        Twin(
            "keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)(target, prediction)",
            when={"from_logits": True},
        ),
        Twin(
            "keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing)(target, prediction)",
            when={"from_logits": False},
            departs=Departure("clips probabilities to [1e-7, 1 - 1e-7]", [[0.0, 1.0]], [[1.0, 0.0]], 16.118095),
        ),
        Twin("optax.softmax_cross_entropy(prediction, target)", when={"from_logits": True}),
        Twin(
            "optax.softmax_cross_entropy(prediction, optax.smooth_labels(target, label_smoothing))",
            when={"from_logits": True},
            given=("label_smoothing",),
        ),
        Twin(
            "sklearn.metrics.log_loss(target, prediction)",
            when={"from_logits": False},
            labels=("target",),
            departs=Departure(
                "clips probabilities to [ε, 1 - ε], ε the spacing of their dtype", [[0.0, 1.0]], [[1.0, 0.0]], 15.942385
            ),
        ),
    )

    @property
    def prediction(self) -> Domain:
        return Logits() if self.from_logits else Simplex()

    @property
    def claims(self) -> tuple[Claim, ...]:
        weights = self.class_weight or (1.0,)
        lightest, heaviest = min(weights), max(weights)
        alike = lightest == heaviest > 0.0
        proper = Proper() if alike and self.label_smoothing == 0.0 else NotProper()
        if self.from_logits:
            slope = Smooth(0.5 * heaviest), Lipschitz(2**0.5 * heaviest)
            return Convex(), *slope, NonNegative(), ShiftInvariant(), proper
        # Only smoothing makes every class count in every row.
        curve = StrictlyConvex() if self.label_smoothing and lightest > 0.0 else Convex()
        steep = (UnboundedGradient(),) if heaviest > 0.0 else ()
        return curve, Differentiable(), NonNegative(), proper, *steep

    def row_weight(self, xp: Any, y: Array, prediction: Array) -> Array | None:
        return xp.sum(xp.table(self.class_weight, y) * y) if len(self.class_weight) else None

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = xp.exp(p) / xp.row(xp.sum(xp.exp(p))) if self.from_logits else p
        return -xp.sum(xp.product(self._smoothed(xp, p, y), xp.log(share)))

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        y = self._smoothed(xp, p, y)
        if self.from_logits:
            return xp.sum(xp.product(2.0 * y, xp.half_surprisal(p)))
        return xp.sum(xp.product(y, -xp.log(p)))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        y = self._smoothed(xp, p, y)
        if not self.from_logits:
            return -xp.quotient(y, p)
        share, complement = xp.softmax_and_complement(p)
        return share * xp.sum_of_others(y) - y * complement

    def _smoothed(self, xp: Any, p: Array, y: Array) -> Array:
        if not self.label_smoothing:
            return y
        return (1.0 - self.label_smoothing) * y + self.label_smoothing / xp.classes(p)
