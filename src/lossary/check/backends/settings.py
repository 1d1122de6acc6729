"""What frameworks have set for the whole process."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def settings_kept() -> Iterator[None]:
    """Afterwards, settings that losses and reproducers change (the default dtype, float64 in JAX) are as before."""
    torch, jax, keras = (sys.modules.get(name) for name in ("torch", "jax", "keras"))
    with contextlib.ExitStack() as restoring:
        if torch is not None:
            restoring.callback(torch.set_default_dtype, torch.get_default_dtype())
        if jax is not None:
            wide = jax.config.values["jax_enable_x64"]  # the process's: the attribute is this thread's
            restoring.callback(jax.config.update, "jax_enable_x64", wide)
        if keras is not None:
            restoring.callback(keras.config.set_floatx, keras.config.floatx())
            restoring.callback(keras.config.set_dtype_policy, keras.config.dtype_policy())
        yield
