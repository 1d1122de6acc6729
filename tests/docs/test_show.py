"""`lossary show`: the page of every loss, at 80 columns, with what is true of it."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

import lossary
from lossary import GaussianNLL, catalogue
from lossary.cli import app
from lossary.define.claims.claim import Claim
from lossary.define.claims.curve import Symmetric
from lossary.define.loss import Pointwise
from lossary.define.parameters import parameters_of
from lossary.describe import show
from lossary.describe.formula import formula
from tests.grid import losses


def shown(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["show", *arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("cls", catalogue.classes())
def test_every_loss_has_a_page(cls):
    text = shown(cls.__name__)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in text
    loss = cls()
    assert lines[0].startswith(repr(loss))
    assert lines[0].endswith(("pointwise", "rowwise", "batchwise"))
    labels = [line[:14].strip() for line in lines if line[:1].strip()]
    twins = ["Same as"] if loss.same_as else []
    wanted = [
        "Estimates",
        "Claims",
        "Strengths",
        "Weaknesses",
        "Output",
        "Target" if loss.paired else "Inputs",
        "Runs",
        *twins,
        "PyTorch",
        *(["Keras"] if loss.paired else []),
        "JAX",
    ]
    assert [label for label in labels if label in {*wanted, "Same as"}] == wanted
    assert labels[-1] in {"Source", "Sources"}
    words = " ".join(text.split())
    for sentence in (
        *loss.strengths,
        *loss.weaknesses,
        loss.choosing,
        *(known.doc for known in parameters_of(loss).values()),
    ):
        assert " ".join(sentence.split()) in words
    assert "refuted" in words


@pytest.mark.parametrize("cls", catalogue.classes())
def test_the_code_that_it_shows_makes_the_loss(cls):
    loss = cls()
    for framework, line in show.code(loss).items():
        assert eval(line, {"lossary": lossary}).loss == loss, framework


def test_the_page_of_huber():
    text = shown("huber")
    assert "(ŷ - y)² / 2        where |ŷ - y| ≤ δ" in text
    assert "Choose δ" in text
    assert "delta=1.0, a finite number above 0: residual size" in text
    assert "torch.nn.HuberLoss · keras.losses.Huber · optax.huber_loss · scipy.special.huber" in " ".join(text.split())
    assert "lossary.torch.Huber(delta=1.0)" in text
    assert "(none refuted on 20,000 points each; --claims shows each)" in text


def test_each_claim_with_its_evidence():
    text = shown("mse", "--claims")
    assert "symmetric: not refuted on 20,000 points" in text
    assert "estimates the mean: not refuted on 20,000 points" in text
    assert "convex: follows from the others" in text


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("bce", "BinaryCrossEntropy"),
        ("torch.nn.BCEWithLogitsLoss", "BinaryCrossEntropy"),
        ("BCEWithLogitsLoss", "BinaryCrossEntropy"),
        ("mean_squared_error", "MeanSquaredError"),
        ("pinball", "Quantile"),
        ("keras.losses.KLDivergence", "KLDivergence"),
    ],
)
def test_other_libraries_names_are_understood(name, found):
    assert shown(name).startswith(f"{found}(")


def test_an_unknown_name_is_an_error_that_suggests():
    text = shown("hubr", code=2)
    assert "error:" in text
    assert "did you mean Huber?" in text
    assert "Traceback" not in text


def test_a_refuted_claim_is_said():
    class Lopsided(Pointwise):
        """Squares, and says that it is symmetric."""

        task = "regression"
        prediction = target = lossary.Huber().prediction

        @property
        def claims(self) -> tuple[Claim, ...]:
            return (Symmetric(),)

        def value(self, xp, p, y):
            r = p - y
            return xp.where(r > 0.0, 2.0 * r, -r)

    assert "symmetric: refuted, at residual =" in " ".join(show.page(Lopsided()).split())
    assert "Lopsided().torch()" in show.page(Lopsided())
    assert dataclasses.is_dataclass(Lopsided)


def test_plain_text_through_a_pipe():
    command = [pathlib.Path(sys.executable).with_name("lossary"), "show", "hinge"]
    if not command[0].exists():
        pytest.skip("the console script is not installed")
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "\x1b" not in result.stdout
    assert result.stdout.startswith("Hinge()")


@losses()
def test_no_exponent_has_an_exponent_of_its_own(loss: Any) -> None:
    """TeX refuses e^{x}^2."""
    assert not re.search(r"\^\{(?:[^{}]|\{[^{}]*\})*\}\^", formula(loss).latex)


def test_a_twin_with_a_minus_says_so() -> None:
    (line,) = [each for each in show.twin_lines(GaussianNLL(full=True)) if "scipy" in each and "std'" not in each]
    assert line == "scipy.stats.norm.logpdf   (× -1, full=True)"
