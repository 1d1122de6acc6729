"""The judge: the same operations on numbers of as many digits as the input needs.

`judge` and its like read a loss's `formula` (its `value`, where it has none) on NumPy arrays of mpmath numbers.
Inputs are taken exactly as they are. Infinite ones are answered by the limit: a number far beyond every float stands
in for them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, final

import mpmath
import numpy as np

from lossary.define.domains.domain import Domain
from lossary.define.loss import Loss
from lossary.ops.arrays import flat_shape
from lossary.ops.numpy import run_of, shifted
from lossary.ops.ops import Array, Operations

_MOST_DIGITS = 800  # what float64 needs: answers down to 1e-308 of inputs up to 1e308, and the step of a difference
_INFINITY = 700  # the power of 10 that stands for infinity: also times 1e-323 it is beyond every float
_BATCH_DIGITS = 150  # of a batch that is judged as a whole
_STEP = 25  # the power of 10 by which a difference's step is smaller than what it steps on


@final
class Exact(Operations):
    """The operations on NumPy arrays of mpmath numbers with `digits` digits."""

    def __init__(self, digits: int) -> None:
        self._mp: Any = mpmath.MPContext()  # a context of its own: no global precision is touched
        self._mp.dps = self.digits = digits
        self._huge = self._mp.mpf(10) ** _INFINITY
        self._functions = {
            name: np.frompyfunc(function, 1, 1)
            for name, function in {
                "exact": lambda x: self._mp.mpf(x if isinstance(x, self._mp.mpf) else float(x)),
                "erf": self._mp.erf,
                "exp": self._exp,
                "expm1": self._mp.expm1,
                "log": lambda x: self._mp.nan if x < 0 else -self._huge if x == 0 else self._mp.log(x),
                "sqrt": lambda x: self._mp.nan if x < 0 else self._mp.sqrt(x),
                "sinpi": self._sinpi,
                "tanh": self._mp.tanh,
                "versinpi": lambda x: 2 * self._sinpi(x / 2) ** 2,
                "isnan": self._mp.isnan,
                "isfinite": self._mp.isfinite,
            }.items()
        }

    def _exp(self, x: Any) -> Any:
        # mpmath multiplies e by itself for whole numbers, which takes for ever where they are large.
        half = self._mp.mpf(0.5)
        return self._mp.exp(x + half) / self._mp.exp(half) if abs(x) > 1000 else self._mp.exp(x)

    def numbers(self, x: Array) -> Array:
        """Floats as numbers of so many digits, exactly; infinities by their stand-in."""
        found = self._functions["exact"](np.asarray(x))
        return np.where(found == math.inf, self._huge, np.where(found == -math.inf, -self._huge, found))

    def power_of_10(self, exponent: Array) -> Array:
        """The power of 2 just below: added to a float, it is exact."""
        return np.frompyfunc(lambda k: self._mp.ldexp(1, math.floor(int(k) * math.log2(10))), 1, 1)(exponent)

    def abs(self, x: Array) -> Array:
        return np.abs(x)

    def erf(self, x: Array) -> Array:
        return self._functions["erf"](x)

    def exp(self, x: Array) -> Array:
        return self._functions["exp"](x)

    def expm1(self, x: Array) -> Array:
        return self._functions["expm1"](x)

    def log(self, x: Array) -> Array:
        return self._functions["log"](x)

    def log1p(self, x: Array) -> Array:
        return self.log(1 + x)

    def sqrt(self, x: Array) -> Array:
        return self._functions["sqrt"](x)

    def _power(self, x: Array, exponent: float) -> Array:
        return np.frompyfunc(lambda x: self._to(x, float(exponent)), 1, 1)(x)

    def _to(self, x: Any, exponent: float) -> Any:
        if x == 0:
            return self._huge if exponent < 0 else self._mp.mpf(0)
        return self._mp.nan if x < 0 else self._mp.power(x, exponent)

    def remainder(self, x: Array, divisor: float) -> Array:
        # What stands for infinity is at no place between two multiples.
        def rest(x: Any) -> Any:
            return self._mp.nan if self._is_infinite(x) else x - divisor * self._mp.ceil(x / divisor - 0.5)

        return np.frompyfunc(rest, 1, 1)(x)

    def sinpi(self, x: Array) -> Array:
        return self._functions["sinpi"](x)

    def versinpi(self, x: Array) -> Array:
        return self._functions["versinpi"](x)

    def _sinpi(self, x: Any) -> Any:
        return self._mp.nan if self._is_infinite(x) else self._mp.sinpi(x)

    def _is_infinite(self, x: Any) -> bool:
        """Whether it stands for infinity, or is next to it."""
        return bool(abs(x) > self._mp.sqrt(self._huge))

    def tanh(self, x: Array) -> Array:
        return self._functions["tanh"](x)

    def maximum(self, x: Array, y: Array) -> Array:
        return np.where(self.isnan(x + y), x + y, np.where(x >= y, x, y))

    def minimum(self, x: Array, y: Array) -> Array:
        return np.where(self.isnan(x + y), x + y, np.where(x <= y, x, y))

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        return np.where(condition, x, y)

    def equal(self, x: Array, y: Array) -> Array:
        return np.asarray(x == y)

    def isnan(self, x: Array) -> Array:
        return np.asarray(self._functions["isnan"](x), dtype=bool)

    def isfinite(self, x: Array) -> Array:
        return np.asarray(self._functions["isfinite"](x), dtype=bool)

    def logical_and(self, x: Array, y: Array) -> Array:
        return np.logical_and(x, y)

    def logical_or(self, x: Array, y: Array) -> Array:
        return np.logical_or(x, y)

    def logical_not(self, x: Array) -> Array:
        return np.logical_not(x)

    def sum(self, x: Array) -> Array:
        return np.sum(x, axis=-1)

    def max(self, x: Array) -> Array:
        return np.max(x, axis=-1)

    def argmax(self, x: Array) -> Array:
        return np.argmax(x, axis=-1)

    def take(self, x: Array, index: Array) -> Array:
        return np.take_along_axis(x, np.asarray(index)[..., None], axis=-1)[..., 0]

    def is_class(self, index: Array, like: Array) -> Array:
        return np.asarray(index)[..., None] == self.positions(like)

    def is_below(self, index: Array, like: Array) -> Array:
        return self.positions(like) < np.asarray(index)[..., None]

    def positions(self, like: Array) -> Array:
        return np.arange(like.shape[-1])

    def argsort(self, x: Array) -> Array:
        return np.argsort(x, axis=-1, kind="stable")

    def gather(self, x: Array, index: Array) -> Array:
        return np.take_along_axis(x, index, axis=-1)

    def shift(self, x: Array, steps: int, fill: float) -> Array:
        return shifted(x, steps, self.numbers(fill))

    def cumulative_sum(self, x: Array) -> Array:
        return np.cumsum(x, axis=-1)

    def cumulative_max(self, x: Array) -> Array:
        return np.maximum.accumulate(x, axis=-1)

    def run_sum(self, x: Array, starts: Array) -> Array:
        runs, sums = run_of(starts), np.zeros(x.size, dtype=object)
        np.add.at(sums, runs, x.ravel())
        return sums[runs].reshape(x.shape)

    def stop_gradient(self, x: Array) -> Array:
        return x

    def row(self, x: Array) -> Array:
        return np.expand_dims(x, -1)

    def flatten(self, x: Array, axes: int, rest: int = 0) -> Array:
        return x.reshape(flat_shape(x.shape, axes, rest))

    def reshape_like(self, x: Array, like: Array) -> Array:
        return x.reshape(like.shape)

    def columns(self, x: Array, count: int) -> list[Array]:
        return [x[..., k] for k in range(count)]

    def stack(self, *columns: Array) -> Array:
        return np.stack(np.broadcast_arrays(*columns), axis=-1)

    def matmul(self, x: Array, y: Array) -> Array:
        return np.matmul(x, y)

    def transpose(self, x: Array) -> Array:
        return np.swapaxes(x, -1, -2)

    def classes(self, x: Array) -> Array:
        return x.shape[-1]

    def table(self, entries: Any, like: Array) -> Array:
        return self.numbers(entries)

    def lookup(self, table: Array, index: Array) -> Array:
        return np.take(table, index)


@functools.cache
def exact(digits: int) -> Exact:
    return Exact(digits)


def judge(loss: Loss, prediction: Any, target: Any) -> Any:
    """The loss of each entry (or row), as an array of mpmath numbers; NaN where an input is."""

    def value(xp: Exact, p: Array, y: Array, steps: Array) -> list[Array]:
        return [np.asarray(_textbook(loss)(xp, p, y))]

    return _in_groups(loss, value, prediction, target)[0]


def judge_gradient(loss: Loss, prediction: Any, target: Any, *, of_target: bool = False) -> tuple[Any, Any]:
    """The lowest and the highest subgradient with respect to the prediction (or the target), in its shape.

    They are the same number but at kinks, where any number between them is right. At the edge of the domain there is
    only the derivative from inside.
    """

    def slopes(xp: Exact, p: Array, y: Array, steps: Array) -> list[Array]:
        if not (loss.target if of_target else loss.prediction).rows:
            return list(_slopes(xp, lambda h, at: moved(xp, p[at], y[at], h), steps))
        low, high = np.empty_like(steps), np.empty_like(steps)
        for place in np.ndindex(steps.shape[1:]):
            only = np.zeros(steps.shape[1:], dtype=bool)
            only[place] = True

            def along(h: Array, at: Array, only: Array = only) -> Array:
                return moved(xp, p[at], y[at], np.where(only, h.reshape(-1, *(1,) * only.ndim), 0))

            entry = (slice(None), *place)
            low[entry], high[entry] = _slopes(xp, along, steps[entry])
        return [low, high]

    def moved(xp: Exact, p: Array, y: Array, h: Array) -> Array:
        return np.asarray(_textbook(loss)(xp, p, y + h) if of_target else _textbook(loss)(xp, p + h, y))

    low, high = _in_groups(loss, slopes, prediction, target, of_target=of_target)
    return low, high


def judge_curvature(loss: Loss, prediction: Any, target: Any) -> tuple[Any, Any]:
    """The lowest and the highest second derivative with respect to the prediction: of its shape, or for rows the matrix
    of all pairs of classes; from either side, so that they differ where the curvature jumps."""

    def curvatures(xp: Exact, p: Array, y: Array, steps: Array) -> list[Array]:
        def value(h: Array) -> Array:
            return np.asarray(_textbook(loss)(xp, p + h, y))

        def second(one: Array, other: Array, size: Array) -> Array:
            ahead, behind = value(one + other) + value(0 * one), value(one) + value(other)
            rounding = np.abs(ahead) * xp.power_of_10(30 - xp.digits)
            return np.where(np.abs(ahead - behind) < rounding, 0, ahead - behind) / size

        if not loss.prediction.rows:
            sides = [second(h, h, h * h) for h in (-steps, steps)]
            sides = [np.where(xp.isnan(one), other, one) for one, other in (sides, sides[::-1])]
            return [np.where(sides[0] < sides[1], *sides), np.where(sides[0] < sides[1], *sides[::-1])]
        classes = p.shape[-1]
        along = [np.where(np.arange(classes) == k, steps, 0) for k in range(classes)]
        found = np.empty((*p.shape, classes), dtype=object)
        for i in range(classes):
            for j in range(i + 1):
                found[..., i, j] = second(along[i], along[j], steps[..., i] * steps[..., j])
                found[..., j, i] = found[..., i, j]
        return [found, found]

    low, high = _in_groups(loss, curvatures, prediction, target, order=2)
    return low, high


def judge_total(loss: Loss, inputs: Mapping[str, Any], weight: Any) -> tuple[Any, tuple[Any, ...]]:
    """The weighted sum of a batch of any shape, exactly, and its derivatives by each learned input, in its shape.

    Args:
        inputs: each as a NumPy array of one axis of entries, by its name: finite, and no derivative jumps there.
        weight: (entries,).
    """
    xp = exact(_BATCH_DIGITS)
    arrays = {
        name: inputs[name] if domain.indices else xp.numbers(np.asarray(inputs[name]).astype(np.float64))
        for name, domain in loss.domains.items()
    }
    weight = xp.numbers(np.asarray(weight).astype(np.float64))

    def of_each(arrays: Mapping[str, Array]) -> Array:
        """What each entry costs; of a loss of the whole batch, the only one."""
        first, second, *rest = arrays.values()
        named = dict(zip(loss.inputs[2:], rest, strict=True))
        if loss.pooled:
            return np.asarray(_textbook(loss)(xp, first, second, **named, weight=weight)).item()
        return weight * _textbook(loss)(xp, first, second, **named)

    step = xp.power_of_10(-_BATCH_DIGITS // 3)
    slopes = {name: np.empty(arrays[name].shape, dtype=object) for name in loss.learned}
    for name, slope in slopes.items():
        # Entries with losses of their own are moved all at once.
        together = () if loss.pooled else (slice(None),)
        for place in np.ndindex(slope.shape[len(together) :]):
            ends = []
            for h in (step, -step):
                moved = arrays[name].copy()
                moved[(*together, *place)] += h
                ends.append(of_each({**arrays, name: moved}))
            slope[(*together, *place)] = (ends[0] - ends[1]) / (2 * step)
    return np.sum(of_each(arrays)), tuple(slopes.values())


def _textbook(loss: Loss) -> Any:
    return getattr(loss, "formula", loss.value)


def _slopes(xp: Exact, along: Any, step: Array) -> tuple[Array, Array]:
    """The derivatives of `along` at 0 from the left and from the right, sorted; from one side where only one exists."""
    everywhere = np.ones(step.shape, dtype=bool)
    here = along(0 * step, everywhere)

    def sides(h: Array, at: Array) -> tuple[Array, Array]:
        left, right = (here[at] - along(-h, at)) / h, (along(h, at) - here[at]) / h
        return np.where(xp.isnan(left), right, left), np.where(xp.isnan(right), left, right)

    left, right = sides(step, everywhere)
    low = high = (left + right) / 2
    # A smooth loss bends a little within the step, and less within a smaller one; a kink stays.
    bent = np.abs(right - left) > 1e-12 * (np.abs(right) + np.abs(left))
    if np.any(bent):
        nearer_left, nearer_right = sides(step[bent] / 1000, bent)
        # Where the curvature jumps at a gradient of 0, both sides and their mean go to 0 with the step.
        flat = np.asarray(left * right <= 0, dtype=bool)
        vanishes = flat[bent] & (np.abs(nearer_left + nearer_right) < np.abs(left + right)[bent] / 10)
        low[bent] = high[bent] = np.where(vanishes, 0 * low[bent], low[bent])
        bent[bent] = np.abs(nearer_right - nearer_left) > np.abs(right - left)[bent] / 10
        low = np.where(bent, np.where(left < right, left, right), low)
        high = np.where(bent, np.where(left < right, right, left), high)
    return low, high


def _in_groups(
    loss: Loss, answer: Any, prediction: Any, target: Any, *, of_target: bool = False, order: int = 1
) -> list[Any]:
    """`answer` for all entries (rows) that need equally many digits at once, put together again; it takes differences
    of this order, of the target or of the prediction."""
    prediction, target = np.asarray(prediction), np.asarray(target)
    smallest = 45 if prediction.dtype.itemsize < 8 else 324
    prediction = prediction.astype(np.float64)
    if not loss.target.indices:
        target = target.astype(np.float64)
    leading = prediction.shape[: -max(loss.prediction.axes, 1)] if prediction.ndim > 1 else prediction.shape
    p = prediction.reshape(math.prod(leading), *prediction.shape[len(leading) :])
    y = target.reshape(len(p), *target.shape[len(leading) :])
    # Where a target has fewer axes, it is beside all that its prediction has along the others.
    others = 0 if loss.target.indices else p.ndim - y.ndim
    beside = np.zeros_like(p) if loss.target.indices else np.broadcast_to(y.reshape(*y.shape, *(1,) * others), p.shape)
    if not of_target:
        steps = _powers_of_steps(loss.prediction, p, beside)
    else:
        steps = _powers_of_steps(loss.target, y, _compared_with(loss.prediction, p, others))
    digits = _digits(loss, p, beside, steps, smallest, order)
    finished: list[Any] = []
    for count in np.unique(digits):
        chosen, xp = digits == count, exact(int(count))
        with np.errstate(all="ignore"):
            of_target = y[chosen] if loss.target.indices else xp.numbers(y[chosen])
            answers = answer(xp, xp.numbers(p[chosen]), of_target, xp.power_of_10(steps[chosen]))
        if not finished:
            finished = [np.empty((len(p), *each.shape[1:]), dtype=object) for each in answers]
        for whole, part in zip(finished, answers, strict=True):
            whole[chosen] = part
    return [each.reshape(leading + each.shape[1:]) for each in finished]


def _compared_with(domain: Domain, p: Any, others: int) -> Any:
    """What in each prediction is on the scale of its target, which has so many axes less: the column that predicts it,
    or the largest entry."""
    if others and domain.says_estimate:
        return domain.estimate(p)
    return np.abs(p).max(axis=tuple(range(p.ndim - others, p.ndim))) if others else p


def _powers_of_steps(domain: Domain, x: Any, beside: Any) -> Any:
    """The power of 10 of each entry's step: far below the distance to whatever the loss does next."""
    room = domain.room(x)
    if domain.shares:
        # Probabilities live on the scale of their distance from 0 and from 1, but for 0 and 1 themselves.
        scale = np.where(room > 0, room, 1.0)
    elif not domain.says_class:
        # Numbers on the scale of what they are compared with, and of their distance from where they end.
        scale = np.maximum(np.abs(x), np.abs(beside))
        scale = scale if domain.low == 0.0 else np.minimum(scale, 1.0)  # amounts above 0 bend on their own scale
        if domain.rows and domain.size is None:  # and directions on that of their length
            length = np.nanmax(np.abs(x), axis=-1, keepdims=True, initial=0.0)
            scale = np.where(length > 0.0, np.minimum(scale, length), scale)
        scale = np.minimum(scale, np.where(room > 0, room, 1.0))
        scale[scale == 0] = 1.0
    else:
        # Logits and scores on the scale of 1, where exponentials change and margins lie.
        scale = np.ones_like(x)
    if _have_an_order(domain):  # which changes at what they lead each other by
        with np.errstate(over="ignore", invalid="ignore"):
            apart = np.abs(x[..., :, None] - x[..., None, :])
        scale = np.fmin(scale, np.where(apart > 0, apart, 1.0).min(axis=-1))
    power = np.floor(np.log10(np.where(np.isnan(scale), 1.0, scale))).astype(int)
    return np.where(np.isinf(x), _INFINITY, power) - _STEP


def _are_scores(domain: Domain) -> bool:
    """Whether values are rows of scores, which are compared with each other and say no probabilities."""
    return domain.rows and domain.says_class and not domain.probabilities


def _have_an_order(domain: Domain) -> bool:
    """Whether values are rows of scores, or of amounts that are alike: either are compared with each other."""
    return _are_scores(domain) or (domain.axes == 1 and domain.says_amount)


def _digits(loss: Loss, p: Any, y: Any, steps: Any, smallest: int, order: int) -> Any:
    """How many digits each entry (row) needs, so that textbook formulas and differences of this order keep 20."""
    together = np.stack([np.abs(p), np.abs(y)], axis=-1).reshape(len(p), -1)
    largest = np.max(np.where(np.isnan(together), 0.0, together), axis=1, initial=0.0)
    with np.errstate(divide="ignore"):
        ahead = np.maximum(np.log10(largest), 0.0)
    lowest = steps.reshape(len(p), -1).min(axis=1)
    # 1 + exp(−x) hides 0.43·x digits, log cosh x hides as many as x has zeros; answers below the smallest
    # float are nobody's.
    # Beyond 1e4 they are 0 to every float; but there may be others in the row.
    # In rows two may be as far apart on either side of 0, and a gradient may be the product of a share and two others.
    each = 2.2 if loss.prediction.rows else 0.87
    exponentials = order * each * np.max(np.where(together < 1e4, together, 0.0), axis=1, initial=0.0)
    hidden = np.maximum(exponentials, -lowest - _STEP)
    # A column may be the scale of another, or the length that of all, and what is divided by its square is as small.
    # Amounts above 0 divide, too.
    if (loss.prediction.rows or loss.prediction.low == 0.0) and not loss.prediction.says_class:
        hidden = hidden + 2.0 * ahead
    if loss.prediction.says_amount and not loss.prediction.rows:  # powers and exponentials of squares hide even more
        hidden = smallest
    hidden = np.clip(hidden, 0.0, smallest)
    infinite = np.isinf(largest)
    if loss.prediction.rows and loss.prediction.of_shares:
        infinite |= np.any(p == 0, axis=-1)
        hidden = _smallness_of_targets(loss, y, smallest)  # log p hides nothing
    else:
        hidden = hidden + _smallness_of_targets(loss, y, smallest)
        if loss.prediction.logarithms:  # what is multiplied by an amount, beside the exponential
            with np.errstate(divide="ignore"):
                small = -np.log10(np.abs(p))
            hidden = hidden + np.clip(np.where(np.isfinite(small), small, 0.0), 0.0, smallest)
    most = _MOST_DIGITS
    # A small one may be beside the square of a large one, or its sigmoid beside an infinite one.
    if _are_scores(loss.prediction) or (loss.prediction.of_logits and not loss.prediction.probabilities):
        ahead, most = 2.0 * ahead, 2 * most
    wanted = np.where(infinite, most, 50 + ahead - order * lowest + hidden)
    return np.minimum(np.ceil(wanted / 50) * 50, most).astype(int)


def _smallness_of_targets(loss: Loss, y: Any, smallest: int) -> Any:
    """How many digits below 1 the least likely class of a soft target is, or an amount that cannot be below 0: its
    share of the gradient is as small."""
    if loss.target.indices or not (loss.target.of_shares or loss.target.low == 0.0):
        return 0.0
    with np.errstate(all="ignore"):
        share = -y / math.log(10) if loss.target.logarithms else -np.log10(y)
    share = np.where(np.isfinite(share), share, 0.0).reshape(len(y), -1)
    return np.clip(share.max(axis=1, initial=0.0), 0.0, smallest)
