"""`python -m lossary` and the `lossary` command: the command line, or one sentence on how to install it."""

from __future__ import annotations

import sys


def main() -> None:
    try:
        from lossary.cli import app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "lossary":
            raise
        print(f"error: the lossary command needs {error.name}: pip install 'lossary[cli]'", file=sys.stderr)
        sys.exit(2)
    app()


if __name__ == "__main__":
    main()
