from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import REGRESSION, claims
from lossary.check.subject import samples
from lossary.check.subject.as_loss import refuted
from lossary.check.subject.subject import Subject, described
from lossary.define import NonNegative

_SIZES = (0.0, *(float(f"1e{k}") for k in range(-8, 0)), 0.25, 0.5, 1.0, 3.0, 10.0, 30.0, 100.0)


@rule(
    "LSY506",
    severity="error",
    needs=(claims(NonNegative),),
    remedy="write the difference in a form that does not cancel (log1p, expm1, softplus(-2|r|) + |r| - log 2), with "
    "constants in the input's own precision",
    wrong="""
        import numpy as np
        from lossary.define import NonNegative

        def loss(input, target):
            size = np.abs(input - target)
            return size + np.log1p(np.exp(-2 * size)) - 0.6931472

        loss.claims = (NonNegative(),)
    """,
    right="""
        import numpy as np
        from lossary.define import NonNegative

        def loss(input, target):
            size = np.abs(input - target)
            near = np.log1p(np.expm1(-size) ** 2 / 2 * np.exp(np.minimum(size, 40)))
            return np.where(size < 1, near, size + np.log1p(np.exp(-2 * size)) - np.log(2))

        loss.claims = (NonNegative(),)
    """,
    seen=(
        "tensorflow/tensorflow#71638: a KL divergence below 0 for inputs that were no distributions",
        "pytorch/pytorch#2866: a negative loss where the inputs were not what the loss takes",
    ),
)
def non_negative(subject: Subject) -> Failure | None:
    """A loss that is said to be never negative is not, and not by a rounding either.

    What is printed as −0.0000 is harmless until somebody takes its logarithm or its root, or stops early because 0 was
    reached. More often a negative loss is the first sign of something else: a constant in the wrong precision, a sign,
    a target that is no probability. A few units in the last place below 0 are a warning.

    Grids near the perfect prediction are asked in float32 and float64, in batches long enough for vector instructions.
    """
    for dtype in ("float64", "float32"):
        for p, y in _grids(subject, dtype):
            values = subject.rows(p, y)
            if (values < 0.0).any():
                return _failure(subject, p, y, values, dtype)
    return refuted(subject, NonNegative)


def _grids(subject: Subject, dtype: str) -> Iterator[tuple[Any, Any]]:
    """Round sizes, and numbers of many digits very near the target."""
    yield samples.points(subject, _SIZES, dtype)
    if REGRESSION.holds(subject):
        residual = 10.0 ** subject.generator(3).uniform(-6.0, -3.0, size=samples.GRID)
        yield samples.arranged(subject, residual, np.zeros(samples.GRID), dtype)


def _failure(subject: Subject, p: Any, y: Any, values: Any, dtype: str) -> Failure:
    worst = slice(int(np.argmin(values)), int(np.argmin(values)) + 1)
    smallest = float(values[worst][0])
    company = next((n for n in (1, 8, 16) if _negative(subject, p[worst], y[worst], n)), None)
    where = (p, y) if company is None else (p[worst].repeat(company, 0), y[worst].repeat(company, 0))
    note = "" if company == 1 else f" in a batch of {len(where[0])}"
    answer = subject.call(*where)
    kinds = {dtype, subject.backend.dtype(answer) if hasattr(answer, "dtype") else dtype}
    tiny = smallest >= -64.0 * max(subject.backend.spacing(kind) for kind in kinds)
    more: dict[str, Any] = {"reduction": "none"} if subject.separates else {}
    return Failure(
        f"costs {smallest:.3g} in {dtype} on {described(p[worst], y[worst])}{note}",
        subject.code(*where, **more),
        severity="warning" if tiny else None,
    )


def _negative(subject: Subject, prediction: Any, target: Any, times: int) -> bool:
    """Whether the row costs less than nothing in the company of its equals."""
    return bool((subject.rows(prediction.repeat(times, 0), target.repeat(times, 0)) < 0.0).any())
