"""The first call of a kernel in a fresh process: compiled there, or found on disk."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from benchmarks.inputs import POINTWISE, SOFTMAX, Effort, name
from benchmarks.measurement import Measurement
from benchmarks.numpy import threads

__all__ = ["PACKAGES", "measure", "threads"]

PACKAGES = ("llvmlite",)
EMPTY, WARM = "empty cache", "warm cache"

_PROGRAM = """
import time
import lossary
from benchmarks import inputs
loss = lossary.{loss}
p, y = inputs.rows((4, 8)) if loss.prediction.rows else inputs.pointwise(loss, 64)
start = time.perf_counter()
loss.value_and_gradient(prediction=p, target=y)
print(time.perf_counter() - start)
"""


def measure(effort: Effort) -> Iterator[Measurement]:
    for loss in POINTWISE[-2:] if effort.quick else (*POINTWISE, SOFTMAX):
        with tempfile.TemporaryDirectory() as directory:
            environment = os.environ | {"LOSSARY_CACHE": directory}
            for kind in (EMPTY, WARM):
                command = [sys.executable, "-c", _PROGRAM.format(loss=repr(loss))]
                ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                yield Measurement(name(loss), "first call", kind, "", float(ran.stdout))
