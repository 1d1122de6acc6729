"""Check any loss, from anywhere, by rules that name what is wrong, the smallest input that shows it, and the way out.

    from lossary.check import check_loss

    report = check_loss(my_loss)
    print(report)
    assert report.ok

The command `lossary check FILE` does the same in a child process, and `parametrize_with_loss_checks` makes tests of it.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from lossary.errors import MissingExtraError

if TYPE_CHECKING:
    from lossary.check.report.report import Report as Report
    from lossary.check.run.local import check_loss as check_loss
    from lossary.check.run.parametrize import parametrize_with_loss_checks as parametrize_with_loss_checks

_HOMES = {"check_loss": "run.local", "parametrize_with_loss_checks": "run.parametrize", "Report": "report.report"}

__all__ = ["Report", "check_loss", "parametrize_with_loss_checks"]


def require() -> None:
    """Look for what rules import in the midst of their work, so that its absence is said before.

    Raises:
        MissingExtraError: it is not installed.
    """
    for package in ("hypothesis", "mpmath"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(f"lossary.check needs {package}.", hint="pip install 'lossary[check]'.")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        require()
        return getattr(importlib.import_module(f"lossary.check.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'lossary.check' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
