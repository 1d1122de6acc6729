"""Environments for the public packages that losses are measured beside: one for each, pinned, with lossary in it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import final

from benchmarks.plan import RESULTS, ROOT

CONSTRAINTS = ROOT / "constraints.txt"


class UnavailableError(Exception):
    """A package that cannot be had on this machine, and why."""


@final
@dataclasses.dataclass(frozen=True)
class Environment:
    """A package beside lossary and PyTorch in a virtual environment, which is made when it is first asked for."""

    peer: str  # as pip has it: "monai==1.6.1"
    module: str  # what is imported of it
    needs: tuple[str, ...] = ()  # what that imports in turn, at the versions of constraints.txt where it has them

    def python(self) -> Path:
        """Its interpreter.

        Raises:
            UnavailableError: the package cannot be installed, or not imported.
        """
        home = RESULTS / "environments" / self.peer.partition("==")[0]
        python, made = home / "bin" / "python", home / "made"
        contents = "\n".join([self.peer, *self.needs, CONSTRAINTS.read_text("utf-8")])
        if not made.exists() or made.read_text("utf-8") != contents:
            install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            constrained = (*install, "--constraint", CONSTRAINTS)
            _run(sys.executable, "-m", "venv", "--clear", home)
            _run(*constrained, "--editable", f"{ROOT}[torch,fast]", *self.needs)
            # Without what it asks for: that may be another PyTorch, with gigabytes of CUDA.
            _run(*install, "--no-deps", self.peer)
            _run(python, "-c", f"import {self.module}")
            made.write_text(contents, encoding="utf-8")
        return python


ENVIRONMENTS = {
    "peers.monai": Environment("monai==1.6.1", "monai.losses"),
    "peers.exacta": Environment("exacta==0.0.1a5", "exacta.losses"),
    "peers.metric_learning": Environment(
        "pytorch-metric-learning==2.9.0", "pytorch_metric_learning.losses", ("scikit-learn", "tqdm")
    ),
    "peers.torchsurv": Environment(
        "torchsurv==0.2.0", "torchsurv.loss.cox", ("pandas", "pydantic", "scipy", "torchmetrics")
    ),
    "peers.forecasting": Environment(
        "pytorch-forecasting==1.8.0",
        "pytorch_forecasting.metrics",
        ("lightning", "pandas", "scikit-base==1.0.2", "scikit-learn", "scipy"),
    ),
    "peers.scoringrules": Environment("scoringrules==0.10.0", "scoringrules", ("scipy",)),
}


def _run(*command: str | Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if ran.returncode:
        lines = ran.stderr.strip().splitlines()
        raise UnavailableError(next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else ""))
