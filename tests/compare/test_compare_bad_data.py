"""Bad data end as one clear line and exit code 2, or as a treatment that the output states; never as a traceback."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from lossary.cli import app
from lossary.cli.command import guarded
from lossary.errors import DataError

QUICK = ["--folds", "2", "--seeds", "1", "--epochs", "2", "--jobs", "1", "--no-boosting"]


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command writes its report and its journal where it is run."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def error(*arguments: object) -> str:
    """The one line that a failing command ends with."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def treated(frame: pl.DataFrame, tmp_path: Path, *options: object) -> str:
    """What a command says that works, on one line."""
    path = tmp_path / "data.csv"
    frame.write_csv(path)
    result = run(path, "--target", "y", *QUICK, *options)
    assert result.exit_code == 0, result.output
    assert "Judged by" in result.stdout
    return " ".join(result.stdout.split())


def table(rows: int = 60) -> pl.DataFrame:
    generator = np.random.default_rng(0)
    x = generator.normal(size=rows)
    return pl.DataFrame({"x": x, "y": 3.0 * x + generator.normal(size=rows)})


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "houses.csv"
    pl.DataFrame({"rooms": [1, 2, 3, 4] * 10, "price": np.arange(40.0)}).write_csv(path)
    return path


# ── what cannot be read ──────────────────────────────────────────────────────────────────────────────────────────────


def test_no_such_file() -> None:
    assert "there is no file nowhere.csv" in error("nowhere.csv", "--target", "y")


def test_a_built_in_set_misspelt() -> None:
    assert "did you mean the built-in set 'diabetes'?" in error("diabets")


def test_a_directory(tmp_path: Path) -> None:
    assert "cannot be read" in error(tmp_path, "--target", "y")


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_empty_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.csv"
    path.write_bytes(content)
    assert "is empty" in error(path, "--target", "y")


def test_header_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "header.csv"
    path.write_text("x,y\n")
    assert "there are no rows" in error(path, "--target", "y")


@pytest.mark.parametrize("content", [bytes(range(256)) * 20, "x,y\n1,2\n".encode("utf-16"), b"\x89PNG\r\n\x1a\n\x00"])
def test_binary_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture.csv"
    path.write_bytes(content)
    assert "neither Parquet nor text" in error(path, "--target", "y")


def test_broken_parquet(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    path.write_bytes(b"PAR1" + bytes(40))
    assert "cannot be read as Parquet" in error(path, "--target", "y")


def test_ragged_csv(tmp_path: Path) -> None:
    path = tmp_path / "ragged.csv"
    path.write_text("x,y\n1,2\n1,2,3,4\n")
    message = error(path, "--target", "y")
    assert "ragged.csv cannot be read as CSV: line 3 has 4 fields, but the header has 2" in message
    assert "chema" not in message  # nothing of the reader's own words


def test_duplicate_column_names(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("x,x,y\n" + "1,2,3\n" * 20)
    assert "more than one column named 'x'" in error(path, "--target", "y")


# ── what cannot be predicted ─────────────────────────────────────────────────────────────────────────────────────────


def test_missing_column_with_a_hint(csv: Path) -> None:
    assert error(csv, "--target", "Price") == "error: houses.csv has no column 'Price'; did you mean 'price'?"


def test_missing_column_without_one(csv: Path) -> None:
    assert "it has rooms, price" in error(csv, "--target", "zzz")


def test_no_target(csv: Path) -> None:
    message = error(csv)
    assert "--target" in message
    assert "rooms, price" in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["7"] * 30, "only one value, 7"),
        (["yes"] * 30, "only one class, 'yes'"),
        ([""] * 30, "all are missing"),
        (["inf"] * 30, "all are missing"),
        (["1"], "1 row"),
        ([*map(str, range(4)), "abc", *map(str, range(30))], "column 'y' holds text, such as 'abc' in row 5;"),
        ([f'"{i},5"' for i in range(30)], "such as '0,5' in row 1 (a decimal comma: write 1.5, not 1,5)"),
        ([f"{i}e300" for i in range(1, 31)], "of size 3e+301, whose squares a number cannot hold"),
        ([f"{i}e-300" for i in range(1, 31)], "whose squares a number cannot hold"),
        (["1", "2", "3"], "3 rows are too few for 5 folds"),
        ([f"name {i}" for i in range(30)], "too many for classes"),
        (["a", *(["b"] * 30)], "only one class with more than one row"),
        ([f"2024-01-{day:02}" for day in range(1, 31)], "holds Date"),
    ],
)
def test_targets_with_nothing_to_learn(tmp_path: Path, values: list[str], message: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,y\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))
    assert message in error(path, "--target", "y")


def test_no_column_left(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("name,same,y\n" + "".join(f"name {i},1,{i * i}\n" for i in range(40)))
    message = error(path, "--target", "y")
    assert "no column to predict from" in message
    assert "name (text, 40 values)" in message
    assert "same (constant)" in message


def test_only_the_target(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("y\n" + "".join(f"{i * i}\n" for i in range(40)))
    assert "no column to predict from" in error(path, "--target", "y")


# ── options ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loss", "hubber"], "did you mean Huber?"),
        (["--loss", "hinge"], "Hinge is not a loss for this task (regression)"),
        (["--loss", "Huber(delta=-1)"], "delta must be"),
        (["--loss", "Huber(delta=x)"], "must be numbers"),
        (["--loss", "Huber(threshold=2)"], "no hyper-parameter 'threshold'"),
        (["--loss", "huber", "--exclude", "huber"], "no loss is left"),
        (["--metric", "accuracy"], "accuracy judges classes, but the target holds amounts (task regression)"),
        (["--metric", "rmsee"], "did you mean rmse?"),
        (["--task", "clustering"], "task must be one of regression, binary, multiclass"),
        (["--task", "binary"], "binary task two"),
        (["--folds", "1"], "folds must be at least 2"),
        (["--seeds", "0"], "seeds must be at least 1"),
        (["--epochs", "0"], "epochs must be at least 1"),
        (["--jobs", "0"], "jobs must be at least 1, or -1"),
        (["--jobs", "-5"], "jobs must be at least 1, or -1"),
        (["--loss", "Huber(delta=1"], "Huber(delta=1: the closing bracket is missing."),
        (["--loss", "Huber(delta=)"], "it cannot be read"),
    ],
)
def test_options_that_do_not_fit(options: list[str], message: str) -> None:
    assert message in error("engel", *options)
    assert not run("engel", *options).stdout  # refused before anything is printed


@pytest.mark.parametrize(
    "options",
    [["--folds", "1"], ["--jobs", "0"], ["--task", "x"], ["--metric", "x"], ["--loss", "x"], ["--exclude", "x"]],
)
def test_options_are_looked_at_before_the_data_are(options: list[str]) -> None:
    assert "nowhere.csv" not in error("nowhere.csv", *options)


def test_zero_one_cannot_train() -> None:
    assert "ZeroOne cannot train" in error("breast_cancer", "--loss", "zero_one")


def test_text_is_no_regression_target() -> None:
    message = error("breast_cancer", "--task", "regression")
    assert "holds text, such as 'malignant' in row 1; regression needs numbers" in message


@pytest.mark.parametrize("name", ["nowhere/result.json", "."])
def test_an_unwritable_output_is_found_before_training(tmp_path: Path, name: str) -> None:
    result = run("engel", "--json", tmp_path / name)
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert not result.stdout  # not even the data were read


def test_checking_the_output_leaves_nothing_behind(tmp_path: Path) -> None:
    error("nowhere.csv", "--target", "y", "--json", tmp_path / "result.json")
    assert not list(tmp_path.iterdir())


# ── treatments that are stated ───────────────────────────────────────────────────────────────────────────────────────


def test_missing_values(tmp_path: Path) -> None:
    frame = table().with_columns(x=pl.when(pl.int_range(pl.len()) < 7).then(None).otherwise(pl.col("x")))
    text = treated(frame, tmp_path)
    assert "7 missing values in 1 column: numbers filled by the training fold's median" in text
    assert "text as a level" not in text
    words = table().with_columns(street=pl.Series(["gravel", "paved", None] * 20))
    text = treated(words, tmp_path)
    assert "20 missing values in 1 column: text as a level" in text
    assert "filled by" not in text


def test_values_too_large_to_square(tmp_path: Path) -> None:
    frame = table().with_columns(x=pl.when(pl.int_range(pl.len()) < 2).then(1e300).otherwise(pl.col("x")))
    assert "2 infinite values treated as missing" in treated(frame, tmp_path)


def test_an_error_in_a_terminal_is_broken_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stderr = Terminal()
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setenv("COLUMNS", "40")

    @guarded
    def refused() -> None:
        raise DataError("this is a sentence of many-hyphened words that has to be broken somewhere")

    with pytest.raises(typer.Exit):
        refused()
    lines = stderr.getvalue().splitlines()
    assert lines == ["error: this is a sentence of", "many-hyphened words that has to be", "broken somewhere"]


def test_infinite_values(tmp_path: Path) -> None:
    frame = table().with_columns(x=pl.when(pl.int_range(pl.len()) < 2).then(np.inf).otherwise(pl.col("x")))
    text = treated(frame, tmp_path)
    assert "2 infinite values treated as missing" in text
    assert "2 missing values in 1 column" in text


def test_rows_without_a_target(tmp_path: Path) -> None:
    frame = table().with_columns(y=pl.when(pl.int_range(pl.len()) < 3).then(None).otherwise(pl.col("y")))
    text = treated(frame, tmp_path)
    assert "3 rows without a (finite) y left out" in text
    assert "57 rows" in text


def test_text_columns(tmp_path: Path) -> None:
    frame = table().with_columns(
        street=pl.Series(["gravel", "paved"] * 30), note=pl.Series([f"row {i}" for i in range(60)])
    )
    text = treated(frame, tmp_path)
    assert "text as categories (one-hot): street" in text
    assert "columns left out: note (text, 60 values)" in text


def test_a_class_with_one_member(tmp_path: Path) -> None:
    frame = table().with_columns(y=pl.Series(["a"] * 30 + ["b"] * 29 + ["c"]))
    text = treated(frame, tmp_path)
    assert "a class with one row cannot be both learnt and tested: y = c" in text
    assert "59 rows" in text


def test_fewer_members_than_folds(tmp_path: Path) -> None:
    frame = table().with_columns(y=pl.Series(["a"] * 30 + ["b"] * 27 + ["c"] * 3))
    assert "3 folds, as class c has only 3 rows" in treated(frame, tmp_path, "--folds", "5")


def test_a_target_whose_quartiles_are_equal(tmp_path: Path) -> None:
    frame = table().with_columns(y=pl.when(pl.col("x") > 1).then(pl.col("y")).otherwise(0.0))
    treated(frame, tmp_path)


def test_numbers_with_blanks_around_them(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,y\n" + "".join(f"{i}, {i * i}.5 \n" for i in range(40)))
    result = run(path, "--target", "y", *QUICK)
    assert result.exit_code == 0, result.output
    assert "regression" in result.stdout


def test_markup_in_names_is_text(tmp_path: Path) -> None:
    frame = table().with_columns(pl.Series("[bold]x[/bold]", np.arange(60.0))).rename({"y": "[red]y"})
    path = tmp_path / "data.csv"
    frame.write_csv(path)
    result = run(path, "--target", "[red]y", *QUICK)
    assert result.exit_code == 0, result.output
    assert "target [red]y" in result.stdout


# ── as a process ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_process_ends_with_one_line_and_code_2() -> None:
    command = [sys.executable, "-m", "lossary", "compare", "nowhere.csv", "--target", "y"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: there is no file nowhere.csv")
    assert done.stderr.count("\n") == 1


def test_a_missing_extra_is_one_sentence_with_the_command() -> None:
    # None in sys.modules is how Python says that a module cannot be imported.
    code = "import sys; sys.modules['polars'] = None; from lossary.__main__ import main; main()"
    command = [sys.executable, "-c", code, "compare", "engel"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: lossary.compare needs polars. Hint: pip install 'lossary[compare]'.\n"
