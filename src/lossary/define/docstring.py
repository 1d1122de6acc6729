"""What `help` says of a loss: its own sentences, and what the class states beside them, written when somebody asks."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, final

from lossary.define import late
from lossary.define.parameters import Setting, parameters_of

if TYPE_CHECKING:
    from lossary.define.definition import Definition
    from lossary.define.loss import Loss

_WIDTH = 100
Defaults = Mapping[str, Setting | None]  # where a host has others than the loss; None for what must be given


@final
class Docstring:
    """A `__doc__` that is written when it is read."""

    def __init__(self, sentences: str, write: Callable[[str], str]) -> None:
        self.sentences = inspect.cleandoc(sentences)
        self._write = write

    def __get__(self, instance: object, owner: type) -> str:
        return self._write(self.sentences)

    @classmethod
    def of(cls, definition: type[Definition]) -> Self:
        """For a loss or penalty, framework-free."""
        return cls(definition.__doc__ or "", functools.partial(_of_definition, definition))

    @classmethod
    def at_home(cls, definition: type[Loss], base: type, defaults: Defaults) -> Self:
        """For a loss at home in a framework; `base` says what it takes there beside its hyper-parameters."""
        own = vars(definition)["__doc__"]
        sentences = own.sentences if isinstance(own, Docstring) else own or ""
        return cls(sentences, functools.partial(_at_home, definition, base, defaults))


def _of_definition(definition: type[Definition], sentences: str) -> str:
    from lossary.define.loss import Loss

    arguments = _section("Args", _hyper_parameters(definition, {}))
    if not issubclass(definition, Loss):
        return _joined(sentences, arguments, _raises(definition), _sources(definition))
    loss = definition()
    call = "Called as loss(prediction=..., target=..., weight=None, where=None, reduction='mean'), in any framework."
    parts = (call, _arrays(loss), _raises(definition), _sources(definition))
    return _joined(sentences, _formula(loss), arguments, *parts)


def _at_home(definition: type[Loss], base: type, defaults: Defaults, sentences: str) -> str:
    how, _, options = (inspect.getdoc(base) or "").partition("\n\nArgs:\n")
    arguments = _section("Args", _hyper_parameters(definition, defaults)) or ("Args:" if options else "")
    settings = {name: x for name, x in defaults.items() if x is not None and name in parameters_of(definition)}
    loss = definition(**settings)
    axis = " with K on the axis class_axis" if "class_axis" in inspect.signature(base).parameters else ""
    parts = (_arrays(loss, axis), _raises(definition), _sources(definition))
    return _joined(sentences, _formula(loss), how, f"{arguments}\n{options}".strip("\n"), *parts)


def _formula(loss: Loss) -> str:
    """The formula, where it can be printed: a loss of somebody's own need not be."""
    try:
        return textwrap.indent(late.formula(loss).text, "    ")
    except Exception:  # whatever a method of somebody's own does with symbols: help must not fail for it
        return ""


def _hyper_parameters(definition: type[Definition], defaults: Defaults) -> list[str]:
    """One line for each: what it is, its letter, its bounds, its default."""
    lines = []
    for name, parameter in parameters_of(definition).items():
        default = defaults.get(name, parameter.default)
        letter = f"; {parameter.symbol} in the formula" if parameter.symbol else ""
        fallback = "must be given" if default is None else f"{default!r} by default"
        lines.append(
            f"{name}: {parameter.doc}{letter}. {parameter.wanted[0].upper()}{parameter.wanted[1:]}; {fallback}."
        )
    return lines


def _arrays(loss: Loss, axis: str = "") -> str:
    """What a prediction and a target may be, and their shapes."""
    whole, each = (f"(…, {loss.prediction.size or 'K'}){axis}", "row") if loss.prediction.rows else ("(…)", "entry")
    beside = loss.target.axes < loss.prediction.axes  # one number or index for each row
    lines = [
        f"prediction: {whole}, floating point; {_values(loss, 'prediction')}.",
        f"target: {'(…)' if beside else 'the same shape'}; {_values(loss, 'target')}.",
        f"losses: (…), one for each {each}.",
    ]
    return _section("Arrays", lines)


def _values(loss: Loss, role: str) -> str:
    """The values allowed, also where a flag changes them."""
    usual: str = getattr(loss, role).wanted
    others = []
    for name, parameter in parameters_of(loss).items():
        if parameter.is_flag:
            flag = not loss.settings[name]
            other = getattr(dataclasses.replace(loss, **{name: flag}), role).wanted
            others += [f" ({name}={flag}: {other})"] if other != usual else []
    return "".join([usual, *others])


def _raises(definition: type[Definition]) -> str:
    from lossary.define.loss import Loss

    lines = ["ParameterError: a hyper-parameter out of its bounds."] if parameters_of(definition) else []
    if issubclass(definition, Loss):
        lines += [
            "ShapeError: arrays whose shapes do not belong together; nothing is broadcast.",
            "DtypeError, FrameworkError: integers as predictions; arrays of two frameworks or devices.",
            "DomainError: a value that is not allowed; NaN instead, where values cannot be read.",
        ]
    else:
        lines.append("UsageError: there is no parameter to count.")
    return _section("Raises", lines)


def _sources(definition: Any) -> str:
    return _section("Source" if len(definition.sources) == 1 else "Sources", list(definition.sources))


def _section(title: str, lines: list[str]) -> str:
    """A heading and what stands under it; nothing without lines."""
    wrapper = textwrap.TextWrapper(
        _WIDTH, initial_indent="    ", subsequent_indent="        ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join([f"{title}:", *map(wrapper.fill, lines)]) if lines else ""


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
