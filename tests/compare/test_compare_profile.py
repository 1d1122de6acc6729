"""The second stage: every finding where it is to be found, and not where it is not."""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.special

from lossary.compare import findings
from lossary.compare.data import read
from lossary.compare.profile import Profile, profile

ROWS = 600
generator = np.random.default_rng(7)
X = generator.normal(size=(ROWS, 3))
LINE = X @ [2.0, -1.0, 0.5]
NORMAL = generator.normal(size=ROWS)


def frame(y: Any, **columns: Any) -> pl.DataFrame:
    return pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], **columns, "y": y})


def said(y: Any, task: str | None = None, **columns: Any) -> str:
    """All findings, as one text."""
    return " · ".join(profile(read(frame(y, **columns), "y"), task).findings)


PLAIN = said(LINE + NORMAL)


def classes(names: str = "ab", sharpness: float = 4.0) -> np.ndarray:
    """Labels that a line tells apart, more or less."""
    scores = sharpness * LINE + generator.logistic(size=ROWS)
    edges = np.quantile(scores, np.linspace(0, 1, len(names) + 1)[1:-1])
    return np.array(list(names))[np.searchsorted(edges, scores)]


def test_nothing_is_found_where_there_is_nothing() -> None:
    assert re.fullmatch(r"regression( · 0\.\d % outliers)?", PLAIN)
    assert re.fullmatch(r"binary · positive class b \(\d+ %\)", said(classes()))


# ── a number ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_outliers_are_counted() -> None:
    y = LINE + NORMAL
    y[:30] += 40
    found = re.search(r"([\d.]+) % outliers", said(y))
    assert found is not None
    assert 4.5 <= float(found[1]) <= 6.0
    assert profile(read(frame(y), "y")).outliers == pytest.approx(0.05, abs=0.01)


def test_heavy_tails_are_told_from_normal_ones() -> None:
    assert "heavy tails" in said(LINE + generator.standard_t(2, size=ROWS))
    assert "heavy tails" not in said(LINE + generator.uniform(-1, 1, size=ROWS))
    assert "heavy tails" not in PLAIN


def test_hogg_s_kurtosis_is_2_585_for_normal_errors() -> None:
    residuals = scipy.special.ndtri((np.arange(100_000) + 0.5) / 100_000)
    heavy = np.sinh(residuals)
    found = re.search(r"robust kurtosis ([\d.]+)", findings.tails(heavy) or "")
    assert found is not None
    # E[sinh | above its 0.95-quantile] / E[sinh | above its median], from Φ's own integrals.
    upper = (
        np.exp(0.5) * np.array([scipy.special.ndtr(q + 1) - scipy.special.ndtr(q - 1) for q in (-1.6448536, 0.0)]) / 2
    )
    assert float(found[1]) == pytest.approx(upper[0] / 0.05 / (upper[1] / 0.5), abs=0.06)
    assert findings.tails(residuals) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_skew_has_a_direction(sign: int) -> None:
    text = said(sign * np.exp(LINE / 2 + NORMAL))
    assert f"{'right' if sign > 0 else 'left'}-skewed (robust skew {'' if sign > 0 else '-'}0." in text
    assert "skewed" not in PLAIN


def test_spread_that_grows_shrinks_or_stays() -> None:
    level = LINE - LINE.min() + 1
    assert re.search(r"spread grows [\d.]+x from the lowest to the highest fifth", said(level + level * NORMAL / 2))
    assert "spread shrinks" in said(level + NORMAL / level * 3)
    assert "spread" not in PLAIN


def test_small_samples_do_not_grow_by_luck() -> None:
    """Of sets with an even spread, one in a hundred at most is said to have an uneven one."""
    rng = np.random.default_rng(0)
    found = [findings.spread(rng.normal(size=100), rng.normal(size=100)) for _ in range(300)]
    assert sum(each is not None for each in found) <= 3


def test_counts_and_their_dispersion() -> None:
    rate = np.exp(0.5 * X[:, 0] + 1.5)
    poisson, wild = generator.poisson(rate), generator.negative_binomial(1, 1 / (1 + 3 * rate))
    overdispersed = re.search(r"counts, overdispersed: variance ([\d.]+)x the mean", said(wild, "regression"))
    assert overdispersed is not None
    assert float(overdispersed[1]) == pytest.approx(wild.var() / wild.mean(), rel=0.05)
    assert "about as dispersed as Poisson's" in said(generator.poisson(4.0, size=ROWS), "regression")
    assert "underdispersed" in said(generator.binomial(10, 0.6, size=ROWS), "regression")
    for other in (poisson + 0.5, poisson - 5, poisson + 100):
        assert "counts" not in said(other, "regression")


@pytest.mark.parametrize(
    ("value", "shown"), [(-999.0, "-999"), (1e6, "1000000"), (-1234567.0, "-1234567"), (-1000.125, "-1000.125")]
)
def test_a_number_that_may_stand_for_no_target(value: float, shown: str) -> None:
    y = LINE + NORMAL
    y[:40:10] = value
    assert f"4 targets are {shown}, far from all others: if it stands for none, --missing {shown}" in said(y)
    assert findings.placeholder(y[40:]) is None
    assert profile(read(frame(y), "y", missing=value)).findings == profile(read(frame(y), "y", missing=shown)).findings
    assert "far from" not in said(np.delete(y, [0, 10, 20]).tolist() + NORMAL[:3].tolist())  # one may be an outlier
    ordinary = LINE.round(1)
    assert findings.placeholder(ordinary) is None  # repeated at its ends
    assert findings.placeholder(np.repeat([0.0, 1.0, 50.0], 20)) is None  # few values
    tail = np.concatenate([np.exp(3 * NORMAL), [0.0] * 50])
    assert findings.placeholder(tail) is None  # zeros beside amounts


def test_zeros() -> None:
    y = np.where(X[:, 1] > 0.5, LINE + NORMAL, 0.0)
    assert f"{100 * np.mean(y == 0):.0f} % zeros" in said(y)
    assert "zeros" not in PLAIN


# ── a class ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_imbalance() -> None:
    rare = np.where(np.quantile(LINE, 0.95) < LINE, "yes", "no")
    assert "positive class yes (5.0 %, 19 to 1)" in said(rare)
    assert "to 1" not in said(classes())
    three = np.where(np.quantile(LINE, 0.98) < LINE, "z", classes())
    assert re.search(r"rarest class z \(2\.0 %, \d+ to 1\)", said(three))


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_wrong_labels_are_suspected_where_there_are_some(names: str) -> None:
    clean = classes(names, sharpness=12.0)
    wrong = clean.copy()
    flipped = generator.choice(ROWS, 60, replace=False)
    wrong[flipped] = np.array(list(names))[(np.searchsorted(list(names), clean[flipped]) + 1) % len(names)]
    found = re.search(r"about ([\d.]+) % of the labels may be wrong", said(wrong))
    assert found is not None
    assert 5 <= float(found[1]) <= 15
    assert "may be wrong" not in said(clean)


def test_classes_that_overlap_are_no_wrong_labels() -> None:
    for sharpness in (0.3, 1.0, 2.0):
        assert "may be wrong" not in said(classes(sharpness=sharpness))
    assert "may be wrong" not in said(generator.choice(["a", "b"], size=ROWS))


def test_a_truth_that_is_no_line_is_no_wrong_label() -> None:
    x = generator.normal(size=(4_000, 3))
    curved = np.where(x[:, 0] ** 2 + 2 * x[:, 0] - x[:, 1] > 0.5, "yes", "no")
    assert profile(read((x, curved))).facts.noise == 0
    flipped = np.where((curved == "yes") ^ (generator.random(4_000) < 0.08), "yes", "no")
    assert profile(read((x, flipped))).facts.noise == pytest.approx(0.08, abs=0.03)


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "iris", "wine"])
def test_well_kept_sets_have_no_wrong_labels(name: str) -> None:
    assert profile(read(name)).facts.noise == 0


@pytest.mark.parametrize(
    ("levels", "ordered"),
    [
        (["high", "low", "medium"], ["low", "medium", "high"]),
        (["Strongly agree", "disagree", "neutral"], ["disagree", "neutral", "Strongly agree"]),
        (["very_high", "low", "very-low"], ["very-low", "low", "very_high"]),
        (["low", "high"], None),  # two classes have no order to speak of
        (["low", "high", "unknown"], None),
        (["b", "a", "c"], None),
        (["1st", "2nd", "3rd"], None),
    ],
)
def test_words_are_ordered_only_where_that_is_certain(levels: list[str], ordered: list[str] | None) -> None:
    profiled = profile(read(frame(np.array(levels)[np.arange(ROWS) % len(levels)]), "y"))
    assert profiled.ordered == (ordered is not None)
    assert profiled.classes == tuple(ordered or sorted(levels))
    assert (f"ordered classes: {' < '.join(ordered or [])}" in profiled.findings) == (ordered is not None)
    np.testing.assert_array_equal([profiled.classes[code] for code in profiled.y], profiled.data.values.to_list())


def test_types_and_whole_numbers_are_ordered() -> None:
    names = np.array(["low", "top", "mid"])[np.arange(ROWS) % 3]
    kept = pd.DataFrame({"x": X[:, 0], "y": pd.Categorical(names, ["low", "mid", "top"], ordered=True)})
    profiled = profile(read(kept, "y"))
    assert (profiled.classes, profiled.ordered) == (("low", "mid", "top"), True)
    assert profile(read(frame(pl.Series(names, dtype=pl.Enum(["top", "mid", "low"]))), "y")).classes[0] == "top"
    assert not profile(read(frame(names), "y")).ordered
    numbers = read(frame(np.arange(ROWS) % 5), "y")
    assert profile(numbers).ordered
    assert "if they are amounts" in profile(numbers).findings[0]
    assert "classes may be ordered, as whole numbers are" in profile(numbers, "multiclass").findings
    assert not profile(read(frame(np.arange(ROWS) % 2), "y")).ordered


# ── rows and columns ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_repeated_rows() -> None:
    once = frame(LINE + NORMAL)
    text = " · ".join(profile(read(pl.concat([once, once[:24]]), "y")).findings)
    assert "24 rows repeat others (3.8 %)" in text
    assert "repeat" not in PLAIN
    named = pl.concat([once, once[:24]]).with_columns(name=pl.Series([f"row {row}" for row in range(ROWS + 24)]))
    assert "24 rows repeat others" in " · ".join(profile(read(named, "y")).findings)  # a name is no feature
    # The same features with another number are no repetition.
    other = pl.concat([once, once[:24].with_columns(y=pl.col("y") + 1)])
    assert "repeat" not in " · ".join(profile(read(other, "y")).findings)


def test_rows_that_contradict_each_other() -> None:
    once = frame(classes())
    swapped = once[:10].with_columns(y=pl.when(pl.col("y") == "a").then(pl.lit("b")).otherwise(pl.lit("a")))
    text = " · ".join(profile(read(pl.concat([once, swapped]), "y")).findings)
    assert "20 rows differ from another in nothing but their class" in text
    assert "nothing but" not in said(once["y"])


def test_columns_that_tell_the_target() -> None:
    y = LINE + NORMAL
    assert "column copy equals the target" in said(y, copy=y)
    assert "column rate determines the target" in said(y, rate=3.0 - 2.0 * y)
    assert "column power determines the target" in said(y, power=y**3)
    assert "column" not in said(y, close=y + 1e-3 * NORMAL)
    assert "(--drop copy)" in said(y, copy=y)
    assert "column copy equals the target" in said(y, copy=np.where(np.arange(ROWS) % 9 == 0, np.nan, y))
    assert "column" not in said(y, rare=np.where(np.arange(ROWS) % 9 == 0, y, np.nan))


def test_columns_that_tell_the_class() -> None:
    y = classes("abc")
    assert "column code determines the class" in said(
        y, code=np.array([{"a": 2, "b": 5, "c": 0}[each] for each in y]) + 10 * (np.arange(ROWS) % 3)
    )
    assert "column score tells the classes apart by itself" in said(
        y, score=np.searchsorted(["a", "b", "c"], y) + 0.5 * generator.random(ROWS)
    )
    assert "column word" in said(y, word=np.char.add("kind ", y))
    assert "column" not in said(y, noisy=np.searchsorted(["a", "b", "c"], y) + generator.normal(size=ROWS))
    assert "column" not in said(y, row=np.arange(ROWS))  # a number for each row determines everything, and nothing


def test_kinds_of_columns() -> None:
    profiled = profile(
        read(frame(LINE + NORMAL, yes=[True, False] * (ROWS // 2), word=["u", "v"] * (ROWS // 2), same=[1] * ROWS), "y")
    )
    assert profiled.kinds == {
        "numbers": ("a", "b", "c", "yes"),
        "categories": ("word",),
        "left out": ("same (constant)",),
    }


def test_roles_reach_the_profile_row_by_row() -> None:
    table = frame(["solo", *classes()[1:]], who=np.arange(ROWS) % 7, when=np.arange(ROWS), w=np.arange(ROWS) + 1.0)
    profiled = profile(read(table, "y", group="who", time="when", weight="w"))
    assert profiled.groups is not None
    assert profiled.order is not None
    assert profiled.weight is not None
    assert profiled.rows == ROWS - 1  # a class with one row is left out, and its group, time and weight with it
    np.testing.assert_array_equal(profiled.groups, np.arange(1, ROWS) % 7)
    np.testing.assert_array_equal(profiled.order, np.arange(1, ROWS))
    np.testing.assert_array_equal(profiled.weight, np.arange(1, ROWS) + 1.0)


def test_a_hundred_times_the_rows_cost_far_less_than_a_hundred_times_the_time() -> None:
    """What needs no exactness is looked for in a sample."""

    def took(rows: int) -> float:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(rows, 10))
        data = read((x, x[:, 0] + rng.normal(size=rows)))
        began = time.perf_counter()
        made: Profile = profile(data)
        assert made.rows == rows
        return time.perf_counter() - began

    took(100)  # loads what is loaded once
    small, large = min(took(2_000) for _ in range(3)), took(200_000)
    assert large < 50 * small
