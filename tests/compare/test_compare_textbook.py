"""What textbooks say comes out on real data."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

import lossary
from lossary.compare import Result, compare, engine
from lossary.compare import plan as planning
from lossary.compare import profile as profiling
from lossary.compare import statistics as judging
from lossary.compare import suggest as suggesting
from lossary.compare.data import read
from lossary.compare.metrics import metrics_for
from lossary.define.loss import Loss


def held_out(result: Result, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
    """Every test row of every split, and what the model trained with this loss says of it."""
    place = next(place for place, each in enumerate(result.plan.candidates) if each.loss == loss)
    rows, values = [], []
    for outcome in result.outcomes:
        if outcome.candidate == place:
            assert outcome.prediction is not None
            assert outcome.prediction.values is not None
            rows.append(result.plan.splits[outcome.split].test)
            values.append(outcome.prediction.values)
    return np.concatenate(rows), np.concatenate(values)


@pytest.fixture(scope="module")
def engel() -> Result:
    losses = ["mse", *(f"Quantile(level={level})" for level in (0.1, 0.5, 0.9))]
    return compare("engel", losses=losses, jobs=1, boosting=False)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_quantile_losses_cover_what_they_promise(engel: Result, level: float) -> None:
    rows, values = held_out(engel, lossary.Quantile(level))
    assert len(rows) == 3 * 235
    assert np.mean(engel.plan.profile.y[rows] <= values) == pytest.approx(level, abs=0.05)


def test_the_normal_band_around_the_mean_does_not_where_spread_grows(engel: Result) -> None:
    """Mean ± 1.2816 standard deviations should hold 8 of 10, for poor and for rich households."""
    rows, values = held_out(engel, lossary.MeanSquaredError())
    residuals = engel.plan.profile.y[rows] - values
    inside = np.abs(residuals) <= 1.2815515655446004 * residuals.std()
    income = engel.plan.profile.data.features["income"].to_numpy()[rows]
    thirds = np.searchsorted(np.quantile(income, [1 / 3, 2 / 3]), income)
    poor, _, rich = (inside[thirds == third].mean() for third in range(3))
    assert poor > 0.8 + 0.05
    assert rich < 0.8 - 0.05


def test_robust_losses_beat_the_squared_error_where_training_has_gross_outliers() -> None:
    """A tenth of the training rows of diabetes has a target ten times too far out; test rows have their own."""
    data = read("diabetes")
    generator = np.random.default_rng(0)
    spoilt = np.zeros(len(data.values), dtype=bool)
    spoilt[generator.choice(len(spoilt), 44, replace=False)] = True
    y = data.values.to_numpy().astype(np.float64)
    y[spoilt] = y.mean() + 10 * np.abs(y[spoilt] - y.mean()) + 5 * y.std()
    profiled = profiling.profile(dataclasses.replace(data, values=pl.Series(data.target, y)))
    losses = ["mse", "huber", "mae", "logcosh"]
    plan = planning.plan(profiled, suggesting.suggest(profiled, losses), boosting=False)
    always = np.flatnonzero(spoilt)
    splits = tuple(
        dataclasses.replace(split, train=np.union1d(split.train, always), test=split.test[~spoilt[split.test]])
        for split in plan.splits
    )
    plan = dataclasses.replace(plan, splits=splits)
    outcomes = list(engine.run(plan, jobs=1))
    summary = judging.summarise(plan, outcomes, metrics_for("regression"))
    verdict = summary.verdicts["mae"]
    best = type(plan.candidates[verdict.best].loss).__name__
    assert best in ("Huber", "MeanAbsoluteError", "LogCosh")
    assert verdict.p < 0.05
    means = {type(plan.candidates[row.candidate].loss).__name__: row.mean("mae") for row in summary.standings}
    assert max(means, key=lambda name: means[name]) == "MeanSquaredError"


def test_weights_raise_the_balanced_accuracy_of_imbalanced_classes() -> None:
    """How 2,000 of the women that statsmodels' `fair` asked rate their marriage: 7 % "poor" or "very poor"."""
    fair = pytest.importorskip("statsmodels.datasets.fair").load_pandas().data
    frame = pl.DataFrame({str(column): fair[column].to_list() for column in fair.columns}).sample(2_000, seed=0)
    frame = frame.with_columns(unhappy=pl.col("rate_marriage") <= 2).drop("rate_marriage")
    result = compare(frame, "unhappy", losses=["bce"], jobs=1, boosting=False)
    verdict = result.summary.verdicts["balanced_accuracy"]
    weighted = result.plan.candidates[verdict.best].loss
    assert isinstance(weighted, lossary.BinaryCrossEntropy)
    assert float(weighted.settings["pos_weight"]) > 5  # type: ignore[arg-type]  # one number, for two classes
    assert result.plan.candidates[verdict.reference].loss == lossary.BinaryCrossEntropy()
    assert verdict.better_in == len(result.plan.splits)
    assert verdict.p < 0.05
