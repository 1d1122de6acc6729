"""A compiled training step, a small network and its loss, beside the same step with PyTorch's own loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F  # noqa: N812  # its name everywhere
from torch import Tensor, nn

import lossary
from benchmarks.inputs import POINTWISE, SOFTMAX, Effort, name, words
from benchmarks.measurement import Measurement, compare
from benchmarks.pytorch import PACKAGES, PEERS, SOFTMAX_PEER, threads
from lossary.define.domains.classes import Labels
from lossary.define.domains.numbers import Probability
from lossary.define.loss import Loss

__all__ = ["PACKAGES", "measure", "threads"]

STEP = "compiled step"
BATCHES = (256, 8192)
_INPUTS, _HIDDEN, _OUTPUTS = 32, 64, 10


def kl_div(input: Tensor, target: Tensor) -> Tensor:
    return F.kl_div(F.log_softmax(input, -1), target, reduction="batchmean")


# The losses of whole rows, which the other sections do not have.
ROWWISE: dict[Loss, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    SOFTMAX: SOFTMAX_PEER,
    lossary.CategoricalCrossEntropy(): SOFTMAX_PEER,
    lossary.KLDivergence(): ("F.kl_div", kl_div),
}


def measure(effort: Effort) -> Iterator[Measurement]:
    for loss in (*POINTWISE, *ROWWISE):
        peer, function = PEERS[name(loss)] if loss in POINTWISE else ROWWISE[loss]
        for rows in BATCHES:
            torch.compiler.reset()  # a compilation for this size alone, which is the best that there is
            input, target = _batch(loss, rows)
            ours, theirs = (_step(criterion, input, target) for criterion in (loss.torch(), function))
            yield compare(name(loss), words(rows), ours, peer, theirs, kind=STEP, seconds=effort.seconds)


def _step(criterion: Callable[[Tensor, Tensor], Tensor], input: Tensor, target: Tensor) -> Callable[[], None]:
    """Forward and backward of network and loss; gradients are let go, so that every call makes fresh ones."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(_INPUTS, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _OUTPUTS))
    compiled = torch.compile(lambda x, y: criterion(network(x), y), fullgraph=True)

    def run() -> None:
        compiled(input, target).backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        network.zero_grad()

    return run


def _batch(loss: Loss, rows: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    shape = (rows, _OUTPUTS)
    if loss.target.indices:
        target = torch.randint(0, _OUTPUTS, (rows,))
    elif loss.target.rows:
        target = torch.softmax(torch.randn(shape), -1)
    else:
        match loss.target:
            case Labels(values):
                target = torch.tensor(values)[torch.randint(0, 2, shape)]
            case Probability():
                target = torch.randint(0, 2, shape).float()
            case _:
                target = torch.randn(shape)
    return torch.randn(rows, _INPUTS), target
