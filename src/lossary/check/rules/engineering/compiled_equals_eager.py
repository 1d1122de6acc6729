from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.backends.backend import Backend
from lossary.check.rulebook.rule import Failure, Severity, rule
from lossary.check.rulebook.tags import AUTODIFF, COMPILES, DIFFERENTIATES
from lossary.check.rules.engineering.compiles import behind_a_layer, compiled_code
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject

_SIZES = (0.5, 1e-4, 2.0, 30.0, 1e-8, 80.0, 0.1, 5.0)
_ROWS = 16
_ULP = 64
_GRAVE = 1e-3


@rule(
    "LSY605",
    severity="error",
    thorough=True,
    needs=(COMPILES, AUTODIFF, DIFFERENTIATES),
    remedy="compute the same whether compiled or not; what is only for checks must not touch the numbers",
    wrong="""
        import jax
        import jax.numpy as jnp

        def loss(predictions, targets):
            error = predictions - targets
            return jnp.mean(error**2) if isinstance(error, jax.core.Tracer) else jnp.sum(error**2)
    """,
    right="""
        import jax.numpy as jnp

        def loss(predictions, targets):
            return jnp.mean((predictions - targets) ** 2)
    """,
    seen=(
        "pytorch/pytorch#197098: the compiled loss of half-precision inputs came back in float32",
        "pytorch/pytorch#118090: compiled and eager differed",
        "pytorch/pytorch#118175: compiled and eager differed",
    ),
)
def compiled_equals_eager(subject: Subject) -> Failure | None:
    """The compiled loss and gradient are those of the plain call, in value and dtype.

    Compilers fuse and reorder, which moves the last digits. More than that is a fault of the loss (it does something
    else when it is traced) or of the compiler; either way, what was tested is not what is trained. A difference of
    less than a thousandth, and another dtype, are warnings.
    """
    backend = subject.backend
    grid = [each[:_ROWS] for each in samples.points(subject, _SIZES)]
    p, y = (backend.array(each) for each in grid)
    function = subject.function()
    plain = function(p, y), backend.pulled(lambda p: function(p, y), p)[1]
    for compile_ in (backend.traced, backend.compiled) if backend.name == "torch" else (backend.compiled,):
        try:
            compiled = compile_(behind_a_layer(function), p, y)
        except Exception:  # whether it compiles is asked elsewhere
            return None
        for what, before, after in zip(("loss", "gradient"), plain, compiled, strict=True):
            difference = _difference(backend, what, before, after)
            if difference is not None:
                message, severity = difference
                code = compiled_code(subject, grid[0], grid[1], "{loss}, {compiled}")
                return Failure(message, code, severity=severity)
    return None


def _difference(backend: Backend, what: str, plain: Any, compiled: Any) -> tuple[str, Severity | None] | None:
    """What differs, and how grave that is; None where nothing does."""
    dtypes = backend.dtype(plain), backend.dtype(compiled)
    if dtypes[0] != dtypes[1]:
        return f"the {what} is {dtypes[0]}, and {dtypes[1]} when compiled", "warning"
    before, after = backend.numpy(plain), backend.numpy(compiled)
    if before.shape != after.shape:
        return f"the {what} has the shape {before.shape}, and {after.shape} when compiled", None
    finite = np.isfinite(before) & np.isfinite(after)
    alike = (before == after) | (np.isnan(before) & np.isnan(after))
    # Numbers below 1 are often what is left of larger ones: the digits of those are all that they have.
    with np.errstate(invalid="ignore"):
        apart = np.where(finite, np.abs(before - after) / np.maximum(np.abs(before), 1.0), np.where(alike, 0.0, np.inf))
    worst = int(np.argmax(apart))
    if apart.flat[worst] <= _ULP * backend.spacing("float32"):
        return None
    numbers = f"{before.flat[worst]:.9g}, and {after.flat[worst]:.9g} when compiled"
    return f"the {what} is {numbers}", None if apart.flat[worst] > _GRAVE else "warning"
