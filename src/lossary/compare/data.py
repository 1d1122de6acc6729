"""First stage: a file, a data-frame or a built-in set becomes features and a target."""

from __future__ import annotations

import codecs
import contextlib
import csv
import dataclasses
import decimal
import difflib
import hashlib
import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, final

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from lossary.errors import DataError

# The built-in sets, each with the column that is predicted unless another is named.
BUILT_IN = {
    "engel": "foodexp",
    "diabetes": "progression",
    "breast_cancer": "diagnosis",
    "iris": "species",
    "wine": "cultivar",
    "digits": "digit",
}

_DECIMAL_COMMA = r"\s*[+-]?[\d.]*\d,\d+\s*"
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m")
_TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")
_FIRST = 10_000  # rows that the types of columns are read from
_CHUNK = 1 << 22  # bytes that are read at once
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
    missing: float | None = None  # the number that stands for a target that is not known
    groups: npt.NDArray[np.int64] | None = None  # which group each row belongs to
    order: npt.NDArray[np.float64] | None = None  # when each row was, as a number that grows with time
    weight: npt.NDArray[np.float64] | None = None  # how much each row counts, 0 or more
    rows: npt.NDArray[np.int64] | None = None  # where each row was, from 1 below the header; None: all, in order

    def keep(self, rows: pl.Series, note: str) -> Data:
        """Only the rows that are True, and why."""
        chosen = rows.to_numpy()
        return dataclasses.replace(
            self,
            features=self.features.filter(rows),
            values=self.values.filter(rows),
            notes=(*self.notes, note),
            groups=None if self.groups is None else self.groups[chosen],
            order=None if self.order is None else self.order[chosen],
            weight=None if self.weight is None else self.weight[chosen],
            rows=None if self.rows is None else self.rows[chosen],
        )


def read(
    source: Any,
    target: str | None = None,
    *,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    missing: str | float | None = None,
    drop: Iterable[str] = (),
) -> Data:
    """The data that `source` names or holds.

    Args:
        source: a path (CSV, TSV, Parquet), the name of a built-in set, any data-frame, or (X, y): features of shape
            (rows, columns) as an array or data-frame, and the target of shape (rows,).
        target: the column to predict; built-in sets and (X, y) know theirs.
        group: a column of rows that belong together, so that they are never split between training and test.
        time: a column of dates, times or numbers, so that training is always before the test.
        weight: a column of numbers, 0 or more: how much each row counts.
        missing: what stands in the target where it is not known, such as -999; blanks and NaN always are missing.
        drop: columns to leave out.

    Raises:
        DataError: there is no such file or column, or nothing in it to learn from.
    """
    if isinstance(source, str) and source in BUILT_IN and not Path(source).exists():
        frame = _built_in(source)
        name, digest, target = source, _digest_of(frame), target or BUILT_IN[source]
    elif isinstance(source, str | Path):
        name = Path(source).name
        frame, digest = _file(Path(source))
    elif isinstance(source, tuple):
        name = "the arrays"
        frame, target = _pair(source, target)
        digest = _digest_of(frame)
    else:
        name, frame = "the data-frame", _frame(source)
        digest = _digest_of(frame)
    roles: dict[str, Any] = {"group": group, "time": time, "weight": weight}
    roles = {role: column for role, column in roles.items() if column}
    return _split(name, frame, target, digest, roles, None if missing is None else str(missing), tuple(drop))


def _built_in(name: str) -> pl.DataFrame:
    if name == "engel":
        return pl.read_csv(resources.files("lossary.compare").joinpath("sets", "engel.csv").read_bytes())
    from sklearn import datasets

    bunch = {
        "diabetes": lambda: datasets.load_diabetes(scaled=False),
        "breast_cancer": datasets.load_breast_cancer,
        "iris": datasets.load_iris,
        "wine": datasets.load_wine,
        "digits": datasets.load_digits,
    }[name]()
    frame = pl.DataFrame(bunch.data, schema=[str(column) for column in bunch.feature_names])
    named = name in ("breast_cancer", "iris", "wine")
    values = [str(bunch.target_names[code]) for code in bunch.target] if named else bunch.target
    return frame.with_columns(pl.Series(BUILT_IN[name], values))


def _file(path: Path) -> tuple[pl.DataFrame, str]:
    """Parquet by its magic number, anything else as text with separators; and the SHA-256 of the file."""
    name, digest, head, text = path.name, hashlib.sha256(), b"", codecs.getincrementaldecoder("utf-8")()
    readable, blank = True, True
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                head = head or chunk[:4]
                blank = blank and not chunk.strip()
                readable = readable and head != b"PAR1" and b"\0" not in chunk and _decodes(text, chunk)
    except FileNotFoundError:
        near = difflib.get_close_matches(str(path), BUILT_IN, n=1)
        advice = f"did you mean the built-in set {near[0]!r}?" if near else f"built-in sets: {', '.join(BUILT_IN)}."
        raise DataError(f"there is no file {path}; {advice}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    if blank:
        raise DataError(f"{path} is empty.")
    kind = "Parquet" if head == b"PAR1" else "CSV"
    if kind == "CSV" and not (readable and _decodes(text, b"", final=True)):
        raise DataError(f"{name} is neither Parquet nor text in UTF-8; save the table as CSV (UTF-8) or Parquet.")
    try:
        frame = pl.read_parquet(path, glob=False) if kind == "Parquet" else _text(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{name} cannot be read as {kind}: {str(error).strip().splitlines()[0]}") from None
    return frame, digest.hexdigest()


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _text(path: Path) -> pl.DataFrame:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
    separator = max(",;\t|", key=first.count)
    try:
        header = pl.read_csv(path, separator=separator, has_header=False, n_rows=1, infer_schema=False, glob=False)
        _refuse_duplicates(path.name, [str(column or "") for column in header.row(0)])
        return _typed(path, separator)
    except pl.exceptions.PolarsError:
        _refuse_ragged(path, separator)
        raise


def _typed(path: Path, separator: str) -> pl.DataFrame:
    """Types from the first rows, and from all of them where later rows are of another type."""
    options: dict[str, Any] = {"separator": separator, "null_values": _MISSING, "try_parse_dates": True, "glob": False}
    try:
        return pl.read_csv(path, infer_schema_length=_FIRST, **options)
    except pl.exceptions.PolarsError:
        return pl.read_csv(path, infer_schema_length=None, **options)


def _refuse_ragged(path: Path, separator: str) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=separator)
        try:
            width = len(next(rows))
            for row in rows:
                if len(row) > width:
                    raise DataError(
                        f"{path.name} cannot be read as CSV: line {rows.line_num:,} has {len(row):,} fields, "
                        f"but the header has {width:,}; quote fields that hold {separator!r}."
                    )
        except csv.Error as error:
            raise DataError(f"{path.name} cannot be read as CSV: line {rows.line_num:,}: {error}.") from None


def _pair(source: tuple[Any, ...], target: str | None) -> tuple[pl.DataFrame, str]:
    """Features and a target, as scikit-learn takes them."""
    if len(source) != 2:
        raise DataError(f"compare takes two arrays, (X, y), not {len(source)}.")
    try:
        table = _frame(source[0]) if hasattr(source[0], "columns") else np.asarray(source[0])
        values = pl.Series(np.asarray(source[1]))
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(f"the arrays cannot be read: {str(error).strip().splitlines()[0]}.") from None
    if isinstance(table, np.ndarray):
        if table.ndim != 2:
            raise DataError(f"X must have the shape (rows, columns), not {table.shape}.")
        if table.dtype.kind not in "biuf":
            raise DataError(f"X must hold numbers, not {table.dtype}; a data-frame may hold text too.")
        table = pl.DataFrame(table, schema=[f"x{column + 1}" for column in range(table.shape[1])])
    if values.dtype.is_nested() or len(values) != table.height:
        raise DataError(f"y must have the shape ({table.height},), as X has so many rows, not {np.shape(source[1])}.")
    name = target or "y"
    if name in table.columns:
        raise DataError(f"X has a column {name!r} itself; name the target otherwise, by target=.")
    return table.with_columns(values.alias(name)), name


def _frame(source: Any) -> pl.DataFrame:
    try:
        if nw.dependencies.is_pandas_like_dataframe(source):  # others have no columns of the same name
            _refuse_duplicates("the data-frame", [str(column) for column in source.columns])
        native = nw.from_native(source)
        frame = native.collect() if isinstance(native, nw.LazyFrame) else native
        if frame.implementation.is_pandas():
            # By way of Python: pandas hands text to polars through pyarrow only, which may not be there.
            # By their places, for pandas' names may be numbers.
            return pl.DataFrame(
                [_plain(str(name), column) for name, column in zip(frame.columns, frame.iter_columns(), strict=True)]
            )
        return frame.to_polars()
    except TypeError:
        kind = f"{type(source).__module__}.{type(source).__qualname__}"
        raise DataError(
            f"lossary takes a path, the name of a built-in set, a data-frame or arrays (X, y), not {kind}."
        ) from None


def _plain(name: str, column: nw.Series[Any]) -> pl.Series:
    """A column of pandas: None for each value that is missing, and the order of ordered categories kept."""
    missing = column.is_null()
    if column.dtype.is_numeric() and not missing.any():
        return pl.Series(name, column.to_numpy())
    values = [None if gone else value for value, gone in zip(column.to_list(), missing.to_list(), strict=True)]
    kind = pl.Enum([str(each) for each in column.dtype.categories]) if isinstance(column.dtype, nw.Enum) else None
    return pl.Series(name, values if kind is None else [value and str(value) for value in values], kind, strict=False)


def _refuse_duplicates(name: str, columns: list[str]) -> None:
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise DataError(f"{name} has more than one column named {twice[0]!r}; give each column a name of its own.")


def _split(
    name: str,
    frame: pl.DataFrame,
    target: str | None,
    digest: str,
    roles: dict[str, str],
    missing: str | None,
    drop: tuple[str, ...],
) -> Data:
    if target is None:
        shown = _shown(frame.columns)
        raise DataError(f"which column is to be predicted? Name it with --target; {name} has {shown}.")
    for column in (target, *roles.values(), *drop):
        _refuse_unknown(name, frame.columns, column)
    _refuse_two_roles({"target": target, **roles}, drop)
    frame = frame.drop(drop)
    notes: list[str] = []
    if "" in frame.columns:
        frame = frame.drop("")
        notes.append("a column without a name (row numbers, as a rule) is left out")
    if missing is not None:
        frame = frame.with_columns(_without(frame[target], missing))
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
    rows = np.arange(1, frame.height + 1)
    absent = frame.height - int(present.sum())
    if absent:
        notes.append(f"{_rows(absent)} without a (finite) {target} left out")
        frame, rows = frame.filter(present), rows[present.to_numpy()]
    for column in (roles[role] for role in ("group", "time") if role in roles):
        gone = frame[column].null_count()
        if gone:
            notes.append(f"{_rows(gone)} without a {column} left out")
            present = frame[column].is_not_null()
            frame, rows = frame.filter(present), rows[present.to_numpy()]
            if not frame.height:
                raise DataError(f"column {column!r} of {name} holds no value: all are missing.")
    data = Data(
        name,
        target,
        frame.drop(target, *roles.values()),
        frame[target],
        digest,
        tuple(notes),
        not_numbers,
        None if missing is None else _number(missing),
        groups=_groups(frame[roles["group"]]) if "group" in roles else None,
        order=_order(frame[roles["time"]]) if "time" in roles else None,
        weight=_weight(frame[roles["weight"]]) if "weight" in roles else None,
        rows=rows,
    )
    if data.weight is not None and (data.weight == 0).any():
        counted = pl.Series(data.weight > 0)
        return data.keep(counted, f"{_rows(len(counted) - int(counted.sum()))} of weight 0 left out")
    return data


def _number(text: str) -> float | None:
    """A finite number, whole where it is written so; None for anything else."""
    with contextlib.suppress(ArithmeticError, ValueError):
        number = decimal.Decimal(text)
        return int(number) if number == int(number) else float(number)
    return None


def _without(column: pl.Series, missing: str) -> pl.Series:
    """The column with nothing where that stands, which may be a number in another spelling."""
    text = column.cast(pl.String).str.strip_chars()
    gone = text == missing.strip()
    with contextlib.suppress(ArithmeticError, ValueError):
        number = decimal.Decimal(missing)
        if not column.dtype.is_integer():
            gone |= text.cast(pl.Float64, strict=False) == float(number)
        elif number == int(number):  # of which a float might not have all digits
            gone |= column == int(number)
    gone = gone.fill_null(False)
    if not gone.any() and missing.strip() not in (*_MISSING, "skip"):  # which is nothing already, or says so
        raise DataError(f"no {column.name} is {missing!r}, which --missing says stands for one that is not known.")
    return column.set(gone, None)


def _refuse_unknown(name: str, columns: list[str], column: str) -> None:
    if column not in columns:
        lowered = {each.strip().lower(): each for each in columns}
        near = difflib.get_close_matches(column.strip().lower(), lowered, n=1)
        advice = f"; did you mean {lowered[near[0]]!r}?" if near else f"; it has {_shown(columns)}."
        raise DataError(f"{name} has no column {column!r}{advice}")


def _refuse_two_roles(roles: dict[str, str], drop: tuple[str, ...]) -> None:
    taken: dict[str, str] = {}
    for role, column in [*roles.items(), *(("drop", column) for column in drop)]:
        if taken.setdefault(column, role) != role:
            raise DataError(f"column {column!r} cannot be both --{taken[column]} and --{role}.")


def _groups(column: pl.Series) -> npt.NDArray[np.int64]:
    codes = column.rank("dense").to_numpy().astype(np.int64) - 1
    if codes.max() == 0:
        raise DataError(f"column {column.name!r} has only one group, {column[0]!r}; a split needs at least two.")
    return codes


def _order(column: pl.Series) -> npt.NDArray[np.float64]:
    if column.dtype == pl.String:
        column = _times(column)
    if column.dtype.is_temporal():
        column = column.to_physical()
    elif not column.dtype.is_numeric():
        raise DataError(f"column {column.name!r} holds {column.dtype}; --time takes dates, times or numbers.")
    order = column.cast(pl.Float64).to_numpy().astype(np.float64)
    if not np.isfinite(order).all():
        row = int(np.argmin(np.isfinite(order)))
        raise DataError(f"column {column.name!r} has {order[row]} in row {row + 1:,}; --time takes finite numbers.")
    return order


def _times(column: pl.Series) -> pl.Series:
    """Dates or times written as text."""
    trimmed = column.str.strip_chars()
    tries = [trimmed.str.to_date(style, strict=False) for style in _DATES]
    tries += [trimmed.str.to_datetime(style, strict=False) for style in _TIMES]
    best = min(tries, key=lambda each: each.null_count())
    if best.null_count():
        row = int(best.is_null().arg_max() or 0)
        raise DataError(
            f"column {column.name!r} holds {column[row]!r} in row {row + 1:,}, which is no date or time that can be "
            "read; write 2024-12-31, 2024-12-31 23:59:59, or a number."
        )
    return best


def _weight(column: pl.Series) -> npt.NDArray[np.float64]:
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise DataError(f"column {column.name!r} holds {column.dtype}; --weight takes numbers.")
    weight = column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        row = int(bad.argmax())
        value = "no value" if np.isnan(weight[row]) else f"{weight[row]:g}"
        raise DataError(f"column {column.name!r} has {value} in row {row + 1:,}; a weight is 0 or more.")
    if not weight.any():
        raise DataError(f"column {column.name!r} is 0 in every row: nothing counts.")
    return weight


def _shown(columns: list[str]) -> str:
    return ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")


def _rows(number: int) -> str:
    return f"{number:,} {'row' if number == 1 else 'rows'}"


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


def _digest_of(frame: pl.DataFrame) -> str:
    """SHA-256 of a data-frame written as CSV, piece by piece, so that the text is never whole in memory."""
    flat = frame.select(
        pl.selectors.by_dtype(pl.String, pl.Boolean, pl.Categorical, pl.Enum)
        | pl.selectors.numeric()
        | pl.selectors.temporal()
    )
    digest = hashlib.sha256()
    for index, part in enumerate(flat.iter_slices(100_000)):
        digest.update(part.write_csv(include_header=index == 0).encode())
    return digest.hexdigest()
