"""What frameworks have set for the whole process."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def settings_kept() -> Iterator[None]:
    """Afterwards, settings that losses and reproducers change (the default dtype, float64 in JAX) are as before."""
    with contextlib.ExitStack() as restoring:
        if "torch" in sys.modules:
            torch = sys.modules["torch"]
            restoring.callback(torch.set_default_dtype, torch.get_default_dtype())
        if "jax" in sys.modules:
            config = sys.modules["jax"].config
            wide = config.values["jax_enable_x64"]  # the process's: the attribute is this thread's
            restoring.callback(config.update, "jax_enable_x64", wide)
        if "keras" in sys.modules:
            keras = sys.modules["keras"].config
            restoring.callback(keras.set_floatx, keras.floatx())
            restoring.callback(keras.set_dtype_policy, keras.dtype_policy())
        yield
