"""The faults that `make faults` plants: what each replaces is still in the sources."""

from __future__ import annotations

import pytest

from tests.faults import FAULTS, ROOT, Fault, place_of


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.law)
def test_there_is_a_place_for_it(fault: Fault) -> None:
    assert place_of(fault, ROOT / "src").exists()
