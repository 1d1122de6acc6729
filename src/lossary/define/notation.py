"""A loss as its reader knows it."""

from __future__ import annotations

import dataclasses
from typing import final


@final
@dataclasses.dataclass(frozen=True)
class Notation:
    """A formula in LaTeX and as plain text, which may have several lines where there are several cases."""

    latex: str
    text: str
