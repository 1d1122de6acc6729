"""Where the units of work are done: here, or in processes side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator

import joblib

from lossary.compare.plan import Plan
from lossary.compare.train import BOOSTING, Outcome, train

# A worker process takes seconds to start (it imports PyTorch), so it has to be worth it.
_WORTH_PROCESSES = 15.0


def units(plan: Plan) -> list[tuple[int, int]]:
    """All (candidate, split) pairs of a plan: split by split, so that the first of them tell what the rest will cost."""
    rows = [*range(len(plan.candidates)), *([BOOSTING] if plan.boosting else [])]
    return [(candidate, split) for split in range(len(plan.splits)) for candidate in rows]


def run(plan: Plan, jobs: int = -1) -> Iterator[Outcome]:
    """Do all the work, in any order; `jobs` processes at most, -1 for one per core."""
    waiting = units(plan)
    began = time.perf_counter()
    first, rest = waiting[: len(waiting) // len(plan.splits)], waiting[len(waiting) // len(plan.splits) :]
    for unit in first:
        yield train(plan, *unit)
    ahead = (time.perf_counter() - began) * len(rest) / len(first)
    workers = joblib.effective_n_jobs(jobs) if ahead > _WORTH_PROCESSES else 1
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)
    yield from parallel(joblib.delayed(train)(plan, *unit) for unit in rest)
