"""Losses of masks beside exacta, whose overlaps are C++ on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exacta.losses import DiceLoss, FocalLoss, LovaszHingeLoss, TverskyLoss

import lossary
from benchmarks.inputs import Effort
from benchmarks.measurement import Measurement
from benchmarks.peers import Comparison, measured
from benchmarks.peers.masks import beside
from benchmarks.pytorch import threads

__all__ = ["PACKAGES", "measure", "threads"]

PACKAGES = ("torch", "exacta")


def measure(effort: Effort) -> Iterator[Measurement]:
    return measured(_comparisons(), effort)


def _comparisons() -> Iterator[Comparison]:
    masks: dict[str, Any] = {"activation": "sigmoid", "target_format": "one-hot"}
    uneven: dict[str, Any] = {"alpha": 0.3, "beta": 0.7}
    yield beside(lossary.Dice(), DiceLoss, **masks, smooth=1.0)
    yield beside(lossary.Tversky(**uneven), TverskyLoss, **masks, **uneven, smooth=1.0)
    yield beside(lossary.BinaryFocal(), FocalLoss, **masks)
    yield beside(lossary.LovaszHinge(), LovaszHingeLoss, taken=lambda target: target.squeeze(1))
    yield beside(lossary.MulticlassDice(), DiceLoss, classes=True, smooth=1.0)
    yield beside(lossary.MulticlassTversky(**uneven), TverskyLoss, classes=True, **uneven, smooth=1.0)
    yield beside(lossary.CategoricalFocal(), FocalLoss, classes=True)
