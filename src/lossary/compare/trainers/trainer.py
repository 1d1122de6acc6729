"""What every trainer does: models for several members, each a split and a loss, trained within one budget."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

from lossary.compare.profile import Codes, Numbers
from lossary.define.loss import Loss


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """The rows of one split as a model takes them, everything fitted on its training rows alone."""

    start: int  # what random numbers start from
    inputs: npt.NDArray[np.float32]  # of the training rows
    targets: npt.NDArray[Any]  # as the loss takes them
    weight: npt.NDArray[np.float32] | None  # how often each training row counts
    kept: Codes  # training rows to learn from
    held: Codes  # training rows to stop by, and to choose hyper-parameters by
    test: npt.NDArray[np.float32]


@final
@dataclasses.dataclass(frozen=True)
class Member:
    """One training: a loss with its hyper-parameters on one fold."""

    fold: int  # its place among the folds
    loss: Loss  # for the fold's targets


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """What a trained member says, and how it came about."""

    held: Numbers  # (rows, outputs)
    test: Numbers  # (rows, outputs)
    epochs: int  # until the best on the held-out rows
    curve: Numbers  # held-out cost per epoch, in units of the first; empty where there is none


class Trainer(ABC):
    """A way to train one model for each member."""

    @abstractmethod
    def fit(
        self, folds: Sequence[Fold], members: Sequence[Member], outputs: int, on_scale: tuple[str, ...] = ()
    ) -> list[Fit]:
        """Train a model of so many outputs for each member; `on_scale` are hyper-parameters on the target's scale."""


def relative(costs: Sequence[float] | Numbers) -> Numbers:
    """A learning curve in units of its first point."""
    curve = np.asarray(costs, dtype=np.float64)
    return curve / curve[0] if len(curve) and curve[0] else curve
