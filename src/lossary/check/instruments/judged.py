"""What a float32 loss and its gradient should be, row by row: by the judge where the catalogue knows the loss, else by
the loss itself in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.subject.subject import LossRaised, widened

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


def can_judge(subject: Subject) -> bool:
    """Whether the judge can say; he knows no class weights."""
    return subject.definition is not None and not getattr(subject.definition, "class_weight", ())


def values(subject: Subject, p: Any, y: Any) -> Any:
    """As `Subject.rows`; NaN where nobody knows."""
    if not can_judge(subject):
        try:
            return subject.rows(*widened(p, y))
        except LossRaised:  # float64 is refused
            return np.full(len(p), np.nan)
    from lossary.judge.exact import judge

    return subject.factor * np.asarray(judge(_of(subject), *_entries(subject, p, y)), np.float64)


def gradients(subject: Subject, p: Any, y: Any) -> Any:
    """As `Subject.row_gradients`; NaN at kinks, and where nobody knows."""
    if not can_judge(subject):
        try:
            return subject.row_gradients(*widened(p, y))
        except LossRaised:  # float64 is refused
            return np.full(p.shape, np.nan)
    from lossary.judge.exact import judge_gradient

    low, high = (np.asarray(x, np.float64) for x in judge_gradient(_of(subject), *_entries(subject, p, y)))
    return np.where(low == high, subject.factor * low, np.nan).reshape(p.shape)


def _of(subject: Subject) -> Any:
    return subject.definition


def _entries(subject: Subject, p: Any, y: Any) -> tuple[Any, Any]:
    """Rows of one number as plain numbers."""
    return (p, y) if subject.prediction.rows else (p.reshape(-1), y.reshape(-1))
