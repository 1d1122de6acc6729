"""What predictions are judged by, whatever loss they were trained with."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, final, get_args

import numpy as np
from sklearn import metrics as sklearn_metrics

from lossary.compare.prediction import Prediction
from lossary.compare.profile import Codes, Numbers, Task
from lossary.errors import UnknownNameError

_BINS = 10  # of the calibration error, at most
_ROWS_PER_BIN = 20

Y = Numbers | Codes
Weight = Numbers | None
Judge = Callable[[Y, Prediction, int, Weight], float]  # target, prediction, number of classes, row weights


@final
@dataclasses.dataclass(frozen=True)
class Metric:
    """What predictions are judged by, whatever loss they were trained with."""

    name: str
    title: str
    judge: Judge
    constant: Callable[[Y, int, int, Weight], Prediction]  # the best constant on a target, for so many rows and classes
    higher: bool = False  # whether more is better
    unit: bool = False  # in the target's unit
    percent: bool = False  # a share, shown in per cent
    boosted: bool = True  # whether the references, which predict the mean, are fair ones
    functional: str | None = None  # what a prediction must be to do best by it: "mean", "median", "0.9-quantile"


def check_metric(metric: str | None) -> None:
    """Refuse a metric that no task has, before anything is read.

    Raises:
        UnknownNameError: no task has it.
    """
    tasks = _tasks_by_metric()
    if metric is not None and _folded(metric) not in tasks and _level(metric) is None:
        raise UnknownNameError(f"there is no metric {metric!r}{_advice(metric, tasks)}")


def metrics_for(task: Task, first: str | None = None, levels: Iterable[float] = ()) -> tuple[Metric, ...]:
    """The metrics of a task, the one that ranks first; quantile losses are judged at their own `levels`.

    Raises:
        UnknownNameError: `first` is not among them.
    """
    metrics = {
        metric.name: metric for metric in (_regression(levels) if task == "regression" else _class_metrics(task))
    }
    if first is None:
        return tuple(metrics.values())
    name, level = _folded(first), _level(first)
    if task == "regression" and level is not None:
        ranking = _pinball(level)
        metrics.setdefault(ranking.name, ranking)
        name = ranking.name
    if name not in metrics:
        if level is not None or name in _tasks_by_metric():
            judges, holds = ("classes", "amounts") if task == "regression" else ("amounts", "classes")
            raise UnknownNameError(
                f"{first} judges {judges}, but the target holds {holds} (task {task}); "
                f"metrics for it: {', '.join(metrics)}."
            )
        raise UnknownNameError(f"there is no metric {first!r} for {task}{_advice(first, metrics)}")
    return (metrics.pop(name), *metrics.values())


def _of_values(function: Callable[..., float], **options: Any) -> Judge:
    def judge(y: Y, prediction: Prediction, classes: int, weight: Weight = None) -> float:
        return float(function(y, prediction.values, sample_weight=weight, **options))

    return judge


def _mean(y: Y, weight: Weight) -> float:
    return float(np.average(y, weights=weight))


def _quantile(y: Y, weight: Weight, level: float = 0.5) -> float:
    if weight is None:
        return float(np.quantile(y, level))
    return float(np.quantile(y, level, weights=weight, method="inverted_cdf"))


def _regression_metric(
    name: str,
    title: str,
    judge: Judge,
    best: Callable[[Y, Weight], float],
    functional: str | None,
    unit: bool = True,
    **options: bool,
) -> Metric:
    def constant(y: Y, classes: int, rows: int, weight: Weight = None) -> Prediction:
        return Prediction(values=np.full(rows, best(y, weight)))

    return Metric(name, title, judge, constant, unit=unit, functional=functional, **options)


def _pinball(level: float) -> Metric:
    judge = _of_values(sklearn_metrics.mean_pinball_loss, alpha=level)
    functional = "median" if level == 0.5 else f"{level:g}-quantile"
    best = partial(_quantile, level=level)
    return _regression_metric(f"pinball_{level}", f"pinball {level}", judge, best, functional, boosted=False)


def _regression(levels: Iterable[float] = ()) -> tuple[Metric, ...]:
    return (
        _regression_metric("mae", "MAE", _of_values(sklearn_metrics.mean_absolute_error), _quantile, "median"),
        _regression_metric("rmse", "RMSE", _of_values(sklearn_metrics.root_mean_squared_error), _mean, "mean"),
        *(_pinball(level) for level in dict.fromkeys((*levels, 0.1, 0.9, 0.5))),
        _regression_metric("r2", "R²", _of_values(sklearn_metrics.r2_score), _mean, "mean", higher=True, unit=False),
        _regression_metric(
            "median_ae", "median AE", _of_values(sklearn_metrics.median_absolute_error), _quantile, None
        ),
    )


def _level(metric: str) -> float | None:
    """The level in "pinball_0.25"."""
    match = re.fullmatch(r"pinball_(0?\.\d+)", _folded(metric))
    return float(match[1]) if match and 0 < float(match[1]) < 1 else None


def _folded(metric: str) -> str:
    return metric.strip().lower().replace("-", "_").replace(" ", "_")


def _tasks_by_metric() -> dict[str, Task]:
    """Every metric there is, each with a task that has it."""
    return {metric.name: task for task in get_args(Task) for metric in metrics_for(task)}


def _advice(metric: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(_folded(metric), list(names), n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}."


def _of_labels(function: Callable[..., float], **options: Any) -> Judge:
    def judge(y: Y, prediction: Prediction, classes: int, weight: Weight = None) -> float:
        return float(function(y, prediction.labels, sample_weight=weight, **options))

    return judge


def _of_ranks(function: Callable[..., float], **of_many: str) -> Judge:
    """Of two classes, by any scores; of more, the mean over each class against the rest, which needs probabilities."""

    def judge(y: Y, prediction: Prediction, classes: int, weight: Weight = None) -> float:
        ranking = prediction.scores if classes == 2 else prediction.probabilities
        if ranking is None or len(np.unique(y)) < classes:
            return float("nan")
        if classes > 2:
            return float(function(_one_hot(y, classes), ranking, sample_weight=weight, average="macro", **of_many))
        return float(function(y, ranking if ranking.ndim == 1 else ranking[:, 1] - ranking[:, 0], sample_weight=weight))

    return judge


def _one_hot(y: Y, classes: int) -> Numbers:
    return np.eye(classes)[y.astype(np.int64)]


def _of_probabilities(function: Callable[..., float]) -> Judge:
    def judge(y: Y, prediction: Prediction, classes: int, weight: Weight = None) -> float:
        if prediction.probabilities is None:
            return float("nan")
        labels = list(range(classes))
        return float(function(y, prediction.probabilities, labels=labels, sample_weight=weight))

    return judge


def calibration_error(y: Y, prediction: Prediction, classes: int, weight: Weight = None) -> float:
    """By how much what a model promises differs from what happens: the mean over bins of |promised - happened|.

    For two classes the probability of the second is held against how often it occurs; for more, the probability of
    the class that is predicted against how often that is right. The bins hold equally many rows (equal weight), at
    least 20 and at most a tenth of them (Nguyen and O'Connor 2015), and equal probabilities share a bin.
    """
    if prediction.probabilities is None:
        return float("nan")
    if classes == 2:
        promised, happened = prediction.probabilities, y == 1
        promised = promised if promised.ndim == 1 else promised[:, 1]
    else:
        promised, happened = prediction.probabilities.max(axis=1), prediction.probabilities.argmax(axis=1) == y
    mass = np.ones(len(y)) if weight is None else weight
    _, place = np.unique(promised, return_inverse=True)
    masses = np.bincount(place, mass)
    middle = (np.cumsum(masses) - masses / 2) / masses.sum()
    bins = int(np.clip(len(y) // _ROWS_PER_BIN, 1, _BINS))
    bin = np.minimum((bins * middle).astype(np.int64), bins - 1)[place]
    gaps = np.bincount(bin, mass * (promised - happened), minlength=bins)
    return float(np.abs(gaps).sum() / mass.sum())


def _constant_classes(y: Y, classes: int, rows: int, weight: Weight) -> list[Prediction]:
    """Every constant that a classifier can give: each class, always with the classes' shares as probabilities."""
    counts = np.bincount(y.astype(np.int64), weight, minlength=classes)
    shares = counts / counts.sum()
    probabilities = np.full(rows, shares[1]) if classes == 2 else np.tile(shares, (rows, 1))
    return [
        Prediction(labels=np.full(rows, code), scores=probabilities, probabilities=probabilities)
        for code in range(classes)
    ]


def _class_metrics(task: Task) -> tuple[Metric, ...]:
    average = {"average": "binary" if task == "binary" else "macro", "zero_division": 0.0}
    by_label: list[tuple[str, str, Judge]] = [
        ("balanced_accuracy", "balanced accuracy", _of_labels(sklearn_metrics.balanced_accuracy_score)),
        ("f1", "F1", _of_labels(sklearn_metrics.f1_score, **average)),
        ("accuracy", "accuracy", _of_labels(sklearn_metrics.accuracy_score)),
        ("precision", "precision", _of_labels(sklearn_metrics.precision_score, **average)),
        ("recall", "recall", _of_labels(sklearn_metrics.recall_score, **average)),
    ]
    by_score: list[tuple[str, str, Judge, bool, str | None]] = [
        ("log_loss", "log loss", _of_probabilities(sklearn_metrics.log_loss), False, "probability"),
        ("roc_auc", "ROC AUC", _of_ranks(sklearn_metrics.roc_auc_score), True, None),
        ("average_precision", "average precision", _of_ranks(sklearn_metrics.average_precision_score), True, None),
        ("brier", "Brier", _of_probabilities(sklearn_metrics.brier_score_loss), False, "probability"),
        ("calibration_error", "calibration error", calibration_error, False, "probability"),
    ]

    def best_label(judge: Judge) -> Callable[[Y, int, int, Weight], Prediction]:
        def constant(y: Y, classes: int, rows: int, weight: Weight = None) -> Prediction:
            scores = [judge(y, each, classes, weight) for each in _constant_classes(y, classes, len(y), weight)]
            return _constant_classes(y, classes, rows, weight)[int(np.argmax(scores))]

        return constant

    def shares(y: Y, classes: int, rows: int, weight: Weight = None) -> Prediction:
        return _constant_classes(y, classes, rows, weight)[0]

    metrics = {
        name: Metric(name, title, judge, best_label(judge), higher=True, percent=True)
        for name, title, judge in by_label
    } | {
        name: Metric(name, title, judge, shares, higher=higher, percent=higher, functional=functional)
        for name, title, judge, higher, functional in by_score
    }
    first = ("balanced_accuracy", "f1", "log_loss", "accuracy", "roc_auc")  # what a narrow table has room for
    return tuple(metrics[name] for name in dict.fromkeys((*first, *metrics)))
