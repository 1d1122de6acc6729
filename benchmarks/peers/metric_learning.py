"""Losses of embeddings beside pytorch-metric-learning."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from numpy.random import Generator
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import NTXentLoss, SelfSupervisedLoss, TripletMarginLoss
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor

import lossary
from benchmarks.inputs import Effort, words
from benchmarks.measurement import Measurement
from benchmarks.peers import Comparison, learned, measured, numbers
from benchmarks.pytorch import threads
from benchmarks.side import Side

__all__ = ["PACKAGES", "measure", "threads"]

PACKAGES = ("torch", "pytorch-metric-learning")

_WIDTH = 128


def measure(effort: Effort) -> Iterator[Measurement]:
    return measured(_comparisons(), effort)


def _comparisons() -> Iterator[Comparison]:
    # A mean over all triplets, and no embedding divided by its length, as other libraries have it.
    mined = TripletMarginLoss(margin=1.0, distance=LpDistance(normalize_embeddings=False), reducer=MeanReducer())
    spelled = (
        "TripletMarginLoss(margin=1.0, distance=LpDistance(normalize_embeddings=False), reducer=MeanReducer())"
        "(…, indices_tuple=…)"
    )
    for rows in (256, 1024):
        yield Comparison(lossary.Triplet(), words((rows, _WIDTH)), spelled, lambda x, n=rows: _triplets(x, n, mined))
    # At 1024 rows it would take more than 4 GB for each of half a dozen arrays: of every pair with every negative.
    paired = SelfSupervisedLoss(NTXentLoss(temperature=0.07), symmetric=False)
    spelled = "SelfSupervisedLoss(NTXentLoss(temperature=0.07), symmetric=False)"
    for rows in (256, 512):
        yield Comparison(lossary.InfoNCE(), words((rows, _WIDTH)), spelled, lambda x, n=rows: _pairs(x, n, paired))


def _triplets(generator: Generator, rows: int, mined: TripletMarginLoss) -> tuple[Side, Side]:
    anchor, positive, negative = _embeddings(generator, rows, nearness=(0.5, 1.0))
    own = torch.arange(rows)

    def theirs(anchors: Tensor, others: Tensor) -> Tensor:
        return mined(anchors, indices_tuple=(own, own, own + rows), ref_emb=others)

    both = learned(anchor, torch.cat([positive, negative]))
    return Side(lossary.Triplet().torch(), learned(anchor, positive, negative)), Side(theirs, both)


def _pairs(generator: Generator, rows: int, paired: SelfSupervisedLoss) -> tuple[Side, Side]:
    embeddings = learned(*_embeddings(generator, rows, nearness=(1.0,)))
    return Side(lossary.InfoNCE().torch(), embeddings), Side(paired, embeddings)


def _embeddings(generator: Generator, rows: int, nearness: tuple[float, ...]) -> tuple[Tensor, ...]:
    """Anchors, and others that are by so much noise away from them."""
    anchor = numbers(generator, rows, _WIDTH)
    return anchor, *(anchor + noise * numbers(generator, rows, _WIDTH) for noise in nearness)
