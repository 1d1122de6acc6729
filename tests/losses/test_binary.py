"""Numbers worked by hand, of losses of two classes that no other library here has."""

from __future__ import annotations

import numpy as np
import pytest

from lossary import DistanceWeightedDiscrimination


@pytest.mark.parametrize(
    ("q", "margin", "value", "slope", "bend"),
    [
        (1.0, -3.0, 4.0, -1.0, 0.0),
        (1.0, 0.5, 0.5, -1.0, 0.0),
        (1.0, 1.0, 1 / 4, -1 / 4, 1 / 2),
        (1.0, 2.0, 1 / 8, -1 / 16, 1 / 16),
        (2.0, 2.0, 4 / 27 / 4, -1 / 27, 1 / 18),
    ],
)
def test_distance_weighted_discrimination(q: float, margin: float, value: float, slope: float, bend: float) -> None:
    """1 − m up to q / (q + 1), and beyond it qᵠ / (q + 1)ᵠ⁺¹ · m⁻ᵠ, and its derivatives."""
    for label in (-1.0, 1.0):
        found = DistanceWeightedDiscrimination(q).value_gradient_curvature(
            prediction=np.array([label * margin]), target=np.array([label]), reduction="none"
        )
        wanted = value, label * slope, bend
        np.testing.assert_allclose(np.concatenate(found), wanted, rtol=1e-15)
