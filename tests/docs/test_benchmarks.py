"""The benchmarks run, what they compare is the same, and their report says what could not be measured."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks import environment, pointwise, report
from benchmarks.environment import ENVIRONMENTS, Environment, UnavailableError
from benchmarks.inputs import name
from benchmarks.measurement import Measurement
from benchmarks.plan import ROOT, SECTIONS, TARGETS
from benchmarks.side import Side, check_same

MEASURED = Measurement("Dice", "8 × 1", "forward + backward", "DiceLoss()", 2e-3, 1e-3, 0.5, 0.4, 0.6, 4096, 2048, 4096)
MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "system": "Linux",
    "python": "3.11",
    "threads": 2,
    "versions": {"monai": "1.6.1"},
    "took": 60,
}


@pytest.mark.parametrize(("framework", "loss"), [("torch", loss) for loss in pointwise.losses()], ids=repr)
def test_a_pointwise_loss_stands_beside_the_same(framework: str, loss: Any) -> None:
    _, theirs, factor = pointwise.peer(loss)
    for seed in (1, 2, 3):
        check_same(name(loss), *pointwise.sides(loss, theirs, 256, seed), factor=factor)


@pytest.mark.parametrize("framework", ["torch"])
def test_what_is_not_the_same_is_not_compared(framework: str) -> None:
    (loss,) = (each for each in pointwise.losses() if name(each) == "MeanSquaredError")
    ours, theirs = pointwise.sides(loss, lambda p, y: 1.01 * (p - y).square().mean(), 256, seed=1)
    with pytest.raises(ArithmeticError, match="the values differ"):
        check_same("the two", ours, theirs)
    # The same value, and twice the slope.
    once = Side(lambda p, y: 2.0 * loss.torch()(p, y) - loss.torch()(p, y).detach(), theirs.inputs)
    with pytest.raises(ArithmeticError, match="the gradients differ"):
        check_same("the two", ours, once)


def test_every_section_is_described_and_can_be_run() -> None:
    assert report.ABOUT.keys() == SECTIONS.keys()
    assert {target.section for target in TARGETS} == SECTIONS.keys()
    assert ENVIRONMENTS.keys() == {section for section in SECTIONS if section.startswith("peers.")}
    for section in SECTIONS:
        assert importlib.util.find_spec(f"benchmarks.{section}") is not None, section


def test_what_an_environment_has_is_pinned() -> None:
    constrained = {line.partition("==")[0].lower() for line in environment.CONSTRAINTS.read_text("utf-8").splitlines()}
    for each in ENVIRONMENTS.values():
        assert "==" in each.peer
        assert [need for need in each.needs if "==" not in need and need not in constrained] == []


def test_a_package_that_cannot_be_had_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: slow\nERROR: no such version\nhint: none\n")
    monkeypatch.setattr(environment, "RESULTS", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(UnavailableError, match=r"^ERROR: no such version$"):
        Environment("nothing==1.0", "nothing").python()


def test_the_report_has_what_was_measured_and_what_could_not_be() -> None:
    found = {
        "peers.monai": {"machine": MACHINE, "measurements": [dataclasses.asdict(MEASURED)]},
        "peers.exacta": {"unavailable": "ERROR: No matching distribution found"},
    }
    written = "\n\n".join(report.parts(found))
    assert "| Beside MONAI | worst | ≥ 1.2× | 0.50× | **missed** |" in written
    assert "| Beside MONAI | most memory | ≤ 1× | 2.00× | **missed** |" in written
    assert "| `Dice` | `DiceLoss()` | 0.50× (0.40-0.60), 2 ms |" in written
    assert "## Beside exacta\n\nNot measured" in written
    assert "`ERROR: No matching distribution found`" in written


@pytest.mark.thorough
@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_runs(section: str) -> None:
    """Beside a package where it is in this environment: others are made by `make bench` alone."""
    if section in ENVIRONMENTS:
        package = ENVIRONMENTS[section].module.partition(".")[0]
        pytest.importorskip(package, reason=f"{package} is in an environment of the benchmarks' own")
    command = [sys.executable, "-m", "benchmarks.section", section, "--quick"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
