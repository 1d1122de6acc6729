"""The catalogue as a table, and the filters of `lossary list`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

from lossary import catalogue
from lossary.claim import Claim, Convex, Elicits, Kinked, NotConvex, Smooth, StrictlyConvex, StronglyConvex, closure
from lossary.errors import ParameterError
from lossary.loss import Loss, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# One word for the curve and one for its slope: the first that a loss claims.
_CURVE = (StronglyConvex, StrictlyConvex, Convex, NotConvex)
_SLOPE = (Smooth, Kinked)


def flags() -> dict[str, type[Claim]]:
    """What can be asked of a loss, one flag for each kind of claim: "strictly-convex" and so on."""
    kinds = [kind for kind in Claim.__subclasses__() if kind is not Elicits]
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in kinds}


def meaning(kind: type[Claim]) -> str | None:
    """What a kind of claim says, where its name does not say it all."""
    written = kind.__doc__ or ""
    return None if written.startswith(f"{kind.__name__}(") else written  # a dataclass makes up its own


def matching(task: str | None = None, elicits: str | None = None, claims: Iterable[type[Claim]] = ()) -> list[Loss]:
    """The losses of the catalogue, at their defaults, that are for this task and have all of these claims.

    Raises:
        ParameterError: there is no such task, or nothing that any loss elicits is called so.
    """
    tasks = get_args(Task)
    if task is not None and task not in tasks:
        raise ParameterError(f"--task must be one of {', '.join(tasks)}.", received=f"{task!r}.")
    losses, wanted = [cls() for cls in catalogue.recorded()], tuple(claims)
    known = sorted({loss.elicits for loss in losses if loss.elicits})
    if elicits is not None and not any(elicits in word for word in known):
        raise ParameterError(f"--elicits must be one of {', '.join(known)}, not {elicits!r}.")
    return [
        loss
        for loss in losses
        if (task is None or loss.task == task)
        and (elicits is None or elicits in loss.elicits)
        and all(any(isinstance(claim, kind) for claim in closure(loss.claims)) for kind in wanted)
    ]


def table(losses: list[Loss], heading: Callable[[str], str] = str) -> str:
    """Name, what it elicits and its shape, by task, at 80 columns."""
    if not losses:
        return "no loss of the catalogue is all of that\n"
    lines = []
    for task in dict.fromkeys(loss.task for loss in losses):
        lines.append(heading(task))
        lines += [_line(loss) for loss in losses if loss.task == task]
    count = "1 loss" if len(losses) == 1 else f"{len(losses)} losses"
    return "\n".join([*lines, "", f"{count}. lossary show NAME says more of each.", ""])


def shape(loss: Loss) -> str:
    """Its curve and the slope of it, in a word each."""
    implied = closure(loss.claims)
    words = [
        next((claim.name for kind in kinds for claim in implied if isinstance(claim, kind)), "")
        for kinds in (_CURVE, _SLOPE)
    ]
    return ", ".join(filter(None, words))


def _line(loss: Loss) -> str:
    return f"  {type(loss).__name__:<31}{loss.elicits:<24}{shape(loss)}".rstrip()
