"""What compilers keep, and how to make them forget it: each program is a megabyte or two, and a run makes thousands.

A plugin of pytest: `-p tests.memory` where there is no conftest.py.
"""

from __future__ import annotations

import ctypes
import gc
import os
import pathlib
import sys
from typing import final

MEGABYTE = 2**20
STATUS = pathlib.Path("/proc/self/statm")


def resident() -> int:
    """How many bytes of this process are in memory; 0 where the system does not say."""
    if not STATUS.exists():
        return 0
    return int(STATUS.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def forget() -> None:
    """Drop what the compilers that are loaded have kept, and give the memory back."""
    if "torch" in sys.modules:
        sys.modules["torch"].compiler.reset()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
    gc.collect()
    gc.freeze()  # what is left stays, and no later collection need look at it, which takes seconds
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc's; other libraries do so by themselves
        trim(0)


@final
class Limit:
    """Forgets as soon as more is in memory than `most`, but not again before as much has come as is worth a new
    compilation: what is in use cannot be forgotten."""

    def __init__(self, most: int = 1_600 * MEGABYTE, worth: int = 300 * MEGABYTE) -> None:
        self.most, self.worth = most, worth

    def keep(self) -> None:
        if resident() > self.most:
            forget()
            self.most = max(self.most, resident() + self.worth)


LIMIT = Limit()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # some twenty thousand tests are there until the end


def pytest_runtest_logfinish() -> None:
    LIMIT.keep()
