from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import Tag
from lossary.check.subject.subject import Subject

# What no value of a hyper-parameter of that name can mean.
_SENSELESS: dict[str, tuple[float, ...]] = {
    "delta": (-1.0, float("nan")),
    "beta": (-1.0, float("nan")),
    "gamma": (-1.0, float("nan")),
    "temperature": (0.0, -1.0, float("nan")),
    "label_smoothing": (1.5, -0.5, float("nan")),
    "quantile": (1.5, -0.5, float("nan")),
    "quantile_level": (1.5, -0.5, float("nan")),
    "level": (1.5, -0.5, float("nan")),
    "tau": (-0.5, float("nan")),
    "q": (-0.5, float("nan")),
    "reduction": (),
}
_UNKNOWN_REDUCTION = "average"

_SETTINGS = Tag(lambda s: any(True for _ in _trials(s)), "it has no hyper-parameter whose limits its name tells")


@rule(
    "LSY510",
    severity="warning",
    needs=(_SETTINGS,),
    remedy="raise a ValueError that names the hyper-parameter, its limits and what came, where the loss is made",
    wrong="""
        import numpy as np

        def loss(input, target, delta=1.0):
            size = np.abs(input - target)
            return np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
    """,
    right="""
        import numpy as np

        def loss(input, target, delta=1.0):
            if not delta > 0:
                raise ValueError(f"delta must be above 0, not {delta}")
            size = np.abs(input - target)
            return np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
    """,
    seen=("keras-team/keras#23573: Huber took any delta; with 0, every example cost the same",),
)
def parameters_validated(subject: Subject) -> Failure | None:
    """A hyper-parameter that means nothing is refused.

    A negative delta makes Huber's loss negative and unbounded below, a label smoothing above 1 rewards the wrong
    classes, a quantile level of 95 was meant in percent, and a reduction with a typing mistake silently means the
    default. The run ends hours later, or does not end.
    """
    for name, value in _trials(subject):
        values = _accepted(subject, name, value)
        if values is not None:
            message = f"{name} = {value!r} is accepted: the loss is {np.mean(values):.4g}"
            return Failure(message, subject.code(*subject.batch(1), changed={name: value}))
    return None


def _trials(subject: Subject) -> Iterator[tuple[str, Any]]:
    """Hyper-parameters of the loss, by its own names, with values that cannot be meant."""
    for name in subject.settings:
        yield from ((name, value) for value in _SENSELESS.get(name, ()))
    if subject.constructor is not None and subject.constructor.reduction is not None:
        yield subject.constructor.reduction, _UNKNOWN_REDUCTION
    elif subject.convention.reduction is not None and _is_argument(subject, subject.convention.reduction):
        yield subject.convention.reduction, _UNKNOWN_REDUCTION


def _is_argument(subject: Subject, name: str) -> bool:
    try:
        return name in inspect.signature(subject.loss).parameters
    except (TypeError, ValueError):
        return False


def _accepted(subject: Subject, name: str, value: Any) -> Any:
    """What the loss costs with that value; None where it is refused, when made or when called."""
    p, y = subject.batch(1)
    backend = subject.backend
    try:
        if subject.constructor is None:
            loss = functools.partial(subject.loss, **{name: value})
        else:
            loss = subject.with_settings(**{name: value})
        return backend.numpy(backend.array(subject.raw(backend.array(p), backend.array(y), loss=loss)))
    except Exception:
        return None
