"""Run reproducers one after the other, in this one process, each as if it were the first.

python scripts/reproduce.py < reproducers.json > printed.json

Both are lists of texts: the statements, and what each of them printed; an exception that ended one counts as printed.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from typing import Any


def printed(code: str) -> str:
    """What the statements print, on one line."""
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", False)  # another one may have switched it on
    known: dict[str, Any] = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(code, known)  # noqa: S102  # it is what a report tells people to paste
        except Exception as error:
            first = next(iter(str(error).strip().splitlines()), "")
            print(f"{type(error).__name__}: {first}"[:200])
    return " ".join(said.getvalue().split())


if __name__ == "__main__":
    json.dump([printed(code) for code in json.load(sys.stdin)], sys.stdout)
