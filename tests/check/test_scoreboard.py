"""The scoreboard: every finding on it is seen again by running its reproducer, and what must be on it is."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lossary.check.rulebook.rule import rules

ROOT = Path(__file__).parents[2]
BOARD = json.loads((ROOT / "docs" / "scoreboard.json").read_text())
FRAMEWORKS = {each["title"]: each for each in BOARD["frameworks"]}
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?|-?\binf\b|\bnan\b")

# What is known of these releases by other means: found without being told.
KNOWN = [
    ("optax", "optax.huber_loss", "LSY101"),  # (N, 1) against (N,)
    ("optax", "optax.log_cosh", "LSY101"),
    ("PyTorch", "torch.nn.CrossEntropyLoss", "LSY301"),  # 0, with no gradient, from a margin of 17
    ("optax", "optax.softmax_cross_entropy", "LSY301"),
    ("Keras", "keras.losses.log_cosh", "LSY302"),  # float64 good to 9 digits
    ("Keras", "keras.losses.Huber", "LSY603"),  # delta is lost on save
    ("Keras", "keras.losses.Huber", "LSY510"),  # delta = -1 is accepted
    ("optax", "optax.huber_loss", "LSY510"),
    ("PyTorch", "torch.nn.CrossEntropyLoss", "LSY112"),  # NaN where all are ignored
    ("optax", "optax.huber_loss", "LSY301"),  # no gradient below 6e-8
    ("Keras", "keras.losses.SparseCategoricalCrossentropy", "LSY306"),  # labels through half types
]


def findings(framework: str) -> list[dict[str, Any]]:
    return [
        finding | {"loss": loss["name"]} for loss in FRAMEWORKS[framework]["losses"] for finding in loss["findings"]
    ]


def same(mine: str, recorded: str) -> bool:
    """The same text with the same numbers, but for what another CPU rounds otherwise."""
    if NUMBER.sub("#", mine) != NUMBER.sub("#", recorded):
        return False
    pairs = [(float(a), float(b)) for a, b in zip(NUMBER.findall(mine), NUMBER.findall(recorded), strict=True)]
    return all((math.isnan(a) and math.isnan(b)) or a == b or math.isclose(a, b, rel_tol=1e-3) for a, b in pairs)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_reproducers_print_what_is_recorded(framework: str) -> None:
    """All of a framework in one process of their own."""
    everything = findings(framework)
    assert everything
    for name, version in FRAMEWORKS[framework]["versions"].items():
        assert importlib.metadata.version(name) == version, "another release is installed: make scoreboard"
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "reproduce.py"],
        input=json.dumps([each["reproducer"] for each in everything]),
        capture_output=True,
        text=True,
        check=True,
    )
    printed = json.loads(done.stdout)
    wrong = [
        f"{each['loss']} {each['code']}: {mine!r}, not {each['printed']!r}\n{each['reproducer']}"
        for each, mine in zip(everything, printed, strict=True)
        if not same(mine, each["printed"])
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("framework", "loss", "code"), KNOWN)
def test_known_faults_are_on_it(framework: str, loss: str, code: str) -> None:
    found = [each for each in findings(framework) if each["loss"].partition("(")[0] == loss and each["code"] == code]
    assert len(found) == 1
    assert found[0]["printed"]


def _public(losses: Any) -> list[str]:
    """Keras has other losses that only serve to make those that people use."""
    return [each.__name__ for each in losses.Loss.__subclasses__() if hasattr(losses, each.__name__)]


@pytest.mark.parametrize(
    ("framework", "names"),
    [
        ("PyTorch", lambda: importlib.import_module("torch.nn.modules.loss").__all__),
        ("Keras", lambda: _public(importlib.import_module("keras").losses)),
        ("optax", lambda: [each for each in dir(importlib.import_module("optax")) if each.endswith("_loss")]),
        ("scikit-learn", lambda: ["log_loss", "hinge_loss", "mean_squared_error", "mean_pinball_loss"]),
    ],
)
def test_every_loss_is_asked_or_left_out_with_a_reason(framework: str, names: Any) -> None:
    asked = {each["name"].partition("(")[0].rpartition(".")[2] for each in FRAMEWORKS[framework]["losses"]}
    left_out = {each["name"]: each["reason"] for each in FRAMEWORKS[framework]["left_out"]}
    assert all(left_out.values())
    assert set(names()) <= asked | left_out.keys()
    assert not asked & left_out.keys()


def test_the_rules_on_it_exist() -> None:
    known = {rule.code for rule in rules()}
    assert {each["code"] for framework in FRAMEWORKS for each in findings(framework)} <= known


def test_the_page_is_that_of_the_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    written = importlib.import_module("make_scoreboard").page(BOARD)
    assert written == (ROOT / "docs" / "scoreboard.md").read_text()
    assert all(finding["reproducer"].splitlines()[-1] in written for finding in findings("optax"))
