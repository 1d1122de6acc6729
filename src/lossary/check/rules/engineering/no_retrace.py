from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import COMPILES
from lossary.check.subject.subject import LossRaised, Subject, described

_TIMES = 4


@rule(
    "LSY606",
    severity="warning",
    thorough=True,
    needs=(COMPILES,),
    remedy="compile once, outside the call; hand over what changes as an array, not as a Python number",
    wrong="""
        import functools
        import jax
        import jax.numpy as jnp

        @functools.partial(jax.jit, static_argnames="delta")
        def loss(predictions, targets, delta=1.0):
            error = jnp.abs(predictions - targets)
            return jnp.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta)).mean()
    """,
    right="""
        import jax
        import jax.numpy as jnp

        @jax.jit
        def loss(predictions, targets, delta=1.0):
            error = jnp.abs(predictions - targets)
            return jnp.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta)).mean()
    """,
    seen=(
        "tensorflow/addons#807: a loss was traced anew for each Python number it was given",
        "tensorflow/tensorflow#31175: training slowed down as functions were traced again and again",
    ),
)
def no_retrace(subject: Subject) -> Failure | None:
    """Once compiled for a shape, the loss is not traced or compiled again for other values or settings.

    A compiler inside the call, a hyper-parameter that is static to it, or a Python counter that the loss carries along
    means a compilation per step. Each takes longer than hundreds of steps.
    """
    backend = subject.backend
    batches = [tuple(backend.array(x) for x in subject.batch(4, salt=salt)) for salt in range(_TIMES + 1)]
    function, count = backend.tracing(subject.function())
    (p, y), *others = batches
    try:
        function(p, y)
        function(p, y)
        before = count()
        for prediction, target in others:
            function(prediction, target)
        if count() - before >= _TIMES:
            return Failure(f"compiled {count() - before} times in {_TIMES} calls of the same shape")
        for name, losses in _in_call(subject):
            next(losses)(p, y)
            before = count()
            for loss in losses:
                loss(p, y)
            if count() - before >= _TIMES:
                return Failure(f"compiled {count() - before} times for {_TIMES} values of {name}")
    except Exception as error:
        raise LossRaised(error, described(*subject.batch(4))) from error
    return None


def _in_call(subject: Subject) -> Iterator[tuple[str, Iterator[Any]]]:
    """For each setting that is an argument of the call: the loss with one value of it, and with more."""
    if subject.constructor is not None or subject.backend.name == "torch":
        return
    for name, value in subject.settings.items():
        yield name, (_with(subject, name, value, number) for number in range(_TIMES + 1))


def _with(subject: Subject, name: str, value: float, number: int) -> Any:
    return subject.function(subject.with_settings(**{name: float(value) * (1.0 + number / 64)}))
