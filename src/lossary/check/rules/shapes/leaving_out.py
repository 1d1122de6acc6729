"""The ways in which a loss can be told to leave rows out: a mask, a class index that is none, a weight of 0."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, final

import numpy as np

from lossary.check.rules.shapes.comparison import same
from lossary.check.subject import samples

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


@final
@dataclasses.dataclass(frozen=True)
class Way:
    """One of them.

    Args:
        name: as messages write it: "mask", "weight 0", "target -100".
        arranged: (target, which rows count) → the target, and what else the call takes.
    """

    name: str
    arranged: Callable[[Any, Any], tuple[Any, dict[str, Any]]]


def ways(subject: Subject) -> Iterator[Way]:
    """Those of this loss, but not weights."""
    if subject.takes_mask:
        as_it_takes_them = _mask(subject)
        if as_it_takes_them is not None:
            yield Way("mask", lambda y, kept: (y, {"mask": as_it_takes_them(kept)}))
    ignored = subject.ignored
    if ignored is not None and subject.target.indices:
        yield Way(f"target {ignored}", lambda y, kept: (np.where(kept, y, ignored).astype(y.dtype), {}))


def weights(subject: Subject) -> Iterator[Way]:
    """A weight of 0, where it takes weights."""
    if subject.takes_weight:
        yield Way("weight 0", lambda y, kept: (y, {"weight": kept.astype(np.float32)}))


def _mask(subject: Subject) -> Callable[[Any], Any] | None:
    """How it takes a mask: booleans or numbers, for each row or entry, true for what counts or for what does not; None
    where none of these leaves a full batch as it is."""
    p, y = samples.plain(subject)
    plain = subject.attempt(p, y)

    def entries(kept: Any) -> Any:
        return np.broadcast_to(kept.reshape(-1, *(1,) * (p.ndim - 1)), (len(kept), *p.shape[1:]))

    forms: tuple[Callable[[Any], Any], ...] = (
        lambda kept: kept,
        lambda kept: kept.astype(np.float32),
        entries,
        lambda kept: entries(kept).astype(np.float32),
    )
    everything = np.ones(len(p), bool)
    for form in forms:
        full, none = subject.attempt(p, y, mask=form(everything)), subject.attempt(p, y, mask=form(~everything))
        if full is None:
            continue
        if plain is not None and not same(full, plain) and none is not None and same(none, plain):
            return lambda kept, form=form: form(~kept)  # type: ignore[misc]  # a default argument that binds
        return form
    return None
