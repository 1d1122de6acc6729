"""How the shapes of a call become rows of entries."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lossary.define.loss import Loss


class Layout(NamedTuple):
    rows: int
    length: int  # of a row; losses that do not look at rows have one of everything
    losses: tuple[int, ...]  # the shape of the unreduced losses


def by_rows(loss: Loss) -> bool:
    """Whether it looks at rows: to reduce them, or because its constants differ along the last axis."""
    return loss.prediction.rows or bool(loss.tables and _tables(loss))


def layout(loss: Loss, prediction: tuple[int, ...], target: tuple[int, ...]) -> Layout | None:
    """None where shapes do not fit, or where there is nothing to compute: the operations knows what to say."""
    size = math.prod(prediction)
    axes = loss.prediction.axes - loss.target.axes
    if loss.prediction.size not in (None, prediction[-1] if prediction else 0):
        return None
    if not size or axes not in (0, 1) or target != prediction[: len(prediction) - axes]:
        return None
    if not by_rows(loss):
        return Layout(1, size, prediction)
    if not prediction or any(len(table) != prediction[-1] for table in _tables(loss)):
        return None
    length = prediction[-1]
    return Layout(size // length, length, prediction[:-1] if loss.prediction.rows else prediction)


def _tables(loss: Loss) -> list[tuple[float, ...]]:
    tables = (getattr(loss, name) for name in loss.tables)
    return [table for table in tables if isinstance(table, tuple) and table]


def repeated(array: tuple[int, ...], losses: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape in which a weight or mask broadcasts over the losses; None where it does not lead their shape."""
    return array + (1,) * (len(losses) - len(array)) if array == losses[: len(array)] else None
