"""The command line: thin commands over the library, one a file; every error is one line and exit code 2."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

import lossary
from lossary.cli.check import check
from lossary.cli.command import guarded
from lossary.cli.compare import compare
from lossary.cli.list import list_
from lossary.cli.new import new
from lossary.cli.show import show
from lossary.cli.suggest import suggest

app = typer.Typer(
    name="lossary",
    help="Loss functions written once, read by every framework, and compared on your data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"lossary {lossary.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Loss functions written once, read by every framework, and compared on your data."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no "±" shows "?" rather than a traceback


for each in (compare, suggest, check, new, show, list_):  # in the order of `lossary --help`
    app.command(each.__name__.rstrip("_"))(guarded(each))
