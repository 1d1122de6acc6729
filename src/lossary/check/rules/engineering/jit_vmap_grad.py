from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, Severity, rule
from lossary.check.rulebook.tags import AUTODIFF, DIFFERENTIATES
from lossary.check.rules.engineering.compiles import first_line
from lossary.check.subject.subject import Subject, shown


@rule(
    "LSY607",
    severity="error",
    needs=(AUTODIFF, DIFFERENTIATES),
    remedy="use the framework's own operations on whole arrays; decide by where(...) instead of if",
    wrong="""
        import jax.numpy as jnp

        def loss(predictions, targets):
            error = jnp.abs(predictions - targets)
            if error.max() < 1:
                return error.mean()
            return (error**2).mean()
    """,
    right="""
        import jax.numpy as jnp

        def loss(predictions, targets):
            error = jnp.abs(predictions - targets)
            return jnp.where(error.max() < 1, error.mean(), (error**2).mean())
    """,
    seen=(
        "jax-ml/jax#1076: an `if` on a traced value",
        "jax-ml/jax#24740: the same, inside vmap",
        "google/jaxopt#422: a loss that could not be mapped",
    ),
)
def jit_vmap_grad(subject: Subject) -> Failure | None:
    """Under jit, vmap and grad (`tf.function` in TensorFlow) the loss is what it is without them.

    A loss that reads a value, or asks for the shape where it means the batch, works in a script and fails in a training
    step. JAX cannot train with it, nor can Keras, which traces its step; in PyTorch it is a warning, because training
    goes on without `torch.func`.
    """
    backend = subject.backend
    first, second = subject.batch(4), subject.batch(4, salt=1)
    references = [subject.value_and_gradient(p, y, reduction=subject.reduction) for p, y in (first, second)]
    p, y = (np.stack(both) for both in zip(first, second, strict=True))
    function = subject.function()
    if backend.name == "tensorflow":
        references, p, y = references[:1], first[0], first[1]
        transform: Callable[..., Any] = backend.traced
    else:
        transform = backend.mapped
    try:
        results = [backend.numpy(x) for x in transform(function, backend.array(p), backend.array(y))]
    except Exception as error:
        severity: Severity | None = "warning" if backend.name == "torch" else None
        message = f"{_NAMES[backend.name]} raised {type(error).__name__}: {first_line(error)}"
        return Failure(message, _code(subject, "{traced}"), severity=severity)
    for what, now, plain in zip(("loss", "gradient"), results, zip(*references, strict=True), strict=True):
        expected = np.stack(plain) if len(plain) > 1 else plain[0]
        if now.shape != expected.shape or not np.allclose(now, expected, rtol=1e-4, atol=1e-6, equal_nan=True):
            message = f"the {what} under {_NAMES[backend.name]} is {shown(now)}, not {shown(expected)}"
            return Failure(message, _code(subject, "{plain}, {traced}"))
    return None


_NAMES = {"jax": "jax.jit of vmap of grad", "torch": "torch.func.vmap of grad", "tensorflow": "tf.function"}


def _code(subject: Subject, show: str) -> str:
    """Statements that print the plain call, and the one under the plainest transformation that shows the failure."""
    p, y = subject.batch(4)
    sources = {"tensorflow": "tf.function({}, autograph=False)", "torch": "torch.func.vmap({})", "jax": "jax.vmap({})"}
    source, rows = sources[subject.backend.name], subject.backend.name != "tensorflow"
    if subject.backend.name == "jax" and "{plain}" not in show and not _survives_jit(subject, p, y):
        source, rows = "jax.jit({})", False
    at = ("x[None]", "y[None]") if rows else ("x", "y")
    traced = dataclasses.replace(subject, source=source.format(subject.source)).expression(*at)
    arrays = f"x, y = {subject.backend.literal(p)}, {subject.backend.literal(y)}"
    return f"{arrays}\nprint({show.format(traced=traced, plain=subject.expression('x', 'y'))})"


def _survives_jit(subject: Subject, p: Any, y: Any) -> bool:
    import jax

    try:
        jax.jit(subject.function())(subject.backend.array(p), subject.backend.array(y))
    except Exception:
        return False
    return True
