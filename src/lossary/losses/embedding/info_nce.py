from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Batchwise,
    Claim,
    Convex,
    Differentiable,
    Learned,
    NonNegative,
    Notation,
    NotConvex,
    Real,
    Row,
    Twin,
    UnboundedGradient,
    parameter,
)
from lossary.losses.embedding.cosine_distance import unit


class InfoNCE(Batchwise):
    """The cross-entropy of finding each row's partner among those of all rows of the batch, by their similarity."""

    similarity: str = parameter(
        default="cosine", choices=("cosine", "dot"), doc="cosine or dot product of two rows", examples=("dot",)
    )
    temperature: float = parameter(
        default=0.07,
        above=0,
        symbol="τ",
        doc="what similarities are divided by: the smaller, the more the hardest negatives count",
        foreign=("tau", "logit_scale"),
        examples=(0.5,),
    )

    everyday = True
    task = "embedding"
    anchor, positive = Learned(Row(Real())), Learned(Row(Real()))
    output_layer = "linear units, as many as the embedding has; cosines need no normalisation before"
    choosing = "temperature from 0.05 to 0.5; batches as large as memory allows, for all other rows are the negatives"
    strengths = (
        "every other row of the batch is a negative, so that N pairs give N² comparisons",
        "with cosines the length of embeddings does not matter",
    )
    weaknesses = (
        "depends on which rows share a batch: several of one class are pushed apart, and devices must gather first",
        "memory grows with the square of the batch",
    )
    sources = ("van den Oord, Li & Vinyals 2018, arXiv:1807.03748", "Chen et al. 2020, arXiv:2002.05709")
    foreign_names = ("NTXent", "NTXentLoss", "NTXentCriterion", "MultipleNegativesRankingLoss", "ContrastiveLoss")
    same_as = (
        Twin(
            "torch.nn.functional.cross_entropy(torch.nn.functional.normalize(anchor) "
            "@ torch.nn.functional.normalize(positive).T / temperature, torch.arange(len(anchor)))",
            when={"similarity": "cosine"},
        ),
        Twin(
            "torch.nn.functional.cross_entropy(anchor @ positive.T / temperature, torch.arange(len(anchor)))",
            when={"similarity": "dot"},
        ),
    )

    @property
    def notation(self) -> Notation:
        lengths = r"{\left|a_i\right| \, \left|p_j\right|}"
        score = rf"\frac{{a_i \cdot p_j}}{lengths}" if self.similarity == "cosine" else r"a_i \cdot p_j"
        return Notation(
            latex=rf"\sum_i \log \sum_j e^{{(s_{{ij}} - s_{{ii}}) / \tau}}, \quad s_{{ij}} = {score}",
            text="Σᵢ log Σⱼ exp((sᵢⱼ - sᵢᵢ) / τ)\n"
            + ("s = cos(anchorᵢ, positiveⱼ)" if self.similarity == "cosine" else "s = anchorᵢ · positiveⱼ"),
        )

    @property
    def claims(self) -> tuple[Claim, ...]:
        # In the anchors, beside given positives.
        curve = Convex() if self.similarity == "dot" else NotConvex()
        return NonNegative(), curve, Differentiable(), UnboundedGradient()

    def formula(self, xp: Any, a: Array, p: Array, *, weight: Array) -> Array:
        a, p = (unit(xp, x)[0] for x in (a, p)) if self.similarity == "cosine" else (a, p)
        scores = xp.matmul(a, xp.transpose(p)) / self.temperature
        own = xp.sum(a * p) / self.temperature
        return xp.sum(weight * (xp.log(xp.sum(xp.where(weight > 0, xp.exp(scores - xp.row(own)), 0.0)))))

    def value(self, xp: Any, a: Array, p: Array, *, weight: Array) -> Array:
        a, p = (unit(xp, x)[0] for x in (a, p)) if self.similarity == "cosine" else (a, p)
        scores = self._scores(xp, a, p, weight)
        surprisal = xp.surprisal_at(scores, xp.positions(scores))
        return xp.sum(xp.where(weight > 0.0, weight * surprisal, 0.0))

    def gradient(self, xp: Any, a: Array, p: Array, *, weight: Array) -> tuple[Array, Array]:
        if self.similarity == "cosine":
            (a, a_size), (p, p_size) = unit(xp, a), unit(xp, p)
        scores = self._scores(xp, a, p, weight)
        share, complement = xp.softmax_and_complement(scores)
        pull = xp.where(xp.is_class(xp.positions(scores), scores), -complement, share)
        pull = xp.where(xp.row(weight) > 0.0, xp.row(weight) * pull, 0.0) / self.temperature
        of_a, of_p = xp.matmul(pull, p), xp.matmul(xp.transpose(pull), a)
        if self.similarity == "dot":
            return of_a, of_p
        return self._of_unit(xp, of_a, a, a_size), self._of_unit(xp, of_p, p, p_size)

    def _scores(self, xp: Any, a: Array, p: Array, weight: Array) -> Array:
        """(N, N); −∞ for partners that are left out. Rows that are left out keep their own, so that they have a
        softmax."""
        scores = xp.matmul(a, xp.transpose(p)) / self.temperature
        mine = xp.is_class(xp.positions(scores), scores)
        return xp.where(xp.logical_or(weight > 0.0, mine), scores, -math.inf)

    def _of_unit(self, xp: Any, slope: Array, unit: Array, size: Array) -> Array:
        """The slope by a row, from that by the row divided by its length; 0 at a row of zeros."""
        slope = (slope - unit * xp.row(xp.sum(slope * unit))) / size
        return xp.where(xp.row(xp.equal(xp.sum(unit * unit), 0.0)), 0.0, slope)
