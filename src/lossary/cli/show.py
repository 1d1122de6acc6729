"""`lossary show`."""

from __future__ import annotations

from typing import Annotated

import typer

from lossary.cli.command import bold


def show(
    name: Annotated[
        str,
        typer.Argument(help="A loss, by any library's name: huber, bce, torch.nn.MSELoss; a rule, LSY101; or rules."),
    ],
    claims: Annotated[bool, typer.Option("--claims", help="Each claim with what came of trying to refute it.")] = False,
) -> None:
    """Say what a loss is good for: formula, properties, hyper-parameters, and its code in each framework.

    \b
    lossary show huber
    lossary show torch.nn.BCEWithLogitsLoss --claims
    lossary show LSY101, a rule of lossary check; lossary show rules, all of them
    """
    from lossary import catalogue
    from lossary.describe.show import page
    from lossary.errors import UnknownNameError

    try:
        loss = catalogue.get(name)
    except UnknownNameError:
        from lossary.check.report import page as rules

        text = rules.about(name, heading=bold)
        if text is None:
            raise
    else:
        text = page(loss, claims=claims, heading=bold)
    typer.echo(text, nl=False)
