"""What kernels are tried on."""

from __future__ import annotations

from typing import Any

import pytest

from lossary.define.loss import Loss
from tests import paths


@pytest.fixture(autouse=True)
def _has_a_kernel(request: Any) -> None:
    given = getattr(request.node, "callspec", None)
    loss = given and given.params.get("loss")
    if isinstance(loss, Loss):
        paths.require_kernel(loss)
