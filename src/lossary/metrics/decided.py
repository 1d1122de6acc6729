"""Keras metrics on the predictions and targets of a loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import keras
from keras import ops

from lossary.define import registry
from lossary.define.loss import Loss
from lossary.define.objective import Objective
from lossary.metrics.decision import Decision
from lossary.ops.missing import Missing


@final
@keras.saving.register_keras_serializable(package="lossary")
class Decided(keras.metrics.Metric):  # type: ignore[misc]  # Keras is not typed
    """The mean of Keras metrics that see classes already decided, as 0 and 1."""

    def __init__(
        self,
        loss: Loss | Objective,
        metrics: Sequence[Any],
        *,
        name: str,
        ignore_class: int | None = None,
        missing: Missing | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.loss = loss
        self.metrics = list(metrics)
        self.ignore_class = ignore_class
        self.missing = missing
        self.decision = Decision(loss.prediction.innermost, loss.target.innermost, missing=missing)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        mask = getattr(y_pred, "_keras_mask", None)
        y_true = ops.convert_to_tensor(y_true, dtype="int32" if self.decision.target.indices else self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        predicted = self.decision.of_prediction(y_pred, _last)
        true = self.decision.of_target(y_true, _last)
        presence = self._present(y_true)
        if len(true.shape) > len(predicted.shape):  # sparse labels (N, 1) beside (N, K)
            true = ops.squeeze(true, -1)
        elif len(predicted.shape) > len(true.shape):  # Dense(1) beside (N,)
            predicted = ops.squeeze(predicted, -1)
        weight = ops.ones_like(true, dtype=self.dtype)
        if self.ignore_class is not None and self.decision.target.indices:
            weight *= ops.cast(true != self.ignore_class, self.dtype)
        if presence is not None:
            weight *= ops.reshape(presence, ops.shape(weight))
        for each in (sample_weight, mask):
            if each is not None:
                weight *= self._leading(ops.cast(each, self.dtype), weight)
        if self.decision.prediction.rows:
            true, predicted = (ops.one_hot(x, y_pred.shape[-1]) for x in (true, predicted))
            shape = (-1, y_pred.shape[-1])
        else:
            shape = (-1, 1)
        true, predicted = (ops.reshape(ops.cast(x, self.dtype), shape) for x in (true, predicted))
        for metric in self.metrics:
            metric.update_state(true, predicted, ops.reshape(weight, (-1,)))

    def _present(self, y_true: Any) -> Any:
        """1 where there is a target, 0 where it is missing; NaN, for nothing can raise here, where it is NaN unsaid."""
        if self.decision.target.indices:
            return None
        if self.missing is not None:
            return ops.cast(self.decision.present(y_true, self.missing), self.dtype)
        nothing = ops.isnan(y_true)
        nothing = ops.any(nothing, axis=-1) if self.decision.target.rows else nothing
        return ops.where(nothing, float("nan"), ops.ones_like(nothing, dtype=self.dtype))

    def _leading(self, weight: Any, entries: Any) -> Any:
        """A weight for each entry, from one for each sample."""
        if len(weight.shape) > len(entries.shape):
            weight = ops.squeeze(weight, -1)
        for _ in range(len(entries.shape) - len(weight.shape)):
            weight = ops.expand_dims(weight, -1)
        return weight

    def result(self) -> Any:
        return ops.mean(ops.stack([metric.result() for metric in self.metrics]))

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "loss": self.loss.config(),
            "metrics": [keras.saving.serialize_keras_object(metric) for metric in self.metrics],
            "ignore_class": self.ignore_class,
            "missing": self.missing,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Decided:
        metrics = [keras.saving.deserialize_keras_object(metric) for metric in config.pop("metrics")]
        return cls(registry.from_config(config.pop("loss")), metrics, **config)


def _last(rows: Any) -> Any:
    return ops.argmax(rows, axis=-1)
