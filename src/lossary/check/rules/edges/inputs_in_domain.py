from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import Tag
from lossary.check.subject import samples
from lossary.check.subject.subject import described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject
    from lossary.define import Domain


def _bounded(subject: Subject) -> bool:
    return any(domain.certain and not domain.indices for domain in (subject.prediction, subject.target))


@rule(
    "LSY209",
    severity="warning",
    needs=(Tag(_bounded, "its inputs may be any numbers"),),
    remedy="check the range of the inputs and raise, naming the argument and the first bad value",
    wrong="""
        import numpy as np

        def loss(logits, labels):
            return (np.logaddexp(0, logits) - labels * logits).mean()
    """,
    right="""
        import numpy as np

        def loss(logits, labels):
            if not ((labels >= 0) & (labels <= 1)).all():
                raise ValueError("labels must be from 0 to 1")
            return (np.logaddexp(0, logits) - labels * logits).mean()
    """,
    seen=("tensorflow/tensorflow#71638: a cross-entropy came out negative, and nothing said that the inputs were bad",),
)
def inputs_in_domain(subject: Subject) -> Failure | None:
    """Inputs that are no probabilities, shares or labels are refused, or give NaN.

    A probability of 1.5, a label of 2 or logits where probabilities belong are mistakes in the line before the loss.
    A plausible number hides them; a cross-entropy with labels 0, 1 and 2 falls for ever, to minus infinity.
    """
    for p, y in _outside(subject):
        values = subject.attempt(p, y)
        if values is not None and np.isfinite(values).all():
            one = p[:1], y[:1]
            return Failure(f"loss is {float(np.mean(values)):.6g} at {described(*one)}", subject.code(*one))
    return None


def _outside(subject: Subject) -> Iterator[tuple[Any, Any]]:
    """Batches of equal rows in which one of the two arguments is not legal."""
    p, y = (np.repeat(each[:1], 4, axis=0) for each in samples.batch(subject, 4, subject.generator(209), "float32"))
    for wrong in _illegal(subject.prediction, p.shape[-1]):
        yield np.broadcast_to(np.asarray(wrong, p.dtype), p.shape).copy(), y
    for wrong in _illegal(subject.target, p.shape[-1]):
        yield p, np.broadcast_to(np.asarray(wrong, np.float32), y.shape).copy()


def _illegal(domain: Domain, classes: int) -> tuple[Any, ...]:
    if not domain.certain or domain.indices:
        return ()
    if domain.rows:
        negative = np.eye(classes)[1] + 0.5 * (np.eye(classes)[2] - np.eye(classes)[0])
        rows = np.stack([np.linspace(0.9, 0.7, classes), negative])
        return (np.log(rows[0]),) if domain.logarithms else tuple(rows)
    return (domain.high + 1.0,) if domain.discrete else (domain.high + 0.5, domain.low - 0.5)
