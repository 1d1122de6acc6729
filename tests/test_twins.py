"""What another library calls the same loss does give the same numbers, up to the factor that is stated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lossary.check.backends import backend as adapter
from lossary.twin import Twin
from tests.grid import ALL, DEFAULTS, losses, ordinary

HOME = {"torch": "torch", "keras": "tensorflow", "optax": "jax", "sklearn": "numpy"}


def pairs() -> list[Any]:
    return [
        pytest.param(loss, twin, id=f"{loss!r}: {twin.name}")
        for loss in ALL
        for twin in loss.same_as
        if twin.applies(loss)
    ]


@pytest.mark.parametrize(("loss", "twin"), pairs())
def test_the_twin_agrees(loss: Any, twin: Twin, random: Any) -> None:
    framework = adapter(HOME[twin.framework])
    prediction, target = ordinary(loss, random, rows=20)
    if twin.framework == "sklearn":  # which takes vectors
        prediction, target = prediction.ravel(), target.ravel()
    arrays = [framework.array(x, "float32") for x in (prediction, target)]
    more = {"jax": adapter("jax").jax} if twin.framework == "optax" else {}
    theirs = framework.numpy(twin.evaluate(loss, *arrays, **more))
    reduction = "none" if theirs.ndim else "mean"
    ours = framework.numpy(loss(prediction=arrays[0], target=arrays[1], reduction=reduction))
    assert theirs.shape == ours.shape
    np.testing.assert_allclose(ours, twin.factor * theirs, rtol=2e-5, atol=2e-6)


@losses(of=tuple(loss for loss in DEFAULTS if loss.same_as))
def test_every_twin_is_tried(loss: Any) -> None:
    for twin in loss.same_as:
        assert any(twin.applies(each) for each in ALL if type(each) is type(loss)), twin.call
        assert set(twin.when) <= set(loss.settings)
        assert twin.factor > 0


def test_a_twin_that_does_not_apply_is_not_tried() -> None:
    for loss in ALL:
        for twin in loss.same_as:
            for name, value in twin.when.items():
                assert twin.applies(loss) <= (loss.settings[name] == value)


def test_a_wrong_factor_would_be_seen(random: Any) -> None:
    (huber,) = (loss for loss in DEFAULTS if type(loss).__name__ == "Huber")
    prediction, target = (adapter("torch").array(x, "float32") for x in ordinary(huber, random))
    twin = Twin("torch.nn.MSELoss(reduction='none')(prediction, target)", factor=0.5)
    theirs = twin.factor * twin.evaluate(huber, prediction, target)
    assert not np.allclose(theirs, huber.values(prediction=prediction, target=target))
