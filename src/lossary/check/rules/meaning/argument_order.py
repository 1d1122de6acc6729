from __future__ import annotations

from typing import Any

import numpy as np

from lossary.check.instruments.differences import Scalar
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import VALUES, Tag, any_amount
from lossary.check.subject.subject import Subject, described

_SOFT = Tag(lambda s: not s.target.discrete, "labels and predictions cannot be mistaken for each other")
_QUANTILES = ("quantile", "quantile_level", "level", "tau")


@rule(
    "LSY501",
    severity="error",
    needs=(VALUES, _SOFT),
    remedy="look the order up where the inner function is called: PyTorch and optax take (prediction, target), Keras "
    "and scikit-learn (target, prediction); names in the call settle it",
    wrong="""
        import numpy as np

        def binary_cross_entropy(probability, target):
            p, y = target, probability
            return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()

        loss = binary_cross_entropy
    """,
    right="""
        import numpy as np

        def binary_cross_entropy(probability, target):
            p, y = probability, target
            return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()

        loss = binary_cross_entropy
    """,
    seen=(
        "pytorch/pytorch#57459: kl_div's arguments are the other way round than in the textbooks, and were taken so",
        "lucidrains/PaLM-rlhf-pytorch#43: old and new policy changed places in the KL term",
        "sarahwie/attention#6: a published experiment passed (target, input) to kl_div",
        "advait/c4a0#35: P and Q mixed up in the loss of a trained policy",
    ),
)
def argument_order(subject: Subject) -> Failure | None:
    """What is called the prediction is used as the prediction, and the target as the target.

    Every second library has the other order. Swapped, a squared error is the same, and so the habit is not noticed; a
    cross-entropy becomes linear in the prediction and is minimised at the edge, a KL divergence turns its direction,
    a quantile loss estimates the other tail.

    Losses that are the same both ways, or are sensible both ways, cannot be told; nothing is said of them then.
    """
    return _by_keras(subject) or _by_quantile(subject) or _by_curve(subject)


def _by_keras(subject: Subject) -> Failure | None:
    """A Keras loss whose arguments are named the other way round than Keras fills them."""
    if subject.host != "keras" or subject.convention.target_first or not hasattr(subject.loss, "call"):
        return None
    p, y = subject.batch(4)
    same = subject.attempt(y, p)
    harmless = same is not None and np.allclose(same, subject.values(p, y), equal_nan=True)
    names = f"({subject.convention.prediction}, {subject.convention.target})"
    return Failure(
        f"its call takes {names}; Keras fills in (y_true, y_pred)",
        help="name the arguments (y_true, y_pred), in this order",
        severity="warning" if harmless else None,
    )


def _by_quantile(subject: Subject) -> Failure | None:
    """A loss with a level, whose weights on the two sides are those of the other tail."""
    name = next((name for name in _QUANTILES if 0.5 != subject.settings.get(name, 0.5) < 1.0), None)
    if name is None or not any_amount(subject.prediction):
        return None
    y = np.zeros((4, *subject.entry), np.float32)
    under, over = (float(np.mean(subject.values(y + step, y))) for step in (-1.0, 1.0))
    level = subject.settings[name]
    if not (under > 0.0 and over > 0.0 and np.isclose(over / under, level / (1.0 - level), rtol=1e-3)):
        return None
    return Failure(
        f"with {name} = {level:g}, 1 too low costs {under:.6g} and 1 too high {over:.6g}: it estimates the "
        f"{1 - level:g} quantile",
        subject.code(y[:1] - 1.0, y[:1]),
    )


def _by_curve(subject: Subject) -> Failure | None:
    """A loss that is no number in the order it says, or is straight in the prediction and curved in the target."""
    if subject.prediction.logarithms:
        return None  # straight in logarithms, as it should be
    p, y = _apart(subject)
    plain, swapped = subject.attempt(p, y), subject.attempt(y, p)
    if plain is None or swapped is None:
        return None
    if not np.isfinite(plain).all():
        if not np.isfinite(swapped).all():
            return None
        return Failure(
            f"is {plain.flat[~np.isfinite(plain.flat)][0]} on {described(p, y)}, and finite with the two swapped",
            subject.code(p[:1], y[:1]),
        )
    scalar = Scalar(subject, p, y)
    if _curved(subject, scalar) or not _curved(subject, Scalar(subject, p, y, of_target=True)):
        return None
    if any_amount(subject.prediction) and not _least_at_prediction(subject, y):
        return None
    return Failure(
        f"it is straight in the {subject.convention.prediction} and curved in the {subject.convention.target}, as if "
        "they had changed places",
        subject.code(p[:1], y[:1]),
    )


def _apart(subject: Subject) -> tuple[Any, Any]:
    """Ordinary input; for real numbers such as are legal probabilities, and no prediction near its target."""
    p, y = subject.batch(4, dtype="float64")
    if any_amount(subject.prediction):
        p = np.array([0.2, 0.8, 0.35, 0.6]).reshape(p.shape)
        y = np.array([0.7, 0.3, 0.85, 0.15]).reshape(y.shape)
    return p, y


def _curved(subject: Subject, scalar: Scalar) -> bool:
    step = 0.05 * scalar.direction(subject.generator(1))
    low, middle, high = (scalar(scalar.at + times * step) for times in (-1.0, 0.0, 1.0))
    return abs(low - 2.0 * middle + high) > 4096 * scalar.epsilon * (abs(low) + abs(middle) + abs(high))


def _least_at_prediction(subject: Subject, same: Any) -> bool:
    """Whether it is least where the two are equal as a function of the target, and not as one of the prediction."""
    at = np.mean(subject.values(same, same))
    of_prediction = [np.mean(subject.values(same + step, same)) for step in (-0.1, 0.1)]
    of_target = [np.mean(subject.values(same, same + step)) for step in (-0.1, 0.1)]
    return bool(at > min(of_prediction) and at < min(of_target))
