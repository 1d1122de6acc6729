"""What the outcomes are judged by: every figure against scikit-learn's, SciPy's or one worked out by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import polars as pl
import pytest
import sklearn.metrics as known
import torch
import torchmetrics
from scipy import stats
from sklearn.preprocessing import label_binarize

from lossary.compare import compare, engine
from lossary.compare import plan as planning
from lossary.compare import profile as profiling
from lossary.compare import statistics as judging
from lossary.compare import suggest as suggesting
from lossary.compare.data import read
from lossary.compare.metrics import calibration_error, metrics_for
from lossary.compare.prediction import Outcome, Prediction
from lossary.errors import DataError, UnknownNameError

ROWS = 240


def amounts() -> pl.DataFrame:
    generator = np.random.default_rng(0)
    x = generator.uniform(1.0, 5.0, size=ROWS)
    return pl.DataFrame(
        {"x": x, "y": x * (2.0 + generator.normal(size=ROWS)), "w": generator.integers(1, 9, size=ROWS)}
    )


def classes(number: int) -> pl.DataFrame:
    generator = np.random.default_rng(number)
    x = generator.normal(size=ROWS)
    codes = np.clip(np.round(x + generator.normal(size=ROWS) + (number - 1) / 2), 0, number - 1).astype(int)
    return pl.DataFrame({"x": x, "y": [f"c{code}" for code in codes], "w": generator.integers(1, 9, size=ROWS)})


def planned(frame: pl.DataFrame, losses: tuple[str, ...], weight: str | None = None, **options: Any) -> planning.Plan:
    profiled = profiling.profile(read(frame.drop("w") if weight is None else frame, "y", weight=weight))
    suggestion = suggesting.suggest(profiled, losses)
    return planning.plan(profiled, suggestion, **{"folds": 3, "seeds": 2, "boosting": False, **options})


def predicted(plan: planning.Plan, *values: Any) -> list[Outcome]:
    """Outcomes in which each candidate says of all rows what stands in its place: values, or labels and so on."""
    found = []
    for candidate, said in enumerate(values):
        for place, split in enumerate(plan.splits):
            rows = {name: array[split.test] for name, array in said.items()}
            found.append(Outcome(candidate, place, Prediction(**rows), "", 1, 0.0))
    return found


def summarised(plan: planning.Plan, *values: Any) -> judging.Summary:
    return judging.summarise(plan, predicted(plan, *values), metrics_for(plan.profile.task))


def noisy_values(plan: planning.Plan, *spreads: float) -> list[dict[str, np.ndarray]]:
    generator = np.random.default_rng(1)
    return [{"values": plan.profile.y + generator.normal(scale=spread, size=plan.profile.rows)} for spread in spreads]


def noisy_classes(plan: planning.Plan, sharpness: float = 1.0) -> dict[str, np.ndarray]:
    number, generator = len(plan.profile.classes), np.random.default_rng(2)
    scores = generator.normal(size=(plan.profile.rows, number)) + sharpness * np.eye(number)[plan.profile.y]
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    if number == 2:
        logits = scores[:, 1] - scores[:, 0]
        return {"labels": (logits > 0).astype(np.int64), "scores": logits, "probabilities": probabilities[:, 1]}
    return {"labels": scores.argmax(1), "scores": scores, "probabilities": probabilities}


# ── metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("weight", [None, "w"])
def test_metrics_of_amounts_are_scikit_learn_s(weight: str | None) -> None:
    plan = planned(amounts(), ("mse", "mae"), weight)
    said = noisy_values(plan, 1.0, 2.0)
    summary = summarised(plan, *said)
    wanted: dict[str, Any] = {
        "mae": known.mean_absolute_error,
        "rmse": known.root_mean_squared_error,
        "r2": known.r2_score,
        "median_ae": known.median_absolute_error,
        "pinball_0.1": lambda *x, **w: known.mean_pinball_loss(*x, alpha=0.1, **w),
        "pinball_0.5": lambda *x, **w: known.mean_pinball_loss(*x, alpha=0.5, **w),
        "pinball_0.9": lambda *x, **w: known.mean_pinball_loss(*x, alpha=0.9, **w),
    }
    assert set(wanted) == {metric.name for metric in summary.metrics}
    y, w = plan.profile.y, plan.profile.weight
    for row in summary.standings:
        for name, function in wanted.items():
            scores = [
                function(
                    y[split.test],
                    said[row.candidate]["values"][split.test],
                    sample_weight=None if w is None else w[split.test],
                )
                for split in plan.splits
            ]
            np.testing.assert_allclose(row.scores[name], scores, rtol=1e-12)
    assert ("metrics count each row by its weight" in summary.notes) == (weight is not None)


@pytest.mark.parametrize("number", [2, 4])
@pytest.mark.parametrize("weight", [None, "w"])
def test_metrics_of_classes_are_scikit_learn_s(number: int, weight: str | None) -> None:
    loss = "bce" if number == 2 else "SparseCategoricalCrossEntropy"
    plan = planned(classes(number), (loss,), weight)
    said = noisy_classes(plan)
    summary = summarised(plan, said)
    average: dict[str, Any] = {"average": "binary" if number == 2 else "macro"}
    labels = list(range(number))

    def hot(y: np.ndarray) -> np.ndarray:
        return y if number == 2 else label_binarize(y, classes=labels)

    def ranked(function: Any, **options: Any) -> Any:
        return lambda y, p, w: function(hot(y), p["probabilities"], sample_weight=w, **options)

    wanted: dict[str, Any] = {
        "accuracy": lambda y, p, w: known.accuracy_score(y, p["labels"], sample_weight=w),
        "balanced_accuracy": lambda y, p, w: known.balanced_accuracy_score(y, p["labels"], sample_weight=w),
        "precision": lambda y, p, w: known.precision_score(y, p["labels"], sample_weight=w, **average),
        "recall": lambda y, p, w: known.recall_score(y, p["labels"], sample_weight=w, **average),
        "f1": lambda y, p, w: known.f1_score(y, p["labels"], sample_weight=w, **average),
        "log_loss": lambda y, p, w: known.log_loss(y, p["probabilities"], sample_weight=w, labels=labels),
        "brier": lambda y, p, w: known.brier_score_loss(y, p["probabilities"], sample_weight=w, labels=labels),
        "roc_auc": ranked(known.roc_auc_score),
        "average_precision": ranked(known.average_precision_score),
    }
    assert {*wanted, "calibration_error"} == {metric.name for metric in summary.metrics}
    y, w = plan.profile.y, plan.profile.weight
    for name, function in wanted.items():
        scores = [
            function(
                y[split.test],
                {key: array[split.test] for key, array in said.items()},
                None if w is None else w[split.test],
            )
            for split in plan.splits
        ]
        np.testing.assert_allclose(summary.standings[0].scores[name], scores, rtol=1e-12, err_msg=name)


def test_best_constants_count_rows_by_their_weight() -> None:
    plan = planned(amounts(), ("mse",), "w")
    y, w = plan.profile.y, plan.profile.weight
    assert w is not None
    constants = summarised(plan, *noisy_values(plan, 1.0)).constants
    for place, split in enumerate(plan.splits):
        repeated = np.repeat(y[split.train], w[split.train].astype(int))  # a weight of 3 is three rows
        test, weights = y[split.test], w[split.test]
        mean, median = repeated.mean(), np.quantile(repeated, 0.5, method="inverted_cdf")
        assert constants["rmse"][place] == pytest.approx(np.sqrt(np.average((test - mean) ** 2, weights=weights)))
        assert constants["mae"][place] == pytest.approx(np.average(np.abs(test - median), weights=weights))
    coded = planned(classes(2), ("bce",), "w")
    y, w = coded.profile.y, coded.profile.weight
    assert w is not None
    constants = summarised(coded, noisy_classes(coded)).constants
    split = coded.splits[0]
    share = np.average(y[split.train], weights=w[split.train])
    wanted = known.log_loss(y[split.test], np.full(len(split.test), share), sample_weight=w[split.test])
    assert constants["log_loss"][0] == pytest.approx(wanted)


def test_calibration_error_is_torchmetrics_where_both_have_the_same_bins() -> None:
    generator = np.random.default_rng(3)
    promised = np.repeat(np.arange(0.05, 1.0, 0.1), 40)  # ten bins of equal width and of equal mass
    y = (generator.uniform(size=400) < promised**2).astype(np.int64)
    wanted = torchmetrics.functional.classification.binary_calibration_error(
        torch.tensor(promised), torch.tensor(y), n_bins=10, norm="l1"
    )
    order = generator.permutation(400)
    found = calibration_error(y[order], Prediction(probabilities=promised[order]), 2)
    assert found == pytest.approx(float(wanted), rel=1e-6)


def test_calibration_error_by_hand() -> None:
    y = np.array([1] * 30 + [0] * 10 + [1] * 10 + [0] * 30)
    promised = np.array([0.9] * 40 + [0.25] * 40)
    # Of 40 rows at 0.9, 30 are positive: 0.15 too much. Of 40 at 0.25, 10 are: exactly right.
    assert calibration_error(y, Prediction(probabilities=promised), 2) == pytest.approx(0.5 * 0.15)
    constant = Prediction(probabilities=np.full(80, 0.5))
    assert calibration_error(y, constant, 2) == pytest.approx(0.0)  # equal probabilities share a bin
    weight = np.where(promised == 0.9, 3.0, 1.0)
    assert calibration_error(y, Prediction(probabilities=promised), 2, weight) == pytest.approx(0.75 * 0.15)
    three = np.array([[0.6, 0.3, 0.1]] * 40)
    assert calibration_error(np.array([0] * 10 + [1] * 30), Prediction(probabilities=three), 3) == (
        pytest.approx(0.6 - 0.25)
    )
    assert np.isnan(calibration_error(y, Prediction(labels=y), 2))


@pytest.mark.parametrize(
    ("metric", "source", "message"),
    [
        ("f1", "engel", "f1 judges classes, but the target holds amounts (task regression); metrics for it: mae, rmse"),
        (
            "RMSE",
            "iris",
            "RMSE judges amounts, but the target holds classes (task multiclass); metrics for it: balanced",
        ),
        ("pinball_0.3", "iris", "pinball_0.3 judges amounts, but the target holds classes"),
        ("rmsle", "engel", "there is no metric 'rmsle'; did you mean rmse?"),
    ],
)
def test_a_metric_that_does_not_fit_is_one_clear_sentence(metric: str, source: str, message: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        compare(source, metric=metric)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_what_each_metric_asks_for() -> None:
    found = {metric.name: metric.functional for metric in metrics_for("regression", levels=[0.25])}
    assert found["mae"] == found["pinball_0.5"] == "median"
    assert found["rmse"] == found["r2"] == "mean"
    assert found["pinball_0.25"] == "0.25-quantile"
    y = np.random.default_rng(0).gamma(2.0, size=4001)
    for metric in metrics_for("regression", levels=[0.25]):
        best = metric.constant(y, 0, 1, None).values
        assert best is not None
        sign = -1.0 if metric.higher else 1.0
        costs = [
            sign * metric.judge(y, Prediction(values=np.full(4001, float(best[0]) + step)), 0, None)
            for step in (-0.05, 0.0, 0.05)
        ]
        if metric.name != "median_ae":  # which no simple constant minimises
            assert costs[1] == min(costs)


def test_a_split_without_a_class_is_said() -> None:
    frame = classes(3).with_columns(g=pl.Series([f"g{row % 6}" for row in range(ROWS)]))
    # Group 0 has one class only, so that the splits that test on it cannot rank the others.
    frame = frame.with_columns(y=pl.when(pl.col("g") == "g0").then(pl.lit("c0")).otherwise(pl.col("y")))
    profiled = profiling.profile(read(frame.drop("w"), "y", group="g"))
    plan = planning.plan(profiled, suggesting.suggest(profiled, ["SparseCategoricalCrossEntropy()"]), folds=6, seeds=1)
    summary = judging.summarise(plan, predicted(plan, noisy_classes(plan)), metrics_for("multiclass"))
    assert "roc_auc" not in summary.verdicts
    assert "balanced_accuracy" in summary.verdicts
    (note,) = summary.notes
    assert note.startswith("not judged by ROC AUC, average precision: not defined in 1 of 6 splits")


# ── in pairs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pairs_hold_the_corrected_interval_and_holm_s_p() -> None:
    plan = planned(amounts(), ("mse", "mae", "huber"))
    summary = summarised(plan, *noisy_values(plan, 1.0, 1.2, 0.8))
    verdict = summary.verdicts["mae"]
    scores = {row.candidate: row.scores["mae"] for row in summary.standings}
    n, ratio = 6, 80 / 160
    raw = {}
    for pair in verdict.pairs:
        gains = scores[0] - scores[pair.candidate]
        error = gains.std(ddof=1) * np.sqrt(1 / n + ratio)
        low, high = stats.t.interval(0.95, n - 1, loc=gains.mean(), scale=error)
        np.testing.assert_allclose((pair.difference, pair.low, pair.high), (gains.mean(), low, high), rtol=1e-12)
        assert pair.better_in == np.sum(gains > 0)
        raw[pair.candidate] = 2 * stats.t.sf(abs(gains.mean()) / error, n - 1)
    smaller, larger = sorted(raw, key=raw.__getitem__)
    corrected = {pair.candidate: pair.p for pair in verdict.pairs}
    assert corrected[smaller] == pytest.approx(min(1, 2 * raw[smaller]))
    assert corrected[larger] == pytest.approx(max(corrected[smaller], raw[larger]))
    assert {pair.candidate for pair in verdict.pairs} == {1, 2}


def test_a_gain_is_above_0_whichever_direction_the_metric_has() -> None:
    plan = planned(amounts(), ("mse", "mae"))
    summary = summarised(plan, *noisy_values(plan, 3.0, 0.5))
    for name in ("mae", "r2"):
        ((gain,),) = [summary.verdicts[name].pairs]
        assert gain.difference > 0
        assert gain.low <= gain.difference <= gain.high


def test_splits_that_are_the_same_count_once() -> None:
    """Forward-chaining splits are the same under every seed: three seeds are no three times as much evidence."""
    differences = np.random.default_rng(0).normal(1.0, 2.0, size=5)
    once = judging.Resampling(np.arange(5), 0.25).test(differences)
    thrice = judging.Resampling(np.tile(np.arange(5), 3), 0.25).test(np.tile(differences, 3))
    np.testing.assert_allclose(thrice, once, rtol=1e-12)
    frame = amounts().drop("w").with_columns(t=pl.Series(np.arange(ROWS)))
    profiled = profiling.profile(read(frame, "y", time="t"))
    plan = planning.plan(profiled, suggesting.suggest(profiled, ["mse"]), folds=4, seeds=3, boosting=False)
    resampling = judging.Resampling.of(plan.splits)
    assert list(resampling.distinct) == [0, 1, 2, 3] * 3
    assert resampling.ratio == pytest.approx(np.mean([1, 1 / 2, 1 / 3, 1 / 4]))


def test_the_correction_keeps_its_promise() -> None:
    """Of two equally good models, the uncorrected test finds a better one far too often; the corrected does not."""
    generator, found = np.random.default_rng(0), []
    for _ in range(300):
        # What cross-validation's differences are: a part that all splits share, as they share training rows.
        differences = generator.normal() * np.sqrt(0.25) + generator.normal(size=15)
        plain = stats.ttest_1samp(differences, 0.0).pvalue
        found.append((plain < 0.05, judging.corrected_test(differences, 4, 1) < 0.05))
    uncorrected, corrected = np.mean(found, axis=0)
    assert uncorrected > 0.2
    assert corrected < 0.1


# ── quantiles ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_intervals_between_quantile_losses() -> None:
    frame = amounts()
    losses = ("mse", "mae", "Quantile(level=0.1)", "Quantile(level=0.9)")
    plan = planned(frame, losses)
    x, y = frame["x"].to_numpy(), plan.profile.y
    reach = stats.norm.ppf(0.9) * x  # y is x (2 + noise): these are its quantiles
    values = {"mse": 2 * x, "mae": 2 * x, "0.1": 2 * x - reach, "0.9": 2 * x + reach}
    summary = summarised(plan, *[{"values": each} for each in values.values()])
    quantiles, normal = summary.intervals
    assert (quantiles.low, quantiles.high, quantiles.normal) == (2, 3, False)
    assert (normal.low, normal.high, normal.normal) == (0, 0, True)
    assert quantiles.promised == normal.promised == pytest.approx(0.8)
    for place, split in enumerate(plan.splits):
        low, high = values["0.1"][split.test], values["0.9"][split.test]
        inside = (low <= y[split.test]) & (y[split.test] <= high)
        assert quantiles.coverage[place] == pytest.approx(inside.mean())
        assert quantiles.width[place] == pytest.approx((high - low).mean())
        others = np.concatenate(
            [each.test for each in plan.splits if each.seed == split.seed and each.fold != split.fold]
        )
        spread = (y - 2 * x)[others].std(ddof=1)
        assert normal.width[place] == pytest.approx(2 * stats.norm.ppf(0.9) * spread)
    # The noise grows with x: quantiles cover alike everywhere, a band of one width too much below, too little above.
    assert max(abs(third - 0.8) for third in quantiles.thirds) < 0.1
    assert normal.thirds[0] > 0.95
    assert normal.thirds[2] < 0.7


def test_intervals_count_rows_by_their_weight() -> None:
    plan = planned(amounts(), ("Quantile(level=0.1)", "Quantile(level=0.9)"), "w")
    y, w = plan.profile.y, plan.profile.weight
    assert w is not None
    low, high = np.full(ROWS, np.quantile(y, 0.2)), np.full(ROWS, np.quantile(y, 0.7))
    (found,) = summarised(plan, {"values": low}, {"values": high}).intervals
    inside = (low <= y) & (y <= high)
    for place, split in enumerate(plan.splits):
        assert found.coverage[place] == pytest.approx(np.average(inside[split.test], weights=w[split.test]))


def test_no_interval_without_two_quantiles() -> None:
    plan = planned(amounts(), ("mse", "Quantile(level=0.9)"))
    assert summarised(plan, *noisy_values(plan, 1.0, 1.0)).intervals == ()
    coded = planned(classes(2), ("bce",))
    assert summarised(coded, noisy_classes(coded)).intervals == ()


# ── what is missing ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_failed_and_unfinished_losses_stand_last_and_are_not_judged() -> None:
    plan = planned(amounts(), ("mse", "mae", "huber", "LogCosh()"))
    outcomes = predicted(plan, *noisy_values(plan, 1.0, 0.9, 0.5, 0.2))
    outcomes = [each for each in outcomes if (each.candidate, each.split) != (3, 5)]
    outcomes = [
        dataclasses.replace(each, prediction=None, error="ValueError: no") if each.candidate == 2 else each
        for each in outcomes
    ]
    summary = judging.summarise(plan, outcomes, metrics_for("regression"))
    assert [row.candidate for row in summary.standings] == [1, 0, 3, 2]
    assert [row.error for row in summary.standings] == [
        None,
        None,
        "not finished: 1 of 6 splits left",
        "ValueError: no",
    ]
    assert summary.unfinished == (3,)
    assert summary.verdicts["mae"].compared == 2
    assert summary.notes == ("not finished when the time was up, and so not judged: LogCosh",)


def test_without_the_reference_the_best_is_what_others_are_held_against() -> None:
    plan = planned(amounts(), ("mse", "mae", "huber"))
    outcomes = [each for each in predicted(plan, *noisy_values(plan, 1.0, 0.9, 0.5)) if each.candidate]
    verdict = judging.summarise(plan, outcomes, metrics_for("regression")).verdicts["mae"]
    assert verdict.reference == verdict.best == 2
    assert [pair.candidate for pair in verdict.pairs] == [1]


def test_nothing_finished_and_everything_failed_are_two_things() -> None:
    plan = planned(amounts(), ("mse", "mae"))
    with pytest.raises(DataError, match="time was up"):
        judging.summarise(plan, [], metrics_for("regression"))
    failed = [Outcome(each, split, None, "", 0, 0.0, "ValueError: no") for each in (0, 1) for split in range(6)]
    with pytest.raises(DataError, match="every loss failed"):
        judging.summarise(plan, failed, metrics_for("regression"))


def test_both_references_stand_beside_the_losses() -> None:
    plan = planned(amounts(), ("mse",), boosting=True, model="linear")
    summary = judging.summarise(plan, engine.run(plan, jobs=1), metrics_for("regression"))
    for reference in (summary.boosting, summary.linear):
        assert reference is not None
        assert reference.error is None
        assert np.isfinite(reference.scores["mae"]).all()
        assert np.isnan(reference.scores["pinball_0.9"]).all()  # they predict the mean
    assert summary.linear is not None
    assert summary.boosting is not None
    assert summary.linear.mean("mae") != summary.boosting.mean("mae")
