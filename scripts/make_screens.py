"""Rewrite the screens in the documentation: what `$ lossary list …`, `show …` and `suggest …` print.

```console
$ lossary show huber
(rewritten)
```
"""

from __future__ import annotations

import pathlib
import re
import shlex
import sys
from collections.abc import Iterator

from typer.testing import CliRunner

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ lossary (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
RUN = {"list", "show", "suggest"}  # what is fast, and the same in every run


def screens(page: pathlib.Path) -> Iterator[tuple[int, str, str]]:
    """Where each screen's text begins in a page, the text, and what the command prints today."""
    from lossary.cli import app

    whole = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(whole):
        for found in COMMAND.finditer(block[1]):
            arguments = shlex.split(found[1], comments=True)
            if arguments[0] in RUN and found[2].strip():
                printed = CliRunner().invoke(app, arguments).output.strip("\n")
                yield block.start(1) + found.start(2), found[2], printed + "\n"


def main() -> None:
    """Rewrite every page; --check only says which are stale, and exits 1 where one is."""
    stale = []
    for page in PAGES:
        whole, text = page.read_text(encoding="utf-8"), ""
        end = 0
        for start, old, new in screens(page):
            text += whole[end:start] + (new if new.strip() != old.strip() else old)
            end = start + len(old)
        text += whole[end:]
        if text != whole:
            stale.append(page)
            if "--check" not in sys.argv:
                page.write_text(text, encoding="utf-8")
                print(f"wrote {page.relative_to(ROOT)}")
    if stale and "--check" in sys.argv:
        raise SystemExit(f"stale: {', '.join(str(page.relative_to(ROOT)) for page in stale)}; make index")


if __name__ == "__main__":
    main()
