"""The trip from a call to its number does not grow: `python -m benchmarks.trip --tree` shows it."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.trip import LOSSES, TRIPS, trip

from lossary import kernels

# For each of the losses, calls of lossary's functions and how many of them are into another file. Whoever shortens a
# trip lowers them; what makes one longer is worth a second look.
MOST = {
    "NumPy without a kernel": ((43, 15), (54, 24)),
    "NumPy, weighted, without a kernel": ((78, 37), (88, 46)),
    "NumPy, value and gradient, without a kernel": ((57, 27), (68, 36)),
    "NumPy with a kernel": ((24, 11), (26, 13)),
    "PyTorch, forward and backward, with a kernel": ((40, 12), (47, 16)),
    "PyTorch, forward and backward, without a kernel": ((63, 21), (101, 52)),
    "torch.func.grad": ((60, 22), (99, 54)),
    "JAX, the trace of jit": ((65, 22), (86, 35)),
}


@pytest.mark.parametrize(
    ("framework", "of", "loss"), [(TRIPS[of][0], of, loss) for of in TRIPS for loss in LOSSES], ids=repr
)
def test_the_trip_is_no_longer_than_it_was(framework: str, of: str, loss: Any) -> None:
    if of.endswith("with a kernel") and kernels.unavailable() is not None:
        pytest.skip(str(kernels.unavailable()))
    calls, moves = MOST[of][LOSSES.index(loss)]
    found = trip(of, loss)
    assert found.calls <= calls, f"{found.calls} calls:\n{found.tree}"
    assert found.moves <= moves, f"{found.moves} moves:\n{found.tree}"
