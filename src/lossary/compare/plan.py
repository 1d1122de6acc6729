"""Fourth stage: every candidate on the same splits, with the same budget."""

from __future__ import annotations

import dataclasses
from typing import Any, final

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from lossary.compare.profile import Codes, Profile
from lossary.compare.suggest import Candidate, Suggestion
from lossary.errors import DataError, ParameterError


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Which rows a fold trains on and which it tests."""

    seed: int
    fold: int
    train: Codes
    test: Codes


@final
@dataclasses.dataclass(frozen=True)
class Budget:
    """How long a network is trained."""

    epochs: int = 200  # at most
    patience: int = 10  # epochs without progress on the inner split


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What is to be trained; a unit of work is one candidate, or the boosted reference, on one split."""

    profile: Profile
    candidates: tuple[Candidate, ...]
    splits: tuple[Split, ...]
    folds: int
    seeds: tuple[int, ...]
    budget: Budget
    boosting: bool
    notes: tuple[str, ...]


def check(folds: int, seeds: int, epochs: int, jobs: int) -> None:
    """Refuse numbers out of bounds before anything is read.

    Raises:
        ParameterError: a number out of bounds.
    """
    for name, number, least in (("folds", folds, 2), ("seeds", seeds, 1), ("epochs", epochs, 1)):
        if number < least:
            raise ParameterError(f"{name} must be at least {least}, not {number}.")
    if jobs < 1 and jobs != -1:
        raise ParameterError(f"jobs must be at least 1, or -1 for one per core, not {jobs}.")


def plan(
    profile: Profile,
    suggestion: Suggestion,
    folds: int = 5,
    seeds: int = 3,
    epochs: int = 200,
    boosting: bool = True,
) -> Plan:
    """Lay out the work: `folds` × `seeds` splits, each seed with a shuffling of its own, shared by all losses.

    Raises:
        DataError: too few rows for so many folds.
    """
    notes = list(suggestion.notes)
    if profile.rows < 2 * folds:
        raise DataError(f"{profile.rows} rows are too few for {folds} folds: at least {2 * folds} are needed.")
    if profile.classes and min(profile.facts.counts) < folds:
        folds = min(profile.facts.counts)
        rarest = profile.classes[int(np.argmin(profile.facts.counts))]
        notes.append(f"{folds} folds, as class {rarest} has only {folds} rows")
    splitter: Any = StratifiedKFold if profile.classes else KFold
    splits = tuple(
        Split(seed, fold, train, test)
        for seed in range(seeds)
        for fold, (train, test) in enumerate(
            splitter(folds, shuffle=True, random_state=seed).split(profile.table, profile.y)
        )
    )
    budget = Budget(epochs, max(5, epochs // 20))
    return Plan(profile, suggestion.candidates, splits, folds, tuple(range(seeds)), budget, boosting, tuple(notes))
