"""Pages of docs/ that are written from the code, and what they are made of."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterable, Mapping

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"


def update(folder: str, wanted: Mapping[str, str]) -> int:
    """Make the Markdown files of a folder those that are wanted; with --check, say which are not. The exit code."""
    found = {path.name: path.read_text() for path in (DOCS / folder).glob("*.md")}
    stale = [name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)]
    for name in sorted(stale):
        path = DOCS / folder / name
        if "--check" in sys.argv:
            print(f"docs/{folder}/{name} is stale: run `make index`")
        elif name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name])
            print(f"wrote docs/{folder}/{name}")
        else:
            path.unlink()
            print(f"removed docs/{folder}/{name}")
    return int(bool(stale)) if "--check" in sys.argv else 0


def bullets(title: str, entries: tuple[str, ...]) -> str:
    """A list under a title; nothing, where there is nothing to list."""
    return "\n".join([f"{title}:\n", *(f"- {entry}" for entry in entries), ""]) if entries else ""


def table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [titles, tuple("---" for _ in titles), *(tuple(cell.replace("|", r"\|") for cell in row) for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"
