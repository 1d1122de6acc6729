"""PyTorch in eager mode: value and a fresh gradient, beside PyTorch's functional or the textbook composition."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # its name everywhere
from torch import Tensor

from benchmarks.inputs import LEVEL, POINTWISE, SIZES, SOFTMAX, Effort, name, pointwise, rows, words
from benchmarks.measurement import Measurement, compare

PACKAGES = ("torch",)
EAGER = "forward + backward"
FORWARD = "forward"


def log_cosh(input: Tensor, target: Tensor) -> Tensor:
    r = input - target
    return (r + F.softplus(-2.0 * r) - math.log(2.0)).mean()


def pinball(input: Tensor, target: Tensor) -> Tensor:
    r = target - input
    return torch.maximum(LEVEL * r, (LEVEL - 1.0) * r).mean()


def hinge(input: Tensor, target: Tensor) -> Tensor:
    return F.relu(1.0 - target * input).mean()


PEERS: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "MeanSquaredError": ("F.mse_loss", F.mse_loss),
    "MeanAbsoluteError": ("F.l1_loss", F.l1_loss),
    "Huber": ("F.huber_loss", F.huber_loss),
    "LogCosh": ("textbook", log_cosh),
    "Quantile": ("textbook", pinball),
    "BinaryCrossEntropy": ("F.binary_cross_entropy_with_logits", F.binary_cross_entropy_with_logits),
    "Hinge": ("textbook", hinge),
}
SOFTMAX_PEER = ("F.cross_entropy", F.cross_entropy)


def threads() -> int:
    return torch.get_num_threads()


def step(criterion: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], None]:
    """Forward and backward; the gradients are let go, so that every call makes fresh ones."""
    learned = [x for x in inputs if x.requires_grad]

    def run() -> None:
        criterion(*inputs).backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        for x in learned:
            x.grad = None

    return run


def tensors(arrays: tuple[Any, Any]) -> tuple[Tensor, Tensor]:
    prediction, target = map(torch.from_numpy, arrays)
    return prediction.requires_grad_(), target


def measure(effort: Effort) -> Iterator[Measurement]:
    for size in effort.sizes(SIZES):
        for loss in POINTWISE:
            peer, function = PEERS[name(loss)]
            p, y = tensors(pointwise(loss, size))
            steps = step(loss.torch(), p, y), peer, step(function, p, y)
            array = p.nbytes if size == SIZES[-1] else None
            yield compare(name(loss), words(size), *steps, kind=EAGER, seconds=effort.seconds, array=array)
    for shape in effort.rows():
        peer, function = SOFTMAX_PEER
        p, y = tensors(rows(shape))
        steps = step(SOFTMAX.torch(), p, y), peer, step(function, p, y)
        array = p.nbytes if p.nbytes > 1 << 25 else None
        yield compare(name(SOFTMAX), words(shape), *steps, kind=EAGER, seconds=effort.seconds, array=array)
