"""The mean of a loss as Keras has its metrics."""

from __future__ import annotations

from typing import Any, final

import keras
from keras import ops

from lossary.keras import KerasLoss
from lossary.ops import dispatch
from lossary.ops.reduce import Exact, Total


@final
@keras.saving.register_keras_serializable(package="lossary")
class MeanLoss(keras.metrics.Metric):  # type: ignore[misc]  # Keras is not typed
    """Σwℓ / Σw over all that it is updated with: one call of the loss on all of it, whatever the batches.

    Both sums are carried as `Total` carries them: in float64, or in two float32 where there is none.
    """

    def __init__(self, criterion: KerasLoss, *, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name or criterion.name, dtype=dtype)
        self.criterion = criterion
        zero = ops.zeros((1,), "float32")
        exact = dispatch.ops(dispatch.framework_of(zero)).accumulate(zero)
        dtypes = [keras.backend.standardize_dtype(part.dtype) for part in _parts(exact)]
        self._sum, self._weight = (
            [self.add_variable((), "zeros", dtype, name=name) for dtype in dtypes] for name in ("sum", "weight")
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch; arguments as the Keras loss takes them, and masks count as there."""
        total = self._total + self.criterion.total(y_true, y_pred, sample_weight)
        for variables, exact in ((self._sum, total.exact_sum), (self._weight, total.exact_weight)):
            for variable, part in zip(variables, _parts(exact), strict=True):
                variable.assign(part)

    def result(self) -> Any:
        """The mean so far; 0 where the weights add up to 0."""
        return ops.cast(self._total.mean, self.dtype)

    @property
    def _total(self) -> Total:
        return Total(_exact(self._sum), _exact(self._weight), "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "criterion": keras.saving.serialize_keras_object(self.criterion)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MeanLoss:
        return cls(keras.saving.deserialize_keras_object(config.pop("criterion")), **config)


def _exact(variables: list[Any]) -> Exact:
    """What one or two variables carry."""
    parts = tuple(ops.convert_to_tensor(each) for each in variables)
    return parts if len(parts) > 1 else parts[0]


def _parts(exact: Exact) -> tuple[Any, ...]:
    """The one or two numbers that a sum is carried in."""
    return exact if isinstance(exact, tuple) else (exact,)
