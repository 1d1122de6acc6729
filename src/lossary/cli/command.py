"""What commands share: how their errors end, what they read and what they write."""

from __future__ import annotations

import functools
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from lossary.errors import DataError, LossaryError, ParameterError


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command, whose errors end as `error: …` and exit code 2, never as a traceback."""

    @functools.wraps(command)
    def run(*positional: Any, **named: Any) -> None:
        try:
            command(*positional, **named)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == "lossary":
                raise
            _fail(f"this needs {error.name}: pip install 'lossary[compare]'")
        except LossaryError as error:
            _fail(error)
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None

    return run


def bold(text: str) -> str:
    """In bold, where there is a terminal: `echo` takes it out elsewhere."""
    return typer.style(text, bold=True)


def seconds(text: str) -> float:
    """Of "90", "90s", "5m" or "2h"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None:
        raise ParameterError(f"--time-limit is a time such as 90s, 5m or 2h, not {text!r}.")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def writable(path: Path) -> None:
    """Find out before the work is done, not after it."""
    existed = path.exists()
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from None
    if not existed:
        path.unlink()


def write(path: Path, text: str, *, what: str = "JSON", err: bool = False) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from None
    typer.echo(f"{what}: {path}", err=err)


def _fail(error: object) -> None:
    """One line, which a terminal would break anywhere: there it is broken between words."""
    message = "error: " + " ".join(line.strip() for line in str(error).splitlines())
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        message = textwrap.fill(message, width, break_long_words=False, break_on_hyphens=False)
    typer.echo(message, err=True)
    raise typer.Exit(2)
