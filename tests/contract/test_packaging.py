"""What pyproject.toml promises: that extras bring what is imported, and that versions are what was run."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "lossary"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = {
    canonicalize_name(name): Version(version)
    for name, version in (line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
}
OWNERS = metadata.packages_distributions()
# Asked for by name, where somebody brings what belongs to it: tests, a metric of that library.
BROUGHT = {"pytest", "torchmetrics"}


def brought_by(*extras: str) -> dict[str, Requirement]:
    """Everything that the extras list, those of other extras included."""
    found = {}
    for text in [x for extra in extras for x in PROJECT["optional-dependencies"][extra]] + PROJECT["dependencies"]:
        requirement = Requirement(text)
        inner = brought_by(*requirement.extras) if requirement.name == "lossary" else {}
        found |= inner or {canonicalize_name(requirement.name): requirement}
    return found


def imported(folder: Path, *, at_once: bool) -> dict[str, str]:
    """Distribution → a file that imports it; `at_once` for what is imported when the file is."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        body = ast.parse(path.read_text())
        nodes = _at_once(body.body) if at_once else ast.walk(body)
        for node in nodes:
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for root in {name.partition(".")[0] for name in names} - {"lossary"} - sys.stdlib_module_names:
                # TensorFlow comes by two names; the extra says the usual one.
                owner = canonicalize_name(OWNERS.get(root, [root])[0]).removesuffix("-cpu")
                found[owner] = str(path.relative_to(PACKAGE))
    return found


def _at_once(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.With):
            yield from _at_once(node.body)


def test_all_that_is_imported_is_declared() -> None:
    users = [extra for extra in PROJECT["optional-dependencies"] if extra != "dev"]
    undeclared = {k: v for k, v in imported(PACKAGE, at_once=False).items() if k not in brought_by(*users)}
    assert {name: undeclared[name] for name in undeclared.keys() - BROUGHT} == {}


@pytest.mark.parametrize(("folder", "extra"), [("compare", "cli"), ("check", "check"), ("losses", "check")])
def test_an_extra_brings_what_its_package_imports(folder: str, extra: str) -> None:
    own = [path for path in (PACKAGE / folder).iterdir() if path.is_dir()] + [PACKAGE / folder]
    found = {name: file for path in own for name, file in imported(path, at_once=True).items()}
    # A framework's own part is imported by whoever has that framework.
    found = {name: file for name, file in found.items() if not re.search(r"(backends|trainers)/(\w+)\.py", file)}
    assert {name: file for name, file in found.items() if name not in brought_by(extra)} == {}


def test_every_lower_bound_can_be_had_and_is_below_what_the_tests_run() -> None:
    for name, requirement in brought_by(*PROJECT["optional-dependencies"]).items():
        if name == "tensorflow":  # the tests run its build for the CPU
            continue
        (bound,) = requirement.specifier
        assert bound.operator == ">="
        assert Version(bound.version) <= PINNED[name], name


def test_development_installs_tensorflow_for_the_cpu_only() -> None:
    assert "tensorflow-cpu" in brought_by("dev")
    assert "tensorflow" not in brought_by("dev")
    assert "tensorflow" not in PINNED
    assert "tensorflow-cpu" not in brought_by("tensorflow"), "a second TensorFlow beside a user's"


def test_the_minimum_is_read_from_the_project() -> None:
    spec = importlib.util.spec_from_file_location("minimum", ROOT / "scripts" / "minimum.py")
    assert spec is not None
    assert spec.loader is not None
    minimum = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(minimum)
    for extra in PROJECT["optional-dependencies"]:
        wanted = {name: each.specifier for name, each in brought_by(extra).items()}
        for pin in minimum.pins(extra):
            name, version = pin.split("==")
            name = canonicalize_name(name)
            bound = wanted.pop(name, None) or wanted.pop(canonicalize_name(name.removesuffix("-cpu")))
            assert str(bound) == f">={version}"
        assert not wanted
