"""The file that the page is written to."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from lossary.compare.data import Data
from lossary.compare.report.result import Result
from lossary.errors import DataError

_LONGEST = 30  # characters of a name or a target in a file's name


def html_name(data: Data) -> str:
    """`houses.csv` and its column `price` make `houses.price.html`, whatever characters they are written with."""
    parts = (re.sub(r"[^\w-]+", "_", part).strip("_-")[:_LONGEST] for part in (Path(data.name).stem, data.target))
    return ".".join([*(part or "_" for part in parts), "html"])


def write_html(result: Result, path: Path | None = None) -> str:
    """Write the page, and return the line that says where it is.

    Args:
        path: where to; a name made from the data, in the working directory or else in a temporary one, otherwise.

    Raises:
        DataError: `path` cannot be written.
    """
    destination, page = path or Path(html_name(result.plan.profile.data)), result.to_html()
    try:
        destination.write_text(page, encoding="utf-8")
        return f"Report: {destination}"
    except OSError as error:
        reason = f"{destination} cannot be written: {error.strerror or error}"
    if path is not None:
        raise DataError(f"{reason}.")
    try:
        elsewhere = Path(tempfile.mkdtemp(prefix="lossary-")) / destination
        elsewhere.write_text(page, encoding="utf-8")
    except OSError as error:
        return f"No report was written: {reason}; nor can a temporary file be ({error.strerror or error})."
    return f"Report: {elsewhere} ({reason})"
