"""Two criteria that compute the same number, each as its users call it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from benchmarks.pytorch import step


def flat(*gradients: Tensor) -> Tensor:
    """One after the other."""
    return torch.cat([each.flatten() for each in gradients])


@final
@dataclasses.dataclass(frozen=True)
class Side:
    """A criterion with its inputs, and how the gradients of those that are learned stand in the order of the other
    side's."""

    criterion: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    arranged: Callable[..., Tensor] = flat

    @property
    def step(self) -> Callable[[], None]:
        return step(self.criterion, *self.inputs)

    def answer(self) -> tuple[Tensor, Tensor]:
        """The value, and all of its gradient."""
        learned = [x for x in self.inputs if x.requires_grad]
        value = self.criterion(*self.inputs)
        return value.detach(), self.arranged(*torch.autograd.grad(value, learned))


def check_same(what: str, ours: Side, theirs: Side, *, factor: float = 1.0, within: float = 1e-4) -> None:
    """Raises ArithmeticError unless ours is `factor` times theirs, in value and gradient: else nothing is compared.

    Args:
        within: how far they may be apart, as a part of the value, and of the largest entry of the gradient.
    """
    for name, own, other in zip(("values", "gradients"), ours.answer(), theirs.answer(), strict=True):
        apart, size = (own - factor * other).abs().max(), own.abs().max()
        if not apart <= within * size:
            raise ArithmeticError(f"{what}: the {name} differ by {apart:.3g}, and are of size {size:.3g}")
