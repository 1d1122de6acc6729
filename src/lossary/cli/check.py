"""`lossary check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lossary.cli.command import bold, seconds, writable, write
from lossary.errors import ParameterError, UsageError

_FORMATS = ("text", "json", "github")


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
        writable(envelope)
    options = configuration.read(Path.cwd()).updated(
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
        time_limit=None if time_limit is None else seconds(time_limit),
    )
    typer.echo(isolated.announced(targets), nl=False, err=output_format != "text")
    with Display(Console(stderr=True, highlight=False)) as display:
        report = isolated.check(targets, options, on_losses=display.begin, on_outcome=display.advance)
    if output_format == "text":
        typer.echo(report.text(verbose=verbose, heading=bold), nl=False)
    else:
        typer.echo(report.to_json() if output_format == "json" else report.annotations(), nl=False)
    if envelope is not None:
        drawn = [loss.precision.picture for loss in report.losses if loss.precision is not None]
        if len(drawn) != 1:
            raise UsageError(f"--envelope draws one loss whose formula is known, and there are {len(drawn)}.")
        write(envelope, drawn[0], what="Envelope", err=output_format != "text")
    if not report.ok or (options.strict and report.warnings):
        raise typer.Exit(1)
    if report.unchecked:
        raise typer.Exit(2)
