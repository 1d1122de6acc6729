"""First stage: a file, a data-frame or a built-in set becomes features and a target."""

from __future__ import annotations

import csv
import dataclasses
import difflib
import hashlib
import io
import re
from importlib import resources
from pathlib import Path
from typing import Any, final

import narwhals as nw
import polars as pl

from lossary.errors import DataError

# The built-in sets, each with the column that is predicted unless another is named.
BUILT_IN = {"engel": "foodexp", "diabetes": "progression", "breast_cancer": "diagnosis", "digits": "digit"}

_DECIMAL_COMMA = r"\s*[+-]?[\d.]*\d,\d+\s*"
_MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?"]


@final
@dataclasses.dataclass(frozen=True)
class NotNumbers:
    """The first cell of a target that is text and not a number."""

    text: str
    row: int  # from 1, below the header
    exceptional: bool  # whether most cells are numbers, or would be but for a decimal comma

    @property
    def decimal_comma(self) -> bool:
        return re.fullmatch(_DECIMAL_COMMA, self.text) is not None


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """A table as it came, split into what is predicted and what it is predicted from."""

    name: str
    target: str
    features: pl.DataFrame
    values: pl.Series  # the target: no missing value, one per row of `features`
    digest: str  # SHA-256 of the file, or of the data-frame written as CSV
    notes: tuple[str, ...]  # what was done to the data, as sentences
    not_numbers: NotNumbers | None = None  # of a target that is text


def read(source: Any, target: str | None = None) -> Data:
    """The data that `source` names or holds: a path, the name of a built-in set, or any data-frame.

    Raises:
        DataError: there is no such file or column, or nothing in it to learn from.
    """
    if isinstance(source, str) and source in BUILT_IN and not Path(source).exists():
        frame = _built_in(source)
        name, digest, target = source, _digest(_as_csv(frame)), target or BUILT_IN[source]
    elif isinstance(source, str | Path):
        name, content = Path(source).name, _content(source)
        frame, digest = _parse(name, content), _digest(content)
    else:
        name, frame = "the data-frame", _frame(source)
        digest = _digest(_as_csv(frame))
    return _split(name, frame, target, digest)


def _built_in(name: str) -> pl.DataFrame:
    if name == "engel":
        return pl.read_csv(resources.files("lossary.compare").joinpath("sets", "engel.csv").read_bytes())
    from sklearn import datasets

    bunch = {
        "diabetes": lambda: datasets.load_diabetes(scaled=False),
        "breast_cancer": datasets.load_breast_cancer,
        "digits": datasets.load_digits,
    }[name]()
    frame = pl.DataFrame(bunch.data, schema=[str(column) for column in bunch.feature_names])
    values = bunch.target if name != "breast_cancer" else [str(bunch.target_names[code]) for code in bunch.target]
    return frame.with_columns(pl.Series(BUILT_IN[name], values))


def _content(source: str | Path) -> bytes:
    path = Path(source)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        near = difflib.get_close_matches(str(source), BUILT_IN, n=1)
        advice = f"did you mean the built-in set {near[0]!r}?" if near else f"built-in sets: {', '.join(BUILT_IN)}."
        raise DataError(f"there is no file {source}; {advice}") from None
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or error}.") from None
    if not content.strip():
        raise DataError(f"{source} is empty.")
    return content


def _parse(name: str, content: bytes) -> pl.DataFrame:
    """Parquet by its magic number, anything else as text with separators."""
    try:
        if content.startswith(b"PAR1"):
            return pl.read_parquet(io.BytesIO(content))
        return _parse_text(name, content)
    except (pl.exceptions.PolarsError, OSError) as error:
        kind = "Parquet" if content.startswith(b"PAR1") else "CSV"
        raise DataError(f"{name} cannot be read as {kind}: {str(error).strip().splitlines()[0]}") from None


def _parse_text(name: str, content: bytes) -> pl.DataFrame:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise DataError(f"{name} is neither Parquet nor text in UTF-8; save the table as CSV (UTF-8) or Parquet.")
    first = text.split("\n", 1)[0]
    separator = max(",;\t|", key=first.count)
    try:
        header = pl.read_csv(io.StringIO(text), separator=separator, has_header=False, n_rows=1, infer_schema=False)
        _refuse_duplicates(name, [str(column or "") for column in header.row(0)])
        return pl.read_csv(
            io.StringIO(text), separator=separator, null_values=_MISSING, infer_schema_length=None, try_parse_dates=True
        )
    except pl.exceptions.PolarsError:
        _refuse_ragged(name, text, separator)
        raise


def _refuse_ragged(name: str, text: str, separator: str) -> None:
    rows = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        width = len(next(rows))
        for row in rows:
            if len(row) > width:
                raise DataError(
                    f"{name} cannot be read as CSV: line {rows.line_num:,} has {len(row):,} fields, "
                    f"but the header has {width:,}; quote fields that hold {separator!r}."
                )
    except csv.Error as error:
        raise DataError(f"{name} cannot be read as CSV: line {rows.line_num:,}: {error}.") from None


def _frame(source: Any) -> pl.DataFrame:
    try:
        names = [str(column) for column in getattr(source, "columns", ())]
        _refuse_duplicates("the data-frame", names)
        native = nw.from_native(source)
        frame = native.collect() if isinstance(native, nw.LazyFrame) else native
        if frame.implementation.is_pandas():
            # By way of Python: pandas hands text to polars through pyarrow only, which may not be there.
            return pl.DataFrame({str(name): _listed(frame[name]) for name in frame.columns}, strict=False)
        return frame.to_polars()
    except TypeError:
        kind = f"{type(source).__module__}.{type(source).__qualname__}"
        raise DataError(f"compare takes a path, the name of a built-in set or a data-frame, not {kind}.") from None


def _listed(column: nw.Series[Any]) -> list[Any]:
    """A column's values, None for each that is missing, however its library writes that."""
    return [
        None if missing else value for value, missing in zip(column.to_list(), column.is_null().to_list(), strict=True)
    ]


def _refuse_duplicates(name: str, columns: list[str]) -> None:
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise DataError(f"{name} has more than one column named {twice[0]!r}; give each column a name of its own.")


def _split(name: str, frame: pl.DataFrame, target: str | None, digest: str) -> Data:
    columns = frame.columns
    shown = ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")
    if target is None:
        raise DataError(f"which column is to be predicted? Name it with --target; {name} has {shown}.")
    if target not in columns:
        lowered = {column.strip().lower(): column for column in columns}
        near = difflib.get_close_matches(target.strip().lower(), lowered, n=1)
        advice = f"; did you mean {lowered[near[0]]!r}?" if near else f"; it has {shown}."
        raise DataError(f"{name} has no column {target!r}{advice}")
    notes: list[str] = []
    if "" in columns:
        frame = frame.drop("")
        notes.append("a column without a name (row numbers, as a rule) is left out")
    frame = frame.select(_numbers_where_possible(frame[column]) for column in frame.columns)
    present = frame[target].is_not_null()
    if frame[target].dtype.is_float():
        present &= frame[target].is_finite().fill_null(False)
    if not present.any():
        raise DataError(
            f"column {target!r} of {name} holds no value to predict: "
            + ("there are no rows." if frame.height == 0 else "all are missing.")
        )
    not_numbers = _not_numbers(frame[target])
    missing = frame.height - int(present.sum())
    if missing:
        notes.append(f"{missing:,} {'row' if missing == 1 else 'rows'} without a (finite) {target} left out")
        frame = frame.filter(present)
    return Data(name, target, frame.drop(target), frame[target], digest, tuple(notes), not_numbers)


def _numbers_where_possible(column: pl.Series) -> pl.Series:
    """Text that holds nothing but numbers (blanks around them, say) as numbers; anything else as it is."""
    if column.dtype != pl.String:
        return column
    numbers = column.str.strip_chars().cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == column.null_count() < len(column) else column


def _not_numbers(column: pl.Series) -> NotNumbers | None:
    if column.dtype != pl.String:
        return None
    cells = column.drop_nulls()
    numbers = cells.str.strip_chars().cast(pl.Float64, strict=False).is_not_null()
    likely = numbers | cells.str.contains(f"^{_DECIMAL_COMMA}$")
    wrong = column.is_not_null() & column.str.strip_chars().cast(pl.Float64, strict=False).is_null()
    row = int(wrong.arg_max() or 0)
    return NotNumbers(column[row], row + 1, bool(2 * likely.sum() > len(cells)))


def _as_csv(frame: pl.DataFrame) -> bytes:
    flat = frame.select(pl.selectors.by_dtype(pl.String, pl.Boolean) | pl.selectors.numeric() | pl.selectors.temporal())
    return flat.write_csv().encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
