"""The random numbers of a whole process: those of Python and NumPy, and of the frameworks that are loaded."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from typing import Any

# What Keras keeps of its seed, and the generator that it makes of it.
_OF_KERAS = ("global_random_seed", "global_seed_generator")


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Whatever is seeded or drawn within, random numbers go on afterwards as if nothing had been.

    But for operations of TensorFlow with a seed of their own: it forgets how far each of them was when it is seeded,
    and they begin anew. Of PyTorch it is the CPU's numbers, and those of CUDA where that is in use.
    """
    import numpy as np

    python, numpy = random.getstate(), np.random.get_state()
    torch, tensorflow, keras = _of_torch(), _of_tensorflow(), _of_keras()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        _restore_torch(torch)
        _restore_tensorflow(tensorflow)
        _restore_keras(keras)


def _of_torch() -> tuple[Any, Any] | None:
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None


def _restore_torch(states: tuple[Any, Any] | None) -> None:
    torch = sys.modules.get("torch")
    if torch is None or states is None:
        return
    torch.set_rng_state(states[0])
    if states[1] is not None:
        torch.cuda.set_rng_state_all(states[1])


def _of_tensorflow() -> tuple[Any, Any, Any]:
    """Its seed, the generator that gives each operation a seed of its own, and how far that is; nothing before it is
    loaded."""
    eager = sys.modules.get("tensorflow.python.eager.context")
    known = {} if eager is None else vars(eager.context())
    generator = known.get("_rng")
    return known.get("_seed"), generator, None if generator is None else generator.getstate()


def _restore_tensorflow(before: tuple[Any, Any, Any]) -> None:
    if _of_tensorflow() == before:
        return
    context, (seed, generator, state) = sys.modules["tensorflow.python.eager.context"].context(), before
    context._set_global_seed(seed)  # which forgets how far operations are
    if generator is None:
        del context._rng
    else:
        generator.setstate(state)
        context._rng = generator


def _of_keras() -> list[Any]:
    kept = sys.modules.get("keras.src.backend.common.global_state")
    return [None if kept is None else kept.get_global_attribute(name) for name in _OF_KERAS]


def _restore_keras(attributes: list[Any]) -> None:
    kept = sys.modules.get("keras.src.backend.common.global_state")
    for name, attribute in zip(_OF_KERAS, attributes, strict=True):
        if kept is not None:
            kept.set_global_attribute(name, attribute)
