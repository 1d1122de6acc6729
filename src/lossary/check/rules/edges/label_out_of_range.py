from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import INDICES
from lossary.check.subject.subject import described

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


@rule(
    "LSY210",
    severity="warning",
    needs=(INDICES,),
    remedy="compare the labels with 0 and K and raise; leave rows out by a mask or a declared index",
    wrong="""
        import numpy as np

        def loss(logits, labels):
            z = logits - logits.max(axis=-1, keepdims=True)
            log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
            return -log_p[np.arange(len(labels)), labels].mean()
    """,
    right="""
        import numpy as np

        def loss(logits, labels):
            if labels.min() < 0:
                raise ValueError("labels must not be negative")
            z = logits - logits.max(axis=-1, keepdims=True)
            log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
            return -log_p[np.arange(len(labels)), labels].mean()
    """,
    seen=(
        "tensorflow/tensorflow#8484",
        "tensorflow/tensorflow#126005: compiled, a label out of range gave another answer than eagerly",
        "tensorflow/tensorflow#15962",
    ),
)
def label_out_of_range(subject: Subject) -> Failure | None:
    """A label that is no class is refused, or gives NaN.

    -1 means "last class" to an array and "unlabelled" to people; labels that count from 1 end at K. Frameworks wrap the
    one around and clamp the other, or treat both as rows of zeros, and the model learns a class that nobody meant.
    """
    p, y = subject.batch(4, salt=210)
    classes = 1 + int(subject.target.edges("float32", p.shape[-1]).max())
    for label in (-1, classes, 10 * classes):
        if label == subject.ignored:
            continue
        values = subject.attempt(p, np.full_like(y, label))
        if values is not None and np.isfinite(values).all():
            one = p[:1], np.full_like(y[:1], label)
            return Failure(
                f"label {label} of {classes} classes gave {float(np.mean(values)):.6g}; {described(*one)}",
                subject.code(*one),
            )
    return None
