"""`lossary new`: what it writes works as it stands, and nothing that exists is touched."""

from __future__ import annotations

import ast
import collections
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lossary.cli import app
from lossary.new import FRAMEWORKS

DEFINED = {"torch": "LogRatio", "keras": "LogRatio", "jax": "log_ratio", "all": "LogRatio"}
INSTALLED = [each for each in FRAMEWORKS if each == "all" or importlib.util.find_spec(each)]
SLOW = ("keras", "jax")
WRONG = "wrong"  # a file with a fault in it


def written(directory: pathlib.Path, framework: str, *more: str, file: str = "log_ratio.py") -> pathlib.Path:
    path = directory / file
    result = CliRunner().invoke(app, ["new", str(path), "--framework", framework, *more])
    assert result.exit_code == 0, result.output
    return path


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["new", *arguments])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def run(directory: pathlib.Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    line = [sys.executable, "-m", *command]
    return subprocess.run(
        line, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def defined(path: pathlib.Path) -> list[str]:
    return [each.name for each in ast.parse(path.read_text()).body if isinstance(each, ast.ClassDef | ast.FunctionDef)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What is written for each framework, side by side, and once more with a fault in it."""
    directory = tmp_path_factory.mktemp("new")
    found = {each: written(directory, each, "--name", DEFINED[each], file=f"for_{each}.py") for each in INSTALLED}
    found[WRONG] = path = written(directory, "all", "--name", "Wrong", file="for_nobody.py")
    path.write_text(path.read_text().replace("-2 * self.level * error", "-3 * self.level * error"))
    return found


@pytest.fixture(scope="module")
def tested(files):
    """File → test → its result, of one pytest for all; and what that says."""
    said = run(files[WRONG].parent, "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--tb=short").stdout
    results: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for result, file, test in re.findall(r"^(PASSED|FAILED|ERROR) test_(\w+\.py)(?:::(\S+))?", said, re.MULTILINE):
        results[file][test] = result
    return results, said


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_its_own_tests_pass(framework, files, tested):
    if framework not in files:
        pytest.skip(f"{framework} is not installed")
    results, said = tested
    assert defined(files[framework]) == [DEFINED[framework]]
    assert len(results[files[framework].name]) > 1, said
    assert set(results[files[framework].name].values()) == {"PASSED"}, said


def test_its_test_finds_what_is_wrong(files, tested):
    """The test that is written beside the loss is no decoration."""
    results, said = tested
    assert results[files[WRONG].name]["test_values_by_hand"] == "FAILED", said


@pytest.mark.parametrize("frameworks", [("torch", "all"), pytest.param(SLOW, marks=pytest.mark.thorough)], ids="-".join)
def test_it_passes_the_check(frameworks, files):
    asked = [each for each in frameworks if each in files]
    result = run(files[WRONG].parent, "lossary", "check", *(files[each].name for each in asked))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 errors" in result.stdout
    assert f"{len(asked)} losses" in result.stdout


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_name(framework, tmp_path):
    path = written(tmp_path, framework, "--name", "Tilted")
    assert defined(path) == ["Tilted"]
    test = path.with_name("test_log_ratio.py").read_text()
    assert "from log_ratio import Tilted\n" in test
    assert "{{" not in path.read_text() + test
    compile(test, "test", "exec")


def test_it_says_what_to_do_next(tmp_path):
    path = tmp_path / "mine.py"
    result = CliRunner().invoke(app, ["new", str(path)])
    for line in (str(path), str(tmp_path / "test_mine.py"), f"lossary check {path}", f"pytest {tmp_path}/test_mine.py"):
        assert line in result.stdout


@pytest.mark.parametrize("there", ["mine.py", "test_mine.py"])
def test_nothing_is_overwritten(there, tmp_path):
    (tmp_path / there).write_text("precious")
    assert "exists already" in refused(str(tmp_path / "mine.py"))
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {there: "precious"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["my-loss.py"], "cannot be imported"),
        (["class.py"], "cannot be imported"),
        (["7.py"], "cannot be imported"),
        (["loss.txt"], "must end in .py"),
        (["torch.py"], "would hide the package torch"),
        (["random.py"], "would hide the package random"),
        (["test_mine.py"], "taken for a test"),
        (["nowhere/mine.py"], "no folder"),
        (["mine.py", "--framework", "mxnet"], "torch, keras, jax, all"),
        (["mine.py", "--name", "my loss"], "--name must be"),
        (["mine.py", "--name", "lambda"], "--name must be"),
        (["mine.py", "--name", "Pointwise"], "needs itself"),
        (["mine.py", "--framework", "torch", "--name", "nn"], "needs itself"),
    ],
    ids=str,
)
def test_bad_usage_is_one_line(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in refused(*arguments)
    assert not list(tmp_path.iterdir())


def test_templates_are_packaged():
    from importlib import resources

    names = {each.name for each in (resources.files("lossary") / "templates").iterdir()}
    assert names == {f"{kind}{framework}.py.jinja" for kind in ("", "test_") for framework in FRAMEWORKS}
