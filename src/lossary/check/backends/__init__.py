"""The array frameworks that losses are checked in."""

from __future__ import annotations

import functools
from collections.abc import Callable

from lossary.check.backends.backend import Backend


@functools.cache
def backend(name: str) -> Backend:
    """The backend called "numpy", "torch", "tensorflow" or "jax"; the framework is imported now.

    Raises:
        ImportError: the framework is not installed.
    """
    from lossary.check.backends.jax import JAX
    from lossary.check.backends.numpy import NumPy
    from lossary.check.backends.tensorflow import TensorFlow
    from lossary.check.backends.torch import Torch

    kinds: dict[str, Callable[[], Backend]] = {"numpy": NumPy, "torch": Torch, "tensorflow": TensorFlow, "jax": JAX}
    return kinds[name]()
