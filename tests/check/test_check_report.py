"""The report of a check: what is counted, and how it is written for people and for GitHub."""

from __future__ import annotations

import ast
import dataclasses
import json
import random
from typing import Any

import numpy as np
import pytest

from lossary.check import check_loss
from lossary.check.inference.stated import claim
from lossary.check.report import screen
from lossary.check.report.report import LossReport, Report
from lossary.check.run.ask import Finding, Outcome
from lossary.define.claims.curve import Convex
from lossary.define.claims.slope import Lipschitz
from lossary.errors import ParameterError, UnknownNameError
from lossary.ops import seeds

FINDING = Finding(
    code="LSY204",
    rule="overflow-exp-cosh-square",
    severity="error",
    loss="focal_loss",
    path="losses.py",
    line=12,
    message="gradient is nan at input = 104, target = 1",
    promise="Where the value is finite, so is the gradient.",
    reproducer="import torch; from losses import focal_loss\n"
    "x = torch.tensor([104.0]).requires_grad_(); focal_loss(x, torch.tensor([1.0])).sum().backward()\n"
    "print(x.grad)",
    observed="tensor([nan])",
    help="(1 - p)**0.5 has no slope at p = 1: write it in log space, or use lossary.torch.Focal(gamma=0.5)",
)
INFERRED = ("PyTorch function (input, target)", "binary", "logits", "mean")


def reported(*findings: Finding, **more: Any) -> LossReport:
    outcomes = [Outcome(each.code, "failed", each) for each in findings]
    outcomes += [Outcome("LSY001", "passed"), Outcome("LSY205", "skipped", reason="its targets are numbers")]
    return LossReport("focal_loss", "losses.py", 12, INFERRED, tuple(outcomes), 1.25, **more)


def test_the_screen_answers_first_and_ends_with_what_to_do() -> None:
    text = Report((reported(FINDING),), 1.34).text()
    assert text == (
        "focal_loss: PyTorch function (input, target), binary, logits, mean [inferred]\n"
        "\n"
        "losses.py:12  LSY204 error    gradient is nan at input = 104, target = 1\n"
        "    promised   where the value is finite, so is the gradient\n"
        "    reproduce  import torch; from losses import focal_loss\n"
        "               x = torch.tensor([104.0]).requires_grad_()\n"
        "               focal_loss(x, torch.tensor([1.0])).sum().backward()\n"
        "               print(x.grad)  # tensor([nan])\n"
        "    help       (1 - p)**0.5 has no slope at p = 1: write it in log space, or use\n"
        "               lossary.torch.Focal(gamma=0.5).  lossary show LSY204\n"
        "\n"
        "1 error, 0 warnings · 2 of 3 rules apply · 1.3 s\n"
    )


def test_errors_come_first_and_expected_failures_do_not_count() -> None:
    warning = dataclasses.replace(FINDING, code="LSY002", severity="warning")
    expected = Outcome("LSY301", "expected", dataclasses.replace(FINDING, code="LSY301"), reason="by design")
    loss = reported(warning, FINDING)
    loss = dataclasses.replace(loss, outcomes=(*loss.outcomes, expected))
    report = Report((loss, reported()), 2.0)
    assert [each.code for each in report.findings] == ["LSY204", "LSY002"]
    assert (len(report.errors), len(report.warnings), report.ok) == (1, 1, False)
    assert report.text().endswith("2 losses · 1 error, 1 warning, 1 expected · 5 of 7 rules apply · 2.0 s\n")
    verbose = report.text(verbose=True)
    assert "    passed: LSY001" in verbose
    assert "    does not apply: its targets are numbers: LSY205" in verbose
    assert "    fails as expected: by design: LSY301" in verbose


def test_losses_without_findings_stand_close_together() -> None:
    text = Report((reported(), reported(), reported(FINDING), reported()), 1.0).text()
    blocks = text.split("\n\n")
    assert [block.count("[inferred]") for block in blocks] == [2, 1, 0, 1, 0]


@pytest.mark.parametrize(
    "line",
    [
        "print(loss(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])))",
        "import sys; sys.path.insert(0, 'a/rather/long/folder'); from losses import a_loss_with_a_long_name",
        "print(loss('a text with so many words that nobody may break it, for it would be another', 'text'))",
    ],
)
def test_long_code_is_broken_where_it_stays_the_same(line: str) -> None:
    finding = dataclasses.replace(FINDING, reproducer=line, observed="3.25")
    lines = screen.pasted(finding)
    assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(line))
    assert lines[-1].endswith("# 3.25")
    assert "words" in line or max(map(len, lines)) <= 65


def test_headings_are_marked_where_there_is_a_terminal() -> None:
    text = Report((reported(FINDING),), 1.0).text(heading=lambda title: f"<{title}>")
    assert text.startswith("<focal_loss>: PyTorch function")
    assert "losses.py:12  <LSY204 error  >  gradient" in text


def test_annotations_are_escaped_as_github_wants_it() -> None:
    finding = dataclasses.replace(FINDING, path="a,b:c%.py", message="50 % off", reproducer="")
    assert Report((reported(finding),), 1.0).annotations() == (
        "::error file=a%2Cb%3Ac%25.py,line=12,title=LSY204 overflow-exp-cosh-square::focal_loss: 50 %25 off%0A"
        "promised: Where the value is finite, so is the gradient.%0A"
        f"help: {FINDING.help}\n"
    )


def broadcasts(prediction: Any, target: Any) -> Any:
    return np.abs(prediction - target).mean()


def test_check_loss_reports_and_raises_nothing() -> None:
    report = check_loss(broadcasts, select=["LSY001", "LSY101", "LSY102"], ignore=["length-mismatch-raises"], seed=4)
    (loss,) = report.losses
    assert [each.rule for each in loss.outcomes] == ["LSY001", "LSY101"]
    assert [each.code for each in report.errors] == ["LSY101"]
    assert (loss.path.endswith("test_check_report.py"), loss.line) == (True, broadcasts.__code__.co_firstlineno)
    assert str(report) == report.text()
    assert json.loads(report.to_json()) == json.loads(json.dumps(report.as_dict()))
    finding = report.errors[0]
    printed: list[str] = []
    known = {"broadcasts": broadcasts, "print": lambda *values: printed.append(" ".join(map(str, values)))}
    exec(finding.reproducer, known)
    assert " ".join(printed[-1].split()) == finding.observed


def test_what_a_loss_sets_for_the_process_does_not_outlast_its_check() -> None:
    import torch

    def widening_loss(input: Any, target: Any) -> Any:
        torch.set_default_dtype(torch.float64)
        return ((input - target) ** 2).mean()

    check_loss(widening_loss, framework="torch", select=["LSY001"])
    assert torch.get_default_dtype() == torch.float32


def drawn(framework: str) -> list[float]:
    """Two random numbers of whatever a process seeds."""
    if framework == "keras":
        import keras

        return [float(keras.ops.convert_to_numpy(keras.random.uniform(()))) for _ in range(2)]
    if framework == "tensorflow":
        import tensorflow

        return [float(tensorflow.random.uniform(())) for _ in range(2)]
    if framework == "torch":
        import torch

        return torch.rand(2).tolist()
    return [random.random(), float(np.random.random())]


@pytest.mark.parametrize("framework", ["python", "torch", "tensorflow", "keras"])
def test_random_numbers_go_on_after_a_check_as_if_nothing_had_been(framework: str) -> None:
    """Also where the loss, and the check, draw the same ones with the same seed."""
    import keras
    import torch

    def seed() -> None:
        keras.utils.set_random_seed(3)
        torch.manual_seed(3)

    def noisy_loss(y_true: Any, y_pred: Any) -> Any:
        seed()
        noise = sum(drawn(framework)[0] for _ in range(3))
        return keras.ops.mean((y_true - y_pred) ** 2, axis=-1) + noise

    with seeds.kept():
        seed()
        wanted = [drawn(framework) for _ in range(2)]
        seed()
        assert drawn(framework) == wanted[0]
        assert check_loss(noisy_loss, framework="keras", select=["LSY001", "LSY602"]).losses
        assert drawn(framework) == wanted[1]


def test_expected_failures_of_check_loss() -> None:
    told = {"select": ["LSY101"], "expected_failures": {"silent-broadcast": "shapes are compared elsewhere"}}
    report = check_loss(broadcasts, **told)
    assert report.ok
    assert [each.status for each in report.losses[0].outcomes] == ["expected"]

    stale = check_loss(broadcasts, select=["LSY001"], expected_failures={"LSY001": "it used to"})
    assert [each.message for each in stale.errors] == ["was expected to fail for any loss (it used to), but passes"]
    left_out = check_loss(broadcasts, select=["LSY403"], expected_failures={"LSY403": "why not"})
    assert left_out.errors[0].message.startswith("was expected to fail (why not), but is not asked: ")
    assert check_loss(broadcasts, select=["LSY001"], expected_failures={"LSY101": "not asked today"}).ok
    with pytest.raises(UnknownNameError, match="there is no rule 'LSY999'"):
        check_loss(broadcasts, expected_failures={"LSY999": "reason"})
    with pytest.raises(ParameterError, match="without a reason"):
        check_loss(broadcasts, expected_failures={"LSY101": " "})


def test_claims_and_formulas_are_held_to() -> None:
    def cubed(prediction: Any, target: Any) -> Any:
        return (np.abs(prediction - target) ** 3).mean()

    right = check_loss(cubed, select=["LSY301"], formula="abs(p - y) * (p - y) * (p - y) * (2.0 * (p > y) - 1.0)")
    assert right.losses[0].outcomes[0].status == "skipped" or right.ok
    wrong = check_loss(cubed, select=["LSY301"], formula="(p - y) * (p - y)")
    assert not wrong.ok
    assert check_loss(cubed, select=["convex"], claims=["convex"]).ok
    for bad, said in (("log(", "no expression"), ("p + nothing", "no word 'nothing'")):
        with pytest.raises(ParameterError, match=said):
            check_loss(cubed, formula=bad, precision=True, select=["LSY301"])


def test_properties_by_name() -> None:
    assert claim("convex") == Convex()
    assert claim("lipschitz=2.5") == Lipschitz(2.5)
    for word, said in (
        ("convexx", "did you mean convex"),
        ("lipschitz", "lipschitz=NUMBER"),
        ("convex=1", "convex, without a number"),
        ("lipschitz=big", "must be a number"),
    ):
        with pytest.raises(ParameterError, match=said):
            claim(word)
