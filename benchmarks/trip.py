"""The trip from a call to its number: how many functions of lossary it calls, and how often it moves to another file.

    python -m benchmarks.trip [--tree] [word ...]

`--tree` writes down which function calls which, for those who want to follow one call; words choose the trips, by parts
of their names: `--tree NumPy without`. Counts are exact and the same everywhere, which times are not, and a test sees
that they do not grow. The trip ends where the loss's own text begins: what that calls is no part of it. Comprehensions
are no calls, and what is done but once, at the first call, is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, final
from unittest import mock

import numpy as np

import lossary
from benchmarks.inputs import SMALL, name, pointwise, rows
from lossary import kernels
from lossary.define.loss import Loss

_ROOT = str(pathlib.Path(lossary.__file__).parent)
_CHECK = str(pathlib.Path(_ROOT, "check"))  # which may listen to what JAX compiles, in the same process
_TEXTS = str(pathlib.Path(_ROOT, "losses"))
LOSSES: tuple[Loss, ...] = (lossary.MeanSquaredError(), lossary.SparseCategoricalCrossEntropy())


@final
@dataclasses.dataclass(frozen=True)
class Step:
    """One call: which function, in which file of lossary, and how many of lossary's functions it is called within."""

    function: str
    file: str
    depth: int
    moves: bool  # into another file than its caller's


@final
class Trip:
    """The calls of lossary's functions, in their order, while it is entered."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._callers: list[str] = []

    def __enter__(self) -> Trip:
        sys.setprofile(self._see)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        file, function = frame.f_code.co_filename, frame.f_code.co_qualname
        if not file.startswith(_ROOT) or file.startswith(_CHECK) or function.endswith(("comp>", "<genexpr>")):
            return
        if event == "call":
            caller = self._callers[-1] if self._callers else file
            if not caller.startswith(_TEXTS):
                step = Step(function, file.removeprefix(_ROOT)[1:], len(self._callers), moves=file != caller)
                self.steps.append(step)
            # What a text calls is within the text.
            self._callers.append(caller if caller.startswith(_TEXTS) else file)
        elif event == "return":
            self._callers.pop()

    @property
    def calls(self) -> int:
        return len(self.steps)

    @property
    def moves(self) -> int:
        """How often a function calls one in another file."""
        return sum(step.moves for step in self.steps)

    @property
    def tree(self) -> str:
        width = 2 + max(2 * step.depth + len(step.function) for step in self.steps)
        return "\n".join(f"{'  ' * step.depth + step.function:<{width}}{step.file}" for step in self.steps)


def _numpy(loss: Loss) -> Callable[[], Any]:
    p, y = _data(loss)
    return lambda: loss(prediction=p, target=y)


def _numpy_weighted(loss: Loss) -> Callable[[], Any]:
    p, y = _data(loss)
    weight = np.ones(len(p))
    return lambda: loss(prediction=p, target=y, weight=weight)


def _numpy_gradient(loss: Loss) -> Callable[[], Any]:
    p, y = _data(loss)
    return lambda: loss.value_and_gradient(prediction=p, target=y)


def _torch(loss: Loss) -> Callable[[], Any]:
    import torch

    p, y = map(torch.from_numpy, _data(loss))
    p.requires_grad_()
    criterion = loss.torch()
    return lambda: criterion(p, y).backward()


def _torch_grad(loss: Loss) -> Callable[[], Any]:
    import torch

    p, y = map(torch.from_numpy, _data(loss))
    return lambda: torch.func.grad(lambda x: loss(prediction=x, target=y))(p)


def _jax(loss: Loss) -> Callable[[], Any]:
    import jax

    p, y = map(jax.numpy.asarray, _data(loss))
    # Another function each time: a trace is remembered by the function.
    return lambda: jax.jit(lambda x: loss(prediction=x, target=y)).trace(p)


def _data(loss: Loss) -> tuple[Any, Any]:
    return rows((SMALL[0] // 8, 8)) if loss.prediction.rows else pointwise(loss, SMALL[0])


# The framework that each needs, what is called, and whether by a kernel.
TRIPS: dict[str, tuple[str, Callable[[Loss], Callable[[], Any]], bool]] = {
    "NumPy without a kernel": ("numpy", _numpy, False),
    "NumPy, weighted, without a kernel": ("numpy", _numpy_weighted, False),
    "NumPy, value and gradient, without a kernel": ("numpy", _numpy_gradient, False),
    "NumPy with a kernel": ("numpy", _numpy, True),
    "PyTorch, forward and backward, with a kernel": ("torch", _torch, True),
    "PyTorch, forward and backward, without a kernel": ("torch", _torch, False),
    "torch.func.grad": ("torch", _torch_grad, True),
    "JAX, the trace of jit": ("jax", _jax, True),
}


def trip(of: str, loss: Loss) -> Trip:
    """The trip of that name."""
    _, prepared, by_kernel = TRIPS[of]
    call = prepared(loss)
    with contextlib.nullcontext() if by_kernel else _without_kernels():
        call()
        with Trip() as found:
            call()
    return found


@contextlib.contextmanager
def _without_kernels() -> Iterator[None]:
    """As with LOSSARY_KERNELS=0."""
    with mock.patch.object(kernels, "_ASKED", False):
        kernels.unavailable.cache_clear()
        try:
            yield
        finally:
            kernels.unavailable.cache_clear()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trip", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", metavar="word", help="parts of the names of those that are wanted")
    parser.add_argument("--tree", action="store_true", help="write down which function calls which")
    chosen = parser.parse_args()
    print(f"{'':<80}{'calls':>7}{'moves':>7}")
    for of in TRIPS:
        for loss in LOSSES:
            label = f"{of}, {name(loss)}"
            if all(word.lower() in label.lower() for word in chosen.words):
                found = trip(of, loss)
                print(f"{label:<80}{found.calls:>7}{found.moves:>7}", flush=True)
                if chosen.tree:
                    print(found.tree, end="\n\n")


if __name__ == "__main__":
    main()
