"""What must hold for PyTorch in several processes; `test_sharded.py` runs this file once in each of two.

python tests/adapters/rank_cases.py RANK FILE, where FILE does not exist yet and is where they meet.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.tensor import Replicate, Shard, distribute_tensor, init_device_mesh

from lossary import (
    BinaryCrossEntropy,
    FrameworkError,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossEntropy,
)
from lossary.define.loss import Loss
from lossary.ops.reduce import Total
from tests import grid

RANKS, ROWS = 2, 8
LOSSES = (
    *grid.covering(grid.DEFAULTS),
    BinaryCrossEntropy(pos_weight=(0.5, 2.0, 1.0, 0.25)),
    SparseCategoricalCrossEntropy(class_weight=(0.5, 2.0, 1.0, 0.25)),
    SparseCategoricalCrossEntropy(label_smoothing=0.1),
    SparseCategoricalCrossEntropy(from_logits=False),
)
PLACEMENTS = (Replicate(), Shard(0), Shard(1))


def batch(loss: Loss, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    random = grid.generator(repr(loss))
    arrays = grid.ordinary(loss, random, ROWS)
    shape = grid.of_losses(loss, ROWS)
    arrays |= {"weight": random.uniform(0.5, 2.0, size=shape), "where": random.uniform(size=shape) < 0.7}
    tensors = {name: torch.from_numpy(x) for name, x in arrays.items()}
    return {name: x.to(dtype) if x.is_floating_point() else x for name, x in tensors.items()}


def placed(x: torch.Tensor, mesh: Any, placement: Any) -> Any:
    """As a DTensor; what has no classes is everywhere where these are spread."""
    return distribute_tensor(x, mesh, [Replicate() if placement == Shard(1) and x.dim() == 1 else placement])


def whole(x: Any) -> Any:
    if isinstance(x, Total):
        return [whole(part) for part in (x.sum, x.weight, x.mean)]
    return x.full_tensor() if hasattr(x, "full_tensor") else x


def questions(loss: Loss) -> dict[str, Any]:
    """What is asked of a loss: functions of its arrays."""
    module = loss.torch(class_axis=-1) if loss.prediction.rows else loss.torch()
    found = {
        "unreduced": lambda x: loss(**x, reduction="none"),
        "mean": lambda x: module(x["prediction"], x["target"]),
        "masked mean": lambda x: loss(prediction=x["prediction"], target=x["target"], where=x["where"]),
        "total": lambda x: loss.total(**x),
    }
    if loss.target.indices:
        found["without an index"] = lambda x: module(x["prediction"], torch.where(x["where"], x["target"], -100))
    return found


def dtensors_give_the_answers_of_tensors() -> None:
    mesh = init_device_mesh("cpu", (RANKS,))
    for loss, dtype in [*((loss, torch.float32) for loss in LOSSES), *((loss, torch.float64) for loss in LOSSES[::8])]:
        for placement in PLACEMENTS:
            for name, asked in questions(loss).items():
                plain = batch(loss, dtype)
                spread = {key: placed(x, mesh, placement) for key, x in plain.items()}
                found = []
                for arrays in (plain, spread):
                    arrays["prediction"].requires_grad_(loss.trainable)
                    answer = asked(arrays)
                    if loss.trainable:
                        (answer.mean if isinstance(answer, Total) else answer.sum()).backward()
                    found.append([whole(answer), whole(arrays["prediction"].grad)])
                try:
                    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-7)
                except AssertionError as error:
                    raise AssertionError(f"{loss!r}, {dtype}, {placement}, {name}: {error}") from error


def lists_and_arrays_are_everywhere_and_tensors_must_be_dtensors() -> None:
    mesh, loss = init_device_mesh("cpu", (RANKS,)), MeanSquaredError()
    plain = batch(loss, torch.float32)
    spread = {name: placed(x, mesh, Shard(0)) for name, x in plain.items()}
    wanted = loss(prediction=plain["prediction"], target=plain["target"], where=plain["where"])
    for target in (plain["target"].numpy(), plain["target"].tolist()):
        found = loss(prediction=spread["prediction"], target=target, where=plain["where"].numpy())
        torch.testing.assert_close(whole(found), wanted)
    assert float(whole(loss(prediction=spread["prediction"], target=spread["prediction"]))) == 0.0
    for mixed in (plain | {"prediction": spread["prediction"]}, spread | {"prediction": plain["prediction"]}):
        with pytest.raises(FrameworkError, match="as a DTensor"):
            loss(**mixed)


def totals_of_ranks_add_to_one_call() -> None:
    """What one process alone would lose in float32, and where one of them has nothing."""
    losses = torch.full((1000,), 0.37)
    losses[0] = 2.0**24
    zero = torch.zeros(())
    cases = [(MeanAbsoluteError(), {"prediction": losses, "target": zero.expand(1000)}, slice(0, 10))]
    cases += [(loss, batch(loss, torch.float32), slice(0, 3)) for loss in LOSSES]
    masked = {"prediction": losses, "target": zero.expand(1000), "where": torch.arange(1000) < 10}
    cases.append((MeanAbsoluteError(), masked, slice(0, 10)))  # the other rank has no entry that counts
    for loss, arrays, first in cases:
        rows = first if dist.get_rank() == 0 else slice(first.stop, None)
        total, one = loss.total(**{name: x[rows] for name, x in arrays.items()}), loss.total(**arrays)
        for part in (total.exact_sum, total.exact_weight):
            dist.all_reduce(part)
        for name in ("sum", "weight", "mean"):
            torch.testing.assert_close(getattr(total, name), getattr(one, name), rtol=2e-7, atol=0.0, msg=repr(loss))


def a_step_by_the_recipe_is_that_of_the_whole_batch() -> None:
    """Distributed data parallelism with unequal numbers of tokens; the mean of each rank's own mean is another step."""
    tokens = torch.randn(6, 5, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(30).reshape(6, 5) % 3
    for row, kept in enumerate((5, 4, 5, 1, 0, 1)):
        labels[row, kept:] = -100  # ignored
    criterion = SparseCategoricalCrossEntropy(class_weight=(1.0, 2.0, 0.5)).torch(class_axis=-1)

    def slope(loss: Any, rows: slice = slice(None), *, spread: bool = True) -> torch.Tensor:
        model: torch.nn.Module = torch.nn.Linear(4, 3)
        for parameter in model.parameters():
            torch.nn.init.constant_(parameter, 0.1)
        with torch.no_grad():
            model.weight.add_(torch.arange(12.0).reshape(3, 4) / 20.0)  # type: ignore[operator]
        step = torch.nn.parallel.DistributedDataParallel(model) if spread else model
        loss(criterion.total(step(tokens[rows]), labels[rows])).backward()
        return torch.cat([x.grad.reshape(-1) for x in model.parameters() if x.grad is not None])

    def by_the_recipe(total: Total) -> Any:
        weight = total.weight.detach().clone()
        dist.all_reduce(weight)
        return total.sum * RANKS / weight

    for half in (slice(0, 3), slice(0, 4)):
        rows = half if dist.get_rank() == 0 else slice(half.stop, None)
        whole_batch = slope(lambda total: total.mean, spread=False)
        size = whole_batch.abs().max()
        assert (slope(by_the_recipe, rows) - whole_batch).abs().max() <= 1e-6 * size
        assert (slope(lambda total: total.mean, rows) - whole_batch).abs().max() > 1e-2 * size


CASES = (
    dtensors_give_the_answers_of_tensors,
    lists_and_arrays_are_everywhere_and_tensors_must_be_dtensors,
    totals_of_ranks_add_to_one_call,
    a_step_by_the_recipe_is_that_of_the_whole_batch,
)

if __name__ == "__main__":
    rank, meeting = int(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=RANKS)
    for case in CASES:
        case()
    dist.barrier()
    sys.stdout.flush()
    os._exit(0)  # all hold; while Python takes itself apart, threads of gloo's may abort the process
