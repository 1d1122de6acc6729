"""Where the loss comes from: the rows that cost most."""

from __future__ import annotations

import dataclasses
from typing import final

import numpy as np

from lossary.compare.plan import Plan
from lossary.compare.profile import Numbers
from lossary.compare.report.held_out import HeldOut

_EXAMPLES = 10


@final
@dataclasses.dataclass(frozen=True)
class Example:
    """One row of the data, and its part of all that the loss charged."""

    row: int  # of the source, from 1 below the header
    target: float | str
    prediction: float | str  # mean over the seeds, or the class most often predicted
    share: float
    share_beside: float  # the same of the loss beside it


def heaviest(plan: Plan, seen: HeldOut, beside: HeldOut) -> tuple[Example, ...]:
    """The rows that `seen` paid most for, with what `beside` paid for the same."""
    shares, shares_beside = _shares(plan, seen), _shares(plan, beside)
    places = np.argsort(-shares, kind="stable")[:_EXAMPLES]
    classes, y, rows = plan.profile.classes, plan.profile.y, plan.profile.data.rows
    return tuple(
        Example(
            row=int(place) + 1 if rows is None else int(rows[place]),
            target=classes[int(y[place])] if classes else float(y[place]),
            prediction=_prediction(plan, seen, int(place)),
            share=float(shares[place]),
            share_beside=float(shares_beside[place]),
        )
        for place in places
        if shares[place] > 0
    )


def _shares(plan: Plan, seen: HeldOut) -> Numbers:
    """Each row's mean cost, as a part of all rows' sum."""
    costs = np.nan_to_num(seen.costs, posinf=0.0)
    if plan.profile.weight is not None:
        costs = costs * plan.profile.weight[seen.rows]
    sums = np.bincount(seen.rows, costs, plan.profile.rows)
    means = sums / np.maximum(np.bincount(seen.rows, minlength=plan.profile.rows), 1)
    return np.asarray(means / (means.sum() or 1.0))


def _prediction(plan: Plan, seen: HeldOut, place: int) -> float | str:
    mine = seen.rows == place
    if seen.labels is not None:
        return plan.profile.classes[int(np.bincount(seen.labels[mine]).argmax())]
    return float(np.asarray(seen.values)[mine].mean())
