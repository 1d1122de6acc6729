"""Inputs for rules: ordinary batches, and grids of hard points, all legal for the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from lossary.define.domain import ClassIndex, Labels, Positive, Probability, Real, Simplex

if TYPE_CHECKING:
    from lossary.check.subject import Subject
    from lossary.define.domain import Domain

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
    if isinstance(domain, Positive):
        return np.exp(generator.normal(size=shape))
    return generator.normal(scale=1.5, size=shape)


def plain(subject: Subject, rows: int = 4, *, salt: int = 0) -> tuple[Any, Any]:
    """An ordinary batch in float32 whose numbers have two digits behind the point: they read well in reproducers."""
    prediction, target = batch(subject, rows, subject.generator(salt), "float32")
    return _rounded(subject.prediction, prediction), _rounded(subject.target, target)


def _rounded(domain: Domain, x: Any) -> Any:
    return x if isinstance(domain, Simplex) or x.dtype.kind != "f" else np.round(x, 2)


# Grids have as many rows, so that frameworks which compile for each shape do so once.
GRID = 32

RIGHT = 1  # the right class of rows in grids: neither the first nor the last

_SHARE = 0.7  # what the right class has in the soft target of losses that compare distributions; no share is 0


def points(subject: Subject, sizes: tuple[float, ...], dtype: str = "float32") -> tuple[Any, Any]:
    """A grid of predictions that are off, or right, by these much, the first sizes first; GRID rows, padded with the
    last point.

    Regression: the predictions ±size for a target of 0 (positive ones: size and 1 / size for 1). Classes: the right
    class is ahead, or behind, by a margin of size (log-odds), for each class as the right one (at most eight sizes,
    then). Probabilities keep to margins of at most 80, beyond which a float32 is 0.
    """
    if of_probabilities(subject.prediction):
        sizes = tuple(size for size in sizes if size <= 80.0)
    if subject.prediction.rows:
        p, y = _rows_by_margin(subject, sizes)
    elif has_classes(subject):
        p, y = _entries_by_margin(subject, sizes)
    elif isinstance(subject.prediction, Positive):
        p = np.array([size**sign for size in sizes for sign in (1.0, -1.0)])
        y = np.ones_like(p)
    else:
        p = np.array([sign * size for size in sizes for sign in (1.0, -1.0)])
        y = np.full_like(p, 1.0 if isinstance(subject.target, Positive) else 0.0)
    chosen = np.minimum(np.arange(GRID), len(p) - 1)
    return arranged(subject, p[chosen], y[chosen], dtype)


def arranged(subject: Subject, prediction: Any, target: Any, dtype: str = "float32") -> tuple[Any, Any]:
    """Predictions and targets, one for each row, in the shape and the dtype that the loss takes."""
    kind = getattr(ml_dtypes, dtype, dtype)
    prediction, target = np.asarray(prediction), np.asarray(target)
    if not subject.prediction.rows and subject.entry:
        prediction, target = prediction.reshape(-1, *subject.entry), target.reshape(-1, *subject.entry)
    with np.errstate(over="ignore"):
        return prediction.astype(kind), target if target.dtype.kind == "i" else target.astype(kind)


def has_classes(subject: Subject) -> bool:
    """Whether the target says a class, not a number."""
    return not isinstance(subject.target, Real | Positive)


def two_classes(subject: Subject) -> tuple[float, float]:
    """How the target says the negative class and the positive one."""
    return subject.target.values if isinstance(subject.target, Labels) else (0.0, 1.0)


def corners(subject: Subject) -> Any:
    """The one-hot rows, one for each class of a loss of rows."""
    return np.eye(subject.entry[-1])


def of_class(subject: Subject, index: int) -> Any:
    """The target that says this class: the index itself, or a row (a soft one where distributions are compared)."""
    if isinstance(subject.target, ClassIndex):
        return index
    hot = corners(subject)[index]
    if isinstance(subject.target, Simplex) and not subject.target.one_hot:
        shares = np.where(hot, _SHARE, (1.0 - _SHARE) / (len(hot) - 1))
        return np.log(shares) if subject.target.logarithms else shares
    return hot


def of_probabilities(domain: Domain) -> bool:
    """Whether its values are probabilities, or their logarithms."""
    return isinstance(domain, Probability | Simplex)


def _entries_by_margin(subject: Subject, sizes: tuple[float, ...]) -> tuple[Any, Any]:
    negative, positive = two_classes(subject)
    p, y = [], []
    for size in sizes:
        for sign in (1.0, -1.0):
            p += [sign * size, -sign * size]
            y += [positive, negative]
    margins = np.array(p)
    return _probability(margins) if isinstance(subject.prediction, Probability) else margins, np.array(y)


def _rows_by_margin(subject: Subject, sizes: tuple[float, ...]) -> tuple[Any, Any]:
    p, y = [], []
    for size in sizes:
        for sign in (1.0, -1.0):
            p.append(sign * size * corners(subject)[RIGHT])
            y.append(of_class(subject, RIGHT))
    logits = np.array(p)
    if isinstance(subject.prediction, Simplex):
        logits -= logits.max(axis=-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        logits = logits if subject.prediction.logarithms else np.exp(logits)
    return logits, np.array(y)


def _probability(margins: Any) -> Any:
    smaller = np.exp(-np.abs(margins)) / (1.0 + np.exp(-np.abs(margins)))
    return np.where(margins < 0.0, smaller, 1.0 - smaller)
