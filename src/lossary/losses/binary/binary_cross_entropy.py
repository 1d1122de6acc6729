from __future__ import annotations

from typing import Any

from lossary.define import (
    AgainstNoise,
    Array,
    Balance,
    Claim,
    ClassificationCalibrated,
    Departure,
    Differentiable,
    Domain,
    Lipschitz,
    NonNegative,
    NotProper,
    NumberOrTable,
    Pointwise,
    Probability,
    Proper,
    Score,
    Smooth,
    StrictlyConvex,
    StronglyConvex,
    Twin,
    UnboundedGradient,
    parameter,
)


class BinaryCrossEntropy(Pointwise):
    """The surprise at a label of 0 or 1 (or a probability between) when the prediction says how likely a 1 was."""

    from_logits: bool = parameter(
        default=True, doc="whether predictions are logits (no activation) or probabilities (after a sigmoid)"
    )
    pos_weight: NumberOrTable = parameter(
        default=1.0,
        above=0,
        table=True,
        symbol="a",
        doc="how much more a positive counts than a negative; one number, or one for each label of (…, K)",
        foreign=("positive_weight", "scale_pos_weight"),
        examples=(3.0, (0.5, 2.0, 1.0, 0.25)),
        choose=Balance(),
    )
    label_smoothing: float = parameter(
        default=0.0,
        at_least=0,
        below=1,
        symbol="ε",
        doc="how far labels are moved towards one half: 1 becomes 1 − ε/2",
        foreign=("smoothing", "alpha"),
        examples=(0.1,),
        choose=AgainstNoise(0.1),
    )

    task = "binary"
    everyday = True
    target = Probability()
    output_layer = "one linear unit (from_logits=True), or one unit with a sigmoid (from_logits=False)"
    choosing = "the default for two classes; pos_weight about negatives / positives where positives are rare and matter"
    strengths = (
        "without pos_weight and label_smoothing proper: the best prediction is the true probability",
        "from logits, no example pulls harder than 1 (or than pos_weight, where that is more)",
    )
    weaknesses = (
        "confident mistakes cost without bound, so that mislabelled examples weigh much",
        "with pos_weight or label smoothing, what it estimates is no longer the probability",
    )
    sources = (
        "Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x",
        "Gneiting & Raftery 2007, doi:10.1198/016214506000001437",
    )
    foreign_names = (
        "BCEWithLogitsLoss",
        "BCELoss",
        "BCE",
        "LogLoss",
        "LogisticLoss",
        "BinaryCrossentropy",
        "SigmoidCrossEntropy",
    )
    same_as = (
        Twin(
            "torch.nn.BCEWithLogitsLoss(reduction='none', pos_weight=torch.tensor(pos_weight))(prediction, target)",
            when={"from_logits": True},
        ),
        Twin(
            "torch.nn.BCEWithLogitsLoss(reduction='none', pos_weight=torch.tensor(pos_weight))(torch.logit(prediction), target)",
            when={"from_logits": False},
            given=("pos_weight",),
            departs=Departure("NaN at probabilities of 0 and 1", [0.0], [0.0], float("nan")),
        ),
        Twin(
            "torch.nn.BCELoss(reduction='none')(prediction, target)",
            when={"from_logits": False},
            departs=Departure("clamps logarithms at -100", [0.0], [1.0], 100.0),
        ),
        Twin(
            "keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=label_smoothing)(target, prediction)",
            when={"from_logits": True},
        ),
        Twin(
            "keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)(target, prediction)",
            when={"from_logits": False},
            departs=Departure("clips probabilities to [1e-7, 1 - 1e-7]", [0.0], [1.0], 16.118095),
        ),
        Twin("optax.sigmoid_binary_cross_entropy(prediction, target)", when={"from_logits": True}),
        Twin(
            "tensorflow.nn.weighted_cross_entropy_with_logits(labels=target, logits=prediction, pos_weight=tensorflow.constant(pos_weight))",
            when={"from_logits": True},
        ),
        Twin(
            "sklearn.metrics.log_loss(target, prediction, labels=[0, 1])",
            when={"from_logits": False},
            labels=("target",),
            departs=Departure(
                "clips probabilities to [ε, 1 - ε], ε the spacing of their dtype", [0.0], [1.0], 15.942385
            ),
        ),
    )

    @property
    def prediction(self) -> Domain:
        return Score() if self.from_logits else Probability()

    @property
    def claims(self) -> tuple[Claim, ...]:
        positive = self.pos_weight if isinstance(self.pos_weight, tuple) else (self.pos_weight,)
        alike = all(weight == 1.0 for weight in positive)
        proper = Proper() if alike and self.label_smoothing == 0.0 else NotProper()
        estimates = (proper, ClassificationCalibrated()) if alike else (proper,)  # smoothing keeps sides
        if not self.from_logits:
            modulus = min(map(self._least_curvature, positive))
            return StronglyConvex(modulus), Differentiable(), NonNegative(), *estimates, UnboundedGradient()
        steepest = max(1.0, *positive)
        return StrictlyConvex(), Smooth(0.25 * steepest), Lipschitz(steepest), NonNegative(), *estimates

    def _least_curvature(self, positive: float) -> float:
        """Of the loss of probabilities: A/p² + B/(1 − p)² is least at (∛A + ∛B)³, which is concave in the shares A and B
        and so least at a label of 0 or 1."""
        moved = 0.5 * self.label_smoothing
        ends = ((positive * (1.0 - moved), moved), (positive * moved, 1.0 - moved))
        return min(float(a ** (1 / 3) + b ** (1 / 3)) ** 3 for a, b in ends)

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        positive, negative = self._shares(xp, p, y)
        if self.from_logits:
            log_p, log_q = xp.log(1 / (1 + xp.exp(-p))), xp.log(1 / (1 + xp.exp(p)))
        else:
            log_p, log_q = xp.log(p), xp.log(1 - p)
        return -xp.product(positive, log_p) - xp.product(negative, log_q)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        positive, negative = self._shares(xp, p, y)
        if self.from_logits:
            return xp.product(positive, xp.softplus(-p)) + xp.product(negative, xp.softplus(p))
        return xp.product(positive, -xp.log(p)) + xp.product(negative, -xp.log1p(-p))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        positive, negative = self._shares(xp, p, y)
        if self.from_logits:
            return negative * xp.sigmoid(p) - positive * xp.sigmoid(-p)
        return xp.quotient(negative, 1.0 - p) - xp.quotient(positive, p)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        positive, negative = self._shares(xp, p, y)
        if self.from_logits:
            return (positive + negative) * xp.sigmoid(p) * xp.sigmoid(-p)
        return xp.quotient(xp.quotient(negative, 1.0 - p), 1.0 - p) + xp.quotient(xp.quotient(positive, p), p)

    def _shares(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array]:
        """How much of each entry is positive and how much negative: y and 1 − y, smoothed and weighted.

        Both are built up from the label: 1 − (smoothed y) would lose the last digits.
        """
        positive, negative = y, 1.0 - y
        if self.label_smoothing:
            kept = 1.0 - self.label_smoothing
            positive = kept * positive + 0.5 * self.label_smoothing
            negative = kept * negative + 0.5 * self.label_smoothing
        if isinstance(self.pos_weight, float):
            return (positive if self.pos_weight == 1.0 else self.pos_weight * positive), negative
        return xp.table(self.pos_weight, p) * positive, negative
