"""Sixth stage: every loss judged by the same metrics, in pairs, with the luck of the splits taken into account."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, final, get_args

import numpy as np
from scipy import stats
from sklearn import metrics as sklearn_metrics

from lossary.compare.plan import Plan
from lossary.compare.profile import Codes, Numbers, Task
from lossary.compare.suggest import REFERENCE
from lossary.compare.train import BOOSTING, Outcome, Prediction
from lossary.errors import DataError, UnknownNameError

SIGNIFICANT = 0.05
_CLOSE = 0.05  # a tie is not only unproved, it is also at most so far apart, as a part of the mean

Y = Numbers | Codes
Judge = Callable[[Y, Prediction, int], float]  # target, prediction, number of classes


@final
@dataclasses.dataclass(frozen=True)
class Metric:
    """What predictions are judged by, whatever loss they were trained with."""

    name: str
    title: str
    judge: Judge
    constant: Callable[[Y, int, int], Prediction]  # the best constant on a target, for so many rows and classes
    higher: bool = False  # whether more is better
    unit: bool = False  # in the target's unit
    percent: bool = False  # a share, shown in per cent
    boosted: bool = True  # whether the boosted reference, which predicts the mean, is a fair one


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Standing:
    """One row of the table."""

    candidate: int  # its place in the plan; BOOSTING for the boosted reference
    scores: dict[str, Numbers]  # by metric, one score per split; NaN where the metric is not defined for the loss
    error: str | None  # why it failed, if it did

    def mean(self, metric: str) -> float:
        return float(self.scores[metric].mean())

    def deviation(self, metric: str) -> float:
        return float(self.scores[metric].std(ddof=1))


@final
@dataclasses.dataclass(frozen=True)
class Verdict:
    """What one metric says."""

    metric: str
    compared: int  # losses that the metric is defined for
    best: int  # the candidate with the best mean
    reference: int  # what people take without asking; the best itself, where that is not in the race
    better_in: int  # splits in which the best beats the reference
    difference: float  # by how much the best is better than the reference, in the metric's unit
    relative: float  # the same as a part of the reference's mean
    p: float  # corrected resampled t-test of the best against the reference, Holm over the losses; 1 when they are one
    ahead: bool  # whether the best's mean is better than the best constant's
    learnable: bool  # whether the boosted reference beats the best constant in every split
    ties: tuple[int, ...]  # other candidates that cannot be told from the recommended one
    recommended: int | None  # None when nothing beats the best constant beyond chance


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Summary:
    """All that the outcomes say."""

    metrics: tuple[Metric, ...]  # the one that ranks first
    standings: tuple[Standing, ...]  # ranked; failed ones last
    constants: dict[str, Numbers]
    boosting: Standing | None
    verdicts: dict[str, Verdict]

    @property
    def ranked_by(self) -> Metric:
        return self.metrics[0]


def check(metric: str | None) -> None:
    """Refuse a metric that no task has, before anything is read.

    Raises:
        UnknownNameError: no task has it.
    """
    tasks = get_args(Task)
    known = {each.name: each for task in tasks for each in metrics_for(task)}
    if metric is not None and _folded(metric) not in known and _level(metric) is None:
        raise UnknownNameError(f"there is no metric {metric!r}{_advice(metric, known)}")


def metrics_for(task: Task, first: str | None = None, levels: Iterable[float] = ()) -> tuple[Metric, ...]:
    """The metrics of a task, the one that ranks first; quantile losses are judged at their own `levels`.

    Raises:
        UnknownNameError: `first` is not among them.
    """
    known = {metric.name: metric for metric in (_regression(levels) if task == "regression" else _class_metrics(task))}
    if first is None:
        return tuple(known.values())
    name, level = _folded(first), _level(first)
    if task == "regression" and level is not None:
        ranking = _pinball(level)
        known.setdefault(ranking.name, ranking)
        name = ranking.name
    if name not in known:
        raise UnknownNameError(f"there is no metric {first!r} for {task}{_advice(first, known)}")
    return (known.pop(name), *known.values())


def summarise(plan: Plan, outcomes: Iterable[Outcome], metrics: tuple[Metric, ...]) -> Summary:
    """Judge all outcomes of a plan.

    Raises:
        DataError: every loss failed.
    """
    by_unit = {(outcome.candidate, outcome.split): outcome for outcome in outcomes}
    rows = [_standing(plan, by_unit, candidate, metrics) for candidate in range(len(plan.candidates))]
    alive = [row for row in rows if row.error is None]
    if not alive:
        raise DataError(f"every loss failed; {plan.candidates[0].name}: {rows[0].error}")
    constants = {metric.name: _constant(plan, metric) for metric in metrics}
    boosting = _standing(plan, by_unit, BOOSTING, metrics) if plan.boosting else None
    verdicts = {}
    for metric in metrics:
        defined = [row for row in alive if np.isfinite(row.scores[metric.name]).all()]
        if defined:
            verdicts[metric.name] = _verdict(plan, defined, constants[metric.name], boosting, metric)
    first = metrics[0]
    alive.sort(key=lambda row: _costs(row, first).mean() if np.isfinite(row.scores[first.name]).all() else np.inf)
    failed = [row for row in rows if row.error is not None]
    return Summary(metrics, (*alive, *failed), constants, boosting, verdicts)


def corrected_test(differences: Numbers, train: int, test: int) -> float:
    """Two-sided p of the corrected resampled t-test (Nadeau and Bengio 2003).

    Splits share training rows, so their differences are not independent; the variance is enlarged accordingly.
    """
    count, mean, variance = len(differences), float(differences.mean()), float(differences.var(ddof=1))
    if variance == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / np.sqrt(variance * (1 / count + test / train)), count - 1))


def holm(p: list[float]) -> list[float]:
    """Holm's step-down correction for having asked several questions."""
    adjusted, largest = [1.0] * len(p), 0.0
    for rank, place in enumerate(np.argsort(p, kind="stable")):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = largest
    return adjusted


def _standing(
    plan: Plan, by_unit: dict[tuple[int, int], Outcome], candidate: int, metrics: tuple[Metric, ...]
) -> Standing:
    outcomes = [by_unit[candidate, split] for split in range(len(plan.splits))]
    error = next((outcome.error for outcome in outcomes if outcome.error is not None), None)
    predictions = [outcome.prediction for outcome in outcomes if outcome.prediction is not None]
    if error is not None or len(predictions) < len(outcomes):
        return Standing(candidate, {}, error)
    y, classes = plan.profile.y, len(plan.profile.classes)
    scores = {
        metric.name: np.array(
            [metric.judge(y[split.test], each, classes) for split, each in zip(plan.splits, predictions, strict=True)]
        )
        if metric.boosted or candidate != BOOSTING
        else np.full(len(outcomes), np.nan)
        for metric in metrics
    }
    return Standing(candidate, scores, None)


def _constant(plan: Plan, metric: Metric) -> Numbers:
    y, classes = plan.profile.y, len(plan.profile.classes)
    return np.array(
        [
            metric.judge(y[split.test], metric.constant(y[split.train], classes, len(split.test)), classes)
            for split in plan.splits
        ]
    )


def _verdict(plan: Plan, rows: list[Standing], constant: Numbers, boosting: Standing | None, metric: Metric) -> Verdict:
    costs = {row.candidate: _costs(row, metric) for row in rows}
    train, test = len(plan.splits[0].train), len(plan.splits[0].test)
    named = REFERENCE[plan.profile.task]
    best = min(costs, key=lambda each: float(costs[each].mean()))
    reference = next((each for each in costs if type(plan.candidates[each].loss).__name__ == named), best)

    def against(one: int) -> dict[int, float]:
        """Every other candidate's p against `one`, corrected for their number."""
        others = [each for each in costs if each != one]
        p = holm([corrected_test(costs[each] - costs[one], train, test) for each in others])
        return dict(zip(others, p, strict=True))

    p = against(reference).get(best, 1.0)
    beaten = -constant if metric.higher else constant

    def useful(cost: Numbers) -> bool:
        """Whether it beats the best constant beyond chance."""
        gain = beaten - cost
        return bool(gain.mean() > 0) and corrected_test(gain, train, test) < SIGNIFICANT

    asked = [best] if p < SIGNIFICANT else [reference, best]
    recommended = next((each for each in asked if useful(costs[each])), None)
    fair = boosting is not None and boosting.error is None and metric.boosted
    ties = []
    if recommended is not None:
        mean = float(costs[recommended].mean())
        ties = [
            each
            for each, value in against(recommended).items()
            if value >= SIGNIFICANT and abs(float(costs[each].mean()) - mean) <= _CLOSE * abs(mean)
        ]
    return Verdict(
        metric=metric.name,
        compared=len(rows),
        best=best,
        reference=reference,
        better_in=int(np.sum(costs[best] < costs[reference])),
        difference=float((costs[reference] - costs[best]).mean()),
        relative=float((costs[reference] - costs[best]).mean() / (abs(costs[reference].mean()) or 1.0)),
        p=p,
        ahead=bool(costs[best].mean() < beaten.mean()),
        learnable=boosting is not None and fair and bool((_costs(boosting, metric) < beaten).all()),
        ties=tuple(ties),
        recommended=recommended,
    )


def _costs(row: Standing, metric: Metric) -> Numbers:
    return -row.scores[metric.name] if metric.higher else row.scores[metric.name]


# ── the metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_values(function: Callable[..., float], **options: Any) -> Judge:
    def judge(y: Y, prediction: Prediction, classes: int) -> float:
        return float(function(y, prediction.values, **options))

    return judge


def _regression_metric(
    name: str, title: str, judge: Judge, best: Callable[[Y], float], unit: bool = True, **options: bool
) -> Metric:
    def constant(y: Y, classes: int, rows: int) -> Prediction:
        return Prediction(values=np.full(rows, float(best(y))))

    return Metric(name, title, judge, constant, unit=unit, **options)


def _pinball(level: float) -> Metric:
    judge = _of_values(sklearn_metrics.mean_pinball_loss, alpha=level)
    best = partial(np.quantile, q=level)
    return _regression_metric(f"pinball_{level}", f"pinball {level}", judge, best, boosted=False)


def _regression(levels: Iterable[float] = ()) -> tuple[Metric, ...]:
    return (
        _regression_metric("mae", "MAE", _of_values(sklearn_metrics.mean_absolute_error), np.median),
        _regression_metric("rmse", "RMSE", _of_values(sklearn_metrics.root_mean_squared_error), np.mean),
        *(_pinball(level) for level in dict.fromkeys((*levels, 0.1, 0.9, 0.5))),
        _regression_metric("r2", "R²", _of_values(sklearn_metrics.r2_score), np.mean, higher=True, unit=False),
        _regression_metric("median_ae", "median AE", _of_values(sklearn_metrics.median_absolute_error), np.median),
    )


def _level(metric: str) -> float | None:
    """The level in "pinball_0.25"."""
    found = re.fullmatch(r"pinball_(0?\.\d+)", _folded(metric))
    return float(found[1]) if found and 0 < float(found[1]) < 1 else None


def _folded(metric: str) -> str:
    return metric.strip().lower().replace("-", "_").replace(" ", "_")


def _advice(metric: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(_folded(metric), list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}."


def _of_labels(function: Callable[..., float], **options: Any) -> Judge:
    def judge(y: Y, prediction: Prediction, classes: int) -> float:
        return float(function(y, prediction.labels, **options))

    return judge


def _roc_auc(y: Y, prediction: Prediction, classes: int) -> float:
    """Of two classes, by any scores; of more, the mean over each class against the rest, which needs probabilities."""
    ranking = prediction.scores if classes == 2 else prediction.probabilities
    if ranking is None:
        return float("nan")
    if ranking.ndim == 1 or classes > 2:
        return float(sklearn_metrics.roc_auc_score(y, ranking, multi_class="ovr", labels=list(range(classes))))
    return float(sklearn_metrics.roc_auc_score(y, ranking[:, 1] - ranking[:, 0]))


def _of_probabilities(function: Callable[..., float]) -> Judge:
    def judge(y: Y, prediction: Prediction, classes: int) -> float:
        if prediction.probabilities is None:
            return float("nan")
        return float(function(y, prediction.probabilities, labels=list(range(classes))))

    return judge


def _constant_classes(y: Y, classes: int, rows: int) -> list[Prediction]:
    """Every constant that a classifier can give: each class, always with the classes' shares as probabilities."""
    shares = np.bincount(y.astype(np.int64), minlength=classes) / len(y)
    probabilities = np.full(rows, shares[1]) if classes == 2 else np.tile(shares, (rows, 1))
    return [
        Prediction(labels=np.full(rows, code), scores=probabilities, probabilities=probabilities)
        for code in range(classes)
    ]


def _class_metrics(task: Task) -> tuple[Metric, ...]:
    average = {"average": "binary" if task == "binary" else "macro", "zero_division": 0.0}
    judges: list[tuple[str, str, Judge, bool]] = [
        ("balanced_accuracy", "balanced accuracy", _of_labels(sklearn_metrics.balanced_accuracy_score), True),
        ("f1", "F1", _of_labels(sklearn_metrics.f1_score, **average), True),
        ("log_loss", "log loss", _of_probabilities(sklearn_metrics.log_loss), False),
        ("accuracy", "accuracy", _of_labels(sklearn_metrics.accuracy_score), True),
        ("roc_auc", "ROC AUC", _roc_auc, True),
        ("precision", "precision", _of_labels(sklearn_metrics.precision_score, **average), True),
        ("recall", "recall", _of_labels(sklearn_metrics.recall_score, **average), True),
        ("brier", "Brier", _of_probabilities(sklearn_metrics.brier_score_loss), False),
    ]

    def best_constant(judge: Judge, higher: bool) -> Callable[[Y, int, int], Prediction]:
        def constant(y: Y, classes: int, rows: int) -> Prediction:
            costs = [judge(y, each, classes) for each in _constant_classes(y, classes, len(y))]
            best = int(np.argmax(costs) if higher else np.argmin(costs))
            return _constant_classes(y, classes, rows)[best]

        return constant

    return tuple(
        Metric(name, title, judge, best_constant(judge, higher), higher=higher, percent=higher)
        for name, title, judge, higher in judges
    )
