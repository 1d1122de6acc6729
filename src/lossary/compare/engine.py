"""Where the units of work are done: here, or in processes side by side."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import joblib

from lossary.compare.plan import Plan
from lossary.compare.train import BOOSTING, Outcome, train

# A worker process takes seconds to start (it imports PyTorch), so there must be work for it, in seconds.
_WORTH_PROCESSES = 20.0


def units(plan: Plan) -> list[tuple[int, int]]:
    """All (candidate, split) pairs of a plan, split by split: the first split tells what the rest will cost."""
    rows = [*range(len(plan.candidates)), *([BOOSTING] if plan.boosting else [])]
    return [(candidate, split) for split in range(len(plan.splits)) for candidate in rows]


def run(plan: Plan, jobs: int = -1) -> Iterator[Outcome]:
    """Do all the work, in any order; `jobs` processes at most, -1 for one per core."""
    waiting = units(plan)
    per_split = len(waiting) // len(plan.splits)
    took = []
    for unit in waiting[:per_split]:
        outcome = train(plan, *unit)
        took.append(outcome.seconds)
        yield outcome
    rest = waiting[per_split:]
    # The median, because the first unit also loads what the others find loaded.
    ahead = statistics.median(took) * len(rest)
    workers = joblib.effective_n_jobs(jobs) if ahead > _WORTH_PROCESSES else 1
    if workers == 1:
        yield from (train(plan, *unit) for unit in rest)
    else:
        parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
        yield from parallel(joblib.delayed(train)(plan, *unit) for unit in rest)
