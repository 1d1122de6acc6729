from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, final

import numpy as np

from lossary.check.instruments import judged
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import ONE_ROW
from lossary.check.subject import samples
from lossary.check.subject.subject import described, widened

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

# No round numbers: a kink at 0.1 is not at the same place in float32 and in float64.
_RESIDUALS = (0.73, 0.137, 0.0137, 1.37e-3, 3.3, 21.0, 113.0, 1.3e-8)
_MARGINS = (0.31, 1.1, 3.3, 8.2, 12.3, 14.1, 17.7, 21.3)
_CLIPPED = 9.0  # beyond this margin, many losses clip probabilities, which is another rule's business
_TINY = 1e-6  # residuals below are nobody's data
_WARN, _FAIL = 8.0, 64.0  # units in the last place
_LOST = 1e4  # gradients are differences of probabilities: short of a thousandth, that is no harm
_NOTHING = 1e-9  # a loss or a gradient that is off by less does no harm


@rule(
    "LSY301",
    severity="error",
    needs=(ONE_ROW,),
    remedy="rearrange so that nothing is subtracted from something nearly equal: log1p, expm1, log_softmax, logsigmoid",
    wrong="""
        import numpy as np

        def loss(y_pred, y_true):
            return (np.sqrt(1 + (y_pred - y_true) ** 2) - 1).mean()
    """,
    right="""
        import numpy as np

        def loss(y_pred, y_true):
            square = (y_pred - y_true) ** 2
            return (square / (1 + np.sqrt(1 + square))).mean()
    """,
    seen=(
        "pytorch/pytorch#195529: of two mirrored cross-entropies one kept its tail, the other was 0",
        "pytorch/pytorch#113708: log_softmax is 0 for the leading class from a margin of 16 on",
    ),
)
def ulp_accuracy(subject: Subject) -> Failure | None:
    """In float32, loss and gradient are right to a few units in the last place.

    Subtract two nearly equal numbers and the digits that they share are gone: log(cosh(x)) near 0, 1 - sigmoid(z) far
    out, logsumexp - z for a confident row, whose loss and gradient then are 0 from a margin of 17 on. An error is what
    is off by more than 64 units of the loss or of its inputs, whichever is larger; a warning, what is off by more than
    8 units of the loss itself.
    """
    p, y = _points(subject)
    measurements = [_measured(subject, "loss", subject.rows(p, y), judged.values(subject, p, y), p, y)]
    if subject.differentiates:
        measurements.append(
            _measured(subject, "gradient", subject.row_gradients(p, y), judged.gradients(subject, p, y), p, y)
        )
    for severe in (True, False):
        for errors in measurements:
            row = errors.worst(severe=severe)
            if row is not None:
                return _failure(subject, errors, row, p[row : row + 1], y[row : row + 1], severe=severe)
    return None


@final
@dataclasses.dataclass(frozen=True)
class _Errors:
    """Answers beside the true ones, (N,) or one for each entry of the prediction, in units in the last place: of the
    true answer, and of the largest of it and its inputs."""

    name: str
    got: Any
    true: Any
    relative: Any
    scaled: Any

    def worst(self, *, severe: bool) -> int | None:
        size = self.scaled if severe else self.relative
        size = size.reshape(len(size), -1).max(axis=1)
        row = int(np.argmax(size))
        lenient = _WARN if self.name == "loss" else _LOST
        return row if size[row] > (_FAIL if severe else lenient) else None


def _failure(subject: Subject, errors: _Errors, row: int, p: Any, y: Any, *, severe: bool) -> Failure:
    size = errors.scaled if severe else errors.relative
    entry = int(np.argmax(size[row].reshape(-1)))
    got, true = (float(x[row].reshape(-1)[entry]) for x in (errors.got, errors.true))
    ulp = float(errors.relative[row].reshape(-1)[entry])
    off = "" if not np.isfinite(ulp) else f", off by {ulp:.2g} ULP"
    severe = severe and not _by_formula(subject, errors.name, p, y, got, true)
    if not samples.has_classes(subject):
        severe = severe and float(np.max(np.abs(np.concatenate([p, y], axis=None)))) > _TINY
    return Failure(
        f"{errors.name} is {got:.9g}, not {true:.9g}{off}, at {described(p, y)}",
        subject.code(p, y, gradient=errors.name == "gradient"),
        severity="error" if severe else "warning",
    )


def _by_formula(subject: Subject, name: str, p: Any, y: Any, got: float, true: float) -> bool:
    """Whether the answer is off because the formula is another one (an epsilon in it), not for want of digits."""
    if subject.definition is None:
        return False
    ask = subject.rows if name == "loss" else subject.row_gradients
    own = np.ravel(ask(*widened(p, y)))
    nearest = float(own[np.argmin(np.abs(own - got))])
    computed_wider = nearest != float(np.float32(nearest))
    return computed_wider and abs(nearest - true) > 0.5 * abs(got - true)


def _points(subject: Subject) -> tuple[Any, Any]:
    """Hard points, then ordinary ones."""
    regression = not samples.has_classes(subject)
    sizes: tuple[float, ...] = _RESIDUALS if regression else _MARGINS
    if subject.prediction.of_shares:
        sizes = tuple(size for size in sizes if size <= _CLIPPED)
    p, y = samples.points(subject, sizes)
    half = samples.GRID // 2
    if regression:  # half of the grid is padding
        p[half:], y[half:] = subject.batch(half, salt=301)
    return p, y


def _measured(subject: Subject, name: str, got: Any, true: Any, p: Any, y: Any) -> _Errors:
    """What is infinite or NaN is other rules' business, and not off."""
    with np.errstate(all="ignore"):
        off = np.where(np.isfinite(true) & np.isfinite(got), np.abs(got - true), 0.0)
        target, inputs = (x.reshape(-1, *(1,) * (np.ndim(true) - 1)) for x in _sizes(subject, p, y))
        relative = off / _spacing(np.maximum(np.abs(true), target))
        scaled = off / _spacing(np.maximum(np.abs(true), inputs))
    return _Errors(name, got, true, np.where(off > _NOTHING, relative, 0.0), scaled)


def _sizes(subject: Subject, p: Any, y: Any) -> tuple[Any, Any]:
    """By row, how large the numbers are that must cancel however one computes: the target, as far as it is not simply
    a class; and any input. Probabilities are differences from 1."""
    inputs = np.abs(p).reshape(len(p), -1).max(axis=1).astype(np.float64)
    if subject.prediction.of_shares:
        inputs = np.maximum(inputs, 1.0)
    if subject.target.indices:
        return np.zeros(len(y)), inputs
    target = np.abs(y).reshape(len(y), -1).astype(np.float64)
    if samples.has_classes(subject):
        return np.where(target < 1.0, target, 0.0).max(axis=1), inputs
    return target.max(axis=1), np.maximum(inputs, target.max(axis=1))


def _spacing(size: Any) -> Any:
    limits = np.finfo(np.float32)
    clipped = np.clip(np.nan_to_num(size, posinf=1.0), float(limits.tiny), 0.99 * float(limits.max))
    return np.spacing(clipped.astype(np.float32)).astype(np.float64)
