"""NumPy: scikit-learn's metrics for the value, and the textbook expression for value and gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn import metrics

import lossary
from benchmarks.inputs import LARGE, LEVEL, POINTWISE, Effort, name, pointwise, words
from benchmarks.measurement import Measurement, compare
from lossary.kernels import threads as _threads

PACKAGES = ("scikit-learn",)
VALUE, BOTH = "value", "value + gradient"

METRICS: dict[str, tuple[str, Callable[..., Any]]] = {
    "MeanSquaredError": ("mean_squared_error", metrics.mean_squared_error),
    "MeanAbsoluteError": ("mean_absolute_error", metrics.mean_absolute_error),
    "Quantile": ("mean_pinball_loss", lambda y, p: metrics.mean_pinball_loss(y, p, alpha=LEVEL)),
    "Hinge": ("hinge_loss", metrics.hinge_loss),
}


def threads() -> int:
    return _threads.most()


def mean_squared_error(p: Any, y: Any) -> tuple[Any, Any]:
    r = p - y
    return np.mean(r**2), 2.0 * r / r.size


def mean_absolute_error(p: Any, y: Any) -> tuple[Any, Any]:
    r = p - y
    return np.mean(np.abs(r)), np.sign(r) / r.size


def huber(p: Any, y: Any) -> tuple[Any, Any]:
    r = p - y
    size = np.abs(r)
    return np.mean(np.where(size <= 1.0, 0.5 * r**2, size - 0.5)), np.clip(r, -1.0, 1.0) / r.size


def log_cosh(p: Any, y: Any) -> tuple[Any, Any]:
    r = p - y
    size = np.abs(r)
    return np.mean(size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0)), np.tanh(r) / r.size


def quantile(p: Any, y: Any) -> tuple[Any, Any]:
    r = y - p
    value = np.mean(np.maximum(LEVEL * r, (LEVEL - 1.0) * r))
    return value, np.where(r > 0, np.float32(-LEVEL), np.float32(1.0 - LEVEL)) / r.size


def binary_cross_entropy(p: Any, y: Any) -> tuple[Any, Any]:
    value = np.mean(np.maximum(p, 0.0) - p * y + np.log1p(np.exp(-np.abs(p))))
    return value, (1.0 / (1.0 + np.exp(-p)) - y) / p.size


def hinge(p: Any, y: Any) -> tuple[Any, Any]:
    margin = y * p
    return np.mean(np.maximum(0.0, 1.0 - margin)), np.where(margin < 1.0, -y, np.float32(0.0)) / p.size


TEXTBOOK: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "MeanSquaredError": mean_squared_error,
    "MeanAbsoluteError": mean_absolute_error,
    "Huber": huber,
    "LogCosh": log_cosh,
    "Quantile": quantile,
    "BinaryCrossEntropy": binary_cross_entropy,
    "Hinge": hinge,
}


def measure(effort: Effort) -> Iterator[Measurement]:
    size = LARGE[0]
    for loss in POINTWISE:
        p, y = pointwise(loss, size)
        if name(loss) in METRICS:
            yield _value(loss, METRICS[name(loss)], p, y, effort)

        def ours(loss: lossary.Loss = loss, p: Any = p, y: Any = y) -> None:
            loss.value_and_gradient(prediction=p, target=y)

        def theirs(loss: lossary.Loss = loss, p: Any = p, y: Any = y) -> None:
            TEXTBOOK[name(loss)](p, y)

        contenders = ours, "textbook", theirs
        yield compare(name(loss), words(size), *contenders, kind=BOTH, seconds=effort.seconds, array=p.nbytes)
    probabilities = lossary.BinaryCrossEntropy(from_logits=False)
    logits, y = pointwise(probabilities, size)
    yield _value(probabilities, ("log_loss", metrics.log_loss), 1.0 / (1.0 + np.exp(-logits)), y, effort)


def _value(loss: lossary.Loss, metric: tuple[str, Callable[..., Any]], p: Any, y: Any, effort: Effort) -> Measurement:
    peer, function = metric
    contenders = lambda: loss(prediction=p, target=y), peer, lambda: function(y, p)
    return compare(name(loss), words(p.size), *contenders, kind=VALUE, seconds=effort.seconds)
