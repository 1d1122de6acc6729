"""How a framework's home for losses comes by its classes: one named, importable, picklable class for each loss."""

from __future__ import annotations

import inspect
import sys
from typing import Any, final

from lossary import catalogue
from lossary.define.definition import Definition
from lossary.define.docstring import Defaults, Docstring
from lossary.define.loss import Loss
from lossary.define.objective import Objective
from lossary.errors import UsageError
from lossary.index import LOSSES, PENALTIES


@final
class Classes:
    """The classes of one host, each made from `base` when it is first asked for.

    A host module's `__getattr__` is `Classes(__name__, Base).attribute`, and its `__dir__` the `names`. The class for a
    loss carries it as `definition`, and its constructor takes the loss's hyper-parameters beside the options of
    `base.__init__`.

    Args:
        module: the host's name; its `__all__` has what it has beside the losses, and the losses.
        base: the class that they derive from.
        defaults: of hyper-parameters, where the host has others than the losses; None for what must be given.
    """

    def __init__(self, module: str, base: type, defaults: Defaults | None = None) -> None:
        self._module = module
        self._base = base
        self._defaults = defaults or {}
        self._classes: dict[type[Definition], Any] = {}

    def of(self, definition: type[Loss]) -> Any:
        """The class for that loss."""
        if definition not in self._classes:
            names = {
                "definition": definition,
                "__module__": self._module,
                "__qualname__": definition.__name__,
                "__doc__": Docstring.at_home(definition, self._base, self._defaults),
                "__signature__": _OfClass(self._signature(definition)),
            }
            self._classes[definition] = type(self._base)(definition.__name__, (self._base,), names)
        return self._classes[definition]

    def attribute(self, name: str) -> Any:
        """The module's `__getattr__`: a class for every loss of the catalogue."""
        if name in LOSSES:
            return self.of(catalogue.find(name))
        if name in PENALTIES:
            raise AttributeError(f"{name} is a penalty, not a loss: from lossary import {name}.")
        lesson = catalogue.teach(name) if name[0].isupper() else None
        if lesson is not None:
            raise AttributeError(lesson)
        close = catalogue.closest(name, LOSSES)
        advice = f"; did you mean {close}?" if close else ""
        raise AttributeError(f"module {self._module!r} has no attribute {name!r}{advice}")

    def names(self) -> list[str]:
        """The module's `__dir__`: what it is for, and nothing of how it is made."""
        return sorted(sys.modules[self._module].__all__)

    def _signature(self, definition: type[Loss]) -> inspect.Signature:
        """The loss's hyper-parameters, then the host's options."""
        options = inspect.signature(self._base).parameters.values()
        own = [self._at_home(each) for each in inspect.signature(definition).parameters.values()]
        return inspect.Signature([*own, *(x for x in options if x.kind is inspect.Parameter.KEYWORD_ONLY)])

    def _at_home(self, hyper_parameter: inspect.Parameter) -> inspect.Parameter:
        """With the host's own default."""
        default = self._defaults.get(hyper_parameter.name, hyper_parameter.default)
        return hyper_parameter.replace(default=inspect.Parameter.empty if default is None else default)


def refuse_inputs(host: str, loss: Loss | Objective, habit: str) -> None:
    """Raises UsageError where a loss takes more, or something else, than a prediction and a target.

    Args:
        host: "keras" or "sklearn".
        habit: what it calls losses with.
    """
    if not loss.paired:
        raise UsageError(
            f"lossary.{host} calls losses with {habit}, and {loss!r} takes {', '.join(loss.inputs)}.",
            received=f"a loss of {len(loss.inputs)} inputs.",
            hint="lossary.torch and lossary.jax take them in this order; loss(...) by their names.",
        )


@final
class _OfClass:
    """The constructor's signature, for the class alone: instances are called otherwise, and `tf.function` looks."""

    def __init__(self, signature: inspect.Signature) -> None:
        self._signature = signature

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError
        return self._signature
