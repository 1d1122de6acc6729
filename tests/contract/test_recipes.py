"""Weights and targets that are made from data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.utils.class_weight import compute_class_weight

import lossary
from lossary import DataError, ParameterError, recipes


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    target = np.repeat([0, 1, 2], [90, 9, 1])
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=target)
    np.testing.assert_allclose(recipes.balanced(np.bincount(target)), wanted, rtol=1e-15)
    loss = lossary.SparseCategoricalCrossEntropy(class_weight=recipes.balanced([90, 9, 1]))
    assert loss.class_weight == pytest.approx(tuple(wanted))


def test_the_effective_number_is_between_all_alike_and_balanced() -> None:
    counts = (5000, 50, 5)
    raw = [(1 - 0.999) / (1 - 0.999**count) for count in counts]
    np.testing.assert_allclose(recipes.effective_number(counts), np.array(raw) / np.mean(raw), rtol=1e-11)
    assert recipes.effective_number(counts, beta=0.0) == (1.0, 1.0, 1.0)
    full = np.array(recipes.balanced(counts))
    np.testing.assert_allclose(recipes.effective_number(counts, beta=1 - 1e-12), full / full.mean(), rtol=1e-4)


def test_smoothed_rows_cost_what_a_smoothed_loss_does(random: Any) -> None:
    logits, index = random.normal(size=(20, 5)), random.integers(0, 5, size=20)
    rows = recipes.smoothed(index, 5, 0.1)
    ours = lossary.CategoricalCrossEntropy().values(prediction=logits, target=rows)
    loss = lossary.SparseCategoricalCrossEntropy(label_smoothing=0.1)
    np.testing.assert_allclose(ours, loss.values(prediction=logits, target=index), rtol=1e-12)


def test_soft_ranks_are_a_softmax_of_the_distance() -> None:
    rows = recipes.soft_ranks([[0, 3]], 4, width=2.0)
    np.testing.assert_allclose(rows[0, 0], softmax(-np.arange(4) / 2.0), rtol=1e-14)
    np.testing.assert_allclose(rows[0, 1], rows[0, 0][::-1], rtol=1e-14)


def test_a_scaled_error_is_an_absolute_error_with_that_weight() -> None:
    series = [1.0, 3.0, 2.0, 6.0]
    assert recipes.naive_error(series) == pytest.approx((2 + 1 + 4) / 3)
    assert recipes.naive_error(series, period=2) == pytest.approx((1 + 3) / 2)


@pytest.mark.parametrize(
    ("made", "error", "words"),
    [
        (lambda: recipes.balanced([3, 0]), DataError, "at least 1"),
        (lambda: recipes.effective_number([3, 1], beta=1.0), ParameterError, "below 1"),
        (lambda: recipes.smoothed([0, 5], 5, 0.1), DataError, "from 0 to 4"),
        (lambda: recipes.smoothed([0.0], 5, 0.1), DataError, "must be integers"),
        (lambda: recipes.smoothed([0], 5, 1.5), ParameterError, "from 0 to 1"),
        (lambda: recipes.soft_ranks([0], 5, width=0.0), ParameterError, "above 0"),
        (lambda: recipes.naive_error([1.0, 1.0]), DataError, "repeats itself"),
        (lambda: recipes.naive_error([1.0], period=1), DataError, "more values than a period"),
    ],
)
def test_what_cannot_be_made_says_why(made: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        made()
