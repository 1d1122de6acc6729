"""The first stage: tables from anywhere, and the columns that are neither features nor target."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from lossary import DataError
from lossary.compare.data import BUILT_IN, read


def table(**columns: Any) -> pl.DataFrame:
    """Six rows, and what is added."""
    return pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "y": [1.5, 2.5, 2.0, 4.5, 5.5, 5.0], **columns})


def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(*arguments, **options)
    return str(caught.value)


# ── where a table comes from ─────────────────────────────────────────────────────────────────────────────────────────


def test_built_in_sets_are_scikit_learn_s() -> None:
    from sklearn import datasets

    for name, load in (("iris", datasets.load_iris), ("wine", datasets.load_wine), ("digits", datasets.load_digits)):
        bunch, data = load(), read(name)
        np.testing.assert_array_equal(data.features.to_numpy(), bunch.data)
        known = bunch.target if name == "digits" else bunch.target_names[bunch.target]
        assert [str(value) for value in data.values] == [str(value) for value in known]
        assert data.target == BUILT_IN[name]


def test_a_file_of_that_name_comes_before_a_built_in_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table().write_csv("iris")
    assert read("iris", "y").features.columns == ["x"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_text_with_any_separator_and_byte_order_mark(tmp_path: Path, separator: str, mark: bytes) -> None:
    path = tmp_path / "data.tsv"
    path.write_bytes(mark + table().write_csv(separator=separator).encode())
    data = read(path, "y")
    assert data.features.equals(table().select("x"))
    assert data.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_types_that_change_after_the_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,when,y\n" + "1,2024-01-01,2\n" * 12_000 + "1.5,never,2.5\n")
    data = read(path, "y")
    assert data.features["x"].dtype == pl.Float64
    assert data.features["when"].dtype == pl.String
    assert data.features["x"][-1] == 1.5
    assert data.values[-1] == 2.5


def test_arrays_as_scikit_learn_takes_them() -> None:
    x, y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 1, 0])
    data = read((x, y))
    assert data.target == "y"
    assert data.features.columns == ["x1", "x2"]
    np.testing.assert_array_equal(data.features.to_numpy(), x)
    np.testing.assert_array_equal(data.values.to_numpy(), y)
    assert data.digest == read((x.copy(), y.copy())).digest != read((x + 1, y)).digest
    assert read((x, y), "price").target == "price"


def test_a_data_frame_of_features_and_a_target_apart() -> None:
    data = read((table().select("x"), pd.Series([1, 2, 3, 4, 5, 6])), "z")
    assert (data.features.columns, data.target) == (["x"], "z")
    assert data.values.to_list() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((np.zeros((3, 2)),), "takes two arrays, (X, y), not 1"),
        ((np.zeros(3), np.zeros(3)), "X must have the shape (rows, columns), not (3,)"),
        ((np.zeros((3, 2)), np.zeros(4)), "y must have the shape (3,), as X has so many rows, not (4,)"),
        ((np.zeros((3, 2)), np.zeros((3, 2))), "y must have the shape (3,)"),
        ((np.array([["a"], ["b"]]), np.zeros(2)), "X must hold numbers, not <U1"),
        ((pl.DataFrame({"y": [1, 2]}), np.zeros(2)), "X has a column 'y' itself"),
    ],
)
def test_arrays_that_do_not_fit(arrays: Any, message: str) -> None:
    assert message in refused(arrays)


@pytest.mark.parametrize("source", [5, None, [1, 2], {"x": 1}, b"engel"])
def test_what_is_no_table(source: Any) -> None:
    assert "lossary takes a path, the name of a built-in set, a data-frame or arrays (X, y), not" in refused(
        source, "y"
    )


def test_pandas_keeps_missing_values_and_the_order_of_categories() -> None:
    frame = pd.DataFrame({"x": [1.0, None, 3.0], "y": pd.Categorical(["b", "a", None], ["b", "a"], ordered=True)})
    data = read(frame, "y")
    assert data.features["x"].to_list() == [1.0, None]
    assert data.values.dtype == pl.Enum(["b", "a"])
    plain = read(frame.assign(y=pd.Categorical(["b", "a", None])), "y")
    assert plain.values.dtype != pl.Enum(["b", "a"])
    assert plain.values.to_list() == ["b", "a"]


def test_lazy_frames_and_arrow_tables() -> None:
    assert read(table().lazy(), "y").features.equals(table().select("x"))


# ── columns with a role ──────────────────────────────────────────────────────────────────────────────────────────────


def test_groups_are_codes_and_no_feature() -> None:
    data = read(table(who=["b", "a", "b", "c", "a", "c"]), "y", group="who")
    assert data.groups is not None
    assert data.groups.tolist() == [1, 0, 1, 2, 0, 2]
    assert data.features.columns == ["x"]
    assert (data.order, data.weight) == (None, None)


@pytest.mark.parametrize(
    "times",
    [
        ["2024-03-01", "2024-01-01", "2024-02-01", "2025-01-01", "2024-12-31", "2023-01-01"],
        ["01.03.2024", "01.01.2024", "01.02.2024", "01.01.2025", "31.12.2024", "01.01.2023"],
        [f"{day} 1:00" for day in ("2024-03-01", "2024-01-01", "2024-02-01", "2025-01-01", "2024-12-31", "2023-01-01")],
        [datetime.date(2024, 3, 1), datetime.date(2024, 1, 1), datetime.date(2024, 2, 1), datetime.date(2025, 1, 1),
         datetime.date(2024, 12, 31), datetime.date(2023, 1, 1)],
        [3, 1, 2, 13, 12, 0],
        [0.3, 0.1, 0.2, 1.3, 1.2, -5.0],
        [" 3", "1", "2", "13 ", "12", "0"],
    ],
)  # fmt: skip
def test_times_in_any_form_keep_their_order(times: list[Any]) -> None:
    data = read(table(when=times), "y", time="when")
    assert data.order is not None
    assert np.argsort(data.order).tolist() == [5, 1, 2, 0, 4, 3]
    assert data.features.columns == ["x"]


def test_weights_are_numbers_and_rows_of_weight_0_go() -> None:
    data = read(table(w=[1.0, 2.0, 0.0, 0.5, 1.0, 1.0]), "y", weight="w")
    assert data.weight is not None
    assert data.weight.tolist() == [1, 2, 0.5, 1, 1]
    assert data.features["x"].to_list() == [1.0, 2.0, 4.0, 5.0, 6.0]
    assert data.values.to_list() == [1.5, 2.5, 4.5, 5.5, 5.0]
    assert data.notes == ("1 row of weight 0 left out",)


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ([1.5, -999.0, 3.5, 4.5, -999.0, 6.5], "-999"),
        ([1.5, -999.0, 3.5, 4.5, -999.0, 6.5], -999),
        ([1, -999, 3, 4, -999, 6], "-999.0"),
        (["1.5", "-999", "3.5", "4.5", " -999.0", "6.5"], -999),
        ([2**53, 2**53 + 1, 3, 4, 2**53 + 1, 6], 2**53 + 1),
        (["1.5", "unknown", "3.5", "4.5", "unknown", "6.5"], "unknown"),
    ],
)
def test_what_stands_for_missing_targets_is_left_out(values: list[Any], missing: Any) -> None:
    data = read(table().with_columns(y=pl.Series(values)), "y", missing=missing)
    assert data.values.dtype.is_numeric()
    assert data.values.to_list() == [float(values[row]) for row in (0, 2, 3, 5)]
    assert data.features["x"].to_list() == [1.0, 3.0, 4.0, 6.0]
    assert data.notes == ("2 rows without a (finite) y left out",)


def test_classes_have_missing_ones_too() -> None:
    data = read(table().with_columns(y=pl.Series(list("ab?ab?"))), "y", missing="?")
    assert data.values.to_list() == list("abab")


@pytest.mark.parametrize("word", ["skip", "?", "NA", float("nan")])
def test_what_is_missing_anyway_may_be_named(tmp_path: Path, word: Any) -> None:
    file = tmp_path / "t.csv"
    file.write_text("x,y\n" + "".join(f"{i},{'?' if i == 3 else i / 2}\n" for i in range(8)))
    assert read(file, "y", missing=word).values.len() == 7


def test_dropped_columns_are_gone() -> None:
    assert read(table(z=[1] * 6, v=[2] * 6), "y", drop=["z", "v"]).features.columns == ["x"]


def test_roles_stay_with_their_rows_when_rows_are_left_out() -> None:
    frame = table(
        who=["a", "a", None, "b", "b", "c"], when=[1, 2, 3, None, 5, 6], w=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    ).with_columns(y=pl.Series([None, 2.5, 2.0, 4.5, 5.5, 5.0]))
    data = read(frame, "y", group="who", time="when", weight="w")
    assert data.groups is not None
    assert data.order is not None
    assert data.weight is not None
    assert data.groups.tolist() == [0, 1, 2]
    assert data.order.tolist() == [2, 5, 6]
    assert data.weight.tolist() == [2, 5, 6]
    assert data.features["x"].to_list() == [2.0, 5.0, 6.0]
    assert data.notes == (
        "1 row without a (finite) y left out",
        "1 row without a who left out",
        "1 row without a when left out",
    )


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"who": list("aabbcc")}, {"group": "Who"}, "has no column 'Who'; did you mean 'who'?"),
        ({}, {"time": "zzz"}, "has no column 'zzz'; it has x, y."),
        ({}, {"weight": "wt"}, "has no column 'wt'"),
        ({}, {"drop": ["nothing"]}, "has no column 'nothing'"),
        ({}, {"missing": -99}, "no y is '-99', which --missing says"),
        ({"w": [1, 2, 3, -4, 5, 6]}, {"weight": "w"}, "column 'w' has -4 in row 4; a weight is 0 or more"),
        ({"w": [1, 2, None, 4, 5, 6]}, {"weight": "w"}, "column 'w' has no value in row 3"),
        ({"w": [1.0, 2.0, float("inf"), 4.0, 5.0, 6.0]}, {"weight": "w"}, "has inf in row 3"),
        ({"w": [0] * 6}, {"weight": "w"}, "is 0 in every row"),
        ({"w": list("abcdef")}, {"weight": "w"}, "holds String; --weight takes numbers"),
        ({"who": ["a"] * 6}, {"group": "who"}, "column 'who' has only one group, 'a'"),
        ({"who": pl.Series([None] * 6, dtype=pl.String)}, {"group": "who"}, "all are missing"),
        ({"when": ["2024-01-01"] * 5 + ["soon"]}, {"time": "when"}, "holds 'soon' in row 6, which is no date or time"),
        ({"when": [True, False] * 3}, {"time": "when"}, "holds Boolean; --time takes dates"),
        ({"when": [1.0, 2.0, float("nan"), 4.0, 5.0, 6.0]}, {"time": "when"}, "has nan in row 3"),
        ({}, {"group": "y"}, "column 'y' cannot be both --target and --group"),
        ({}, {"group": "x", "weight": "x"}, "column 'x' cannot be both --group and --weight"),
        ({}, {"drop": ["y"]}, "column 'y' cannot be both --target and --drop"),
    ],
)
def test_roles_that_cannot_be(columns: dict[str, Any], options: dict[str, Any], message: str) -> None:
    assert message in refused(table(**columns), "y", **options)


def test_a_pandas_frame_whose_columns_are_numbers() -> None:
    """As `pandas.DataFrame(array)` makes it."""
    table = np.random.default_rng(0).normal(size=(30, 3))
    read_data = read(pd.DataFrame(table), "2")
    assert read_data.features.columns == ["0", "1"]
    np.testing.assert_array_equal(read_data.values.to_numpy(), table[:, 2])
