"""A call of a loss, on its way from an adapter to the maths: one object, whatever the loss takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from lossary.ops.missing import Missing


class Call(NamedTuple):
    """What a loss is asked.

    Args:
        inputs: the arrays that it takes, in the order in which it declares them.
        weight: how often each entry counts; None where all count alike.
        where: False leaves an entry out.
        validate: whether values are checked.
        original_dtype: what the first input had before an adapter cast it: its rounding is what rows may be off by.
        missing: which targets are missing, whose entries are left out, as `lossary.ops.missing` has it.
    """

    inputs: tuple[Any, ...]
    weight: Any = None
    where: Any = None
    validate: bool = True
    original_dtype: str | None = None
    missing: Missing | None = None
