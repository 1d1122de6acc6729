"""The numerical envelope of a loss: how exact it is in each dtype, and on which inputs."""

from __future__ import annotations

import dataclasses
import itertools
import math
import textwrap
from typing import TYPE_CHECKING, Any, final

import numpy as np

from lossary.check.instruments.accuracy import Distance, Exact, Judged, exactly, largest, smallest_normal
from lossary.check.report import picture
from lossary.check.subject.samples import GRID, has_classes, points
from lossary.check.subject.subject import LossRaised

if TYPE_CHECKING:
    from lossary.check.inference.formula import Formula
    from lossary.check.subject.subject import Subject
    from lossary.define.loss import Loss

DTYPES = ("float16", "bfloat16", "float32", "float64")
TOLERATED = 8.0  # ULP
_DRAWN = (1e-10, 1e10)
USABLE = (
    f"Usable: value and gradient are finite, and at most {TOLERATED:g} units in the last place (ULP) of the dtype from "
    "the exact ones; answers too small to have all their digits are left out."
)


@final
@dataclasses.dataclass(frozen=True)
class Worst:
    """The worst error of all points; `ulp` is infinite where an answer is infinite, NaN or 0 and must not be."""

    ulp: float
    size: float

    def __str__(self) -> str:
        if self.ulp < 0.05:  # nothing is left of it in one decimal
            return "0"
        return f"{self.ulp:.1f} at {self.size:.2g}" if self.ulp < 100 else f"{self.ulp:.2g} at {self.size:.2g}"


@final
@dataclasses.dataclass(frozen=True)
class Precision:
    """A loss in one dtype.

    Args:
        dtype: the dtype of the inputs.
        sizes: the magnitudes of the inputs, from small to large.
        value, gradient: the worst error at each of them, in ULP; inf for answers that are infinite, NaN or 0 and must
            not be; NaN where no exact answer has all its digits in the dtype. No gradient for losses that have none.
        overflows: whether an exact answer is beyond the dtype's range.
        refused: what it raised, for a dtype that it does not take; the rest is empty.
    """

    dtype: str
    sizes: tuple[float, ...] = ()
    value: tuple[float, ...] = ()
    gradient: tuple[float, ...] = ()
    overflows: tuple[bool, ...] = ()
    refused: str = ""

    @property
    def worst_value(self) -> Worst | None:
        return _worst(self.sizes, self.value)

    @property
    def worst_gradient(self) -> Worst | None:
        return _worst(self.sizes, self.gradient)

    @property
    def usable(self) -> tuple[float, float] | None:
        """The longest run of magnitudes at which it is; None where it is at none."""
        errors = np.array([self.value, self.gradient] if self.gradient else [self.value])
        worst = np.fmax.reduce(errors, axis=0)  # NaN where nothing is known; what is too small says nothing
        good = (worst <= TOLERATED) & ~np.array(self.overflows, bool)
        runs = [[at for at, _ in run] for holds, run in itertools.groupby(enumerate(good), lambda x: x[1]) if holds]
        longest = max(runs, key=len, default=None)
        return None if longest is None else (self.sizes[longest[0]], self.sizes[longest[-1]])


@final
@dataclasses.dataclass(frozen=True)
class Envelope:
    """How exact a loss is in each dtype, by the magnitude of its input.

    Args:
        loss: the loss's name.
        judge: what it was compared with.
        magnitude: what is meant by it: "residual", or "margin (log-odds)" between the right class and the others.
        precisions: one for each dtype.
    """

    loss: str
    judge: str
    magnitude: str
    precisions: tuple[Precision, ...]

    @property
    def header(self) -> tuple[str, str, str, str]:
        return "dtype", "value, worst ULP", "gradient, worst ULP", f"usable {self.magnitude}"

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """The table's cells, one row for each dtype."""
        rows = []
        for each in self.precisions:
            if each.refused:
                rows.append((each.dtype, "refused", "", ""))
                continue
            usable = f"{each.usable[0]:.2g} to {each.usable[1]:.2g}" if each.usable else "nowhere"
            rows.append((each.dtype, str(each.worst_value or "–"), str(each.worst_gradient or "–"), usable))
        return rows

    @property
    def text(self) -> str:
        """The table, 80 columns wide at most, and what its words mean."""
        table = [self.header, *self.rows]
        widths = [max(len(row[at]) for row in table) for at in range(len(self.header))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]
        return "\n".join([*lines, *textwrap.wrap(f"Judged as {self.judge}. {USABLE}", 80)])

    @property
    def svg(self) -> str:
        """The picture: errors against magnitude, a line for each dtype; it brings its own style, light and dark."""
        panels = {}
        for what in ("value", "gradient"):
            lines = [(each.dtype, each.sizes, getattr(each, what)) for each in self.precisions if getattr(each, what)]
            if lines:
                panels[what] = [(name, *_drawn(sizes, errors)) for name, sizes, errors in lines]
        return picture.draw(self.loss, panels, self.magnitude, TOLERATED)

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON-able data; "inf" for wrong answers, null where there is nothing to compare with."""

        def number(x: float) -> float | str | None:
            return x if math.isfinite(x) else None if math.isnan(x) else "inf"

        return {
            "loss": self.loss,
            "judge": self.judge,
            "magnitude": self.magnitude,
            "tolerated_ulp": TOLERATED,
            "precisions": [
                {
                    "dtype": each.dtype,
                    "refused": each.refused or None,
                    "usable": each.usable,
                    "sizes": each.sizes,
                    "value": [number(x) for x in each.value],
                    "gradient": [number(x) for x in each.gradient],
                }
                for each in self.precisions
            ],
        }


def envelope(subject: Subject) -> Envelope | None:
    """The envelope of a loss that is recognised or whose formula was given; None for all others."""
    definition = subject.definition
    if definition is None:
        return None
    times = "" if subject.factor == 1 else f"{subject.factor:g} × "
    return Envelope(
        subject.name,
        f"{times}{definition!r}",
        "residual" if _of_residuals(subject) else "margin (log-odds)",
        tuple(_precision(subject, definition, dtype) for dtype in DTYPES),
    )


def _of_residuals(subject: Subject) -> bool:
    """Whether any difference between prediction and target may come up."""
    return subject.prediction.unbounded and not subject.prediction.says_class


def _precision(subject: Subject, definition: Loss | Formula, dtype: str) -> Precision:
    sizes = _sizes(subject, dtype)
    # For each size: both signs, or both classes on both sides of the margin.
    each = 4 if has_classes(subject) and not subject.prediction.rows else 2
    value: list[float] = []
    gradient: list[float] = []
    overflows: list[bool] = []
    for start in range(0, len(sizes), GRID // each):
        p, y = points(subject, sizes[start : start + GRID // each], dtype)
        try:
            answer, slope = _answers(subject, p, y)
        except LossRaised as error:
            return Precision(dtype, refused=str(error))
        flat = (p, y) if subject.prediction.rows else (p.reshape(-1), y.reshape(-1))
        judged = Judged.of(definition, *flat, **exactly(definition, *flat, subject.factor), factor=subject.factor)
        value += _by_size(judged.of_value(answer.reshape(GRID)), judged.value, each)
        overflows += (np.abs(judged.value.near) > largest(dtype)).reshape(-1, each).any(axis=1).tolist()
        if slope is not None:
            gradient += _by_size(judged.of_gradient(slope.reshape(flat[0].shape)), judged.low, each)
    count = len(sizes)  # the last grid may have been filled up
    return Precision(dtype, sizes, tuple(value[:count]), tuple(gradient[:count]), tuple(overflows[:count]))


def _sizes(subject: Subject, dtype: str) -> tuple[float, ...]:
    """Magnitudes from the smallest to the largest that make sense, most where losses bend."""
    if _of_residuals(subject):
        low, high = math.log10(smallest_normal(dtype)), math.log10(largest(dtype)) - 0.01
        sizes = [*np.geomspace(10**low, 10**high, 28), *np.geomspace(max(1e-9, 10**low), min(1e5, 10**high), 36)]
    else:
        sizes = [*np.geomspace(1e-4, 80 if subject.prediction.of_shares else min(1e5, largest(dtype)), 48)]
    return tuple(sorted(float(x) for x in sizes))


def _answers(subject: Subject, p: Any, y: Any) -> tuple[Any, Any]:
    """The loss of each row, and its gradient (None where there is none): at once if it can, else row by row."""
    if not subject.differentiates:
        return subject.rows(p, y), None
    if subject.separates and subject.own_gradient is None:
        return subject.value_and_gradient(p, y)
    both = [subject.value_and_gradient(p[at : at + 1], y[at : at + 1]) for at in range(len(p))]
    values, slopes = zip(*both, strict=True)
    return np.array([float(np.mean(value)) for value in values]), np.concatenate(slopes)


def _by_size(distance: Distance, exact: Exact, each: int) -> list[float]:
    """The worst error of the points of each size; NaN where nothing is left of the exact answers."""
    measurable = ~distance.apart & (distance.wrong | (exact.near != 0))
    ulp = np.where(measurable, np.where(distance.wrong, np.inf, distance.ulp), np.nan)
    return [float(x) for x in np.fmax.reduce(ulp.reshape(GRID // each, -1), axis=1)]


def _drawn(sizes: tuple[float, ...], errors: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What of it is drawn: float64 reaches so far that nothing could be told apart."""
    inside = [(size, error) for size, error in zip(sizes, errors, strict=True) if _DRAWN[0] <= size <= _DRAWN[1]]
    return tuple(size for size, _ in inside), tuple(error for _, error in inside)


def _worst(sizes: tuple[float, ...], errors: tuple[float, ...]) -> Worst | None:
    """Of those that can be measured."""
    measured = [Worst(error, size) for error, size in zip(errors, sizes, strict=False) if not math.isnan(error)]
    return max(measured, key=lambda each: each.ulp, default=None)
