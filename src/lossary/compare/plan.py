"""Fourth stage: every candidate on the same splits, with the same budget."""

from __future__ import annotations

import dataclasses
from typing import Any, final

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, train_test_split

from lossary.compare.profile import Codes, Facts, Profile, class_facts, linear_residuals, regression_facts
from lossary.compare.suggest import Candidate, Suggestion
from lossary.compare.trainers import model as models
from lossary.errors import DataError, ParameterError

# The places of the references among the candidates.
BOOSTING, LINEAR = -1, -2

INNER_SHARE = 0.2  # of the training rows, held out to stop early and to choose hyper-parameters
_ROWS = 50_000  # more rows are sampled: the standings of losses change little beyond, the time does
_STACKED_BYTES = 2**26  # the prepared rows of all splits at once; beyond that, a unit is one split
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 1024
_PATIENT_STEPS = 100  # without progress, at least, before training stops
_LEAST_ROWS = 2  # one to learn from, and one to stop by
_MANY_ROWS = 5_000


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Which rows a fold trains on and which it tests."""

    seed: int
    fold: int
    train: Codes
    test: Codes
    facts: Facts  # what the training rows alone say of scale, spread and class counts

    @property
    def start(self) -> int:
        """What random numbers start from: the same for every loss, so that what differs is the loss."""
        return 1000 * self.seed + self.fold


@final
@dataclasses.dataclass(frozen=True)
class Unit:
    """What is done at once, saved and resumed: one candidate or reference on some of the splits."""

    candidate: int  # its place in the plan; BOOSTING or LINEAR for a reference
    splits: tuple[int, ...]


@final
@dataclasses.dataclass(frozen=True)
class Budget:
    """How long a model is trained, whatever its loss and however many rows its split has."""

    epochs: int = 200  # at most
    patience: int = 10  # epochs without progress on the inner split
    batch: int = _SMALLEST_BATCH  # rows in a step
    steps: int = 1  # in an epoch: one pass over the rows of the largest split
    hidden: int = 64  # units of the default network


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What is to be trained."""

    profile: Profile
    candidates: tuple[Candidate, ...]
    splits: tuple[Split, ...]
    folds: int
    seeds: tuple[int, ...]
    budget: Budget
    boosting: bool  # whether scikit-learn's boosted and linear models stand beside the losses as references
    notes: tuple[str, ...]
    units: tuple[Unit, ...]
    metric: str  # what a loss's own hyper-parameters are chosen by
    rows_used: int  # of the rows of the profile; fewer where there are very many
    model: str  # "mlp", "linear" or "package.module:factory"
    framework: str  # "torch" or "keras"; "scipy" for the linear model
    columns: int  # that a model sees: each number, and each level of each category


def check(
    folds: int, seeds: int, epochs: int, jobs: int, model: str = models.DEFAULT, framework: str | None = None
) -> None:
    """Refuse options out of bounds before anything is read.

    Raises:
        ParameterError: a number out of bounds, or a model or framework that there is not.
        MissingExtraError: the framework is not installed.
    """
    for name, number, least in (("folds", folds, 2), ("seeds", seeds, 1), ("epochs", epochs, 1)):
        if number < least:
            raise ParameterError(f"{name} must be at least {least}, not {number}.")
    if jobs < 1 and jobs != -1:
        raise ParameterError(f"jobs must be at least 1, or -1 for one per core, not {jobs}.")
    models.check(model, framework)


def plan(
    profile: Profile,
    suggestion: Suggestion,
    folds: int = 5,
    seeds: int = 3,
    epochs: int = 200,
    boosting: bool = True,
    *,
    model: str = models.DEFAULT,
    framework: str | None = None,
    metric: str | None = None,
) -> Plan:
    """Lay out the work: `folds` × `seeds` splits, each seed with a shuffling of its own, shared by all losses.

    Rows of one group stay together; rows with times are learnt from in order, and tested on what came later.

    Args:
        profile, suggestion: the data, and the losses to train with.
        folds, seeds, epochs, boosting: as `compare` has them.
        model: "mlp", "linear", or a user's own as "package.module:factory".
        framework: "torch" or "keras"; what the user's model is made with otherwise, or PyTorch.
        metric: what hyper-parameters are chosen by on the inner split; what ranks the task otherwise.

    Raises:
        DataError: too few rows, groups or times for so many folds.
        ParameterError: a model that cannot be made, or not for these data.
    """
    notes = list(suggestion.notes)
    rows = _sample(profile)
    if len(rows) < profile.rows:
        notes.append(f"{len(rows):,} of {profile.rows:,} rows, drawn at random, are trained and tested on")
    splits, folds = _splits(profile, rows, folds, seeds, notes)
    columns = _columns(profile)
    kinds = {outputs_of(candidate, profile) for candidate in suggestion.candidates}
    framework = models.settle(model, framework, columns, kinds)
    largest = max(len(split.train) for split in splits)
    kept = max(1, round((1 - INNER_SHARE) * largest))
    batch = min(_LARGEST_BATCH, max(_SMALLEST_BATCH, kept // 8))
    hidden = 64 if len(rows) < _MANY_ROWS else 128
    steps = -(-kept // batch)
    budget = Budget(epochs, max(5, epochs // 20, -(-_PATIENT_STEPS // steps)), batch, steps, hidden)
    stacked = framework != "keras" and 4 * columns * len(rows) * len(splits) <= _STACKED_BYTES
    places = (*range(len(suggestion.candidates)), *((BOOSTING, LINEAR) if boosting else ()))
    every = tuple(range(len(splits)))
    parts = (every,) if stacked else tuple((place,) for place in every)
    return Plan(
        profile,
        suggestion.candidates,
        splits,
        folds,
        tuple(range(seeds)),
        budget,
        boosting,
        tuple(notes),
        tuple(Unit(candidate, part) for part in parts for candidate in places),
        metric or suggestion.metric or ("balanced_accuracy" if profile.classes else "mae"),
        len(rows),
        model,
        framework,
        columns,
    )


def _columns(profile: Profile) -> int:
    numbers = profile.table.shape[1] - profile.categories
    return int(numbers + sum(len(np.unique(column)) for column in profile.table[:, numbers:].T))


def outputs_of(candidate: Candidate, profile: Profile) -> int:
    """What a model gives for each row: one number, or one for each class."""
    return len(profile.classes) if candidate.loss.prediction.rows else 1


def _sample(profile: Profile) -> Codes:
    """The rows that take part, in order."""
    every = np.arange(profile.rows)
    if profile.rows <= _ROWS:
        return every
    alike = bool(profile.classes) and min(profile.facts.counts) >= 2
    chosen, _ = train_test_split(every, train_size=_ROWS, random_state=0, stratify=profile.y if alike else None)
    return np.sort(chosen)


def _splits(profile: Profile, rows: Codes, folds: int, seeds: int, notes: list[str]) -> tuple[tuple[Split, ...], int]:
    """The splits, and into how many folds: fewer than wanted where the data have not that many parts."""
    if len(rows) < 2 * folds:
        raise DataError(f"{len(rows)} rows are too few for {folds} folds: at least {2 * folds} are needed.")
    if profile.order is not None and profile.groups is not None:
        raise ParameterError("rows are split by group or by time, not by both: name one of the two columns.")
    if profile.order is not None:
        forward = _forward(profile.order[rows], folds)
        if not forward:
            raise DataError("all rows have the same time: there is no later row to test on.")
        if len(forward) == 1:
            raise DataError("the times of the rows leave only one later part to test on; a comparison needs two.")
        if len(forward) < folds:
            notes.append(f"{len(forward)} folds, as the rows have few different times")
        parted = [forward] * seeds
    else:
        folds = _possible_folds(profile, rows, folds, notes)
        groups = None if profile.groups is None else profile.groups[rows]
        parted = [list(_splitter(profile, folds, seed).split(rows, profile.y[rows], groups)) for seed in range(seeds)]
    splits = tuple(
        Split(seed, fold, rows[train], rows[test], _facts(profile, rows[train]))
        for seed, parts in enumerate(parted)
        for fold, (train, test) in enumerate(parts)
    )
    if min(len(split.train) for split in splits) < _LEAST_ROWS:
        raise DataError(f"a part has fewer than {_LEAST_ROWS} rows to learn from: take fewer folds, or more rows.")
    return splits, len(parted[0])


def _facts(profile: Profile, train: Codes) -> Facts:
    y = profile.y[train]
    if profile.classes:
        return class_facts(y.astype(np.int64), len(profile.classes))
    amounts = y.astype(np.float64)
    return regression_facts(amounts, linear_residuals(profile.table[train], profile.categories, amounts)[0])


def _splitter(profile: Profile, folds: int, seed: int) -> Any:
    classes: Any = (KFold, StratifiedKFold) if profile.groups is None else (GroupKFold, StratifiedGroupKFold)
    return classes[bool(profile.classes)](folds, shuffle=True, random_state=seed)


def _possible_folds(profile: Profile, rows: Codes, folds: int, notes: list[str]) -> int:
    if profile.classes:
        counts = np.bincount(profile.y[rows].astype(np.int64), minlength=len(profile.classes))
        if counts.min() < folds:
            folds = max(2, int(counts.min()))
            rarest = profile.classes[int(np.argmin(counts))]
            notes.append(f"{folds} folds, as class {rarest} has only {counts.min()} rows")
    if profile.groups is not None:
        groups = len(np.unique(profile.groups[rows]))
        if groups < 2:
            raise DataError("all rows are of one group: there is no other group to test on.")
        if groups < folds:
            folds = groups
            notes.append(f"{folds} folds, as there are only {groups} groups")
    return folds


def _forward(order: Any, folds: int) -> list[tuple[Codes, Codes]]:
    """Forward chaining: the rows in `folds` + 1 parts by time; each part but the first is tested after those before it.

    Rows of one time are in one part, so that no model has seen the moment that it is tested on.
    """
    edges = np.unique(np.sort(order)[[len(order) * part // (folds + 1) for part in range(1, folds + 1)]])
    part = np.searchsorted(edges[edges > order.min()], order, side="right")
    return [(np.flatnonzero(part < each), np.flatnonzero(part == each)) for each in range(1, part.max() + 1)]
