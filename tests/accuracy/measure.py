"""Errors in units in the last place (ULP), and answers that are infinite or NaN where they must not be."""

from __future__ import annotations

import dataclasses
from typing import Any, final

import numpy as np

from lossary.check.backends import backend
from lossary.loss import Loss
from tests import paths
from tests.accuracy.judge import Exact, Judged


@final
@dataclasses.dataclass(frozen=True)
class Errors:
    """What was found at all points: of the ordinary ones the worst error and how many answers were wrongly infinite,
    NaN, or not 0 where 0 is exact; apart from them the same for subnormal inputs and answers."""

    worst: float = 0.0
    wrong: int = 0
    at: str = ""  # the worst point, for people
    subnormal_worst: float = 0.0
    subnormal_wrong: int = 0

    def __or__(self, other: Errors) -> Errors:
        first = self if (self.wrong, self.worst) >= (other.wrong, other.worst) else other
        return Errors(
            max(self.worst, other.worst),
            self.wrong + other.wrong,
            first.at,
            max(self.subnormal_worst, other.subnormal_worst),
            self.subnormal_wrong + other.subnormal_wrong,
        )


def answers(loss: Loss, framework: str, dtype: str, points: Judged, *, compiled: bool) -> tuple[Any, Any]:
    """The unreduced values and their gradient, as the framework computes them in its words, or "kernels" do."""
    fused = framework == "kernels"
    adapter = backend("numpy" if fused else framework)
    with adapter.precision(dtype), paths.by_kernels() if fused else paths.in_words():
        p, y = adapter.array(points.prediction), adapter.array(points.target)
        if not compiled:
            return adapter.value_and_gradient(loss, p, y, reduction="none")
        if not loss.trainable:  # and so not to be differentiated
            quick = compiled_function(framework, lambda p, y: loss.values(prediction=p, target=y))
            return adapter.numpy(quick(p, y)), None
        value, gradient = adapter.compiled(lambda p, y: loss.values(prediction=p, target=y), p, y)
        return adapter.numpy(value), adapter.numpy(gradient)


def compiled_function(framework: str, function: Any) -> Any:
    """`function` as the framework's compiler makes it, not to be differentiated."""
    if framework == "torch":
        import torch

        torch._dynamo.reset()  # what is compiled is remembered by code, and all losses share theirs
        return torch.compile(function, fullgraph=True)
    if framework == "tensorflow":
        import tensorflow

        return tensorflow.function(function, jit_compile=True, autograph=False)
    import jax

    return jax.jit(function)


def measure(loss: Loss, framework: str, dtype: str, points: Judged, *, compiled: bool) -> dict[str, Errors]:
    """The errors of "value" and, for a trainable loss, of "gradient"."""
    value, gradient = answers(loss, framework, dtype, points, compiled=compiled)
    names = _names(points)
    flags = points.with_nan, points.with_subnormal
    found = {"value": errors(value, points.value, points.value, points.value_size, dtype, *flags, names)}
    if loss.trainable:
        flags = _flags_of_gradient(points)
        found["gradient"] = errors(gradient, points.low, points.high, points.gradient_size, dtype, *flags, names)
    return found


def errors(
    got: Any, low: Exact, high: Exact, size: Any, dtype: str, nan: Any, subnormal: Any, names: Any = None
) -> Errors:
    """Compare with what lies between `low` and `high`, in ULP of `size`."""
    got = np.asarray(got, dtype=np.float64)
    limits = np.finfo(dtype)
    with np.errstate(all="ignore"):
        between = (got >= low.near) & (got <= high.near)
        off = np.where(between, 0.0, np.minimum(low.distance(got), high.distance(got)))
        off = np.where(got == low.near, np.abs(low.rest), np.where(got == high.near, np.abs(high.rest), off))
        scale = np.clip(size, float(limits.tiny), float(limits.max))
        ulp = off / np.spacing(scale.astype(dtype)).astype(np.float64)
        # Just beyond the largest float, infinity and the largest float are both near.
        largest = float(limits.max)
        overflows = np.maximum(np.abs(low.near), np.abs(high.near)) > largest
        expected = np.where(overflows, np.sign(low.near) * np.inf, low.near)
        edge = np.abs(low.near) > largest * (1 - 4 * float(limits.eps))
        finite = np.isfinite(got)
        wrong = np.where(nan, ~np.isnan(got), np.isnan(got))
        wrong |= ~nan & np.where(overflows, ~(got == expected), ~finite) & ~(edge & (got == np.sign(low.near) * np.inf))
        # A kink's interval may hold 0; elsewhere 0 must be 0.
        wrong |= ~nan & (size == 0) & (got != 0)
    unknown = np.isnan(low.near)  # what the judge cannot say: the neighbours of a NaN
    wrong &= nan | ~unknown
    ulp = np.where(nan | wrong | overflows | ~finite | unknown, 0.0, ulp)
    small = np.maximum(np.abs(low.near), np.abs(high.near))
    apart = np.broadcast_to(subnormal, got.shape) | ((small < float(limits.tiny)) & (small > 0))
    ordinary = ~apart
    rank = np.where(ordinary, np.where(wrong, np.inf, ulp), -1.0)
    place = np.unravel_index(int(np.argmax(rank)), got.shape) if got.size else ()
    at = "" if names is None or not got.size else f"{names(place)}: {got[place]!r} for {low.near[place]!r}"
    return Errors(
        float(np.max(ulp[ordinary], initial=0.0)),
        int(np.sum(wrong & ordinary)),
        at,
        float(np.max(ulp[apart], initial=0.0)),
        int(np.sum(wrong & apart)),
    )


def _flags_of_gradient(points: Judged) -> tuple[Any, Any]:
    """Which entries must be NaN, and which are made from subnormal numbers."""
    nan, subnormal = points.with_nan, points.with_subnormal
    if points.prediction.ndim > 1:
        # Softmax makes NaN of the whole row; in a row of probabilities only NaN's own entry must be.
        nan = np.isnan(points.prediction) if points.shares else nan[:, None]
        subnormal = subnormal[:, None]
    return nan, subnormal | points.subnormal_term


def _names(points: Judged) -> Any:
    def name(place: tuple[Any, ...]) -> str:
        entry = f"[{place[1]}]" if len(place) > 1 else ""
        return f"prediction {points.prediction[place[0]].tolist()}, target {points.target[place[0]].tolist()}{entry}"

    return name
