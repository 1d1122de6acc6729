"""What a model says of the rows of a split, and what became of a unit of work."""

from __future__ import annotations

import dataclasses
from typing import final

import numpy as np

from lossary.compare.profile import Codes, Facts, Numbers
from lossary.define.domains.domain import Domain


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of some rows."""

    values: Numbers | None = None  # regression, in the target's own units
    labels: Codes | None = None  # classes
    scores: Numbers | None = None  # what ranks rows: (N,) for two classes, (N, K) for more
    probabilities: Numbers | None = None  # as `scores`; None where the loss gives none


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one split of a unit of work."""

    candidate: int
    split: int
    prediction: Prediction | None  # None when it failed
    loss: str  # with this fold's hyper-parameters, in the target's own units
    epochs: int
    seconds: float  # of the unit, shared evenly among its splits
    error: str | None = None
    # Held-out cost of the chosen setting per epoch, in units of the first; empty where there is none.
    curve: Numbers = dataclasses.field(default_factory=lambda: np.empty(0))
    resumed: bool = False  # whether the journal had it


def read(domain: Domain, output: Numbers, facts: Facts) -> Prediction:
    """A model's output, (N, outputs), by the loss's own link: the sign or largest score decides; sigmoid or softmax
    gives probability; amounts return to the target's own units."""
    scores = output if domain.rows else output[:, 0]
    if not domain.says_class:
        return Prediction(values=facts.center + facts.scale * scores)
    labels = domain.decide(scores, lambda rows: rows.argmax(axis=-1)).astype(np.int64)
    return Prediction(
        labels=labels,
        scores=scores,
        probabilities=domain.link.inverse(scores) if domain.probabilities and domain.link is not None else None,
    )
