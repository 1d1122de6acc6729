"""Every loss that is known, by name: lossary's own, and those that a user's module has defined."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from lossary import index
from lossary.define import registry
from lossary.errors import UnknownNameError

if TYPE_CHECKING:
    from lossary.define.loss import Loss


def recorded() -> tuple[type[Loss], ...]:
    """Every loss there is, lossary's own first, then those that users' modules have defined so far."""
    return classes() + registry.users()


def classes() -> tuple[type[Loss], ...]:
    """lossary's own losses, in the order of the catalogue; this imports all of them."""
    return tuple(registry.own(name) for name in index.LOSSES)


def family(cls: type[Loss]) -> str:
    """The folder of one of lossary's own, which is a key of `index.FAMILIES`; a user's module."""
    return cls.__module__ if ":" in registry.key(cls) else cls.__module__.split(".")[2]


def find(name: str) -> type[Loss]:
    """The loss of that name, also by the names other libraries give it; of lossary's own, only that one is imported.

    Raises:
        UnknownNameError: there is none; the message suggests what is close.
    """
    for penalty in index.PENALTIES:
        if name.lower() == penalty.lower():
            raise UnknownNameError(f"{penalty} is a penalty, not a loss.", hint=f"from lossary import {penalty}.")
    if name in index.LOSSES:
        return cast("type[Loss]", registry.own(name))
    users = registry.users()
    for cls in users:
        if name in (registry.key(cls), cls.__name__):
            return cls
    from lossary.names import NAMES

    key = folded(name)
    if key in NAMES:
        return cast("type[Loss]", registry.own(NAMES[key]))
    by_name = names(users)
    if key in by_name:
        return by_name[key]
    candidates = {other: cls.__name__ for other, cls in by_name.items()} | NAMES
    close = closest(key, candidates)
    raise UnknownNameError(
        f"the catalogue has no loss {name!r}.",
        hint=f"did you mean {candidates[close]}?" if close else "lossary list --all shows all of them.",
    )


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """The known name that is most like the one wanted; None where none is like it.

    It is what `difflib.get_close_matches` answers, which would look at every name: here those of a similar length come
    first, and none is looked at that is too long or too short to be closer.
    """
    matcher, size = difflib.SequenceMatcher(b=name), len(name)
    by_length: defaultdict[int, list[str]] = defaultdict(list)
    for other in candidates:
        by_length[len(other)].append(other)
    nearest, best = "", 0.6
    for length in sorted(by_length, key=lambda length: abs(length - size)):
        if 2.0 * min(length, size) / (length + size) < best:  # though all of one were in the other
            continue
        for other in by_length[length]:
            matcher.set_seq1(other)
            if matcher.quick_ratio() >= best:
                best, nearest = max((best, nearest), (matcher.ratio(), other))
    return nearest or None


def names(classes: Sequence[type[Loss]]) -> dict[str, type[Loss]]:
    """All that they are called, folded; of two losses with one name it is the everyday one's, or the first one's.

    A loss's own name counts for more than those that it says others give it, and these for more than the name of a
    twin, which several losses may share.
    """
    by_name: dict[str, type[Loss]] = {}
    classes = sorted(classes, key=lambda cls: not cls.everyday)
    for cls in classes:
        by_name.setdefault(folded(cls.__name__), cls)
    for cls in classes:
        for other in cls.foreign_names:
            by_name.setdefault(folded(other), cls)
    for cls in classes:
        for twin in cls.same_as:
            by_name.setdefault(folded(twin.name), cls)
            by_name.setdefault(folded(twin.name.rpartition(".")[2]), cls)
    return by_name


def folded(name: str) -> str:
    """A name without what people vary: "MSELoss", "mse_loss" and "mse" are one."""
    return "".join(letter for letter in name.lower() if letter.isalnum()).removesuffix("loss") or name.lower()


def get(name: str, **settings: Any) -> Loss:
    """A loss by name, alias or twin, as a config or a command line gives it: `get("bce", pos_weight=3)`.

    Raises:
        UnknownNameError: no such loss.
        UsageError, ParameterError: no such hyper-parameter, or out of bounds.
    """
    return find(name)(**settings)


def multiples(loss: Loss) -> list[tuple[float, Loss]]:
    """The losses of the catalogue that this one is a multiple of, at its hyper-parameters, each behind the factor."""
    known = []
    for identity in loss.identities:
        if identity.applies(loss):
            name = identity.other.partition("(")[0]
            # The expressions are constants of the catalogue, not input.
            other = eval(identity.other, {name: registry.own(name)} | loss.settings)  # noqa: S307
            known.append((float(eval(identity.factor, dict(loss.settings))), other))  # noqa: S307
    return known


def teach(name: str) -> str | None:
    """What to say to somebody who asked for a loss by another library's name; None for names nobody gives."""
    from lossary.names import NAMES

    real = NAMES.get(folded(name))
    if real is None:
        return None
    return (
        f"lossary has no {name!r}; here it is called {real}: from lossary import {real}, or at home in a framework "
        f"lossary.torch.{real}, lossary.keras.{real}, lossary.jax.{real}."
    )
