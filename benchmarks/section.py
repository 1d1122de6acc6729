"""Run one section in this process and write what it found."""

from __future__ import annotations

import dataclasses
import importlib
import sys
import time

from benchmarks import machine
from benchmarks.inputs import Effort
from benchmarks.plan import write


def run(section: str, effort: Effort) -> None:
    module = importlib.import_module(f"benchmarks.{section}")
    found, started = [], time.perf_counter()
    for each in module.measure(effort):
        found.append(dataclasses.asdict(each))
        ratio = "" if each.ratio is None else f"{each.ratio:6.2f}× ({each.low:.2f}-{each.high:.2f}) {each.peer}"
        print(f"{each.kind:28} {each.loss:30} {each.size:>12} {each.seconds * 1e3:9.3f} ms {ratio}", flush=True)
    if effort.quick:
        return
    took = {"took": round(time.perf_counter() - started)}
    described = machine.described(module.PACKAGES, module.threads()) | took
    write(section, {"machine": described, "measurements": found})


if __name__ == "__main__":
    run(sys.argv[1], Effort(quick="--quick" in sys.argv))
