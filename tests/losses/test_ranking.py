"""Losses of order within lists: pairs by hand, and what is no pair."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lossary
from lossary import DomainError
from lossary.judge.exact import judge_total

SCORES, RELEVANT = np.array([2.0, 0.5, 1.0, 3.0]), np.array([2.0, 0.0, 0.0, 1.0])


def loss(scores: Any, relevant: Any, group: Any, **more: Any) -> Any:
    return lossary.PairwiseLogistic()(prediction=scores, target=relevant, group=group, **more)


def of_pair(better: float, worse: float) -> float:
    return math.log1p(math.exp(worse - better))


def test_pairs_by_hand() -> None:
    """Of four entries with relevance 2, 0, 0 and 1 there are five pairs; the two with 0 are none."""
    pairs = [(2.0, 0.5), (2.0, 1.0), (2.0, 3.0), (3.0, 0.5), (3.0, 1.0)]
    wanted = sum(of_pair(*pair) for pair in pairs)
    assert loss(SCORES, RELEVANT, [0, 0, 0, 0], reduction="sum") == pytest.approx(wanted)
    assert loss(SCORES, RELEVANT, [0, 0, 0, 0]) == pytest.approx(wanted / 5)


def test_entries_of_two_lists_are_no_pair() -> None:
    wanted = of_pair(2.0, 0.5) + of_pair(3.0, 1.0)
    for group in ([7, 7, 1, 1], np.array([7, 7, 1, 1], np.int64)):
        assert loss(SCORES, RELEVANT, group, reduction="sum") == pytest.approx(wanted)
    assert loss(SCORES, RELEVANT, [0, 1, 2, 3]) == 0.0


def test_a_weight_is_an_entry_given_so_often() -> None:
    times = np.array([2, 1, 0, 3])
    rows = np.repeat(np.arange(4), times)
    repeated = loss(SCORES[rows], RELEVANT[rows], np.zeros(6))
    assert loss(SCORES, RELEVANT, np.zeros(4), weight=1.0 * times) == pytest.approx(repeated)


def test_numbers_of_lists_that_float32_would_mix_up_are_refused() -> None:
    with pytest.raises(DomainError, match="from 0 to 16777215"):
        loss(SCORES.astype("float32"), RELEVANT, np.array([2**24, 2**24, 2**24 + 1, 2**24 + 1]))


def test_what_rounding_loses_of_a_lead_counts() -> None:
    """A lead of 80.3 is rounded by 2e-6, and so is its exponential: by twenty times what float32 can tell apart."""
    batch = {
        "prediction": np.array([80.3, 1e-5], "float32"),
        "target": np.array([1.0, 0.0], "float32"),
        "group": np.zeros(2, "float32"),
    }
    exact, (slopes,) = judge_total(lossary.PairwiseLogistic(), batch, np.ones(2))
    value, gradient = lossary.PairwiseLogistic().value_and_gradient(**batch, reduction="sum")
    close = 4.0 * 2.0**-23
    assert float(value) == pytest.approx(float(exact), rel=close, abs=0.0)
    np.testing.assert_allclose(gradient, np.array(slopes, dtype=np.float64), rtol=close)
