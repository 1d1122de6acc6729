"""What is worth knowing of a table before anything is trained: each finding one sentence, or None."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_FEWEST = 100  # rows, below which shapes of distributions are luck
_SURE = 3.0  # standard errors that a figure must be away from what is ordinary
_FAR = 3.5  # robust standard deviations from which a residual is an outlier
_SAMPLE = 20_000  # rows that relations between columns are looked for in, before they are confirmed in all
_VARIED, _AGAIN = 10, 3  # values, at least, beside one that occurs so often
_REPEATED = 5  # rows per value at least, for a column of kinds
_PRESENT = 0.5  # of a column's values, at least, for it to tell the target
_MISTAKEN = 0.02  # the share of labels that is no news: a good table has so many wrong ones
_LABELS = 5_000  # rows that labels are doubted in
_LASTING = 0.75  # of the disagreement, must remain where a fit is surest, if labels are to blame
_NEIGHBOURS, _FEW_ALIKE = 10, 2  # and at most so many of them have the label of a row that is suspected

# Scales of words whose order is certain; a target that takes at least three words of one, and no others, is ordered.
_SCALES = (
    ("none", "very low", "low", "medium", "high", "very high"),
    ("low", "moderate", "high"),
    ("tiny", "small", "medium", "large", "huge"),
    ("none", "mild", "moderate", "severe"),
    ("never", "rarely", "sometimes", "often", "always"),
    ("very bad", "bad", "average", "good", "very good"),
    ("poor", "fair", "good", "very good", "excellent"),
    ("strongly disagree", "disagree", "neutral", "agree", "strongly agree"),
    ("very dissatisfied", "dissatisfied", "neutral", "satisfied", "very satisfied"),
    ("first", "second", "third", "fourth", "fifth"),
)


# ── a target that is a number ────────────────────────────────────────────────────────────────────────────────────────


def spread(residuals: Numbers, predicted: Numbers) -> str | None:
    """Whether residuals spread wider where predictions are high than where they are low."""
    if len(residuals) < _FEWEST or not np.ptp(predicted):
        return None
    fifth = len(residuals) // 5
    order = np.argsort(predicted, kind="stable")
    low, high = (_interquartile_range(residuals[part]) for part in (order[:fifth], order[-fifth:]))
    # The logarithm of a ratio of two interquartile ranges of normal samples has a standard error of 1.65 / √rows.
    ordinary = max(1.5, float(np.exp(_SURE * 1.65 / np.sqrt(fifth))))
    if not low or not high or 1 / ordinary < high / low < ordinary:
        return None
    grows, factor = ("grows", high / low) if high > low else ("shrinks", low / high)
    return f"spread {grows} {factor:.1f}x from the lowest to the highest fifth"


def outlying(residuals: Numbers, robust_deviation: float) -> float:
    """The share of residuals that are further out than normal errors ever are."""
    return float(np.mean(np.abs(residuals - np.median(residuals)) > _FAR * robust_deviation))


def outliers(residuals: Numbers, robust_deviation: float) -> str | None:
    share = outlying(residuals, robust_deviation)
    return f"{percent(share)} outliers" if share else None


def tails(residuals: Numbers) -> str | None:
    """Hogg's kurtosis: how far the outer twentieths are apart, measured by the halves; 2.6 for normal errors."""
    if len(residuals) < _FEWEST:
        return None
    ordered = np.sort(residuals)
    outer, half = round(0.05 * len(ordered)), len(ordered) // 2
    width = ordered[-half:].mean() - ordered[:half].mean()
    if not width:
        return None
    kurtosis = (ordered[-outer:].mean() - ordered[:outer].mean()) / width
    if kurtosis < 2.585 + 0.2 + _SURE * 1.74 / np.sqrt(len(ordered)):
        return None
    return f"heavy tails (robust kurtosis {kurtosis:.1f}; normal errors have 2.6)"


def skew(y: Numbers) -> str | None:
    """Kelly's: where the median lies between the deciles, from −1 to 1; 0 for a symmetric target."""
    if len(y) < _FEWEST:
        return None
    low, middle, high = np.quantile(y, [0.1, 0.5, 0.9])
    if high == low:
        return None
    value = (high + low - 2 * middle) / (high - low)
    if abs(value) < 0.1 + _SURE * 1.05 / np.sqrt(len(y)):
        return None
    return f"{'right' if value > 0 else 'left'}-skewed (robust skew {value:.1f})"


def placeholder(y: Numbers) -> str | None:
    """A number that occurs again and again further from all others than those are from one another."""
    values, counts = np.unique(y, return_counts=True)
    if len(values) < _VARIED:
        return None
    for place, rest in ((0, values[1:]), (-1, values[:-1])):
        gap = np.abs(rest - values[place]).min()
        if counts[place] >= _AGAIN and gap > np.ptp(rest):
            value = repr(float(values[place])).removesuffix(".0")
            return (
                f"{counts[place]:,} targets are {value}, far from all others: if it stands for none, --missing {value}"
            )
    return None


def zeros(y: Numbers) -> str | None:
    share = float(np.mean(y == 0))
    return f"{percent(share)} zeros" if share >= 0.05 else None


def counts(y: Numbers) -> str | None:
    """Whole numbers from 0 up, some of them small: counts, and how they spread compared with Poisson's."""
    if y.min() < 0 or np.quantile(y, 0.1) > 10 or not (y == np.round(y)).all():
        return None
    ratio = float(y.var() / y.mean())
    if not 0.8 < ratio < 1.25:
        return f"counts, {'over' if ratio > 1 else 'under'}dispersed: variance {ratio:.2g}x the mean"
    return "counts, about as dispersed as Poisson's"


# ── a target that is a class ─────────────────────────────────────────────────────────────────────────────────────────


def scale_of_words(levels: list[str]) -> list[str] | None:
    """The levels in their order, where it is certain."""
    folded = {" ".join(level.lower().replace("_", " ").replace("-", " ").split()): level for level in levels}
    if len(levels) < 3 or len(folded) < len(levels):
        return None
    scale = next((scale for scale in _SCALES if folded.keys() <= set(scale)), None)
    return None if scale is None else [folded[word] for word in scale if word in folded]


def imbalance(counts: tuple[int, ...], classes: tuple[str, ...]) -> str:
    """How many rows the rarest class has, or the positive of two."""
    shares = np.array(counts) / sum(counts)
    shown = 1 if len(classes) == 2 else int(np.argmin(shares))
    uneven = f", {max(counts) / max(min(counts), 1):,.0f} to 1" if max(counts) >= 3 * min(counts) else ""
    return f"{'positive' if len(classes) == 2 else 'rarest'} class {classes[shown]} ({percent(shares[shown])}{uneven})"


def wrong_labels(table: Numbers, y: Codes, preprocessor: Any) -> float:
    """The share of labels that a cross-validated linear fit contradicts where it is surest, and neighbours do as well.

    Among the sixth of the rows that the fit is surest of, classes that merely overlap agree with it, and wrong labels
    do not: so the share that disagrees there must be hardly less than in the surest third. Where the fit itself is
    wrong, because the truth is no line, neighbours of a row have its label. It is 0 where neither can tell.
    """
    if len(y) > _LABELS:
        chosen = np.random.default_rng(0).choice(len(y), _LABELS, replace=False)
        table, y = table[chosen], y[chosen]
    counted = np.bincount(y)
    if len(y) < 2 * _FEWEST or counted[counted > 0].min() < 10:
        return 0.0
    model = make_pipeline(preprocessor, LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    scores = cross_val_predict(model, table, y, cv=folds, method="decision_function")
    scores = np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
    wrong = np.unique(y)[scores.argmax(axis=1)] != y
    majority = 1 - counted.max() / len(y)
    if wrong.mean() > 0.5 * majority:  # it knows too little of the classes to doubt their labels
        return 0.0
    first, second = np.sort(scores, axis=1)[:, [-1, -2]].T
    surest = np.argsort(second - first, kind="stable")[: len(y) // 3]
    doubted = surest[wrong[surest]]
    if not len(doubted):
        return 0.0
    prepared = preprocessor.fit_transform(table)
    near = (
        NearestNeighbors(n_neighbors=_NEIGHBOURS + 1).fit(prepared).kneighbors(prepared[doubted], return_distance=False)
    )
    alike = (y[near] == y[doubted, None]).sum(axis=1) - 1  # each row is its own neighbour
    suspected = np.zeros(len(y), dtype=bool)
    suspected[doubted] = alike <= _FEW_ALIKE
    third, sixth = suspected[surest], suspected[surest[: len(y) // 6]]
    certain = stats.binomtest(int(sixth.sum()), len(sixth), _MISTAKEN, alternative="greater").pvalue < 0.01
    return float(third.mean()) if certain and sixth.mean() > _LASTING * third.mean() else 0.0


# ── rows and columns ─────────────────────────────────────────────────────────────────────────────────────────────────


def duplicates(features: pl.DataFrame, values: pl.Series, classes: bool) -> list[str]:
    """Rows that occur more than once, and rows that differ in nothing but their class."""
    hashed = pl.DataFrame({"row": features.hash_rows(), "target": values})
    sentences = []
    repeated = len(hashed) - hashed.n_unique()
    if repeated:
        occurs = "row repeats another" if repeated == 1 else "rows repeat others"
        sentences.append(f"{repeated:,} {occurs} ({percent(repeated / len(hashed))})")
    if classes:
        torn = hashed.filter((pl.col("target").n_unique() > 1).over("row"))
        if len(torn):
            sentences.append(f"{len(torn):,} rows differ from another in nothing but their class")
    return sentences


def leaks(names: list[str], table: Numbers, y: Numbers | Codes, classes: int) -> list[str]:
    """Columns that equal the target, or tell it by themselves; looked for in a sample, confirmed in all rows."""
    if len(y) < 20:
        return []
    sample = np.random.default_rng(0).choice(len(y), _SAMPLE, replace=False) if len(y) > _SAMPLE else slice(None)
    sentences = []
    for place, name in enumerate(names):
        relation = _tells(table[sample, place], y[sample], classes)
        if relation and (relation := _tells(table[:, place], y, classes)):
            sentences.append(f"column {name} {relation}: it may not be known beforehand (--drop {name})")
    return sentences


def _tells(column: Numbers, y: Numbers | Codes, classes: int) -> str | None:
    """How a column tells the target, if it does."""
    present = ~np.isnan(column)
    if present.mean() < _PRESENT:
        return None
    column, y = column[present], y[present]
    order = np.argsort(column, kind="stable")
    steps, target = np.diff(column[order]), y[order]
    if not classes:
        if np.array_equal(column, y):
            return "equals the target"
        # One step of the target for each step of the column, always in the same direction.
        one_to_one = np.array_equal(steps > 0, np.diff(target) != 0) and np.unique(y).size > 20
        direction = np.sign(np.diff(target))
        return "determines the target" if one_to_one and abs(direction.sum()) == np.abs(direction).sum() else None
    changes = np.diff(target) != 0
    if (changes & (steps == 0)).any():
        return None  # one value, two classes
    if changes.sum() == classes - 1:
        return "tells the classes apart by itself"
    return "determines the class" if _REPEATED * (1 + np.count_nonzero(steps)) <= len(y) else None


def percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"


def _interquartile_range(values: Numbers) -> float:
    low, high = np.percentile(values, [25, 75])
    return float(high - low)
