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
    return loss.prediction.rows or bool(_tables(loss))


def layout(loss: Loss, prediction: tuple[int, ...], target: tuple[int, ...]) -> Layout | None:
    """None where shapes do not fit, or where there is nothing to compute: the operations knows what to say."""
    size, domain = math.prod(prediction), loss.prediction
    axes = domain.axes - loss.target.axes
    if domain.size is not None and prediction[-1:] != (domain.size,):
        return None
    if not size or axes not in (0, 1) or target != (prediction[:-1] if axes else prediction):
        return None
    tables = _tables(loss)
    if not domain.axes and not tables:
        return Layout(1, size, prediction)
    if not prediction or any(len(table) != prediction[-1] for table in tables):
        return None
    losses = prediction[: len(prediction) - domain.axes]
    length = math.prod(prediction[len(losses) :]) if domain.axes else prediction[-1]
    return Layout(size // length, length, losses)


def _tables(loss: Loss) -> list[tuple[float, ...]]:
    return [table for name in loss.tables if isinstance(table := getattr(loss, name), tuple) and table]


def repeated(array: tuple[int, ...], losses: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape in which a weight or mask broadcasts over the losses; None where it does not lead their shape."""
    return array + (1,) * (len(losses) - len(array)) if array == losses[: len(array)] else None
