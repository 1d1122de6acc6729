"""Two processes, each with a half of the batches of tests/adapters/test_metrics.py: both print the mean over all."""

from __future__ import annotations

import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))


def work(rank: int, rendezvous: str) -> None:
    from lossary import metrics
    from tests.adapters.test_metrics import SPARSE, torch_batches

    torch.distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    metric = metrics.as_metric(SPARSE.torch())
    for batch in torch_batches(torch)[rank::2]:
        metric.update(*batch)
    print(float(metric.compute()), flush=True)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    torch.multiprocessing.spawn(work, (sys.argv[1],), nprocs=2)
