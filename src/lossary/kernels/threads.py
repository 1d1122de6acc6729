"""A few threads, as many as the framework that the user set up would take."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def most() -> int:
    """How many threads to take at most: PyTorch's number where it is loaded, else OMP_NUM_THREADS, else one a core."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else _cores()


def run(jobs: Sequence[Callable[[], Any]], workers: int) -> list[Any]:
    """The results of all jobs, the first done here and the others on other threads."""
    first, *others = jobs
    waiting = [_pool(os.getpid(), workers - 1).submit(job) for job in others]
    return [first(), *(each.result() for each in waiting)]


@functools.cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.lru_cache(maxsize=8)
def _pool(process: int, workers: int) -> ThreadPoolExecutor:
    """Made anew in every process: threads do not survive a fork."""
    return ThreadPoolExecutor(workers, thread_name_prefix=f"lossary-{process}")
