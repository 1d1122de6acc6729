"""What the rules about half precision share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.rulebook.rule import Failure, Severity
from lossary.check.subject import samples
from lossary.check.subject.subject import cast

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

ROWS = 4096  # with losses of 17 and more, more than float16 can sum; and not too many for losses of pairs of rows
LARGEST = 6e4  # what float16 holds, and a little less


def in_float32(p: Any, y: Any) -> tuple[Any, Any]:
    """Half-precision numbers, the same in float32."""
    return cast(p, "float32"), cast(y, "float32")


def of_many(subject: Subject, dtype: str, severity: Severity) -> Failure | None:
    """Whether the mean of many equal rows, each far off, is not the loss of one."""
    if not subject.adds_up:
        return None
    row = slice(1, 2) if subject.prediction.rows or not samples.has_classes(subject) else slice(2, 3)
    size = 16.6 if subject.prediction.of_shares else 30.0
    p, y = (x[row] for x in samples.points(subject, (size,), dtype))
    values = subject.attempt(_repeated(p), _repeated(y), reduction="mean")
    true = subject.attempt(*in_float32(p, y), reduction="mean")
    if values is None or true is None:
        return None
    mean, one = float(values.mean()), float(true.mean())
    if not np.isfinite(one) or abs(mean - one) <= 0.02 * abs(one) + 1e-3:
        return None
    call = subject.expression(_written(subject, p), _written(subject, y), reduction="mean")
    return Failure(
        f"the mean loss of {ROWS} equal rows is {mean:.6g} in {dtype}, that of one in float32 {one:.6g}",
        f"print({call})",
        severity=severity,
    )


def _repeated(x: Any) -> Any:
    return np.tile(x, (ROWS, *(1,) * (x.ndim - 1)))


def _written(subject: Subject, x: Any) -> str:
    """The repeated array as an expression: every framework has a `tile`."""
    one = subject.backend.literal(x)
    return f"{one.partition('.')[0]}.tile({one}, {(ROWS, *(1,) * (x.ndim - 1))})"
