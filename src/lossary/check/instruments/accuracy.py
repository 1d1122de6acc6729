"""How far answers are from the exact ones, in units in the last place (ULP)."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any, Self, final

import ml_dtypes
import numpy as np

from lossary import (
    BinaryFocal,
    Brier,
    CategoricalCrossEntropy,
    CategoricalFocal,
    Cauchy,
    CosineDistance,
    EpsilonInsensitive,
    Gamma,
    GaussianNLL,
    GeneralizedCrossEntropy,
    KLDivergence,
    LogCosh,
    MulticlassBrier,
    Poisson,
    PolyCrossEntropy,
    Savage,
    Spherical,
    SquaredEpsilonInsensitive,
    Tukey,
)
from lossary.define.loss import Loss
from lossary.judge import exact

if TYPE_CHECKING:
    from lossary.check.inference.formula import Formula

# Whose gradients are that of cross-entropy times a pull, which depends on how likely the right class is.
_OfShares = CategoricalFocal | GeneralizedCrossEntropy | PolyCrossEntropy | Spherical


@final
@dataclasses.dataclass(frozen=True)
class Exact:
    """An array of exact numbers: the nearest float64, and what is left."""

    near: Any
    rest: Any

    @classmethod
    def of(cls, numbers: Any) -> Exact:
        near = np.array([float(x) for x in numbers.flat]).reshape(numbers.shape)
        rest = [float(x - n) if np.isfinite(n) else 0.0 for x, n in zip(numbers.flat, near.flat, strict=True)]
        return cls(near, np.array(rest).reshape(numbers.shape))

    def distance(self, x: Any) -> Any:
        return np.abs((x - self.near) - self.rest)


@final
@dataclasses.dataclass(frozen=True)
class Judged:
    """Points with their exact answers. The `size` of an answer is Σ|term| where it is a sum of terms of both signs."""

    prediction: Any
    target: Any
    value: Exact
    value_size: Any
    low: Exact
    high: Exact
    gradient_size: Any
    # Whether one of the terms of a gradient is subnormal.
    subnormal_term: Any
    alone: bool  # whether of a row with a NaN only the NaN's own entry must have a gradient of NaN

    @classmethod
    def of(
        cls, loss: Loss | Formula, p: Any, y: Any, *, value: Exact, low: Exact, high: Exact, factor: float = 1.0
    ) -> Self:
        """Points with answers that are known already: the value, and the lowest and highest subgradient, `factor` times
        those of the loss."""
        with np.errstate(all="ignore"):
            value_size, terms = factor * _value_size(loss, p, y), factor * _gradient_terms(loss, p, y)
            slope = _together(loss, np.maximum(np.abs(low.near), np.abs(high.near)), 1)
            return cls(
                prediction=p,
                target=y,
                value=value,
                low=low,
                high=high,
                value_size=np.fmax(value_size, np.abs(value.near)),
                gradient_size=np.fmax(np.sum(terms, axis=0), slope),
                subnormal_term=np.any((terms > 0) & (terms < smallest_normal(p.dtype.name)), axis=0),
                alone=loss.prediction.rows and (loss.prediction.of_shares or _is_one_thing(loss)),
            )

    @functools.cached_property
    def with_nan(self) -> Any:
        """By row or entry: whether an input is NaN."""
        return self._any(np.isnan)

    @functools.cached_property
    def with_subnormal(self) -> Any:
        """By row or entry: whether an input is subnormal."""
        tiny = smallest_normal(self.prediction.dtype.name)
        return self._any(lambda x: (x != 0) & (np.abs(x) < tiny))

    def _any(self, holds: Any) -> Any:
        inputs = [self.prediction] if self.target.dtype.kind in "iub" else [self.prediction, self.target]
        return functools.reduce(np.logical_or, [_in_each(holds(x)) for x in inputs])

    def of_value(self, got: Any) -> Distance:
        """How far values are from the exact ones."""
        return distance(got, self.value, self.value, self.value_size, self._dtype, self.with_nan, self.with_subnormal)

    def of_gradient(self, got: Any) -> Distance:
        """How far gradients are from the nearest exact subgradient."""
        nan, subnormal = self.with_nan, self.with_subnormal
        if self.prediction.ndim > 1:
            # Softmax makes NaN of the whole row; in a row of probabilities, say, only NaN's own entry must be.
            each_row = (-1, *(1,) * (self.prediction.ndim - 1))
            nan = np.isnan(self.prediction) if self.alone else nan.reshape(each_row)
            subnormal = subnormal.reshape(each_row)
        return distance(got, self.low, self.high, self.gradient_size, self._dtype, nan, subnormal | self.subnormal_term)

    @property
    def _dtype(self) -> str:
        return str(self.prediction.dtype.name)


def exactly(loss: Loss | Formula, p: Any, y: Any, factor: float = 1.0) -> dict[str, Exact]:
    """The judge's value, and its lowest and highest subgradient, times a positive factor."""
    judged: Any = loss  # the judge asks for no more than what a formula has, too
    value = Exact.of(factor * exact.judge(judged, p, y))
    low = high = Exact(np.zeros(p.shape), np.zeros(p.shape))
    if loss.trainable:
        low, high = (Exact.of(factor * slopes) for slopes in exact.judge_gradient(judged, p, y))
    return {"value": value, "low": low, "high": high}


def of_curvature(loss: Loss, p: Any, y: Any, got: Any) -> Distance:
    """How far curvatures are from the exact ones, or for rows the matrices of second derivatives.

    A residual is rounded before all else; that of LogCosh, whose curvature falls like exp(−2 |residual|), counts. The
    curvatures of the focal losses, of the Brier scores of logits, of the relatives of cross-entropy, of Cauchy and of
    Tukey are sums of terms of both signs.
    """
    low, high = (Exact.of(x) for x in exact.judge_curvature(loss, p, y))
    sizes = _together(loss, np.fmax(np.abs(low.near), np.abs(high.near)), 2)
    # A product of a share with one that is almost subnormal has lost its digits.
    subnormal = (sizes > 0) & (sizes < smallest_normal(p.dtype.name) / np.finfo(p.dtype).eps)
    if isinstance(loss, LogCosh):
        sizes = sizes * (1.0 + 2.0 * np.abs(p.astype(np.float64) - y))
    if isinstance(loss, BinaryFocal):
        xp, z = _numpy(), p.astype(np.float64)
        bent = xp.sigmoid(z) * xp.sigmoid(-z)
        terms = sizes + 2.0 * loss.gamma * loss.value(xp, z, y.astype(np.float64)) * bent
        sizes = _of_power(loss) * terms
    if isinstance(loss, Savage) or (isinstance(loss, Brier) and loss.from_logits):
        at = p.astype(np.float64), y.astype(np.float64)
        wrong, slope = np.sqrt(loss.value(_numpy(), *at)), np.abs(loss.gradient(_numpy(), *at))
        sizes = slope * (2.0 - wrong)
    if isinstance(loss, _OfShares):
        sizes = np.fmax(sizes, _bends_of_shares(loss, p, y))
        sizes = _of_power(loss) * sizes if isinstance(loss, CategoricalFocal) else sizes
    if isinstance(loss, MulticlassBrier):
        sizes = np.fmax(sizes, 4.0 * _of_squares(p, y)[1])
    if isinstance(loss, CosineDistance):
        (a, length), (b, _) = _directions(p, y)
        each = np.abs(a[:, :, None] * a[:, None, :])
        mixed = np.abs(a[:, :, None] * b[:, None, :])
        terms = np.eye(p.shape[-1]) + 3.0 * each + mixed + np.swapaxes(mixed, 1, 2)
        sizes = 2.0 * terms / (length * length)[..., None]
    if isinstance(loss, Cauchy | Tukey):
        square = np.minimum(np.abs(p.astype(np.float64) - y) / loss.c, 1e9) ** 2
        if isinstance(loss, Cauchy):
            sizes = (1.0 + 3.0 * square) / (1.0 + square) ** 2
        else:
            sizes = np.where(square < 1.0, (1.0 + square) * (1.0 + 5.0 * square), 0.0)
    return _distance(loss, p, y, got, low, high, sizes, subnormal)


def of_target_gradient(loss: Loss, p: Any, y: Any, got: Any) -> Distance:
    """How far derivatives with respect to the target are from the exact ones, in ULP of what their terms add up to."""
    low, high = (Exact.of(x) for x in exact.judge_gradient(loss, p, y, of_target=True))
    sizes = _together(loss, np.fmax(np.abs(low.near), np.abs(high.near)), 1)
    sizes = np.fmax(sizes, _target_size(loss, p, y))
    return _distance(loss, p, y, got, low, high, sizes, False)


def of_weight_gradient(loss: Loss, p: Any, y: Any, weight: Any, got: Any) -> Distance:
    """How far the derivatives of the weighted mean with respect to its weights are from (ℓ − mean) / Σw, in ULP of what
    that is the difference of."""
    values = exact.judge(loss, p, y)
    weight = weight.astype(np.float64)
    total = math.fsum(weight)
    mean = (weight * values).sum() / total
    slope = Exact.of((values - mean) / total)
    with np.errstate(all="ignore"):
        size = np.fmax(_value_size(loss, p, y), values.astype(np.float64))
    sizes = (size + (weight * size).sum() / total) / total
    return _distance(loss, p, y, got, slope, slope, sizes, False)


def _distance(loss: Loss, p: Any, y: Any, got: Any, low: Exact, high: Exact, sizes: Any, subnormal: Any) -> Distance:
    nan = _in_each(np.isnan(p)) if loss.target.indices else _in_each(np.isnan(p)) | _in_each(np.isnan(y))
    nan = nan.reshape(len(p), *(1,) * (np.ndim(got) - 1))
    with np.errstate(all="ignore"):
        return distance(got, low, high, sizes, str(p.dtype.name), nan, subnormal)


def _in_each(holds: Any) -> Any:
    """Whether it holds anywhere in each row, or number."""
    return np.any(holds.reshape(len(holds), -1), axis=1)


@final
@dataclasses.dataclass(frozen=True)
class Distance:
    """Answers beside the exact ones, point by point.

    Args:
        ulp: the error in units in the last place; 0 where it cannot be measured: at infinities, NaN and wrong answers.
        wrong: whether the answer is infinite, NaN or not 0 where the exact one is not, or the reverse.
        apart: whether an input or the answer is subnormal, which hardware may take for 0.
    """

    ulp: Any
    wrong: Any
    apart: Any


def distance(got: Any, low: Exact, high: Exact, size: Any, dtype: str, nan: Any, subnormal: Any) -> Distance:
    """Compare with what lies between `low` and `high`, in ULP of `size`."""
    got = np.asarray(got, dtype=np.float64)
    limits = _limits(dtype)
    tiny, most = float(limits.tiny), float(limits.max)
    with np.errstate(all="ignore"):
        between = (got >= low.near) & (got <= high.near)
        off = np.where(between, 0.0, np.minimum(low.distance(got), high.distance(got)))
        off = np.where(got == low.near, np.abs(low.rest), np.where(got == high.near, np.abs(high.rest), off))
        scale = np.clip(size, tiny, most)
        ulp = off / np.spacing(scale.astype(getattr(ml_dtypes, dtype, dtype))).astype(np.float64)
        # Just beyond the largest float, infinity and the largest float are both near.
        overflows = np.maximum(np.abs(low.near), np.abs(high.near)) > most
        expected = np.where(overflows, np.sign(low.near) * np.inf, low.near)
        edge = np.abs(np.abs(low.near) / most - 1) < 4 * float(limits.eps)
        finite = np.isfinite(got)
        wrong = np.where(nan, ~np.isnan(got), np.isnan(got))
        at_edge = edge & (np.abs(got) > most * (1 - 4 * float(limits.eps))) & (np.sign(got) == np.sign(low.near))
        wrong |= ~nan & ~at_edge & np.where(overflows, ~(got == expected), ~finite)
        # A kink's interval may hold 0; elsewhere 0 must be 0.
        wrong |= ~nan & (size == 0) & (got != 0)
    unknown = np.isnan(low.near)  # what the judge cannot say: the neighbours of a NaN
    wrong &= nan | ~unknown
    ulp = np.where(nan | wrong | overflows | ~finite | unknown, 0.0, ulp)
    small = np.maximum(np.abs(low.near), np.abs(high.near))
    return Distance(ulp, wrong, np.broadcast_to(subnormal, got.shape) | ((small < tiny) & (small > 0)))


def smallest_normal(dtype: str) -> float:
    """The smallest positive number that has all its digits."""
    return float(_limits(dtype).tiny)


def largest(dtype: str) -> float:
    """The largest finite number."""
    return float(_limits(dtype).max)


def _limits(dtype: str) -> Any:
    limits: Any = ml_dtypes.finfo
    return limits(getattr(ml_dtypes, dtype, dtype))


def _value_size(loss: Loss | Formula, p: Any, y: Any) -> Any:
    """For the divergence Σ P log(P / Q) what its terms add up to, all with the same sign; where P itself is a rounded
    softmax, those of Σ P log P − Σ P log Q. For a likelihood, what the scale costs, what the residual costs, and the
    constant; of a count or an amount, what the mean costs beside 0, and what the target does. For what exceeds a tube
    the residual and the tube. 0 for all others."""
    if isinstance(loss, Gamma | Poisson):
        return np.sum(_beside_0(loss.value, p, y), axis=0)
    if isinstance(loss, BinaryFocal):
        return _of_power(loss) * loss.value(_numpy(), p.astype(np.float64), y.astype(np.float64))
    if isinstance(loss, CategoricalFocal | MulticlassBrier):
        times = _of_power(loss) if isinstance(loss, CategoricalFocal) else 2.0  # a square has twice the error
        return times * loss.value(_numpy(), p.astype(np.float64), y)
    if isinstance(loss, CosineDistance):
        (a, _), (b, _) = _directions(p, y)
        rounded = np.abs(a) + np.abs(b)
        return np.sum((np.abs(a - b) + np.finfo(p.dtype).eps * rounded) * rounded, axis=-1)
    if isinstance(loss, EpsilonInsensitive):
        return _beside_the_tube(loss, p, y)
    if isinstance(loss, SquaredEpsilonInsensitive):
        beyond = np.sqrt(loss.value(_numpy(), p.astype(np.float64), y.astype(np.float64)))
        return beyond * _beside_the_tube(loss, p, y)
    if isinstance(loss, GaussianNLL):
        p, y, plain = p.astype(np.float64), y.astype(np.float64), dataclasses.replace(loss, full=False)
        of_scale = plain.value(_numpy(), _without_residual(p, y), y)
        of_residual = plain.value(_numpy(), p, y) - of_scale
        return np.abs(of_scale) + np.abs(of_residual) + (0.5 * math.log(2.0 * math.pi) if loss.full else 0.0)
    if not isinstance(loss, KLDivergence):
        return np.zeros(len(p))
    p, y, xp = p.astype(np.float64), y.astype(np.float64), _numpy()
    share = _shares(y) if loss.log_target else y
    predicted, half_surprisal = xp.softmax_and_half_surprisal(p) if loss.from_logits else (p, -0.5 * np.log(p))
    if loss.log_target:
        return np.sum(xp.product(share, np.abs(np.log(share)) + 2.0 * half_surprisal), axis=-1)
    near = np.abs(share - predicted) < 0.5 * predicted
    shares_near = np.where(near, share, 0.0)
    alike, entropy = xp.relative_entropy(shares_near, predicted)
    small = np.where(alike, shares_near - predicted, 0.0) + entropy
    large = xp.product(share, np.where(near, 0.0, np.log(share) + 2.0 * half_surprisal))
    return np.sum(np.abs(np.where(near, small, large)), axis=-1)


def _together(loss: Loss | Formula, sizes: Any, order: int) -> Any:
    """The largest entry of each gradient (of order 1) or matrix of second derivatives, where the columns of a row are
    one thing: what is pulled at a box's edges is rounded as a whole, as a vector is by its norm."""
    if not _is_one_thing(loss):
        return sizes
    largest = np.fmax.reduce(sizes.reshape(*sizes.shape[: sizes.ndim - order], -1), axis=-1)
    return np.broadcast_to(largest[(..., *(None,) * order)], sizes.shape)


def _is_one_thing(loss: Loss | Formula) -> bool:
    """Whether a row is one thing: it has a fixed number of entries, and none of them has a name of its own."""
    return loss.prediction.size is not None and not hasattr(loss.prediction, "names")


def _target_size(loss: Loss, p: Any, y: Any) -> Any:
    """What the terms of a derivative with respect to the target add up to, where they are of both signs."""
    p, y = p.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        if loss.target.shares and not loss.target.rows:  # what a 1 costs less what a 0 costs
            return np.sum([loss.value(_numpy(), p, np.full_like(p, label)) for label in (0.0, 1.0)], axis=0)
        if isinstance(loss, Tukey):
            return _of_difference(loss, p, y)[0]
        if isinstance(loss, CosineDistance):
            return np.sum(_of_difference(loss, y, p), axis=0)
        if not isinstance(loss, KLDivergence):
            return np.zeros(y.shape)
        share = _shares(y) if loss.log_target else y
        cost = _numpy().surprisal(p) if loss.from_logits else -np.log(p)
        of_each = np.abs(np.log(share)) + np.abs(cost)
        if not loss.log_target:
            return of_each + 1.0
        return share * (of_each + np.sum(share * of_each, axis=-1, keepdims=True))


def _gradient_terms(loss: Loss | Formula, p: Any, y: Any) -> Any:
    """The sizes of the terms of a gradient, stacked: a soft target is a mixture of hard ones, and the gradient the same
    mixture of theirs, of both signs; the scale of a likelihood is pulled down by itself and up by the residual. None
    for all other losses."""
    if not isinstance(loss, Loss):
        return np.zeros((1, *p.shape))
    dtype, p, y = p.dtype.name, p.astype(np.float64), y if loss.target.indices else y.astype(np.float64)
    if isinstance(loss, GaussianNLL):
        alone = loss.gradient(_numpy(), _without_residual(p, y), y)
        # A residual is rounded before all else, or taken for 0 where it is subnormal.
        residual = np.abs(p[..., 0] - y)
        lost = np.where(residual < smallest_normal(dtype), residual, 0.0)[..., None]
        return np.abs(np.stack([alone, loss.gradient(_numpy(), p, y) - alone, lost + 0.0 * alone]))
    if isinstance(loss, CosineDistance | SquaredEpsilonInsensitive | Tukey):
        return _of_difference(loss, p, y)
    if isinstance(loss, MulticlassBrier):
        return np.concatenate(
            [_of_squares(p, y)[0]] * 4
        )  # as often as they count: shares may be too small for all digits
    if isinstance(loss, BinaryFocal | _OfShares):
        return _of_power(loss) * np.abs(loss.gradient(_numpy(), p, y))[None]
    if isinstance(loss, Gamma | Poisson) and loss.from_log:
        return _beside_0(loss.gradient, p, y)
    smoothing = getattr(loss, "label_smoothing", 0.0)
    plain = type(loss)(**{**loss.settings, "label_smoothing": 0.0}) if smoothing else loss
    if loss.target.shares and not loss.target.rows:
        share = (1 - smoothing) * y + smoothing / 2
        at = [plain.gradient(_numpy(), p, np.full_like(p, label)) for label in (0.0, 1.0)]
        return np.stack([(1 - share) * np.abs(at[0]), share * np.abs(at[1])])
    if not ((loss.target.rows and loss.target.says_class) or smoothing):
        return np.zeros((1, *p.shape))
    classes = p.shape[-1]
    if loss.target.indices:
        y = np.eye(classes)[y]
    elif not loss.target.shares:
        y = _shares(y)
    share = (1 - smoothing) * y + smoothing / classes
    hard = CategoricalCrossEntropy(from_logits=loss.prediction.of_logits)
    terms = []
    for k, label in enumerate(np.eye(classes)):
        slope = hard.gradient(_numpy(), p, np.broadcast_to(label, p.shape))
        terms.append(np.where(share[:, k : k + 1] == 0, 0, share[:, k : k + 1] * np.abs(slope)))
    return np.stack(terms)


def _beside_0(method: Any, p: Any, y: Any) -> Any:
    """The sizes of what a loss or its gradient is beside a target of 0, and of what the target changes."""
    p, y = p.astype(np.float64), y.astype(np.float64)
    alone = method(_numpy(), p, 0.0 * y)
    return np.abs(np.stack([alone, method(_numpy(), p, y) - alone]))


def _of_power(loss: BinaryFocal | _OfShares) -> float:
    """The focal losses are about the power γ + 1 of a share; one above the second magnifies what that was rounded by.
    The others' gradients are a share times the power q of another, or times another; the spherical score's times a
    root."""
    if isinstance(loss, BinaryFocal | CategoricalFocal):
        least = 1.0 if isinstance(loss, BinaryFocal) else min(1.5, 1.0 + loss.gamma)  # a power of a share times a share
        return float(max(least, 0.5 * (loss.gamma + 1.0)))
    if isinstance(loss, GeneralizedCrossEntropy):
        return float(1.0 + loss.q)
    return 1.5 if isinstance(loss, Spherical) else 2.0


def _bends_of_shares(loss: _OfShares, p: Any, y: Any) -> Any:
    """What the terms of a matrix of second derivatives add up to: how the pull of the right class changes, and how the
    shares that it is multiplied by do."""
    times = 2.0 if isinstance(loss, Spherical) else 1.0  # whose shares are those of the squares
    share, complement = _numpy().softmax_and_complement(times * p.astype(np.float64))
    own = np.eye(p.shape[-1], dtype=bool)
    apart = np.where(own[y], complement, share)  # the sizes of the gradient of cross-entropy
    with np.errstate(all="ignore"):
        slope = np.abs(loss.gradient(_numpy(), p.astype(np.float64), y))
    pull = np.sum(slope, axis=-1) / np.sum(apart, axis=-1)
    of_pull = _bend_of_pull(loss, share[own[y]], complement[own[y]]) * apart[:, :, None] * apart[:, None, :]
    of_shares = share[:, :, None] * np.where(own, complement[:, None, :], share[:, None, :])
    return times * pull[:, None, None] * (of_pull + of_shares)


def _bend_of_pull(loss: _OfShares, right: Any, wrong: Any) -> Any:
    """What the terms of the derivative of log(pull) add up to, in units of the gradient of cross-entropy."""
    if not isinstance(loss, CategoricalFocal):
        return _of_power(loss) - 1.0
    of_power = right * -np.log(right) / wrong
    return (loss.gamma * (right + (right + of_power) / (1.0 + loss.gamma * of_power)) / wrong)[:, None, None]


def _of_difference(loss: CosineDistance | SquaredEpsilonInsensitive | Tukey, p: Any, y: Any) -> Any:
    """The sizes of the terms of a gradient that is a difference, or a function of one that is rounded, stacked."""
    if isinstance(loss, CosineDistance):
        (a, length), (b, _) = _directions(p, y)
        apart = 0.5 * np.sum((a - b) * (a - b), axis=-1, keepdims=True)
        return np.stack([(1.0 + apart) * np.abs(a), np.abs(b)]) / length
    if isinstance(loss, SquaredEpsilonInsensitive):
        return 2.0 * _beside_the_tube(loss, p, y)[None]
    residual = np.abs(p.astype(np.float64) - y)
    return np.where(residual <= loss.c, residual * (1.0 + (residual / loss.c) ** 2) ** 2, 0.0)[None]


def _directions(*rows: Any) -> list[tuple[Any, Any]]:
    """Each of the rows' directions and lengths, all finite; rows of zeros have none."""
    largest = [np.abs(x.astype(np.float64)).max(axis=-1, keepdims=True) for x in rows]
    scaled = [
        np.where(np.isinf(x), np.sign(x), x / np.where(most > 0.0, most, 1.0))
        for x, most in zip(rows, largest, strict=True)
    ]
    lengths = [np.sqrt(np.sum(x * x, axis=-1, keepdims=True)) for x in scaled]
    return [
        (x / np.where(length > 0.0, length, 1.0), most * length)
        for x, length, most in zip(scaled, lengths, largest, strict=True)
    ]


def _of_squares(p: Any, y: Any) -> tuple[Any, Any]:
    """What the terms add up to of half the gradient of the squares of shares, of both signs, and of its derivatives.
    As of the others that are a share times a share, twice as much may be lost."""
    share, complement = _numpy().softmax_and_complement(p.astype(np.float64))
    own = np.eye(p.shape[-1], dtype=bool)
    right, wrong = share[own[y]][:, None], complement[own[y]][:, None]
    others = np.where(own[y], 0.0, share)
    squares = np.sum(others * others, axis=-1, keepdims=True)
    first = np.where(own[y], wrong * wrong, right * wrong)
    terms = first + squares + np.where(own[y], 0.0, share * complement - others * others)
    moved = share[:, :, None] * np.where(own, complement[:, None, :], share[:, None, :])  # of each share, by each logit
    of_right = moved[own[y]][:, None, :]
    of_squares = np.sum(2.0 * others[:, :, None] * moved, axis=1, keepdims=True)
    of_wrong = of_right + moved + of_squares - 2.0 * others[:, :, None] * moved
    of_terms = np.where(own[y][:, :, None], 2.0 * wrong[:, :, None] * of_right + of_squares, of_wrong)
    return np.stack([share * first, share * (terms - first)]), moved * terms[:, :, None] + share[:, :, None] * of_terms


def _beside_the_tube(loss: EpsilonInsensitive | SquaredEpsilonInsensitive, p: Any, y: Any) -> Any:
    """The residual and what is taken off it."""
    return np.abs(p.astype(np.float64) - y.astype(np.float64)) + loss.epsilon


def _without_residual(p: Any, y: Any) -> Any:
    """The same predicted scales, beside means that are right."""
    return np.concatenate([y[..., None], p[..., 1:]], axis=-1)


def _numpy() -> Any:
    from lossary.ops.numpy import ops

    return ops


def _shares(logits: Any) -> Any:
    return _numpy().softmax_and_complement(logits)[0]
