"""Everything lossary raises on purpose.

LossaryError
├── ShapeError            ValueError    shapes that do not belong together
├── DtypeError            TypeError     an array of the wrong kind: integers, complex numbers, text
├── DomainError           ValueError    a value outside what the loss is defined for
├── NonFiniteError        FloatingPointError  a loss that is NaN or infinite, where somebody asked for the reason
├── ParameterError        ValueError    a hyper-parameter out of bounds, an unknown reduction
├── FrameworkError        TypeError     two frameworks or two devices in one call
├── DifferentiationError  TypeError     a derivative that does not exist
├── UsageError            TypeError     a call error: positional arguments, foreign argument names
├── DataError             ValueError    data that nothing can be compared on
├── ForeignNameError      ImportError   a loss asked for by the name another library gives it
├── UnknownNameError      LookupError   a name that the catalogue does not have
└── MissingExtraError     ImportError   an optional dependency that is not installed

Each message says what was wanted, what came, and what to do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class LossaryError(Exception):
    """The root: `except lossary.LossaryError` catches everything that lossary raises on purpose."""

    def __init__(self, wanted: str, *, received: str | None = None, hint: str | None = None) -> None:
        lines = [wanted]
        if received is not None:
            lines.append(f"  Received: {received}")
        if hint is not None:
            lines.append(f"  Hint: {hint}")
        super().__init__("\n".join(lines))


class ShapeError(LossaryError, ValueError):
    """Shapes that do not belong together."""


class DtypeError(LossaryError, TypeError):
    """An array of the wrong kind."""


class DomainError(LossaryError, ValueError):
    """A value outside what the loss is defined for."""


class NonFiniteError(LossaryError, FloatingPointError):
    """A loss that is NaN or infinite; raised within `lossary.explain` only."""


class ParameterError(LossaryError, ValueError):
    """A hyper-parameter out of bounds, or an unknown reduction."""


class FrameworkError(LossaryError, TypeError):
    """Two frameworks or two devices in one call."""


class DifferentiationError(LossaryError, TypeError):
    """A derivative that does not exist."""


class UsageError(LossaryError, TypeError):
    """A call error: the message says what the right call is."""


class DataError(LossaryError, ValueError):
    """Data that nothing can be compared on: no such file or column, or nothing in it to learn."""


class ForeignNameError(LossaryError, ImportError):
    """A loss asked for by the name another library gives it."""


class UnknownNameError(LossaryError, LookupError):
    """A name that the catalogue does not have."""


class MissingExtraError(LossaryError, ImportError):
    """An optional dependency that is not installed."""


@contextlib.contextmanager
def needs(extra: str, *, what: str) -> Iterator[None]:
    """What is imported in here comes with an extra.

    Raises:
        MissingExtraError: some of it is not installed; it says which, and what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "lossary"):
            raise
        raise MissingExtraError(f"{what} needs {package}.", hint=f"pip install 'lossary[{extra}]'.") from error
