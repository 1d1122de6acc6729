"""Train with each candidate loss, and report which serves you best.

Data flow one way, and each stage takes and returns a small typed value:

    data → profile → suggest → plan → train (by an engine, with a journal) → statistics → report
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lossary.errors import needs

with needs("compare", what="lossary.compare"):
    from lossary.compare import data, engine, plan, profile, statistics, suggest
    from lossary.compare.advice import Advice, advise
    from lossary.compare.journal import Journal
    from lossary.compare.metrics import check_metric, metrics_for
    from lossary.compare.plan import Plan
    from lossary.compare.prediction import Outcome
    from lossary.compare.profile import Profile
    from lossary.compare.report import Result

__all__ = ["Advice", "Result", "advise", "compare"]


def compare(
    source: Any,
    target: str | None = None,
    *,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    missing: str | float | None = None,
    drop: Iterable[str] = (),
    task: str | None = None,
    metric: str | None = None,
    losses: Iterable[str] = (),
    exclude: Iterable[str] = (),
    model: str = "mlp",
    framework: str | None = None,
    folds: int = 5,
    seeds: int = 3,
    epochs: int = 200,
    boosting: bool = True,
    engine: str = "local",
    jobs: int = -1,
    journal: str | Path | None = None,
    time_limit: float | None = None,
    command: str | None = None,
    on_profile: Callable[[Profile], None] = lambda profile: None,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_progress: Callable[[Outcome], None] = lambda outcome: None,
    on_trouble: Callable[[str], None] = lambda trouble: warnings.warn(trouble, stacklevel=2),
) -> Result:
    """Train a model with each loss that fits the data, on the same splits, and judge them by common metrics.

    Args:
        source: a path (CSV, TSV, Parquet), the name of a built-in set, any data-frame, or (X, y).
        target: the column to predict; built-in sets and (X, y) know theirs.
        group: a column of rows that belong together: they are never split between training and test.
        time: a column of dates, times or numbers: training is always before the test.
        weight: a column of numbers, 0 or more: how much each row counts, in training and in the metrics.
        missing: what stands in the target where it is not known, such as -999; these rows are left out, as are rows
            where it is blank or NaN.
        drop: columns to leave out.
        task: "regression", "binary" or "multiclass"; inferred from the target otherwise.
        metric: what ranks the losses; MAE or balanced accuracy otherwise.
        losses: names ("huber") or calls ("Huber(delta=50)"); all that fit the task otherwise.
        exclude: names of losses to leave out.
        model: "mlp", "linear", or "package.module:factory" for a model of your own.
        framework: "torch" or "keras"; what the model is made with otherwise.
        folds: parts that the rows are split into; each is the test set once per seed.
        seeds: how often that is repeated with another shuffling and another start of the network.
        epochs: at most so many passes over the training rows; training stops earlier without progress.
        boosting: whether gradient boosting and a linear model stand beside the losses as references.
        engine: "local" for processes on this machine, "ray" or "ray=ADDRESS" for a Ray cluster.
        jobs: processes at most, -1 for one per core; the result depends neither on it nor on the engine.
        journal: a directory that keeps what is finished, for a run that is killed and started again; none otherwise.
        time_limit: seconds after which no training is started; losses that are not finished are not judged.
        command: what to show as the command that was run.
        on_profile, on_plan, on_progress: told when the data are known, when the plan is, and what each training gave.
        on_trouble: told, in one sentence, what went wrong that the run can do without; a warning otherwise.

    Raises:
        DataError: no such data, or nothing in them to compare on.
        ParameterError, UnknownNameError: an option that does not fit.
        MissingExtraError: a framework or an engine that is not installed.
    """
    losses, exclude = tuple(losses), tuple(exclude)
    _check(task, metric, (*losses, *exclude), (folds, seeds, epochs, jobs), (model, framework), (engine, time_limit))
    read = data.read(source, target, group=group, time=time, weight=weight, missing=missing, drop=drop)
    profiled = profile.profile(read, task)
    if metric is not None:
        metrics_for(profiled.task, metric)
    suggestion = suggest.suggest(profiled, losses, exclude, metric=metric)
    metrics = metrics_for(profiled.task, metric or suggestion.metric, suggestion.levels)
    options: dict[str, Any] = {"model": model, "framework": framework, "metric": metrics[0].name}
    planned = plan.plan(profiled, suggestion, folds, seeds, epochs, boosting, **options)
    on_profile(profiled)
    on_plan(planned)
    outcomes = []
    for outcome in _run(planned, engine, jobs, journal, time_limit, on_trouble):
        outcomes.append(outcome)
        on_progress(outcome)
    outcomes.sort(key=lambda outcome: (outcome.candidate, outcome.split))
    summary = statistics.summarise(planned, outcomes, metrics)
    planned = dataclasses.replace(planned, notes=(*planned.notes, *summary.notes))
    called = command or f"compare({read.name!r}, target={read.target!r})"
    return Result(planned, tuple(outcomes), summary, called)


def _check(
    task: str | None,
    metric: str | None,
    losses: Iterable[str],
    numbers: tuple[int, int, int, int],
    model: tuple[str, str | None],
    machines: tuple[str, float | None],
) -> None:
    """Refuse options that cannot be, before anything is read."""
    plan.check(*numbers, *model)
    engine.check(*machines)
    profile.check(task)
    check_metric(metric)
    for loss in losses:
        suggest.parse(loss)


def _run(
    planned: Plan,
    chosen: str,
    jobs: int,
    directory: str | Path | None,
    time_limit: float | None,
    on_trouble: Callable[[str], None],
) -> Iterable[Outcome]:
    journal = None if directory is None else Journal(Path(directory), planned, on_trouble)
    return engine.run(planned, engine=chosen, jobs=jobs, journal=journal, time_limit=time_limit)
