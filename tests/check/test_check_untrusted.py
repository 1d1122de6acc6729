"""Whatever a loss does ends as a finding: real children, real crashes."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import Any

import pytest

from lossary.check.inference import stated
from lossary.check.report.report import LossReport, Report
from lossary.check.run import isolated, worker
from lossary.check.run.ask import Finding, Outcome
from lossary.check.run.configuration import Configuration

POSIX = pytest.mark.skipif(os.name != "posix", reason="alarms, limits and signals as POSIX has them")
TOLD = {"task": "regression", "reduction": "mean", "framework": "numpy", "order": "prediction"}


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def checked(code: str, *select: str, **told: Any) -> Report:
    """The report on a file of that code."""
    Path("losses.py").write_text(textwrap.dedent(code), encoding="utf-8")
    return isolated.check(["losses.py"], Configuration(**TOLD, select=select or ("LSY001", "LSY101"), **told))


def messages(report: LossReport) -> dict[str, str]:
    return {finding.code: finding.message for finding in report.findings}


def test_losses_that_do_not_answer_are_asked_nothing_else() -> None:
    report = checked(
        """
        import os, sys

        def raises_loss(prediction, target):
            raise ValueError("no weights")

        def text_loss(prediction, target):
            return "0.5"

        def nothing_loss(prediction, target):
            pass

        def list_loss(prediction, target):
            return [0.5]

        def dictionary_loss(prediction, target):
            return {"loss": 0.5}

        def exit_loss(prediction, target):
            sys.exit("enough")

        def interrupt_loss(prediction, target):
            raise KeyboardInterrupt

        def sudden_exit_loss(prediction, target):
            os._exit(7)

        def right_loss(prediction, target):
            return abs(prediction - target).mean() if prediction.shape == target.shape else [][0]
        """
    )
    said = {each.name.removesuffix("_loss"): messages(each).get("LSY001", "") for each in report.losses}
    beginnings = {
        "raises": "raised ValueError: no weights",
        "text": "returned a str",
        "nothing": "returned None",
        "list": "returned a list",
        "dictionary": "returned a dict",
        "exit": "tried to end the process: SystemExit: enough",
        "interrupt": "tried to end the process: KeyboardInterrupt",
        "sudden_exit": "ended the process: exit code 7",
        "right": "",
    }
    assert said.keys() == beginnings.keys()
    for name, beginning in beginnings.items():
        assert said[name].startswith(beginning), name
    *silent, right = report.losses
    assert not right.findings
    for each in silent:
        assert [outcome.status for outcome in each.outcomes] == ["failed", "skipped"]
        assert each.note == "It does not answer, so nothing else was asked."


@POSIX
def test_hanging_crashing_and_taking_all_memory() -> None:
    report = checked(
        """
        import ctypes, os
        import numpy as np

        def hanging_loss(prediction, target):
            while True:
                pass

        def crashing_loss(prediction, target):
            ctypes.string_at(0)

        def aborting_loss(prediction, target):
            os.abort()

        def huge_loss(prediction, target):
            return np.ones(10**10).mean()

        def growing_loss(prediction, target):
            kept = [np.ones(1)]
            while True:
                kept.append(np.zeros(2 * kept[-1].size))
        """,
        "LSY001",
        time_limit=2.0,
    )
    said = {each.name.removesuffix("_loss"): messages(each)["LSY001"] for each in report.losses}
    assert said.pop("hanging") == "did not come to an end in 2 s"
    assert said.pop("crashing") == "ended the process: SIGSEGV"
    assert said.pop("aborting") == "ended the process: SIGABRT"
    assert all("MemoryError" in message for message in said.values()), said
    assert len(said) == 2


@POSIX
def test_a_rule_that_costs_the_child_does_not_cost_the_next_rule() -> None:
    report = checked(
        """
        import ctypes, time

        def stubborn_loss(prediction, target):
            while prediction.shape != target.shape:
                try:
                    time.sleep(10)
                except BaseException:  # the alarm's
                    pass
            if prediction.size == 0:
                ctypes.string_at(0)
            return abs(prediction - target).mean()
        """,
        *("LSY001", "LSY101", "LSY108", "LSY113", "LSY114"),
        time_limit=0.5,
    )
    (loss,) = report.losses
    said = messages(loss)
    assert said["LSY101"] == "did not come to an end in 5.5 s, and had to be stopped"
    assert said["LSY113"] == "ended the process: SIGSEGV"
    passed = [each.rule for each in loss.outcomes if each.status == "passed"]
    assert passed == ["LSY001", "LSY108", "LSY114"]
    assert not loss.note


def test_a_loss_that_costs_three_children_is_given_up() -> None:
    report = checked(
        """
        import os
        import numpy as np

        def fragile_loss(prediction, target):
            if prediction.shape != target.shape or not prediction.size or np.isnan(prediction + target).any():
                os._exit(1)
            return abs(prediction - target).mean()
        """,
        *("LSY001", "LSY101", "LSY102", "LSY113", "LSY206"),
    )
    (loss,) = report.losses
    assert messages(loss) == dict.fromkeys(("LSY101", "LSY102", "LSY113"), "ended the process: exit code 1")
    assert loss.outcomes[-1].reason == "the loss has cost 3 processes already"
    assert loss.note == "It has cost 3 processes, so the rest was not asked."


def test_what_is_printed_reaches_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    report = checked(
        """
        import os, subprocess, sys, warnings

        print("imported")

        def loud_loss(prediction, target):
            print("printed")
            os.write(1, b"written to 1\\n")
            os.write(2, b"written to 2\\n")
            subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
            warnings.warn("warned")
            return abs(prediction - target).mean()
        """,
        *("LSY001", "LSY002"),
    )
    assert messages(report.losses[0]) == {"LSY002": "prints 'printed'"}
    assert capfd.readouterr() == ("", "")


def test_changed_inputs_and_seeds_stay_with_the_rule() -> None:
    code = """
        import random
        import numpy as np

        def meddling_loss(prediction, target):
            if prediction.shape != target.shape:
                raise ValueError("shapes")
            random.seed(1)
            np.random.seed(2)
            prediction *= 2
            return abs(prediction / 2 - target).mean() + np.random.rand()
        """
    first, second = (checked(code, "LSY001", "LSY108", "LSY601", "LSY602") for _ in range(2))
    assert "LSY601" in messages(first.losses[0])
    assert [each.outcomes for each in first.losses] == [each.outcomes for each in second.losses]


def test_a_loss_that_cannot_be_told_does_not_stop_the_others() -> None:
    Path("losses.py").write_text(
        textwrap.dedent(
            """
            def constant_loss(prediction, target):
                return 0.0 * prediction.sum()

            def right_loss(prediction, target):
                if prediction.shape != target.shape:
                    raise ValueError("shapes")
                return abs(prediction - target).mean()
            """
        ),
        encoding="utf-8",
    )
    report = isolated.check(["losses.py"], Configuration(framework="numpy", select=("LSY101",)))
    unchecked, right = report.losses
    assert report.unchecked == (unchecked,)
    assert unchecked.note.startswith("Not checked: what constant_loss is for cannot be told")
    assert [each.status for each in right.outcomes] == ["passed"]


def test_whatever_comes_of_asking_a_rule_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*asked: Any) -> Outcome:
        raise SystemExit(3)

    def loss(prediction: Any, target: Any) -> Any:
        return ((prediction - target) ** 2).mean()

    monkeypatch.setattr(worker, "ask", ended)
    asked = worker.Worker()
    asked._subject = stated.subject(loss, **TOLD)
    said = asked.answer({"ask": "outcome", "rule": "LSY101"})
    outcome = Outcome(**{**said, "finding": Finding(**said.pop("finding"))})
    assert (outcome.rule, outcome.status) == ("LSY101", "failed")
    assert outcome.finding is not None
    assert "SystemExit" in outcome.finding.message
