"""What single losses of regression have of their own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lossary import Periodic
from tests import grid, paths

inf = math.inf


def in_words_and_kernels(framework: Any) -> list[Any]:
    """How an answer may come about; NumPy and PyTorch have kernels."""
    return [paths.in_words, *([paths.by_kernels] if framework.title in ("NumPy", "PyTorch") else [])]


@pytest.mark.parametrize("dtype", grid.DTYPES)
@pytest.mark.parametrize("framework", grid.FRAMEWORKS, indirect=True)
def test_what_goes_round_is_nowhere_at_infinity(framework: Any, dtype: str) -> None:
    """1 − cos has no limit there, and any number would be a plausible one."""
    p, y = np.array([inf, -inf, 0.5, 0.5, 0.25]), np.array([0.5, 0.5, inf, -inf, 0.0])
    for path in in_words_and_kernels(framework):
        with path(), np.errstate(invalid="ignore"):
            arrays = framework.array(p, dtype), framework.array(y, dtype)
            value, slope = framework.value_and_gradient(Periodic(), *arrays, reduction="none")
            assert np.isnan(value).tolist() == np.isnan(slope).tolist() == [True] * 4 + [False]
            counted = framework.array(np.isfinite(p + y))
            value, slope = framework.value_and_gradient(Periodic(), *arrays, where=counted)
        assert value == pytest.approx(1.0)
        assert slope.tolist() == pytest.approx([0.0] * 4 + [2 * math.pi])


@pytest.mark.parametrize("dtype", grid.DTYPES)
@pytest.mark.parametrize("framework", grid.FRAMEWORKS, indirect=True)
def test_whole_turns_change_nothing(framework: Any, dtype: str) -> None:
    """To the last bit, as far as numbers go that are so many turns away; and half a turn does not pull."""
    at, turns = np.array([0.0, 3.0, 90.0, -171.0, 180.0]), 360.0 * np.array([1.0, -2.0, 1e3, 2.0**10])[:, None]
    far = np.ldexp(360.0, 100 if dtype == "float32" else 1000)  # so many turns, exactly
    for path in in_words_and_kernels(framework):
        with path():

            def answers(prediction: Any, target: Any) -> list[Any]:
                arrays = framework.array(prediction, dtype), framework.array(target, dtype)
                return list(framework.value_and_gradient(Periodic(360.0), *arrays, reduction="none"))

            here = answers(at, 0.0 * at)
            assert here[0][[0, 2, 4]].tolist() == [0.0, 1.0, 2.0]
            assert here[1][[0, 4]].tolist() == [0.0, 0.0]
            there = [answers(at + turns, 0.0 * at + 0.0 * turns), answers(at + 0.0 * turns, -turns + 0.0 * at)]
            for value, slope in there:
                assert (value == here[0]).all()
                assert (slope == here[1]).all()
            for value, slope in (answers(at, far + 0.0 * at), answers(at, -far + 0.0 * at)):
                assert (value == here[0]).all()
                assert (slope == here[1]).all()
