from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.instruments import shrink
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import ONE_ROW
from lossary.check.rules.precision import halves
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

_SIZES = (0.5, 3.0, 8.0, 60.0, 80.0, 300.0)
_USUAL = 10.0


@rule(
    "LSY303",
    severity="error",
    needs=(ONE_ROW,),
    remedy="compute the loss in float32 and cast the result; choose an epsilon that the dtype can hold",
    wrong="""
        import torch

        def loss(probabilities, labels):
            p = probabilities
            return -(labels * torch.log(p + 1e-8) + (1 - labels) * torch.log(1 - p + 1e-8)).mean()
    """,
    right="""
        import torch

        def loss(probabilities, labels):
            p = probabilities.float()
            return -(labels * torch.log(p + 1e-8) + (1 - labels) * torch.log(1 - p + 1e-8)).mean()
    """,
    seen=(
        "qubvel-org/segmentation_models.pytorch#463: a Dice loss was NaN under mixed precision",
        "huggingface/transformers#25938",
        "huggingface/accelerate#134",
    ),
)
def half_precision_range(subject: Subject) -> Failure | None:
    """In half precision the loss stays within a few per cent of what float32 makes of the same numbers.

    float16 ends at 65 504, has no 1e-8, and rounds 1 - 1e-7 to 1. Epsilons vanish (0 · log 0 again), squares of 300
    overflow, and so do sums over a large batch. Large inputs and batches are warnings only.
    """
    p, y = samples.points(subject, _SIZES, "float16")
    try:
        row = shrink.alone(lambda p, y: _off(subject, p, y), p, y)
    except LossRaised:
        return None  # float16 is refused
    if row is not None:
        return _failure(subject, *row)
    return halves.of_many(subject, "float16", "warning") if subject.reduces("mean") else None


def _off(subject: Subject, p: Any, y: Any) -> Any:
    """Which rows are not what float32 makes of them, though half precision could hold that."""
    half, true = subject.rows(p, y), subject.rows(*halves.in_float32(p, y))
    inputs = np.abs(p.astype(np.float64)).reshape(len(p), -1).max(axis=1)
    with np.errstate(invalid="ignore"):
        allowed = 0.05 * np.abs(true) + 8.0 * subject.backend.spacing(p.dtype.name) * np.maximum(inputs, 1.0)
        hopeless = _certain(p) & (np.abs(true) > 1.0) if subject.prediction.of_shares else False
        return (np.abs(true) < halves.LARGEST) & ~hopeless & ~(np.abs(half - true) <= allowed)


def _certain(p: Any) -> Any:
    """Which rows say 0 or 1 of a class: where that is wrong, no number is right."""
    return ((p == 0) | (p == 1)).reshape(len(p), -1).any(axis=1)


def _failure(subject: Subject, p: Any, y: Any) -> Failure:
    half, true = float(subject.rows(p, y)[0]), float(subject.rows(*halves.in_float32(p, y))[0])
    usual = float(np.max(np.abs(p.astype(np.float64)))) <= _USUAL
    return Failure(
        f"in float16 the loss is {half:.6g}, in float32 {true:.6g}, at {described(p, y)}",
        subject.code(p, y),
        severity="error" if usual and subject.adds_up else "warning",
    )
