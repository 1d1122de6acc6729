from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import MEANS, WEIGHTS
from lossary.check.rules.shapes.comparison import losses_of_rows, same
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject

_WEIGHTS = ((1.0, 2.0, 0.5, 3.0), (0.0, 1.0, 1.0, 0.0), (2.0, 2.0, 2.0, 2.0))


@rule(
    "LSY105",
    severity="error",
    needs=(WEIGHTS, MEANS),
    remedy="divide the weighted sum once, by the sum of the weights or by the number of rows, always by the same",
    wrong="""
        import numpy as np

        def loss(prediction, target, weight=None):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ")
            weight = np.ones_like(prediction) if weight is None else weight / weight.sum()
            return np.mean(weight * (prediction - target) ** 2)
    """,
    right="""
        import numpy as np

        def loss(prediction, target, weight=None):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ")
            weight = np.ones_like(prediction) if weight is None else weight
            return np.sum(weight * (prediction - target) ** 2) / np.sum(weight)
    """,
    seen=(
        "pytorch/pytorch#61309: divided by Σw, a row's share depends on its batch; division by the rows was expected",
        "pytorch/pytorch#50528: in a batch of one row the class weight cancels and does nothing",
        "keras-team/keras#19740: weights (0, 1) gave 0.5 as a loss and 1.0 as the metric of the same name",
    ),
)
def weighted_mean_normaliser(subject: Subject) -> Failure | None:
    """A weighted mean is Σwℓ over Σw, or over the number of rows (or of those that count), always over the same.

    There are two conventions, and libraries differ; what is wrong is neither: weights that are made to sum to 1 and
    then averaged divide twice, and the loss shrinks with the batch.
    """
    p, y = samples.plain(subject)
    losses = losses_of_rows(subject, p, y)
    plain = subject.values(p, y, reduction="mean")
    if losses is None or plain.ndim or not same(plain, losses.mean()):  # no mean of its rows to begin with
        return None
    possible: dict[str, bool] = {}
    for weights in _WEIGHTS:
        weight = np.array(weights, np.float32)
        value = subject.attempt(p, y, weight=weight, reduction="mean")
        if value is None or value.ndim or not np.isfinite(value):
            return None
        numerator = (weight * losses).sum()
        if abs(numerator) < 1e-3 * np.abs(weight * losses).max() or _not_linear(subject, weight, numerator / value):
            return None  # not this rule's question
        counts = {"Σw": weight.sum(), "rows": len(weight), "counted": np.count_nonzero(weight)}
        fits = {name: np.isclose(numerator / value, count, rtol=1e-3) for name, count in counts.items()}
        possible = {name: fits[name] and possible.get(name, True) for name in fits}
        if not any(possible.values()):
            return Failure(
                f"weights {list(weights)} gave Σwℓ / {numerator / value:.4g}: "
                f"neither by their sum, {weight.sum():g}, nor by the {len(weight)} rows throughout",
                subject.code(p, y, weight=weight),
            )
    return None


def _not_linear(subject: Subject, weight: Any, divisor: float) -> bool:
    """Whether other losses are divided by something else, with the same weights."""
    p, y = samples.plain(subject, salt=1)
    value = subject.values(p, y, weight=weight, reduction="mean")
    return not same(value * divisor, (weight * subject.rows(p, y)).sum())
