"""How good predicted intervals are beside their score: how many targets they hold, and how wide they are."""

from __future__ import annotations

from typing import Any

from lossary.errors import DomainError, ShapeError


def coverage(y_true: Any, ends: Any, sample_weight: Any = None) -> float:
    """The share of targets (N,) that lie between the two ends (N, 2), the ends themselves included.

    Raises:
        ShapeError: there is no target for each pair of ends.
        DomainError: a target or an end is NaN.
    """
    import numpy as np

    _want_numbers(y_true, ends)
    return float(np.average((ends[..., 0] <= y_true) & (y_true <= ends[..., 1]), weights=sample_weight))


def width(y_true: Any, ends: Any, sample_weight: Any = None) -> float:
    """How far apart the two ends (N, 2) are in the mean, in the unit of the targets; below 0 where most have changed
    places.

    Raises:
        ShapeError, DomainError: as `coverage`.
    """
    import numpy as np

    _want_numbers(y_true, ends)
    return float(np.average(ends[..., 1] - ends[..., 0], weights=sample_weight))


def _want_numbers(y_true: Any, ends: Any) -> None:
    import numpy as np

    if y_true.shape != ends.shape[:-1]:
        raise ShapeError(
            "metrics of intervals need a target for each.",
            received=f"prediction {ends.shape} and target {y_true.shape}.",
        )
    for name, numbers in (("predictions", ends), ("targets", y_true)):
        if np.isnan(numbers).any():
            raise DomainError(
                "metrics of intervals need numbers.",
                received=f"NaN among the {name}.",
                hint='missing="skip" leaves out targets that are NaN.',
            )
