"""Where accuracy is measured: the hard points, and random ones spread over the exponent range."""

from __future__ import annotations

import itertools
import math
from typing import Any, TypeGuard

import numpy as np

from lossary.define.domains.classes import ClassIndex, Labels, Logits, Simplex
from lossary.define.domains.domain import Domain
from lossary.define.domains.numbers import Indicator, NonZero, Positive, Probability, Real, Score
from lossary.define.domains.rows import Columns, Row
from lossary.define.loss import Loss
from lossary.ops.numpy import ops
from tests.grid import CLASSES, generator

_SIZES = (1e-45, 1e-30, 1e-8, 1e-3, 1.0, 50.0, 100.0, 500.0, 1e4, 1e20, 3e38)
REALS = (0.0, *_SIZES, *(-x for x in _SIZES), np.inf, -np.inf, np.nan)
PROBABILITIES = (0.0, 1e-45, 1e-30, 1e-8, 1e-3, 0.25, 0.5, 0.75, 1 - 6e-8, 1.0, np.nan)
MARGINS = (0.0, 1e-8, 1e-3, 0.3, 1.0, 5.0, 10.0, 17.0, 20.0, 40.0, 60.0, 86.0, 100.0)
SHIFTS = (0.0, 0.1, 1000.0)
# Residuals in units of the scale: where it is 1, the scale is right. And scales.
RESIDUALS = (0.0, 1e-20, 1e-8, 1e-3, 0.3, 1.0, 1 + 1e-6, 5.0, 1e4, 1e10)
SCALES = (1e-37, 1e-20, 1e-8, 1e-3, 0.5, 1.0, 50.0, 1e4, 1e20, 1e38)

# Random points per loss; the hard points come on top.
RANDOM = 2000


def points(loss: Loss, dtype: str, *, random: int = RANDOM, hard: int | None = None) -> tuple[Any, Any]:
    """Predictions and targets in `dtype` (class indices as integers): the hard points, `hard` of them chosen at random
    if that is given, and `random` random ones."""
    seeded = generator(f"{loss!r} {dtype}")
    p, y = _hard(loss)
    if hard is not None and hard < len(p):
        chosen = seeded.choice(len(p), size=hard, replace=False)
        p, y = p[chosen], y[chosen]
    more_p, more_y = _random(loss, dtype, seeded, random)
    p, y = np.concatenate([p, more_p]), np.concatenate([y, more_y])
    with np.errstate(over="ignore"):
        p = p.astype(dtype)
        y = y if loss.target.indices else y.astype(dtype)
    judged = _is_defined(loss, p, y)
    return p[judged], y[judged]


def smooth_points(loss: Loss, dtype: str, *, random: int, hard: int) -> tuple[Any, Any]:
    """Points where a loss has a curvature, and a derivative with respect to the target: finite, no kinks, inside the
    domain, and not so far out or so near an edge that the answer is beyond the dtype."""
    p, y = points(loss, dtype, random=random, hard=hard)
    most = 1e4 if loss.prediction.rows else 1e15
    inside = _inside(loss.prediction, p, most, np.finfo(dtype).tiny ** 0.45)
    bends = [number for number in loss.settings.values() if isinstance(number, float)]
    if isinstance(loss.prediction, Logits) and not loss.prediction.softmax:  # scores bend where one leads another so
        with np.errstate(all="ignore"):
            lead = p[:, :, None].astype(np.float64) - p[:, None, :]
        inside &= ~np.any(np.isin(lead, bends) | ((lead == 0) & ~np.eye(CLASSES, dtype=bool)), axis=(1, 2))[:, None]
    if not loss.target.indices:
        beside = _beside(y, p)
        inside &= _inside(loss.target, beside, most, np.finfo(dtype).tiny)
        with np.errstate(all="ignore"):
            size = np.abs(p - beside)
        inside &= (size >= np.finfo(dtype).tiny) & ~np.isin(size, bends)
    chosen = np.all(inside.reshape(len(p), -1), axis=1)
    return p[chosen], y[chosen]


def _beside(y: Any, p: Any) -> Any:
    """Targets in the predictions' shape, where there is one for each row."""
    return np.broadcast_to(y.reshape(*y.shape, *(1,) * (p.ndim - y.ndim)), p.shape)


def _inside(domain: Any, x: Any, most: float, least: float) -> Any:
    if has_scale(domain):  # which is squared, and divides
        scales = as_scale(domain, x[:, 1:], inverse=True)
        return np.concatenate([np.abs(x[:, :1]) < most, (scales > least**0.5) & (scales < least**-0.5)], axis=1)
    if isinstance(domain, Row):
        return _inside(domain.entry, x, most, least)
    if isinstance(domain, Probability | Simplex) and not domain.logarithms:
        return (x > least) & (x < 1)
    if isinstance(domain, Real) and domain.logarithms:
        most = -math.log(least)
    inside = np.abs(x) < most
    if isinstance(domain, NonZero):  # which divides, squared
        return inside & (domain.room(x) > least**0.25)
    return inside & (domain.room(x) > least) if domain.size else inside


def _hard(loss: Loss) -> tuple[Any, Any]:
    match loss.prediction:
        case Columns() if has_scale(loss.prediction):
            return _hard_columns(loss)
        case Row() | Columns():
            return _hard_amounts(loss)
        case Logits() | Simplex():
            return _hard_rows(loss)
        case Real() | Positive() | Probability() | Score():
            return _hard_pairs(loss)
        case _:
            return at_edges(loss, "float32")


def at_edges(loss: Loss, dtype: str) -> tuple[Any, Any]:
    """What a domain that is not known here says of its edges: those of the prediction beside ordinary targets, those of
    the target beside ordinary predictions, and a NaN in each."""
    seeded = generator(f"{loss!r} edges")
    row = tuple(loss.prediction.size or CLASSES for _ in range(loss.prediction.axes))
    edges = [domain.edges(dtype, CLASSES) for domain in (loss.prediction, loss.target)]
    counts = len(edges[0]) + 1, len(edges[1]) + 1
    predictions = loss.prediction.ordinary(seeded, (counts[1], *row))
    targets = loss.target.ordinary(seeded, loss.target.shape_beside(loss.prediction, (counts[0], *row)))
    unknown = predictions[:1].copy()
    unknown.flat[0] = np.nan
    return np.concatenate([edges[0], unknown, predictions]), np.concatenate([targets, edges[1], targets[:1]])


def has_scale(domain: Domain) -> TypeGuard[Columns]:
    """Whether rows are a location and what scales it."""
    return isinstance(domain, Columns) and domain.says_estimate


def _hard_columns(loss: Loss) -> tuple[Any, Any]:
    """A location and its scale beside a number; what is large, infinite or NaN in each of the three."""
    targets, scales, residuals, sign = (
        x.ravel() for x in np.meshgrid([0.0, 1.0, -50.0, 1e10], SCALES, RESIDUALS, [1.0, -1.0])
    )
    usual = in_columns(loss.prediction, targets + sign * residuals * scales, scales)
    domain = loss.prediction.columns[1][1]
    rows = [(mean, 0.5, 0.5) for mean in REALS] + [(0.5, 0.5, y) for y in REALS]
    rows += [(0.25, scale, 0.5) for scale in REALS if scale > 1e-37 or domain.low < 0.0 or np.isnan(scale)]
    edges = np.array(rows)
    columns = [edges[:, :1], *(edges[:, 1:2] for _ in loss.prediction.columns[1:])]
    return np.concatenate([usual, np.concatenate(columns, axis=1)]), np.concatenate([targets, edges[:, 2]])


def in_columns(domain: Any, location: Any, scale: Any) -> Any:
    """Rows of a location and of scales, as the columns have them."""
    return np.stack([location, *(as_scale(domain, scale) for _ in domain.columns[1:])], axis=-1)


def as_scale(domain: Any, x: Any, *, inverse: bool = False) -> Any:
    """A scale as the columns have it, itself or its logarithm; or back."""
    if domain.columns[1][1].low == 0.0:
        return x
    with np.errstate(all="ignore"):
        return np.exp(x) if inverse else np.log(x)


def _hard_amounts(loss: Loss) -> tuple[Any, Any]:
    rows, targets = (
        _hard_rows_of(each) if each.rows else _hard_numbers(each) for each in (loss.prediction, loss.target)
    )
    return np.repeat(rows, len(targets), axis=0), np.concatenate([targets] * len(rows))


def _hard_rows_of(domain: Domain) -> Any:
    """Rows of hard numbers: each of them in each place; of numbers that are few, all rows, and one with a NaN."""
    match domain:
        case Columns():
            numbers = [np.resize(_hard_numbers(each), len(REALS)) for _, each in domain.columns]
        case Row(entry) if entry.discrete:
            known = [x for x in _hard_numbers(entry) if not np.isnan(x)]
            return np.array([*itertools.product(known, repeat=CLASSES), [np.nan, *known, *known][:CLASSES]])
        case Row(entry):
            numbers = [_hard_numbers(entry)] * CLASSES
    return np.stack([np.roll(each, 5 * k) for k, each in enumerate(numbers)], axis=-1)


def _hard_pairs(loss: Loss) -> tuple[Any, Any]:
    p, y = np.meshgrid(*(_hard_numbers(domain) for domain in (loss.prediction, loss.target)))
    return p.ravel(), y.ravel()


def _hard_numbers(domain: Domain) -> Any:
    match domain:
        case Labels(values):
            return np.array([*values, np.nan])
        case ClassIndex():
            return np.arange(domain.count(CLASSES))
        case Indicator():
            return np.array([0.0, 1.0, np.nan])
        case Probability():
            return np.array(PROBABILITIES)
        case Positive(or_zero=zero):
            return np.array([x for x in REALS if not (x < 0.0 or (x == 0.0 and not zero))])
        case NonZero():
            return np.array([x for x in REALS if not abs(x) < 1e-37])  # next to 0 they are taken for it
        case _:
            return np.array(REALS)


def _hard_rows(loss: Loss) -> tuple[Any, Any]:
    rows = _logit_rows() if isinstance(loss.prediction, Logits) else _share_rows()
    every = np.repeat(rows, CLASSES, axis=0)
    if loss.target.indices:
        return every, np.tile(np.arange(CLASSES), len(rows))
    soft = _share_rows(with_nan=False)
    hard = np.tile(np.eye(CLASSES), (len(rows), 1))
    # Beside the one-hot rows, each row meets two soft ones in turn.
    p, y = [every, rows, rows], [hard, np.resize(soft, rows.shape), np.resize(np.roll(soft, 5, axis=0), rows.shape)]
    if isinstance(loss.prediction, Simplex):
        p, y = [*p, soft], [*y, soft]
    targets = np.concatenate(y)
    if loss.target.logarithms:
        with np.errstate(divide="ignore"):
            targets = np.log(targets)
    return np.concatenate(p), targets


def _logit_rows() -> Any:
    rows = []
    for number, margin in enumerate(MARGINS):
        shift = SHIFTS[number % len(SHIFTS)]
        finite = [[margin, 0, 0, 0], [0, margin, margin / 3, -margin], [-margin, 0, 0.5, margin]]
        rows += [[entry + shift for entry in row] for row in finite]
        rows += [[margin, 0, -np.inf, 1]]
    rows += [[-np.inf, -np.inf, -np.inf, 3], [0, np.inf, 1, -np.inf], [-np.inf, 7, 7, -np.inf]]
    rows += [[0, np.nan, 1, 2], [0, 1, np.inf, 2], [3e37, 0, 1e20, -3e37], [1e-45, 0, -1e-30, 1e-8]]
    return np.array(rows, dtype=np.float64)


def _share_rows(*, with_nan: bool = True) -> Any:
    rows = [[share, 1 - share, 0, 0] for share in PROBABILITIES if not np.isnan(share)]
    rows += [[0.25, share, 0.75 - share, 0] for share in (1e-45, 1e-30, 1e-8, 1e-3, 0.25, 0.5, 0.75)]
    rows += [[0.25, 0.25, 0.25, 0.25], [0.1, 0.2, 0.3, 0.4], [1e-3, 1e-8, 1e-30, 1 - 1e-3]]
    rows += [[0.25, np.nan, 0.25, 0.5]] if with_nan else []
    return np.array(rows)


def _random(loss: Loss, dtype: str, random: Any, count: int) -> tuple[Any, Any]:
    shape = (count, *(loss.prediction.size or CLASSES for _ in range(loss.prediction.axes)))
    p = _random_of(loss.prediction, dtype, random, shape)
    beside = loss.target.shape_beside(loss.prediction, shape)
    y = _random_of(loss.target, dtype, random, beside)
    if isinstance(loss.prediction, Row):  # every other row and its target are both of everyday size
        p[::2] = random.normal(scale=2.0, size=p[::2].shape)
        if loss.target.unbounded:
            y[::2] = random.normal(scale=2.0, size=y[::2].shape)
    third = (np.arange(count) % 3 == 0).reshape(-1, *(1,) * (y.ndim - 1))
    match loss.prediction:
        case Columns() if has_scale(loss.prediction):  # every third pair is as far apart as the scale says
            with np.errstate(over="ignore"):
                scale = as_scale(loss.prediction, p[:, 1], inverse=True)
                return p, np.where(third, p[:, 0] + _spread(random, beside, -4, 2) * scale, y)
        case Real() | Positive() | Row(Real()) | Columns() if not loss.target.discrete:  # or is close together
            near = p if p.shape == y.shape else p[:, -1]
            if loss.prediction.logarithms:
                with np.errstate(over="ignore", under="ignore"):
                    near = np.exp(near)
                third &= (near > 10.0**-37) & (near < 10.0**38)
            return p, np.where(third, near * (1 + _spread(random, beside, -16, -1)), y)
        case _ if p.shape == y.shape and not loss.prediction.says_class:
            near = p + 10.0 ** random.uniform(-16, -1, size=(count, *(1,) * (y.ndim - 1))) * (y - p)
            legal = loss.target.contains(ops, near.astype(dtype), p, float(np.finfo(dtype).eps))
            third &= True if legal is None else legal.reshape(third.shape)
            return p, np.where(third, near, y)
        case _:
            return p, y


def _random_of(domain: Any, dtype: str, random: Any, shape: tuple[int, ...]) -> Any:
    smallest, largest = (-37.0, 38.0) if dtype == "float32" else (-307.0, 308.0)
    ordinary = random.uniform(size=shape[:1]) < 0.5
    ordinary = ordinary.reshape(-1, *(1,) * (len(shape) - 1))
    match domain:
        case Real() | NonZero() | Score() | Logits():
            largest -= isinstance(domain, Logits)  # so that the margins are floats too
            return np.where(ordinary, _spread(random, shape, -3, 2.2), _spread(random, shape, smallest, largest))
        case Probability():
            tail = np.abs(_spread(random, shape, smallest, 0))
            return np.where(
                ordinary, random.uniform(size=shape), np.where(random.uniform(size=shape) < 0.5, tail, 1 - tail)
            )
        case Simplex():
            rows = np.where(ordinary, random.uniform(size=shape), np.abs(_spread(random, shape, smallest, 0)))
            rows = rows / rows.sum(axis=-1, keepdims=True)
            return np.log(rows) if domain.logarithms else rows
        case Positive():
            return np.abs(_random_of(Real(), dtype, random, shape))
        case Row(entry):
            return _random_of(entry, dtype, random, shape)
        case Columns():
            return np.stack([_random_of(each, dtype, random, shape[:1]) for _, each in domain.columns], axis=-1)
        case Labels() | ClassIndex() | _:
            return domain.sample(random, shape)


def _spread(random: Any, shape: tuple[int, ...], smallest: float, largest: float) -> Any:
    return random.choice([-1.0, 1.0], size=shape) * 10.0 ** random.uniform(smallest, largest, size=shape)


def _is_defined(loss: Loss, p: Any, y: Any) -> Any:
    """Not ∞ − ∞ nor ∞ / ∞, nor a scale of 0, nor rows of logits with two +∞ or only −∞."""
    if has_scale(loss.prediction):
        scales = as_scale(loss.prediction, p[:, 1:].astype(np.float64), inverse=True)
        # Of what stands for infinity the judge knows no logarithm, and no quotient by another such number.
        logarithms = np.isinf(p[:, 1:]) & np.array([domain.low == 0.0 for _, domain in loss.prediction.columns[1:]])
        quotients = (np.isinf(p[:, 0]) | np.isinf(y)) & (scales > 1e150).any(axis=-1)
        apart = np.isinf(p[:, 0]) | np.isinf(y)
        unknown = (np.isinf(p[:, 0]) & np.isinf(y)) | (apart & _is_a_logarithm(loss, p, y))
        return ~(quotients | unknown | (logarithms | (scales == 0)).any(axis=-1))
    if isinstance(loss.prediction, Logits):
        held = (np.sum(p == np.inf, axis=-1) < 2) & ~np.all(p == -np.inf, axis=-1)
        if loss.prediction.softmax:
            return held
        right = np.take_along_axis(p, y[:, None], axis=-1)[:, 0]  # beside which the others are scores
        return held & ~((right == -np.inf) & (np.sum(p == -np.inf, axis=-1) > 1))
    if isinstance(loss.target, Positive):  # what is infinite stands beside a logarithm or a quotient, as above
        return ~np.isinf(y) & ~(np.isinf(p) & (loss.prediction.low == 0.0))
    if isinstance(loss.target, NonZero):
        return ~(np.isinf(p) & np.isinf(y))
    if isinstance(loss.target, Real | Row):
        return ~(np.isinf(p) & (p == _beside(y, p))).reshape(len(p), -1).any(axis=1) & ~_is_a_logarithm(loss, p, y)
    return np.ones(len(p), dtype=bool)


def _is_a_logarithm(loss: Loss, p: Any, y: Any) -> Any:
    """Infinite where the gradient is 0: of what stands for infinity the judge knows no logarithm."""
    if not loss.trainable or (loss.prediction.rows and not has_scale(loss.prediction)):
        return np.zeros(len(p), dtype=bool)
    values, slopes = loss.value_and_gradient(prediction=p, target=y, reduction="none")
    return np.isinf(values) & ((slopes[:, 0] if loss.prediction.rows else slopes) == 0.0)


def weighted(loss: Loss, p: Any, y: Any) -> tuple[Any, Any, Any]:
    """Of these points those whose losses have a mean, and weights for them, of which every third is 0."""
    values, slopes = loss.value_and_gradient(prediction=p.astype(np.float64), target=y, reduction="none")
    sizes = np.stack([np.abs(values), np.abs(slopes).reshape(len(values), -1).max(axis=1)])
    held = np.all(sizes < 1e30, axis=0)  # a weight of 0 drops what is steeper than a number can say
    weight = generator(f"{loss!r} weights").uniform(0.5, 2.0, size=np.count_nonzero(held))
    weight[::3] = 0.0
    return p[held], y[held], weight.astype(p.dtype)
