"""Second stage: what the data are, before anything is trained."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, final, get_args

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lossary.compare import findings
from lossary.compare.data import Data
from lossary.define.choice import Facts
from lossary.errors import DataError, ParameterError

__all__ = [
    "Codes",
    "Facts",  # defined for the rules of hyper-parameters, made here
    "Numbers",
    "Profile",
    "Task",
    "check",
    "class_facts",
    "linear_residuals",
    "preprocessor",
    "profile",
    "regression_facts",
]

Task = Literal["regression", "binary", "multiclass"]
Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_FEW_NUMBERS = 20  # whole numbers with at most so many values, each often enough, are taken for classes
_FEW_LEVELS = 50  # text with more levels says something about single rows, not about kinds of rows
_ROWS_PER_LEVEL = 3
_LARGEST = 1e100  # beyond it, and below its inverse, squares leave what a number can hold
_SAMPLE = 10_000  # rows that the residuals of the linear fit are estimated from


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Profile:
    """What the data are: the task, arrays to train on, and findings as sentences."""

    data: Data
    task: Task
    table: Numbers  # numbers first (NaN: missing), then categories as codes (-1: missing)
    categories: int  # how many of the last columns of `table` are codes
    y: Numbers | Codes  # the target: its values, or the position of each value in `classes`
    classes: tuple[str, ...]
    facts: Facts
    findings: tuple[str, ...]
    notes: tuple[str, ...]  # what was done to the data
    groups: Codes | None = None  # the group of each row, whose rows stay together
    order: Numbers | None = None  # the time of each row
    weight: Numbers | None = None  # how often each row counts
    ordered: bool = False  # whether the classes look ordered
    kinds: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)  # columns by kind
    residuals: Numbers = dataclasses.field(default_factory=lambda: np.zeros(0))  # of a linear fit, of a sample at most
    predicted: Numbers = dataclasses.field(default_factory=lambda: np.zeros(0))  # by that fit
    outliers: float = 0.0  # the share of these residuals that are far out

    @property
    def rows(self) -> int:
        return len(self.y)


def check(task: str | None) -> None:
    """Refuse a task that there is not, before anything is read.

    Raises:
        ParameterError: there is no such task.
    """
    if task is not None and task not in get_args(Task):
        raise ParameterError(f"task must be one of {', '.join(get_args(Task))}, not {task!r}.")


def profile(data: Data, task: str | None = None) -> Profile:
    """Look at the data: infer the task unless it is given, and make the columns numbers.

    Raises:
        DataError: nothing can be learnt from these data, or not the task that was asked for.
        ParameterError: there is no such task.
    """
    check(task)
    if task is None and data.not_numbers and data.not_numbers.exceptional and data.values.n_unique() > _FEW_NUMBERS:
        raise DataError(f"column {data.target!r} holds {_kind(data)}; correct it, or leave the row out.")
    data, y, classes, kind, why = _target(data, task)
    table, kinds, notes = _features(data.features)
    categories = len(kinds["categories"])
    residuals = predicted = np.zeros(0)
    outliers = 0.0
    if kind == "regression":
        residuals, predicted = linear_residuals(table, categories, y)
        facts = regression_facts(y, residuals)
        outliers = findings.outlying(residuals, facts.spread)
        sentences = [f"regression{why}", *_regression_findings(y, residuals, predicted, facts)]
    else:
        noise = findings.wrong_labels(table, y, preprocessor(table.shape[1], categories))
        facts = dataclasses.replace(class_facts(y, len(classes)), noise=noise)
        sentences = [
            f"{'binary' if kind == 'binary' else 'multi-class'}{why}",
            findings.imbalance(facts.counts, classes),
        ]
        if noise:
            sentences.append(f"about {findings.percent(noise)} of the labels may be wrong")
    used = [*kinds["numbers"], *kinds["categories"]]
    sentences += findings.duplicates(data.features.select(used), data.values, bool(classes))
    sentences += findings.leaks(used, table, y, len(classes))
    ordered = _ordered(data.values, classes)
    if ordered and not data.values.dtype.is_numeric():
        sentences.append(f"ordered classes: {' < '.join(classes)}")
    elif ordered and not why:
        sentences.append("classes may be ordered, as whole numbers are")
    return Profile(
        data,
        kind,
        table,
        categories,
        y,
        classes,
        facts,
        tuple(sentences),
        (*data.notes, *notes),
        ordered=ordered,
        kinds=kinds,
        groups=data.groups,
        order=data.order,
        weight=data.weight,
        residuals=residuals,
        predicted=predicted,
        outliers=outliers,
    )


def preprocessor(width: int, categories: int) -> ColumnTransformer:
    """What is fitted inside a fold: missing numbers filled by the median, all standardised; categories one-hot."""
    numbers = width - categories
    return ColumnTransformer(
        [
            (
                "numbers",
                Pipeline(
                    [
                        ("fill", SimpleImputer(strategy="median", keep_empty_features=True)),
                        ("standardise", StandardScaler()),
                    ]
                ),
                list(range(numbers)),
            ),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), list(range(numbers, width))),
        ]
    )


def linear_residuals(table: Numbers, categories: int, y: Numbers) -> tuple[Numbers, Numbers]:
    """What a cross-validated ridge regression leaves unexplained, and what it predicts."""
    if len(y) > _SAMPLE:
        chosen = np.random.default_rng(0).choice(len(y), _SAMPLE, replace=False)
        table, y = table[chosen], y[chosen]
    if len(y) < 10:
        return y - np.median(y), np.full_like(y, np.median(y))
    model = make_pipeline(preprocessor(table.shape[1], categories), RidgeCV(alphas=np.logspace(-3, 5, 9)))
    predicted = cross_val_predict(model, table, y, cv=KFold(5, shuffle=True, random_state=0))
    return y - predicted, predicted


def regression_facts(y: Numbers, residuals: Numbers) -> Facts:
    """Robust location and scale of the target, and the robust spread of the residuals."""
    center = float(np.median(y))
    scale = _interquartile_range(y) or float(np.std(y)) or 1.0
    spread = 1.4826 * float(np.median(np.abs(residuals - np.median(residuals))))
    return Facts(center, scale, spread or float(np.std(residuals)) or scale)


def class_facts(y: Codes, classes: int) -> Facts:
    """Rows per class."""
    return Facts(counts=tuple(np.bincount(y, minlength=classes).tolist()))


def _target(data: Data, task: str | None) -> tuple[Data, Any, tuple[str, ...], Task, str]:
    """The target as numbers or class codes, the task, and how the task was found."""
    values, name = data.values, data.target
    if len(values) < 2:
        raise DataError(f"{data.name} has 1 row with a {name}; a comparison needs at least 10.")
    numeric = values.dtype.is_numeric()
    if not (numeric or values.dtype in (pl.String, pl.Boolean, pl.Categorical, pl.Enum)):
        raise DataError(f"column {name!r} holds {values.dtype}; compare predicts numbers or classes.")
    levels = values.n_unique()
    if levels == 1:
        what = "one class" if task in ("binary", "multiclass") or not numeric else "one value"
        raise DataError(f"column {name!r} of {data.name} has only {what}, {values[0]!r}: there is nothing to predict.")
    whole = not numeric or bool((values.cast(pl.Float64) == values.cast(pl.Float64).round()).all())
    if task is not None:
        kind, why = task, ""
    elif not numeric or levels == 2:
        kind, why = "binary" if levels == 2 else "multiclass", ""
    elif whole and levels <= _FEW_NUMBERS and len(values) >= 5 * levels:
        kind, why = "multiclass", f", for {levels} whole numbers (if they are amounts: --task regression)"
    else:
        kind, why = "regression", ""
    if kind == "regression":
        if not numeric:
            raise DataError(f"column {name!r} holds {_kind(data)}; regression needs numbers.")
        return data, _amounts(data), (), "regression", why
    if kind == "binary" and levels > 2:
        raise DataError(
            f"column {name!r} has {levels:,} values, and a binary task two: --task multiclass or regression."
        )
    if levels > max(_FEW_NUMBERS, len(values) // _ROWS_PER_LEVEL):
        raise DataError(f"column {name!r} has {levels:,} values in {len(values):,} rows; too many for classes.")
    data, values = _without_single_members(data)
    sortable = values if numeric else values.cast(pl.String)
    order = _in_order(values, sortable)
    if len(order) < 2:
        raise DataError(f"column {name!r} of {data.name} has only one class with more than one row.")
    position = {level: code for code, level in enumerate(order)}
    codes = np.array([position[level] for level in sortable.to_list()], dtype=np.int64)
    named: Task = "binary" if kind == "binary" or (task is None and len(order) == 2) else "multiclass"
    return data, codes, tuple(_label(level) for level in order), named, why


def _in_order(values: pl.Series, sortable: pl.Series) -> list[Any]:
    """The classes: as their type or their words order them, or by value or alphabet."""
    order = sortable.unique().sort().to_list()
    if isinstance(values.dtype, pl.Enum):
        return [level for level in values.dtype.categories.to_list() if level in order]
    return (findings.scale_of_words(order) if values.dtype == pl.String else None) or order


def _ordered(values: pl.Series, classes: tuple[str, ...]) -> bool:
    """Whether the classes look ordered: numbers, an ordered type, or words whose order is certain."""
    if len(classes) < 3:
        return False
    return values.dtype.is_numeric() or values.dtype == pl.Enum or findings.scale_of_words(list(classes)) is not None


def _amounts(data: Data) -> Numbers:
    y = data.values.cast(pl.Float64).to_numpy().astype(np.float64)
    size = float(np.abs(y).max())
    if not 1 / _LARGEST < size < _LARGEST:
        raise DataError(
            f"column {data.target!r} has values of size {size:.0e}, whose squares a number cannot hold; "
            "write them in another unit."
        )
    return y


def _without_single_members(data: Data) -> tuple[Data, pl.Series]:
    """A class with one row cannot be both learnt and tested: such rows are left out."""
    counts = data.values.value_counts(name="rows")
    single = counts.filter(pl.col("rows") == 1)[data.target]
    if not len(single):
        return data, data.values
    keep = ~data.values.is_in(single.implode())
    labels = ", ".join(sorted(_label(level) for level in single.to_list()[:5])) + (", …" if len(single) > 5 else "")
    note = f"left out, as a class with one row cannot be both learnt and tested: {data.target} = {labels}"
    kept = data.keep(keep, note)
    return kept, kept.values


def _features(frame: pl.DataFrame) -> tuple[Numbers, dict[str, tuple[str, ...]], tuple[str, ...]]:
    """The columns as one matrix, numbers first and then codes, their names by kind, and what was done to them."""
    numbers: list[pl.Series] = []
    codes: list[pl.Series] = []
    left_out: list[str] = []
    infinite = 0
    for column in frame:
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            plain = column.cast(pl.Float64).fill_nan(None)
            endless = (plain.abs() > _LARGEST).fill_null(False)
            infinite += int(endless.sum())
            plain = plain.set(endless, None) if endless.any() else plain
            if plain.null_count() == len(plain) or plain.min() == plain.max():
                left_out.append(f"{column.name} ({'empty' if plain.null_count() == len(plain) else 'constant'})")
            else:
                numbers.append(plain)
        elif column.dtype in (pl.String, pl.Categorical, pl.Enum):
            levels = column.n_unique()  # missing is a level too
            if levels < 2:
                left_out.append(f"{column.name} ({'empty' if column.null_count() else 'constant'})")
            elif levels > _FEW_LEVELS or levels * _ROWS_PER_LEVEL > len(column):
                left_out.append(f"{column.name} (text, {levels:,} values)")
            else:
                codes.append(column.cast(pl.String).rank("dense").cast(pl.Float64))
        else:
            left_out.append(f"{column.name} ({'empty' if column.dtype == pl.Null else column.dtype})")
    if not numbers and not codes:
        why = f"; left out: {_listed(left_out)}." if left_out else "."
        raise DataError(f"there is no column to predict from{why}")
    notes = []
    if left_out:
        notes.append(f"columns left out: {_listed(left_out)}")
    if codes:
        notes.append(f"text as categories (one-hot): {_listed([column.name for column in codes])}")
    if infinite:
        notes.append(f"{_counted(infinite, 'infinite value')} treated as missing")
    notes += _gaps(numbers, codes)
    kinds = {
        "numbers": tuple(column.name for column in numbers),
        "categories": tuple(column.name for column in codes),
        "left out": tuple(left_out),
    }
    table = pl.DataFrame([*numbers, *(column.fill_null(-1.0) for column in codes)]).to_numpy(order="c")
    return table.astype(np.float64, copy=False), kinds, tuple(notes)


def _gaps(numbers: list[pl.Series], codes: list[pl.Series]) -> list[str]:
    """How many values are missing, and what is done about it, for the kinds of columns in which some are."""
    gaps = [[column.null_count() for column in columns if column.null_count()] for columns in (numbers, codes)]
    treatments = ("numbers filled by the training fold's median", "text as a level")
    done = [treatment for treatment, counts in zip(treatments, gaps, strict=True) if counts]
    every = [*gaps[0], *gaps[1]]
    if not every:
        return []
    return [f"{_counted(sum(every), 'missing value')} in {_counted(len(every), 'column')}: {', '.join(done)}"]


def _regression_findings(y: Numbers, residuals: Numbers, predicted: Numbers, facts: Facts) -> list[str]:
    sentences = [
        findings.placeholder(y),
        findings.counts(y),
        findings.skew(y),
        findings.zeros(y),
        findings.spread(residuals, predicted),
        findings.tails(residuals),
        findings.outliers(residuals, facts.spread),
    ]
    return [each for each in sentences if each is not None]


def _interquartile_range(values: Numbers) -> float:
    low, high = np.percentile(values, [25, 75])
    return float(high - low)


def _kind(data: Data) -> str:
    """What a target holds that are no numbers, and where."""
    if data.not_numbers is None:
        return "true or false"
    first = data.not_numbers
    commas = " (a decimal comma: write 1.5, not 1,5)" if first.decimal_comma else ""
    return f"text, such as {first.text!r} in row {first.row:,}{commas}"


def _label(level: object) -> str:
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


def _listed(names: list[str], at_most: int = 6) -> str:
    return ", ".join(names[:at_most]) + (f" and {len(names) - at_most} more" if len(names) > at_most else "")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
