"""The report: the same findings as text, as JSON and as one page, whatever the data are called."""

from __future__ import annotations

import dataclasses
import html
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import polars as pl
import pytest
import sklearn.calibration
from rich.console import Console

import lossary
from lossary.compare import Result, compare, report, statistics
from lossary.compare.report import calibration, charts, held_out
from lossary.compare.report import shapes as shaping
from lossary.errors import DataError
from tests.compare.compare_results import EVIL, NASTY, cancer, engel, nasty_classes, nasty_regression

RESULTS = [engel, cancer, nasty_regression, nasty_classes]
VOID = {"meta", "line", "br", "img", "wbr"}

each_result = pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.__name__)


class Page(HTMLParser):
    """What a parser that is not ours reads in the page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open:
            self.words.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(each for tag, parts in self.words.items() if tag not in {"script", "style"} for each in parts)


def page(result: Callable[[], Result]) -> Page:
    return Page(result().to_html())


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_result
def test_the_page_is_one_file_of_moderate_size(result: Callable[[], Result]) -> None:
    text = result().to_html()
    assert len(text.encode()) < 6_000_000
    found = Page(text)
    assert found.open == []
    for tag, attributes in found.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert "src" not in attributes
        assert "href" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert "url(" not in attributes.get("style", "")
    assert "@import" not in "".join(found.words["style"])
    assert "url(" not in "".join(found.words["style"])


@each_result
def test_names_of_the_data_are_text(result: Callable[[], Result]) -> None:
    found = page(result)
    assert len(found.all("script")) == 3  # figures, plotly, ours
    assert not found.all("img")
    assert not found.all("b") or EVIL not in found.words["b"]
    document = result().as_dict()
    names = [document["data"]["target"], *document["classes"]]
    for name in names:
        assert name in found.text
    figures = json.loads(next(words for words in found.words["script"] if words.startswith("{")))
    assert set(figures) == set(charts.charts(document))
    for raw in (EVIL, NASTY[1], "<b>"):
        in_charts = [text for text in _strings(figures) if raw in text]
        # Our own bold is around names that are escaped.
        assert all(re.fullmatch(r"<b>[^<>]*(<br>[^<>]*)?</b>", text) for text in in_charts)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _strings(part)]


def test_a_target_is_escaped_in_axis_titles() -> None:
    drawn = charts.charts(nasty_regression().as_dict())
    for name in ("dots", "shapes", "residuals"):
        titles = [text for text in _strings(drawn[name].as_dict()["layout"]) if "alert(1)" in text]
        assert titles
        assert all(html.escape(EVIL, quote=False) in text for text in titles)


@each_result
def test_only_its_own_scripts_may_run(result: Callable[[], Result]) -> None:
    import base64
    import hashlib

    found = page(result)
    policy = next(each["content"] for each in found.all("meta") if "http-equiv" in each)
    allowed = re.findall(r"sha256-([\w+/=]+)", policy)
    scripts = [words for words in found.words["script"] if not words.startswith("{")]
    assert allowed == [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


@each_result
def test_the_page_can_be_read_without_seeing_it(result: Callable[[], Result]) -> None:
    found = page(result)
    counts = Counter(tag for tag, _ in found.tags)
    assert [counts[tag] for tag in ("main", "header", "footer", "h1", "title")] == [1] * 5
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(deeper - level <= 1 for level, deeper in itertools.pairwise(levels))
    assert counts["table"] == counts["caption"] > 3
    assert all(each.get("scope") in {"row", "col"} for each in found.all("th"))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(each["aria-labelledby"] in ids for each in found.all("section"))
    plots = [each for each in found.all("div") if each.get("class") == "plot"]
    assert len(plots) == len(charts.charts(result().as_dict()))
    assert all(each["role"] == "img" and len(each["aria-label"]) > 40 for each in plots)
    assert all(each.get("type") == "button" for each in found.all("button"))
    assert found.all("html")[0]["lang"] == "en"


def test_the_page_says_it_all_in_order() -> None:
    result, text = engel(), page(engel).text
    verdicts = result.as_dict()["answer"]["sentences"]
    wanted = [
        result.as_dict()["answer"]["headline"],
        verdicts[0]["judged_by"],
        verdicts[1]["judged_by"],
        "Leaderboard",
        "best constant",
        "linear model",
        "gradient boosting",
        "Differences, fold by fold",
        "Why: what each loss charges for an error",
        "Where the loss comes from",
        "Learning curves",
        "Residuals and coverage",
        "Your data",
        "In your code",
        "PyTorch",
        "Keras",
        "JAX",
        "lossary compare engel",
        result.plan.profile.data.digest,
        "seeds 0, 1",
        f"lossary {lossary.__version__}",
    ]
    words = " ".join(" ".join(words for words in _in_order(result.to_html())).split())
    places = [words.find(each) for each in wanted]
    assert -1 not in places, wanted[places.index(-1)]
    assert all(each in text for each in wanted)
    firsts = [words.index(title) for title in wanted if title in {"Leaderboard", "Learning curves", "Your data"}]
    assert firsts == sorted(firsts)


def _in_order(text: str) -> list[str]:
    class Words(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []
            self.skip = False

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.skip = tag in {"script", "style"}

        def handle_endtag(self, tag: str) -> None:
            self.skip = False

        def handle_data(self, data: str) -> None:
            if not self.skip:
                self.found.append(data)

    words = Words()
    words.feed(text)
    return words.found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_against_its_ground(theme: str) -> None:
    style = resources.files("lossary.compare.report").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6});", block)) for block in style.split("@media", 2)[:2])
    colors = light if theme == "light" else {**light, **dark}
    for ground in ("ground", "card"):
        for text in ("ink", "mute", "accent", "failed"):
            assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
    for mark in ("dot", "curve", "accent"):
        assert contrast(colors[mark], colors["ground"]) >= 3.0, mark


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""

    def luminance(color: str) -> float:
        digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
        shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_loss_that_failed_is_a_row_with_its_reason() -> None:
    result = engel()
    outcomes = tuple(
        dataclasses.replace(each, prediction=None, error=f"broken {EVIL}") if each.candidate == 1 else each
        for each in result.outcomes
    )
    summary = statistics.summarise(result.plan, outcomes, result.summary.metrics)
    failed = dataclasses.replace(result, outcomes=outcomes, summary=summary)
    found = Page(failed.to_html())
    assert any(each.get("class") == "failed" for each in found.all("tr"))
    assert f"failed: broken {EVIL}" in found.text
    assert f"failed: broken {EVIL}" in " ".join(str(failed).split())


def test_options_are_in_one_piece_and_everything_else_is_text() -> None:
    from lossary.compare.report.page import options

    assert options("raise --folds or <b> & --seeds.") == (
        "raise <code>--folds</code> or &lt;b&gt; &amp; <code>--seeds</code>."
    )


def test_a_metric_that_no_loss_can_be_judged_by_has_no_picture() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=60)
    frame = pl.DataFrame({"x": x, "y": np.where(x > 0, "yes", "no")})
    quick: dict[str, Any] = {"folds": 2, "seeds": 1, "epochs": 3, "jobs": 1}
    result = compare(frame, "y", losses=["hinge"], metric="log_loss", **quick)
    assert not {"dots", "pairs"} & set(charts.charts(result.as_dict()))
    assert "By log loss, no loss is recommended" in page(lambda: result).text


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_is_named_after_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert report.write_html(engel()) == "Report: engel.foodexp.html"
    assert (tmp_path / "engel.foodexp.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    name = report.html_name(nasty_regression().plan.profile.data)
    assert re.fullmatch(r"[\w.-]+\.html", name)
    data = dataclasses.replace(engel().plan.profile.data, name="../../etc/" + "ü" * 300 + ".csv", target="…/..")
    assert re.fullmatch(r"ü+\._\.html", report.html_name(data))
    assert len(report.html_name(data).encode()) < 255


def test_where_nothing_can_be_written_the_page_is_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "engel.foodexp.html").mkdir()  # nobody can write a page there, not even root
    line = report.write_html(engel())
    assert "\n" not in line
    found = re.fullmatch(r"Report: (.+\.html) \(engel\.foodexp\.html cannot be written: Is a directory\)", line)
    assert found is not None
    assert Path(found[1]).stat().st_size > 1_000_000
    with pytest.raises(DataError, match="cannot be written: Is a directory"):
        report.write_html(engel(), tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert report.write_html(engel()).startswith("No report was written: engel.foodexp.html cannot be written")


def test_a_result_is_written_as_its_name_says(tmp_path: Path) -> None:
    assert json.loads(engel().write(tmp_path / "x.json").read_text(encoding="utf-8"))["task"] == "regression"
    assert engel().write(str(tmp_path / "x.html")).read_text(encoding="utf-8").startswith("<!doctype html>")


# ── as JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_result
def test_the_json_is_what_its_schema_says(result: Callable[[], Result]) -> None:
    schema = json.loads(resources.files("lossary.compare.report").joinpath("schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    found = json.loads(result().to_json())
    jsonschema.Draft202012Validator(schema).validate(found)
    assert found["schema"] == report.SCHEMA
    splits = len(found["plan"]["splits"])
    assert {len(scores["splits"]) for row in found["losses"] for scores in row["scores"].values() if scores} == {splits}


def test_pairs_are_those_of_the_splits() -> None:
    found = engel().as_dict()
    splits = {row["loss"]: np.array(row["scores"]["mae"]["splits"]) for row in found["losses"]}
    verdict = found["verdicts"][0]
    assert {pair["loss"] for pair in verdict["pairs"]} == set(splits) - {verdict["reference"]}
    for pair in verdict["pairs"]:
        gain = splits[verdict["reference"]] - splits[pair["loss"]]
        assert pair["difference"] == pytest.approx(gain.mean())
        assert pair["better_in"] == (gain > 0).sum()
        assert pair["low"] < pair["difference"] < pair["high"]


# ── why ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_heaviest_rows_are_those_of_the_largest_errors() -> None:
    result = engel()
    found = result.as_dict()
    squared = next(place for place, each in enumerate(result.plan.candidates) if each.name == "MeanSquaredError()")
    sums, counts = np.zeros(235), np.zeros(235)
    for outcome in result.outcomes:
        if outcome.candidate == squared:
            test = result.plan.splits[outcome.split].test
            assert outcome.prediction is not None
            sums[test] += (outcome.prediction.values - result.plan.profile.y[test]) ** 2
            counts[test] += 1
    shares = sums / counts / (sums / counts).sum()
    key = "share" if found["of"] == "MeanSquaredError()" else "share_beside"
    assert "MeanSquaredError()" in {found["of"], found["beside"]}
    for example in found["heaviest"]["examples"]:
        assert example[key] == pytest.approx(shares[example["row"] - 1], rel=1e-5)
        assert example["target"] == result.plan.profile.y[example["row"] - 1]
    mine = [example["share"] for example in found["heaviest"]["examples"]]
    assert mine == sorted(mine, reverse=True)
    assert len(mine) == 10


def test_rows_are_those_of_the_file() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=60)
    y = [None if row in (3, 20) else float(value) for row, value in enumerate(x)]
    y[40] = 1000.0  # row 41 of the file, 39 of those with a target
    result = compare(pl.DataFrame({"x": x, "y": y}), "y", losses=["mse", "mae"], folds=2, seeds=1, epochs=3, jobs=1)
    heaviest = result.as_dict()["heaviest"]
    assert heaviest["rows"] == 58
    assert heaviest["examples"][0]["row"] == 41
    assert heaviest["examples"][0]["target"] == 1000.0


@pytest.mark.parametrize("result", [engel, cancer, nasty_classes], ids=lambda result: result.__name__)
def test_slopes_are_the_derivatives_of_the_curves(result: Callable[[], Result]) -> None:
    found = result().as_dict()["shapes"]
    at = np.array(found["at"])
    assert 0.0 not in at
    for curve in found["curves"]:
        value, slope = np.array(curve["value"]), np.array(curve["slope"])
        between = np.diff(value) / np.diff(at)
        low, high = (np.minimum, np.maximum)
        # A convex curve's chord has a slope between those at its ends.
        assert np.all(between >= low(slope[:-1], slope[1:]) - 1e-4)
        assert np.all(between <= high(slope[:-1], slope[1:]) + 1e-4)


def test_every_error_that_occurred_is_counted() -> None:
    for result in RESULTS:
        found = result().as_dict()
        tested = sum(len(split.test) for split in result().plan.splits)
        assert sum(found["shapes"]["occurred"]) + found["shapes"]["beyond"] == tested


def test_margins_are_below_0_where_the_label_is_wrong() -> None:
    for make in (cancer, nasty_classes):
        result = make()
        seen = held_out.gather(result.plan, result.outcomes, 0)
        wrong = np.asarray(seen.labels) != result.plan.profile.y[seen.rows]
        margins = shaping._margins(result.plan, seen)
        np.testing.assert_array_equal(margins < 0, wrong)


def test_reliability_is_scikit_learn_s() -> None:
    result = cancer()
    (found,) = result.as_dict()["reliability"]
    seen = held_out.gather(result.plan, result.outcomes, 0)
    y = result.plan.profile.y[seen.rows]
    occurred, said = sklearn.calibration.calibration_curve(y, seen.probabilities, n_bins=10, strategy="quantile")
    assert found["loss"] == "BinaryCrossEntropy()"
    np.testing.assert_allclose(found["said"], said, atol=0.02)
    np.testing.assert_allclose(found["occurred"], occurred, atol=0.05)
    assert sum(found["rows"]) == len(y)


def test_coverage_counts_the_targets_below() -> None:
    result = engel()
    for found in result.as_dict()["coverage"]:
        place = next(i for i, each in enumerate(result.plan.candidates) if each.name == found["loss"])
        below = [
            result.plan.profile.y[result.plan.splits[each.split].test] <= each.prediction.values
            for each in result.outcomes
            if each.candidate == place and each.prediction is not None
        ]
        assert found["below"] == pytest.approx(np.concatenate(below).mean())
        assert np.mean(found["thirds"]) == pytest.approx(found["below"], abs=0.01)


def test_many_splits_make_no_larger_page() -> None:
    result = engel()
    times = 100
    plan = dataclasses.replace(result.plan, splits=result.plan.splits * times)
    standings = tuple(
        dataclasses.replace(row, scores={name: np.tile(scores, times) for name, scores in row.scores.items()})
        for row in result.summary.standings
    )
    many = dataclasses.replace(result, plan=plan, summary=dataclasses.replace(result.summary, standings=standings))
    assert len(many.to_html()) < 1.02 * len(result.to_html())


def test_many_rows_make_no_larger_picture() -> None:
    result = engel()
    seen = held_out.gather(result.plan, result.outcomes, 0)
    many = dataclasses.replace(
        seen, rows=np.tile(seen.rows, 100), seeds=np.zeros(100 * len(seen.rows)), values=np.tile(seen.values, 100)
    )
    found = calibration.residuals(result.plan, many)
    assert len(found.residual) == len(found.prediction) == 1500


# ── as text ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [40, 80])
@each_result
def test_text_fits_and_commands_nothing(result: Callable[[], Result], width: int) -> None:
    console = Console(width=width, no_color=True, highlight=False, force_terminal=False)
    found = result()
    text = report.rendered(console, *report.heading(found.plan.profile), found.body())
    code = lossary.define.spelling.in_use(found.best).values() if found.best else ()
    assert max(len(line) for line in text.splitlines() if line not in code) <= width
    assert "\x1b" not in text
    assert "\u2028" not in text
    assert "linear model" in text


def test_colours_only_where_there_are_colours() -> None:
    colourful = Console(width=80, force_terminal=True, color_system="standard")
    plain = Console(width=80, force_terminal=True, no_color=True)
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", report.rendered(colourful, engel().body())) or engel().best is None
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", report.rendered(plain, engel().body()))
