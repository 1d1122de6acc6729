"""Inputs for rules: ordinary batches, and grids of hard points, all legal for the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject
    from lossary.define.domains.domain import Domain

CLASSES = 3


def batch(subject: Subject, rows: int, generator: Any, dtype: str) -> tuple[Any, Any]:
    """Ordinary legal inputs: numbers of everyday size, nothing at an edge; residuals from both sides of 0."""
    shape = (rows, *subject.entry)
    prediction = subject.prediction.ordinary(generator, shape)
    target = subject.target.ordinary(generator, subject.target.shape_beside(subject.prediction, shape))
    kind = getattr(ml_dtypes, dtype, dtype)
    return prediction.astype(kind), target if target.dtype.kind == "i" else target.astype(kind)


def plain(subject: Subject, rows: int = 4, *, salt: int = 0) -> tuple[Any, Any]:
    """An ordinary batch in float32 whose numbers have two digits behind the point: they read well in reproducers."""
    prediction, target = batch(subject, rows, subject.generator(salt), "float32")
    return _rounded(subject.prediction, prediction), _rounded(subject.target, target)


def _rounded(domain: Domain, x: Any) -> Any:
    """Rounded where that leaves rows legal: shares no longer add up to 1."""
    if x.dtype.kind != "f" or (domain.rows and domain.of_shares):
        return x
    from lossary.ops.numpy import ops

    rounded = np.round(x, 2)
    legal = domain.contains(ops, rounded, rounded, float(np.finfo(x.dtype).eps)) if domain.rows else None
    return rounded if legal is None or legal.all() else x


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
    if subject.prediction.of_shares:
        sizes = tuple(size for size in sizes if size <= 80.0)
    if has_classes(subject):
        p, y = (_rows_by_margin if subject.prediction.rows else _entries_by_margin)(subject, sizes)
    else:
        p, y = _amounts(subject, sizes)
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
    return subject.target.says_class


def positive(domain: Domain) -> bool:
    """Whether its values are amounts of any size above 0."""
    return not domain.says_class and domain.low == 0.0 and np.isinf(domain.high)


def two_classes(subject: Subject) -> tuple[float, float]:
    """How the target says the negative class and the positive one: for sure where it can, else by scores of ±1."""
    labels = subject.target.encode(np.arange(2), 2) if subject.target.certain else (-1.0, 1.0)
    return float(labels[0]), float(labels[1])


def corners(subject: Subject) -> Any:
    """The one-hot rows, one for each class of a loss of rows."""
    return np.eye(subject.entry[-1])


def of_class(subject: Subject, index: int) -> Any:
    """The target that says this class: the index itself, or a row (a soft one where distributions are compared)."""
    if subject.target.indices:
        return index
    hot = corners(subject)[index]
    if subject.target.one_hot or subject.target.link is None:
        return hot
    return subject.target.link.apply(np.where(hot, _SHARE, (1.0 - _SHARE) / (len(hot) - 1)))


def of_logits(domain: Domain, logits: Any) -> Any:
    """The predictions that these log-odds stand for, or these rows of logits: they themselves, or probabilities."""
    if not domain.of_shares:
        return logits
    if not domain.rows:
        smaller = np.exp(-np.abs(logits)) / (1.0 + np.exp(-np.abs(logits)))
        return np.where(logits < 0.0, smaller, 1.0 - smaller)
    below = logits - logits.max(axis=-1, keepdims=True)
    logarithms = below - np.log(np.exp(below).sum(axis=-1, keepdims=True))
    return logarithms if domain.logarithms else np.exp(logarithms)


def _amounts(subject: Subject, sizes: tuple[float, ...]) -> tuple[Any, Any]:
    if positive(subject.prediction):
        p = np.array([size**sign for size in sizes if size > 0.0 for sign in (1.0, -1.0)])
        y = np.full_like(p, 1.0 if subject.target.unbounded else subject.target.inside(0.0))
    else:
        p = subject.prediction.inside(np.array([sign * size for size in sizes for sign in (1.0, -1.0)]))
        y = np.full_like(p, subject.target.inside(0.0))
    if not subject.prediction.rows:
        return p, y
    off, right = in_rows(subject, p), in_rows(subject, y)
    if not subject.prediction.size:  # right but for one entry
        off = np.where(np.arange(right.shape[-1]) == RIGHT, off, right)
    return off, beside_rows(subject, y)


def beside_rows(subject: Subject, amounts: Any) -> Any:
    """Amounts as a loss of amounts takes targets: in rows where those are rows, else one beside each prediction."""
    return _in_rows(subject, subject.target, amounts)


def in_rows(subject: Subject, amounts: Any) -> Any:
    """Amounts as a loss of amounts takes predictions: as what is right for these targets, where that is known; in rows
    of equal ones, where it takes rows; where columns are not alike, in the first one, beside legal others, or as what
    is made of equal numbers; or no amounts at all, where neither is a legal row."""
    found = perfect(subject, amounts)
    return _in_rows(subject, subject.prediction, amounts) if found is None else found


def perfect(subject: Subject, amounts: Any) -> Any:
    """The predictions that are right for targets of these amounts, in rows where it takes rows; None where it is not
    known what is, or where targets are no amounts."""
    if not subject.prediction.rows:
        return amounts
    if subject.target.says_class:
        return None
    target = beside_rows(subject, amounts)
    if np.ndim(target) > 1:  # what a target is a prediction may be
        return target
    return subject.prediction.perfect(target, (len(target), *subject.entry))


def _in_rows(subject: Subject, domain: Domain, amounts: Any) -> Any:
    if not domain.rows:
        return amounts
    rows = np.repeat(np.asarray(amounts, np.float64)[:, None], subject.entry[-1], axis=1)
    if not domain.size:
        return rows
    from lossary.ops.numpy import ops

    safe = np.array(np.broadcast_to(domain.safe(ops, rows), rows.shape))
    alone = np.where(np.arange(rows.shape[-1]) == 0, rows, safe)
    result = safe
    for tried in (domain.activate(ops, rows), alone):
        with np.errstate(over="ignore"):
            legal = domain.contains(ops, tried.astype(np.float32), tried, float(np.finfo(np.float32).eps))
        result = tried if legal is None else np.where(legal[:, None], tried, result)
    return result


def _entries_by_margin(subject: Subject, sizes: tuple[float, ...]) -> tuple[Any, Any]:
    negative, positive = two_classes(subject)
    p, y = [], []
    for size in sizes:
        for sign in (1.0, -1.0):
            p += [sign * size, -sign * size]
            y += [positive, negative]
    return of_logits(subject.prediction, np.array(p)), np.array(y)


def _rows_by_margin(subject: Subject, sizes: tuple[float, ...]) -> tuple[Any, Any]:
    p, y = [], []
    for size in sizes:
        for sign in (1.0, -1.0):
            p.append(sign * size * corners(subject)[RIGHT])
            y.append(of_class(subject, RIGHT))
    return of_logits(subject.prediction, np.array(p)), np.array(y)
