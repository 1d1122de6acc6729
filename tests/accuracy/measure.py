"""Errors in units in the last place (ULP), and answers that are infinite or NaN where they must not be."""

from __future__ import annotations

import dataclasses
from typing import Any, final

import numpy as np

from lossary.check.backends import backend
from lossary.check.instruments.accuracy import Distance, Judged
from lossary.define.loss import Loss
from tests import paths


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
    found = {"value": errors(points.of_value(value), value, points.value.near, names)}
    if loss.trainable:
        found["gradient"] = errors(points.of_gradient(gradient), gradient, points.low.near, names)
    return found


def second_derivatives(loss: Loss, framework: str, p: Any, y: Any) -> Any:
    """The curvature of each entry, or for rows the matrix of each: by the method where nothing differentiates."""
    fused = framework == "kernels"
    adapter = backend("numpy" if fused else framework)
    with adapter.precision(p.dtype.name), paths.by_kernels() if fused else paths.in_words():
        if adapter.title == "NumPy":
            return loss.value_gradient_curvature(prediction=p, target=y, reduction="none")[2]
        at, target = adapter.array(p), adapter.array(y)

        def second(at: Any, direction: Any) -> Any:
            return adapter.second(lambda p: loss(prediction=p, target=target, reduction="sum"), at, direction)

        if adapter.title == "JAX":  # in one program: it compiles each operation that it meets alone
            second = adapter.jax.jit(second)

        def along(direction: Any) -> Any:
            return adapter.numpy(second(at, adapter.array(direction.astype(p.dtype))))

        if not loss.prediction.rows:
            return along(np.ones_like(p))
        units = [np.broadcast_to(unit, p.shape) for unit in np.eye(p.shape[-1])]
        return np.stack([along(unit) for unit in units], axis=-1)


def target_derivatives(loss: Loss, framework: str, p: Any, y: Any) -> Any:
    """The derivatives of each loss with respect to its target, by a framework that differentiates."""
    adapter = backend(framework)
    with adapter.precision(p.dtype.name), paths.in_words():
        at = adapter.array(p)
        return adapter.numpy(
            adapter.pulled(lambda y: loss(prediction=at, target=y, reduction="sum"), adapter.array(y))[1]
        )


def weight_derivatives(loss: Loss, framework: str, p: Any, y: Any, weight: Any) -> Any:
    """The derivatives of the mean with respect to its weights."""
    adapter = backend(framework)
    with adapter.precision(p.dtype.name), paths.in_words():
        at, target = adapter.array(p), adapter.array(y)
        call = lambda w: loss(prediction=at, target=target, weight=w)  # noqa: E731 - one call
        return adapter.numpy(adapter.pulled(call, adapter.array(weight))[1])


def errors(distance: Distance, got: Any, exact: Any, names: Any) -> Errors:
    """The worst of all points; `names` says what a point is called."""
    ulp, wrong, ordinary, got = distance.ulp, distance.wrong, ~distance.apart, np.asarray(got)
    rank = np.where(ordinary, np.where(wrong, np.inf, ulp), -1.0)
    place = np.unravel_index(int(np.argmax(rank)), rank.shape)
    return Errors(
        float(np.max(ulp[ordinary], initial=0.0)),
        int(np.sum(wrong & ordinary)),
        f"{names(place)}: {float(got[place])!r} for {float(exact[place])!r}",
        float(np.max(ulp[~ordinary], initial=0.0)),
        int(np.sum(wrong & ~ordinary)),
    )


def _names(points: Judged) -> Any:
    def name(place: tuple[Any, ...]) -> str:
        entry = f"[{place[1]}]" if len(place) > 1 else ""
        return f"prediction {points.prediction[place[0]].tolist()}, target {points.target[place[0]].tolist()}{entry}"

    return name
