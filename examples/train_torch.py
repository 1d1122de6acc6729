"""An ordinary PyTorch loop: train, evaluate with the metrics that go with the loss."""

from __future__ import annotations

import torch
from data import breast_cancer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lossary

train_X, test_X, train_y, test_y = (torch.from_numpy(part) for part in breast_cancer())

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(train_X.shape[1], 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
loss = lossary.BinaryCrossEntropy()  # from logits: the model has no sigmoid
criterion = loss.torch()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(10):
    total = 0
    for X, y in DataLoader(TensorDataset(train_X, train_y), batch_size=64, shuffle=True):
        optimizer.zero_grad()
        logits = model(X)
        criterion(logits, y).backward()
        optimizer.step()
        total += criterion.total(logits.detach(), y)  # exact, though the last batch is smaller
    print(f"epoch {epoch}  loss {total.mean:.4f}")

metrics = lossary.metrics.torchmetrics(loss)
with torch.no_grad():
    metrics.update(model(test_X), test_y)
print({name: round(value.item(), 3) for name, value in metrics.compute().items()})

majority = max(test_y.mean().item(), 1 - test_y.mean().item())
assert metrics.compute()["accuracy"] > majority + 0.2, "no better than guessing"
