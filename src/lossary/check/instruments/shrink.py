"""The smallest input that shows a failure: fewer rows, plainer numbers; found by Hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

_EXAMPLES = 60  # calls of the loss at most, beside Hypothesis' own shrinking
_TRIED = 4  # of the rows that fail in company, how many are tried alone
_MOST_NUMBERS = 8  # more are left as they are


def smallest(subject: Subject, broken: Callable[[Any, Any], bool], prediction: Any, target: Any) -> tuple[Any, Any]:
    """The plainest part of a failing batch that still fails: as few of its rows as possible, each number replaced by a
    plainer one near it where that is legal and the failure stays.

    Args:
        broken: whether a batch shows the failure; what it raises counts as no.
        prediction, target: the failing batch, NumPy arrays with as many rows each.
    """
    from hypothesis import strategies

    def fails(p: Any, y: Any) -> bool:
        try:
            return _legal(subject, p, y) and bool(broken(p, y))
        except Exception:
            return False

    count = len(prediction)
    some = strategies.lists(strategies.integers(0, count - 1), min_size=1, max_size=4, unique=True)
    rows = _plainest(some, list(range(count)), lambda rows: fails(prediction[rows], target[rows]))
    prediction, target = prediction[rows], target[rows]
    if prediction.size + target.size > _MOST_NUMBERS:
        return prediction, target
    each = [strategies.sampled_from(plainer(x)) for x in (*prediction.flat, *target.flat)]

    def rebuilt(numbers: Any) -> tuple[Any, Any]:
        p = np.array(numbers[: prediction.size]).astype(prediction.dtype).reshape(prediction.shape)
        return p, np.array(numbers[prediction.size :]).astype(target.dtype).reshape(target.shape)

    whole = (*prediction.flat, *target.flat)
    return rebuilt(_plainest(strategies.tuples(*each), whole, lambda numbers: fails(*rebuilt(numbers))))


def alone(broken: Callable[[Any, Any], Any], prediction: Any, target: Any) -> tuple[Any, Any] | None:
    """The first row of a grid that fails, also when it is the whole batch: (1, …) and (1, …); None where none does.

    Args:
        broken: for a batch, which of its rows fail.
    """
    for row in np.flatnonzero(broken(prediction, target))[:_TRIED]:
        p, y = prediction[row : row + 1], target[row : row + 1]
        if broken(p, y)[0]:
            return p, y
    return None


def plainer(x: Any) -> list[Any]:
    """A number, and those near it that are easier to read: the plainest first, the number itself last."""
    value = float(x)
    if np.asarray(x).dtype.kind in "iub" or not np.isfinite(value) or value == 0.0:
        return [x]
    exponent = np.floor(np.log10(abs(value)))
    magnitude = np.sign(value) * 10.0**exponent
    rounded = [float(f"{value:.{digits}e}") for digits in range(3)]
    near = [0.0, 1.0, -1.0, magnitude, 10 * magnitude, round(value), *rounded]
    return [*dict.fromkeys(float(each) for each in near if np.isfinite(each)), x]


def _plainest(simpler: Any, original: Any, holds: Callable[[Any], bool]) -> Any:
    """The plainest of what `simpler` makes for which it holds; the original, where there is none."""
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis.errors import NoSuchExample

    limits = settings(
        max_examples=_EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    try:
        return find(simpler, holds, settings=limits)
    except NoSuchExample:
        return original


def _legal(subject: Subject, prediction: Any, target: Any) -> bool:
    """Whether the numbers are such as the loss is defined for."""
    from lossary.ops import dispatch

    xp = dispatch.ops("numpy")
    for domain, x in ((subject.prediction, prediction), (subject.target, target)):
        inside = domain.contains(xp, np.asarray(x, np.float64) if not domain.indices else x, prediction, 1e-6)
        if inside is not None and not np.all(inside):
            return False
    return True
