"""Losses at home in scikit-learn: scorers with the right sign, and metric functions.

    cross_val_score(model, X, y, scoring=lossary.sklearn.Quantile(level=0.9))
    lossary.sklearn.Quantile(level=0.9).metric(y_true, y_pred)

There is a class for every loss of the catalogue; `loss.sklearn()` makes the same from an instance. With metadata
routing, `scorer.set_score_request(sample_weight=True)` asks for weights, as of scikit-learn's own scorers.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np

try:
    from sklearn.metrics._scorer import _BaseScorer  # what scikit-learn knows a scorer by; it has no public name
except ModuleNotFoundError as error:
    from lossary.errors import MissingExtraError

    raise MissingExtraError("lossary.sklearn needs scikit-learn.", hint="pip install scikit-learn.") from error

from lossary import catalogue
from lossary.define import spelling
from lossary.define.definition import Definition
from lossary.define.loss import Loss
from lossary.define.objective import Objective
from lossary.errors import UsageError
from lossary.host import Classes, refuse_inputs
from lossary.index import LOSSES
from lossary.ops.call import Call
from lossary.ops.missing import Missing, accepted

# What `make index` writes into sklearn.pyi beside a class for each loss.
STUB = """
from typing import Any

from lossary.define.loss import Loss
from lossary.ops.missing import Missing
from lossary.define.objective import Objective

class Scorer:
    missing: Missing | None
    @property
    def loss(self) -> Loss | Objective: ...
    def __call__(self, estimator: Any, X: Any, y_true: Any, *, sample_weight: Any = ...) -> float: ...
    def set_score_request(self, **requests: Any) -> Scorer: ...
    def get_metadata_routing(self) -> Any: ...
    def metric(self, y_true: Any, y_pred: Any, sample_weight: Any = ...) -> float: ...

def host(loss: Loss | Objective, *, missing: Missing | None = ...) -> Scorer: ...
def get(name: str, **settings: Any) -> Scorer: ...
"""
STUB_BASE = "Scorer"
STUB_OPTIONS = "missing: Missing | None = ..."
STUB_DEFAULTS = {"from_logits": False, "from_log": False}  # estimators predict probabilities, and means

__all__ = ["Scorer", "get", "host", *LOSSES]  # noqa: PLE0604  # from the index


class Scorer(_BaseScorer):  # type: ignore[misc]  # scikit-learn is not typed
    """A loss as a scikit-learn scorer: minus the loss, so that greater is better.

    What the estimator is asked for follows from the loss: `predict` for a number or a label, `predict_proba` for
    probabilities, `decision_function` for scores and logits. Where a loss takes logits or probabilities, or logarithms
    of means or means, the latter are the default here, because that is what scikit-learn's estimators predict.

    It is called as `scorer(estimator, X, y, sample_weight=None)`. Where metadata routing is enabled, a weight must be
    asked for (`set_score_request`), and one that was not is an error, as scikit-learn has it.

    Args:
        missing: "skip" leaves out targets that are NaN, a number those that are equal to it (-1, as scikit-learn marks
            what has no label); a row of which a part is missing is left out.

    Raises:
        ParameterError: a `missing` that is neither "skip" nor a number.
        UsageError: "skip", for class indices.
    """

    definition: ClassVar[Any] = Definition

    def __init__(self, *positional: Any, missing: Missing | None = None, **settings: Any) -> None:
        for name in STUB_DEFAULTS.keys() & getattr(self.definition, "__dataclass_fields__", {}).keys():
            settings.setdefault(name, STUB_DEFAULTS[name])
        self.loss = self.definition(*positional, **settings)
        refuse_inputs("sklearn", self.loss, "(y_true, y_pred)")
        self.missing = accepted(self.loss, missing)
        super().__init__(self.metric, sign=-1, kwargs={}, response_method=self.response)

    def _score(
        self,
        method_caller: Any,
        estimator: Any,
        X: Any,  # noqa: N803
        y_true: Any,
        sample_weight: Any = None,
    ) -> float:
        """Minus the loss of `estimator` on X; classes of any kind are put in the estimator's order.

        The estimator is asked without `method_caller`, which keeps one column where there are two classes.
        """
        target, predicted = _without_column(np.asarray(y_true)), self._predicted(estimator, X)
        if self.missing is None or target.ndim > 1:
            return -self.metric(self._encoded(estimator, target), predicted, sample_weight)
        # By what the labels were before they are encoded: a class may get the number that stands for none.
        rows = ~_absent(target, self.missing)
        weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
        return -self._mean(self._encoded(estimator, target[rows]), predicted[rows], weight, None)

    def metric(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """The loss itself, as `sklearn.metrics` has its functions: targets first, a float, smaller is better.

        Arrays, series and frames are taken by position, whatever their index. A column, (n, 1), may stand beside (n,).
        """
        return self._mean(y_true, y_pred, sample_weight, self.missing)

    def _mean(self, y_true: Any, y_pred: Any, sample_weight: Any, missing: Missing | None) -> float:
        target, prediction = np.asarray(y_true), np.asarray(y_pred)
        if prediction.dtype.kind in "iub" and self.loss.prediction.labels is None:
            prediction = prediction.astype(np.float64)
        if not self.loss.prediction.rows and prediction.shape == (*target.shape, 1):
            prediction = prediction[..., 0]
        fewer = self.loss.prediction.axes - self.loss.target.axes
        if target.shape == (*prediction.shape[: prediction.ndim - fewer], 1):
            target = target[..., 0]
        weight = None if sample_weight is None else _without_column(np.asarray(sample_weight))
        return float(self.loss.compute(Call((prediction, target), weight, missing=missing), reduction="mean"))

    @property
    def response(self) -> str:
        """The estimator's method that makes the predictions."""
        if self._takes_labels or not (self.loss.prediction.says_class or self.loss.target.says_class):
            return "predict"
        return "predict_proba" if self.loss.prediction.shares else "decision_function"

    @property
    def _takes_labels(self) -> bool:
        """Whether predicted classes are what it is for; the terms of an objective share scores."""
        return isinstance(self.loss, Loss) and self.loss.prediction.labels is not None

    def _predicted(self, estimator: Any, X: Any) -> Any:  # noqa: N803
        method = getattr(estimator, self.response, None)
        if method is None:
            raise UsageError(
                f"{self!r} needs an estimator with {self.response}.",
                received=f"{type(estimator).__name__}.",
                hint="say from_logits=False for predict_proba." if self.response == "decision_function" else None,
            )
        predicted = method(X)
        if isinstance(predicted, list):
            raise UsageError(
                f"{self!r} needs the predictions of one target.",
                received=f"{type(estimator).__name__}, which predicts {len(predicted)} of them.",
                hint="its .metric(y_true, y_pred) takes (n, labels): np.stack([p[:, 1] for p in predicted], axis=-1).",
            )
        predicted = np.asarray(predicted)
        if self._takes_labels and hasattr(estimator, "classes_"):
            if len(estimator.classes_) > 2:
                raise UsageError(
                    f"{self!r} is for two classes.",
                    received=f"{type(estimator).__name__}, which was fitted on {len(estimator.classes_)} classes.",
                    hint="sklearn.metrics.zero_one_loss counts the mistakes among more of them.",
                )
            return self._encoded(estimator, predicted).astype(np.int64)
        if self.loss.task == "binary" and predicted.ndim == 2 and predicted.shape[1] > 2:
            raise UsageError(
                f"{self!r} is for two classes.",
                received=f"{type(estimator).__name__}.{self.response} with {predicted.shape[1]} columns.",
                hint="lossary.sklearn.SparseCategoricalCrossEntropy() or CategoricalCrossEntropy() for more classes.",
            )
        if self.response == "predict_proba" and not self.loss.prediction.rows:
            return predicted[:, 1]
        if self.response != "predict" and self.loss.prediction.rows and predicted.ndim == 1:
            # Two classes: scikit-learn has one score for both.
            return np.stack([np.zeros_like(predicted), predicted], axis=-1)
        return predicted

    def _encoded(self, estimator: Any, y_true: Any) -> Any:
        """The targets as the loss takes them: class names become indices, one-hot rows or the loss's labels."""
        classes = getattr(estimator, "classes_", None)
        if classes is None or not self.loss.target.says_class or y_true.ndim > 1:
            return y_true
        index = np.searchsorted(classes, y_true)
        if (np.take(classes, index, mode="clip") != y_true).any():
            unknown = next(each for each in y_true.tolist() if each not in classes.tolist())
            raise UsageError(
                f"{self!r} met a class that the estimator was not fitted on.",
                received=f"{unknown!r}, beside {', '.join(map(repr, classes.tolist()))}.",
                hint="fit on rows of every class; missing= leaves out a number that stands for no label.",
            )
        return self.loss.target.encode(index, len(classes))

    @property
    def _requests(self) -> Any:
        """Which metadata it asks for, by name."""
        return self.get_metadata_routing().score.requests

    @property
    def _compared(self) -> tuple[Any, ...]:
        return self.loss, self.missing, self._requests

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scorer) and self._compared == other._compared

    def __hash__(self) -> int:
        return hash((type(self), self.loss, self.missing))

    def __repr__(self) -> str:
        return spelling.at_home("sklearn", self.loss, missing=self.missing)

    def __reduce__(self) -> Any:
        """Through the loss, so that scorers of users' losses are found again too."""
        return _remade, (self.loss, self.missing), {k: x for k, x in vars(self).items() if k == "_metadata_request"}


@final
class ObjectiveScorer(Scorer):
    """An objective as a scorer."""

    definition: ClassVar[Any] = Objective


def host(loss: Loss | Objective, **options: Any) -> Scorer:
    """The scorer of a loss or objective; options as Scorer has."""
    if isinstance(loss, Objective):
        return ObjectiveScorer(loss.summands, **options)
    scorer: Scorer = _classes.of(type(loss))(**loss.settings, **options)
    return scorer


def get(name: str, **settings: Any) -> Scorer:
    """The scorer of a loss by name or alias: `get("pinball", level=0.9)`."""
    return host(catalogue.get(name, **settings))


def _remade(loss: Loss | Objective, missing: Missing | None) -> Scorer:
    return host(loss, missing=missing)


def _absent(y_true: Any, missing: Missing) -> Any:
    """Where a label of any kind, text included, is missing: NaN, None and pandas' NA are what "skip" skips."""
    if missing == "skip":
        return np.asarray([_is_nothing(each) for each in y_true], bool)
    return np.asarray([not _is_nothing(each) and each == missing for each in y_true], bool)


def _is_nothing(label: Any) -> bool:
    is_float = isinstance(label, float | np.floating)
    return label is None or type(label).__name__ == "NAType" or bool(is_float and np.isnan(label))


def _without_column(x: Any) -> Any:
    """(n, 1), as a frame of one column has it, as (n,)."""
    return x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x


_classes = Classes(__name__, Scorer, STUB_DEFAULTS)
__getattr__, __dir__ = _classes.attribute, _classes.names
