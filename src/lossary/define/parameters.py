"""Hyper-parameters with bounds."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, final

from lossary.define.choice import Choice
from lossary.errors import ParameterError, UsageError
from lossary.ops import dispatch

# One hyper-parameter's value. Several numbers (class weights, levels) are a tuple, so that a loss stays hashable.
Setting = bool | int | float | str | tuple[float, ...]


class Listed(Protocol):
    """An array of any framework, as far as a tuple of numbers is made of it."""

    @property
    def shape(self) -> Any: ...

    def tolist(self) -> Any: ...


Taken_contra = TypeVar("Taken_contra", contravariant=True)
Kept_co = TypeVar("Kept_co", covariant=True)


class Taken(Protocol[Taken_contra, Kept_co]):
    """The type of a field that takes more than it keeps, as type checkers read it; there is no such object."""

    def __set__(self, loss: Any, value: Taken_contra) -> None: ...

    def __get__(self, loss: Any, owner: Any) -> Kept_co: ...


Numbers = Sequence[float] | Listed
Table = Taken[Numbers, tuple[float, ...]]
NumberOrTable = Taken[float | Numbers, float | tuple[float, ...]]
Levels = Taken[Numbers, tuple[float, ...]]
Pair = Taken[Sequence[float], tuple[float, float]]


@final
@dataclasses.dataclass(frozen=True)
class Parameter:
    """What is known of one hyper-parameter; `parameter(...)` makes one and puts it on a field of a loss."""

    default: Setting
    doc: str
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    other_than: float | None = None
    choices: tuple[Setting, ...] | None = None
    table: bool = False
    increasing: bool = False
    symbol: str | None = None
    foreign: tuple[str, ...] = ()
    examples: tuple[Setting, ...] = ()
    choose: Choice | None = None

    @property
    def is_flag(self) -> bool:
        return isinstance(self.default, bool)

    @property
    def wanted(self) -> str:
        """The bounds in words: "a number above 0"."""
        if self.choices is not None:
            return "one of " + ", ".join(map(repr, self.choices))
        if self.is_flag:
            return "True or False"
        bounds = [
            f"{word} {bound:g}"
            for word, bound in [
                ("above", self.above),
                ("at least", self.at_least),
                ("below", self.below),
                ("at most", self.at_most),
                ("other than", self.other_than),
            ]
            if bound is not None
        ]
        number = " ".join(["a finite number", " and ".join(bounds)]).rstrip()
        if self.increasing:
            return f"a tuple of such numbers, each above the one before: {number}"
        if not self.table:
            return number
        return (
            f"a tuple of such numbers: {number}" if isinstance(self.default, tuple) else f"{number}, or one per label"
        )

    def accept(self, owner: str, name: str, value: Any) -> Setting:
        """`value` in its canonical form (float, bool, or tuple of floats).

        Raises:
            ParameterError: it is out of bounds or of the wrong kind.
            UsageError: it is differentiated, or part of a trace: its number would be taken out of the computation.
        """
        _refuse_learned(owner, name, value)
        if self.choices is not None:
            canonical = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
            for choice in self.choices:
                if canonical == choice:
                    return choice
        elif self.is_flag:
            if isinstance(value, bool):
                return value
        elif (self.table or self.increasing) and (entries := _entries(value)) is not None:
            numbers = [number for number in map(_number, entries) if number is not None and self._within(number)]
            if len(numbers) == len(entries) and (not self.increasing or _is_increasing(numbers)):
                return tuple(numbers)
        elif not isinstance(self.default, tuple):
            number = _number(value)
            if number is not None and self._within(number):
                return number
        raise ParameterError(
            f"{owner}: {name} must be {self.wanted}.", received=f"{name}={value!r}.", hint=f"{name} is {self.doc}."
        )

    def _within(self, number: float) -> bool:
        return (
            math.isfinite(number)
            and (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.below is None or number < self.below)
            and (self.at_most is None or number <= self.at_most)
            and number != self.other_than
        )


def _refuse_learned(owner: str, name: str, value: Any) -> None:
    """Raises UsageError for what a framework differentiates or traces."""
    for each in value if isinstance(value, list | tuple) else (value,):
        framework = dispatch.framework_of(each)
        if framework != "numpy" and not dispatch.ops(framework).is_constant(each):
            raise UsageError(
                f"{owner}: {name} must be a plain number: a hyper-parameter is not learned.",
                received=f"{name}=<an array of {dispatch.title(each)} that is differentiated or traced>.",
                hint="what learns is a factor of an objective, exp(-s) * loss + s, or weight= in the call; "
                f"{name}=float(x), outside of any trace, takes the number that x has now.",
            )


def _entries(value: Any) -> Sequence[Any] | None:
    """The entries of a list, a tuple or an array of one axis; None for anything else."""
    listed = value.tolist() if len(getattr(value, "shape", ())) == 1 else value
    return listed if isinstance(listed, Sequence) and not isinstance(listed, str) else None


def _is_increasing(numbers: Sequence[float]) -> bool:
    """Whether each is above the one before, and there is one."""
    return len(numbers) > 0 and all(one < other for one, other in itertools.pairwise(numbers))


def _number(value: Any) -> float | None:
    """A Python or NumPy number as a float; None for anything else (bool, text, an array of several)."""
    if isinstance(value, bool | str | bytes | complex) or not hasattr(value, "__float__"):
        return None
    return None if getattr(value, "shape", None) else float(value)


def parameter(
    default: Any,
    *,
    doc: str,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    other_than: float | None = None,
    choices: tuple[Setting, ...] | None = None,
    table: bool = False,
    increasing: bool = False,
    symbol: str | None = None,
    foreign: tuple[str, ...] = (),
    examples: tuple[Setting, ...] = (),
    choose: Choice | None = None,
) -> Any:
    """A field of a loss that is one of its hyper-parameters.

    Args:
        default: its value when nothing is said; the type says what it is (float, bool, or a tuple of several numbers).
        doc: one line: what it is, and on which scale.
        above, at_least, below, at_most, other_than: bounds of a number, or of each of several.
        choices: the values allowed, where they are few.
        table: whether a sequence of numbers is taken (one per class or label).
        increasing: whether it is one number or more, each above the one before: the levels of quantiles.
        symbol: the letter that stands for it in formulas.
        foreign: names that other libraries give it; they are not accepted, they only teach.
        examples: settings, beside the default, at which every law of the library is tried.
        choose: how it follows from data (`lossary.define.choice`), for `lossary suggest` and `lossary compare`.
    """
    declaration = Parameter(
        default=default,
        doc=doc,
        above=above,
        at_least=at_least,
        below=below,
        at_most=at_most,
        other_than=other_than,
        choices=choices,
        table=table,
        increasing=increasing,
        symbol=symbol,
        foreign=foreign,
        examples=examples,
        choose=choose,
    )
    return dataclasses.field(default=default, metadata={"parameter": declaration})


def parameters_of(owner: Any) -> dict[str, Parameter]:
    """The hyper-parameters of a loss or penalty (class or instance), in their order."""
    return {field.name: field.metadata["parameter"] for field in dataclasses.fields(owner)}


def check_fields(owner: Any) -> None:
    """Raises TypeError where a field of a loss or penalty was not made by `parameter(...)`."""
    for field in dataclasses.fields(owner):
        if "parameter" not in field.metadata:
            raise TypeError(
                f"{owner.__name__}.{field.name} must be made by parameter(...): "
                f"{field.name}: float = parameter(default={field.default!r}, doc=...). "
                "What is no hyper-parameter has no annotation, or is a ClassVar."
            )
