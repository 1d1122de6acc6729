from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.instruments import judged
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.subject.subject import LossRaised, described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

_TOLERANCE = 1e-11  # of the largest number among the loss and its inputs
_STEP, _WIDE = 1e-7, 1e-3  # float32 sees a step of 1e-7 as 0 or twice as long


@rule(
    "LSY302",
    severity="error",
    remedy="create constants and intermediates in the dtype of the prediction, and cast nothing to float32",
    wrong="""
        import numpy as np

        def loss(y_pred, y_true):
            residual = (y_pred - y_true).astype(np.float32)
            return (residual.astype(np.float64) ** 2).mean()
    """,
    right="""
        import numpy as np

        def loss(y_pred, y_true):
            return ((y_pred - y_true) ** 2).mean()
    """,
    seen=(
        "tensorflow/tensorflow#39878: a mean squared error came out as float64, with float32's digits",
        "keras-team/keras#15791",
        "keras-team/keras-core#922",
    ),
)
def float64_is_float64(subject: Subject) -> Failure | None:
    """What comes in float64 and goes out in float64 is computed in float64.

    One constant in float32 (a logarithm of 2 made by the framework's default type) or one cast on the way, and a result
    with sixteen digits is right to seven or nine. Gradient checks by differences then fail for no visible reason.
    """
    p, y = subject.batch(4, salt=302, dtype="float64")
    if _dtype(subject, p, y) != "float64":
        return None  # it refuses, or says so
    jumps = all(_jumps(subject, *subject.batch(4, salt=salt, dtype="float64")) for salt in (302, 303))
    if jumps:
        change = _change(subject, p, y, _STEP)
        return Failure(
            f"a step of {_STEP:g} changes the loss by {change:.3g}, not {_expected(subject, p, y):.3g}, as if there "
            f"were float32 inside; {described(p, y)}",
            subject.code(p, y),
        )
    return _against_the_judge(subject, p, y)


def _dtype(subject: Subject, p: Any, y: Any) -> str | None:
    try:
        result = subject.call(p, y)
    except LossRaised:
        return None
    return subject.backend.dtype(result) if hasattr(result, "dtype") else None


def _against_the_judge(subject: Subject, p: Any, y: Any) -> Failure | None:
    """A constant in float32 moves every answer a little; so does an epsilon, and so this is a warning."""
    if not judged.can_judge(subject):
        return None
    got, true = subject.rows(p, y), judged.values(subject, p, y)
    scale = np.maximum(np.abs(true), np.abs(p).reshape(len(p), -1).max(axis=1))
    off = np.where(np.isfinite(true), np.abs(got - true), 0.0) / scale
    row = int(np.argmax(off))
    if not off[row] > _TOLERANCE:
        return None
    one = p[row : row + 1], y[row : row + 1]
    return Failure(
        f"in float64 the loss is {got[row]:.16g}, not {true[row]:.16g}, at {described(*one)}",
        subject.code(*one),
        severity="warning",
    )


def _jumps(subject: Subject, p: Any, y: Any) -> bool:
    """Whether the loss does not follow small steps as it follows wide ones."""
    small, wide = _change(subject, p, y, _STEP) / _STEP, _change(subject, p, y, _WIDE) / _WIDE
    moved = _change(subject, p, y, _STEP, of_target=True) / _STEP, _change(subject, p, y, _WIDE, of_target=True) / _WIDE
    return _differ(small, wide) or _differ(*moved)


def _differ(small: float, wide: float) -> bool:
    """float64 is good to 1e-9 here, the wide step to 1e-5, and float32 to nothing at all."""
    return bool(np.isfinite([small, wide]).all() and abs(small - wide) > 0.02 * abs(wide) > 1e-6)


def _change(subject: Subject, p: Any, y: Any, step: float, *, of_target: bool = False) -> float:
    """By how much the plain call changes when all predictions (or targets) grow by a step, each by another share."""
    moved = y if of_target else p
    shares = np.linspace(1.0, 0.6, moved.size) * np.where(np.arange(moved.size) % 3 == 1, -0.5, 1.0)
    shares = shares.reshape(moved.shape)
    if subject.prediction.rows and not of_target:  # rows of shares go on adding up to 1
        shares = shares - shares.mean(axis=-1, keepdims=True)
    if of_target:
        if subject.target.discrete or subject.target.rows:
            return 0.0
        ahead, behind = (p, y + step / 2 * shares), (p, y - step / 2 * shares)
    else:
        ahead, behind = (p + step / 2 * shares, y), (p - step / 2 * shares, y)
    return float(np.sum(subject.values(*ahead) - subject.values(*behind)))


def _expected(subject: Subject, p: Any, y: Any) -> float:
    return _change(subject, p, y, _WIDE) * _STEP / _WIDE
