"""From an array's class to the operations on it.

Three rules: an array's framework is known by the module of its class, so that nothing is imported to ask; the answer is
remembered by class; two frameworks in one call are an error, but NumPy arrays, lists and numbers may stand beside any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lossary.errors import FrameworkError

if TYPE_CHECKING:
    from lossary.ops.arrays import Framework

# The package an array's class comes from → the module of lossary.ops that reads it.
_PACKAGES = {"torch": "torch", "tensorflow": "tensorflow", "jax": "jax", "jaxlib": "jax"}

# What is not an array is known from the start: under a trace, `torch.compile` cannot look through its bases.
_framework_of_class: dict[type, str] = dict.fromkeys((list, tuple, float, int, bool), "numpy")

_ops_of_framework: dict[str, Framework] = {}


def framework_of(x: Any) -> str:
    """The name of the operations that take `x`; "numpy" for NumPy, lists, numbers and all that NumPy converts."""
    kind = type(x)
    framework = _framework_of_class.get(kind)
    if framework is None:
        packages = (base.__module__.partition(".")[0] for base in kind.__mro__)
        framework = next((_PACKAGES[package] for package in packages if package in _PACKAGES), "numpy")
        _framework_of_class[kind] = framework
    return framework


def ops(name: str) -> Framework:
    """The operations of that name: "numpy", "torch", "tensorflow" or "jax"."""
    operations = _ops_of_framework.get(name)
    if operations is None:
        operations = _ops_of_framework[name] = _imported(name)
    return operations


def _imported(name: str) -> Framework:
    # Import statements, rather than importlib, because torch.compile can trace them.
    if name == "torch":
        from lossary.ops.torch import ops as torch_words

        return torch_words
    if name == "tensorflow":
        from lossary.ops.tensorflow import ops as tensorflow_words

        return tensorflow_words
    if name == "jax":
        from lossary.ops.jax import ops as jax_words

        return jax_words
    from lossary.ops.numpy import ops as numpy_words

    return numpy_words


def title(x: Any) -> str:
    """The name of the framework of `x`, as its users write it."""
    return _TITLES[framework_of(x)]


def ops_of(owner: str, names: Sequence[str], arrays: Sequence[Any]) -> Framework:
    """The operations that take all of these arrays, if they are not None; the first is the prediction and decides.

    Raises:
        FrameworkError: two frameworks, or another framework's array beside a NumPy prediction.
    """
    framework, alike = framework_of(arrays[0]), (type(arrays[0]), type(None))
    for place, array in enumerate(arrays):
        if type(array) not in alike and framework_of(array) not in (framework, "numpy"):
            raise FrameworkError(
                f"{owner}: all arrays of a call must come from one framework.",
                received=f"{names[0]} from {_TITLES[framework]} and {names[place]} from {title(array)}.",
                hint=f"convert one of them; lists, numbers and NumPy arrays may stand beside any {names[0]}.",
            )
    return ops(framework)


_TITLES = {"numpy": "NumPy", "torch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX"}
