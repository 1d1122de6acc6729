"""`parametrize_with_loss_checks`: a test for each loss and rule, run by a pytest of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lossary.check import parametrize_with_loss_checks
from lossary.errors import UnknownNameError

LOSSES = """
    import numpy as np
    from lossary.check import parametrize_with_loss_checks

    def right(prediction, target):
        if prediction.shape != target.shape:
            raise ValueError("shapes")
        return np.abs(prediction - target).mean()

    def broadcasts(prediction, target):
        print("printed")
        return np.abs(prediction - target).mean()

    class Scaled:
        def __init__(self, scale):
            self.scale = scale

        def __call__(self, prediction, target):
            return self.scale * right(prediction, target)
"""
RULES = 'select=["LSY001", "LSY002", "LSY101", "LSY404"]'


def results(tmp_path: Path, test: str) -> tuple[dict[str, str], str]:
    """Test → its result, and everything that pytest says."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "test_losses.py").write_text(textwrap.dedent(LOSSES) + textwrap.dedent(test), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path).stdout
    return dict(re.findall(r"::test_loss\[(\S+)\] (\w+)", said)), said


def test_one_test_for_each_loss_and_rule(tmp_path: Path) -> None:
    found, said = results(
        tmp_path,
        f"""
        @parametrize_with_loss_checks([right, broadcasts, Scaled(2.0)], {RULES})
        def test_loss(loss, check):
            check(loss)
        """,
    )
    names = ("answers", "quiet", "silent-broadcast", "not-detached")
    wanted = {f"{loss}-{name}": "PASSED" for loss in ("right", "broadcasts", "Scaled") for name in names}
    wanted |= {f"{loss}-not-detached": "SKIPPED" for loss in ("right", "broadcasts", "Scaled")}
    wanted["broadcasts-silent-broadcast"] = "FAILED"
    assert found == wanted
    assert "LSY101 error" in said
    assert "lossary show LSY101" in said
    assert "LossWarning" in said
    assert "it brings no gradient" in said


def test_expected_failures_are_strict(tmp_path: Path) -> None:
    found, said = results(
        tmp_path,
        f"""
        def expected(loss):
            reasons = {{"LSY101": "shapes are compared elsewhere", "not-detached": "it has no gradient"}}
            return reasons | ({{"LSY002": "it prints while it is young"}} if loss is broadcasts else {{}})

        @parametrize_with_loss_checks([right, broadcasts], expected_failures=expected, strict=True, {RULES})
        def test_loss(loss, check):
            check(loss)
        """,
    )
    assert found["broadcasts-silent-broadcast"] == "XFAIL"
    assert found["broadcasts-quiet"] == "XFAIL"
    assert found["right-silent-broadcast"] == "FAILED"
    assert "[XPASS(strict)] shapes are compared elsewhere" in said
    assert found["right-not-detached"] == "FAILED"
    assert "LSY404 was expected to fail, but does not apply" in said


def test_warnings_fail_where_they_are_to(tmp_path: Path) -> None:
    found, _ = results(
        tmp_path,
        f"""
        @parametrize_with_loss_checks([broadcasts], strict=True, {RULES})
        def test_loss(loss, check):
            check(loss)
        """,
    )
    assert found["broadcasts-quiet"] == "FAILED"


def test_rules_that_do_not_exist_are_refused_before_any_test() -> None:
    with pytest.raises(UnknownNameError, match="there is no rule 'LSY999'"):
        parametrize_with_loss_checks([abs], expected_failures={"LSY999": "reason"})
    with pytest.raises(UnknownNameError, match="there is no rule 'LSY8'"):
        parametrize_with_loss_checks([abs], select=["LSY8"])
