"""The shapes' faults of today's releases are found without being told, and the reproducers print what was found."""

from __future__ import annotations

from typing import Any

import keras
import optax
import pytest
import torch

from lossary.check.inference.infer import subject
from lossary.check.rulebook.rule import find
from lossary.check.run.ask import ask


class Squared(keras.losses.Loss):
    """As the guide of Keras has it."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


FAULTS = [
    pytest.param("LSY101", optax.huber_loss, "gave 16 losses, not 4", "(4, 4)", id="optax.huber_loss"),
    pytest.param(
        "LSY101", Squared(), "(4, 1) against (4,) gave 1.52033, not 1.02883", "1.520325", id="keras.losses.Loss"
    ),
    pytest.param("LSY101", torch.nn.MSELoss(), "gave 16 losses, not 4", "torch.Size([4, 4])", id="torch.nn.MSELoss"),
    pytest.param("LSY112", torch.nn.CrossEntropyLoss(), "is nan", "tensor(nan)", id="torch.nn.CrossEntropyLoss"),
    pytest.param("LSY112", torch.nn.NLLLoss(), "is nan", "tensor(nan)", id="torch.nn.NLLLoss"),
    pytest.param("LSY113", torch.nn.BCELoss(), "the mean of no rows is nan", "tensor(nan)", id="torch.nn.BCELoss"),
]


@pytest.mark.parametrize(("code", "loss", "message", "observed"), FAULTS)
def test_fault_is_found_and_its_reproducer_shows_it(code: str, loss: Any, message: str, observed: str) -> None:
    finding = ask(find(code), subject(loss)).finding
    assert finding is not None
    assert finding.severity == ("warning" if code == "LSY113" else "error")
    assert message in finding.message
    assert observed in finding.observed


@pytest.mark.parametrize("code", ["LSY103", "LSY104", "LSY105", "LSY106", "LSY107", "LSY108", "LSY110", "LSY111"])
@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(torch.nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5])), id="weighted classes"),
        pytest.param(torch.nn.KLDivLoss(), id="mean over entries"),
        pytest.param(torch.nn.functional.huber_loss, id="weighted mean over rows"),
        pytest.param(torch.nn.functional.mse_loss, id="weighted mean over weights"),
        pytest.param(keras.losses.MeanSquaredError(), id="mean of row means"),
        pytest.param(keras.losses.Dice(), id="loss of the whole batch"),
    ],
)
def test_documented_conventions_are_no_errors(code: str, loss: Any) -> None:
    finding = ask(find(code), subject(loss)).finding
    assert finding is None or finding.severity == "warning"
