"""How far answers are from the exact ones, in units in the last place (ULP)."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any, Self, final

import ml_dtypes
import numpy as np

from lossary import CategoricalCrossEntropy
from lossary.define.loss import Loss
from lossary.judge import exact

if TYPE_CHECKING:
    from lossary.check.inference.formula import Formula


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
                alone=loss.prediction.rows
                and (loss.prediction.of_shares or _is_one_thing(loss) or _are_apart(loss, p.shape[-1])),
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
    """How far curvatures are from the exact ones, or for rows the matrices of second derivatives."""
    low, high = (Exact.of(x) for x in exact.judge_curvature(loss, p, y))
    sizes = _together(loss, np.fmax(np.abs(low.near), np.abs(high.near)), 2)
    # A product of a share with one that is almost subnormal has lost its digits.
    subnormal = (sizes > 0) & (sizes < smallest_normal(p.dtype.name) / np.finfo(p.dtype).eps)
    sizes = np.fmax(sizes, size_of_terms(loss, "curvature", p, y))
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
        wrong |= ~nan & ~at_edge & ~between & np.where(overflows, ~(got == expected), ~finite)
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


def _terms(loss: Loss, what: str, p: Any, y: Any) -> tuple[Any, ...]:
    """The terms that a loss states of its value, gradient, curvature or derivative by the target: the larger of those
    here and one rounding away, where a difference that is 0 here is not."""
    spacing, y = float(_limits(p.dtype.name).eps), y if loss.target.indices else y.astype(np.float64)
    signs = np.where(np.arange(p.size).reshape(p.shape) % 2, 1.0, -1.0)
    method, here = getattr(loss, f"{what}_terms"), p.astype(np.float64)
    with np.errstate(all="ignore"):
        both = (method(_numpy(), at, y) for at in (here, here * (1.0 + spacing * signs)))
        return tuple(np.fmax(*map(np.abs, terms)) for terms in zip(*both, strict=True))


def size_of_terms(loss: Loss, what: str, p: Any, y: Any) -> Any:
    """What these terms add up to; 0 where there are none."""
    return sum(map(np.abs, _terms(loss, what, p, y)), start=0.0)


def _value_size(loss: Loss | Formula, p: Any, y: Any) -> Any:
    """What the terms of the values add up to; 0 where there are none but its own."""
    return np.zeros(len(p)) + (size_of_terms(loss, "value", p, y) if isinstance(loss, Loss) else 0.0)


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


@functools.lru_cache(maxsize=64)
def _are_apart(loss: Loss | Formula, entries: int) -> bool:
    """Whether each entry of a row has a gradient of its own, in which the other entries change nothing."""
    if not isinstance(loss, Loss) or not loss.trainable or loss.prediction.axes != 1:
        return False
    random, shape = np.random.default_rng(0), (16, entries)
    one, other = (loss.prediction.ordinary(random, shape) for _ in range(2))
    y = loss.target.ordinary(random, loss.target.shape_beside(loss.prediction, shape))
    mixed = np.where(np.arange(entries) == 0, other, one)
    slopes = [loss.gradient(_numpy(), each, y)[:, 1:] for each in (one, mixed)]
    return np.array_equal(*slopes)


def _target_size(loss: Loss, p: Any, y: Any) -> Any:
    """What the terms of a derivative with respect to the target add up to, where they are of both signs."""
    p, y = p.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        if loss.target.shares and not loss.target.rows:  # what a 1 costs less what a 0 costs
            return np.sum([loss.value(_numpy(), p, np.full_like(p, label)) for label in (0.0, 1.0)], axis=0)
    return np.zeros(y.shape) + size_of_terms(loss, "target", p, y)


def _gradient_terms(loss: Loss | Formula, p: Any, y: Any) -> Any:
    """The sizes of the terms of a gradient, stacked: those that the loss states. A soft target is a mixture of hard
    ones, and the gradient the same mixture of theirs, of both signs. Of all others the gradient is none but its own."""
    if not isinstance(loss, Loss):
        return np.zeros((1, *p.shape))
    stated = _terms(loss, "gradient", p, y)
    dtype, p, y = p.dtype.name, p.astype(np.float64), y if loss.target.indices else y.astype(np.float64)
    if stated:
        if loss.prediction.rows and loss.prediction.says_estimate:
            # A residual is rounded before all else, or taken for 0 where it is subnormal.
            residual = np.abs(loss.prediction.estimate(p) - y)
            stated = *stated, np.where(residual < smallest_normal(dtype), residual, 0.0)[..., None]
        return np.abs(np.stack(np.broadcast_arrays(*stated)))
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


def _numpy() -> Any:
    from lossary.ops.numpy import ops

    return ops


def _shares(logits: Any) -> Any:
    return _numpy().softmax_and_complement(logits)[0]
