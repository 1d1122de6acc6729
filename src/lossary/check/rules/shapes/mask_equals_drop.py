from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import Tag
from lossary.check.rules.shapes.comparison import losses_of_rows, same
from lossary.check.rules.shapes.leaving_out import Way, ways
from lossary.check.subject import samples
from lossary.check.subject.subject import Reduction, Subject

_KEPT = np.array([False, True, False, True])
_LEAVES_OUT = Tag(lambda s: s.takes_mask or s.ignored is not None, "it takes no mask, and ignores no class")


@rule(
    "LSY111",
    severity="error",
    needs=(_LEAVES_OUT,),
    remedy="replace losses that do not count by 0 (where, not a product), and divide by the number of those that do",
    wrong="""
        import numpy as np

        def loss(prediction, target, mask=None):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            losses = (prediction - target) ** 2
            return np.mean(losses if mask is None else losses * mask)
    """,
    right="""
        import numpy as np

        def loss(prediction, target, mask=None):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            mask = np.ones(prediction.shape, bool) if mask is None else mask
            losses = np.where(mask, np.square(prediction - target), 0)
            return losses.sum() / max(mask.sum(), 1)
    """,
    seen=(
        "keras-team/keras#15323: the steps behind a mask were still counted in the denominator",
        "pytorch/pytorch#73205: with label smoothing, ignored targets still took part in the loss",
    ),
)
def mask_equals_drop(subject: Subject) -> Failure | None:
    """Rows that are left out are as if they were not there, in the value, the denominator and the gradient.

    Padding has numbers in it, too. Where they leak into the sum the loss is wrong; where they are counted in the mean,
    a batch with more padding has a smaller loss and smaller steps; where they get a gradient, the model learns from
    what is not there. What is left out may also be NaN, as missing values often are: a product with 0 keeps NaN, and so
    does the gradient of a `where` around the loss. That is a warning.
    """
    for way in ways(subject):
        possible: tuple[Reduction, ...] = ("none", "sum", "mean")
        reductions = [each for each in possible if subject.reduces(each)]
        for reduction in reductions:
            failure = _leaks(subject, way, reduction)
            if failure is not None:
                return failure
        failure = _gradient(subject, way) or _missing(subject, way)
        if failure is not None:
            return failure
    return None


def _leaks(subject: Subject, way: Way, reduction: Reduction) -> Failure | None:
    p, y = samples.plain(subject)
    if subject.prediction.unbounded:
        p[~_KEPT] *= 10  # so that a maximum shows, too
    masked, more = way.arranged(y, _KEPT)
    values = subject.attempt(p, masked, reduction=reduction, **more)
    expected = _of_the_rest(subject, way, reduction, p, y)
    if values is None or expected is None:
        return None
    kept = values[_KEPT] if values.shape[:1] == (4,) else values
    if same(kept.reshape(expected.shape) if kept.size == expected.size else kept, expected):
        return None
    message = f"two of four rows left out by {way.name} gave {_text(values)}, the other two alone {_text(expected)}"
    if reduction == "mean" and same(2 * values, expected):
        message += ": rows that are left out are counted in the mean"
    target, full = way.arranged(y[_KEPT], np.ones(2, bool))
    code = (
        subject.code(p, masked, reduction=reduction, **more),
        subject.code(p[_KEPT], target, reduction=reduction, **full),
    )
    return Failure(message, "\n".join(code))


def _of_the_rest(subject: Subject, way: Way, reduction: Reduction, p: Any, y: Any) -> Any:
    """What the rows that are left give.

    From their own losses where there are such, which spares frameworks that compile another shape; from a call with
    the others dropped elsewhere.
    """
    losses = losses_of_rows(subject, p, y)
    whole = subject.values(p, y, reduction=reduction)
    for reduced in (np.sum, np.mean):
        if losses is not None and whole.ndim == 0 and same(whole, reduced(losses)):
            return np.asarray(reduced(losses[_KEPT]))
    if losses is not None and whole.shape == losses.shape and same(whole, losses):
        return losses[_KEPT]
    target, full = way.arranged(y[_KEPT], np.ones(2, bool))
    return subject.attempt(p[_KEPT], target, reduction=reduction, **full)


def _gradient(subject: Subject, way: Way) -> Failure | None:
    if not (subject.differentiates and subject.backend.differentiates):
        return None
    p, y = samples.plain(subject)
    masked, more = way.arranged(y, _KEPT)
    slope = subject.gradient(p, masked, **more)
    if not np.any(slope[~_KEPT]):
        return None
    worst = float(np.nanmax(np.abs(slope[~_KEPT]))) if not np.isnan(slope[~_KEPT]).all() else np.nan
    message = f"the gradient of a row left out by {way.name} is {worst:.6g}, not 0"
    return Failure(message, subject.code(p, masked, gradient=True, **more))


def _missing(subject: Subject, way: Way) -> Failure | None:
    """NaN where nothing counts: in the target, as missing values are; in the prediction where the target has none."""
    p, y = samples.plain(subject)
    (p if subject.target.indices else y)[~_KEPT] = np.nan
    masked, more = way.arranged(y, _KEPT)
    values = subject.attempt(p, masked, **more)
    if values is None:
        return None
    kept = values[_KEPT] if values.shape[:1] == (4,) else values
    help = "replace what is left out by a harmless number before the loss is computed: a product with 0 keeps NaN"
    if not np.all(np.isfinite(kept)):
        message = f"NaN in a row left out by {way.name} made the loss {_text(kept)}"
        return Failure(message, subject.code(p, masked, **more), help, "warning")
    if not (subject.differentiates and subject.backend.differentiates):
        return None
    if np.all(np.isfinite(subject.gradient(p, masked, **more))):
        return None
    message = f"NaN in a row left out by {way.name} made its gradient nan"
    return Failure(message, subject.code(p, masked, gradient=True, **more), help, "warning")


def _text(x: Any) -> str:
    return ", ".join(f"{value:.6g}" for value in np.asarray(x).reshape(-1))
