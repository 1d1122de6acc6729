"""Train with each candidate loss, and report which serves you best.

Data flow one way, and each stage takes and returns a small typed value:

    data → profile → suggest → plan → train (by an engine) → statistics → report
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lossary.compare import data, engine, plan, profile, statistics, suggest
from lossary.compare.plan import Plan
from lossary.compare.profile import Profile
from lossary.compare.report import Result

__all__ = ["Result", "compare"]


def compare(
    source: Any,
    target: str | None = None,
    *,
    task: str | None = None,
    metric: str | None = None,
    losses: Iterable[str] = (),
    exclude: Iterable[str] = (),
    folds: int = 5,
    seeds: int = 3,
    epochs: int = 200,
    jobs: int = -1,
    boosting: bool = True,
    command: str | None = None,
    on_profile: Callable[[Profile], None] = lambda profile: None,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_progress: Callable[[], None] = lambda: None,
) -> Result:
    """Train a small network with each loss that fits the data, on the same splits, and judge them by common metrics.

    Args:
        source: a path (CSV, Parquet), the name of a built-in set, or any data-frame.
        target: the column to predict; built-in sets know theirs.
        task: "regression", "binary" or "multiclass"; inferred from the target otherwise.
        metric: what ranks the losses; MAE or balanced accuracy otherwise.
        losses: names ("huber") or calls ("Huber(delta=50)"); all that fit the task otherwise.
        exclude: names of losses to leave out.
        folds: parts that the rows are split into; each is the test set once per seed.
        seeds: how often that is repeated with another shuffling and another start of the network.
        epochs: at most so many passes over the training rows; training stops earlier without progress.
        jobs: processes at most, -1 for one per core; the result does not depend on it.
        boosting: whether gradient boosting stands beside the losses as a reference.
        command: what to show as the command that was run.
        on_profile, on_plan, on_progress: told when the data are known, when the plan is, and after each unit of work.

    Raises:
        DataError: no such data, or nothing in them to compare on.
        ParameterError, UnknownNameError: an option that does not fit.
    """
    losses, exclude = tuple(losses), tuple(exclude)
    plan.check(folds, seeds, epochs, jobs)
    profile.check(task)
    statistics.check(metric)
    for loss in (*losses, *exclude):
        suggest.parse(loss)
    profiled = profile.profile(data.read(source, target), task)
    suggestion = suggest.suggest(profiled, losses, exclude)
    metrics = statistics.metrics_for(profiled.task, metric or suggestion.metric, suggestion.levels)
    planned = plan.plan(profiled, suggestion, folds, seeds, epochs, boosting)
    on_profile(profiled)
    on_plan(planned)
    outcomes = []
    for outcome in engine.run(planned, jobs):
        outcomes.append(outcome)
        on_progress()
    outcomes.sort(key=lambda outcome: (outcome.candidate, outcome.split))
    called = command or f"compare({profiled.data.name!r}, target={profiled.data.target!r})"
    return Result(planned, tuple(outcomes), statistics.summarise(planned, outcomes, metrics), called)
