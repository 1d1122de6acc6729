"""The documentation cannot rot: its Python runs, its screens come out as printed, its links lead somewhere.

    ```python    is run
    ```pycon     is a doctest
    ```console   `$ lossary list …`, `show …` and `suggest …` must print what stands below them; others are not run

The blocks of one file are one session, from top to bottom.
"""

from __future__ import annotations

import doctest
import pathlib
import re
import shlex
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)[^)]*\)")
FRAMEWORKS = ("torch", "keras", "tensorflow", "jax", "sklearn", "torchmetrics")


def blocks(page: pathlib.Path) -> list[tuple[str, int, str]]:
    text = page.read_text(encoding="utf-8")
    return [(match[1], text.count("\n", 0, match.start()) + 1, match[2]) for match in BLOCK.finditer(text)]


def with_blocks(*languages: str) -> list[Any]:
    found = [page for page in PAGES if any(language in languages for language, _, _ in blocks(page))]
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in found]


@pytest.mark.parametrize("page", with_blocks("python", "pycon"))
def test_python_runs_as_printed(page, monkeypatch):
    code = "\n".join(text for language, _, text in blocks(page) if language in {"python", "pycon"})
    for framework in FRAMEWORKS:
        if re.search(rf"\b{framework}\b", code):
            pytest.importorskip(framework)
    monkeypatch.syspath_prepend(ROOT / "examples")
    np.random.seed(0)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for language, line, text in blocks(page):
        if language == "python":
            exec(compile("\n" * line + text, str(page), "exec"), namespace)
        elif language == "pycon":
            session = doctest.DocTestParser().get_doctest(text, namespace, page.name, str(page), line)
            session.globs = namespace
            report: list[str] = []
            runner.run(session, out=report.append, clear_globs=False)
            assert not report, "".join(report)


@pytest.mark.parametrize("page", with_blocks("console"))
def test_screens_come_out_as_printed(page, monkeypatch):
    from lossary.cli import app
    from lossary.define import registry

    monkeypatch.setattr(registry, "users", lambda: ())  # other tests have defined some
    for language, line, text in blocks(page):
        for command, screen in re.findall(r"^\$ lossary (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            arguments = shlex.split(command, comments=True)
            if language == "console" and arguments[0] in {"list", "show", "suggest"} and screen.strip():
                result = CliRunner().invoke(app, arguments)
                assert result.output.strip() == screen.strip(), f"{page.name}:{line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    missing = [link for link in LINK.findall(prose) if not (page.parent / link).exists()]
    assert not missing


def test_the_catalogue_has_a_page_for_each_loss():
    from lossary import catalogue

    names = {path.stem for path in (ROOT / "docs" / "catalogue").glob("*.md")} - {"README"}
    assert names == {cls.__module__.rpartition(".")[2] for cls in catalogue.classes()}


def test_every_rule_has_a_page():
    from lossary.check.rulebook.rule import rules

    names = {path.stem for path in (ROOT / "docs" / "rules").glob("*.md")} - {"README"}
    assert names == {each.code for each in rules()}
