from __future__ import annotations

import contextlib
import copy
import dataclasses
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import Tag
from lossary.check.subject.subject import LossRaised, Subject
from lossary.define.loss import Loss

CONSTRUCTED = Tag(lambda s: s.constructor is not None, "it is no object with settings to be saved")

# What a copy is called by, and how it is made; in code, `loss` is the loss.
_ROUTES = {
    "get_config and from_config": "type(loss).from_config(loss.get_config())",
    "pickle": "pickle.loads(pickle.dumps(loss))",
    "copy.deepcopy": "copy.deepcopy(loss)",
    "config and from_config": "type(loss).from_config(loss.config())",
    "state_dict and load_state_dict": "",
    "being flattened as a pytree": "jax.tree.unflatten(jax.tree.structure(loss), jax.tree.leaves(loss))",
}


@rule(
    "LSY603",
    severity="error",
    needs=(CONSTRUCTED,),
    remedy="hand out all that __init__ takes: in get_config, in __reduce__, in buffers",
    wrong="""
        class ScaledError:
            def __init__(self, scale=1.0):
                self.scale = scale

            def __call__(self, prediction, target):
                return self.scale * ((prediction - target) ** 2).mean()

            def __deepcopy__(self, memo):
                return ScaledError()

        loss = ScaledError()
    """,
    right="""
        class ScaledError:
            def __init__(self, scale=1.0):
                self.scale = scale

            def __call__(self, prediction, target):
                return self.scale * ((prediction - target) ** 2).mean()

        loss = ScaledError()
    """,
    seen=(
        "keras-team/keras#23286: losses that came back from their config with the defaults",
        "keras-team/keras#5916: a model with a loss of one's own did not load",
        "keras-team/keras#7993: the same, where the loss was made by a function",
    ),
)
def serialisation_round_trip(subject: Subject) -> Failure | None:
    """What comes back from pickle, a deep copy, a config or a state has the same settings and gives the same loss.

    A setting that is missing in `get_config` is its default when the model is loaded again: training goes on with
    another loss than before, without a word. What refuses to be pickled at all (a lambda, a class in a function) loses
    nothing, and is left alone; what can be saved and not be loaded is a warning.
    """
    changed = _changed(subject)
    for route in _ROUTES:
        problem = _lost(subject, route, changed)
        if problem is None:
            continue
        for name, value in changed.items():  # the one that is to blame, where one is
            alone = _lost(subject, route, {name: value})
            if alone is not None:
                return _failure(subject, route, {name: value}, alone)
        return _failure(subject, route, changed, problem)
    return None


@dataclasses.dataclass(frozen=True)
class _Lost:
    text: str
    silent: bool = True


def _failure(subject: Subject, route: str, settings: Mapping[str, Any], lost: _Lost) -> Failure:
    constructor = subject.constructor
    assert constructor is not None
    arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return Failure(
        f"{constructor.source.rpartition('.')[2]}({arguments}) {lost.text}",
        _code(subject, route, arguments),
        severity=None if lost.silent else "warning",
    )


def _changed(subject: Subject) -> dict[str, Any]:
    """For each argument of the constructor that can have one: another value than it has."""
    constructor = subject.constructor
    assert constructor is not None
    p, y = subject.batch(4)
    changed: dict[str, Any] = {}
    for name, value in constructor.settings.items():
        words = list(constructor.reductions.values()) if name == constructor.reduction else []
        for candidate in words or _others(value):
            if _plain(candidate) == _plain(value):
                continue
            try:
                subject.values(
                    p,
                    y,
                    loss=constructor.make(**{**constructor.settings, **changed, name: candidate}),
                    reduction=subject.reduction,
                )
            except Exception:  # noqa: S112  # it is not allowed there: another one
                continue
            changed[name] = candidate
            break
    return changed


def _others(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value + 2)
    elif isinstance(value, float):
        yield from (value * 1.5 + 0.25, value / 2 + 0.125, value / 2, 0.25)
    elif isinstance(value, tuple | list) and all(isinstance(each, int | float) for each in value):
        yield type(value)(each * 1.5 + 0.25 for each in value)


def _lost(subject: Subject, route: str, changed: Mapping[str, Any]) -> _Lost | None:
    """What got lost on the way; None where nothing did, or where the way is closed."""
    constructor = subject.constructor
    assert constructor is not None
    settings = {**constructor.settings, **changed}
    loss = constructor.make(**settings)
    p, y = subject.batch(4)
    expected = subject.values(p, y, loss=loss, reduction=subject.reduction)
    try:
        save, load = _way(subject, route, loss, lambda: constructor.make(**settings))
        saved = save()
    except _Closed:
        return None
    try:
        with _registered(type(loss)):
            restored = load(saved)
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "")
        return _Lost(f"did not come back from {route}: {type(error).__name__}: {first[:120]}", silent=False)
    for name in changed:
        before, after = (_plain(getattr(each, name, None)) for each in (loss, restored))
        if before != after:
            return _Lost(f"came back from {route} with {name}={after!r}")
    try:
        values = subject.values(p, y, loss=restored, reduction=subject.reduction)
    except LossRaised as error:
        return _Lost(f"came back from {route} and {error}")
    if np.array_equal(values, expected, equal_nan=True):
        return None
    return _Lost(f"came back from {route} as another loss: {np.mean(values):.6g}, not {np.mean(expected):.6g}")


@contextlib.contextmanager
def _registered(kind: type) -> Iterator[None]:
    """Within, Keras finds the class though nobody has registered it."""
    keras = sys.modules.get("keras")
    if keras is None or not issubclass(kind, keras.losses.Loss):
        yield
        return
    with keras.saving.custom_object_scope({kind.__name__: kind}):
        yield


class _Closed(Exception):  # noqa: N818  # it says what the way is
    """A way that this loss does not go."""


def _way(subject: Subject, route: str, loss: Any, fresh: Callable[[], Any]) -> tuple[Callable[[], Any], Any]:
    """How the loss is saved and loaded.

    Raises:
        _Closed: it cannot be saved like this.
    """
    kind = type(loss)
    if route == "pickle":
        return lambda: _pickled(loss), pickle.loads
    if route == "copy.deepcopy":
        return lambda: loss, copy.deepcopy
    if route == "get_config and from_config" and hasattr(loss, "get_config") and hasattr(kind, "from_config"):
        return loss.get_config, kind.from_config
    if route == "config and from_config" and isinstance(loss, Loss):
        return loss.config, kind.from_config
    if route == "state_dict and load_state_dict" and hasattr(loss, "load_state_dict"):
        subject.values(*subject.batch(4), loss=loss, reduction=subject.reduction)
        return loss.state_dict, lambda state: _filled(fresh(), state)
    if route == "being flattened as a pytree" and subject.backend.name == "jax":
        import jax

        leaves, structure = jax.tree.flatten(loss)
        if leaves != [loss]:
            return lambda: leaves, lambda leaves: jax.tree.unflatten(structure, leaves)
    raise _Closed


def _pickled(loss: Any) -> bytes:
    try:
        return pickle.dumps(loss)
    except Exception as error:
        raise _Closed from error


def _filled(module: Any, state: Any) -> Any:
    module.load_state_dict(state)
    return module


def _plain(value: Any) -> Any:
    """A value that can be compared by ==: what arrays hold; None for what only its own class can compare."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str) else None


def _code(subject: Subject, route: str, arguments: str) -> str:
    constructor, way = subject.constructor, _ROUTES[route]
    assert constructor is not None
    if not way:
        return ""
    p, y = (subject.backend.literal(each) for each in subject.batch(4))
    module = route.partition(".")[0]
    first = f"import {module}; " if module in ("pickle", "copy") else ""
    both = (dataclasses.replace(subject, source=name).expression("x", "y") for name in ("loss", "again"))
    return f"{first}loss = {constructor.source}({arguments}); again = {way}\nx, y = {p}, {y}; print({', '.join(both)})"
