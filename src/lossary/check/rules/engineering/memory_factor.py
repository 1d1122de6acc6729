from __future__ import annotations

from typing import Any

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import Tag
from lossary.check.subject.subject import LossRaised, Subject, described

TRAINED = Tag(lambda s: s.trainable, "nothing is trained with it")

_FEW, _MANY = 256, 1024
_GROWTH = 7  # fourfold is linear, sixteenfold is rows × rows
_FACTOR = 64


@rule(
    "LSY609",
    severity="warning",
    thorough=True,
    needs=(TRAINED,),
    remedy="compare each prediction with its own target: no [:, None], no outer product, no array of rows × rows",
    wrong="""
        import numpy as np

        def loss(prediction, target):
            return np.diag((prediction[:, None] - target[None, :]) ** 2).mean()
    """,
    right="""
        import numpy as np

        def loss(prediction, target):
            return ((prediction - target) ** 2).mean()
    """,
    seen=(
        "jax-ml/jax#35915: memory of a cross-entropy that grew with the vocabulary",
        "pytorch/pytorch#124480: the logits of a large vocabulary were held several times over",
        "NVIDIA-NeMo/Automodel#3907: a float32 copy of all logits",
    ),
)
def memory_factor(subject: Subject) -> Failure | None:
    """The largest array that the loss and its gradient need grows with the batch, and is no multiple of its size.

    An array of rows × rows is small in a test and does not fit in training: 32,768 tokens make 4 GiB of it. A loss that
    compares rows with each other needs it; one that compares each row with its target does not.
    """
    try:
        few, many = (_largest(subject, rows) for rows in (_FEW, _MANY))
    except Exception as error:
        raise LossRaised(error, described(*subject.batch(_FEW))) from error
    size = subject.batch(_MANY)[0].size
    if many <= _FACTOR * size and many <= _GROWTH * few:
        return None
    message = f"{_MANY:,} rows of {size // _MANY} needed {many / size:,.0f} times their size at once"
    if many > _GROWTH * few:
        message += f", {_FEW:,} rows {few * _MANY / size / _FEW:,.0f} times theirs"
    return Failure(message)


def _largest(subject: Subject, rows: int) -> int:
    p, y = subject.batch(rows)
    function: Any = subject.function()
    return subject.backend.largest(function, subject.backend.array(p), subject.backend.array(y))
