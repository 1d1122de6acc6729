"""`lossary new`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from lossary.cli.command import bold


def new(
    file: Annotated[Path, typer.Argument(help="Where to: a Python file that does not exist yet.")],
    framework: Annotated[
        str, typer.Option(help="torch, keras or jax, in that framework's own way; all for a lossary class.")
    ] = "all",
    name: Annotated[
        str | None, typer.Option(help="Of the class (in JAX, of the function); made from the file's unless given.")
    ] = None,
) -> None:
    """Write a loss of your own to start from, with its test beside it. Nothing is overwritten.

    \b
    lossary new my_loss.py --framework torch
    """
    from lossary.new import write

    loss, test = write(file, framework, name)
    typer.echo(f"{loss}: a loss that works; put your own formula in it")
    typer.echo(f"{test}: its test\nBoth pass as they are:")
    for line in (["lossary", "check", str(loss)], ["pytest", str(test)]):
        typer.echo(f"    {bold(shlex.join(line))}")
