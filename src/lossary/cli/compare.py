"""`lossary compare`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from lossary.cli.command import seconds, writable, write


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
            writable(path)
    limit = None if time_limit is None else seconds(time_limit)
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
        write(json, result.to_json())
    typer.echo(write_html(result, html))
