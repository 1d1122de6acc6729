from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import LOGITS, PROBABILITIES, VALUES, Tag
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject

_OUTPUTS = Tag(lambda s: LOGITS.holds(s) or PROBABILITIES.holds(s), "it takes neither logits nor probabilities")
_NEGATIVE, _BETWEEN, _ABOVE = (-5.0, -2.0, -0.25), (0.3, 0.6), (1.25, 2.0, 5.0)


@rule(
    "LSY502",
    severity="error",
    needs=(VALUES, _OUTPUTS),
    remedy="apply softmax or sigmoid once: either in the model, with a loss that takes probabilities, or in the loss; "
    "better the latter, which is stable",
    wrong="""
        import torch
        import torch.nn.functional as F

        def loss(logits, target):
            return F.cross_entropy(F.softmax(logits, dim=-1), target)
    """,
    right="""
        import torch
        import torch.nn.functional as F

        def loss(logits, target):
            return F.cross_entropy(logits, target)
    """,
    seen=(
        "tflearn/tflearn#562: softmax in the last layer and again in the loss",
        "nfmcclure/tensorflow_cookbook#86: a book's examples called softmax twice",
        "Lightning-Universe/lightning-bolts#654: a model's probabilities went into a loss that wants logits",
    ),
)
def logits_or_probs(subject: Subject) -> Failure | None:
    """Predictions pass through one softmax (or sigmoid), not through two and not through none.

    The softmax of a softmax gives no class more than e/(e + K − 1): a perfect answer goes on costing 0.55 for three
    classes and 1.46 for ten, the gradient is a fraction of what it should be, and training goes on, slowly and to less.
    Without any softmax, a logit below 0 is the logarithm of a negative number, or is clipped and has no gradient.
    """
    right = _certain(subject, 50.0)
    if right is None:
        return None
    floor = subject.attempt_rows(*right)
    if floor is None:
        return None
    classes = subject.entry[-1] if subject.prediction.rows else 2
    twice = float(np.log1p((classes - 1) / np.e if subject.prediction.rows else 1 / np.e))
    word = "softmax" if subject.prediction.rows else "sigmoid"
    if np.allclose(floor, twice, rtol=0.0, atol=1e-3):
        return Failure(
            f"a perfect answer costs {floor[0]:.4g}, which is what a {word} of a {word} leaves, not 0",
            subject.code(right[0][:1], right[1][:1]),
        )
    return (_saturated(subject, word) or _no_link(subject, word)) if LOGITS.holds(subject) else None


def _certain(subject: Subject, size: float) -> tuple[Any, Any] | None:
    """Answers that are right by a margin of `size` (wrong, where it is negative), one for each class, four rows; None
    where no target says a class for sure."""
    if not subject.target.certain or subject.target.logarithms:
        return None
    if not subject.prediction.rows:
        low, high = samples.two_classes(subject)
        margin, labels = size * np.array([1.0, -1.0, 1.0, -1.0]), np.array([high, low, high, low])
        if subject.prediction.of_shares:
            margin = np.where(margin > 0.0, 1.0, 0.0)
        return samples.arranged(subject, margin, labels)
    index = np.arange(4) % subject.entry[-1]
    logits = size * np.eye(subject.entry[-1])[index]
    if subject.prediction.of_shares:
        logits = np.eye(subject.entry[-1])[index]
    target = index if subject.target.indices else np.eye(subject.entry[-1])[index]
    return samples.arranged(subject, logits, target)


def _saturated(subject: Subject, word: str) -> Failure | None:
    """A loss that stops falling before it is anywhere near 0, and stops rising too."""
    sizes = (30.0, 60.0, -30.0, -60.0, 0.0)
    batches = [each for each in (_certain(subject, size) for size in sizes) if each is not None]
    costs = [subject.attempt_rows(*each) for each in batches]
    if any(each is None for each in costs):
        return None
    right, righter, wrong, wronger, undecided = (float(np.mean(each)) for each in costs)
    still = np.isclose(right, righter, rtol=1e-6) and np.isclose(wrong, wronger, rtol=1e-6)
    if not (still and wrong > right and 0.15 * undecided < right < undecided):
        return None
    return Failure(
        f"a perfect answer costs {right:.4g} and a coin's {undecided:.4g}: a {word} seems to follow on a {word}",
        subject.code(*(each[:1] for each in batches[0])),
        severity="warning",
    )


def _no_link(subject: Subject, word: str) -> Failure | None:
    """A loss that changes between 0 and 1 only, or is no number below 0."""
    scores = np.array(_NEGATIVE + _BETWEEN + _ABOVE)
    if subject.prediction.rows:
        p = np.full((len(scores), subject.entry[-1]), 0.4)
        p[:, 0] = scores
        y: Any = np.zeros(len(scores), np.int64)
        y = y if subject.target.indices else np.eye(subject.entry[-1])[y]
    else:
        p, y = scores, np.full(len(scores), samples.two_classes(subject)[1])
    values = subject.attempt_rows(*samples.arranged(subject, p, y))
    if values is None:
        return None
    below, between, above = values[:3], values[3:5], values[5:]
    clipped = np.ptp(below) == 0.0 and np.ptp(above) == 0.0 and np.ptp(between) > 0.0
    undefined = np.isnan(below).all() and np.isfinite(between).all()
    if not (clipped or undefined):
        return None
    symptom = "is nan for logits below 0" if undefined else "is the same for all logits below 0, and for all above 1"
    shown = samples.arranged(subject, p[:3], y[:3])
    more: dict[str, Any] = {"reduction": "none"} if subject.separates else {}
    return Failure(
        f"the loss {symptom}: it takes them for probabilities",
        subject.code(*shown, **more),
        help=f"apply the {word} inside, in its logarithmic form (log_softmax, logsigmoid), or declare that it takes "
        "probabilities",
    )
