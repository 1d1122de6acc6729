from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.subject.subject import LossRaised, cast

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

_BITS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}


@rule(
    "LSY307",
    severity="error",
    remedy="create constants as Python numbers or in the dtype of the prediction, and cast the target to it",
    wrong="""
        import numpy as np

        def loss(y_pred, y_true):
            return (np.float64(0.5) * (y_pred - y_true) ** 2).mean()
    """,
    right="""
        import numpy as np

        def loss(y_pred, y_true):
            y_true = np.asarray(y_true, y_pred.dtype)
            return (0.5 * (y_pred - y_true) ** 2).mean()
    """,
    seen=(
        "pytorch/pytorch#36553",
        "pytorch/pytorch#197098: compiled, a loss came back in another dtype than eagerly",
        "huggingface/sentence-transformers#770: a loss met labels of another dtype than its scores",
    ),
)
def dtype_preserved(subject: Subject) -> Failure | None:
    """The loss has the dtype of the prediction.

    One constant or target in float64, and everything behind it is float64: twice the memory, and on accelerators many
    times the time, or an error far away. A half-precision prediction may give a loss in float32, which is wise; a
    target of another dtype that decides is a warning, because frameworks promote so by themselves.
    """
    for dtype in ("float32", "float16"):
        p, y = subject.batch(4, salt=307, dtype=dtype)
        result_dtype = _dtype(subject, p, y)
        if result_dtype is None or result_dtype == dtype or (_BITS[dtype] == 16 and result_dtype == "float32"):
            continue
        severity = None if dtype == "float32" else "warning"
        return Failure(
            f"{dtype} came in, {result_dtype} went out",
            subject.code(p[:1], y[:1], "{loss}.dtype"),
            severity=severity,  # type: ignore[arg-type]  # one of the two, or nothing
        )
    p, y = subject.batch(4, salt=307)
    wide = cast(y, "float64")
    if y.dtype.kind == "f" and (result_dtype := _dtype(subject, p, wide)) not in (None, "float32"):
        return Failure(
            f"a float32 prediction and a float64 target gave {result_dtype}",
            subject.code(p[:1], wide[:1], "{loss}.dtype"),
            severity="warning",
        )
    return None


def _dtype(subject: Subject, p: Any, y: Any) -> str | None:
    """The dtype that comes out; None where the input is refused, and for what is no array or was told its dtype."""
    try:
        result = subject.call(p, y)
    except LossRaised:
        return None
    if not hasattr(result, "dtype"):
        return None
    dtype = subject.backend.dtype(result)
    declared = getattr(subject.loss, "dtype", None)  # Keras' losses are told theirs
    return dtype if dtype in _BITS and dtype != declared else None
