"""Targets that are missing. Adapters can be told to leave them out; the free call has `where=` for that."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any, Literal

from lossary.errors import ParameterError, UsageError

if TYPE_CHECKING:
    from lossary.loss import Loss
    from lossary.objective import Objective
    from lossary.vocabulary.framework import Framework
    from lossary.vocabulary.vocabulary import Array

# What stands where there is no target: NaN ("skip"), or a number that is none.
Missing = Literal["skip"] | float


def accepted(loss: Loss | Objective, missing: Any, *, of_index: str = "") -> Missing | None:
    """What an adapter was told about missing targets: "skip", a number, or None where they count as any other.

    Args:
        of_index: the adapter's own option for class indices that are left out, where it has one.

    Raises:
        ParameterError: it is neither.
        UsageError: class indices cannot be that.
    """
    if missing is None:
        return None
    named = isinstance(missing, numbers.Real) and not isinstance(missing, bool)
    if not named and missing != "skip":
        raise ParameterError(
            'missing must be "skip", where missing targets are NaN, or the number that stands for them.',
            received=f"missing={missing!r}.",
            hint='missing="skip" or missing=-999.',
        )
    skipped = not named or math.isnan(missing)
    if loss.target.indices and (of_index or skipped or missing != int(missing)):
        raise UsageError(
            "class indices are integers, none of which is missing by itself.",
            received=f"missing={missing!r} for {loss!r}.",
            hint=f"name the index that is to be left out: {of_index or 'missing'}=-1.",
        )
    if skipped:
        return "skip"
    return int(missing) if loss.target.indices else float(missing)


def by_kind(loss: Loss, missing: Missing | None) -> tuple[int | None, Missing | None]:
    """The class index that is left out, and what stands for missing targets of other kinds: kernels know the first."""
    return (int(missing), None) if loss.target.indices and missing is not None else (None, missing)


def present(xp: Framework, loss: Loss, target: Array, missing: Missing) -> Array:
    """Which losses have a target, in the losses' shape. A row of which a part is missing has none.

    `target` is in the dtype that it came in: elsewhere a number may be rounded to the one that stands for missing.
    """
    if loss.target.indices:
        return xp.logical_not(xp.equal(target, missing))
    if "float" not in xp.dtype(target):
        target = xp.cast(target, "float64" if xp.has_float64(target) else "float32")
    absent = xp.isnan(target) if missing == "skip" else xp.equal(target, xp.convert(missing, like=target))
    if loss.target.rows:
        absent = xp.sum(xp.where(absent, 1.0, 0.0)) > 0.0
    return xp.logical_not(absent)
