from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    Convex,
    Lipschitz,
    NonNegative,
    Probability,
    Row,
    Rowwise,
    Score,
    Smooth,
    Twin,
)


class MultiLabelSoftMargin(Rowwise):
    """Binary cross-entropy of each of a row's labels, in the mean over the row: as many of them hold as may.

    BinaryCrossEntropy on the same arrays gives each label a loss of its own; its mean over all is the same.
    """

    everyday = True
    task = "multilabel"
    prediction, target = Row(Score()), Row(Probability())
    output_layer = "one linear unit for each label; the sigmoid of it is how likely the label is"
    choosing = "the default for several labels at once; BinaryCrossEntropy has weights for the ones that are rare"
    strengths = (
        "each label gets its own probability: the best prediction is how likely it is",
        "a row counts alike however many labels there are: its pull is capped at 1",
    )
    weaknesses = (
        "labels are learned one by one: that two exclude each other costs nothing",
        "of many labels few hold, and those that do not outweigh them",
    )
    sources = ("Zhang & Zhou 2014, IEEE Transactions on Knowledge and Data Engineering 26(8):1819-1837",)
    foreign_names = ("MultiLabelSoftMarginLoss", "MultilabelSoftMargin", "MultilabelBinaryCrossEntropy")
    same_as = (Twin("torch.nn.MultiLabelSoftMarginLoss(reduction='none')(prediction, target)"),)

    @property
    def claims(self) -> tuple[Claim, ...]:
        # Those of a single label: of more, each pulls the less.
        return Convex(), Smooth(0.25), Lipschitz(1.0), NonNegative()

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        held, not_held = xp.log(1 / (1 + xp.exp(-p))), xp.log(1 / (1 + xp.exp(p)))
        return -xp.sum(xp.product(y, held) + xp.product(1 - y, not_held)) / xp.classes(p)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        # Each term is divided: their sum may overflow.
        return xp.sum(self._term(xp, y, xp.softplus(-p)) + self._term(xp, 1.0 - y, xp.softplus(p)))

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        return ((1.0 - y) * xp.sigmoid(p) - y * xp.sigmoid(-p)) / xp.classes(p)

    # A soft target is a mixture of hard ones.

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return (1.0 - y) * xp.sigmoid(p) / xp.classes(p), y * xp.sigmoid(-p) / xp.classes(p)

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return xp.softplus(-p) / xp.classes(p), xp.softplus(p) / xp.classes(p)

    def _term(self, xp: Any, share: Array, cost: Array) -> Array:
        return xp.product(share, cost / xp.classes(cost))
