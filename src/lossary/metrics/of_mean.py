"""Keras metrics of the number that a prediction stands for: a logarithm's, or the mean among other columns."""

from __future__ import annotations

from typing import Any, final

import keras
from keras import ops

from lossary.define import registry
from lossary.define.loss import Loss
from lossary.define.objective import Objective


@final
@keras.saving.register_keras_serializable(package="lossary")
class OfMean(keras.metrics.Metric):  # type: ignore[misc]  # Keras is not typed
    """A Keras metric that sees the mean alone, one for each row, as a column."""

    def __init__(self, loss: Loss | Objective, metric: Any, *, name: str, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.loss = loss
        self.metric = metric

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        mean = self.loss.prediction.estimate(ops.convert_to_tensor(y_pred, dtype=self.dtype))
        true = ops.convert_to_tensor(y_true, dtype=self.dtype)
        if sample_weight is not None:
            sample_weight = ops.reshape(sample_weight, (-1,))
        self.metric.update_state(ops.reshape(true, (-1, 1)), ops.reshape(mean, (-1, 1)), sample_weight)

    def result(self) -> Any:
        return self.metric.result()

    def reset_state(self) -> None:
        self.metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        metric = keras.saving.serialize_keras_object(self.metric)
        return {**super().get_config(), "loss": self.loss.config(), "metric": metric}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OfMean:
        metric = keras.saving.deserialize_keras_object(config.pop("metric"))
        return cls(registry.from_config(config.pop("loss")), metric, **config)
