"""How much faster members train as one stacked model than one at a time, and whether they predict alike.

    python benchmarks/stacked_training.py [SET] [--rounds N]

Both sides train the same networks (every split, seed and hyper-parameter of every loss that `compare` would train on
the set) from the same starts on the same batches, on one thread. The plain side is the loop that one would write by
hand, and is here to be measured only. Sides take turns; the least time of each counts, as other programs only ever add
to it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lossary.compare import plan as planning
from lossary.compare import train as training
from lossary.compare.data import read
from lossary.compare.plan import Budget, Plan
from lossary.compare.prediction import read as read_output
from lossary.compare.profile import profile
from lossary.compare.suggest import suggest
from lossary.compare.trainers.torch import TorchTrainer
from lossary.compare.trainers.trainer import Fold, Member


def train_alone(fold: Fold, criterion: Callable[[Tensor, Tensor], Tensor], outputs: int, budget: Budget) -> np.ndarray:
    """One network in an ordinary loop: Adam, averaged weights, early stopping. Returns its output for the test rows."""
    torch.manual_seed(fold.start)
    model = nn.Sequential(nn.Linear(fold.inputs.shape[1], budget.hidden), nn.SiLU(), nn.Linear(budget.hidden, outputs))
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-3, fused=True)
    weights = list(model.parameters())
    average, move = [weight.detach().clone() for weight in weights], get_ema_multi_avg_fn(0.95)
    inputs, targets = torch.as_tensor(fold.inputs), torch.as_tensor(fold.targets)
    targets = targets.float() if targets.is_floating_point() else targets
    kept, held = torch.as_tensor(fold.kept), torch.as_tensor(fold.held)
    generator = torch.Generator().manual_seed(fold.start)
    names = [name for name, _ in model.named_parameters()]
    best, best_epoch, state = float("inf"), 0, average
    for epoch in range(1, budget.epochs + 1):
        rows = budget.steps * budget.batch
        order = torch.cat([torch.randperm(len(kept), generator=generator) for _ in range(-(-rows // len(kept)))])
        for batch in order[:rows].split(budget.batch):
            optimiser.zero_grad()
            criterion(model(inputs[kept[batch]]).squeeze(-1), targets[kept[batch]]).backward()
            optimiser.step()
            move(average, [weight.detach() for weight in weights], 0)
        with torch.no_grad():
            output = torch.func.functional_call(model, dict(zip(names, average, strict=True)), (inputs[held],))
            cost = criterion(output.squeeze(-1), targets[held]).item()
        if cost < best:
            best, best_epoch, state = cost, epoch, [weight.clone() for weight in average]
        elif epoch - best_epoch >= budget.patience:
            break
    model.load_state_dict(dict(zip(names, state, strict=True)))
    with torch.no_grad():
        return model(torch.as_tensor(fold.test)).double().numpy()


def compare_sides(plan: Plan, candidate: int, rounds: int) -> tuple[float, float, int, list[np.ndarray]]:
    """The least seconds of each side, the number of trainings, and each side's error or accuracy by member."""
    one, outputs = plan.candidates[candidate], planning.outputs_of(plan.candidates[candidate], plan.profile)
    folds = [training.fold_of(plan, one, split) for split in plan.splits]
    members = [
        Member(place, one.scaled(own, split.facts))
        for place, split in enumerate(plan.splits)
        for own in one.settings(split.facts)
    ]

    def stacked() -> list[np.ndarray]:
        return [fit.test for fit in TorchTrainer(plan.budget).fit(folds, members, outputs, one.on_scale)]

    def plain() -> list[np.ndarray]:
        return [
            train_alone(folds[member.fold], member.loss.torch(validate=False), outputs, plan.budget)
            for member in members
        ]

    stacked()  # what the first call alone takes is of no interest
    least, made = [np.inf, np.inf], [[], []]
    for _ in range(rounds):
        for side, run in enumerate((stacked, plain)):
            began = time.perf_counter()
            made[side] = run()
            least[side] = min(least[side], time.perf_counter() - began)
    scores = [
        np.array([_score(plan, member, output) for member, output in zip(members, side, strict=True)]) for side in made
    ]
    return *least, len(members), scores


def _score(plan: Plan, member: Member, output: np.ndarray) -> float:
    split = plan.splits[member.fold]
    truth, prediction = plan.profile.y[split.test], read_output(member.loss.prediction, output, split.facts)
    if plan.profile.classes:
        return float(np.mean(prediction.labels == truth))
    return float(np.mean(np.abs(prediction.values - truth)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", nargs="?", default="diabetes", help="a built-in set")
    parser.add_argument("--rounds", type=int, default=2, help="how often each side is timed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    profiled = profile(read(options.set))
    plan = planning.plan(profiled, suggest(profiled), boosting=False)
    metric = "accuracy" if profiled.classes else "MAE"
    print(f"{options.set}: {plan.folds} folds x {len(plan.seeds)} seeds; {metric} with its standard error")
    print(f"{'loss':36} trainings  stacked    plain   ratio   {metric} stacked      {metric} plain")
    totals = np.zeros(2)
    for place, candidate in enumerate(plan.candidates):
        together, alone, count, scores = compare_sides(plan, place, options.rounds)
        totals += together, alone
        errors = [each.std(ddof=1) / len(each) ** 0.5 for each in scores]
        figures = "   ".join(f"{each.mean():7.4g} ± {error:.2g}" for each, error in zip(scores, errors, strict=True))
        print(
            f"{candidate.name[:36]:36} {count:9} {together:7.2f} s {alone:7.2f} s {alone / together:6.1f}x   {figures}"
        )
        if abs(scores[0].mean() - scores[1].mean()) > max(errors):
            raise SystemExit("the two sides differ by more than a standard error")
    print(f"{'all':46} {totals[0]:7.2f} s {totals[1]:7.2f} s {totals[1] / totals[0]:6.1f}x")


if __name__ == "__main__":
    main()
