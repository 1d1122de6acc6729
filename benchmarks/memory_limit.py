"""How far kernels are from the memory limit: beside an addition that reads two arrays and writes one, as they do."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.inputs import LARGE, POINTWISE, Effort, name, pointwise, words
from benchmarks.measurement import Measurement, compare
from benchmarks.pytorch import PACKAGES, threads
from lossary import kernels
from lossary.kernels.kernel import Kernel
from lossary.kernels.program import Variant

__all__ = ["PACKAGES", "measure", "threads"]

KIND = "kernel alone, no allocation"


def measure(effort: Effort) -> Iterator[Measurement]:
    size = effort.sizes(LARGE)[-1]
    for loss in POINTWISE:
        kernel = kernels.compiled(loss, Variant("float32", ("total", "gradient"), spacing=2.0**-23))
        if kernel is None:
            raise RuntimeError(f"no kernel: {kernels.unavailable()}")
        p, y = map(torch.from_numpy, pointwise(loss, size))
        out = torch.empty_like(p)
        addresses = {"prediction": p.data_ptr(), "target": y.data_ptr(), "gradient": out.data_ptr()}

        def run(kernel: Kernel = kernel, addresses: dict[str, int] = addresses) -> None:
            kernel(addresses, 1, size, 1.0 / size, torch.get_num_threads())

        def add(p: torch.Tensor = p, y: torch.Tensor = y, out: torch.Tensor = out) -> None:
            torch.add(p, y, out=out)

        steps = run, "torch.add(a, b, out=c)", add
        yield compare(name(loss), words(size), *steps, kind=KIND, seconds=effort.seconds)
