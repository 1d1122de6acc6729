"""Wrong losses, planted for the rules of `lossary check` to find, and right ones, for them to leave alone.

A file is named after its rule and holds its mutants:

    @planted("LSY101", "numpy", "torch", "keras", "jax", task="regression")
    def no_look_at_shapes(xp):
        def loss(prediction, target):
            return xp.mean((prediction - target) ** 2)
        return loss

`xp` is numpy, torch, keras.ops or jax.numpy; what stands behind the frameworks is told to the check (`--task` and so
on), where it is not what would be inferred.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, final


@final
@dataclasses.dataclass(frozen=True)
class Planted:
    """One loss in one framework; `code` is the rule that must find it, "" where it is right."""

    code: str
    framework: str
    make: Callable[[Any], Any]
    told: Mapping[str, Any]

    @property
    def loss(self) -> Any:
        return self.make(words(self.framework))

    def __str__(self) -> str:
        return f"{self.code or 'right'}-{self.make.__name__}-{self.framework}"


_all: list[Planted] = []


def planted(code: str, *frameworks: str, **told: Any) -> Callable[[Any], Any]:
    """Plant a loss in these frameworks."""

    def keep(make: Any) -> Any:
        _all.extend(Planted(code, framework, make, told) for framework in frameworks)
        return make

    return keep


def right(*frameworks: str, **told: Any) -> Callable[[Any], Any]:
    """Plant a loss that nothing is wrong with."""
    return planted("", *frameworks, **told)


def words(framework: str) -> Any:
    """The module whose functions a loss of that framework is written in."""
    names = {"numpy": "numpy", "torch": "torch", "keras": "keras.ops", "jax": "jax.numpy"}
    return importlib.import_module(names[framework])


def everything() -> list[Planted]:
    """All that is planted, in the order of the files."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return sorted(_all, key=lambda each: (each.code, each.framework, each.make.__name__))
