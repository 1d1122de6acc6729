"""Whether predictions mean what they say: residuals, the share of targets below a quantile, probabilities that hold."""

from __future__ import annotations

import dataclasses
from typing import final

import numpy as np

from lossary.compare.plan import Plan
from lossary.compare.profile import Numbers
from lossary.compare.report.held_out import HeldOut

_BINS = 10
_SAMPLE = 1500  # points of a picture


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Residuals:
    """What is left over what was predicted; a sample where there are many rows."""

    prediction: Numbers
    residual: Numbers  # target − prediction


@final
@dataclasses.dataclass(frozen=True)
class Coverage:
    """The share of targets at or below a predicted quantile: in all, and from the lowest third of predictions up."""

    candidate: int
    level: float
    below: float
    thirds: tuple[float, ...]


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Reliability:
    """Rows sorted by predicted probability, in parts of equal size: what was said, and how often it was so.

    With more than two classes, the probability is that of the predicted class.
    """

    candidate: int
    said: Numbers
    occurred: Numbers
    rows: tuple[int, ...]


def residuals(plan: Plan, seen: HeldOut) -> Residuals:
    """Of the first seed, in which each row is tested once at most."""
    first = np.flatnonzero(seen.seeds == seen.seeds[0])
    if len(first) > _SAMPLE:
        first = np.sort(np.random.default_rng(0).choice(first, _SAMPLE, replace=False))
    prediction = np.asarray(seen.values)[first]
    return Residuals(prediction, plan.profile.y[seen.rows[first]] - prediction)


def coverage(plan: Plan, seen: HeldOut, level: float) -> Coverage:
    """How often the target is at or below what a quantile loss predicts."""
    prediction = np.asarray(seen.values)
    below, weight = plan.profile.y[seen.rows] <= prediction, _weights(plan, seen)
    thirds = np.array_split(np.argsort(prediction, kind="stable"), 3)
    shares = [float(np.average(below[part], weights=weight[part])) for part in thirds]
    return Coverage(seen.candidate, level, float(np.average(below, weights=weight)), tuple(shares))


def reliability(plan: Plan, seen: HeldOut) -> Reliability | None:
    """None where the loss gives no probabilities."""
    if seen.probabilities is None:
        return None
    y = plan.profile.y[seen.rows]
    if seen.probabilities.ndim == 1:
        confidence, occurred = seen.probabilities, y == 1
    else:
        confidence, occurred = seen.probabilities.max(1), seen.probabilities.argmax(1) == y
    parts, weight = (
        np.array_split(np.argsort(confidence, kind="stable"), min(_BINS, len(confidence))),
        _weights(plan, seen),
    )
    return Reliability(
        seen.candidate,
        np.array([np.average(confidence[part], weights=weight[part]) for part in parts]),
        np.array([np.average(occurred[part], weights=weight[part]) for part in parts]),
        tuple(map(len, parts)),
    )


def _weights(plan: Plan, seen: HeldOut) -> Numbers:
    return np.ones(len(seen.rows)) if plan.profile.weight is None else plan.profile.weight[seen.rows]
