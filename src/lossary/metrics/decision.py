"""From predictions to classes: which class a prediction says, and which a target says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, final

from lossary.define.domains.domain import Domain
from lossary.errors import DomainError, ShapeError
from lossary.ops import dispatch
from lossary.ops.missing import Missing, present


@final
@dataclasses.dataclass(frozen=True)
class Decision:
    """How the classes are read off a loss's predictions and targets.

    The two of a binary loss are told apart by the threshold of its prediction's domain: 0 for scores and logits, ½ for
    probabilities. Where there are rows, the largest entry along `axis` decides, for which logits are as good as
    probabilities.
    """

    prediction: Domain
    target: Domain
    axis: int = -1
    missing: Missing | None = None  # which targets say no class, as the hosts of losses have it
    ignored: int = -1  # the index that torchmetrics leaves out

    def of_prediction(self, x: Any, argmax: Callable[[Any], Any]) -> Any:
        """Class indices, or whether each entry is positive."""
        return self.prediction.decide(x, argmax)

    def of_target(self, y: Any, argmax: Callable[[Any], Any]) -> Any:
        """Class indices, or whether each entry is positive."""
        return self.target.decide(y, argmax)

    def present(self, y: Any, missing: Missing) -> Any:
        """Which targets say a class, by what stands for those that do not."""
        last = y if self.axis == -1 or not self.target.rows or len(y.shape) < 2 else y.swapaxes(self.axis, -1)
        return present(dispatch.ops(dispatch.framework_of(y)), self.target, last, missing)

    # ── for NumPy ────────────────────────────────────────────────────────────────────────────────────────────────

    def on_arrays(self, target: Any, prediction: Any, weight: Any) -> tuple[Any, Any, Any]:
        """Classes of both as flat integer arrays, and the weight of each.

        Raises:
            ShapeError: the two are not about the same entries.
            DomainError: a prediction or a target is NaN, which is no class.
        """
        import numpy as np

        prediction, target = np.asarray(prediction), np.asarray(target)
        if np.isnan(prediction).any():
            raise DomainError("metrics need predictions that say a class.", received="NaN among the predictions.")
        if self.missing is None and target.dtype.kind == "f" and np.isnan(target).any():
            raise _no_class()
        predicted = self.of_prediction(prediction, self._last).astype(int)
        true = self.of_target(target, self._last).astype(int)
        if true.shape != predicted.shape and np.squeeze(true).shape != np.squeeze(predicted).shape:
            raise ShapeError(
                "metrics need a target for each prediction.",
                received=f"prediction {prediction.shape} and target {target.shape}.",
            )
        if weight is not None:
            weight = np.asarray(weight)
            leading = weight.reshape(weight.shape + (1,) * (predicted.ndim - weight.ndim))
            weight = np.broadcast_to(leading, predicted.shape).ravel()
        if self.missing is None:
            return true.ravel(), predicted.ravel(), weight
        presence = np.ravel(self.present(target, self.missing))
        return true.ravel()[presence], predicted.ravel()[presence], None if weight is None else weight[presence]

    def _last(self, rows: Any) -> Any:
        return rows.argmax(self.axis)

    # ── for PyTorch ──────────────────────────────────────────────────────────────────────────────────────────────

    def tensor_prediction(self, x: Any) -> Any:
        """Classes as a flat integer tensor, to which torchmetrics applies no sigmoid."""
        return self.of_prediction(x, self._along(x)).long().flatten()

    def tensor_target(self, y: Any) -> Any:
        """Classes as a flat integer tensor; where the target is missing, the index that is left out.

        Raises:
            DomainError: a target is NaN, and was not said to be missing by that.
        """
        classes = self.of_target(y, self._along(y)).long()
        if self.missing is not None:
            return classes.where(self.present(y, self.missing), self.ignored).flatten()
        if y.is_floating_point() and bool(y.isnan().any()):
            raise _no_class()
        return classes.flatten()

    def _along(self, x: Any) -> Callable[[Any], Any]:
        # A single row has its classes on its only axis, as in the module of the loss.
        return lambda rows: rows.argmax(self.axis if x.dim() > 1 else -1)


def _no_class() -> DomainError:
    return DomainError(
        "metrics need targets that say a class.",
        received="NaN among the targets.",
        hint='missing="skip" leaves them out.',
    )
