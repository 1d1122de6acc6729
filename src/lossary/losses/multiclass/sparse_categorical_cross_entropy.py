from __future__ import annotations

from typing import Any

from lossary.define import (
    AgainstNoise,
    Array,
    Balance,
    Claim,
    ClassIndex,
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


class SparseCategoricalCrossEntropy(Rowwise):
    """The surprise at the right class, given as its index, when the prediction says how likely each class was."""

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
    target = ClassIndex()
    output_layer = "K linear units (from_logits=True), or K units with a softmax (from_logits=False)"
    choosing = "the default for more than two classes"
    strengths = (
        "without class_weight and label_smoothing proper: the best prediction is the true distribution",
        "the value and gradient of CategoricalCrossEntropy without the one-hot rows",
    )
    weaknesses = (
        "confident mistakes cost without bound, so that mislabelled examples weigh much",
        "no soft targets",
    )
    sources = (
        "Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x",
        "Szegedy et al. 2016, doi:10.1109/CVPR.2016.308 (label smoothing)",
    )
    foreign_names = ("CrossEntropyLoss", "CrossEntropy", "NLLLoss", "SparseCategoricalCrossentropy", "SCCE")
    same_as = (
        Twin(
            "torch.nn.CrossEntropyLoss(reduction='none', label_smoothing=label_smoothing)(prediction, target)",
            when={"from_logits": True},
        ),
        Twin(
            "torch.nn.CrossEntropyLoss(reduction='none', weight=torch.tensor(class_weight))(prediction, target)",
            when={"from_logits": True},
            given=("class_weight",),
        ),
        Twin(
            "torch.nn.CrossEntropyLoss(reduction='none', label_smoothing=label_smoothing)(torch.log(prediction), target)",
            when={"from_logits": False},
            given=("label_smoothing",),
        ),
        Twin("torch.nn.NLLLoss(reduction='none')(torch.log(prediction), target)", when={"from_logits": False}),
        Twin(
            "torch.nn.NLLLoss(reduction='none', weight=torch.tensor(class_weight))(torch.log(prediction), target)",
            when={"from_logits": False},
            given=("class_weight",),
        ),
        Twin(
            "keras.losses.SparseCategoricalCrossentropy(from_logits=True)(target, prediction)",
            when={"from_logits": True},
        ),
        Twin(
            "keras.losses.SparseCategoricalCrossentropy()(target, prediction)",
            when={"from_logits": False},
            departs=Departure("clips probabilities to [1e-7, 1 - 1e-7]", [[0.0, 1.0]], [0], 16.118095),
        ),
        Twin("optax.softmax_cross_entropy_with_integer_labels(prediction, target)", when={"from_logits": True}),
        Twin(
            "sklearn.metrics.log_loss(target, prediction, labels=range(prediction.shape[-1]))",
            when={"from_logits": False},
            departs=Departure(
                "clips probabilities to [ε, 1 - ε], ε the spacing of their dtype", [[0.0, 1.0]], [0], 15.942385
            ),
        ),
        Twin(
            "sklearn.metrics.log_loss(target, prediction, labels=range(prediction.shape[-1]), sample_weight=numpy.take(class_weight, target))",
            when={"from_logits": False},
            given=("class_weight",),
            departs=Departure(
                "clips probabilities to [ε, 1 - ε], ε the spacing of their dtype",
                [[0.0, 1.0, 0.0, 0.0]],
                [0],
                15.942385,
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
        return xp.lookup(xp.table(self.class_weight, prediction), y) if len(self.class_weight) else None

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        share = xp.exp(p) / xp.row(xp.sum(xp.exp(p))) if self.from_logits else p
        return self._of_surprisal(xp, p, -xp.log(share), y)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        if self.from_logits and not self.label_smoothing:
            return xp.surprisal_at(p, y)
        if self.from_logits:
            half, spread = xp.half_surprisal(p), 2.0 * self.label_smoothing / xp.classes(p)
            return xp.sum(
                xp.where(xp.is_class(y, p), (2.0 * (1.0 - self.label_smoothing) + spread) * half, spread * half)
            )
        # NaN anywhere in a row is NaN, as it is for the one-hot row.
        return self._of_surprisal(xp, p, -xp.log(p), y) + 0.0 * xp.sum(p)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        right = xp.is_class(y, p)
        spread = self.label_smoothing / xp.classes(p)
        kept = 1.0 - self.label_smoothing
        if not self.from_logits:
            return -xp.quotient(xp.where(right, kept + spread + 0.0 * p, spread + 0.0 * p), p)
        share, complement = xp.softmax_and_complement(p)
        gradient = xp.where(right, -complement, share)
        if not self.label_smoothing:
            return gradient
        return kept * gradient + spread * (share * (xp.classes(p) - 1.0) - complement)

    def _of_surprisal(self, xp: Any, p: Array, surprisal: Array, y: Array) -> Array:
        at_class = xp.take(surprisal, y)
        if not self.label_smoothing:
            return at_class
        return (1.0 - self.label_smoothing) * at_class + self.label_smoothing / xp.classes(p) * xp.sum(surprisal)
