from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Departure,
    Differentiable,
    NonNegative,
    Notation,
    NotConvex,
    Real,
    Row,
    Rowwise,
    Twin,
    UnboundedGradient,
)


def unit(xp: Any, x: Array) -> tuple[Array, Array]:
    """Rows divided by their length, and their length; rows of zeros stay as they are."""
    # A constant to whatever differentiates: it scales what does not depend on the scale.
    largest = xp.stop_gradient(xp.row(xp.max(xp.abs(x))))
    largest = xp.where(xp.equal(largest, 0.0), 1.0, largest)
    # So that squares neither overflow nor vanish, and neither does the inverse of the largest, which compilers make.
    scaled = xp.where(largest > 1.0, 0.125 * x, x) / xp.where(largest > 1.0, 0.125 * largest, largest)
    # Beside what is infinite, all else is nothing.
    x = xp.where(xp.equal(xp.abs(x), math.inf), xp.clip(x, -1.0, 1.0), scaled)
    length = xp.row(xp.sqrt(xp.sum(x * x)))
    length = xp.where(xp.equal(length, 0.0), 1.0, length)
    return x / length, largest * length


class CosineDistance(Rowwise):
    """1 less the cosine of the angle between two rows: 0 where they point the same way, 2 where they are opposed.

    A row of zeros points nowhere: it costs 1, as what is at right angles does, and has no gradient.
    """

    task = "embedding"
    prediction, target = Row(Real()), Row(Real())
    output_layer = "linear units, as many as the target has entries; they need no normalisation before"
    choosing = "where directions mean something and lengths do not, as of embeddings of a teacher or of words"
    strengths = (
        "the length of neither row matters",
        "between 0 and 2, so that no row outweighs the others; exact also where rows are almost parallel",
    )
    weaknesses = (
        "pulls the harder the shorter the prediction is, and a row of zeros does not move",
        "alone it makes all embeddings alike: it needs targets that differ, or negatives, as InfoNCE has",
    )
    sources = ("Singhal 2001, IEEE Data Engineering Bulletin 24(4):35-43",)
    foreign_names = ("CosineLoss", "CosineSimilarity", "CosineSimilarityLoss", "NegativeCosineSimilarity")
    claims = NonNegative(), NotConvex(), Differentiable(), UnboundedGradient()
    same_as = (
        Twin(
            "optax.cosine_distance(prediction, target)",
            departs=Departure("NaN for a row of zeros", [[0.0, 0.0]], [[3.0, 4.0]], math.nan),
        ),
        Twin("keras.losses.CosineSimilarity(reduction=None)(target, prediction)", offset=1.0),
        Twin("torch.nn.functional.cosine_similarity(prediction, target, dim=-1)", factor=-1.0, offset=1.0),
        Twin(
            "sklearn.metrics.pairwise.paired_cosine_distances(prediction, target)",
            departs=Departure("1/2 for a row of zeros, and 0 for two", [[0.0, 0.0]], [[3.0, 4.0]], 0.5),
        ),
    )

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"1 - \frac{\hat{y} \cdot y}{\left|\hat{y}\right| \, \left|y\right|}", text="1 - ŷ · y / (|ŷ| |y|)"
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        lengths = xp.sqrt(xp.sum(p * p)) * xp.sqrt(xp.sum(y * y))
        return 1 - xp.sum(p * y) / xp.where(xp.equal(lengths, 0), 1, lengths)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        (a, _), (b, _) = unit(xp, p), unit(xp, y)
        return self._apart(xp, a, b)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        (a, size), (b, _) = unit(xp, p), unit(xp, y)
        slope = ((a - b) - a * xp.row(self._apart(xp, a, b))) / size
        return xp.where(xp.row(self._nowhere(xp, a, b)), 0.0, slope)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        (a, _), (b, _) = unit(xp, p), unit(xp, y)
        return (xp.sum(xp.abs(a - b) * (xp.abs(a) + xp.abs(b))),)

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        (a, size), (b, _) = unit(xp, p), unit(xp, y)
        return a / size, b / size, a * xp.row(self._apart(xp, a, b)) / size

    def target_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        return self.gradient_terms(xp, y, p)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        (a, size), (b, _) = unit(xp, p), unit(xp, y)
        a, b, whole = xp.row(a), xp.row(b), xp.row(size * size)
        own = xp.equal(xp.row(xp.positions(p)), xp.positions(p))
        mixed = 2.0 * a * xp.transpose(b) / whole
        alone = xp.where(own, 2.0, 0.0) / whole
        return alone, 6.0 * a * xp.transpose(a) / whole, mixed, xp.transpose(mixed)

    def _apart(self, xp: Any, a: Array, b: Array) -> Array:
        """Half the square of how far the directions are apart; 1 − a · b would have no digits left of a small angle."""
        return xp.where(self._nowhere(xp, a, b), 1.0, 0.5 * xp.sum((a - b) * (a - b)))

    def _nowhere(self, xp: Any, a: Array, b: Array) -> Array:
        """Whether one of the rows is zeros."""
        return xp.equal(xp.sum(a * a) * xp.sum(b * b), 0.0)
