"""`lossary suggest`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from lossary.cli.command import bold, writable, write


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
        writable(json)

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
    typer.echo(advice.text(bold), nl=False)
    if json is not None:
        write(json, advice.to_json())
