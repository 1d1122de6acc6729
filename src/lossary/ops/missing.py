"""Targets that are missing. Adapters can be told to leave them out; the free call has `where=` for that."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any, Literal

from lossary.errors import ParameterError, UsageError

if TYPE_CHECKING:
    from lossary.define.domains.domain import Domain
    from lossary.define.loss import Loss
    from lossary.define.objective import Objective
    from lossary.ops.arrays import Framework
    from lossary.ops.ops import Array

_LAST = 2**31 - 1  # of the integers that class indices are compared in

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
    if not named and not (isinstance(missing, str) and missing == "skip"):
        raise ParameterError(
            'missing must be "skip", where missing targets are NaN, or the number that stands for them.',
            received=f"missing={missing!r}.",
            hint='missing="skip" or missing=-999.',
        )
    skipped = not named or missing != missing  # noqa: PLR0124  # NaN alone; isnan takes no huge integers
    if loss.target.indices and (of_index or skipped or not _is_between(missing, -_LAST, _LAST)):
        raise UsageError(
            "class indices are integers, none of which is missing by itself.",
            received=f"missing={missing!r} for {loss!r}.",
            hint=f"name the index that is to be left out: {of_index or 'missing'}={-1 if skipped else missing}.",
        )
    if skipped:
        return "skip"
    return int(missing) if isinstance(missing, numbers.Integral) or loss.target.indices else _as_float(missing)


def by_kind(loss: Loss, missing: Missing | None) -> tuple[int | None, Missing | None]:
    """The class index that is left out, and what stands for missing targets of other kinds: kernels know the first."""
    return (int(missing), None) if loss.target.indices and missing is not None else (None, missing)


def with_target(xp: Framework, loss: Loss, target: Array, missing: Missing | None, where: Array | None) -> Array | None:
    """The mask, without the losses whose target is missing."""
    if missing is None:
        return where
    counted = present(xp, loss.target, target, missing)
    return counted if where is None else xp.logical_and(where, counted)


def present(xp: Framework, domain: Domain, target: Array, missing: Missing) -> Array:
    """Which losses have a target of that domain, in the losses' shape. A row of which a part is missing has none.

    `target` is in the dtype that it came in: elsewhere a number may be rounded to the one that stands for missing.
    """
    if domain.indices:
        return xp.logical_not(xp.equal(target, missing))
    if "float" in xp.dtype(target):
        number = 0.0 if missing == "skip" else _as_float(missing)
        absent = xp.isnan(target) if missing == "skip" else xp.equal(target, xp.convert(number, like=target))
    else:
        absent = _integers(xp, target, missing)
    if domain.rows:
        absent = xp.sum(xp.where(absent, 1.0, 0.0)) > 0.0
    return xp.logical_not(absent)


def _integers(xp: Framework, target: Array, missing: Missing) -> Array:
    """Where integers or booleans are missing: none is by itself, and none can be a number that they cannot hold."""
    target = xp.cast(target, "int32") if xp.dtype(target) == "bool" else target
    bits = int(xp.dtype(target).lstrip("uint"))
    low, last = (0, 2**bits - 1) if xp.dtype(target).startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if missing == "skip" or not _is_between(missing, low, last):
        return xp.logical_not(xp.equal(target, target))
    return xp.equal(target, int(missing))


def _is_between(number: float, low: int, last: int) -> bool:
    """Whether it is one of these integers, exactly."""
    return low <= number <= last and number == int(number)


def _as_float(number: float) -> float:
    """NaN, which equals nothing, for a number beyond all floats."""
    try:
        return float(number)
    except OverflowError:
        return math.nan
