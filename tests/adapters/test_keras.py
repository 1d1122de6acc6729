"""`lossary.keras` on each backend: Keras reads its backend once, so each has a process of its own."""

from __future__ import annotations

import pytest

from tests.adapters import children


@pytest.mark.parametrize("which", ["not thorough", pytest.param("thorough", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_every_case_holds_on_the_backend(backend: str, which: str) -> None:
    flags = {"XLA_FLAGS": children.XLA} if backend == "jax" else {}
    children.assert_all_hold(children.started_cases("keras_cases.py", "-m", which, KERAS_BACKEND=backend, **flags))
