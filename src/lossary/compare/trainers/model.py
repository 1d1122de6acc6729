"""Which model is trained: the default network, a linear one, or what a user's factory makes."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lossary.errors import MissingExtraError, ParameterError

DEFAULT = "mlp"
LINEAR = "linear"
_FRAMEWORKS = {"torch": "PyTorch", "keras": "Keras"}

# Makes a model: called with the number of features and of outputs.
Factory = Callable[[int, int], Any]


def check(model: str, framework: str | None) -> None:
    """Refuse a model or framework that there is not; nothing of the user's is imported.

    Raises:
        ParameterError: it is neither known nor written as package.module:factory.
        MissingExtraError: the framework is not installed.
    """
    if framework is not None and framework not in _FRAMEWORKS:
        raise ParameterError(f"framework must be {' or '.join(_FRAMEWORKS)}, not {framework!r}.")
    if model == LINEAR:
        if framework is not None:
            raise ParameterError("the linear model is fitted by SciPy: leave the framework out.")
        return
    if model != DEFAULT:
        module, colon, factory = model.partition(":")
        names = [*module.split("."), *factory.split(".")]
        if not (colon and all(name.isidentifier() for name in names)):
            raise ParameterError(f"model must be mlp, linear or package.module:factory, not {model!r}.")
    if model == DEFAULT or framework is not None:
        _require(framework or "torch")


def settle(model: str, framework: str | None, features: int, outputs: Iterable[int]) -> str:
    """What a model is trained by, "torch", "keras" or "scipy", once it is clear that it can be: a user's is tried.

    Raises:
        ParameterError: there is no such factory, it fails, or what it makes does not fit the data.
        MissingExtraError: the framework is not installed.
    """
    check(model, framework)
    if model == LINEAR:
        return "scipy"
    if model == DEFAULT:
        return framework or "torch"
    make, own_framework = load(model), ""
    for width in sorted(set(outputs)):
        try:
            instance, other = make(features, width), make(features, width)
        except (Exception, SystemExit) as error:
            raise ParameterError(f"the model {model} cannot be made: {_one_line(error)}") from error
        own_framework = _framework_of(model, instance)
        if instance is other:
            raise ParameterError(f"{model} must make a new model at every call, not return the one it has.")
        if framework not in (None, own_framework):
            raise ParameterError(
                f"the model {model} is made with {_FRAMEWORKS[own_framework]}, not {_FRAMEWORKS[framework]}."
            )
        _try(model, own_framework, instance, features, width)
    return own_framework


def load(model: str) -> Factory:
    """The factory that `package.module:factory` names; the working directory is searched last.

    It is called as factory(n_features, n_outputs), or as factory() if it takes no argument.

    Raises:
        ParameterError: there is no such module or factory, or importing it fails.
    """
    name, _, path = model.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # it stays, because a factory may import more when it is called
    try:
        value: Any = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise ParameterError(f"the module {name} of --model cannot be imported: {_one_line(error)}") from error
    for attribute in path.split("."):
        if not hasattr(value, attribute):
            raise ParameterError(f"the module {name} of --model has no {path!r}.")
        value = getattr(value, attribute)
    if not callable(value):
        raise ParameterError(
            f"{model} must be a function or class that makes the model, not {type(value).__name__}: "
            "it is made anew for every split."
        )
    factory: Callable[..., Any] = value
    return factory if _takes_arguments(factory) else lambda features, outputs: factory()


def _takes_arguments(factory: Callable[..., Any]) -> bool:
    try:
        return bool(inspect.signature(factory).parameters)
    except ValueError:  # built in C, without a signature
        return True


def _framework_of(model: str, instance: Any) -> str:
    # Keras first: on PyTorch, its models are modules too.
    for framework, home, name in (("keras", "keras", "Model"), ("torch", "torch.nn", "Module")):
        if home in sys.modules and isinstance(instance, getattr(sys.modules[home], name)):
            return framework
    raise ParameterError(
        f"{model} must make a torch.nn.Module or a keras.Model, not {type(instance).__module__}."
        f"{type(instance).__qualname__}."
    )


def _try(model: str, framework: str, instance: Any, features: int, outputs: int) -> None:
    """Three rows through the model: what comes out must be one row of outputs for each."""
    rows, trained = np.zeros((3, features), dtype=np.float32), True
    try:
        if framework == "keras":
            output = instance(rows, training=False)
        else:
            import torch

            instance.eval()
            with torch.no_grad():
                output = instance(torch.from_numpy(rows))
            trained = any(weight.requires_grad for weight in instance.parameters())
    except Exception as error:
        raise ParameterError(
            f"the model {model} fails on an input of shape {rows.shape}: {_one_line(error)}"
        ) from error
    if not trained:
        raise ParameterError(f"the model {model} has no weights to train.")
    shape, expected = getattr(output, "shape", None), (3, outputs)
    if shape is None or (tuple(shape) != expected and not (outputs == 1 and tuple(shape) == (3,))):
        actual = f"the shape {tuple(shape)}" if shape is not None else f"a {type(output).__name__}"
        raise ParameterError(
            f"the model {model} must give {outputs} {'number' if outputs == 1 else 'numbers'} for each row: "
            f"an input of shape {rows.shape} gave {actual}, not {expected}."
        )


def _require(framework: str) -> None:
    if importlib.util.find_spec(framework) is None:
        raise MissingExtraError(
            f"this model needs {_FRAMEWORKS[framework]}.", hint=f"pip install 'lossary[cli,{framework}]'."
        )


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
