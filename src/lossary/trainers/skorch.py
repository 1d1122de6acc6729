"""Losses in skorch: what turns a net's predictions into probabilities.

    from lossary.trainers.skorch import predict_nonlinearity

    NeuralNetBinaryClassifier(
        Net, criterion=lossary.torch.BinaryCrossEntropy, predict_nonlinearity=predict_nonlinearity(BinaryCrossEntropy())
    )

skorch knows by the class of PyTorch's own losses what a net predicts, and takes predictions for probabilities wherever
it does not know the class.
"""

from __future__ import annotations

import dataclasses
from typing import Any, final

try:
    import torch
    from torch import Tensor
except ModuleNotFoundError as error:
    from lossary.errors import MissingExtraError

    raise MissingExtraError("lossary.trainers.skorch needs PyTorch.", hint="pip install 'lossary[torch]'.") from error

from lossary.define.domains.domain import Domain
from lossary.define.loss import Loss
from lossary.define.objective import Objective
from lossary.errors import UsageError
from lossary.torch import LossModule

__all__ = ["Probabilities", "predict_nonlinearity"]


def predict_nonlinearity(loss: Loss | Objective | LossModule) -> Probabilities:
    """What skorch's classifiers take as `predict_nonlinearity=`, of the loss that they are trained on, or its module.

    Raises:
        UsageError: what the loss takes says no probabilities: amounts, or the scores of a hinge.
    """
    definition: Any = loss.loss if isinstance(loss, LossModule) else loss
    if not isinstance(definition, Loss | Objective):
        raise UsageError(
            "predict_nonlinearity takes a loss or its module.",
            received=f"{definition!r}.",
            hint="an instance: predict_nonlinearity(lossary.BinaryCrossEntropy()).",
        )
    prediction: Domain = definition.prediction
    if not prediction.probabilities:
        decision = "net.forward(X).argmax(-1)" if prediction.rows else "net.forward(X) > 0"
        raise UsageError(
            "predict_proba needs a loss of logits or probabilities.",
            received=f"{definition!r}, whose predictions are {prediction.wanted}.",
            hint=f"NeuralNetRegressor needs no predict_nonlinearity; scores decide by {decision}.",
        )
    return Probabilities(logits=not prediction.shares, rows=prediction.rows)


@final
@dataclasses.dataclass(frozen=True)
class Probabilities:
    """From predictions, (n,) or (n, 1) of two classes or (n, K), to rows of probabilities, (n, 2) or (n, K)."""

    logits: bool
    rows: bool

    def __call__(self, predicted: Tensor) -> Tensor:
        """Probabilities of every class; of two, the negative one first."""
        if self.rows:
            return torch.softmax(predicted, dim=-1) if self.logits else predicted
        predicted = predicted.reshape(len(predicted))
        if self.logits:  # each from its own side: 1 − p would lose the digits of what is improbable
            return torch.sigmoid(torch.stack([-predicted, predicted], dim=-1))
        return torch.stack([1.0 - predicted, predicted], dim=-1)
