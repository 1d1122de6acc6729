"""Every loss that is known, by name: lossary's own, and those that a user's module has defined."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lossary import index
from lossary.errors import UnknownNameError

if TYPE_CHECKING:
    from lossary.definition import Definition
    from lossary.loss import Loss

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


def recorded() -> tuple[type[Loss], ...]:
    """Every loss there is, lossary's own first, then those that users' modules have defined so far."""
    from lossary.loss import Loss

    own = classes()
    return own + tuple(cls for cls in _recorded.values() if issubclass(cls, Loss) and cls not in own)


def classes() -> tuple[type[Loss], ...]:
    """lossary's own losses, in the order of the catalogue."""
    return tuple(_own(name) for name in index.LOSSES)


def _own(name: str) -> Any:
    homes = index.LOSSES | index.PENALTIES
    return getattr(importlib.import_module(homes[name]), name)


def reference(cls: type[Definition]) -> type[Definition] | str:
    """What stands for a class in a pickle: the name of one of lossary's own, which is a safe thing to read and needs no
    import beforehand; a user's class is itself, so that its module is imported where pickle may import."""
    return cls if ":" in key(cls) else cls.__name__


def referred(to: type[Definition] | str) -> Any:
    """The class that a `reference` stands for; of names, lossary's own alone."""
    return _own(to) if isinstance(to, str) else to


def empty(of: type[Definition] | str) -> Any:
    """What an unpickled loss or penalty is before its settings arrive."""
    return object.__new__(referred(of))


def find(name: str) -> type[Loss]:
    """The loss of that name, also by the names other libraries give it.

    Raises:
        UnknownNameError: there is none; the message suggests what is close.
    """
    for penalty in index.PENALTIES:
        if name.lower() == penalty.lower():
            raise UnknownNameError(f"{penalty} is a penalty, not a loss.", hint=f"from lossary import {penalty}.")
    for cls in recorded():
        if name in (key(cls), cls.__name__):
            return cls
    names: dict[str, type[Loss]] = {}
    own = classes()
    for group in (own, [cls for cls in recorded() if cls not in own]):
        for cls in group:
            names.setdefault(_folded(cls.__name__), cls)
        # A loss's own list of names counts for more than the name of a twin, which several losses may share.
        for cls in group:
            for other in cls.foreign_names:
                names.setdefault(_folded(other), cls)
        for cls in group:
            for twin in cls.same_as:
                names.setdefault(_folded(twin.name), cls)
                names.setdefault(_folded(twin.name.rpartition(".")[2]), cls)
    wanted = _folded(name)
    if wanted in names:
        return names[wanted]
    close = difflib.get_close_matches(wanted, names, n=1)
    raise UnknownNameError(
        f"the catalogue has no loss {name!r}.",
        hint=f"did you mean {names[close[0]].__name__}?" if close else "lossary list shows all of them.",
    )


def get(name: str, **settings: Any) -> Loss:
    """A loss by name, alias or twin, as a config or a command line gives it: `get("bce", pos_weight=3)`.

    Raises:
        UnknownNameError: no such loss.
        UsageError, ParameterError: no such hyper-parameter, or out of bounds.
    """
    return find(name)(**settings)


def teach(name: str) -> str | None:
    """What to say to somebody who asked for a loss by another library's name; None for names nobody gives."""
    try:
        cls = find(name)
    except UnknownNameError:
        return None
    return (
        f"lossary has no {name!r}; here it is called {cls.__name__}: from lossary import {cls.__name__}, or at home in "
        f"a framework lossary.torch.{cls.__name__}, lossary.keras.{cls.__name__}, lossary.jax.{cls.__name__}."
    )


def from_config(config: dict[str, Any]) -> Any:
    """The loss, penalty or objective that its `config()` described.

    Only what is recorded is found: nothing is imported because a config names it.

    Raises:
        UnknownNameError: nothing of that name is recorded.
    """
    if "terms" in config:
        from lossary.objective import Objective

        return Objective.from_config(config)
    settings = dict(config)
    name = str(settings.pop("name", None))
    made: Any = _own(name) if name in index.LOSSES | index.PENALTIES else _recorded.get(name)
    if made is None:
        raise UnknownNameError(
            f"no loss {name!r} is recorded.",
            hint="import the module that defines it first; a config never imports anything.",
        )
    return made(**settings)


def _folded(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum()).removesuffix("loss") or name.lower()
