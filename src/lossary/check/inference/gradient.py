"""The gradient that a NumPy loss brings with it, whichever way it does; and objectives for boosting, which bring
nothing else."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import numpy as np

from lossary.check.inference import conventions

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

_GRADIENT = ("gradient", "grad", "derivative")
_BOTH = ("value_and_gradient", "value_and_grad", "loss_gradient")
_CURVATURE = {"hess", "hessian", "hessians", "objective", "obj", "curvature"}

_SCORES, _LABELS = np.array([0.2, 0.9, 0.4, 0.6], np.float32), np.array([0.0, 1.0, 0.0, 1.0], np.float32)
_ROWS = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.15, 0.6], [0.2, 0.5, 0.3]], np.float32)
_INDEX = np.array([0, 1, 2, 1])


@final
@dataclasses.dataclass(frozen=True)
class Part:
    """One of the things that a function returns together."""

    function: Callable[..., Any]
    index: int

    def __call__(self, *positional: Any, **named: Any) -> Any:
        return self.function(*positional, **named)[self.index]


def with_own_gradient(subject: Subject) -> Subject:
    """The subject with the gradient that its loss brings: as an attribute, by a method, or returned with the value.

    What returns a gradient and a curvature, (N,) and (N,), is an objective for boosting. Its loss is not known: the
    gradient is looked at in its place, and the curvature as the gradient of that.
    """
    loss: Any = subject.loss.func if isinstance(subject.loss, functools.partial) else subject.loss
    if subject.backend.name != "numpy":
        return subject
    if subject.host == "lossary":
        source = f"{subject.source}.value_and_gradient"
        return _with(subject, loss.value_and_gradient, source, 1) if _has_gradient(loss) else subject
    for names, index in ((_GRADIENT, None), (_BOTH, 1)):
        name = next((name for name in names if callable(getattr(loss, name, None))), None)
        if name is not None:
            return _with(subject, getattr(loss, name), f"{subject.source}.{name}", index)
    return _of_pair(subject)


def _has_gradient(loss: Any) -> bool:
    terms = getattr(loss, "losses", (loss,))
    return loss.trainable and all(each.has_gradient for each in terms)


def _with(subject: Subject, function: Callable[..., Any], source: str, index: int | None) -> Subject:
    part = "" if index is None else f"[{index}]"

    def own(prediction: Any, target: Any, **more: Any) -> Any:
        result = subject.raw(prediction, target, loss=function, **more)
        return result if index is None else result[index]

    called = dataclasses.replace(subject, source=source)
    return dataclasses.replace(subject, own_gradient=own, gradient_source=_template(called) + part)


def _of_pair(subject: Subject) -> Subject:
    """The subject of a function that returns two things, where that is what it does."""
    prediction, pair = _returned(subject)
    if not isinstance(pair, tuple | list) or len(pair) != 2 or isinstance(pair[1], dict | str):
        return subject
    first, second = (np.asarray(each) for each in pair)
    if second.shape != prediction.shape:
        return subject
    taken = dataclasses.replace(
        subject, convention=dataclasses.replace(subject.convention, part="[0]"), loss=Part(subject.loss, 0)
    )

    def own(prediction: Any, target: Any, **more: Any) -> Any:
        return subject.raw(prediction, target, **more)[1]

    extended = dataclasses.replace(taken, own_gradient=own, gradient_source=f"{_template(subject)}[1]")
    if first.shape != second.shape or not (_speaks_of_curvature(subject) or np.any(first < 0)):
        return extended
    title = subject.inferred[0].replace("function", "boosting objective")
    return dataclasses.replace(extended, host="boosting", reduction="none", inferred=(title, *subject.inferred[1:]))


def _returned(subject: Subject) -> tuple[Any, Any]:
    """A prediction that the loss takes, and what it returns for it."""
    for prediction, target in (
        (_SCORES, _LABELS),
        (_SCORES, 2 * _LABELS - 1),
        (_ROWS, _INDEX),
        (_ROWS, np.eye(3)[_INDEX]),
    ):
        try:
            return prediction, subject.raw(prediction.copy(), target.copy())
        except (Exception, SystemExit, GeneratorExit):  # noqa: S112  # it did not take these arrays, that is all
            continue
    return None, None


def _speaks_of_curvature(subject: Subject) -> bool:
    """Whether the function calls what it returns so."""
    function = inspect.unwrap(subject.loss.func if isinstance(subject.loss, functools.partial) else subject.loss)
    code = getattr(function, "__code__", None)
    names = [subject.name, *(code.co_varnames if code is not None else ())]
    return any(_CURVATURE & set(conventions.words(name)) for name in names)


def _template(subject: Subject) -> str:
    """The call as a text to fill in: "loss({prediction}, {target})"."""
    source = subject.source.replace("{", "{{").replace("}", "}}")
    return dataclasses.replace(subject, source=source).expression("{prediction}", "{target}")
