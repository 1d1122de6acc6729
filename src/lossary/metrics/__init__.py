"""The metrics that go with a loss, by the libraries that have them, with the right link and threshold.

    lossary.metrics.sklearn(loss)                  {"accuracy": f(y_true, y_pred, sample_weight=None), …}
    lossary.metrics.torchmetrics(loss)             a MetricCollection: metrics(input, target)
    lossary.metrics.keras(loss)                    a list for model.compile(metrics=…)
    lossary.metrics.as_metric(loss.torch())        the mean of the loss itself, a torchmetrics.Metric
    lossary.metrics.as_metric(loss.keras())        the same as a keras.metrics.Metric

Every one of them takes what the loss takes: its predictions (logits stay logits) and its targets (indices, one-hot
rows, −1 and 1). Classes are decided before a library sees them, so that no logit is compared with 0.5, no probability
with 0, and no sigmoid is added by a metric that guesses.

Regression: mae, rmse, r2, and pinball at the loss's level; of intervals, in scikit-learn's form alone, coverage and
width. Ranks, there alone: accuracy, mae, and quadratic_kappa, Cohen's with squared differences for weights. Classes:
accuracy, precision, recall, f1; of the positive class where there are two, the mean over classes (macro) where there
are more. Soft targets count as their likeliest class.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

from lossary.define.claims.estimates import Estimates
from lossary.define.domains.numbers import Real
from lossary.errors import MissingExtraError, UsageError
from lossary.losses.ordinal.steps import Steps
from lossary.metrics.decision import Decision
from lossary.metrics.interval import coverage, width
from lossary.ops import dispatch
from lossary.ops.missing import Missing, accepted, present

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.define.objective import Objective
    from lossary.keras import KerasLoss
    from lossary.torch import LossModule

__all__ = ["as_metric", "keras", "sklearn", "torchmetrics"]


# ── scikit-learn ─────────────────────────────────────────────────────────────────────────────────────────────────────


def sklearn(loss: Loss | Objective, *, missing: Missing | None = None) -> dict[str, InScikitLearn]:
    """scikit-learn's metrics for a loss, by name: functions of (y_true, y_pred, sample_weight=None) on NumPy arrays.

    Args:
        missing: which targets are missing and left out, as in the loss's hosts; of several numbers to predict, the row.
    """
    _want_a_loss("sklearn", loss)
    missing = accepted(loss, missing)
    try:
        from sklearn import metrics as library
    except ModuleNotFoundError as error:
        raise _missing("scikit-learn", "cli") from error

    if isinstance(loss, Steps):
        chosen = {
            "accuracy": InScikitLearn(library.accuracy_score),
            "mae": InScikitLearn(library.mean_absolute_error),
            "quadratic_kappa": InScikitLearn(library.cohen_kappa_score, {"weights": "quadratic"}),
        }
        return _reading(functools.partial(loss.rank, dispatch.ops("numpy")), missing, chosen)
    if loss.task == "regression":
        domain, found = loss.prediction, {}
        if domain.says_interval:
            found = _reading(
                domain.interval, missing, {"coverage": InScikitLearn(coverage), "width": InScikitLearn(width)}
            )
        if not (domain.says_estimate or loss.target.rows):
            return found
        chosen = {
            "mae": InScikitLearn(library.mean_absolute_error),
            "rmse": InScikitLearn(library.root_mean_squared_error),
            "r2": InScikitLearn(library.r2_score),
        }
        level = _level(loss)
        if level is not None:
            chosen["pinball"] = InScikitLearn(library.mean_pinball_loss, {"alpha": level})
        for metric in getattr(loss, "judged_by", ()):  # an objective is judged by its task alone
            settings = {argument: getattr(loss, name) for argument, name in metric.settings.items()}
            chosen[metric.name] = InScikitLearn(getattr(library, metric.function), settings)
        return _reading(None if domain.says_amount else domain.estimate, missing, chosen) | found
    # Of several labels at once each counts like one alone.
    decision = Decision(loss.prediction.innermost, loss.target.innermost, missing=missing)
    settings = {"average": "macro" if decision.prediction.rows else "binary", "zero_division": 0}
    return {
        "accuracy": InScikitLearn(library.accuracy_score, {}, decision),
        "precision": InScikitLearn(library.precision_score, settings, decision),
        "recall": InScikitLearn(library.recall_score, settings, decision),
        "f1": InScikitLearn(library.f1_score, settings, decision),
    }


def _reading(
    read: Callable[[Any], Any] | None, missing: Missing | None, metrics: Mapping[str, InScikitLearn]
) -> dict[str, InScikitLearn]:
    return {name: dataclasses.replace(metric, missing=missing, read=read) for name, metric in metrics.items()}


@final
@dataclasses.dataclass(frozen=True, eq=False)
class InScikitLearn:
    """One of scikit-learn's metrics on the predictions and targets of a loss."""

    function: Callable[..., Any]
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    decision: Decision | None = None
    missing: Missing | None = None
    read: Callable[[Any], Any] | None = None  # makes of a prediction what is measured: a number, two ends, a rank

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """The metric; targets first, as scikit-learn has it.

        Raises:
            ShapeError, DomainError: see `Decision.on_arrays`.
        """
        if self.read is not None:
            y_true, y_pred = _array(y_true), self.read(_array(y_pred))
        if self.decision is not None:
            y_true, y_pred, sample_weight = self.decision.on_arrays(y_true, y_pred, sample_weight)
        elif self.missing is not None:
            y_true, y_pred, sample_weight = _complete(self.missing, y_true, y_pred, sample_weight)
        return float(self.function(y_true, y_pred, sample_weight=sample_weight, **self.settings))


# ── torchmetrics ─────────────────────────────────────────────────────────────────────────────────────────────────────


def torchmetrics(
    loss: Loss | Objective,
    *,
    classes: int | None = None,
    class_axis: int | None = None,
    ignore_index: int | None = None,
    missing: Missing | None = None,
) -> Any:
    """torchmetrics' metrics for a loss, as a `MetricCollection`: `metrics(input, target)`, then `metrics.compute()`.

    Args:
        classes: how many there are; wanted where there may be more than two.
        class_axis: where they stand, as in the loss's module: axis 1 by default for the cross-entropies.
        ignore_index: targets of class indices that are equal to this are left out, as in the loss's module.
        missing: which other targets are missing and left out, as in the loss's module.

    Raises:
        UsageError: the loss is about classes and `classes` is not said; or an option that its metrics cannot use.
    """
    _want_a_loss("torchmetrics", loss)
    missing = _of_classes(loss, missing, ignore_index, "ignore_index", "torch")
    ignored = -100 if ignore_index is None else ignore_index
    try:
        import torchmetrics as library
        from torchmetrics import classification, wrappers
    except ModuleNotFoundError as error:
        raise _missing("torchmetrics") from error

    if loss.task == "regression":
        amounts: dict[str, Any] = {
            "mae": library.MeanAbsoluteError(),
            "rmse": library.MeanSquaredError(squared=False),
            "r2": library.R2Score(),
        }
        if loss.prediction.says_amount:
            return library.MetricCollection(amounts)
        of_mean: dict[str, Any] = {
            name: wrappers.LambdaInputTransformer(metric, loss.prediction.estimate) for name, metric in amounts.items()
        }
        return library.MetricCollection(of_mean, compute_groups=False)  # as below
    kinds = ("Accuracy", "Precision", "Recall", "F1Score")
    if loss.prediction.innermost.rows:
        count = _counted(loss, classes)
        chosen = [
            getattr(classification, f"Multiclass{kind}")(
                num_classes=count, average="micro" if kind == "Accuracy" else "macro", ignore_index=ignored
            )
            for kind in kinds
        ]
    else:
        chosen = [getattr(classification, f"Binary{kind}")(ignore_index=ignored) for kind in kinds]
    if class_axis is None:
        class_axis = 1 if loss.task == "multiclass" else -1
    each, label = loss.prediction.innermost, loss.target.innermost
    decision = Decision(each, label, axis=class_axis, missing=missing, ignored=ignored)
    return library.MetricCollection(
        {
            name: wrappers.LambdaInputTransformer(metric, decision.tensor_prediction, decision.tensor_target)
            for name, metric in zip(("accuracy", "precision", "recall", "f1"), chosen, strict=True)
        },
        compute_groups=False,  # the wrappers' states are not seen, and would be taken for equal
    )


# ── Keras ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def keras(
    loss: Loss | Objective,
    *,
    classes: int | None = None,
    ignore_class: int | None = None,
    missing: Missing | None = None,
) -> list[Any]:
    """Keras' metrics for a loss: `model.compile(loss=loss.keras(), metrics=lossary.metrics.keras(loss))`.

    Args:
        classes: how many there are; wanted where there may be more than two.
        ignore_class: targets of class indices that are equal to this are left out, as in the loss's Keras class.
        missing: which other targets are missing and left out, as in the loss's Keras class.

    Raises:
        UsageError: the loss is about classes and `classes` is not said; or an option that its metrics cannot use.
    """
    _want_a_loss("keras", loss)
    missing = _of_classes(loss, missing, ignore_class, "ignore_class", "keras")
    try:
        from keras import metrics as library
    except ModuleNotFoundError as error:
        raise _missing("keras", "keras") from error

    if loss.task == "regression":
        amounts = {"mae": library.MeanAbsoluteError, "rmse": library.RootMeanSquaredError, "r2": library.R2Score}
        if loss.prediction.says_amount:
            return [kind(name=name) for name, kind in amounts.items()]
        from lossary.metrics.of_mean import OfMean

        return [OfMean(loss, kind(), name=name) for name, kind in amounts.items()]
    from lossary.metrics.decided import Decided

    if not loss.prediction.innermost.rows:
        chosen = {
            "accuracy": [library.BinaryAccuracy()],
            "precision": [library.Precision()],
            "recall": [library.Recall()],
            "f1": [library.F1Score(average="micro", threshold=0.5)],
        }
    else:
        each = range(_counted(loss, classes))
        chosen = {
            "accuracy": [library.CategoricalAccuracy()],
            "precision": [library.Precision(class_id=index) for index in each],
            "recall": [library.Recall(class_id=index) for index in each],
            "f1": [library.F1Score(average="macro", threshold=0.5)],
        }
    options: dict[str, Any] = {"ignore_class": ignore_class, "missing": missing}
    return [Decided(loss, metrics, name=name, **options) for name, metrics in chosen.items()]


# ── the loss itself ──────────────────────────────────────────────────────────────────────────────────────────────────


def as_metric(criterion: LossModule | KerasLoss, **options: Any) -> Any:
    """The mean of a loss over all batches, as a metric of the library that its host belongs to.

    Exact: Σwℓ / Σw of everything, as one call on all of it, where the batches, their weights or the counts behind their
    masks differ, and over processes.

    Args:
        criterion: a loss's module, for a `torchmetrics.Metric` that is updated as the module is called; or its Keras
            loss, for a `keras.metrics.Metric`. Their options count: class_axis, ignore_index, from_logits, ….
        options: what every metric of that library takes: `name` in Keras, `sync_on_compute` in torchmetrics, ….

    Raises:
        UsageError: it is neither; or, when it is updated, an objective that has no total.
    """
    # Whoever brings a host has loaded its module.
    torch, keras = sys.modules.get("lossary.torch"), sys.modules.get("lossary.keras")
    if torch is not None and isinstance(criterion, torch.LossModule):
        try:
            from lossary.metrics import mean_torchmetrics
        except ModuleNotFoundError as error:
            raise _missing("torchmetrics") from error
        return mean_torchmetrics.MeanLoss(criterion, **options)
    if keras is not None and isinstance(criterion, keras.KerasLoss):
        from lossary.metrics import mean_keras

        return mean_keras.MeanLoss(criterion, **options)
    raise UsageError(
        "lossary.metrics.as_metric takes a loss at home in PyTorch or in Keras.",
        received=f"{criterion!r}.",
        hint="as_metric(loss.torch()) is a torchmetrics.Metric, as_metric(loss.keras()) a keras.metrics.Metric.",
    )


# ── what they share ──────────────────────────────────────────────────────────────────────────────────────────────────


def _want_a_loss(host: str, loss: object) -> None:
    from lossary.define.loss import Loss
    from lossary.define.objective import Objective

    if not isinstance(loss, Loss | Objective):
        raise UsageError(
            f"lossary.metrics.{host} takes a loss or an objective.",
            received=f"{loss!r}.",
            hint=f"lossary.metrics.{host}(lossary.Huber()); lossary.get('bce') finds a loss by name.",
        )
    here = host == "sklearn"  # which alone has metrics of ranks and of intervals
    if here and isinstance(loss, Steps):
        return
    if loss.task not in ("regression", "binary", "multilabel", "multiclass", "distribution"):
        raise UsageError(
            f"lossary.metrics knows metrics of numbers and of classes, none of {loss.task}.",
            received=f"{loss!r}.",
            hint="lossary.metrics.sklearn(loss) has those of ranks."
            if isinstance(loss, Steps)
            else "the loss itself is one: loss(...) on data that were kept back.",
        )
    measured = loss.target.rows or loss.prediction.says_estimate or (here and loss.prediction.says_interval)
    if loss.task == "regression" and not measured:
        raise UsageError(
            f"lossary.metrics.{host} measures how far one predicted number is from the target, and of {loss!r} no "
            "prediction is one number.",
            received=f"a loss of {loss.prediction.wanted}.",
            hint="lossary.metrics.as_metric(loss.torch()) or (loss.keras()) is the mean of the loss itself.",
        )


def _of_classes(loss: Loss | Objective, missing: Any, ignored: int | None, option: str, host: str) -> Missing | None:
    """`missing`, as it is accepted.

    Raises:
        UsageError: the metrics of this loss cannot leave targets out, or not by this option.
    """
    if loss.task == "regression" and missing is not None:
        raise UsageError(
            "mae, rmse and r2 of this library count every target.",
            received=f"missing={missing!r}.",
            hint=f"lossary.metrics.as_metric(loss.{host}(missing={missing!r})) is the mean of the loss itself; "
            "lossary.metrics.sklearn(loss, missing=...) leaves rows out.",
        )
    if ignored is not None and not loss.target.one_index:
        raise UsageError(
            f"{option} is for targets of class indices, which {loss!r} does not take.",
            received=f"{option}={ignored!r}.",
            hint="missing= leaves out targets that are NaN or a number that is named.",
        )
    return accepted(loss, missing, of_index=option)


def _complete(missing: Missing, y_true: Any, y_pred: Any, weight: Any) -> tuple[Any, Any, Any]:
    """The rows that have all their numbers."""
    import numpy as np

    y_true = np.asarray(y_true)
    rows = present(dispatch.ops("numpy"), Real(), y_true, missing).reshape(len(y_true), -1).all(axis=1)
    return y_true[rows], np.asarray(y_pred)[rows], None if weight is None else np.asarray(weight)[rows]


def _array(x: Any) -> Any:
    import numpy as np

    return np.asarray(x)


def _level(loss: Loss | Objective) -> float | None:
    """The level of the quantile that the loss estimates; None where it estimates something else."""
    return next((claim.level for claim in loss.claims if isinstance(claim, Estimates)), None)


def _counted(loss: Loss | Objective, classes: int | None) -> int:
    if classes is None:
        raise UsageError(
            f"the metrics for {loss!r} need to know how many classes there are.",
            received="classes=None.",
            hint="classes=10, the size of the last layer.",
        )
    return classes


def _missing(package: str, extra: str | None = None) -> MissingExtraError:
    install = f"pip install 'lossary[{extra}]'" if extra else f"pip install {package}"
    return MissingExtraError(f"these metrics are {package}'s, which is not installed.", hint=f"{install}.")
