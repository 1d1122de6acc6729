"""The two paths of a call, each made sure of: by a kernel, or operation by operation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, final
from unittest import mock

from lossary import kernels
from lossary.kernels.kernel import Kernel


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
