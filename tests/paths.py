"""The two paths of a call, each made sure of: by a kernel, or operation by operation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, final
from unittest import mock

import pytest

from lossary import kernels
from lossary.define.loss import Loss
from lossary.kernels.kernel import Kernel
from lossary.kernels.program import Variant, program
from lossary.kernels.symbolic import UntraceableError


@final
class Count:
    """How many kernels ran."""

    ran = 0


@contextlib.contextmanager
def counted() -> Iterator[Count]:
    """Count what runs."""
    count, run = Count(), Kernel.__call__

    def spy(self: Kernel, *positional: Any, **named: Any) -> Any:
        count.ran += 1
        return run(self, *positional, **named)

    with mock.patch.object(Kernel, "__call__", spy):
        yield count


def needs_whole_rows(loss: Loss) -> bool:
    """Whether it asks for the order of a row: kernels see one entry at a time, so that none can be made of it."""
    try:
        program(loss, Variant("float32", ("values",)))
    except UntraceableError as error:
        return "more than one entry at a time" in str(error)
    return False


def require_kernel(loss: Loss) -> None:
    """Skip the test where none can be made."""
    if needs_whole_rows(loss):
        pytest.skip("no kernel can be made of what needs the order of a row")


@contextlib.contextmanager
def by_kernels() -> Iterator[None]:
    """A kernel runs in here, or the test fails."""
    with counted() as count:
        yield
    assert count.ran, "no kernel ran"


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """No kernel runs in here."""
    with mock.patch.object(kernels, "unavailable", return_value="a test compares both paths"), counted() as count:
        yield
    assert not count.ran, "a kernel ran"
