"""What a loss's networks said of rows they had not seen, gathered over the splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, final

import numpy as np
import numpy.typing as npt

from lossary.compare.plan import Plan
from lossary.compare.prediction import Outcome
from lossary.compare.profile import Codes, Numbers
from lossary.compare.suggest import parse
from lossary.define.loss import Loss


@final
@dataclasses.dataclass(frozen=True, eq=False)
class HeldOut:
    """One entry per test row of each split; (N, K) scores and probabilities for more than two classes."""

    candidate: int
    rows: Codes  # places in the profile's table
    seeds: Codes
    values: Numbers | None  # regression, in the target's own units
    scores: Numbers | None  # what ranks rows: classes
    labels: Codes | None
    probabilities: Numbers | None
    costs: Numbers  # by each fold's own loss


def gather(plan: Plan, outcomes: Iterable[Outcome], candidate: int) -> HeldOut:
    """All test rows of a candidate that did not fail."""
    mine = sorted((each for each in outcomes if each.candidate == candidate), key=lambda each: each.split)
    folds = [(plan.splits[each.split], each.prediction, each.loss) for each in mine if each.prediction is not None]

    def joined(name: str) -> Any:
        parts = [getattr(prediction, name) for _, prediction, _ in folds]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    costs = []
    for split, prediction, loss in folds:
        target = plan.profile.y[split.test]
        outputs = prediction.scores if plan.profile.classes else prediction.values
        costs.append(costs_of(plan, candidate, parse(loss)[0], outputs, target)[0])
    return HeldOut(
        candidate,
        np.concatenate([split.test for split, _, _ in folds]),
        np.concatenate([np.full(len(split.test), split.seed) for split, _, _ in folds]),
        joined("values"),
        joined("scores"),
        joined("labels"),
        joined("probabilities"),
        np.concatenate(costs),
    )


def costs_of(
    plan: Plan, candidate: int, loss: Loss, prediction: npt.NDArray[Any] | None, target: npt.NDArray[Any]
) -> tuple[Numbers, Numbers]:
    """Each row's loss and its slope in the prediction, as it was trained with: on the scaled target where it has to be.

    Args:
        prediction: (N,) in the target's own units, or (N,) or (N, K) scores of classes.
        target: (N,) values, or positions among the classes.
    """
    profile = plan.profile
    with np.errstate(all="ignore"):
        if profile.classes:
            target = loss.target.encode(target, len(profile.classes))
        elif plan.candidates[candidate].own_scale:
            center, scale = profile.facts.center, profile.facts.scale
            prediction, target = (np.asarray(prediction) - center) / scale, (target - center) / scale
        cost, slope = loss.value_and_gradient(prediction=prediction, target=target, reduction="none")
    return np.asarray(cost, dtype=np.float64), np.asarray(slope, dtype=np.float64)
