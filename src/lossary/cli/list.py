"""`lossary list`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, get_args

import typer

from lossary.cli.command import bold
from lossary.define.loss import Task
from lossary.index import FAMILIES


def _with_claim_flags(function: Callable[..., None]) -> Callable[..., None]:
    """The function, with a flag for every kind of claim there is."""
    from lossary.describe.listing import flags, meaning

    own = [x for x in inspect.signature(function, eval_str=True).parameters.values() if x.kind is not x.VAR_KEYWORD]
    kinds = [
        inspect.Parameter(
            flag.replace("-", "_"),
            inspect.Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[bool, typer.Option(f"--{flag}", help=meaning(kind), rich_help_panel="Claims")],
        )
        for flag, kind in flags().items()
    ]
    function.__signature__ = inspect.Signature([*own, *kinds])  # type: ignore[attr-defined]  # functions do carry it
    function.__annotations__ = {each.name: each.annotation for each in (*own, *kinds)}
    return function


@_with_claim_flags
def list_(
    family: Annotated[str | None, typer.Argument(help=f"The losses of one family: {', '.join(FAMILIES)}.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="The losses of every family.")] = False,
    task: Annotated[str | None, typer.Option(help=f"What it is trained for: {', '.join(get_args(Task))}.")] = None,
    estimates: Annotated[str | None, typer.Option(help="What it is to estimate, such as mean or median.")] = None,
    **claims: bool,
) -> None:
    """List the families of losses; the losses of one, all of them, or those that have every property asked for.

    Properties are those at the default hyper-parameters.

    \b
    lossary list regression
    lossary list --task regression --convex --smooth
    """
    from lossary.describe.listing import flags, matching, overview, table

    kinds = [kind for flag, kind in flags().items() if claims[flag.replace("-", "_")]]
    if all_ or kinds or family is not None or task is not None or estimates is not None:
        text = table(matching(family, task=task, estimates=estimates, claims=kinds), heading=bold)
    else:
        text = overview(heading=bold)
    typer.echo(text, nl=False)
