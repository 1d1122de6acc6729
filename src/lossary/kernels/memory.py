"""Large pages for large results: a fresh array costs more in page faults than a kernel takes to fill it."""

from __future__ import annotations

import ctypes
import functools
import mmap
import sys
from collections.abc import Callable

_WORTH_ASKING = 1 << 22  # bytes; NumPy asks for its own arrays from the same size on


def in_large_pages(address: int, size: int) -> None:
    """Ask for large pages behind fresh memory; where the system has none, nothing happens."""
    advise = _advise()
    if advise is None or size < _WORTH_ASKING:
        return
    first = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
    last = (address + size) // mmap.PAGESIZE * mmap.PAGESIZE
    advise(first, last - first, mmap.MADV_HUGEPAGE)


@functools.cache
def _advise() -> Callable[[int, int, int], int] | None:
    if sys.platform != "linux" or not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    function = getattr(ctypes.CDLL(None), "madvise", None)
    if function is not None:
        function.argtypes, function.restype = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int), ctypes.c_int
    return function
