"""A loss of one's own in PyTorch: a lossary class, an nn.Module, a function. All three train the same model."""

from __future__ import annotations

import torch
from cauchy import Cauchy
from data import diabetes
from torch import Tensor, nn

train_X, test_X, train_y, test_y = (torch.from_numpy(part) for part in diabetes())


# As an nn.Module, PyTorch's own way: it is checked by nobody, and autodiff finds the gradient.
class CauchyLoss(nn.Module):
    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return cauchy_loss(input, target, self.scale)


# As a function, PyTorch's own way.
def cauchy_loss(input: Tensor, target: Tensor, scale: float = 1.0) -> Tensor:
    if input.shape != target.shape:  # (32, 1) against (32,) would compare every prediction with every target
        raise ValueError(f"input {tuple(input.shape)} and target {tuple(target.shape)} must have the same shape")
    return (0.5 * scale**2 * torch.log1p(((input - target) / scale) ** 2)).mean()


def train(criterion) -> tuple[float, float]:
    """The loss on the test rows, before and after."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(train_X.shape[1], 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with torch.no_grad():
        before = criterion(model(test_X), test_y).item()
    for _ in range(100):
        optimizer.zero_grad()
        criterion(model(train_X), train_y).backward()
        optimizer.step()
    with torch.no_grad():
        return before, criterion(model(test_X), test_y).item()


if __name__ == "__main__":
    # As a lossary class, written once in cauchy.py: with weights, masks, checks, and its own gradient.
    ours, theirs = train(Cauchy(scale=1.5).torch()), train(CauchyLoss(1.5))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=0.0)
    for name, (before, after) in {"lossary": ours, "module": theirs, "function": train(cauchy_loss)}.items():
        print(f"{name:9} {before:.3f} -> {after:.3f}")
        assert after < before
