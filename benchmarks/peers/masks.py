"""Losses of masks: a disk in each image, or one class inside another, and logits that are right more often than not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.random import Generator
from torch import Tensor

from benchmarks.inputs import words
from benchmarks.peers import Comparison, made, numbers
from benchmarks.side import Side
from lossary.define.loss import Loss

IMAGES, LENGTH, CLASSES = 8, 256, 4
BINARY, MULTICLASS = (IMAGES, 1, LENGTH, LENGTH), (IMAGES, CLASSES, LENGTH, LENGTH)


def beside(
    loss: Loss,
    peer: Callable[..., Any],
    *,
    classes: bool = False,
    factor: float = 1.0,
    taken: Callable[[Tensor], Tensor] = lambda target: target,
    **options: Any,
) -> Comparison:
    """A loss of masks, or of several classes', and a peer with these options.

    Args:
        taken: the target as the peer takes it.
    """
    spelled, theirs = made(peer, **options)

    def sides(generator: Generator) -> tuple[Side, Side]:
        logits, target = (multiclass if classes else binary)(generator)
        logits.requires_grad_()
        return Side(loss.torch(), (logits, target)), Side(theirs, (logits, taken(target)))

    times = "" if factor == 1.0 else f"{factor:g} × "
    return Comparison(loss, words(MULTICLASS if classes else BINARY), times + spelled, sides, factor)


def binary(generator: Generator) -> tuple[Tensor, Tensor]:
    """Logits and masks of zeros and ones, (N, 1, H, W)."""
    masks = (_rings(generator, 2) > 0).float().unsqueeze(1)
    return 2.0 * (2.0 * masks - 1.0) + 2.0 * numbers(generator, *BINARY), masks


def multiclass(generator: Generator) -> tuple[Tensor, Tensor]:
    """Logits, (N, K, H, W), and class indices, (N, H, W)."""
    labels = _rings(generator, CLASSES)
    right = torch.nn.functional.one_hot(labels, CLASSES).movedim(-1, 1).float()
    return 2.0 * right + 2.0 * numbers(generator, *MULTICLASS), labels


def _rings(generator: Generator, classes: int) -> Tensor:
    """Class 0 outside of a disk, and the others in rings inside, (N, H, W)."""
    place = torch.arange(LENGTH)
    row, column, radius = torch.from_numpy(generator.uniform(0.3, 0.7, size=(3, IMAGES, 1, 1)) * LENGTH)
    distance = torch.hypot(place[:, None] - row, place[None, :] - column)
    return ((classes - 1) * (1.0 - distance / radius)).ceil().clamp(min=0).long()
