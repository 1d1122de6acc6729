"""Why losses differ: what each charges for an error, how hard it pulls, and which errors occurred."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import final

import numpy as np

from lossary.compare.plan import Plan
from lossary.compare.profile import Numbers
from lossary.compare.report.held_out import HeldOut, costs_of
from lossary.errors import LossaryError

_POINTS = 240  # even, so that none is at 0, where slopes may jump
_BINS = 40
_TAIL = 0.5  # per cent of the errors on each side that the picture leaves out
_LEAST = 3.0  # robust spreads, or logits, that it always shows


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """A loss along the errors; `value` is the loss, `slope` its derivative."""

    candidate: int
    of: str  # the class it is for, where classes are charged differently
    value: Numbers
    slope: Numbers


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Shapes:
    """Curves over the errors that occurred: prediction − target, or the margin by which a row is on the right side."""

    at: Numbers
    edges: Numbers  # of the histogram, one more than `occurred`
    occurred: Numbers
    beyond: int  # errors outside the picture
    curves: tuple[Curve, ...]


def shapes(plan: Plan, seen: HeldOut, candidates: Iterable[int]) -> Shapes:
    """The losses of `candidates` over the errors of `seen`."""
    errors = _residuals(plan, seen) if not plan.profile.classes else _margins(plan, seen)
    least = _LEAST * (1.0 if plan.profile.classes else plan.profile.facts.spread)
    low, high = np.percentile(errors, [_TAIL, 100 - _TAIL])
    limit = max(least, abs(low), abs(high))
    at = np.linspace(-limit, limit, _POINTS)
    occurred, edges = np.histogram(errors, _BINS, (-limit, limit))
    curves = [curve for each in candidates for curve in _curves(plan, each, at)]
    return Shapes(at, edges, occurred.astype(np.float64), int(len(errors) - occurred.sum()), tuple(curves))


def _residuals(plan: Plan, seen: HeldOut) -> Numbers:
    return np.asarray(np.asarray(seen.values) - plan.profile.y[seen.rows])


def _margins(plan: Plan, seen: HeldOut) -> Numbers:
    """By how much the true class's score is above the highest of the others."""
    y, scores = plan.profile.y[seen.rows].astype(np.int64), np.asarray(seen.scores)
    if scores.ndim == 1:
        return np.where(y == 1, scores, -scores)
    own = np.take_along_axis(scores, y[:, None], 1)[:, 0]
    others = scores.copy()
    np.put_along_axis(others, y[:, None], -np.inf, 1)
    return np.asarray(own - others.max(1))


def _curves(plan: Plan, candidate: int, at: Numbers) -> list[Curve]:
    """One curve, or one for each of two classes that are charged differently; none where the loss is not defined."""
    try:
        if not plan.profile.classes:
            return [_residual_curve(plan, candidate, at)]
        counts = plan.profile.facts.counts
        rare, common = (_margin_curve(plan, candidate, at, int(pick(counts))) for pick in (np.argmin, np.argmax))
    except LossaryError:
        return []
    if np.allclose(rare.value, common.value):
        return [dataclasses.replace(rare, of="")]
    return [rare, common]


def _residual_curve(plan: Plan, candidate: int, at: Numbers) -> Curve:
    """Scaled so that the pull is 1, on average, at one robust spread on either side: units differ from loss to loss."""
    loss, facts = plan.candidates[candidate].loss, plan.profile.facts
    target = np.full_like(at, facts.center)
    value, slope = costs_of(plan, candidate, loss, facts.center + at, target)
    sides = facts.center + np.array([-facts.spread, facts.spread])
    pull = float(np.abs(costs_of(plan, candidate, loss, sides, target[:2])[1]).mean()) or 1.0
    own = facts.scale if plan.candidates[candidate].own_scale else 1.0
    return Curve(candidate, "", value * own / pull, slope / pull)


def _margin_curve(plan: Plan, candidate: int, at: Numbers, code: int) -> Curve:
    loss, classes = plan.candidates[candidate].loss, plan.profile.classes
    target = np.full(len(at), code)
    if plan.profile.task == "binary":
        sign = 1.0 if code == 1 else -1.0
        value, slope = costs_of(plan, candidate, loss, sign * at, target)
        return Curve(candidate, classes[code], value, sign * slope)
    scores = np.zeros((len(at), len(classes)))
    scores[:, code] = at
    value, slope = costs_of(plan, candidate, loss, scores, target)
    return Curve(candidate, classes[code], value, slope[:, code])
