"""What the rules need of an array framework, so that a rule is written once and runs in each.

A rule talks in NumPy arrays; a backend makes them its framework's, differentiates, traces and compiles there, hands
NumPy arrays back, and writes the same down as code that can be pasted. A framework is imported by its backend and by
nothing else in this package.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, final

import ml_dtypes
import numpy as np

from lossary.ops import dispatch, seeds

Function = Callable[..., Any]
_LONG = 100  # entries, from which on a list is written by its runs


class Backend(ABC):
    """One framework's arrays, derivatives and compiler, behind the same few operations."""

    title: ClassVar[str]  # as messages write it
    imports: ClassVar[str]  # the statement that reproducers begin with
    differentiates: ClassVar[bool] = True  # whether it can differentiate a call
    compiles: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """As lossary's vocabularies are called: "torch"."""
        return type(self).__name__.lower()

    @property
    def ops(self) -> Any:
        return dispatch.ops(self.name)

    @contextlib.contextmanager
    def precision(self, dtype: str) -> Iterator[None]:
        """Whatever must be switched on for that dtype."""
        yield

    @final
    @contextlib.contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Within, random numbers are those of that seed: Python's and NumPy's, the framework's own, where it has such,
        and those of a Keras that runs on it. Afterwards all go on as if nothing had been.
        """
        with seeds.kept():
            random.seed(seed)
            np.random.seed(seed)
            self._seed(seed)
            keras = sys.modules.get("keras")  # None also where its import is barred
            if keras is not None and keras.backend.backend() == self.name:
                keras.utils.set_random_seed(seed)
            yield

    @abstractmethod
    def _seed(self, seed: int) -> None:
        """Set the framework's own seed, where it has one for the whole process."""

    # ── arrays ───────────────────────────────────────────────────────────────────────────────────────────────────

    @final
    def array(self, x: Any, dtype: str | None = None) -> Any:
        """This framework's array; a dtype is for floating numbers only, integers and booleans keep theirs.

        Rounding is NumPy's for all, so that every framework sees the same numbers.
        """
        x = np.asarray(x)
        if dtype is not None and x.dtype.kind == "f":
            with np.errstate(over="ignore"):
                x = x.astype(getattr(ml_dtypes, dtype, dtype))
        return self._array(x)

    @final
    def numpy(self, x: Any) -> Any:
        """As NumPy: float64 for every floating dtype, which holds all of them; complex numbers stay."""
        x = self._numpy(x)
        if x.dtype.kind in "OUS":
            raise TypeError(f"no array of numbers: {x.dtype}")
        return x if x.dtype.kind in "iubc" else x.astype(np.float64)

    @abstractmethod
    def _array(self, x: Any) -> Any: ...

    def _numpy(self, x: Any) -> Any:
        return np.asarray(x)

    @abstractmethod
    def dtype(self, x: Any) -> str:
        """The name of an array's dtype: "float32"."""

    @staticmethod
    def spacing(dtype: str) -> float:
        """The spacing of numbers at 1."""
        limits: Any = ml_dtypes.finfo
        return float(limits(getattr(ml_dtypes, dtype, dtype)).eps)

    def fitted(self, loss: Any, prediction: Any) -> Any:
        """The loss with what it keeps in the prediction's dtype, where its users see to that themselves."""
        return loss

    # ── derivatives and compilers ────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def pulled(self, function: Function, at: Any, upstream: Any = None) -> tuple[Any, Any]:
        """The value of function(at), and its derivative times `upstream` (all ones where nothing is said)."""

    @abstractmethod
    def second(self, function: Function, at: Any, along: Any) -> Any:
        """The derivative of the sum of function(at), differentiated once more along a direction."""

    @abstractmethod
    def pushed(self, function: Function, at: Any, along: Any) -> Any:
        """The derivative of function(at) in a direction, in forward mode."""

    @abstractmethod
    def compiled(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        """The value of the compiled function(at, *others) and its derivative with respect to `at`."""

    @abstractmethod
    def traced(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        """As `compiled`, by the cheapest trace there is: values cannot be read there."""

    def mapped(self, function: Function, at: Any, *others: Any) -> tuple[Any, Any]:
        """The values of function(at, *others) and the derivatives of their sums, over the first axis of all."""
        raise NotImplementedError(f"{self.title} does not map functions")

    def tracing(self, function: Function) -> tuple[Function, Callable[[], int]]:
        """The function as its users call it in a loop, and how often it has been traced or compiled so far."""
        raise NotImplementedError(f"{self.title} does not trace")

    @abstractmethod
    def largest(self, function: Function, at: Any, *others: Any) -> int:
        """How many numbers the largest array has that is made for function(at, *others) and its derivative."""

    @contextlib.contextmanager
    def one_thread(self) -> Iterator[None]:
        """Within, one thread computes, where that can be said: others may wait for a busy machine."""
        yield

    def finished(self, x: Any) -> Any:
        """The arrays, once they are computed."""
        return x

    @final
    def value_and_gradient(self, loss: Any, prediction: Any, target: Any, **more: Any) -> tuple[Any, Any]:
        """The call of a lossary loss and its gradient in the prediction, as NumPy; of the sum for reduction="none"."""
        if not loss.trainable:
            value = loss(prediction=prediction, target=target, **more)
            return self.numpy(value), np.zeros_like(self.numpy(prediction))
        if self.differentiates:
            value, gradient = self.pulled(lambda p: loss(prediction=p, target=target, **more), prediction)
        else:
            value, gradient = loss.value_and_gradient(prediction=prediction, target=target, **more)
        return self.numpy(value), self.numpy(gradient)

    # ── code ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def literal(self, x: Any) -> str:
        """The array `x` (NumPy's) as an expression: "torch.tensor([104.0])"."""

    @abstractmethod
    def gradient_code(self, prediction: str, call: Callable[[str], str]) -> tuple[str, str]:
        """A statement, and an expression that is the gradient of `call(name of the prediction)` by then.

        The gradient is that of the sum, where the call is not a scalar.
        """

    def setup_code(self, dtype: str) -> str:
        """The statements that `precision` stands for; empty for most."""
        return ""


def listed(x: Any) -> str:
    """The entries of a NumPy array as a list that Python reads: nan and inf by `float`."""
    if x.dtype.kind == "f" or x.dtype.name == "bfloat16":
        return _entries(x)
    return repr(x.tolist())


def _runs(entries: list[str]) -> str:
    """A long list by its runs of equal entries: "[0.0] * 2049 + [5.0] * 1 + [0.0] * 950"."""
    runs = [(each, len(list(equal))) for each, equal in itertools.groupby(entries)]
    return " + ".join(f"[{each}] * {count}" for each, count in runs)


def _entries(x: Any) -> str:
    if x.ndim:
        entries = [_entries(each) for each in x]
        return "[" + ", ".join(entries) + "]" if len(entries) <= _LONG else _runs(entries)
    value = float(x)
    if not np.isfinite(value):
        return f'float("{value}")'
    # The shortest digits that come back as the same number in its own dtype.
    shortest = float(np.format_float_positional(x, unique=True)) if x.dtype.kind == "f" else value
    return repr(shortest)
