"""Losses of masks: what they are by definition, mask by mask."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import lossary


def lovasz(short: Any, true: Any) -> float:
    """The Lovász extension of 1 − intersection over union: its integral over all levels, of the pixels beyond each."""

    def apart(wrong: Any) -> float:
        predicted = np.where(wrong, ~true, true)
        union = (predicted | true).sum()
        return 1.0 - (predicted & true).sum() / union if union else 0.0

    levels = sorted({0.0, *short[short > 0.0]})
    return sum((high - low) * apart(short >= high) for low, high in itertools.pairwise(levels))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("digits", [0, 8])  # of scores that tie, and of scores that do not
def test_lovasz_hinge_is_the_extension_of_1_less_the_intersection_over_union(
    random: Any, share: float, digits: int
) -> None:
    scores, true = np.round(random.normal(size=(20, 3, 4)), digits), random.uniform(size=(20, 3, 4)) < share
    losses = lossary.LovaszHinge().values(prediction=scores, target=true)
    wanted = [
        lovasz(1.0 - np.where(y, 1.0, -1.0) * p, y)
        for p, y in zip(scores.reshape(20, 12), true.reshape(20, 12), strict=True)
    ]
    np.testing.assert_allclose(losses, wanted, rtol=1e-12)


def test_lovasz_hinge_of_masks_far_apart_or_the_same_is_how_much_does_not_overlap() -> None:
    true = np.array([[1.0, 1.0, 1.0, 0.0, 0.0]])
    predicted = np.array([[1.0, 1.0, 0.0, 1.0, 0.0]])
    loss = lossary.LovaszHinge(axes=1)
    assert loss(prediction=2.0 * true - 1.0, target=true) == 0.0
    # Wrong by twice the margin, each pixel costs twice what it takes away.
    assert loss(prediction=2.0 * predicted - 1.0, target=true) == pytest.approx(2.0 * (1.0 - 2.0 / 4.0))
