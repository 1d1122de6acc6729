"""Losses of masks beside MONAI, which has no Lovász hinge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monai.losses import DiceLoss, FocalLoss, TverskyLoss

import lossary
from benchmarks.inputs import Effort
from benchmarks.measurement import Measurement
from benchmarks.peers import Comparison, measured
from benchmarks.peers.masks import CLASSES, beside
from benchmarks.pytorch import threads

__all__ = ["PACKAGES", "measure", "threads"]

PACKAGES = ("torch", "monai")


def measure(effort: Effort) -> Iterator[Measurement]:
    return measured(_comparisons(), effort)


def _comparisons() -> Iterator[Comparison]:
    smooth: dict[str, Any] = {"smooth_nr": 1.0, "smooth_dr": 1.0}
    uneven: dict[str, Any] = {"alpha": 0.3, "beta": 0.7}
    yield beside(lossary.Dice(), DiceLoss, sigmoid=True, **smooth)
    yield beside(lossary.Tversky(**uneven), TverskyLoss, sigmoid=True, **uneven, **smooth)
    yield beside(lossary.BinaryFocal(), FocalLoss)
    # Of the target's axis for classes, MONAI makes one-hot rows; and it takes the mean over the classes as well.
    indices: dict[str, Any] = {"classes": True, "taken": lambda target: target.unsqueeze(1), "to_onehot_y": True}
    yield beside(lossary.MulticlassDice(), DiceLoss, **indices, softmax=True, **smooth)
    yield beside(lossary.MulticlassTversky(**uneven), TverskyLoss, **indices, softmax=True, **uneven, **smooth)
    yield beside(lossary.CategoricalFocal(), FocalLoss, **indices, factor=CLASSES, use_softmax=True)
