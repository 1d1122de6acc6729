"""The check command: what is found in files, folders and modules, how it is told, and how bad usage ends."""

from __future__ import annotations

import importlib.resources
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from lossary.cli import app

RIGHT = """
    import numpy as np

    def squared_error(prediction, target):
        if np.shape(prediction) != np.shape(target):
            raise ValueError(f"prediction {np.shape(prediction)} and target {np.shape(target)} must have one shape")
        return ((prediction - target) ** 2).mean()
"""
WRONG = """
    def squared_error(prediction, target):
        return ((prediction - target) ** 2).mean()
"""
SHAPES = ("--select", "LSY001", "--select", "silent-broadcast")


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(name: str, code: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    return name


def check(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check", *arguments])


def found(*arguments: str, code: int) -> dict[str, Any]:
    """The JSON of a command that runs."""
    done = check(*arguments, "--output-format", "json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # an object, as the schema says


def test_a_right_loss_passes_and_the_first_line_says_what_is_run() -> None:
    done = check(written("losses.py", RIGHT), *SHAPES)
    assert done.exit_code == 0, done.output
    first, second, *_ = done.stdout.splitlines()
    assert first == "losses.py is imported and run in a child process."
    assert second.startswith("squared_error: NumPy function (prediction, target), regression, mean")
    assert "0 errors, 0 warnings · 2 of 2 rules apply" in done.stdout


def test_a_finding_names_the_place_and_its_code_shows_it_as_pasted() -> None:
    file = written("losses.py", WRONG)
    done = check(f"{file}::squared_error", *SHAPES)
    assert done.exit_code == 1
    assert "losses.py:2  LSY101 error    (4, 1) against (4,) gave" in done.stdout
    assert all(f"\n    {label} " in done.stdout for label in ("promised", "reproduce", "help"))
    assert "lossary show LSY101" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    report = found(file, *SHAPES, code=1)
    finding = report["losses"][0]["outcomes"][1]["finding"]
    assert len(finding["reproducer"].splitlines()) <= 3
    ran = subprocess.run([sys.executable, "-c", finding["reproducer"]], capture_output=True, text=True, check=True)
    assert " ".join(ran.stdout.split()) == finding["observed"]


def test_json_is_as_its_schema_says_and_the_same_seed_has_the_same_findings() -> None:
    schema = json.loads((importlib.resources.files("lossary.check.report") / "schema.json").read_text(encoding="utf-8"))
    reports = [found(written("losses.py", WRONG), "--seed", "3", "--precision", code=1) for _ in range(2)]
    for report in reports:
        jsonschema.validate(report, schema)
        report["seconds"] = report["losses"][0]["seconds"] = 0
    assert reports[0] == reports[1]
    assert reports[0]["seed"] == 3
    assert reports[0]["losses"][0]["precision"]["data"]["loss"] == "squared_error"


def test_annotations_for_github_are_one_line_each() -> None:
    done = check(written("losses.py", WRONG), *SHAPES, "--output-format", "github")
    assert done.exit_code == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith("::error file=losses.py,line=2,title=LSY101 silent-broadcast::squared_error: (4, 1) against")
    assert "%0Ahelp: " in line


def test_folders_and_classes_with_arguments() -> None:
    written("losses/right.py", RIGHT)
    written(
        "losses/wrong.py",
        """
        class Scaled:
            def __init__(self, scale):
                self.scale = scale

            def __call__(self, prediction, target):
                return (self.scale * (prediction - target) ** 2).mean()
        """,
    )
    written("losses/test_losses.py", "raise SystemExit('tests are not run')")
    done = check("losses", "--arg", "scale=2.0", *SHAPES)
    assert done.exit_code == 1, done.output
    assert "losses is imported and run" in done.stdout
    assert "squared_error: " in done.stdout
    assert "wrong.py:2  LSY101" in done.stdout
    assert "2 losses · 1 error, 0 warnings · 4 of 4 rules apply" in done.stdout


def test_what_is_told_stands_in_place_of_what_would_be_inferred() -> None:
    file = written("losses.py", "def loss(a, b):\n    return abs(a - b).mean() + 0 * b.sum()\n")
    told = ("--order", "target", "--task", "regression", "--reduction", "mean", "--framework", "numpy")
    report = found(f"{file}::loss", *told, "--select", "LSY001", "--select", "LSY505", code=0)
    assert report["losses"][0]["inferred"][0].endswith("(a, b)")


def test_warnings_count_where_they_are_to() -> None:
    file = written("losses.py", RIGHT.replace("return", "print('loss')\n        return"))
    assert check(file, "--select", "LSY002").exit_code == 0
    assert check(file, "--select", "LSY002", "--strict").exit_code == 1


def test_expected_failures_are_strict() -> None:
    file = written("losses.py", WRONG)
    done = check(file, *SHAPES, "--expect", "LSY101=it is called with equal shapes only", "--verbose")
    assert done.exit_code == 0, done.output
    assert "1 expected" in done.stdout
    assert "equal shapes only: LSY101" in " ".join(done.stdout.split())
    done = check(written("losses.py", RIGHT), *SHAPES, "--expect", "LSY101=no longer so")
    assert done.exit_code == 1
    assert "was expected to fail for any loss (no longer so), but passes" in " ".join(done.stdout.split())


def test_the_configuration_holds_and_the_command_line_wins() -> None:
    written("losses.py", WRONG)
    written("other/losses.py", WRONG)
    written(
        "pyproject.toml",
        """
        [tool.lossary.check]
        select = ["LSY101"]
        seed = 5

        [tool.lossary.check.expected-failures]
        "losses.py::squared_error" = { silent-broadcast = "shapes are compared elsewhere" }
        """,
    )
    report = found("losses.py", code=0)
    assert [each["rule"] for each in report["losses"][0]["outcomes"]] == ["LSY101"]
    assert report["seed"] == 5
    assert report["losses"][0]["outcomes"][0]["status"] == "expected"
    report = found("other/losses.py", "--seed", "6", "--select", "LSY1", code=1)
    assert report["seed"] == 6
    assert len(report["losses"][0]["outcomes"]) > 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("strikt = true", "has no key 'strikt'. Hint: did you mean strict?"),
        ("strict = 'yes'", "strict must be true or false. Received: 'yes'."),
        ("select = 'LSY101'", "select must be a list of texts. Received: 'LSY101'."),
        ("seed = -1", "the seed must be 0 or more, not -1."),
        ("select = ['LSY999']", "there is no rule 'LSY999'."),
        ("expected-failures = {LSY101 = 'reason'}", "expected-failures must be a table such as"),
        ("select = ", "pyproject.toml is no TOML"),
    ],
)
def test_a_wrong_configuration_is_one_line(table: str, said: str) -> None:
    written("losses.py", RIGHT)
    written("pyproject.toml", f"[tool.lossary.check]\n{table}\n")
    refused("losses.py", said=said)


def refused(*arguments: str, said: str) -> None:
    done = check(*arguments)
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_bad_usage_that_nothing_need_be_run_for() -> None:
    file = written("losses.py", RIGHT)
    refused(file, "--select", "LSY9", said="there is no rule 'LSY9'.")
    refused(file, "--expect", "LSY101", said="--expect is a rule and a reason")
    refused(file, "--expect", "nothing=reason", said="there is no rule 'nothing'.")
    refused(file, "--arg", "delta", said="--arg is name=value")
    refused(file, "--output-format", "xml", said="--output-format must be one of text, json, github")
    refused(file, "--time-limit", "0", said="the time limit must be more than 0 seconds")
    refused(file, "--envelope", "nowhere/out.svg", said="cannot be written")


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("nothing.py", "", "there is no file 'nothing.py'"),
        ("losses.py::huber", WRONG, "losses.py has no 'huber'"),
        ("losses.py::number", "number = 3", "must be a function, a module or a class, not int"),
        ("losses.py", "def loss(:", "losses.py:1: the file is no Python"),
        ("losses.py", "import tnesorflow", "losses.py:1: the file cannot be imported: ModuleNotFoundError"),
        ("losses.py", "raise SystemExit(3)", "losses.py:1: the file cannot be imported: SystemExit"),
        ("losses.py", "import os\nos._exit(3)", "while it was imported, ended the process: exit code 3"),
        ("losses.py", f"{textwrap.dedent(WRONG)}{textwrap.dedent(WRONG)}", "defines squared_error twice"),
        ("losses.py", "x = 1", "defines nothing that looks like a loss"),
        ("mxnet.gluon:Loss", "", "there is no module 'mxnet'"),
    ],
)
def test_bad_usage_is_one_line(target: str, code: str, said: str) -> None:
    if code:
        written("losses.py", code)
    refused(target, said=said)


def test_a_picture_of_the_envelope() -> None:
    done = check(written("losses.py", RIGHT), "--select", "LSY001", "--envelope", "exact.svg")
    assert done.exit_code == 0, done.output
    assert "float32" in done.stdout
    assert "Envelope: exact.svg" in done.stdout
    assert Path("exact.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_ends_the_child_too() -> None:
    written(
        "losses.py",
        """
        import os, pathlib, time

        def loss(prediction, target):
            pathlib.Path("pid").write_text(str(os.getpid()))
            time.sleep(60)
        """,
    )
    command = [sys.executable, "-m", "lossary", "check", "losses.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        pid = Path("pid")
        while running.poll() is None and not (pid.exists() and pid.read_text()):
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert errors.strip() == "interrupted"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_the_pages_of_the_rules() -> None:
    from lossary.check.rulebook.rule import rules

    for each in rules():
        done = CliRunner().invoke(app, ["show", each.code])
        assert done.exit_code == 0, done.output
        lines = done.output.splitlines()
        code = [f"    {line}".rstrip() for side in (each.wrong, each.right) for line in side.splitlines()]
        assert max(len(line) for line in lines if line not in code) <= 80, each.code
        assert lines[0].startswith(f"{each.code} {each.name}")
        words = " ".join(done.output.split())
        assert all(" ".join(text.split()) in words for text in (each.promise, each.remedy, *each.seen))
        assert set(code) <= set(lines)
    assert CliRunner().invoke(app, ["show", "silent-broadcast"]).output.startswith("LSY101 silent-broadcast")
    listed = CliRunner().invoke(app, ["show", "rules"]).output
    assert all(f"{each.code}  {each.severity:<8} {each.name}" in listed for each in rules())
    assert f"{len(rules())} rules." in listed
    unknown = CliRunner().invoke(app, ["show", "LSY999"])
    assert unknown.exit_code == 2
    assert "there is no rule 'LSY999'" in unknown.output
