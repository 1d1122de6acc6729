from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import ONE_ROW, REGRESSION
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


@rule(
    "LSY308",
    severity="error",
    needs=(ONE_ROW,),
    remedy="cast integer inputs to the floating dtype of the prediction (or refuse them) before any arithmetic",
    wrong="""
        import numpy as np

        def loss(score, label):
            sign = 2 * label - 1
            return np.maximum(0, 1 - sign * score).mean()
    """,
    right="""
        import numpy as np

        def loss(score, label):
            sign = 2 * np.asarray(label, score.dtype) - 1
            return np.maximum(0, 1 - sign * score).mean()
    """,
    seen=(
        "scikit-learn/scikit-learn#28827: an error of unsigned integers wrapped around",
        "Lightning-AI/torchmetrics#2787",
    ),
)
def integer_inputs(subject: Subject) -> Failure | None:
    """Integer and boolean inputs count as the numbers they are, or are refused.

    In unsigned bytes 0 - 16 is 240, its square is 0, and -1 is 255. Labels come as uint8 from image files and tables;
    arithmetic on them before the cast is arithmetic modulo 256. Where the predictions are integers, too, it is a
    warning.
    """
    for p, y, floating in _integers(subject):
        if subject.attempt(p, y, reduction=subject.reduction) is None:
            continue  # refused
        try:
            got = subject.rows(p, y)
            true = subject.rows(*floating)
        except LossRaised:
            continue
        if np.allclose(got, true, rtol=1e-4, atol=1e-5, equal_nan=True):
            continue
        row = int(np.argmax(np.abs(got - true)))
        one = p[row : row + 1], y[row : row + 1]
        return Failure(
            f"with {y.dtype.name} the loss is {got[row]:.6g}, with floats {true[row]:.6g}, at {described(*one)}",
            subject.code(*one),
            severity="error" if p.dtype.kind == "f" else "warning",
        )
    return None


def _integers(subject: Subject) -> Iterator[tuple[Any, Any, tuple[Any, Any]]]:
    """Batches with integers in them, and the same with floats (or with the usual integers, for class indices)."""
    p, _ = subject.batch(4, salt=308)
    y = _whole(subject)
    if y is None:
        return
    ordinary = y.astype(np.int64 if subject.target.indices else np.float32)
    kinds = ["int64", "int32", "int8"]
    kinds += ["uint8"] if y.min() >= 0 else []
    kinds += ["bool"] if np.isin(y, (0, 1)).all() and not subject.target.indices else []
    for kind in kinds:
        yield p, y.astype(kind), (p, ordinary)
    if REGRESSION.holds(subject):
        both = np.array([0, 16, 3, 200]), np.array([16, 0, 3, 100])
        for kind in ("uint8", "int32"):
            floating = samples.arranged(subject, both[0].astype(np.float32), both[1].astype(np.float32))
            yield floating[0].astype(kind), floating[1].astype(kind), floating


def _whole(subject: Subject) -> Any:
    """Four legal targets that are whole numbers; None where there are none."""
    if subject.target.indices:
        return np.array([0, 1, 2, 1])
    if subject.target.rows and subject.target.says_class:
        return samples.corners(subject).astype(np.int64)[[0, 1, 2, 1]]
    if samples.has_classes(subject):
        numbers = [*samples.two_classes(subject)] * 2
    else:
        domain = subject.target
        first = np.floor(domain.low) + 1.0 if np.isfinite(domain.low) else np.ceil(domain.high) - 4.0
        first = 0.0 if domain.low < 0.0 < domain.high else first
        last = min(first + 3.0, np.ceil(domain.high) - 1.0)
        if last < first:
            return None
        numbers = [min(first + step, last) for step in range(4)]
    whole = np.array(numbers, np.int64)
    if subject.prediction.rows:
        return samples.beside_rows(subject, whole).astype(np.int64)
    return whole.reshape(4, *subject.entry)
