"""The command line: thin commands over the library; every error is one line and exit code 2."""

from __future__ import annotations

import functools
import inspect
import io
import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

import lossary
from lossary.define.loss import Task
from lossary.errors import DataError, LossaryError, ParameterError, UsageError
from lossary.index import FAMILIES

_FORMATS = ("text", "json", "github")

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
        str,
        typer.Argument(
            help="CSV, TSV or Parquet file, or a built-in set: engel, diabetes, breast_cancer, iris, wine, digits."
        ),
    ],
    target: Annotated[str | None, typer.Option(help="Column to predict; built-in sets know theirs.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of rows that belong together: never split between training and test.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Column of dates, times or numbers: training is always before the test.")
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Column that says how much each row counts.")] = None,
    missing: Annotated[
        str | None, typer.Option(help="What stands in the target where it is not known, such as -999.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Leave this column out; repeatable.")] = None,
    task: Annotated[str | None, typer.Option(help="regression, binary or multiclass; inferred unless given.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="What ranks the losses, such as rmse, pinball_0.25, f1 or log_loss.")
    ] = None,
    loss: Annotated[
        list[str] | None, typer.Option(help="Compare this loss, such as huber or 'Huber(delta=50)'; repeatable.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave this loss out; repeatable.")] = None,
    model: Annotated[
        str, typer.Option(help="mlp, linear, or package.module:factory, a function that makes your own model.")
    ] = "mlp",
    framework: Annotated[
        str | None, typer.Option(help="torch or keras; what your model is made with, or torch, unless given.")
    ] = None,
    folds: Annotated[int, typer.Option(help="Parts that the rows are split into; each is the test set once.")] = 5,
    seeds: Annotated[int, typer.Option(help="How often that is repeated, shuffled and started anew.")] = 3,
    epochs: Annotated[int, typer.Option(help="Passes over the training rows, at most.")] = 200,
    boosting: Annotated[bool, typer.Option(help="Show gradient boosting and a linear model beside the losses.")] = True,
    engine: Annotated[
        str, typer.Option(help="Where the work is done: local, ray or ray=ADDRESS. The result is the same.")
    ] = "local",
    jobs: Annotated[int, typer.Option(help="Processes at most; -1 for one per core. The result is the same.")] = -1,
    time_limit: Annotated[
        str | None, typer.Option(help="Start no training after so long, such as 90s, 5m or 2h; seconds without a unit.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(help="Keep what is finished in .lossary, and go on from there when a run was stopped."),
    ] = True,
    html: Annotated[
        Path | None, typer.Option(help="Write the report to this file; to DATA.TARGET.html unless given.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write everything to this file, as JSON.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show the result only, and no progress.")] = False,
) -> None:
    """Train a small network with each loss that fits, on the same splits, and say which serves you best.

    \b
    lossary compare engel
    lossary compare houses.csv --target price --metric rmse --json houses.json
    """
    for path in (html, json):
        if path is not None:
            _writable(path)
    limit = None if time_limit is None else _seconds(time_limit)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # how TensorFlow starts is not what was asked

    from rich.console import Console

    from lossary.compare import compare as run
    from lossary.compare.journal import DIRECTORY
    from lossary.compare.progress import Display
    from lossary.compare.report import heading, plan_line, rendered, write_html

    screen = Console(highlight=False)
    try:
        with Display(Console(stderr=True, highlight=False), quiet=quiet) as display:
            result = run(
                data,
                target,
                group=group,
                time=time,
                weight=weight,
                missing=missing,
                drop=drop or (),
                task=task,
                metric=metric,
                losses=loss or (),
                exclude=exclude or (),
                model=model,
                framework=framework,
                folds=folds,
                seeds=seeds,
                epochs=epochs,
                boosting=boosting,
                engine=engine,
                jobs=jobs,
                journal=DIRECTORY if resume else None,
                time_limit=limit,
                command=shlex.join(["lossary", *sys.argv[1:]]),
                on_profile=lambda profile: typer.echo(rendered(screen, *heading(profile))),
                on_plan=lambda plan: display.begin(plan, plan_line(plan)),
                on_progress=display.advance,
                on_trouble=display.note,
            )
            if display.resumed:
                display.note(f"{display.resumed} trainings were taken from {DIRECTORY}; --no-resume does all anew")
    except KeyboardInterrupt:
        kept = f"; what is finished is kept in {DIRECTORY}, and the same command goes on from there" if resume else ""
        typer.echo(f"interrupted{kept}", err=True)
        raise typer.Exit(130) from None
    typer.echo(rendered(screen, result.body()), nl=False)
    if json is not None:
        _write(json, result.to_json())
    typer.echo(write_html(result, html))


@command
def suggest(
    data: Annotated[str, typer.Argument(help="CSV, TSV or Parquet file, or a built-in set.")],
    target: Annotated[str | None, typer.Option(help="Column to predict; built-in sets know theirs.")] = None,
    task: Annotated[str | None, typer.Option(help="regression, binary or multiclass; inferred unless given.")] = None,
    metric: Annotated[str | None, typer.Option(help="What the loss is to serve, such as rmse or log_loss.")] = None,
    level: Annotated[
        list[float] | None, typer.Option(help="A quantile wanted, such as 0.9: not exceeded 9 times in 10; repeatable.")
    ] = None,
    loss: Annotated[list[str] | None, typer.Option(help="Rank this loss, such as huber; repeatable.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave this loss out; repeatable.")] = None,
    group: Annotated[str | None, typer.Option(help="Column of rows that belong together.")] = None,
    time: Annotated[str | None, typer.Option(help="Column of dates, times or numbers that rows follow.")] = None,
    weight: Annotated[str | None, typer.Option(help="Column that says how much each row counts.")] = None,
    missing: Annotated[
        str | None, typer.Option(help="What stands in the target where it is not known, such as -999.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Leave this column out; repeatable.")] = None,
    json: Annotated[Path | None, typer.Option(help="Also write everything to this file, as JSON.")] = None,
) -> None:
    """Look at the data, and rank the losses that fit them with the reasons; nothing is trained.

    \b
    lossary suggest engel
    lossary suggest houses.csv --target price --level 0.9
    """
    if json is not None:
        _writable(json)

    from lossary.compare.advice import advise

    named = {"--target": [target], "--task": [task], "--metric": [metric], "--loss": loss, "--exclude": exclude}
    named |= {"--group": [group], "--time": [time], "--weight": [weight], "--missing": [missing], "--drop": drop}
    if metric is None and level is not None and len(level) == 1:
        named["--metric"] = [f"pinball_{level[0]}"]
    chosen = [word for flag, values in named.items() for value in values or () if value for word in (flag, value)]
    advice = advise(
        data,
        target,
        task=task,
        metric=metric,
        levels=level or (),
        losses=loss or (),
        exclude=exclude or (),
        group=group,
        time=time,
        weight=weight,
        missing=missing,
        drop=drop or (),
        proof=shlex.join(["lossary", "compare", data, *chosen]),
    )
    typer.echo(advice.text(_bold), nl=False)
    if json is not None:
        _write(json, advice.to_json())


@command
def check(
    targets: Annotated[
        list[str],
        typer.Argument(help="losses.py::my_loss, torch.nn:HuberLoss, a file or a folder for all in it; repeatable."),
    ],
    framework: Annotated[str | None, typer.Option(help="numpy, torch, keras or jax: whose arrays it takes.")] = None,
    task: Annotated[
        str | None, typer.Option(help="regression, binary, multiclass (one-hot), sparse (indices) or distribution.")
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="Which argument comes first: prediction or target.", show_default=False)
    ] = None,
    reduction: Annotated[str | None, typer.Option(help="What it does with its rows: mean, sum or none.")] = None,
    logits: Annotated[
        bool | None, typer.Option("--logits/--probabilities", help="What predictions are.", show_default=False)
    ] = None,
    arg: Annotated[
        list[str] | None, typer.Option(help="What to make a class with, such as delta=0.5; repeatable.")
    ] = None,
    claims: Annotated[
        list[str] | None, typer.Option(help="A property to hold it to, such as convex or symmetric; repeatable.")
    ] = None,
    formula: Annotated[
        str | None, typer.Option(help="What it should compute, in p and y, where the catalogue does not know it.")
    ] = None,
    select: Annotated[list[str] | None, typer.Option(help="Ask these rules: LSY101, LSY1, a name; repeatable.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Leave these rules out; repeatable.")] = None,
    expect: Annotated[
        list[str] | None, typer.Option(help="A failure with its reason: LSY204='kinked by design'; repeatable.")
    ] = None,
    thorough: Annotated[
        bool | None, typer.Option("--thorough", help="Ask the slow rules, too: compilers, memory, speed.")
    ] = None,
    strict: Annotated[bool | None, typer.Option("--strict", help="Warnings count as errors.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the random inputs: same seed, same findings.")] = None,
    time_limit: Annotated[
        str | None, typer.Option(help="For each rule, such as 20s; slow rules have ten times that.")
    ] = None,
    output_format: Annotated[str, typer.Option(help="text, json or github.")] = "text",
    precision: Annotated[
        bool | None,
        typer.Option("--precision", help="Also measure how exact it is in each dtype, if its formula is known."),
    ] = None,
    envelope: Annotated[Path | None, typer.Option(help="Draw what --precision measures into this SVG file.")] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also say what passed and what was left out.")
    ] = False,
) -> None:
    """Find out what is wrong with a loss, with the smallest input that shows it, and the way out.

    Files are imported and run, in a child process. Exit code 0: no errors; 1: errors; 2: it could not be run.

    \b
    lossary check losses.py
    lossary check torch.nn:HuberLoss --arg delta=0.5
    """
    from rich.console import Console

    from lossary.check import require
    from lossary.check.report.progress import Display
    from lossary.check.run import configuration, isolated

    require()

    if output_format not in _FORMATS:
        raise ParameterError(f"--output-format must be one of {', '.join(_FORMATS)}, not {output_format!r}.")
    if envelope is not None:
        _writable(envelope)
    told = configuration.read(Path.cwd()).updated(
        framework=framework,
        task=task,
        order=order,
        reduction=reduction,
        logits=logits,
        claims=tuple(claims or ()),
        formula=formula,
        arguments=configuration.arguments(arg or ()),
        select=tuple(select or ()),
        ignore=tuple(ignore or ()),
        expected_failures=configuration.expected(expect or ()),
        thorough=thorough,
        strict=strict,
        precision=precision or envelope is not None or None,
        seed=seed,
        time_limit=None if time_limit is None else _seconds(time_limit),
    )
    typer.echo(isolated.announced(targets), nl=False, err=output_format != "text")
    with Display(Console(stderr=True, highlight=False)) as display:
        report = isolated.check(targets, told, on_losses=display.begin, on_outcome=display.advance)
    if output_format == "text":
        typer.echo(report.text(verbose=verbose, heading=_bold), nl=False)
    else:
        typer.echo(report.to_json() if output_format == "json" else report.annotations(), nl=False)
    if envelope is not None:
        drawn = [loss.precision.picture for loss in report.losses if loss.precision is not None]
        if len(drawn) != 1:
            raise UsageError(f"--envelope draws one loss whose formula is known, and there are {len(drawn)}.")
        _write(envelope, drawn[0], what="Envelope", err=output_format != "text")
    if not report.ok or (told.strict and report.warnings):
        raise typer.Exit(1)
    if report.unchecked:
        raise typer.Exit(2)


@command
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
        typer.echo(f"    {_bold(shlex.join(line))}")


@command
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

        found = rules.about(name, heading=_bold)
        if found is None:
            raise
        text = found
    else:
        text = page(loss, claims=claims, heading=_bold)
    typer.echo(text, nl=False)


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


@command
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

    wanted = [kind for flag, kind in flags().items() if claims[flag.replace("-", "_")]]
    if all_ or wanted or family is not None or task is not None or estimates is not None:
        text = table(matching(family, task=task, estimates=estimates, claims=wanted), heading=_bold)
    else:
        text = overview(heading=_bold)
    typer.echo(text, nl=False)


def _bold(text: str) -> str:
    """In bold, where there is a terminal: `echo` takes it out elsewhere."""
    return typer.style(text, bold=True)


def _seconds(text: str) -> float:
    """Of "90", "90s", "5m" or "2h"."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if found is None:
        raise ParameterError(f"--time-limit is a time such as 90s, 5m or 2h, not {text!r}.")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


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


def _write(path: Path, text: str, *, what: str = "JSON", err: bool = False) -> None:
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
