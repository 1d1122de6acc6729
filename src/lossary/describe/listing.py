"""The catalogue as a table, and the filters of `lossary list`."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import TYPE_CHECKING, Any, get_args

from lossary import catalogue
from lossary.define.claims.claim import Claim, closure
from lossary.define.claims.curve import Convex, NotConvex, StrictlyConvex, StronglyConvex
from lossary.define.claims.estimates import Estimates
from lossary.define.claims.slope import Kinked, Smooth
from lossary.define.loss import Loss, Task
from lossary.errors import ParameterError
from lossary.index import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# One word for the curve and one for its slope: the first that a loss claims.
_CURVE = (StronglyConvex, StrictlyConvex, Convex, NotConvex)
_SLOPE = (Smooth, Kinked)

_WIDTH = 80

_FURTHER = """\
lossary list FAMILY shows all of a family, --all those of every family, --convex
and its like those that have a property. lossary show NAME says more of a loss."""


def flags() -> dict[str, type[Claim]]:
    """What can be asked of a loss, one flag for each kind of claim: "strictly-convex" and so on."""
    kinds = [kind for kind in _kinds(Claim) if kind is not Estimates]
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in kinds}


def _kinds(of: type[Any]) -> Iterator[type[Claim]]:
    """Those that can be claimed; what is abstract is what several have in common."""
    for kind in of.__subclasses__():
        yield from _kinds(kind) if inspect.isabstract(kind) else (kind,)


def meaning(kind: type[Claim]) -> str | None:
    """What a kind of claim says, where its name does not say it all."""
    written = kind.__doc__ or ""
    return None if written.startswith(f"{kind.__name__}(") else written  # a dataclass makes up its own


def matching(
    family: str | None = None,
    *,
    task: str | None = None,
    estimates: str | None = None,
    claims: Iterable[type[Claim]] = (),
) -> list[Loss]:
    """The losses of the catalogue, at their defaults, that are of this family, for this task and have all these claims.

    Raises:
        ParameterError: there is no such family or task, or nothing that any loss estimates is called so.
    """
    losses, kinds = [cls() for cls in catalogue.recorded()], tuple(claims)
    families = by_family(losses)
    if family is not None and family not in families:
        raise ParameterError(f"FAMILY must be one of {', '.join(families)}.", received=f"{family!r}.")
    tasks = get_args(Task)
    if task is not None and task not in tasks:
        raise ParameterError(f"--task must be one of {', '.join(tasks)}.", received=f"{task!r}.")
    estimands = sorted({loss.estimates for loss in losses if loss.estimates})
    if estimates is not None and not any(estimates in word for word in estimands):
        raise ParameterError(f"--estimates must be one of {', '.join(estimands)}, not {estimates!r}.")
    return [
        loss
        for loss in (losses if family is None else families[family])
        if (task is None or loss.task == task)
        and (estimates is None or estimates in loss.estimates)
        and all(any(isinstance(claim, kind) for claim in closure(loss.claims)) for kind in kinds)
    ]


def by_family(losses: Iterable[Loss]) -> dict[str, list[Loss]]:
    """The losses of each family, in the order they come in."""
    families: dict[str, list[Loss]] = {}
    for loss in losses:
        families.setdefault(catalogue.family(type(loss)), []).append(loss)
    return families


def overview(heading: Callable[[str], str] = str) -> str:
    """Each family with how many losses it has, and those of them that are for every day: one screen of 80 columns."""
    families = by_family(cls() for cls in catalogue.recorded())
    width = max(map(len, families)) + 2
    lines = []
    for family, losses in families.items():
        everyday = ", ".join(type(loss).__name__ for loss in losses if loss.everyday)
        label = f"{family:<{width}}{len(losses):>3}  "
        first, *rest = textwrap.wrap(everyday, _WIDTH - len(label)) or [""]
        lines += [heading(label) + first, *(" " * len(label) + line for line in rest)]
    count = f"{sum(map(len, families.values()))} losses in {len(families)} families; those named are the everyday ones."
    return "\n".join([*lines, "", count, _FURTHER, ""])


def table(losses: list[Loss], heading: Callable[[str], str] = str) -> str:
    """Name, what it estimates and its shape, by family, at 80 columns."""
    if not losses:
        return "no loss of the catalogue is all of that\n"
    lines = []
    for family, members in by_family(losses).items():
        lines += [heading(titled(family)), *map(_line, members)]
    count = "1 loss" if len(losses) == 1 else f"{len(losses)} losses"
    return "\n".join([*lines, "", f"{count}. lossary show NAME says more of each.", ""])


def titled(family: str) -> str:
    """A family and what its losses are for."""
    return f"{family}: {title.removesuffix('.')}" if (title := FAMILIES.get(family)) else family


def shape(loss: Loss) -> str:
    """Its curve and the slope of it, in a word each."""
    implied = closure(loss.claims)
    words = [
        next((claim.name for kind in kinds for claim in implied if isinstance(claim, kind)), "")
        for kinds in (_CURVE, _SLOPE)
    ]
    return ", ".join(filter(None, words))


def _line(loss: Loss) -> str:
    return f"  {type(loss).__name__:<30} {loss.estimates:<23} {shape(loss)}".rstrip()
