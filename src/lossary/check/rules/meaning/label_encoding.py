from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import CLASS_INDICES, TWO_CLASSES, VALUES, Tag
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject, shown

_CLASSES = Tag(lambda s: TWO_CLASSES.holds(s) or CLASS_INDICES.holds(s), "its targets are not labels")
_SCORES = np.array([-3.0, -1.0, 1.0, 3.0])


@rule(
    "LSY503",
    severity="error",
    needs=(VALUES, _CLASSES),
    remedy="say which labels are meant, convert them by a rule that does not look at the batch (2 * target - 1), and "
    "refuse others",
    wrong="""
        import numpy as np

        def hinge(score, target):
            sign = target  # 0 or 1
            return np.maximum(0, 1 - sign * score)

        loss = hinge
    """,
    right="""
        import numpy as np

        def hinge(score, target):
            if not np.isin(target, (0, 1)).all():
                raise ValueError("labels must be 0 or 1")
            return np.maximum(0, 1 - (2 * target - 1) * score)

        loss = hinge
    """,
    seen=(
        "bfortuner/ml-glossary#113: a hinge loss for 0 and 1 that was 1 for every 0, whatever was predicted",
        "keras-team/keras#15665: the labels 0 and 1 are turned into -1 and 1, which a reader could not reproduce",
        "deepchem/deepchem#5019: labels documented as 0 and 1 went into a formula for -1 and 1",
    ),
)
def label_encoding(subject: Subject) -> Failure | None:
    """Every legal label has an effect and means its own class; labels of another code are refused.

    Hinge and exponential losses are written for −1 and 1. Given 0 they are constant: half of the examples stop
    teaching, and the loss still falls. Class indices that count from 1, or that are shifted once too often, train the
    neighbour's class. A loss for −1 and 1 that takes a 0 without a word, or turns it round only when the rest of the
    batch agrees, is a warning.
    """
    return _indices(subject) if CLASS_INDICES.holds(subject) else _two_labels(subject)


def _two_labels(subject: Subject) -> Failure | None:
    labels = samples.two_classes(subject)
    costs = [subject.attempt_rows(*_of_label(subject, label)) for label in labels]
    if any(each is None for each in costs):
        return None
    for label, values, other in zip(labels, costs, reversed(costs), strict=True):
        falls = np.diff(other) if label == labels[0] else -np.diff(other)
        if np.ptp(values) == 0.0 and np.ptp(other) > 0.0 and (falls <= 0.0).all() and not _in_company(subject, label):
            return _no_effect(subject, *_of_label(subject, label), float(values[0]), "error")
    if subject.target.discrete and labels[0] == -1.0:
        return _foreign_zero(subject)
    return None


def _in_company(subject: Subject, label: float) -> bool:
    """Whether such rows have an effect beside one of the other class, as in losses of overlap (Dice)."""
    low, high = samples.two_classes(subject)
    p, y = _of_label(subject, label)
    y[-1] = low + high - label
    moved = np.concatenate([p[1:], p[-1:]])
    values = [subject.attempt(each, y) for each in (p, moved)]
    return any(each is None for each in values) or not np.isclose(values[0].mean(), values[1].mean(), rtol=1e-6)


def _foreign_zero(subject: Subject) -> Failure | None:
    """What a loss for −1 and 1 makes of 0: alone, and in the company of a −1."""
    p, y = _of_label(subject, 0.0)
    if subject.attempt(p, y) is None:
        return None
    values = subject.rows(p, y)
    if np.ptp(values) == 0.0:
        return _no_effect(subject, p, y, float(values[0]), "warning")
    y[-1] = -1.0
    if not subject.separates or subject.attempt(p, y) is None:
        return None
    mixed = subject.rows(p, y)
    if np.ptp(mixed[:3]) or not np.ptp(values[:3]):
        return None
    return Failure(
        f"a target of 0 is taken for -1 in a batch of zeros, and costs {mixed[0]:.6g} whatever the score where a -1 is "
        "in the batch",
        subject.code(p, y, reduction="none"),
        severity="warning",
    )


def _of_label(subject: Subject, label: float) -> tuple[Any, Any]:
    return samples.arranged(subject, samples.of_logits(subject.prediction, _SCORES), np.full(4, label))


def _no_effect(subject: Subject, p: Any, y: Any, value: float, severity: Any) -> Failure:
    more: dict[str, Any] = {"reduction": "none"} if subject.separates else {}
    return Failure(
        f"a target of {float(y.flat[0]):g} costs {value:.6g} whatever is predicted ({shown(p.reshape(-1))})",
        subject.code(p, y, **more),
        severity=severity,
    )


def _indices(subject: Subject) -> Failure | None:
    count = subject.entry[-1]
    grid = [(k, j) for k in range(count) for j in range(count)]
    label, ahead = (np.array(each) for each in zip(*grid, strict=True))
    certain = np.eye(count)[ahead]
    share = 0.9 * certain + 0.1 / count
    rows = share if subject.prediction.link is None else subject.prediction.link.apply(share)
    values = subject.attempt_rows(*samples.arranged(subject, rows, label))
    if values is None:
        return None
    costs = values.reshape(count, count)
    for k in range(count):
        best, second = np.argsort(costs[k])[:2]
        if k not in (best, subject.ignored) and costs[k][second] > costs[k][best] + 1e-6:
            at = k * count + int(best)
            p, y = samples.arranged(subject, rows[at : at + 1], label[at : at + 1])
            return Failure(f"the label {k} costs least where class {best} is predicted", subject.code(p, y))
    return None
