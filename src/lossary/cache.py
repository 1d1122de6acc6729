"""Where what took long to make is kept for later processes: `LOSSARY_CACHE`, or the user's own cache directory."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from pathlib import Path


@functools.cache
def directory(name: str) -> Path | None:
    """The directory for things of that name; None where there is none that is ours alone to write: machine code will be
    run from there."""
    asked = os.environ.get("LOSSARY_CACHE")
    system = {"darwin": "~/Library/Caches", "win32": os.environ.get("LOCALAPPDATA", "~/AppData/Local")}
    usual = os.environ.get("XDG_CACHE_HOME") or system.get(sys.platform, "~/.cache")
    with contextlib.suppress(OSError, RuntimeError):
        path = (Path(asked) if asked else Path(usual).expanduser() / "lossary") / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not hasattr(os, "getuid"):
            return path
        # Who may write to what it is in may put another in its place.
        if all(each.stat().st_uid == os.getuid() and not each.stat().st_mode & 0o022 for each in (path.parent, path)):
            return path
    return None
