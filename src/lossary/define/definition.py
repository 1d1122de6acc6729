"""What losses and penalties have in common: hyper-parameters as fields of a frozen dataclass, and a config."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Self, dataclass_transform, final

from lossary.define import registry
from lossary.define.docstring import Docstring
from lossary.define.parameters import Setting, check_fields, parameter, parameters_of
from lossary.errors import ParameterError, UsageError


@dataclass_transform(frozen_default=True, field_specifiers=(parameter,))
class Definition:
    """Something that is defined by its hyper-parameters: frozen, hashable, picklable, and recorded in the catalogue.

    A concrete subclass is a frozen dataclass by that alone, and is final.
    """

    tables: ClassVar[tuple[str, ...]] = ()  # the hyper-parameters that may have one entry for each class or label
    __array_ufunc__: ClassVar[None] = None  # NumPy's numbers leave arithmetic to us, and its arrays have none with us
    autograph_info__: ClassVar[None] = None  # tells TensorFlow's AutoGraph that there is nothing to convert

    @final
    @property
    def settings(self) -> dict[str, Setting]:
        """The hyper-parameters and their values, in their order."""
        return {name: getattr(self, name) for name in parameters_of(self)}

    @final
    @classmethod
    def default(cls, name: str) -> Setting:
        """What a hyper-parameter is where nothing is said."""
        return parameters_of(cls)[name].default

    @final
    def config(self) -> dict[str, Any]:
        """It as JSON-able data; `lossary.from_config` makes it again, in any process and framework."""
        settings = {name: list(x) if isinstance(x, tuple) else x for name, x in self.settings.items()}
        return {"name": registry.key(type(self)), **settings}

    @final
    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """What `config` describes.

        Raises:
            UnknownNameError: nothing of that name is recorded; nothing is ever imported because a config names it.
            ParameterError: it describes something else than this class.
        """
        instance = registry.from_config(config)
        if not isinstance(instance, cls):
            raise ParameterError(f"{cls.__name__}.from_config needs the config of one.", received=f"{config!r}.")
        return instance

    @final
    def __reduce__(self) -> Any:
        """By name where it is lossary's own: `torch.load` reads it as data, though its class was not imported yet."""
        return registry.empty, (registry.reference(type(self)),), self.__dict__

    @final
    def __repr__(self) -> str:
        """The code that makes it: the first number always, everything else where it is not the default."""
        parameters = parameters_of(self)
        shown = [
            f"{name}={value!r}"
            for index, (name, value) in enumerate(self.settings.items())
            if value != (known := parameters[name]).default
            or (index == 0 and (known.increasing or isinstance(known.default, float)))
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __init_subclass__(cls, *, abstract: bool = False, **options: Any) -> None:
        super().__init_subclass__(**options)
        if abstract:
            return
        parent = next((base for base in cls.__mro__[1:] if dataclasses.is_dataclass(base)), None)
        if parent is not None:
            raise TypeError(f"{parent.__name__} is final: define {cls.__name__} beside it, or compose the two.")
        missing = [name for name in dir(cls) if getattr(getattr(cls, name), "__isabstractmethod__", False)]
        if missing:
            raise TypeError(f"{cls.__name__} must define {' and '.join(missing)}.")
        _take_names_only(cls)
        docstring = Docstring.of(cls)
        dataclasses.dataclass(frozen=True, repr=False)(cls)
        cls.__doc__ = docstring  # type: ignore[assignment]  # a text when it is read, as dataclass() does
        check_fields(cls)
        cls.__init__ = _teaching(cls, cls.__init__)  # type: ignore[method-assign]  # the same signature, better errors
        cls.tables = tuple(name for name, declaration in parameters_of(cls).items() if declaration.table)
        registry.record(cls)

    def __post_init__(self) -> None:
        for name, declaration in parameters_of(self).items():
            object.__setattr__(self, name, declaration.accept(type(self).__name__, name, getattr(self, name)))


def _take_names_only(cls: type) -> None:
    """Only the first hyper-parameter may be positional, and a flag or a word never."""
    for index, name in enumerate(inspect.get_annotations(cls)):
        field = cls.__dict__.get(name)
        if isinstance(field, dataclasses.Field):
            field.kw_only = index > 0 or isinstance(field.default, bool | str)


def _teaching(cls: type[Definition], construct: Callable[..., None]) -> Callable[..., None]:
    """The constructor, with an error that knows what other libraries call the hyper-parameters."""

    @functools.wraps(construct)
    def construct_or_teach(self: Definition, *positional: Any, **named: Any) -> None:
        parameters = parameters_of(cls)
        for name, value in named.items():
            if name not in parameters:
                real = next((mine for mine, declaration in parameters.items() if name in declaration.foreign), None)
                has = ", ".join(parameters) or "no hyper-parameters"
                raise UsageError(
                    f"{cls.__name__} has no hyper-parameter {name!r}.",
                    received=f"{name}={value!r}.",
                    hint=f"here it is called {real}: {cls.__name__}({real}={value!r})."
                    if real
                    else f"{cls.__name__} has {has}; reduction=, missing= and their like belong to its hosts: "
                    f"lossary.torch.{cls.__name__}(...).",
                )
        taken = sum(not field.kw_only for field in dataclasses.fields(cls))  # type: ignore[arg-type]  # leaves are
        if len(positional) > taken:
            raise UsageError(
                f"{cls.__name__} takes {'one' if taken else 'no'} positional argument.",
                received=f"{len(positional)}: {', '.join(map(repr, positional))}.",
                hint=f"name them: {', '.join(f'{name}=' for name in parameters)}." if parameters else None,
            )
        construct(self, *positional, **named)

    construct_or_teach.__signature__ = inspect.signature(construct)  # type: ignore[attr-defined]  # functions do carry it
    return construct_or_teach
