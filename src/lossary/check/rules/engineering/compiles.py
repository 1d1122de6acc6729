from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import AUTODIFF, COMPILES, DIFFERENTIATES
from lossary.check.subject.subject import Subject

# How a framework's users compile a loss.
COMPILERS = {
    "torch": "torch.compile(lambda *x: {loss}(*(1.0 * each if each.is_floating_point() else each for each in x)), "
    'fullgraph=True, backend="aot_eager")',
    "tensorflow": "tf.function({loss}, jit_compile=True, autograph=False)",
    "jax": "jax.jit({loss})",
}


@rule(
    "LSY604",
    severity="error",
    thorough=True,
    needs=(COMPILES, AUTODIFF, DIFFERENTIATES),
    remedy="decide by where(...) instead of if, and read no values: no .item(), float() or .numpy() of an array",
    wrong="""
        import jax.numpy as jnp

        def loss(predictions, targets):
            error = jnp.abs(predictions - targets)
            return error.mean() if error.max() < 1 else (error**2).mean()
    """,
    right="""
        import jax.numpy as jnp

        def loss(predictions, targets):
            error = jnp.abs(predictions - targets)
            return jnp.where(error.max() < 1, error.mean(), (error**2).mean())
    """,
    seen=(
        "huggingface/transformers#34615: a loss computed by .item() broke the compiled graph",
        "open-edge-platform/physical-ai-studio#877: reading a value on the way made the compiled model wait",
    ),
)
def compiles(subject: Subject) -> Failure | None:
    """The loss and its gradient compile as one graph: by torch.compile(fullgraph=True), XLA or jax.jit.

    The prediction comes out of an operation of the same graph, as it comes out of a layer in training. What looks at a
    value to decide what to do next cannot be compiled. PyTorch cuts the graph in two there, and waits for the device at
    each step (a warning); TensorFlow with XLA and JAX give up (an error).
    """
    p, y = (subject.backend.array(each) for each in subject.batch(4))
    compile_ = subject.backend.traced if subject.backend.name == "torch" else subject.backend.compiled
    try:
        compile_(behind_a_layer(subject.function()), p, y)
    except Exception as error:
        return Failure(
            f"{_by(subject)} raised {type(error).__name__}: {first_line(error)}",
            compiled_code(subject, *subject.batch(4), "{compiled}"),
            severity="warning" if subject.backend.name == "torch" else None,
        )
    return None


def behind_a_layer(function: Callable[..., Any]) -> Callable[..., Any]:
    """The loss of a prediction that is no input of the graph: in training it never is."""
    return lambda prediction, *others: function(1.0 * prediction, *others)


def compiled_code(subject: Subject, prediction: Any, target: Any, show: str) -> str:
    """Statements that print "{compiled}", the compiled call, and "{loss}", the plain one."""
    source = COMPILERS[subject.backend.name].format(loss=subject.source)
    compiled = dataclasses.replace(subject, source=source).expression("x", "y")
    arrays = f"x, y = {subject.backend.literal(prediction)}, {subject.backend.literal(target)}"
    return f"{arrays}\nprint({show.format(compiled=compiled, loss=subject.expression('x', 'y'))})"


def first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")[:160]


def _by(subject: Subject) -> str:
    return COMPILERS[subject.backend.name].partition("(")[0]
