from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.instruments import judged, shrink
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import ONE_ROW
from lossary.check.subject import samples
from lossary.check.subject.subject import described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

_SIZES = (20.0, 90.0, 104.0, 500.0, 1e4, 1e6, 1e20, 3e38)
_FAR = 1e37  # between classes: the sum over all of them must be a float, too
_USUAL = 1e6  # what data holds; larger numbers are a model that has already diverged
_LARGEST = float(np.finfo(np.float32).max)


@rule(
    "LSY204",
    severity="error",
    needs=(ONE_ROW,),
    remedy="factor the large part out before exp, cosh or squaring: logaddexp, softplus, hypot, or |x| + log1p(...)",
    wrong="""
        import numpy as np

        def loss(y_pred, y_true):
            return np.log(np.cosh(y_pred - y_true)).mean()
    """,
    right="""
        import numpy as np

        def loss(y_pred, y_true):
            e = np.abs(y_pred - y_true)
            near = np.minimum(e, 1)
            small = np.log1p(2 * np.sinh(near / 2) ** 2)
            return np.where(e < 1, small, e + np.log1p(np.exp(-2 * e)) - np.log(2).astype(e.dtype)).mean()
    """,
    seen=(
        "Lightning-AI/torchmetrics#3488: log-cosh error overflowed for residuals of about 90",
        "keras-team/keras#8524: log-cosh was rewritten because cosh overflows",
        "JuliaAI/MLJBase.jl#437",
        "huggingface/candle#2561",
    ),
)
def overflow_exp_cosh_square(subject: Subject) -> Failure | None:
    """A loss that float32 can hold is computed, not lost to an overflow on the way.

    exp(89) is beyond float32, and so is the square of 2e19. Formulas whose answer is small go through such numbers:
    log(cosh(x)), log(1 + exp(x)), sqrt(x²), the softmax as it stands in books. One outlier, and the loss is inf or NaN.
    """

    def broken(p: Any, y: Any) -> Any:
        lost = ~np.isfinite(subject.rows(p, y))
        if lost.any():
            true = judged.values(subject, p, y)
            lost &= np.nan_to_num(np.abs(true), nan=np.inf) < 0.99 * _LARGEST
        return lost

    sizes = tuple(min(size, _FAR) for size in _SIZES) if samples.has_classes(subject) else _SIZES
    row = shrink.alone(broken, *samples.points(subject, sizes))
    if row is None:
        return None
    value, true = float(subject.rows(*row)[0]), float(judged.values(subject, *row)[0])
    return Failure(
        f"loss is {value}, not {true:.6g}, at {described(*row)}",
        subject.code(*row),
        severity="error" if np.max(np.abs(row[0])) <= _USUAL else "warning",
    )
