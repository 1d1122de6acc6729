"""Results compared as rules need it: with each other, and with those of the rows by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.subject.subject import LossRaised

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


def same(values: Any, reference: Any) -> bool:
    """Whether two results have one shape and agree but for rounding in float32, by the largest number among them; NaN
    agrees with NaN."""
    values, reference = np.asarray(values, np.float64), np.asarray(reference, np.float64)
    if values.shape != reference.shape:
        return False
    sizes = np.abs(reference[np.isfinite(reference)])
    return np.allclose(values, reference, rtol=1e-4, atol=1e-6 + 1e-5 * sizes.max(initial=0.0), equal_nan=True)


def losses_of_rows(subject: Subject, prediction: Any, target: Any) -> Any:
    """One loss for each row, (N,), where the loss of the batch is made of those.

    None where it is one of the whole batch by its nature, or refuses a single row.
    """
    try:
        losses, plain = subject.rows(prediction, target), subject.values(prediction, target)
    except LossRaised:
        return None
    if plain.ndim or subject.separates:
        return losses if plain.shape[:1] == (len(prediction),) else None
    return losses if same(plain, losses.mean()) or same(plain, losses.sum()) else None
