"""The stages that lay out the work and do it: splits, members trained as one, hyper-parameters, users' models."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from benchmarks.stacked_training import train_alone
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

import lossary
from lossary.compare import plan as planning
from lossary.compare import profile as profiling
from lossary.compare import train as training
from lossary.compare.data import read
from lossary.compare.plan import BOOSTING, LINEAR, Plan, Unit
from lossary.compare.prediction import Outcome
from lossary.compare.profile import Profile
from lossary.compare.suggest import Candidate, Rule, Suggestion
from lossary.compare.trainers import torch as stacking
from lossary.compare.trainers.keras import KerasTrainer
from lossary.compare.trainers.linear import LinearTrainer
from lossary.compare.trainers.torch import Criterion, TorchTrainer
from lossary.compare.trainers.trainer import Fit, Fold, Member
from lossary.define.choice import Balance, TimesSpread
from lossary.errors import DataError, ParameterError

HUBER = Candidate(lossary.Huber(1.0), "", Rule("delta", TimesSpread((1.345, 0.3, 4.0))), on_scale=("delta",))
SQUARES = Candidate(lossary.MeanSquaredError(), "")


def table(rows: int = 90, seed: int = 0) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    x, z = generator.normal(size=(2, rows))
    frame = pl.DataFrame({"x": x, "z": z, "kind": generator.choice(["a", "b", "c"], rows)})
    return frame.with_columns(y=pl.Series(3 * x + np.sin(3 * z) + generator.standard_t(2, rows) + 20))


def profiled(frame: Any = None, target: str = "y", **changes: Any) -> Profile:
    profile = profiling.profile(read(table() if frame is None else frame, target))
    return dataclasses.replace(profile, **changes)


def planned(profile: Profile | None = None, *candidates: Candidate, **options: Any) -> Plan:
    suggestion = Suggestion(candidates or (SQUARES,), ())
    options = {"folds": 3, "seeds": 1, "epochs": 12, "boosting": False, **options}
    return planning.plan(profile or profiled(), suggestion, **options)


def everything(plan: Plan, candidate: int = 0) -> Unit:
    return Unit(candidate, tuple(range(len(plan.splits))))


def values(outcome: Outcome) -> np.ndarray:
    assert outcome.error is None, outcome.error
    assert outcome.prediction is not None
    assert outcome.prediction.values is not None
    return outcome.prediction.values


def folds_of(plan: Plan, candidate: Candidate) -> list[Fold]:
    return [training.fold_of(plan, candidate, split) for split in plan.splits]


def members_of(plan: Plan, candidate: Candidate) -> list[Member]:
    return [
        Member(place, candidate.scaled(own, split.facts))
        for place, split in enumerate(plan.splits)
        for own in candidate.settings(split.facts)
    ]


# ── stacked ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_members_train_together_as_they_would_alone() -> None:
    plan = planned(profiled(table(300)), HUBER, epochs=60)
    trainer = TorchTrainer(plan.budget)
    folds, members = folds_of(plan, HUBER), members_of(plan, HUBER)
    assert len(members) == 9
    together = trainer.fit(folds, members, 1, HUBER.on_scale)
    assert len({fit.epochs for fit in together}) > 3  # they stop at epochs of their own
    for fit, member in zip(together, members, strict=True):
        (alone,) = trainer.fit([folds[member.fold]], [Member(0, member.loss)], 1)
        assert alone.epochs == fit.epochs
        np.testing.assert_allclose(fit.test, alone.test, rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(fit.curve, alone.curve, rtol=2e-3)


def test_a_member_is_what_a_plain_loop_makes_of_it() -> None:
    plan = planned(None, HUBER, epochs=40)
    folds, members = folds_of(plan, HUBER), members_of(plan, HUBER)
    fits = TorchTrainer(plan.budget).fit(folds, members, 1, HUBER.on_scale)
    for fit, member in zip(fits, members, strict=True):
        criterion = torch.nn.HuberLoss(delta=member.loss.settings["delta"])
        with threadpool_limits(1):
            expected = train_alone(folds[member.fold], criterion, 1, plan.budget)
        np.testing.assert_allclose(fit.test, expected, rtol=5e-3, atol=5e-3)


def test_a_member_stops_when_it_makes_no_more_progress_and_the_others_go_on() -> None:
    plan = planned(profiled(table(300)), HUBER, epochs=80)
    patience = plan.budget.patience
    fits = TorchTrainer(plan.budget).fit(folds_of(plan, HUBER), members_of(plan, HUBER), 1, HUBER.on_scale)
    for fit in fits:
        assert fit.epochs == np.argmin(fit.curve) + 1
        assert len(fit.curve) == min(fit.epochs + patience, 80)
        assert fit.curve[0] == 1.0
    assert len({len(fit.curve) for fit in fits}) > 2


def test_one_call_serves_every_delta() -> None:
    losses = [lossary.Huber(delta) for delta in (0.2, 1.0, 5.0)]
    criterion = Criterion(losses, ("delta",))
    assert [loss for loss, _ in criterion.calls] == [lossary.Huber(0.2)]
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(3, 16, 1, generator=generator, requires_grad=True)
    targets = torch.randn(3, 16, generator=generator)
    costs = criterion(outputs, targets, None)
    costs.sum().backward()
    assert outputs.grad is not None
    for place, loss in enumerate(losses):
        alone = outputs[place].detach()[:, 0].requires_grad_()
        torch.nn.functional.huber_loss(alone, targets[place], delta=loss.delta).backward()
        assert alone.grad is not None
        factor = outputs.grad[place, 0, 0] / alone.grad[0]
        assert factor > 0
        torch.testing.assert_close(outputs.grad[place, :, 0], factor * alone.grad)


def test_each_member_has_the_class_weights_of_its_own_fold() -> None:
    losses = [lossary.BinaryCrossEntropy(pos_weight=weight) for weight in (3.0, 0.5, 3.0, 2.0)]
    criterion = Criterion(losses)
    assert sorted(criterion.order.tolist()) == [0, 1, 2, 3]
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(4, 16, 1, generator=generator)
    targets = torch.randint(2, (4, 16), generator=generator).float()
    costs = criterion(outputs, targets, None)
    for place, member in enumerate(criterion.order):
        weight = torch.tensor(losses[member].pos_weight)
        expected = torch.nn.functional.binary_cross_entropy_with_logits(
            outputs[place, :, 0], targets[place], pos_weight=weight
        )
        torch.testing.assert_close(costs[place], expected)
    criterion.keep(torch.tensor([False, True, True, True]))  # one of the first loss has stopped
    without = criterion(outputs[1:], targets[1:], None)
    torch.testing.assert_close(without, costs[1:])


def test_class_weights_count_in_the_mean_of_each_member() -> None:
    losses = [lossary.SparseCategoricalCrossEntropy(class_weight=w) for w in ((1.0, 2.0, 5.0), (3.0, 1.0, 1.0))]
    criterion = Criterion(losses)
    generator = torch.Generator().manual_seed(0)
    outputs, targets = torch.randn(2, 16, 3, generator=generator), torch.randint(3, (2, 16), generator=generator)
    costs = criterion(outputs, targets, None)
    for place, member in enumerate(criterion.order):
        expected = torch.nn.functional.cross_entropy(
            outputs[place], targets[place], weight=torch.tensor(losses[member].class_weight)
        )
        torch.testing.assert_close(costs[place], expected)


@pytest.mark.parametrize("trainer", [TorchTrainer, KerasTrainer, LinearTrainer])
def test_rows_that_count_for_nothing_teach_nothing(trainer: Any) -> None:
    plan = planned(None, SQUARES, folds=2, epochs=3)
    made = trainer(plan.budget.epochs if trainer is LinearTrainer else plan.budget)
    fold = folds_of(plan, SQUARES)[0]
    weight = np.ones(len(fold.inputs), np.float32)
    weight[::3] = 0.0
    targets = fold.targets.copy()
    targets[::3] = 1e3
    fits = [
        made.fit([dataclasses.replace(fold, weight=weight, targets=each)], [Member(0, SQUARES.loss)], 1)[0]
        for each in (fold.targets, targets)
    ]
    np.testing.assert_array_equal(fits[0].test, fits[1].test)
    (unweighted,) = made.fit([fold], [Member(0, SQUARES.loss)], 1)
    assert np.abs(unweighted.test - fits[0].test).max() > 1e-4


# ── what a unit gives ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model", ["mlp", "linear"])
def test_the_same_numbers_every_time_and_from_parts(model: str) -> None:
    plan = planned(None, HUBER, model=model)
    once, again = (training.train(plan, everything(plan)) for _ in range(2))
    for split, (one, other) in enumerate(zip(once, again, strict=True)):
        np.testing.assert_array_equal(values(one), values(other))
        (alone,) = training.train(plan, Unit(0, (split,)))
        np.testing.assert_allclose(values(alone), values(one), rtol=1e-4)
        assert (alone.loss, alone.epochs, alone.split) == (one.loss, one.epochs, one.split)


@pytest.mark.parametrize("model", ["mlp", "linear"])
def test_nothing_of_the_test_rows_reaches_training_or_choice(model: str) -> None:
    plan = planned(None, HUBER, model=model, boosting=True)
    split = plan.splits[0]
    y, rows = plan.profile.y.copy(), plan.profile.table.copy()
    y[split.test] = 1e6
    rows[split.test[1:], :2] = 1e6  # the first test row stays, to be predicted
    spoilt = planned(dataclasses.replace(plan.profile, y=y, table=rows), HUBER, model=model, boosting=True)
    np.testing.assert_array_equal(spoilt.splits[0].test, split.test)
    for candidate in (0, BOOSTING, LINEAR):
        clean, dirty = (training.train(each, Unit(candidate, (0,)))[0] for each in (plan, spoilt))
        assert clean.loss == dirty.loss
        assert values(clean)[0] == values(dirty)[0]
        np.testing.assert_array_equal(clean.curve, dirty.curve)


def test_a_run_leaves_the_caller_s_random_state_and_threads_alone() -> None:
    plan = planned(None, HUBER)
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    training.train(plan, everything(plan))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_the_setting_that_is_best_on_the_held_out_rows_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(None, HUBER)
    deltas = [HUBER.settings(split.facts) for split in plan.splits]
    seen: list[int] = []

    class Planned(stacking.Trainer):
        """Perfect on the held-out rows with the setting whose turn it is."""

        def fit(self, folds: Sequence[Fold], members: Sequence[Member], *rest: Any) -> list[Fit]:
            fits = []
            for place, member in enumerate(members):
                fold = folds[member.fold]
                seen.append(member.fold)
                good = place % 3 == member.fold
                held = fold.targets[fold.held][:, None] + (0.0 if good else 1.0)
                fits.append(Fit(held, np.full((len(fold.test), 1), float(place)), place, np.ones(1)))
            return fits

    monkeypatch.setattr(training, "trainer_of", lambda plan: Planned())
    for split, outcome in enumerate(training.train(plan, everything(plan))):
        assert outcome.loss == repr(deltas[split][split])
        facts = plan.splits[split].facts
        np.testing.assert_allclose(values(outcome), facts.center + facts.scale * (3 * split + split))
    assert seen == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_deltas_are_made_from_each_fold_and_shown_in_the_target_s_own_units() -> None:
    plans = [planned(profiled(table().with_columns(pl.col("y") * factor)), HUBER) for factor in (1.0, 1000.0)]
    small, large = ([outcome.loss for outcome in training.train(plan, everything(plan))] for plan in plans)
    assert len(set(small)) == 3
    for one, thousand in zip(small, large, strict=True):
        assert float(thousand[12:-1]) == pytest.approx(1000 * float(one[12:-1]), rel=1e-6)


def test_a_loss_that_fails_is_an_outcome_and_not_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*anything: Any) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(lossary.LogCosh, "gradient", fails)
    plan = planned(None, Candidate(lossary.LogCosh(), ""))
    outcomes = training.train(plan, everything(plan))
    assert [outcome.split for outcome in outcomes] == [0, 1, 2]
    assert all(outcome.prediction is None and "broken on purpose" in str(outcome.error) for outcome in outcomes)


def test_a_training_that_diverges_is_an_error_and_not_what_it_started_from(models: str) -> None:
    plan = planned(None, SQUARES, model=f"{models}:Endless")
    for outcome in training.train(plan, everything(plan)):
        assert outcome.prediction is None
        assert outcome.error == "FloatingPointError: training diverged: predictions are not finite"


def test_imbalanced_classes_are_weighted_fold_by_fold() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=200)
    frame = pl.DataFrame({"x": x, "y": np.where(x + generator.normal(size=200) > 1.8, "rare", "common")})
    weighted = Candidate(lossary.BinaryCrossEntropy(), "", Rule("pos_weight", Balance()))
    plan = planned(profiled(frame), Candidate(lossary.BinaryCrossEntropy(), ""), weighted)
    plain, balanced = (training.train(plan, everything(plan, each)) for each in (0, 1))
    for one, other in zip(plain, balanced, strict=True):
        assert one.prediction is not None
        assert other.prediction is not None
        positive = int(plan.profile.classes.index("rare"))
        assert np.mean(other.prediction.labels == positive) > np.mean(one.prediction.labels == positive)


def test_references_are_scikit_learn_s_own_on_the_same_rows() -> None:
    plan = planned(None, SQUARES, boosting=True)
    assert {unit.candidate for unit in plan.units} == {0, BOOSTING, LINEAR}
    boosted, linear = (training.train(plan, everything(plan, each)) for each in (BOOSTING, LINEAR))
    profile = plan.profile
    for split, outcome in zip(plan.splits, linear, strict=True):
        model = make_pipeline(profiling.preprocessor(profile.table.shape[1], profile.categories), Ridge())
        expected = model.fit(profile.table[split.train], profile.y[split.train]).predict(profile.table[split.test])
        np.testing.assert_allclose(values(outcome), expected)
    for split, outcome in zip(plan.splits, boosted, strict=True):
        constant = np.full(len(split.test), np.median(profile.y[split.train]))
        truth = profile.y[split.test]
        assert mean_absolute_error(truth, values(outcome)) < mean_absolute_error(truth, constant)


def test_references_know_classes_that_some_training_rows_lack() -> None:
    generator = np.random.default_rng(0)
    frame = pl.DataFrame({"x": generator.normal(size=60), "y": ["a", "b"] * 20 + ["c", "a"] * 10})
    candidate = Candidate(lossary.SparseCategoricalCrossEntropy(), "")
    plan = planned(profiled(frame, order=np.arange(60.0)), candidate, boosting=True)
    for candidate in (0, BOOSTING, LINEAR):
        first = training.train(plan, Unit(candidate, (0,)))[0]
        assert first.error is None
        assert first.prediction is not None
        assert first.prediction.probabilities is not None
        assert first.prediction.probabilities.shape == (len(plan.splits[0].test), 3)
        np.testing.assert_allclose(first.prediction.probabilities.sum(axis=1), 1.0, rtol=1e-6)


# ── splits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("classes", [False, True])
def test_rows_of_a_group_are_never_on_both_sides(classes: bool) -> None:
    groups = np.random.default_rng(0).integers(0, 12, 90)
    frame = table()
    if classes:
        frame = frame.with_columns(y=pl.when(pl.col("x") > 0).then(pl.lit("yes")).otherwise(pl.lit("no")))
    plan = planned(profiled(frame, groups=groups), seeds=2, folds=4)
    assert len(plan.splits) == 8
    for split in plan.splits:
        assert not set(groups[split.train]) & set(groups[split.test])
        kept, held = training.inner_split(plan.profile, split)
        assert not set(groups[split.train[kept]]) & set(groups[split.train[held]])
        np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(split.train)))
    for seed in (0, 1):
        tested = np.concatenate([split.test for split in plan.splits if split.seed == seed])
        np.testing.assert_array_equal(np.sort(tested), np.arange(90))


def test_fewer_groups_than_folds_are_said_and_one_is_refused() -> None:
    plan = planned(profiled(groups=np.arange(90) % 2), folds=5)
    assert plan.folds == 2
    assert "2 folds, as there are only 2 groups" in plan.notes
    with pytest.raises(DataError, match="one group"):
        planned(profiled(groups=np.zeros(90, np.int64)))


@pytest.mark.parametrize("resolution", [0.001, 1.0, 10.0])
def test_what_is_tested_came_after_what_was_learnt(resolution: float) -> None:
    time = np.random.default_rng(0).uniform(0, 40, 90) // resolution
    plan = planned(profiled(order=time), folds=3, seeds=2)
    assert plan.folds == 3
    for split in plan.splits:
        assert time[split.train].max() < time[split.test].min()
        if len(np.unique(time[split.train])) == 1:
            continue  # nothing came later
        kept, held = training.inner_split(plan.profile, split)
        assert time[split.train[kept]].max() < time[split.train[held]].min()
    tested = np.concatenate([split.test for split in plan.splits if split.seed == 0])
    assert len(np.unique(tested)) == len(tested)
    assert time[tested].max() == time.max()
    outcomes = training.train(plan, everything(plan))  # folds of different sizes in one stack
    assert all(len(values(outcome)) == len(plan.splits[outcome.split].test) for outcome in outcomes)


def test_times_that_cannot_be_split_are_refused() -> None:
    with pytest.raises(DataError, match="same time"):
        planned(profiled(order=np.zeros(90)))
    with pytest.raises(DataError, match="only one later part"):
        planned(profiled(order=np.arange(90.0) // 45), folds=5)
    plan = planned(profiled(order=np.arange(90.0) // 30), folds=5)
    assert plan.folds == 2
    assert "2 folds, as the rows have few different times" in plan.notes
    with pytest.raises(DataError, match="fewer than 2 rows to learn from"):
        planned(profiled(table(10), order=np.arange(10.0)), folds=5)
    with pytest.raises(ParameterError, match="not by both"):
        planned(profiled(order=np.arange(90.0), groups=np.arange(90)))


def test_very_many_rows_are_sampled_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_ROWS", 60)
    monkeypatch.setattr(planning, "_STACKED_BYTES", 1)
    plan = planned(None, SQUARES, HUBER)
    assert plan.rows_used == 60
    assert any(note.startswith("60 of 90 rows") for note in plan.notes)
    used = np.concatenate([split.test for split in plan.splits])
    assert len(np.unique(used)) == 60
    assert plan.units == tuple(Unit(candidate, (split,)) for split in range(3) for candidate in (0, 1))


def test_a_level_that_some_training_rows_lack_has_a_column_all_the_same() -> None:
    frame = table(40).with_columns(kind=pl.Series(["a"] * 38 + ["rare"] * 2))
    plan = planned(profiled(frame, order=np.arange(40.0)))
    outcomes = training.train(plan, everything(plan))
    assert all(np.isfinite(values(outcome)).all() for outcome in outcomes)


# ── models ───────────────────────────────────────────────────────────────────────────────────────────────────────────

MODELS = '''
import torch

class Busy(torch.nn.Module):
    """Batch normalisation, dropout, weights that are frozen or shared."""

    def __init__(self, features, outputs):
        super().__init__()
        self.first = torch.nn.Linear(features, 16, bias=False)  # normalised away
        self.norm = torch.nn.BatchNorm1d(16)
        self.drop = torch.nn.Dropout(0.1)
        self.last = torch.nn.Linear(16, outputs)
        self.frozen = torch.nn.Parameter(torch.ones(16), requires_grad=False)

    def forward(self, x):
        return self.last(self.drop(torch.relu(self.norm(self.first(x)))) * self.frozen)

class Branching(torch.nn.Module):
    """What vmap cannot follow: the way depends on the numbers."""

    def __init__(self, features, outputs):
        super().__init__()
        self.last = torch.nn.Linear(features, outputs)

    def forward(self, x):
        if x.sum().item() > 0:
            return self.last(x)
        return self.last(x) * 1.0

class Endless(torch.nn.Module):
    """What has no finite cost on anything but the zeros that it is tried on."""

    def __init__(self, features, outputs):
        super().__init__()
        self.last = torch.nn.Linear(features, outputs)

    def forward(self, x):
        return self.last(x) / (x.abs().amax() == 0)

def lazy(n_features, n_outputs):
    return torch.nn.Sequential(torch.nn.LazyLinear(8), torch.nn.Tanh(), torch.nn.LazyLinear(n_outputs))

def flat():
    return torch.nn.Sequential(torch.nn.Linear(5, 1), torch.nn.Flatten(0))

def keras_model(n_features, n_outputs):
    from keras import Sequential, layers
    return Sequential([layers.Input((n_features,)), layers.Dense(8, "tanh"), layers.Dense(n_outputs)])

def raises(n_features, n_outputs):
    raise RuntimeError("no such luck\\nsecond line")

def too_wide(n_features, n_outputs):
    return torch.nn.Linear(n_features, n_outputs + 2)

def too_narrow(n_features, n_outputs):
    return torch.nn.Linear(n_features - 1, n_outputs)

def no_module(n_features, n_outputs):
    return lambda x: x

def no_weights(n_features, n_outputs):
    return torch.nn.AdaptiveAvgPool1d(n_outputs)

def no_tensor(n_features, n_outputs):
    class Two(torch.nn.Linear):
        def forward(self, x):
            return x, x
    return Two(n_features, n_outputs)

def exits(n_features, n_outputs):
    raise SystemExit(3)

kept = torch.nn.Linear(5, 1)

def always_the_same(n_features, n_outputs):
    return kept

number = 5
'''


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of models in the working directory."""
    name = f"models_{tmp_path.name}".replace("-", "_").replace("[", "_").replace("]", "_")
    (tmp_path / f"{name}.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize("factory", ["Busy", "Branching", "lazy", "flat"])
def test_a_user_s_module_is_trained(models: str, factory: str) -> None:
    plan = planned(profiled(table(200)), HUBER, model=f"{models}:{factory}", epochs=150)
    assert plan.framework == "torch"
    for split, one in enumerate(training.train(plan, everything(plan))):
        truth, seen = plan.profile.y[plan.splits[split].test], plan.profile.y[plan.splits[split].train]
        constant = np.full(len(truth), np.median(seen))
        assert mean_absolute_error(truth, values(one)) < mean_absolute_error(truth, constant)


def test_what_is_random_in_a_module_is_the_same_every_time(models: str) -> None:
    plan = planned(None, HUBER, model=f"{models}:Busy", epochs=5)
    once, again = (training.train(plan, everything(plan)) for _ in range(2))
    for one, other in zip(once, again, strict=True):
        np.testing.assert_array_equal(values(one), values(other))


def test_modules_train_alike_by_vmap_and_in_turn(models: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(None, SQUARES, model=f"{models}:Busy", epochs=5)
    build = training.models.load(plan.model)

    def without_dropout(features: int, outputs: int) -> torch.nn.Module:
        module: torch.nn.Module = build(features, outputs)
        module.drop = torch.nn.Identity()
        return module

    folds, members = folds_of(plan, SQUARES), members_of(plan, SQUARES)
    trainer = TorchTrainer(plan.budget, without_dropout)
    together = trainer.fit(folds, members, 1)

    def refuses(*anything: Any, **options: Any) -> Any:
        raise RuntimeError("no vmap here")

    monkeypatch.setattr(torch.func, "vmap", lambda *anything, **options: refuses)
    in_turn = trainer.fit(folds, members, 1)
    for one, other in zip(together, in_turn, strict=True):
        np.testing.assert_allclose(one.test, other.test, rtol=1e-3, atol=1e-4)
    module = without_dropout(folds[0].inputs.shape[1], 1)  # batch statistics were learnt, not left at 0 and 1
    assert isinstance(module.norm, torch.nn.BatchNorm1d)


def test_the_default_network_is_the_same_by_matrix_products_and_by_vmap() -> None:
    plan = planned(None, SQUARES, epochs=5)
    folds, members = folds_of(plan, SQUARES), members_of(plan, SQUARES)

    def build(features: int, outputs: int) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(features, 64), torch.nn.SiLU(), torch.nn.Linear(64, outputs))

    by_products = TorchTrainer(plan.budget).fit(folds, members, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stacking, "_CAREFUL_RATE", stacking._LEARNING_RATE)
        by_vmap = TorchTrainer(plan.budget, build).fit(folds, members, 1)
    for one, other in zip(by_products, by_vmap, strict=True):
        np.testing.assert_allclose(one.test, other.test, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("model", ["mlp", "keras_model"])
def test_keras_trains_by_compile_and_fit(models: str, model: str) -> None:
    options = {"framework": "keras"} if model == "mlp" else {"model": f"{models}:{model}"}
    plan = planned(profiled(table(200)), SQUARES, folds=2, epochs=25, **options)
    assert plan.framework == "keras"
    assert plan.units == (Unit(0, (0,)), Unit(0, (1,)))
    state = np.random.get_state()[1].copy()  # the caller's, which Keras would seed
    (outcome,) = training.train(plan, plan.units[0])
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    truth = plan.profile.y[plan.splits[0].test]
    constant = np.full(len(truth), np.median(plan.profile.y[plan.splits[0].train]))
    assert mean_absolute_error(truth, values(outcome)) < mean_absolute_error(truth, constant)
    assert outcome.curve[0] == 1.0
    assert outcome.epochs == np.argmin(outcome.curve) + 1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("raises", r"cannot be made: RuntimeError: no such luck$"),
        ("exits", r"cannot be made: SystemExit: 3$"),
        ("always_the_same", r"must make a new model at every call"),
        ("too_wide", r"must give 1 number for each row: .* gave the shape \(3, 3\), not \(3, 1\)"),
        ("too_narrow", r"fails on an input of shape \(3, 5\): RuntimeError"),
        ("no_module", r"must make a torch.nn.Module or a keras.Model, not builtins.function"),
        ("no_tensor", r"gave a tuple, not \(3, 1\)"),
        ("no_weights", r"has no weights to train"),
        ("number", r"must be a function or class that makes the model, not int"),
        ("missing", r"has no 'missing'"),
    ],
)
def test_a_factory_that_does_not_fit_is_refused_before_training(models: str, model: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        planned(None, SQUARES, model=f"{models}:{model}")
    assert "\n" not in str(caught.value)


def test_models_and_frameworks_that_there_are_not(models: str) -> None:
    for options, message in [
        ({"model": "perceptron"}, "mlp, linear or package.module:factory"),
        ({"model": "no_such_module_here:factory"}, "cannot be imported: ModuleNotFoundError"),
        ({"framework": "caffe"}, "torch or keras"),
        ({"model": "linear", "framework": "torch"}, "SciPy"),
        ({"model": f"{models}:lazy", "framework": "keras"}, "made with PyTorch, not Keras"),
    ]:
        with pytest.raises(ParameterError, match=message):
            planned(None, SQUARES, **options)


def test_the_linear_model_reaches_what_least_squares_does() -> None:
    plan = planned(None, SQUARES, model="linear", epochs=200)
    (fold, *_) = folds_of(plan, SQUARES)
    (fit,) = LinearTrainer(200).fit([fold], [Member(0, SQUARES.loss)], 1)
    penalty = len(fold.kept) * 1e-3 / 2  # ours is per row, of half the squares' mean
    expected = Ridge(alpha=penalty).fit(fold.inputs[fold.kept], fold.targets[fold.kept]).predict(fold.test)
    np.testing.assert_allclose(fit.test[:, 0], expected, rtol=1e-3, atol=1e-3)


def test_the_linear_model_needs_no_framework() -> None:
    program = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "keras", "tensorflow", "jax"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import lossary
from lossary.compare import plan, profile, train
from lossary.compare.data import read
from lossary.compare.suggest import suggest
for name in ("engel", "breast_cancer", "digits"):
    profiled = profile.profile(read(name))
    planned = plan.plan(profiled, suggest(profiled), folds=2, seeds=1, epochs=5, model="linear")
    for unit in planned.units:
        for outcome in train.train(planned, unit):
            assert outcome.error is None, outcome.error
"""
    source = str(Path(lossary.__file__).parents[1])
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": source}, timeout=300)
