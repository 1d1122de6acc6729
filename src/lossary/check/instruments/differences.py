"""Slopes by differences of a loss's values: what its derivatives are judged by."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, final

import numpy as np

from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, Reduction, Subject, described

# Losses are multiplied by these before they are summed: a derivative that forgets what comes after it shows.
_FACTORS = (0.75, 1.5, 1.25, 0.5)

_HALVINGS = 10
_NEARER = 16.0

_MARGINS = (0.25, 0.5, 1.0, 2.0, 3.0, 6.0, 12.0)


@final
@dataclasses.dataclass(frozen=True)
class Slope:
    """The slope of a function of one number, as its values have it.

    Args:
        estimate: the central difference of fourth order.
        error: what it may be off by: what a half step changes, and what rounding does.
        low, high: the least and the steepest chord nearby, between which the slopes at a kink are.
        kinked: whether there is one.
    """

    estimate: float
    error: float
    low: float
    high: float
    kinked: bool

    def admits(self, slope: float, relative: float = 1e-6) -> bool:
        """Whether that may be the derivative. Where the values do not tell, everything may."""
        if not math.isfinite(self.estimate):
            return True
        slack = self.error + relative * abs(self.estimate)
        if abs(slope - self.estimate) <= slack:
            return True
        return self.kinked and self.low - slack <= slope <= self.high + slack


def slope(function: Callable[[float], float], epsilon: float) -> Slope:
    """The slope of function at 0, whose values are good to `epsilon` and which changes over distances of about 1."""
    step = epsilon**0.2
    at = {k: function(k * step) for k in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)}
    coarse = (8.0 * (at[1.0] - at[-1.0]) - (at[2.0] - at[-2.0])) / (12.0 * step)
    fine = (8.0 * (at[0.5] - at[-0.5]) - (at[1.0] - at[-1.0])) / (6.0 * step)
    rounding = 64.0 * epsilon / step * (max(map(abs, at.values())) + abs(fine))
    ends = sorted(at)
    chords = [(at[b] - at[a]) / ((b - a) * step) for a, b in itertools.pairwise(ends)]
    # The chords on both sides of a smooth point come together as the step halves; at a kink they stay apart.
    apart, nearer = abs(at[1.0] - 2.0 * at[0.0] + at[-1.0]), 2.0 * abs(at[0.5] - 2.0 * at[0.0] + at[-0.5])
    unsteady = abs(fine - coarse) > 1e-6 * abs(fine) + rounding
    kinked = unsteady or nearer > 0.75 * apart + rounding * step
    return Slope(fine, 4.0 * abs(fine - coarse) + rounding, min(chords), max(chords), kinked)


@final
class Scalar:
    """The losses of a batch, weighed and summed, as a function of its predictions (or of its targets)."""

    def __init__(self, subject: Subject, prediction: Any, target: Any, *, of_target: bool = False) -> None:
        self.subject = subject
        self.prediction, self.target, self.of_target = prediction, target, of_target
        self.at = target if of_target else prediction
        self.domain = subject.target if of_target else subject.prediction
        separate = subject.separates and subject.own_gradient is None
        self.reduction: Reduction = "none" if separate else subject.reduction
        value = subject.call(prediction, target, reduction=self.reduction)
        self.epsilon = subject.backend.spacing(subject.backend.dtype(value) if hasattr(value, "dtype") else "float64")
        shape = tuple(np.shape(value))
        self.factors = np.ones(shape) if subject.own_gradient is not None else np.resize(_FACTORS, shape)

    def __call__(self, at: Any) -> float:
        at = at.astype(self.at.dtype)
        p, y = (self.prediction, at) if self.of_target else (at, self.target)
        return float(np.sum(self.factors * self.subject.values(p, y, reduction=self.reduction)))

    def gradient(self, at: Any) -> Any:
        """The derivative that the framework, or the loss itself, gives: an array like `at`, float64.

        Raises:
            LossRaised: there is none.
        """
        subject = self.subject
        try:
            if subject.own_gradient is not None:
                return np.asarray(subject.own_gradient(at, self.target), np.float64)
            backend = subject.backend
            with self.precision():
                at = backend.array(at.astype(self.at.dtype))
                return np.asarray(backend.numpy(backend.pulled(self.weighed, at)[1]))
        except LossRaised:
            raise
        except Exception as error:
            raise LossRaised(error, described(self.prediction, self.target)) from error

    def precision(self) -> contextlib.AbstractContextManager[None]:
        """What the framework needs for the dtype that is computed in."""
        return self.subject.backend.precision(str(self.prediction.dtype))

    def weighed(self, at: Any) -> Any:
        """The losses times their factors, as the framework's function of the framework's array."""
        backend = self.subject.backend
        fixed = backend.array(self.prediction if self.of_target else self.target)
        p, y = (fixed, at) if self.of_target else (at, fixed)
        value = self.subject.raw(p, y, reduction=self.reduction)
        return value * backend.array(self.factors, backend.dtype(value))

    def along(self, direction: Any) -> Slope:
        """The slope in that direction; nearer by, where the loss turns too fast (1/y near 0)."""
        coarse = slope(lambda s: self(self.at + s * direction), self.epsilon)
        if coarse.error <= 1e-3 * abs(coarse.estimate):
            return coarse
        nearer = slope(lambda s: self(self.at + s * direction / _NEARER), self.epsilon)
        return Slope(
            _NEARER * nearer.estimate,
            _NEARER * nearer.error,
            _NEARER * nearer.low,
            _NEARER * nearer.high,
            nearer.kinked,
        )

    def direction(self, generator: Any) -> Any:
        """A random direction in which all that is near is legal."""
        shape = self.at.shape
        return self._legal(generator.choice([-1.0, 1.0], size=shape) * generator.uniform(0.5, 1.0, size=shape))

    def one_entry(self, index: int) -> Any:
        """The direction in which a single number changes; in rows of shares, the others give way."""
        unit = np.zeros(self.at.shape)
        unit.flat[index] = 1.0
        return self._legal(unit)

    def _legal(self, direction: Any) -> Any:
        """The direction on the scale of the numbers, so that a step of a tenth leads nowhere illegal."""
        at, domain = self.at, self.domain
        if domain.unbounded:
            return self._shortened(direction * np.maximum(1.0, np.abs(at)))
        if not (domain.rows and domain.of_shares):
            return self._shortened(direction * np.minimum(at - domain.low, domain.high - at))
        share = np.exp(at) if domain.logarithms else at
        centred = direction - (share * direction).sum(axis=-1, keepdims=True)  # rows go on summing to 1
        return centred if domain.logarithms else share * centred

    def _shortened(self, direction: Any) -> Any:
        """The direction, halved in rows for as long as a step of a tenth leads to one that is not legal; none where
        every step does."""
        from lossary.ops.numpy import ops

        if self.domain.takes_all or not self.domain.rows:
            return direction
        for _ in range(_HALVINGS):
            ends = [self.at + sign * 0.1 * direction for sign in (-1.0, 1.0)]
            legal = [self.domain.contains(ops, end, end, self.epsilon) for end in ends]
            both = np.logical_and.reduce([True if each is None else each for each in legal])
            if np.all(both):
                return direction
            direction = np.where(both[(..., *(None,) * self.domain.axes)], direction, 0.5 * direction)
        return np.where(both[(..., *(None,) * self.domain.axes)], direction, 0.0)


def batches(subject: Subject, *, margins: bool = True) -> Iterator[tuple[Any, Any]]:
    """Batches to differentiate at: ties, growing margins, and ordinary ones. The loss is finite there.

    Args:
        margins: whether to ask at round numbers, where thresholds are.
    """
    dtype = finest(subject)
    if not samples.positive(subject.prediction) and not samples.positive(subject.target):
        yield from _finite(subject, samples.points(subject, (0.0,) * samples.CLASSES, dtype))
        if margins:
            yield from _finite(subject, _inside(subject, *samples.points(subject, _MARGINS, dtype)))
    yield from _finite(subject, subject.batch(samples.GRID, dtype=dtype))


def _finite(subject: Subject, batch: tuple[Any, Any]) -> Iterator[tuple[Any, Any]]:
    if np.isfinite(subject.values(*batch)).all():
        yield batch


def finest(subject: Subject) -> str:
    """The precision to differentiate in: float64, unless the loss holds arrays of another, as of class weights."""
    return "float32" if subject.attempt(*subject.batch(samples.GRID, dtype="float64")) is None else "float64"


def _inside(subject: Subject, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Probabilities that leave room on both sides."""
    if subject.prediction.shares and not subject.prediction.rows:
        return np.clip(prediction, 0.02, 0.98), target
    return prediction, target
