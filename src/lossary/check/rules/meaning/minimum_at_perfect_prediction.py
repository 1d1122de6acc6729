from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import VALUES, Tag, any_amount
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject, described

_SIZES = np.geomspace(1e-3, 100.0, 16)  # 32 steps with both signs
_LEARNS = Tag(
    lambda s: not (any_amount(s.prediction) and samples.positive(s.target)),
    "its predictions are on another scale than its targets",
)
_KNOWN = Tag(
    lambda s: s.prediction.says_class or samples.perfect(s, np.array([s.target.inside(2.0)])) is not None,
    "which of its rows is a perfect prediction is not known",
)


@rule(
    "LSY505",
    severity="error",
    needs=(VALUES, _LEARNS, _KNOWN),
    remedy="turn the sign round, or mend the branch in which it falls",
    wrong="""
        import numpy as np

        def loss(input, target):
            log_likelihood = -0.5 * (input - target) ** 2 - 0.5 * np.log(2 * np.pi)
            return log_likelihood
    """,
    right="""
        import numpy as np

        def loss(input, target):
            log_likelihood = -0.5 * (input - target) ** 2 - 0.5 * np.log(2 * np.pi)
            return -log_likelihood
    """,
    seen=(
        "keras-team/keras#1917: a loss that was best for the worst prediction",
        "lucidrains/PaLM-rlhf-pytorch#38: a KL term with its sign turned was maximised",
    ),
)
def minimum_at_perfect_prediction(subject: Subject) -> Failure | None:
    """Nothing costs less than the right prediction.

    A lost minus sign, a branch that falls instead of rising, a similarity returned where a distance is meant: the
    optimiser follows faithfully, away from the data.

    Of losses that depend on the residual alone this is an error; others may have their minimum elsewhere for a reason
    (another link, a bias that is wanted), and it is a warning. Classes are asked coarsely: a clear right answer must
    not cost more than a clear wrong one. Of named columns those are right that say what they predict: mean, median,
    location, and the two ends of an interval, lower and upper.
    """
    if not (subject.target.says_class or subject.prediction.says_class):
        return _of_numbers(subject)
    return _of_classes(subject) if subject.prediction.says_class else None


def _of_numbers(subject: Subject) -> Failure | None:
    positive = samples.positive(subject.prediction)
    steps = np.concatenate([_SIZES, -_SIZES])
    y = np.full(samples.GRID, 2.0 if positive else subject.prediction.inside(2.0))
    p = y * np.exp(steps / 50.0) if positive else subject.prediction.inside(2.0 + steps)
    off, target = samples.arranged(subject, samples.in_rows(subject, p), samples.beside_rows(subject, y))
    right, _ = samples.arranged(subject, samples.perfect(subject, y), y)
    values, perfect = subject.attempt_rows(off, target), subject.attempt_rows(right[:4], target[:4])
    if values is None or perfect is None:
        return None
    best = float(perfect[0])
    slack = 1e-5 * (1.0 + abs(best)) + 1e-6 * np.abs(values)
    better = values < best - slack
    if better.any():
        index = int(np.flatnonzero(better)[0])
        sure = bool((values <= best).all()) or (not positive and _of_residual(subject))
        one = off[index : index + 1], target[index : index + 1]
        return Failure(
            f"costs {values[index]:.6g} on {described(*one)}, and {best:.6g} where the prediction is right",
            subject.code(*one),
            severity=None if sure else "warning",
        )
    if subject.own_gradient is not None and not positive:
        return _uphill(subject, off, target, off - right)
    return None


def _of_residual(subject: Subject) -> bool:
    """Whether it depends on the residual alone."""
    p, y = subject.batch(4)
    moved, still = subject.attempt(p + 1.0, y + 1.0), subject.attempt(p, y)
    return moved is not None and still is not None and bool(np.allclose(moved, still, rtol=1e-4, atol=1e-5))


def _uphill(subject: Subject, p: Any, y: Any, apart: Any) -> Failure | None:
    """A gradient that leads away from the target, where the loss brings its own."""
    wrong = (subject.gradient(p, y) * apart).reshape(len(p), -1).sum(axis=1) < 0.0
    if not wrong.all():
        return None
    return Failure(f"its gradient leads away from the target, on {described(p[:1], y[:1])}")


def _of_classes(subject: Subject) -> Failure | None:
    """Two right answers, then two wrong ones."""
    if not subject.prediction.rows:
        low, high = samples.two_classes(subject)
        p, y = samples.of_logits(subject.prediction, np.array([3.0, -3.0, -3.0, 3.0])), np.array([high, low, high, low])
    else:
        share = 0.9 * np.eye(subject.entry[-1])[[0, 1, 1, 0]] + 0.1 / subject.entry[-1]
        p = share if subject.prediction.link is None else subject.prediction.link.apply(share)
        y = np.array([samples.of_class(subject, index) for index in (0, 1, 0, 1)])
    batch = samples.arranged(subject, p, y)
    values = subject.attempt_rows(*batch)
    if values is None:
        return None
    right, wrong = values[:2], values[2:]
    if not (right > wrong + 1e-6 * (1.0 + np.abs(wrong))).all():
        return None
    more: dict[str, Any] = {"reduction": "none"} if subject.separates else {}
    return Failure(
        f"a right answer costs {right[0]:.6g} and a wrong one {wrong[0]:.6g}",
        subject.code(batch[0][::2], batch[1][::2], **more),
    )
