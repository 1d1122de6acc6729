"""Inputs for rules: ordinary batches, and grids of hard points, all legal for the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from lossary.domain import ClassIndex, Labels, Probability, Simplex

if TYPE_CHECKING:
    from lossary.check.subject import Subject
    from lossary.domain import Domain

CLASSES = 3


def batch(subject: Subject, rows: int, generator: Any, dtype: str) -> tuple[Any, Any]:
    """Ordinary legal inputs: numbers of everyday size, nothing at an edge; residuals from both sides of 0."""
    shape = (rows, *subject.entry)
    prediction = _ordinary(subject.prediction, generator, shape)
    target_shape = shape[:-1] if isinstance(subject.target, ClassIndex) else shape
    target = _ordinary(subject.target, generator, target_shape, classes=shape[-1])
    kind = getattr(ml_dtypes, dtype, dtype)
    return prediction.astype(kind), target if target.dtype.kind == "i" else target.astype(kind)


def _ordinary(domain: Domain, generator: Any, shape: tuple[int, ...], classes: int = CLASSES) -> Any:
    if isinstance(domain, ClassIndex):
        return generator.integers(0, classes, size=shape)
    if isinstance(domain, Labels):
        return generator.choice(np.array(domain.values, np.float64), size=shape)
    if isinstance(domain, Probability):
        return generator.uniform(0.05, 0.95, size=shape)
    if isinstance(domain, Simplex):
        rows = np.exp(generator.normal(size=shape))
        rows /= rows.sum(axis=-1, keepdims=True)
        return np.log(rows) if domain.logarithms else rows
    return generator.normal(scale=1.5, size=shape)
