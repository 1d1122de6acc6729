"""The main job: fair splits, losses in the target's own units, honest verdicts, and a report that can be read."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.metrics
from rich.console import Console
from scipy import stats
from sklearn.model_selection import KFold, StratifiedKFold
from statsmodels.stats.multitest import multipletests
from typer.testing import CliRunner

import lossary
from lossary.cli import app
from lossary.compare import Result, compare, engine, report
from lossary.compare import plan as planning
from lossary.compare import profile as profiling
from lossary.compare import statistics as judging
from lossary.compare import suggest as suggesting
from lossary.compare import train as training
from lossary.compare.data import BUILT_IN, read
from lossary.compare.metrics import metrics_for
from lossary.define import spelling

QUICK: dict[str, Any] = {"folds": 2, "seeds": 1, "epochs": 3, "jobs": 1, "boosting": False}


@pytest.fixture(scope="module")
def engel() -> Result:
    return compare("engel", folds=5, seeds=1, jobs=1)


@pytest.fixture(scope="module")
def cancer() -> Result:
    return compare("breast_cancer", folds=3, seeds=1, epochs=60, jobs=1)


@pytest.fixture(scope="module")
def digits() -> Result:
    return compare("digits", folds=2, seeds=1, epochs=15, jobs=1, boosting=False)


def scores(result: Result, loss: str, metric: str) -> np.ndarray:
    """One score per split."""
    row = next(row for row in result.as_dict()["losses"] if row["loss"].startswith(loss))
    return np.array(row["scores"][metric]["splits"])


def planned(source: Any, target: str | None = None, **options: Any) -> planning.Plan:
    profiled = profiling.profile(read(source, target))
    return planning.plan(profiled, suggesting.suggest(profiled), **{"folds": 2, "seeds": 1, "epochs": 3, **options})


def noisy(rows: int = 80) -> pl.DataFrame:
    generator = np.random.default_rng(0)
    x = generator.normal(size=rows)
    return pl.DataFrame({"x": x, "y": 3.0 * x + generator.standard_t(3, size=rows) + 20.0})


# ── what it finds ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_quantile_loss_wins_at_its_own_level(engel: Result) -> None:
    for level in (0.1, 0.9):
        verdict = engel.summary.verdicts[f"pinball_{level}"]
        assert engel.plan.candidates[verdict.best].loss == lossary.Quantile(level)
        assert verdict.better_in == 5


def test_networks_beat_the_best_constant(engel: Result, cancer: Result, digits: Result) -> None:
    assert engel.best is not None
    for result, loss, metric, least in [
        (cancer, "BinaryCrossEntropy", "balanced_accuracy", 0.94),
        (cancer, "Hinge", "balanced_accuracy", 0.94),
        (digits, "SparseCategoricalCrossEntropy(label_smoothing=0.1)", "balanced_accuracy", 0.9),
        (digits, "SparseCategoricalCrossEntropy()", "balanced_accuracy", 0.9),
    ]:
        assert scores(result, loss, metric).mean() > least


def test_nothing_is_recommended_where_there_is_nothing_to_learn() -> None:
    generator = np.random.default_rng(0)
    frame = pl.DataFrame({"x": generator.normal(size=120), "y": generator.normal(size=120)})
    result = compare(frame, "y", **{**QUICK, "folds": 5, "epochs": 30})
    assert result.best is None
    assert "nothing beats the best constant beyond chance" in str(result)
    assert "No loss is recommended" in str(result)
    assert result.as_dict()["recommended"] is None


@pytest.mark.parametrize(("name", "target"), BUILT_IN.items())
def test_built_in_sets_know_their_target(name: str, target: str) -> None:
    data = read(name)
    assert data.target == target
    task = {"engel": "regression", "diabetes": "regression", "breast_cancer": "binary"}.get(name, "multiclass")
    assert profiling.profile(data).task == task


def test_engel_is_the_set_that_statsmodels_ships() -> None:
    from statsmodels.datasets import engel as original

    data = read("engel")
    known = original.load_pandas().data
    np.testing.assert_array_equal(data.values.to_numpy(), known["foodexp"])
    np.testing.assert_array_equal(data.features["income"].to_numpy(), known["income"])


# ── which losses ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_losses_with_the_same_gradient_run_once(engel: Result, digits: Result) -> None:
    standing = {candidate.name: candidate.stands_for for candidate in engel.plan.candidates + digits.plan.candidates}
    assert standing["MeanAbsoluteError()"] == ("Quantile(level=0.5)",)
    assert set(standing["SparseCategoricalCrossEntropy()"]) == {"CategoricalCrossEntropy", "KLDivergence"}
    assert len(engel.plan.candidates) == 6
    assert "MeanAbsoluteError stands for Quantile(level=0.5)" in str(engel)


def test_zero_one_is_named_but_not_trained(cancer: Result) -> None:
    assert "ZeroOne is for evaluation only" in str(cancer)
    assert {type(candidate.loss).__name__ for candidate in cancer.plan.candidates} == {"BinaryCrossEntropy", "Hinge"}


def test_the_scale_of_each_loss_is_found_from_its_gradient() -> None:
    suggestion = suggesting.suggest(profiling.profile(read("engel")))
    found = {type(each.loss).__name__: (each.on_scale, each.own_scale) for each in suggestion.candidates}
    assert found == {
        "MeanSquaredError": ((), False),
        "MeanAbsoluteError": ((), False),
        "Quantile": ((), False),
        "Huber": (("delta",), False),
        "LogCosh": ((), True),
    }


def test_hyper_parameters_are_in_the_target_s_own_units() -> None:
    frame = noisy()
    small = compare(frame, "y", losses=["huber"], **QUICK)
    large = compare(frame.with_columns(pl.col("y") * 1000.0), "y", losses=["huber"], **QUICK)
    one, thousand = (result.plan.candidates[0].loss.settings["delta"] for result in (small, large))
    assert thousand == pytest.approx(1000 * one, rel=1e-2)
    assert 0.5 < one < 3.0  # 1.345 x the spread of Student's t with 3 degrees of freedom
    # The network sees the same scaled problem, so the errors differ by the factor and nothing else.
    np.testing.assert_allclose(scores(large, "Huber", "mae"), 1000 * scores(small, "Huber", "mae"), rtol=1e-3)


def test_a_given_hyper_parameter_is_kept_and_scaled_with_the_target() -> None:
    plan = planned(noisy(), "y")
    (candidate,) = suggesting.suggest(plan.profile, ["Huber(delta=5)"]).candidates
    own, scaled = candidate.within(profiling.Facts(scale=10.0))
    assert own == lossary.Huber(5.0)
    assert scaled == lossary.Huber(0.5)


def test_imbalanced_classes_bring_a_weighted_loss() -> None:
    frame = noisy(100).with_columns(y=pl.Series(["no"] * 90 + ["yes"] * 10))
    losses = [candidate.loss for candidate in planned(frame, "y").candidates]
    assert lossary.BinaryCrossEntropy(pos_weight=9.0) in losses
    three = noisy(100).with_columns(y=pl.Series(["a"] * 50 + ["b"] * 44 + ["c"] * 6))
    weighted = [each.loss for each in planned(three, "y").candidates if each.loss.settings["class_weight"]]
    assert len(weighted) == 1
    np.testing.assert_allclose(weighted[0].settings["class_weight"], 100 / (3 * np.array([50, 44, 6])), rtol=1e-2)


def test_a_loss_that_is_told_what_is_frequent_learns_it_from_the_data() -> None:
    three = noisy(100).with_columns(y=pl.Series(["a"] * 50 + ["b"] * 44 + ["c"] * 6))
    (asked,) = suggesting.suggest(profiling.profile(read(three, "y")), ["LogitAdjusted"]).candidates
    assert asked.loss.settings["prior"] == (50.0, 44.0, 6.0)
    assert asked.reason.endswith("prior is how many rows each class has")


def test_include_and_exclude() -> None:
    profiled = profiling.profile(read("engel"))
    names = [each.name for each in suggesting.suggest(profiled, ["mae", "Quantile(level=0.8)"]).candidates]
    assert names == ["MeanAbsoluteError()", "Quantile(level=0.8)"]
    names = [
        type(each.loss).__name__ for each in suggesting.suggest(profiled, exclude=["quantile", "huber"]).candidates
    ]
    assert names == ["MeanSquaredError", "MeanAbsoluteError", "LogCosh"]


# ── fair ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_loss_meets_the_same_splits_and_each_row_is_tested_once_per_seed() -> None:
    plan = planned("diabetes", folds=4, seeds=2)
    for seed in (0, 1):
        tested = np.concatenate([split.test for split in plan.splits if split.seed == seed])
        np.testing.assert_array_equal(np.sort(tested), np.arange(442))
    first, second = plan.splits[0].test, plan.splits[4].test
    assert not np.array_equal(first, second)


def test_the_same_numbers_every_time_and_however_many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(noisy(), "y")
    runs = [list(engine.run(plan, jobs=1)), list(engine.run(plan, jobs=1))]
    monkeypatch.setattr(engine, "_WORTH_PROCESSES", 0.0)
    runs.append(list(engine.run(plan, jobs=2)))
    for run in runs:
        run.sort(key=lambda outcome: (outcome.candidate, outcome.split))
    for other in runs[1:]:
        for one, two in zip(runs[0], other, strict=True):
            assert (one.candidate, one.split) == (two.candidate, two.split)
            assert one.prediction is not None
            assert two.prediction is not None
            np.testing.assert_array_equal(one.prediction.values, two.prediction.values)


def test_a_loss_that_fails_is_a_row_and_the_others_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*anything: Any) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(lossary.LogCosh, "gradient", fails)
    profiled = profiling.profile(read(noisy(), "y"))
    losses = [lossary.MeanSquaredError(), lossary.LogCosh()]
    suggestion = suggesting.Suggestion(tuple(suggesting.Candidate(loss, "") for loss in losses), ())
    plan = planning.plan(profiled, suggestion, folds=2, seeds=1, epochs=2, boosting=False)
    outcomes = tuple(engine.run(plan, jobs=1))
    summary = judging.summarise(plan, outcomes, metrics_for("regression"))
    result = Result(plan, outcomes, summary, "test")
    assert re.search(r"LogCosh +failed", str(result))
    (row,) = [row for row in result.as_dict()["losses"] if row["loss"] == "LogCosh()"]
    assert "broken on purpose" in row["error"]
    assert scores(result, "MeanSquaredError", "mae").shape == (2,)


# ── judged ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_best_constants_are_those_of_the_training_rows(engel: Result) -> None:
    y = read("engel").values.to_numpy()
    constants = engel.as_dict()["references"]["best_constant"]
    splits = list(KFold(5, shuffle=True, random_state=0).split(y))
    known = {
        "mae": [np.abs(y[test] - np.median(y[train])).mean() for train, test in splits],
        "rmse": [np.sqrt(((y[test] - y[train].mean()) ** 2).mean()) for train, test in splits],
        "r2": [sklearn.metrics.r2_score(y[test], np.full(len(test), y[train].mean())) for train, test in splits],
        "pinball_0.9": [
            sklearn.metrics.mean_pinball_loss(y[test], np.full(len(test), np.quantile(y[train], 0.9)), alpha=0.9)
            for train, test in splits
        ],
    }
    for metric, values in known.items():
        np.testing.assert_allclose(constants[metric]["splits"], values, rtol=1e-12)


def test_best_constants_of_classes(cancer: Result) -> None:
    y = (read("breast_cancer").values == "malignant").to_numpy().astype(int)
    splits = list(StratifiedKFold(3, shuffle=True, random_state=0).split(y, y))
    constants = cancer.as_dict()["references"]["best_constant"]
    assert constants["balanced_accuracy"]["mean"] == 0.5
    assert constants["roc_auc"]["mean"] == 0.5
    accuracy = [np.mean(y[test] == 0) for _, test in splits]  # benign is the majority
    np.testing.assert_allclose(constants["accuracy"]["splits"], accuracy, rtol=1e-12)
    always = [sklearn.metrics.f1_score(y[test], np.ones(len(test))) for _, test in splits]
    np.testing.assert_allclose(constants["f1"]["splits"], always, rtol=1e-12)
    prior = [sklearn.metrics.log_loss(y[test], np.full(len(test), y[train].mean())) for train, test in splits]
    np.testing.assert_allclose(constants["log_loss"]["splits"], prior, rtol=1e-12)


def test_a_loss_without_probabilities_has_none_to_judge(cancer: Result) -> None:
    rows = {row["loss"].partition("(")[0]: row["scores"] for row in cancer.as_dict()["losses"]}
    for metric in ("log_loss", "brier"):
        assert rows["Hinge"][metric] is None
        assert rows["BinaryCrossEntropy"][metric] is not None
    assert rows["Hinge"]["roc_auc"]["mean"] > 0.95  # ranking needs scores only
    hinge = re.search(r"^Hinge .*$", str(cancer), re.MULTILINE)
    assert hinge is not None
    assert hinge.group().count("±") == 2


@pytest.mark.parametrize("loss", range(2))
def test_logits_are_decided_at_zero(cancer: Result, loss: int) -> None:
    for outcome in cancer.outcomes:
        if outcome.candidate == loss:
            assert outcome.prediction is not None
            assert outcome.prediction.scores is not None
            np.testing.assert_array_equal(outcome.prediction.labels, outcome.prediction.scores > 0)
            assert np.abs(outcome.prediction.scores).max() > 1  # scores, not probabilities


def test_metrics_are_scikit_learn_s(cancer: Result) -> None:
    y = (read("breast_cancer").values == "malignant").to_numpy().astype(int)
    plan = cancer.plan
    first = next(each for each in cancer.outcomes if (each.candidate, each.split) == (0, 0)).prediction
    assert first is not None
    test = plan.splits[0].test
    known = {
        "accuracy": sklearn.metrics.accuracy_score(y[test], first.labels),
        "recall": sklearn.metrics.recall_score(y[test], first.labels),
        "roc_auc": sklearn.metrics.roc_auc_score(y[test], first.probabilities),
        "brier": np.mean((first.probabilities - y[test]) ** 2),
    }
    for metric, value in known.items():
        assert scores(cancer, "BinaryCrossEntropy", metric)[0] == pytest.approx(value, rel=1e-9)


def test_multiclass_has_every_metric(digits: Result) -> None:
    for row in digits.as_dict()["losses"]:
        assert all(each is not None for each in row["scores"].values())


def test_corrected_test_is_nadeau_and_bengio_s() -> None:
    differences = np.random.default_rng(0).normal(0.5, 1.0, size=15)
    plain = stats.ttest_1samp(differences, 0.0).statistic
    # The plain test's variance is s²/n; the corrected one's s²(1/n + test/train).
    corrected = plain * np.sqrt((1 / 15) / (1 / 15 + 47 / 188))
    assert judging.corrected_test(differences, 188, 47) == pytest.approx(2 * stats.t.sf(abs(corrected), 14), rel=1e-12)
    assert judging.corrected_test(np.zeros(15), 188, 47) == 1.0


def test_holm_is_statsmodels_own() -> None:
    for seed in range(20):
        p = np.random.default_rng(seed).uniform(size=6) ** 3
        np.testing.assert_allclose(judging.holm(list(p)), multipletests(p, method="holm")[1], rtol=1e-12)


def test_the_metric_asked_for_ranks(engel: Result) -> None:
    result = compare("engel", metric="Pinball 0.9", **QUICK)
    assert result.summary.ranked_by.name == "pinball_0.9"
    means = [row.mean("pinball_0.9") for row in result.summary.standings]
    assert means == sorted(means)
    accurate = compare("breast_cancer", metric="accuracy", **QUICK)
    means = [row.mean("accuracy") for row in accurate.summary.standings]
    assert means == sorted(means, reverse=True)


# ── any data ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_csv_parquet_and_data_frames_say_the_same(tmp_path: Path) -> None:
    frame = noisy().with_columns(kind=pl.Series(["a", "b"] * 40), sunny=pl.Series([True, False, None, True] * 20))
    frame.write_csv(tmp_path / "data.csv")
    frame.write_parquet(tmp_path / "data.parquet")
    frame.write_csv(tmp_path / "data.tsv", separator="\t")
    in_pandas = pd.DataFrame(frame.to_dict(as_series=False))  # by way of Python, which needs no pyarrow
    sources = [tmp_path / "data.csv", str(tmp_path / "data.parquet"), tmp_path / "data.tsv", frame, in_pandas]
    found = [
        {name: each.as_dict()[name] for name in ("losses", "verdicts", "findings", "notes")}
        for each in (compare(source, "y", losses=["mae"], **QUICK) for source in sources)
    ]
    for other in found:
        for row in other["losses"]:
            row.pop("seconds")
        assert other == found[0]


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        ([0, 1] * 30, "binary", ("0", "1")),
        ([0.0, 1.0] * 30, "binary", ("0", "1")),
        ([True, False] * 30, "binary", ("false", "true")),
        (["no", "yes"] * 30, "binary", ("no", "yes")),
        (["a", "b", "c"] * 20, "multiclass", ("a", "b", "c")),
        ([1, 2, 10] * 20, "multiclass", ("1", "2", "10")),
        ([0.5, 1.5, 2.5] * 20, "regression", ()),
        (list(range(60)), "regression", ()),
    ],
)
def test_the_task_is_inferred(values: list[Any], task: str, classes: tuple[str, ...]) -> None:
    profiled = profiling.profile(read(pl.DataFrame({"x": np.arange(60.0), "y": values}), "y"))
    assert (profiled.task, profiled.classes) == (task, classes)


def test_the_task_can_be_said() -> None:
    assert profiling.profile(read("digits"), "regression").task == "regression"
    two = pl.DataFrame({"x": np.arange(60.0), "y": [0, 1] * 30})
    profiled = profiling.profile(read(two, "y"), "multiclass")
    assert profiled.task == "multiclass"
    result = compare(two, "y", task="multiclass", losses=["cce"], **QUICK)
    assert result.plan.candidates[0].loss == lossary.CategoricalCrossEntropy()
    assert all(row["error"] is None for row in result.as_dict()["losses"])


def test_heteroscedasticity_is_seen() -> None:
    findings = profiling.profile(read("engel")).findings
    grows = re.search(r"spread grows ([\d.]+)x", " ".join(findings))
    assert grows is not None
    assert 2.0 < float(grows.group(1)) < 5.0


# ── said ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["engel", "cancer", "digits"])
def test_the_text_fits_80_columns_and_says_what_to_do(name: str, request: pytest.FixtureRequest) -> None:
    result: Result = request.getfixturevalue(name)
    text = str(result)
    code = spelling.in_use(result.best).values() if result.best else ()
    assert max(len(line) for line in text.splitlines() if line not in code) <= 80
    assert "…" not in text
    assert not re.search(r"[ \t]$", text, re.MULTILINE)
    assert "\x1b" not in text
    for word in (
        "Judged by",
        "best constant",
        "PyTorch  criterion = lossary.torch.",
        "Keras",
        "JAX      loss_fn = ",
    ):
        assert word in text


def test_the_lines_of_code_run(engel: Result, cancer: Result, digits: Result) -> None:
    for result in (engel, cancer, digits):
        for candidate in result.plan.candidates:
            lines = spelling.in_use(candidate.loss)
            made = eval(lines["PyTorch"].partition("= ")[2], {"lossary": lossary})
            assert made.loss == candidate.loss
            assert callable(eval(lines["JAX"].partition("= ")[2], {"lossary": lossary}))
            keras_call = lines["Keras"].removeprefix("model.compile(loss=").removesuffix(")")
            assert eval(keras_call, {"lossary": lossary}).loss == candidate.loss


def test_piped_output_is_plain_and_json_holds_everything(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    options = ["--folds", "2", "--seeds", "1", "--epochs", "3", "--jobs", "1", "--json", str(path)]
    command = [sys.executable, "-m", "lossary", "compare", "engel", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    text = done.stdout.decode("utf-8")
    assert done.stderr == b""
    assert "\x1b" not in text
    lines = [line for line in text.splitlines() if not line.startswith("JSON: ")]  # a path is as long as it is
    assert max(map(len, lines)) <= 80
    assert text.startswith("engel · 235 rows · 1 column · target foodexp (242 to 2,033)\n")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["command"] == "lossary compare engel " + " ".join(options)
    assert found["data"]["sha256"] == read("engel").digest
    assert found["plan"]["seeds"] == [0]
    assert found["versions"]["lossary"] == lossary.__version__
    assert len(found["losses"]) == 6
    for row in found["losses"]:
        assert lossary.from_config(row["config"]) in [lossary.get("mse"), *map(eval_loss, [row["loss"]])]
        for metric, each in row["scores"].items():
            assert len(each["splits"]) == 2
            assert each["mean"] == pytest.approx(np.mean(each["splits"]))
            assert metric in {known["name"] for known in found["metrics"]}


def eval_loss(text: str) -> Any:
    return eval(
        text,
        {name: getattr(lossary, name) for name in ("Huber", "LogCosh", "MeanAbsoluteError", "Quantile")}
        | {"MeanSquaredError": lossary.MeanSquaredError},
    )


def test_large_and_small_units_are_brought_to_a_readable_size() -> None:
    frame = noisy()
    large = str(compare(frame.with_columns(pl.col("y") * 1e7), "y", losses=["mae", "mse"], **QUICK))
    small = str(compare(frame.with_columns(pl.col("y") * 1e-7), "y", losses=["mae", "mse"], **QUICK))
    assert "Errors in units of 1e6 y." in large
    assert "Errors in units of 1e-9 y." in small or "Errors in units of 1e-6 y." in small
    for text in (large, small):
        assert max(map(len, text.splitlines())) <= 80


def judged(**changes: Any) -> judging.Verdict:
    """A verdict of the race of `sentence_of`, in which the first of two losses is the reference."""
    plain: dict[str, Any] = {"metric": "mae", "compared": 2, "best": 1, "reference": 0, "better_in": 3}
    plain |= {"difference": 1.0, "relative": 0.1, "p": 0.3, "ahead": True, "learnable": True, "ties": ()}
    return judging.Verdict(**{**plain, "recommended": 0, **changes})


def sentence_of(verdict: judging.Verdict, losses: tuple[str, str] = ("mse", "mae"), seeds: int = 3) -> str:
    profiled = profiling.profile(read(noisy(), "y"))
    plan = planning.plan(profiled, suggesting.suggest(profiled, losses), folds=2, seeds=seeds)
    return report.sentence(plan, verdict, metrics_for("regression")[0])


def test_only_the_reference_is_kept() -> None:
    assert sentence_of(judged()).startswith("keep MeanSquaredError:")
    assert sentence_of(judged(best=0), ("LogCosh()", "mae")).startswith("take LogCosh: no loss does better")


def test_without_the_reference_the_best_is_taken() -> None:
    result = compare("engel", losses=["Quantile(level=0.25)", "mae"], **{**QUICK, "folds": 5, "epochs": 40})
    verdict = result.summary.verdicts["mae"]
    assert result.plan.candidates[verdict.best].loss == lossary.MeanAbsoluteError()
    assert verdict.reference == verdict.best == verdict.recommended
    assert "take MeanAbsoluteError: no loss does better." in " ".join(str(result).split())


def test_a_loss_for_classes_with_its_hyper_parameters() -> None:
    weights = (1.0, 2.0, 3.0)
    frame = noisy(60).with_columns(y=pl.Series(["a", "b", "c"] * 20))
    for name in ("SparseCategoricalCrossEntropy", "CategoricalCrossEntropy"):
        (candidate,) = suggesting.suggest(
            profiling.profile(read(frame, "y")), [f"{name}(class_weight={weights})"]
        ).candidates
        assert candidate.loss == lossary.get(name, class_weight=weights)


def test_a_tie_has_no_p() -> None:
    assert "p = 0.3" in sentence_of(judged())
    assert "p =" not in sentence_of(judged(p=1.0))


def test_too_few_splits_are_said_to_be_too_few() -> None:
    few = "2 splits are too few to tell: raise --folds or --seeds"
    assert sentence_of(judged(recommended=None), seeds=1) == (
        f"MeanAbsoluteError is ahead of the best constant, but {few}."
    )
    assert few in sentence_of(judged(), seeds=1)
    beaten = sentence_of(judged(recommended=None, ahead=False), seeds=1)
    assert beaten == "nothing beats the best constant beyond chance; MeanAbsoluteError comes closest."
    assert "too few" not in sentence_of(judged(recommended=None))


@pytest.mark.parametrize(
    ("options", "verdict", "reason"),
    [
        ({"epochs": 40}, {}, "2 splits are too few to tell"),
        ({"epochs": 3}, {"ahead": False}, "3 epochs did not finish the training: raise --epochs"),
        ({"epochs": 400}, {"ahead": False}, "gradient boosting learns from these columns"),
        ({"epochs": 400}, {"ahead": False, "learnable": False}, "more rows or better columns are needed"),
    ],
)
def test_why_no_loss_is_recommended(options: dict[str, Any], verdict: dict[str, Any], reason: str) -> None:
    plan = dataclasses.replace(planned(noisy(), "y", **options), boosting=True)
    outcomes = tuple(training.Outcome(each, split, None, "", 3, 0.0) for each in (0, 1) for split in (0, 1))
    metrics = metrics_for("regression")
    summary = judging.Summary(metrics, (), {}, None, {"mae": judged(recommended=None, **verdict)})
    (said,) = report.code(Result(plan, outcomes, summary, "test"))
    assert str(said).startswith("No loss is recommended by MAE: ")
    assert reason in str(said)


def test_a_quantile_loss_is_judged_at_its_own_level() -> None:
    beside = compare(noisy(), "y", losses=["mse", "Quantile(level=0.25)"], **QUICK)
    assert beside.summary.ranked_by.name == "mae"
    assert "Judged by pinball 0.25" in str(beside)
    asked = compare(noisy(), "y", losses=["mse", "Quantile(level=0.25)"], metric="pinball_0.25", **QUICK)
    assert asked.summary.ranked_by.name == "pinball_0.25"
    alone = compare(noisy(), "y", losses=["Quantile(level=0.25)"], **QUICK)
    assert alone.summary.ranked_by.name == "pinball_0.25"
    split, outcome = alone.plan.splits[0], alone.outcomes[0]
    assert outcome.prediction is not None
    known = sklearn.metrics.mean_pinball_loss(alone.plan.profile.y[split.test], outcome.prediction.values, alpha=0.25)
    assert scores(alone, "Quantile", "pinball_0.25")[0] == pytest.approx(known)


def test_boosting_of_the_mean_is_not_judged_as_a_quantile(engel: Result) -> None:
    boosted = engel.as_dict()["references"]["gradient_boosting"]["scores"]
    assert boosted["pinball_0.9"] is None
    assert boosted["mae"]["mean"] > 0
    row = re.search(r"^─ gradient boosting +[\d.]+ +[\d.]+ +- +-$", str(engel), re.MULTILINE)
    assert row is not None


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_every_metric_that_judges_has_a_column_and_every_row_a_name(engel: Result, width: int) -> None:
    console = Console(width=width, no_color=True, highlight=False, force_terminal=False)
    text = report.rendered(console, engel.body())
    code = spelling.in_use(engel.best).values() if engel.best else ()
    assert max(len(line) for line in text.splitlines() if line not in code) <= width
    assert all(line in text.splitlines() or f"  {line}" in text for line in code)
    columns = 4 if width <= 40 else 1
    assert len(re.findall(r"^─ best constant", text, re.MULTILINE)) >= (columns if width < 60 else 1)
    constants = " ".join(re.findall(r"^─ best constant(.*)$", text, re.MULTILINE)).split()
    assert len(constants) == text.count("Judged by") == 4
    assert not re.search(r"^\s*:", text, re.MULTILINE)


def test_words_of_the_table_are_explained_where_they_occur(engel: Result, cancer: Result, digits: Result) -> None:
    assert "centre: of symmetric targets; of skewed ones neither mean nor median" in " ".join(str(engel).split())
    assert "biased: probabilities" in " ".join(str(digits).split())
    assert "centre:" not in str(cancer)
    assert "biased:" not in str(cancer)


def test_the_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"lossary {lossary.__version__}\n"


def test_help_names_every_option() -> None:
    text = CliRunner().invoke(app, ["compare", "--help"], env={"COLUMNS": "80"}).output
    for option in ("--target", "--task", "--metric", "--loss", "--exclude", "--folds", "--seeds", "--epochs", "--json"):
        assert option in text
