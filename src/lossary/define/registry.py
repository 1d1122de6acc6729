"""What is recorded when a loss or a penalty is defined: each by a name, for configs, pickles and adapters."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lossary import index
from lossary.errors import UnknownNameError

if TYPE_CHECKING:
    from lossary.define.definition import Definition
    from lossary.define.loss import Loss

_recorded: dict[str, type[Definition]] = {}
_followers: list[Callable[[type[Definition]], None]] = []


def key(cls: type[Definition]) -> str:
    """The name a loss is recorded by: "Huber" for lossary's own, "module:Name" for a user's."""
    own = cls.__module__.startswith(("lossary.losses.", "lossary.penalties."))
    return cls.__name__ if own else f"{cls.__module__}:{cls.__qualname__}"


def record(cls: type[Definition]) -> None:
    """Called when a loss or penalty is defined; a second one of the same name replaces it (notebooks)."""
    _recorded[key(cls)] = cls
    for follower in _followers:
        follower(cls)


def follow(follower: Callable[[type[Definition]], None]) -> None:
    """Call `follower` with all that is recorded, now and later: for hosts that must know a class in advance."""
    for cls in _recorded.values():
        follower(cls)
    _followers.append(follower)


def users() -> tuple[type[Loss], ...]:
    from lossary.define.loss import Loss

    return tuple(cls for name, cls in _recorded.items() if ":" in name and issubclass(cls, Loss))


def own(name: str) -> Any:
    return getattr(importlib.import_module(index.LOSSES.get(name) or index.PENALTIES[name]), name)


def reference(cls: type[Definition]) -> type[Definition] | str:
    """What stands for a class in a pickle: the name of one of lossary's own, which is a safe thing to read and needs no
    import beforehand; a user's class is itself, so that its module is imported where pickle may import."""
    return cls if ":" in key(cls) else cls.__name__


def referred(to: type[Definition] | str) -> Any:
    """The class that a `reference` stands for; of names, lossary's own alone.

    Raises:
        UnknownNameError: lossary has no loss or penalty of that name.
    """
    if not isinstance(to, str):
        return to
    if to not in index.LOSSES and to not in index.PENALTIES:
        raise UnknownNameError(
            f"this version of lossary has no {to!r}.", hint="another version saved it: pip install --upgrade lossary."
        )
    return own(to)


def empty(of: type[Definition] | str) -> Any:
    """What an unpickled loss or penalty is before its settings arrive."""
    return object.__new__(referred(of))


def from_config(config: dict[str, Any]) -> Any:
    """The loss, penalty or objective that its `config()` described.

    Only what is recorded is found: nothing is imported because a config names it.

    Raises:
        UnknownNameError: nothing of that name is recorded.
    """
    if "terms" in config:
        from lossary.define.objective import Objective

        return Objective.from_config(config)
    settings = dict(config)
    name = str(settings.pop("name", None))
    cls: Any = own(name) if name in index.LOSSES | index.PENALTIES else _recorded.get(name)
    if cls is None:
        raise UnknownNameError(
            f"no loss {name!r} is recorded.",
            hint="import the module that defines it first; a config never imports anything.",
        )
    return cls(**settings)
