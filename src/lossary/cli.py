"""The command line: thin commands over the library; every error is one line and exit code 2."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import lossary
from lossary.errors import DataError, LossaryError

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


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose errors end as `error: …` and exit code 2, never as a traceback; `list_` is called list."""

    @functools.wraps(function)
    def guarded(*positional: Any, **named: Any) -> None:
        try:
            function(*positional, **named)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == "lossary":
                raise
            _fail(f"this needs {error.name}: pip install 'lossary[compare]'")
        except LossaryError as error:
            _fail(error)
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None

    return app.command(function.__name__.rstrip("_"))(guarded)


@command
def compare(
    data: Annotated[
        str, typer.Argument(help="CSV or Parquet file, or a built-in set: engel, diabetes, breast_cancer, digits.")
    ],
    target: Annotated[str | None, typer.Option(help="Column to predict; built-in sets know theirs.")] = None,
    task: Annotated[str | None, typer.Option(help="regression, binary or multiclass; inferred unless given.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="What ranks the losses, such as rmse, pinball_0.25, f1 or log_loss.")
    ] = None,
    loss: Annotated[
        list[str] | None, typer.Option(help="Compare this loss, such as huber or 'Huber(delta=50)'; repeatable.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave this loss out; repeatable.")] = None,
    folds: Annotated[int, typer.Option(help="Parts that the rows are split into; each is the test set once.")] = 5,
    seeds: Annotated[int, typer.Option(help="How often that is repeated, shuffled and started anew.")] = 3,
    epochs: Annotated[int, typer.Option(help="Passes over the training rows, at most.")] = 200,
    jobs: Annotated[int, typer.Option(help="Processes at most; -1 for one per core. The result is the same.")] = -1,
    boosting: Annotated[bool, typer.Option(help="Show gradient boosting beside the losses.")] = True,
    json: Annotated[Path | None, typer.Option(help="Also write everything to this file, as JSON.")] = None,
) -> None:
    """Train a small network with each loss that fits, on the same splits, and say which serves you best.

    \b
    lossary compare engel
    lossary compare houses.csv --target price --metric rmse --json houses.json
    """
    if json is not None:
        _writable(json)

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from lossary.compare import compare as run
    from lossary.compare.report import heading, plan_line, rendered

    screen = Console(highlight=False)
    errors = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
    with contextlib.ExitStack() as stack:
        started: list[Any] = []

        def on_plan(plan: Any) -> None:
            stack.enter_context(bar)
            units = len(plan.splits) * (len(plan.candidates) + plan.boosting)
            started.append(bar.add_task(plan_line(plan), total=units))

        result = run(
            data,
            target,
            task=task,
            metric=metric,
            losses=loss or (),
            exclude=exclude or (),
            folds=folds,
            seeds=seeds,
            epochs=epochs,
            jobs=jobs,
            boosting=boosting,
            command=shlex.join(["lossary", *sys.argv[1:]]),
            on_profile=lambda profile: typer.echo(rendered(screen, *heading(profile))),
            on_plan=on_plan,
            on_progress=lambda: bar.advance(started[0]),
        )
    typer.echo(rendered(screen, result.body()), nl=False)
    if json is not None:
        try:
            json.write_text(result.to_json(), encoding="utf-8")
        except OSError as error:
            raise DataError(f"{json} cannot be written: {error.strerror or error}.") from None
        typer.echo(f"JSON: {json}")


@command
def show(
    name: Annotated[str, typer.Argument(help="A loss, by any library's name: huber, bce, torch.nn.MSELoss.")],
    claims: Annotated[bool, typer.Option("--claims", help="Each claim with what came of trying to refute it.")] = False,
) -> None:
    """Say what a loss is good for: formula, properties, hyper-parameters, and its code in each framework.

    \b
    lossary show huber
    lossary show torch.nn.BCEWithLogitsLoss --claims
    """
    from lossary import catalogue
    from lossary.show import page

    typer.echo(page(catalogue.get(name), claims=claims, heading=_bold), nl=False)


def _with_claim_flags(function: Callable[..., None]) -> Callable[..., None]:
    """The function, with a flag for every kind of claim there is."""
    from lossary.listing import flags, meaning

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


@command
@_with_claim_flags
def list_(
    task: Annotated[str | None, typer.Option(help="regression, binary, multiclass or distribution.")] = None,
    elicits: Annotated[str | None, typer.Option(help="What it is to estimate, such as mean or median.")] = None,
    **claims: bool,
) -> None:
    """List the losses there are, or those that have every property asked for, at their default hyper-parameters.

    \b
    lossary list --task regression --convex --smooth
    """
    from lossary.listing import flags, matching, table

    wanted = [kind for flag, kind in flags().items() if claims[flag.replace("-", "_")]]
    typer.echo(table(matching(task, elicits, wanted), heading=_bold), nl=False)


def _bold(text: str) -> str:
    """In bold, where there is a terminal: `echo` takes it out elsewhere."""
    return typer.style(text, bold=True)


def _writable(path: Path) -> None:
    """Find out before the work is done, not after it."""
    existed = path.exists()
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from None
    if not existed:
        path.unlink()


def _fail(error: object) -> None:
    """One line, which a terminal would break anywhere: there it is broken between words."""
    message = "error: " + " ".join(line.strip() for line in str(error).splitlines())
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        message = textwrap.fill(message, width, break_long_words=False, break_on_hyphens=False)
    typer.echo(message, err=True)
    raise typer.Exit(2)
