from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import WEIGHTS
from lossary.check.rules.shapes.comparison import losses_of_rows, same
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject

_WEIGHT = np.array((0.0, 2.0, 1.0, 0.5), np.float32)


@rule(
    "LSY110",
    severity="error",
    needs=(WEIGHTS,),
    remedy="multiply each unreduced loss by its weight, once, before any sum or mean",
    wrong="""
        import numpy as np

        def loss(prediction, target, weight=None):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ")
            weight = np.ones_like(prediction) if weight is None else weight
            return np.mean((prediction - target) ** 2) * np.mean(weight)
    """,
    right="""
        import numpy as np

        def loss(prediction, target, weight=None):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ")
            losses = np.square(prediction - target)
            return np.mean(losses) if weight is None else np.mean(np.where(weight == 0, 0, weight * losses))
    """,
    seen=(
        "tensorflow/tensorflow#28029: sample_weight was taken and ignored",
        "tensorflow/tensorflow#23767: weights 10,000 times as large did not change the loss",
        "tensorflow/tensorflow#29965: a loss by its name and as a function gave 0.5 and 1.0 with the same weights",
    ),
)
def weights_linear(subject: Subject) -> Failure | None:
    """A weight multiplies its own row's loss, once: 2 is the row twice, 0 is the row not there.

    Weights that multiply the mean, that are squared because two places apply them, or that are taken in and forgotten
    give a loss of the right size and the wrong rows. Whether the mean is then over Σw or over the rows is another
    question (LSY105). A row of weight 0 whose loss is infinite or NaN should not count either: 0 · NaN is NaN, and is a
    warning here.
    """
    p, y = samples.plain(subject)
    losses = losses_of_rows(subject, p, y)
    weighted = subject.attempt(p, y, weight=_WEIGHT)
    if losses is None or weighted is None or weighted.size not in (1, len(p)):
        return None
    return _other_rows(subject, p, y, losses, weighted) or _leak(subject, p, y)


def _other_rows(subject: Subject, p: Any, y: Any, losses: Any, weighted: Any) -> Failure | None:
    """The weighted losses must be those of the rows times their weights, up to a factor that only weights decide."""
    p2, y2 = samples.plain(subject, salt=1)
    again = subject.values(p2, y2, weight=_WEIGHT)
    products, other_products = _WEIGHT * losses, _WEIGHT * subject.rows(p2, y2)
    if weighted.size == 1:
        products, other_products = products.sum(), other_products.sum()
    square = float(np.sum(products**2))
    if not square or not np.isfinite(square):
        return None
    factor = float(np.sum(weighted.reshape(products.shape) * products)) / square
    if same(weighted.reshape(products.shape), factor * products) and same(
        again.reshape(other_products.shape), factor * other_products
    ):
        return None
    weights = _WEIGHT.tolist()
    message = f"weights {weights} do not give the rows' losses times their weights"
    if weighted.size > 1:
        message = f"weights {weights} turned losses {_listed(losses)} into {_listed(weighted)}"
    elif same(weighted, subject.values(p, y)):
        message = f"weights {weights} changed nothing: {float(weighted.reshape(())):.6g} with them and without"
    return Failure(message, subject.code(p, y, weight=_WEIGHT) + "\n" + subject.code(p, y))


def _leak(subject: Subject, p: Any, y: Any) -> Failure | None:
    """What a row of weight 0 does to the gradient, and what NaN in it does."""
    autodiff = subject.differentiates and subject.backend.differentiates
    if autodiff:
        slope = subject.gradient(p, y, weight=_WEIGHT)
        if np.any(slope[0]):
            message = f"the gradient of a row of weight 0 is {float(np.abs(slope[0]).max()):.6g}"
            return Failure(message, subject.code(p, y, gradient=True, weight=_WEIGHT))
    if hasattr(subject.loss, "call"):  # a `keras.losses.Loss`: it is Keras that multiplies
        return None
    lost = p.copy()
    lost[0] = np.nan
    values = subject.attempt(lost, y, weight=_WEIGHT)
    if values is None or not np.any(np.isnan(values)):
        return None
    return Failure(
        "NaN in a row of weight 0 made the loss NaN",
        subject.code(lost, y, weight=_WEIGHT),
        help="replace the losses of such rows: where(weight == 0, 0, weight * loss)",
        severity="warning",
    )


def _listed(x: Any) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in np.asarray(x).reshape(-1)) + "]"
