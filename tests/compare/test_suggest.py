"""`lossary suggest`: which losses, in which order and why, before anything is trained."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats
from typer.testing import CliRunner

import lossary
from lossary import DataError, LossaryError, ParameterError, UnknownNameError, catalogue
from lossary.cli import app
from lossary.compare import advise
from lossary.compare.advice import Advice
from lossary.compare.suggest import Candidate, _locations
from lossary.define import registry
from lossary.define.choice import AgainstNoise, Balance, Counted, Facts, TimesSpread, Wanted
from lossary.define.claims.slope import Lipschitz
from lossary.define.domains.numbers import Real
from lossary.define.loss import Pointwise
from lossary.define.parameters import parameter

ROWS = 400


def table(noise: Any, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A line and noise around it."""
    x = np.random.default_rng(seed).normal(size=(ROWS, 3))
    return x, 10 + x @ [2.0, -1.0, 0.5] + noise


def normal() -> np.ndarray:
    return np.random.default_rng(1).normal(size=ROWS)


def skewed() -> np.ndarray:
    return np.random.default_rng(1).exponential(size=ROWS) ** 2


def names(advice: Advice) -> list[str]:
    return [type(each.loss).__name__ for each in advice.suggestion.ranked]


def labelled(share: float, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    x, y = table(normal())
    rare = y > np.quantile(y, 1 - share)
    if classes == 2:
        return x, np.where(rare, "yes", "no")
    return x, np.where(rare, "c", np.where(y > np.median(y), "b", "a"))


# ── which comes first ────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_metric_has_the_loss_that_estimates_what_it_is_about() -> None:
    data = table(skewed())
    assert names(advise(data, metric="rmse"))[0] == "MeanSquaredError"
    assert advise(data, metric="mae").best.loss.estimates in ("median", "centre of symmetry")
    assert advise(data, metric="pinball_0.9").best.loss == lossary.Quantile(0.9)
    assert advise(data, levels=[0.25]).best.loss == lossary.Quantile(0.25)
    several = [each.loss for each in advise(data, levels=[0.05, 0.95]).suggestion.ranked]
    assert set(several[:2]) == {lossary.Quantile(0.05), lossary.Quantile(0.95)}
    assert "Ranked for RMSE:" in str(advise(data, metric="rmse"))
    assert "Ranked for pinball 0.25:" in str(advise(data, levels=[0.25]))


def test_normal_errors_need_no_robust_loss_and_outliers_do() -> None:
    order = names(advise(table(normal())))
    assert order.index("MeanSquaredError") < order.index("MeanAbsoluteError")
    outlying = normal()
    outlying[:40] *= 60
    order = names(advise(table(outlying)))
    assert order.index("MeanAbsoluteError") < order.index("MeanSquaredError")
    assert order.index("Huber") < order.index("MeanSquaredError")


def test_quantiles_that_nobody_asked_for_come_last() -> None:
    losses = [each.loss for each in advise(table(normal())).suggestion.ranked]
    assert set(losses[-2:]) == {lossary.Quantile(0.1), lossary.Quantile(0.9)}


def test_the_order_does_not_depend_on_the_unit() -> None:
    x, y = table(skewed())
    assert names(advise((x, y))) == names(advise((x, 1000 * y))) == names(advise((x, y / 1000 + 5)))


def test_weights_come_first_where_classes_are_imbalanced_and_the_metric_counts_them_alike() -> None:
    rare = labelled(0.05)
    assert advise(rare).best.loss == lossary.BinaryCrossEntropy(pos_weight=19.0)
    for metric in ("accuracy", "log_loss", "roc_auc"):
        assert advise(rare, metric=metric).best.loss == lossary.BinaryCrossEntropy()
    assert advise(labelled(0.4)).best.loss == lossary.BinaryCrossEntropy()
    assert not any(
        each.loss.settings.get("pos_weight") != 1.0 for each in advise(labelled(0.4)).suggestion.candidates[:1]
    )
    assert advise(labelled(0.04, classes=3)).best.loss.settings["class_weight"]


def test_label_noise_brings_smoothing() -> None:
    generator = np.random.default_rng(2)
    x = generator.normal(size=(2_000, 3))
    clean = np.where(x @ [2.0, -1.0, 0.5] > 0, "yes", "no")
    wrong = np.where((clean == "yes") ^ (generator.random(2_000) < 0.1), "yes", "no")
    assert advise((x, wrong)).best.loss == lossary.BinaryCrossEntropy(label_smoothing=0.1)
    assert all(not each.loss.settings.get("label_smoothing") for each in advise((x, clean)).suggestion.candidates)


def test_locations_are_the_mean_the_median_and_the_quantile() -> None:
    samples = np.random.default_rng(0).exponential(size=(2, 5, 41))
    np.testing.assert_allclose(_locations(lossary.MeanSquaredError(), samples), samples.mean(axis=-1), rtol=1e-6)
    np.testing.assert_allclose(_locations(lossary.MeanAbsoluteError(), samples), np.median(samples, axis=-1), rtol=1e-6)
    # 41 values: the level 0.1 is between the fourth and the fifth, where the gradient's sum changes sign.
    tenth = np.quantile(samples, 0.1, axis=-1, method="inverted_cdf")
    np.testing.assert_allclose(_locations(lossary.Quantile(0.1), samples), tenth, rtol=1e-6)


# ── hyper-parameters ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_delta_is_a_multiple_of_the_robust_spread_of_the_residuals() -> None:
    advice = advise(table(normal()))
    huber = next(each for each in advice.suggestion.candidates if isinstance(each.loss, lossary.Huber))
    spread = stats.median_abs_deviation(advice.profile.residuals, scale="normal")
    deltas = [float(each.settings["delta"]) for each in huber.settings(advice.profile.facts)]  # type: ignore[arg-type]  # δ is one number
    np.testing.assert_allclose(deltas, spread * np.array([1.345, 0.5, 3.0]), rtol=1e-3)
    assert huber.loss.settings["delta"] == pytest.approx(1.345 * spread, rel=5e-3)
    assert "delta = 1.345 x robust spread" in huber.reason


def test_settings_are_few_and_the_rule_of_thumb_comes_first() -> None:
    for data in (table(normal()), labelled(0.05), labelled(0.05, classes=3)):
        advice = advise(data)
        for each in advice.suggestion.candidates:
            settings = each.settings(advice.profile.facts)
            assert 1 <= len(settings) <= 3
            assert each.within(advice.profile.facts)[0] == settings[0]
            assert (len(settings) == 1) or each.rule is not None


def test_a_loss_is_scaled_with_the_target() -> None:
    candidate = Candidate(lossary.Huber(6.0), "", on_scale=("delta",))
    assert candidate.scaled(lossary.Huber(6.0), Facts(scale=3.0)) == lossary.Huber(2.0)
    assert Candidate(lossary.MeanSquaredError(), "").settings(Facts()) == (lossary.MeanSquaredError(),)


def test_rules() -> None:
    facts = Facts(spread=2.0, counts=(90, 10))
    assert TimesSpread((1.5, 3.0)).values(1.0, facts) == (3.0, 6.0)
    assert Wanted((0.1, 0.9)).values(0.5, facts) == (0.1, 0.9)
    assert Balance().values(1.0, facts) == (9.0, 3.0)
    full, root = Balance().values((), facts)
    np.testing.assert_allclose(full, [100 / 180, 5.0])
    for weights in (full, root):
        assert isinstance(weights, tuple)
        assert np.dot(weights, [0.9, 0.1]) == pytest.approx(1.0)
    assert root[1] / root[0] == pytest.approx(3.0)
    assert Balance().applies(facts)
    assert not Balance().applies(Facts(counts=(60, 40)))
    assert not Balance().applies(Facts())
    assert Balance().values(1.0, Facts(counts=(0, 5))) == (0.2, 0.2**0.5)  # a class without rows is no division by 0
    assert Counted().values((), Facts(counts=(90, 0))) == ((90.0, 1.0),)
    assert Counted().applies(facts)
    assert not Counted().applies(Facts(counts=(60, 40)))
    assert AgainstNoise(0.1).applies(Facts(counts=(5, 5, 5)))
    assert not AgainstNoise(0.1).applies(Facts(counts=(5, 5)))
    assert AgainstNoise(0.1).applies(Facts(counts=(5, 5), noise=0.02))


# ── every loss of the catalogue ──────────────────────────────────────────────────────────────────────────────────────


def test_of_many_losses_that_are_left_out_some_are_named() -> None:
    advice = advise(table(normal()))
    many = tuple((f"Loss{number}", "predicts one of two classes") for number in range(40))
    advice = dataclasses.replace(advice, suggestion=dataclasses.replace(advice.suggestion, rejected=many))
    words = " ".join(advice.text().split())
    assert "- Loss0, Loss1, Loss2, Loss3, Loss4 and 35 more predict one of two classes" in words
    assert len(advice.as_dict()["rejected"]) == 40


@pytest.mark.parametrize(
    "data", [table(normal()), labelled(0.3), labelled(0.3, classes=3)], ids=["number", "two", "more"]
)
def test_every_loss_is_suggested_or_rejected_with_a_reason(data: Any) -> None:
    suggestion = advise(data).suggestion
    there = {type(each.loss).__name__ for each in suggestion.candidates}
    rejected = dict(suggestion.rejected)
    assert there | rejected.keys() == {cls.__name__ for cls in catalogue.classes()}
    assert not there & rejected.keys()
    assert all(rejected.values())
    assert all(each.reason for each in suggestion.candidates)
    assert sorted(suggestion.ranking) == list(range(len(suggestion.candidates)))


def test_reasons_why_not() -> None:
    number, two, more = (
        dict(advise(data).suggestion.rejected) for data in (table(normal()), labelled(0.3), labelled(0.3, 3))
    )
    assert number["Hinge"] == "predicts one of two classes"
    assert number["KLDivergence"] == "predicts a whole distribution"
    assert two["ZeroOne"] == "is for evaluation only: its gradient is 0 almost everywhere"
    assert two["Huber"] == "predicts a number"
    assert more["CategoricalCrossEntropy"] == "has the same gradient as SparseCategoricalCrossEntropy"
    assert dict(advise(table(normal()), exclude=["huber"]).suggestion.rejected)["Huber"] == "is left out, as asked"
    of_a_law = dict(advise(table(normal())).suggestion.rejected)["GaussianNLL"]
    assert of_a_law == "takes rows of predictions, and the models that are compared here predict one number"


def test_outliers_are_a_reason() -> None:
    outlying = normal()
    outlying[:40] *= 60
    reasons = {type(each.loss).__name__: each.reason for each in advise(table(outlying)).suggestion.ranked}
    assert re.match(r"caps the pull of [\d.]+ % outliers; delta", reasons["Huber"])
    assert "which outliers pull" in reasons["MeanSquaredError"]
    calm = {type(each.loss).__name__: each.reason for each in advise(table(np.tanh(normal()))).suggestion.ranked}
    assert "outliers" not in " ".join(calm.values())


def test_what_is_not_tried_unasked_is_when_it_is_asked_for() -> None:
    rejected = dict(advise(table(normal())).suggestion.rejected)
    assert rejected["PseudoHuber"] == "is tried where it is asked for: --loss PseudoHuber"
    asked = advise(table(normal()), losses=["PseudoHuber", "mse"])
    assert set(names(asked)) == {"MeanSquaredError", "PseudoHuber"}
    (both,) = advise(table(normal()), losses=["Huber", "SmoothL1"]).suggestion.candidates
    assert isinstance(both.loss, lossary.Huber)
    assert [each.partition("(")[0] for each in both.stands_for] == ["SmoothL1"]


def test_a_new_loss_takes_part_by_what_it_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_recorded", dict(registry._recorded))  # it is forgotten afterwards

    class Fair(Pointwise):
        """Squared error for small residuals, and hardly less than the size of large ones."""

        scale: float = parameter(
            1.0, above=0, doc="residual size from which the pull hardly grows", choose=TimesSpread((1.4,))
        )

        task = "regression"
        prediction, target = Real(), Real()

        @property
        def claims(self) -> Any:
            return (Lipschitz(self.scale),)

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            ratio = xp.abs(p - y) / self.scale
            return self.scale * self.scale * (ratio - xp.log1p(ratio))

        def gradient(self, xp: Any, p: Any, y: Any) -> Any:
            return (p - y) / (1.0 + xp.abs(p - y) / self.scale)

    known = catalogue.classes()
    monkeypatch.setattr(catalogue, "classes", lambda: (*known, Fair))
    outlying = normal()
    outlying[:40] *= 60
    advice = advise(table(outlying))
    assert names(advice).index("Fair") < names(advice).index("MeanSquaredError")
    found = next(each for each in advice.suggestion.candidates if isinstance(each.loss, Fair))
    assert found.on_scale == ("scale",)
    assert found.loss.scale == pytest.approx(1.4 * advice.profile.facts.spread, rel=5e-3)
    assert re.match(r"caps the pull of [\d.]+ % outliers; scale = 1.4 x robust spread", found.reason)


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, 90.0, float("nan")])
def test_levels_out_of_bounds(level: float) -> None:
    with pytest.raises(ParameterError, match="a level must be above 0 and below 1"):
        advise("nowhere.csv", "y", levels=[level])  # before anything is read


def test_what_cannot_be_asked() -> None:
    with pytest.raises(ParameterError, match="a level is for regression, and this task is binary"):
        advise("breast_cancer", levels=[0.9])
    with pytest.raises(UnknownNameError, match="Huber"):
        advise("engel", losses=["hubber"])
    with pytest.raises(ParameterError, match="task must be one of"):
        advise("engel", task="clustering")
    with pytest.raises(UnknownNameError, match="rmse"):
        advise("engel", metric="rmsee")
    with pytest.raises(LossaryError, match="regression"):
        advise("engel", metric="f1")
    with pytest.raises(DataError, match=r"there is no file nowhere\.csv"):
        advise("nowhere.csv", "y")


# ── said ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["suggest", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("arguments", [["engel"], ["digits"], ["breast_cancer"], ["diabetes", "--level", "0.9"]])
def test_the_text_fits_80_columns_and_ends_with_what_to_do(arguments: list[str]) -> None:
    lines = run(*arguments).splitlines()
    assert max(map(len, lines)) <= 80
    assert not any(line != line.rstrip() or "\x1b" in line for line in lines)
    assert lines[-2] == "No model was trained. To see it proved:"
    assert lines[-1].startswith(f"  lossary compare {arguments[0]}")
    ranks = [line.partition(" ")[0] for line in lines if re.match(r"(\d+|-) +\w", line)]
    suggested = [rank for rank in ranks if rank != "-"]
    assert suggested == [str(place) for place in range(1, len(suggested) + 1)]
    assert "-" in ranks


def test_what_was_asked_is_in_the_command_that_proves_it(tmp_path: Path) -> None:
    path = tmp_path / "my houses.csv"
    x, y = table(normal())
    pl.DataFrame({"x": x[:, 0], "k": np.arange(ROWS) % 9, "z": x[:, 1], "price": y}).write_csv(path)
    text = run(path, "--target", "price", "--level", "0.75", "--group", "k", "--drop", "z", "--exclude", "huber")
    proof = text.splitlines()[-1].strip()
    assert proof == (
        f"lossary compare '{path}' --target price --metric pinball_0.75 --exclude huber --group k --drop z"
    )
    assert "1  Quantile(level=0.75)" in text


def test_a_piped_command_is_plain_and_json_has_the_same_content(tmp_path: Path) -> None:
    path = tmp_path / "advice.json"
    command = [sys.executable, "-m", "lossary", "suggest", "engel", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.startswith("engel · 235 rows · 1 column · target foodexp\n")
    found = json.loads(path.read_text(encoding="utf-8"))
    advice = advise("engel")
    assert found["ranked_by"] == "mae"
    assert [each["loss"] for each in found["suggested"]] == [each.name for each in advice.suggestion.ranked]
    assert [lossary.from_config(each["config"]) for each in found["suggested"]] == [
        each.loss for each in advice.suggestion.ranked
    ]
    assert {each["loss"]: each["reason"] for each in found["rejected"]} == dict(advice.suggestion.rejected)
    assert found["findings"] == list(advice.profile.findings)
    assert found["data"]["sha256"] == advice.profile.data.digest
    assert found["proof"] == "lossary compare engel"
    assert json.loads(advice.to_json())["suggested"] == found["suggested"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv", "--target", "y"], "there is no file nowhere.csv"),
        (["engel", "--target", "Income"], "did you mean 'income'?"),
        (["engel", "--level", "2"], "a level must be above 0 and below 1"),
        (
            ["engel", "--loss", "hinge"],
            "Hinge is not a loss for this task (regression): it predicts one of",
        ),
        (["engel", "--json", "nowhere/advice.json"], "cannot be written"),
    ],
)
def test_errors_are_one_line_and_code_2(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["suggest", *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_suggesting_needs_no_framework() -> None:
    code = "import sys; from lossary.compare import advise; advise('engel'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "polars" in loaded
    assert not {"torch", "keras", "tensorflow", "jax"} & set(loaded)


def test_suggesting_costs_far_less_than_ten_times_as_much_on_fifty_times_the_rows() -> None:
    def took(rows: int) -> float:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(rows, 5))
        data = pl.DataFrame(x).with_columns(y=pl.Series(x[:, 0] + rng.normal(size=rows)))
        began = time.perf_counter()
        advise(data, "y")
        return time.perf_counter() - began

    took(200)
    small, large = min(took(2_000) for _ in range(3)), min(took(100_000) for _ in range(2))
    assert large < 20 * small


# ── the evaluation ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_sets_of_the_evaluation_ship_inside_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "scripts")
    evaluation = importlib.import_module("evaluate_suggest")
    assert len({each.name for each in evaluation.SETS}) == len(evaluation.SETS) >= 12
    for each in evaluation.SETS:
        source = each.load()
        assert isinstance(source, str) or each.target in source.columns
    small = next(each for each in evaluation.SETS if each.name == "stackloss")
    monkeypatch.setattr(evaluation, "SEEDS", 1)
    rows = evaluation.evaluate(small)
    assert [row.metric for row in rows] == ["MAE", "RMSE"]
    for row in rows:
        assert row.rows == 21
        assert row.within == (row.first_score <= row.best_score + row.error)
    text = evaluation.page(rows)
    assert text.count("| stackloss | statsmodels | 21 |") == 2
    assert "on 1 of 1 sets (100 %)" in text or "on 0 of 1 sets (0 %)" in text
