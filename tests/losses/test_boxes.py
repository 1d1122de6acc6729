"""The loss of boxes against cells that are counted, and numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lossary import DomainError, GeneralizedIoU

SIZE = 8
HALF_TOO_WIDE = ([[0.0, 0.0, 1.5, 1.0]], [[0.0, 0.0, 1.0, 1.0]])


def value(prediction: Any, target: Any, **more: Any) -> Any:
    return GeneralizedIoU()(prediction=np.array(prediction), target=np.array(target), **more)


def cells(box: Any) -> set[tuple[int, int]]:
    left, top, right, bottom = (int(end) for end in box)
    return {(x, y) for x in range(left, right) for y in range(top, bottom)}


def test_it_is_what_is_counted_in_cells(random: Any) -> None:
    ends = np.sort(random.integers(0, SIZE, size=(300, 2, 2, 2)), axis=-1)  # pairs of boxes, x and y, low and high
    ends[..., 1] += 1  # no box is empty
    p, y = np.moveaxis(ends, 1, 0).transpose(0, 1, 3, 2).reshape(2, 300, 4).astype("float64")
    wanted = []
    for one, other in zip(p, y, strict=True):
        both, union = cells(one) & cells(other), cells(one) | cells(other)
        around = cells([*np.minimum(one, other)[:2], *np.maximum(one, other)[2:]])
        wanted.append(1 - len(both) / len(union) + len(around - union) / len(around))
    assert np.ptp(wanted) > 1.0
    np.testing.assert_allclose(value(p, y, reduction="none"), wanted, rtol=1e-14)


@pytest.mark.parametrize(
    ("prediction", "target", "wanted"),
    [
        ([0, 0, 2, 2], [1, 1, 3, 3], 1 - 1 / 7 + 2 / 9),
        ([0, 0, 1, 1], [2, 0, 3, 1], 1 + 1 / 3),  # beside each other, with as much between them
        ([0, 0, 4, 4], [1, 1, 3, 3], 1 - 4 / 16),  # inside, where it is 1 − IoU
        ([1, 2, 3, 5], [1, 2, 3, 5], 0),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0),  # without an area: the same,
        ([0, 0, 0, 0], [1, 1, 1, 1], 2),  # or elsewhere,
        ([0, 0, 0, 1], [0, 0, 0, 2], 1),  # or in line, with nothing around both;
        ([1, 1, 1, 1], [0, 0, 2, 2], 1),  # or one of them
        ([-3e38, -3e38, 3e38, 3e38], [-3e38, -3e38, 0, 3e38], 0.5),
        ([0, 0, 1e-38, 1e-38], [0, 0, 1e-38, 2e-38], 0.5),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_by_hand(prediction: Any, target: Any, wanted: float, dtype: str) -> None:
    found = value(np.array([prediction], dtype), np.array([target], dtype))
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-12)


def test_the_gradient_by_hand() -> None:
    """Of a box that is t too wide the loss is 1 − 1 / (1 + t), and its slope by the right edge 1 / (1 + t)²."""
    p, y = map(np.array, HALF_TOO_WIDE)
    cost, slope = GeneralizedIoU().value_and_gradient(prediction=p, target=y)
    assert float(cost) == pytest.approx(1 / 3)
    assert slope[0, 2] == pytest.approx(1 / 1.5**2)
    perfect = GeneralizedIoU().value_and_gradient(prediction=y, target=y)[1]
    assert not perfect.any()


def test_a_step_down_the_gradient_pulls_boxes_together_that_do_not_overlap() -> None:
    p, y = np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[3.0, 0.0, 4.0, 1.0]])
    before, slope = GeneralizedIoU().value_and_gradient(prediction=p, target=y)
    assert slope[0, 2] < 0.0  # the right edge is to move to the right
    assert value(p - 0.1 * slope, y) < before


@pytest.mark.parametrize("box", [[2, 0, 1, 1], [0, 1, 1, 0], [0, 0, math.inf, 1]])
def test_what_is_no_box_is_refused(box: Any) -> None:
    with pytest.raises(DomainError, match="x1 <= x2 and y1 <= y2"):
        value([np.array(box, "float64")], [[0.0, 0.0, 1.0, 1.0]])
    assert np.isnan(value([[math.nan, 0.0, 1.0, 1.0]], [[0.0, 0.0, 1.0, 1.0]]))


def test_translations_and_scales_change_nothing(random: Any) -> None:
    p, y = (GeneralizedIoU().prediction.ordinary(random, (50, 4)) for _ in range(2))
    plain = value(p, y, reduction="none")
    np.testing.assert_allclose(value(8.0 * p, 8.0 * y, reduction="none"), plain, rtol=1e-14)
    np.testing.assert_allclose(value(p + 5.0, y + 5.0, reduction="none"), plain, rtol=1e-12)
    np.testing.assert_allclose(value(y, p, reduction="none"), plain, rtol=1e-14)
