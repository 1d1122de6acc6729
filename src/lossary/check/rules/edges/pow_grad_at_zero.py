from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from lossary.check.instruments import shrink
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import DIFFERENTIATES, Tag
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, Subject, described

if TYPE_CHECKING:
    from typing import Any

_POWERS = ("gamma", "alpha", "beta", "power", "exponent", "q")
_TRIED = (0.0, 0.5, 1.0, 2.0)
_SIZES = (20.0, 50.0, 80.0, 104.0)


@rule(
    "LSY207",
    severity="error",
    needs=(
        DIFFERENTIATES,
        Tag(samples.has_classes, "its predictions say no class"),
    ),
    remedy="write the power in log space, exp(gamma * log_sigmoid(-z)), or keep its base away from 0",
    wrong="""
        import torch

        def loss(logits, labels, gamma=0.5):
            ce = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
            return ((1 - torch.exp(-ce)) ** gamma * ce).mean()
    """,
    right="""
        import torch

        def loss(logits, labels, gamma=0.5):
            ce = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
            against = torch.nn.functional.logsigmoid(-logits * (2 * labels - 1))
            return (torch.exp(gamma * against) * ce).mean()
    """,
    seen=(
        "kornia/kornia#918: focal loss with gamma below 1 trained to NaN",
        "google-deepmind/optax#1267",
        "fizyr/keras-retinanet#706",
    ),
)
def pow_grad_at_zero(subject: Subject) -> Failure | None:
    """A saturated prediction has a finite gradient, whatever the power in the loss.

    (1 - p)^gamma has no slope at p = 1 for gamma below 1, and in float32 p is 1 from a logit of 17 on: the very rows
    that the model has learnt make the gradient inf or NaN. Powers of 0, 0.5, 1 and 2 are tried where the loss has one;
    what only another power than the present one breaks is a warning.
    """
    for tried, powers in _with_powers(subject):
        try:
            row = shrink.alone(tried.loses_gradient, *samples.points(tried, _SIZES))
        except LossRaised:
            if not powers:
                raise
            continue  # that power is refused
        if row is not None:
            slope = tried.gradient(*row)
            worst = slope[~np.isfinite(slope)][0]
            note = f", {powers}" if powers else ""
            return Failure(
                f"gradient is {worst} at {described(*row)}{note}",
                tried.code(*row, gradient=True),
                severity="warning" if powers else "error",
            )
    return None


def _with_powers(subject: Subject) -> Iterator[tuple[Subject, str]]:
    """The loss as it is, and with other powers; those as words."""
    yield subject, ""
    name = next((each for each in _POWERS if each in subject.settings), None)
    if name is None:
        return
    for power in _TRIED:
        if power == subject.settings[name]:
            continue
        try:
            loss: Any = subject.with_settings(**{name: power})
        except Exception:  # noqa: S112  # it may refuse the power in any way it likes
            continue
        source = _written(subject, name, power)
        yield (
            dataclasses.replace(subject, loss=loss, source=source, constructor=None, definition=None),
            f"{name} = {power:g}",
        )


def _written(subject: Subject, name: str, power: float) -> str:
    """The loss with another power as an expression."""
    if subject.constructor is None:
        return f"(lambda *arrays: {subject.source}(*arrays, {name}={power}))"
    settings = {**subject.constructor.settings, name: power}
    return f"{subject.constructor.source}({', '.join(f'{each}={value!r}' for each, value in settings.items())})"
