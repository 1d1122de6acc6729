"""What goes into a loss and is none: weights and targets that are made from data.

    lossary.recipes.balanced(counts)               class_weight= with which all classes count alike
    lossary.recipes.effective_number(counts)       the same, for classes whose rows repeat one another
    lossary.recipes.smoothed(index, 5, 0.1)        rows in which the right class keeps 0.9 and some
    lossary.recipes.soft_ranks(rank, 5)            rows in which neighbours of the right rank have a share
    lossary.recipes.naive_error(series, period=7)  what an error is divided by in a mean absolute scaled error

Each takes lists and arrays that NumPy reads, and is computed once, before training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lossary.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["balanced", "effective_number", "naive_error", "smoothed", "soft_ranks"]


def balanced(counts: Sequence[int]) -> tuple[float, ...]:
    """Weights with which every class counts alike, however many rows it has: Σn / (K · n).

    Args:
        counts: how many rows each of the K classes has, at least 1.

    Returns:
        One weight for each class, 1 for the mean row: for `class_weight=`.

    Raises:
        DataError: a class without rows.
    """
    rows = _counted(counts)
    return tuple((rows.sum() / (len(rows) * rows)).tolist())


def effective_number(counts: Sequence[int], beta: float = 0.999) -> tuple[float, ...]:
    """Weights by the effective number of rows, (1 - βⁿ) / (1 - β): a row counts less the more there are like it.

    Args:
        counts: how many rows each of the K classes has, at least 1.
        beta: from 0, which weighs all classes alike, to below 1, near which it is `balanced`.

    Returns:
        One weight for each class, 1 in the mean over the classes: for `class_weight=`.

    Raises:
        DataError: a class without rows.
        ParameterError: beta is out of bounds.

    Source: Cui et al. 2019, arXiv:1901.05555.
    """
    import numpy as np

    if not 0.0 <= beta < 1.0:
        raise ParameterError("beta must be at least 0 and below 1.", received=f"beta={beta!r}.", hint="beta=0.999.")
    rows = _counted(counts)
    # 1 - β**n has no digits left where that is small.
    weights = -1.0 / np.expm1(rows * np.log(beta)) if beta else np.ones(len(rows))
    return tuple((weights / weights.mean()).tolist())


def smoothed(index: npt.ArrayLike, classes: int, epsilon: float) -> Any:
    """One-hot rows of which a share is spread evenly over all classes.

    Args:
        index: the right class of each row, from 0, of any shape.
        classes: how many there are, K.
        epsilon: the share that is spread, from 0 to 1.

    Returns:
        Rows of probabilities, (…, K), float64: for CategoricalCrossEntropy or KLDivergence.

    Raises:
        DataError: an index that is none of a class.
        ParameterError: epsilon is out of bounds.

    Source: Szegedy et al. 2016, doi:10.1109/CVPR.2016.308.
    """
    import numpy as np

    if not 0.0 <= epsilon <= 1.0:
        raise ParameterError("epsilon must be from 0 to 1.", received=f"epsilon={epsilon!r}.", hint="epsilon=0.1.")
    return (1.0 - epsilon) * np.eye(classes)[_indices(index, classes)] + epsilon / classes


def soft_ranks(rank: npt.ArrayLike, classes: int, width: float = 1.0) -> Any:
    """Rows in which a rank's neighbours have a share: the softmax of how far each is from the right one.

    Args:
        rank: the right rank of each row, from 0, of any shape.
        classes: how many there are, K.
        width: over how many ranks a share falls by a factor of e, above 0.

    Returns:
        Rows of probabilities, (…, K), float64: for CategoricalCrossEntropy or KLDivergence.

    Raises:
        DataError: a rank that is none.
        ParameterError: width is out of bounds.

    Source: Díaz & Marathe 2019, doi:10.1109/CVPR.2019.00487.
    """
    import numpy as np

    if not width > 0.0:
        raise ParameterError("width must be above 0.", received=f"width={width!r}.", hint="width=1.0.")
    shares = np.exp(-np.abs(np.arange(classes) - _indices(rank, classes)[..., None]) / width)
    return shares / shares.sum(axis=-1, keepdims=True)


def naive_error(series: npt.ArrayLike, period: int = 1) -> float:
    """The mean absolute error of saying that each value is the one a period before: the unit of a mean absolute scaled
    error. Its inverse is the `weight=` of that series's targets beside those of others.

    Args:
        series: the training values of one series, in their order, (T,).
        period: 1, or the length of a season: 7 for days, 12 for months.

    Raises:
        DataError: no more values than a period, or values that are all the same.

    Source: Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001.
    """
    import numpy as np

    values = np.asarray(series, np.float64)
    if values.ndim != 1 or not 0 < period < len(values):
        raise DataError(
            "a naive error needs one series, of more values than a period, in their order.",
            received=f"values of shape {values.shape} and period={period!r}.",
        )
    error = float(np.abs(values[period:] - values[:-period]).mean())
    if not error > 0.0:
        raise DataError(
            "a series that repeats itself, or has a NaN, is no unit for errors.",
            received=f"a naive error of {error:g}.",
            hint="leave it out, or divide by what is known otherwise.",
        )
    return error


def _counted(counts: Sequence[int]) -> Any:
    """As an array of float64.

    Raises:
        DataError: a class without rows.
    """
    import numpy as np

    rows = np.asarray(counts, np.float64)
    if rows.ndim != 1 or not len(rows) or not (rows >= 1.0).all():
        raise DataError(
            "counts must be how many rows each class has, at least 1.",
            received=f"{counts!r}.",
            hint="numpy.bincount(target); a class without rows cannot be learned, and has no weight.",
        )
    return rows


def _indices(index: npt.ArrayLike, classes: int) -> Any:
    """As an array of integers.

    Raises:
        DataError: one that is not from 0 to `classes` - 1.
    """
    import numpy as np

    indices = np.asarray(index)
    if indices.dtype.kind not in "iu" or ((indices < 0) | (indices >= classes)).any():
        raise DataError(
            f"classes and ranks must be integers from 0 to {classes - 1}.",
            received=f"{indices.dtype} from {indices.min()} to {indices.max()}." if indices.size else "none.",
            hint="those that count from 1 need - 1.",
        )
    return indices
