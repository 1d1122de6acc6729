from __future__ import annotations

import re
from typing import Any

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, Subject


@rule(
    "LSY102",
    severity="warning",
    remedy="compare the shapes and raise where they differ, with both of them in the message",
    wrong="""
        import numpy as np

        def loss(prediction, target):
            return np.mean([(p - t) ** 2 for p, t in zip(prediction, target)])
    """,
    right="""
        import numpy as np

        def loss(prediction, target):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            return np.mean([(p - t) ** 2 for p, t in zip(prediction, target)])
    """,
    seen=(
        "pytorch/pytorch#5007: L1Loss took (10, 500, 80) and (10, 80, 500), as many entries, and paired the wrong ones",
    ),
)
def length_mismatch_raises(subject: Subject) -> Failure | None:
    """A prediction and a target of different lengths are refused, with both sizes in the message.

    Where one side is cut to the length of the other (a `zip`, a `gather`, an index by the target's length), or both
    are flattened ((2, 3) and (3, 2) have as many entries), a mistake in the data loader pairs predictions with others'
    targets, and nobody hears of it. A message without the two sizes does not say what to look for.
    """
    p, y = samples.plain(subject)
    for prediction, target in ((p[:3], y), (p, y[:3])):
        message = _refusal(subject, prediction, target)
        if message is None:
            code = subject.code(prediction, target)
            return Failure(f"{prediction.shape} against {target.shape} was taken without a word", code)
        if not {"3", "4"} <= set(re.findall(r"\d+", message)):
            return Failure(
                f"{prediction.shape} against {target.shape} raised what does not say the two sizes: {message[:80]}",
                subject.code(prediction, target),
            )
    return None if subject.prediction.rows else _transposed(subject)


def _transposed(subject: Subject) -> Failure | None:
    p, y = samples.plain(subject, 6)
    p, y = p.reshape(2, 3), y.reshape(3, 2)
    if _refusal(subject, p, y) is not None:
        return None
    message = f"{p.shape} against {y.shape} was taken without a word"
    return Failure(message, subject.code(p, y))


def _refusal(subject: Subject, prediction: Any, target: Any) -> str | None:
    """What the loss says where it refuses the input."""
    try:
        subject.values(prediction, target)
    except LossRaised as error:
        return str(error.original)
    return None
