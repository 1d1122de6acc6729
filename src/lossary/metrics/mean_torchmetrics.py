"""The mean of a loss as torchmetrics has its metrics."""

from __future__ import annotations

import re
from typing import Any, final

import torch
import torchmetrics
from torch import Tensor

from lossary.ops.reduce import Total, read
from lossary.ops.torch import ops
from lossary.torch import LossModule


@final
class MeanLoss(torchmetrics.Metric):
    """Σwℓ / Σw over all that it is updated with: one call of the loss on all of it, whatever the batches and ranks.

    Both sums are states in float64, which torchmetrics adds over processes.
    """

    is_differentiable = True
    higher_is_better = False
    full_state_update = False

    def __init__(self, criterion: LossModule, **options: Any) -> None:
        super().__init__(**options)
        self.criterion = criterion
        # A collection takes metrics whose states have equal names and, at first, equal values for one and the same:
        # Huber(1) and Huber(2) are equal on small residuals. So each loss has a name of its own.
        settings: Any = criterion
        arguments = (settings.class_axis, settings.ignore_index, settings.missing)
        kind = re.sub(r"\W+", "_", "_".join(map(str, (settings.loss, *arguments))))
        self._of_sum, self._of_weight = f"sum_of_{kind}", "weight"
        for name in (self._of_sum, self._of_weight):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Any, weight: Any | None = None, where: Any | None = None) -> None:
        """Adds a batch; arguments as the module of the loss takes them."""
        total = self.criterion.total(preds, target, weight=weight, where=where)
        for name, exact in ((self._of_sum, total.exact_sum), (self._of_weight, total.exact_weight)):
            state = getattr(self, name)
            setattr(self, name, state + read(ops, exact, ops.dtype(state)))

    def compute(self) -> Tensor:
        """The mean so far; 0 where the weights add up to 0."""
        exact_sum, exact_weight = getattr(self, self._of_sum), getattr(self, self._of_weight)
        mean: Tensor = Total(exact_sum, exact_weight, ops.dtype(exact_sum)).mean
        return mean
