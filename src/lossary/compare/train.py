"""Fifth stage: one unit of work, a candidate trained on some of the splits."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Sequence
from typing import final

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from lossary.compare import references
from lossary.compare.plan import BOOSTING, INNER_SHARE, Plan, Split, Unit, outputs_of
from lossary.compare.prediction import Outcome, Prediction, read
from lossary.compare.profile import Codes, Facts, Profile, preprocessor
from lossary.compare.suggest import Candidate
from lossary.compare.trainers import model as models
from lossary.compare.trainers.trainer import Fit, Fold, Member, Trainer
from lossary.define.loss import Loss

__all__ = ["BOOSTING", "Outcome", "Prediction", "train"]


def train(plan: Plan, unit: Unit) -> tuple[Outcome, ...]:
    """Do one unit of work, a split an outcome. It depends on the plan and the unit alone, not on who does it or when.

    Hyper-parameters are chosen for each split by the plan's metric on rows held out of its training rows.
    """
    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of a user's model, or of a class that a fold lacks: what matters is raised
            outcomes = _trained(plan, unit) if unit.candidate >= 0 else _referred(plan, unit)
    except Exception as error:  # one loss that fails must not take the others with it: its row shows why
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        outcomes = [Outcome(unit.candidate, split, None, "", 0, 0.0, reason) for split in unit.splits]
    seconds = (time.perf_counter() - began) / len(unit.splits)
    return tuple(dataclasses.replace(outcome, seconds=seconds) for outcome in outcomes)


def _referred(plan: Plan, unit: Unit) -> list[Outcome]:
    predictions = (references.predict(plan.profile, unit.candidate, plan.splits[split]) for split in unit.splits)
    return [Outcome(unit.candidate, *each, "", 0, 0.0) for each in zip(unit.splits, predictions, strict=True)]


@final
@dataclasses.dataclass(frozen=True, eq=False)
class _Setting:
    """A loss that a split may choose."""

    own: Loss  # in the target's own units
    member: Member


def _trained(plan: Plan, unit: Unit) -> list[Outcome]:
    candidate, splits = plan.candidates[unit.candidate], [plan.splits[split] for split in unit.splits]
    folds = [fold_of(plan, candidate, split) for split in splits]
    settings = [
        _Setting(own, Member(place, candidate.scaled(own, split.facts)))
        for place, split in enumerate(splits)
        for own in candidate.settings(split.facts)
    ]
    members, outputs = [setting.member for setting in settings], outputs_of(candidate, plan.profile)
    fits = trainer_of(plan).fit(folds, members, outputs, candidate.on_scale)
    by_fold: dict[int, list[tuple[_Setting, Fit]]] = {}
    for setting, fit in zip(settings, fits, strict=True):
        by_fold.setdefault(setting.member.fold, []).append((setting, fit))
    outcomes = []
    for place, split in enumerate(unit.splits):
        held = splits[place].train[folds[place].held]
        setting, fit = _chosen(plan, by_fold[place], held, splits[place].facts)
        outcomes.append(_outcome(unit.candidate, split, setting, fit, splits[place].facts))
    return outcomes


def trainer_of(plan: Plan) -> Trainer:
    """What trains the plan's model; a framework is imported where it is needed."""
    if plan.framework == "scipy":
        from lossary.compare.trainers.linear import LinearTrainer

        return LinearTrainer(plan.budget.epochs)
    build = None if plan.model == models.DEFAULT else models.load(plan.model)
    if plan.framework == "keras":
        from lossary.compare.trainers.keras import KerasTrainer

        return KerasTrainer(plan.budget, build)
    from lossary.compare.trainers.torch import TorchTrainer

    return TorchTrainer(plan.budget, build)


def fold_of(plan: Plan, candidate: Candidate, split: Split) -> Fold:
    """The rows of a split as a model takes them: filled, standardised and one-hot as its training rows say.

    A level that the training rows do not have is a column of zeros, so that all folds are alike.
    """
    profile, columns, facts = plan.profile, plan.columns, split.facts
    table, y, classes = profile.table[split.train], profile.y[split.train], len(profile.classes)
    prepare = preprocessor(table.shape[1], profile.categories).fit(table)
    inputs, test = np.zeros((len(table), columns), np.float32), np.zeros((len(split.test), columns), np.float32)
    for into, rows in ((inputs, table), (test, profile.table[split.test])):
        prepared = prepare.transform(rows)
        into[:, : prepared.shape[1]] = prepared
    kept, held = inner_split(profile, split)
    return Fold(
        start=split.start,
        inputs=inputs,
        targets=candidate.loss.target.encode(y, classes) if classes else np.asarray((y - facts.center) / facts.scale),
        weight=None if profile.weight is None else profile.weight[split.train].astype(np.float32),
        kept=kept,
        held=held,
        test=test,
    )


def inner_split(profile: Profile, split: Split) -> tuple[Codes, Codes]:
    """Which of the split's training rows to learn from, and which to hold out: by group or time where the split is."""
    y, classes, rows = profile.y[split.train], len(profile.classes), np.arange(len(split.train))
    held = min(max(1, classes, round(INNER_SHARE * len(y))), len(y) - 1)
    if profile.order is not None:
        order = profile.order[split.train]
        since = np.sort(order)[-held]
        if since > order.min():
            return np.flatnonzero(order < since), np.flatnonzero(order >= since)
    if profile.groups is not None and len(np.unique(groups := profile.groups[split.train])) > 1:
        parts = GroupShuffleSplit(1, test_size=INNER_SHARE, random_state=split.seed)
        kept, stop = next(parts.split(rows, groups=groups))
        return kept, stop
    counts = np.bincount(y.astype(np.int64), minlength=classes) if classes else np.array([0])
    alike = bool(counts.min() >= 2) and len(y) - held >= classes
    kept, stop = train_test_split(rows, test_size=held, random_state=split.seed, stratify=y if alike else None)
    return kept, stop


def _chosen(plan: Plan, settings: Sequence[tuple[_Setting, Fit]], held: Codes, facts: Facts) -> tuple[_Setting, Fit]:
    """The setting that is best on the held-out rows; the first, a rule of thumb, unless another is better."""
    from lossary.compare.metrics import metrics_for

    if len(settings) == 1:
        return settings[0]
    metric = metrics_for(plan.profile.task, plan.metric)[0]
    weight = None if plan.profile.weight is None else plan.profile.weight[held]
    costs = []
    for setting, fit in settings:
        cost = np.inf
        if np.isfinite(fit.held).all():
            prediction = read(setting.own.prediction, fit.held, facts)
            score = metric.judge(plan.profile.y[held], prediction, len(plan.profile.classes), weight)
            cost = np.inf if np.isnan(score) else -score if metric.higher else score
        costs.append(cost)
    return settings[int(np.argmin(costs))]


def _outcome(candidate: int, split: int, setting: _Setting, fit: Fit, facts: Facts) -> Outcome:
    loss = repr(setting.own)
    if not np.isfinite(fit.test).all():
        reason = "FloatingPointError: training diverged: predictions are not finite"
        return Outcome(candidate, split, None, loss, fit.epochs, 0.0, reason, fit.curve)
    prediction = read(setting.own.prediction, fit.test, facts)
    return Outcome(candidate, split, prediction, loss, fit.epochs, 0.0, curve=fit.curve)
