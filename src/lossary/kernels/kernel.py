"""A compiled loss: called with the addresses of arrays, on as many threads as the work is worth."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
from collections.abc import Hashable
from typing import TYPE_CHECKING, final

import numpy as np

from lossary.kernels import across, along, machine, threads
from lossary.kernels.emitter import TOTALS, arguments
from lossary.kernels.program import Program, Variant, program
from lossary.ops.labels import may_be_labels

if TYPE_CHECKING:
    from lossary.define.loss import Loss

# Operations on entries from which on waking another thread pays.
_WORTH_A_THREAD = 4_000_000
_LARGEST = {"float32": 2.0**100, "float64": 2.0**1000}
_MANY_ROWS = 256  # from which on it pays to compile another kernel, which takes short rows side by side
_STEP = 1024  # slices of pointwise work start at multiples of this

_Totals = ctypes.c_double * len(TOTALS)


@final
class Kernel:
    """A loss as machine code for one kind of call."""

    def __init__(self, loss: Loss, variant: Variant) -> None:
        read = program(loss, variant)
        names = arguments(read)
        self._code = _compiled(read)
        self._across = functools.lru_cache(maxsize=16)(functools.partial(_compiled_across, read))
        # What tells the weight of all losses, before a mean's gradient can be scaled; None where all count alike.
        self._weigher = (
            Kernel(loss, variant._replace(outputs=("weight",))) if read.weighs and "weight" not in read.totals else None
        )
        self._reduces = loss.prediction.rows
        self._by_rows, self._cost, self._kept = read.rows, read.cost, len(read.kept)
        self._dtype = np.dtype(variant.dtype)
        self._largest = _LARGEST[variant.dtype]
        self._smallest = 1.0 / self._largest
        # Whether predictions may be something that only the operations can tell, which sees all of them.
        self.may_be_labels = variant.spacing is not None and may_be_labels(loss)
        # The settings and tables are kept alive with the kernel, which knows their addresses.
        self._constants = [np.array(each, dtype=self._dtype) for each in (read.settings, *read.tables)]
        self._settings, *tables = (each.ctypes.data for each in self._constants)
        self._tables = {f"table {place}": address for place, address in enumerate(tables)}
        self._names = names[4:]
        # By how much each address grows from one unit of work, an entry or a row, to the next: so many bytes, times the
        # length of a row for what has an entry for each of its entries.
        size = {"target": 8 if loss.target.indices else self._dtype.itemsize, "where": 1, "ignored": 0, "scratch": 0}
        size |= dict.fromkeys(self._tables, 0)
        whole = {node.detail for node in read.nodes if node.operation == "input" and node.row}
        whole |= {name for name, node in read.stores.items() if node.row}
        self._steps = [(size.get(name, self._dtype.itemsize), read.rows and name in whole) for name in self._names]

    def __call__(
        self, addresses: dict[str, int], rows: int, length: int, scale: float = 1.0, most: int = 1
    ) -> tuple[float, float, float]:
        """Run over `rows` rows of `length` entries (pointwise losses: one row of all), on `most` threads at most.

        Arrays are contiguous, and kept alive by whoever calls. Returns what was added up, as `TOTALS` names it.
        """
        if self._tables:
            addresses = addresses | self._tables
        values = [addresses.get(name, 0) for name in self._names]
        code = (self._across(length) if self._by_rows and rows >= _MANY_ROWS else None) or self._code
        work = rows * length * self._cost
        if most == 1 or work < 2 * _WORTH_A_THREAD:
            return self._slice(code, values, rows, length, scale)
        units = rows if self._by_rows else length
        workers = min(most, work // _WORTH_A_THREAD, units)
        step = -(-units // workers)
        step = step if self._by_rows else -(-step // _STEP) * _STEP
        jobs = []
        for first in range(0, units, step):
            count = min(step, units - first)
            moved = [
                address + first * size * (length if whole else 1)
                for address, (size, whole) in zip(values, self._steps, strict=True)
            ]
            shape = (count, length) if self._by_rows else (1, count)
            jobs.append(functools.partial(self._slice, code, moved, *shape, scale))
        total, weight, illegal = map(sum, zip(*threads.run(jobs, workers), strict=True))
        return total, weight, illegal

    def weight(self, addresses: dict[str, int], rows: int, length: int, most: int = 1) -> float:
        """Σw: what the losses of such a call count for in all."""
        if self._weigher is None:
            return float(rows if self._reduces else rows * length)
        return self._weigher(addresses, rows, length, 1.0, most)[1]

    def averages(self, total: float, weight: float) -> bool:
        """Whether a mean is made of these as well as the operations make it: its weights over their sum, and the sum
        of the losses, can be held."""
        return weight == 0.0 or (self._smallest < weight < self._largest and not math.isinf(total))

    def _slice(
        self, code: machine.MachineCode, values: list[int], rows: int, length: int, scale: float
    ) -> tuple[float, float, float]:
        totals = _Totals()
        if self._kept and code is self._code:
            scratch = np.empty(self._kept * length, dtype=self._dtype)
            values = [*values[:-1], scratch.ctypes.data]
        code.call(rows, length, self._settings, ctypes.addressof(totals), *values, scale)
        return totals[0], totals[1], totals[2]


_KNOWN: dict[Hashable, machine.MachineCode] = {}  # never unloaded, for somebody may be in it


def _compiled(read: Program, length: int | None = None) -> machine.MachineCode:
    """One for all losses that differ in their numbers only; for short rows of a known length, or for all."""
    avx512 = machine.has_avx512()
    recipe = read.recipe, avx512, length, () if length is None else across.known_entries(read)
    if recipe not in _KNOWN:
        text = along.emit(read, avx512=avx512) if length is None else across.emit(read, length, avx512=avx512)
        return _KNOWN.setdefault(recipe, machine.MachineCode(text, len(arguments(read))))
    return _KNOWN[recipe]


def _compiled_across(read: Program, length: int) -> machine.MachineCode | None:
    """For short rows of this length; None where they are taken one after the other."""
    if across.pays(read, length):
        with contextlib.suppress(Exception):  # an LLVM that cannot: the other kernel gives the same numbers
            return _compiled(read, length)
    return None
