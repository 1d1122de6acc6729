"""Networks in PyTorch, trained as one: every weight has a leading axis of members."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lossary.compare.plan import Budget
from lossary.compare.trainers.trainer import Fit, Fold, Member, Trainer, relative
from lossary.define.loss import Loss
from lossary.ops.call import Call

_LEARNING_RATE = 5e-3  # of the default network
_CAREFUL_RATE = 1e-3  # of a user's, which may be deep
_WEIGHT_DECAY = 1e-3
_TINY = 1e-12  # for a batch in which no row counts
_AVERAGING = 0.95  # part of the averaged weights that each step keeps: steadies small, noisy sets

Build = Callable[[int, int], nn.Module]
Forward = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor, bool], Tensor]


@final
class TorchTrainer(Trainer):
    """All members as one stacked model, with the same start and the same batches for every loss and setting.

    A member that makes no progress on its held-out rows is frozen at its best weights and takes no further part.

    Args:
        budget: how long to train.
        build: makes a user's module from the number of features and of outputs; the default network otherwise.
    """

    def __init__(self, budget: Budget, build: Build | None = None) -> None:
        self.budget = budget
        self.build = build

    def fit(
        self, folds: Sequence[Fold], members: Sequence[Member], outputs: int, on_scale: tuple[str, ...] = ()
    ) -> list[Fit]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # so small networks are slower on two; units run side by side instead
        try:
            with torch.random.fork_rng(devices=[]):
                # Members of one loss side by side, so that each loss is called once for all of its own.
                criterion = Criterion([member.loss for member in members], on_scale)
                fits = self._fit(folds, [members[place] for place in criterion.order], outputs, criterion)
        finally:
            torch.set_num_threads(threads)
        return [fits[place] for place in np.argsort(criterion.order)]

    def _fit(self, folds: Sequence[Fold], members: Sequence[Member], outputs: int, criterion: Criterion) -> list[Fit]:
        rows = Rows(folds, [member.fold for member in members])
        stack = self._stack(folds, members, outputs)
        best = stack.snapshot()
        lowest = torch.full((len(members),), torch.inf)
        best_epoch = torch.zeros(len(members), dtype=torch.int64)
        curves = torch.full((self.budget.epochs, len(members)), torch.nan)
        alive = torch.arange(len(members))
        for epoch in range(1, self.budget.epochs + 1):
            for batch in rows.shuffled(self.budget.batch, self.budget.steps):
                stack.descend(criterion(stack(rows.inputs(batch)), rows.targets[batch], rows.weights(batch)))
            held, counts = rows.held()
            with torch.no_grad():
                cost = criterion(stack(rows.inputs(held), averaged=True), rows.targets[held], counts)
            curves[epoch - 1, alive] = cost
            better = cost < lowest[alive]
            improved = alive[better]
            lowest[improved], best_epoch[improved] = cost[better], epoch
            stack.save(best, improved, better)
            going_on = epoch - best_epoch[alive] < self.budget.patience
            if not going_on.any():
                break
            if not going_on.all():
                alive = alive[going_on]
                rows.keep(going_on)
                stack.keep(going_on)
                criterion.keep(going_on)
        # A member that never had a finite cost has learnt nothing, and must not pass for one that has.
        learnt = torch.where(lowest.isfinite(), 1.0, torch.nan).numpy()
        return [
            Fit(
                held=learnt[place] * stack.predict(best, place, fold.inputs[fold.held]),
                test=learnt[place] * stack.predict(best, place, fold.test),
                epochs=int(best_epoch[place]),
                curve=relative(curves[:, place][~curves[:, place].isnan()].numpy()),
            )
            for place, fold in enumerate(folds[member.fold] for member in members)
        ]

    def _stack(self, folds: Sequence[Fold], members: Sequence[Member], outputs: int) -> Stack:
        features = folds[0].inputs.shape[1]
        starts = []
        for fold in folds:
            torch.manual_seed(fold.start)
            starts.append(self._module(features, outputs))
        torch.manual_seed(folds[0].start)  # for what is random in a module: dropout, say
        stacked = [starts[member.fold] for member in members]
        if self.build is None:
            return Stack(stacked, _perceptrons, _LEARNING_RATE)
        return Stack(stacked, vectorised(starts[0], len(members), features), _CAREFUL_RATE)

    def _module(self, features: int, outputs: int) -> nn.Module:
        if self.build is not None:
            module = self.build(features, outputs).eval()
            with torch.no_grad():
                module(torch.zeros(2, features))  # lazy layers learn their sizes
            return module
        hidden = self.budget.hidden
        return nn.Sequential(nn.Linear(features, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


@final
class Rows:
    """The training rows of all folds, one below the other; a row is found by its place among all of them."""

    def __init__(self, folds: Sequence[Fold], fold_of: Sequence[int]) -> None:
        """`fold_of` says, for each member, which fold it learns from."""
        sizes = [len(fold.inputs) for fold in folds]
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._fold_of = torch.as_tensor(fold_of)
        self._table = torch.as_tensor(np.concatenate([fold.inputs for fold in folds]))
        targets = torch.as_tensor(np.concatenate([fold.targets for fold in folds]))
        self.targets = targets.float() if targets.is_floating_point() else targets
        weights = [fold.weight for fold in folds if fold.weight is not None]
        self._weight = torch.as_tensor(np.concatenate(weights)) if weights else None
        self._kept = [torch.as_tensor(fold.kept + start) for fold, start in zip(folds, first, strict=True)]
        held = [torch.as_tensor(fold.held + start) for fold, start in zip(folds, first, strict=True)]
        # Folds differ in size: the shorter lists repeat a row that does not count.
        self._held = nn.utils.rnn.pad_sequence(held, batch_first=True, padding_value=int(held[0][0]))
        self._counts = nn.utils.rnn.pad_sequence([torch.ones(len(each)) for each in held], batch_first=True)
        self._generators = [torch.Generator().manual_seed(fold.start) for fold in folds]

    def shuffled(self, batch: int, steps: int) -> Iterator[Tensor]:
        """An epoch: batches of places, (members, batch), every fold's rows as often as their number allows."""
        orders = torch.zeros(len(self._kept), steps * batch, dtype=torch.int64)
        for fold in set(self._fold_of.tolist()):
            kept, generator = self._kept[fold], self._generators[fold]
            passes = -(-steps * batch // len(kept))
            shuffles = [torch.randperm(len(kept), generator=generator) for _ in range(passes)]
            orders[fold] = kept[torch.cat(shuffles)[: steps * batch]]
        return iter(torch.split(orders[self._fold_of], batch, dim=1))

    def inputs(self, places: Tensor) -> Tensor:
        return self._table.index_select(0, places.flatten()).view(*places.shape, -1)

    def weights(self, places: Tensor) -> Tensor | None:
        return None if self._weight is None else self._weight[places]

    def held(self) -> tuple[Tensor, Tensor | None]:
        """Every member's held-out rows, (members, rows), and how much each counts."""
        places, counts = self._held[self._fold_of], self._counts[self._fold_of]
        if self._weight is not None:
            return places, counts * self._weight[places]
        return places, None if bool(counts.all()) else counts

    def keep(self, which: Tensor) -> None:
        """Go on with these members alone."""
        self._fold_of = self._fold_of[which]


@final
class Criterion:
    """The cost of each member by a loss of its own.

    Losses that differ in a hyper-parameter on the target's scale become one: residuals are counted in units of it, so
    that a single Huber(delta=1) serves members with any δ. Such a loss's gradient is a multiple of its member's own,
    which Adam does not notice. What differs otherwise is called for one after the other.

    Args:
        losses: one for each member.
        on_scale: names of hyper-parameters on the target's scale.
    """

    def __init__(self, losses: Sequence[Loss], on_scale: tuple[str, ...] = ()) -> None:
        shared, factors = zip(*(_in_units_of(loss, losses[0], on_scale) for loss in losses), strict=True)
        distinct = list(dict.fromkeys(shared))
        kinds = np.array([distinct.index(loss) for loss in shared])
        self.order = np.argsort(kinds, kind="stable")
        self.validate = True
        self._losses = distinct
        self._kinds = torch.as_tensor(kinds[self.order])
        self._factors = torch.tensor(factors)[torch.as_tensor(self.order), None] if on_scale else None
        self.keep(torch.ones(len(losses), dtype=torch.bool))

    def keep(self, which: Tensor) -> None:
        """Go on with these members alone."""
        self._kinds = self._kinds[which]
        self._factors = None if self._factors is None else self._factors[which]
        ends = torch.bincount(self._kinds, minlength=len(self._losses)).cumsum(0).tolist()
        parts = zip(self._losses, itertools.pairwise((0, *ends)), strict=True)
        self.calls = [(loss, slice(*part)) for loss, part in parts if part[0] < part[1]]

    def __call__(self, outputs: Tensor, targets: Tensor, weight: Tensor | None) -> Tensor:
        """One cost for each member, in `order`: the mean over (members, rows)."""
        predictions = outputs.squeeze(-1) if outputs.shape[-1] == 1 else outputs
        if self._factors is not None:
            predictions, targets = predictions * self._factors, targets * self._factors
        costs = []
        for loss, part in self.calls:
            counts = None if weight is None else weight[part]
            call = Call((predictions[part], targets[part]), counts, validate=self.validate)
            values, weights = loss.compute_weighted(call)
            costs.append(values.mean(1) if weights is None else values.sum(1) / weights.sum(1).clamp_min(_TINY))
        # The first batch is checked; later ones are of the same kind, and checks would be a tenth of the time.
        self.validate = False
        return costs[0] if len(costs) == 1 else torch.cat(costs)


def _in_units_of(loss: Loss, unit: Loss, on_scale: tuple[str, ...]) -> tuple[Loss, float]:
    """The loss that equals `loss`, up to a factor, once residuals are multiplied by the number returned with it."""
    if not on_scale:
        return loss, 1.0
    name, *others = on_scale
    factor = getattr(unit, name) / getattr(loss, name)
    scaled = {other: factor * getattr(loss, other) for other in others}
    return type(loss)(**{**loss.settings, **scaled, name: getattr(unit, name)}), factor


@final
class Stack:
    """Networks of one shape as one, with Adam's moments and moving averages of their weights."""

    def __init__(self, modules: Sequence[nn.Module], forward: Forward, learning_rate: float) -> None:
        self.weights, self.buffers = _stacked(modules)
        self.forward = forward
        self.learning_rate = learning_rate
        self.averages = [weight.detach().clone() for weight in self.weights]
        self._moments = [[torch.zeros_like(weight) for weight in self._trained] for _ in range(2)]
        self._steps = [torch.zeros(()) for _ in self._trained]
        self._move: Any = get_ema_multi_avg_fn(_AVERAGING)  # type: ignore[no-untyped-call]  # torch has no types here

    @property
    def _trained(self) -> list[Tensor]:
        return [weight for weight in self.weights if weight.requires_grad]

    def __call__(self, inputs: Tensor, averaged: bool = False) -> Tensor:
        """(members, rows, features) to (members, rows, outputs); with averaged weights as for prediction."""
        return self.forward(self.averages if averaged else self.weights, self.buffers, inputs, not averaged)

    def descend(self, costs: Tensor) -> None:
        """One step of Adam for every member, each down its own cost."""
        weights = self._trained
        gradients = torch.autograd.grad(costs.sum(), weights, materialize_grads=True)
        with torch.no_grad():
            # As a function, so that members can leave with their moments; it reads gradients in the weights' layout.
            adamw(
                weights,
                [gradient.contiguous() for gradient in gradients],
                exp_avgs=self._moments[0],
                exp_avg_sqs=self._moments[1],
                max_exp_avg_sqs=[],
                state_steps=self._steps,
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self.learning_rate,
                weight_decay=_WEIGHT_DECAY,
                eps=1e-8,
                maximize=False,
            )
            self._move(self.averages, [weight.detach() for weight in self.weights], 0)

    def snapshot(self) -> list[Tensor]:
        """What predictions are made from: averaged weights, and buffers."""
        return [state.clone() for state in (*self.averages, *self.buffers)]

    def save(self, into: list[Tensor], places: Tensor, which: Tensor) -> None:
        """Write the state of `which` members of this stack to their places in a snapshot."""
        for kept, state in zip(into, (*self.averages, *self.buffers), strict=True):
            kept[places] = state[which]

    def keep(self, which: Tensor) -> None:
        """Go on with these members alone."""
        self.weights = [weight.detach()[which].requires_grad_(weight.requires_grad) for weight in self.weights]
        for states in (self.averages, self.buffers, *self._moments):
            states[:] = [state[which] for state in states]

    def predict(self, snapshot: list[Tensor], member: int, inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """(rows, features) to (rows, outputs), by one member of a snapshot."""
        states = [state[member : member + 1] for state in snapshot]
        weights, buffers = states[: len(self.averages)], states[len(self.averages) :]
        with torch.no_grad():
            output = self.forward(weights, buffers, torch.as_tensor(inputs)[None], False)
        return output[0].double().numpy()


def _stacked(modules: Sequence[nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
    weights, buffers = torch.func.stack_module_state(list(modules))
    return list(weights.values()), list(buffers.values())


def _perceptrons(weights: Sequence[Tensor], buffers: Sequence[Tensor], inputs: Tensor, training: bool) -> Tensor:
    """The default network by batched matrix products: two thirds of the time that `vmap` takes."""
    into_hidden, hidden_bias, into_output, output_bias = weights
    hidden = torch.baddbmm(hidden_bias.unsqueeze(1), inputs, into_hidden.transpose(1, 2))
    return torch.baddbmm(output_bias.unsqueeze(1), nn.functional.silu(hidden), into_output.transpose(1, 2))


def vectorised(module: nn.Module, members: int, features: int) -> Forward:
    """The forward pass of many modules like this one: by `vmap`, or one after the other where that cannot be."""
    skeleton = copy.deepcopy(module).to("meta")
    names = [name for name, _ in module.named_parameters()]
    buffer_names = [name for name, _ in module.named_buffers()]

    def one(weights: Sequence[Tensor], buffers: Sequence[Tensor], inputs: Tensor) -> Tensor:
        state = dict(zip((*names, *buffer_names), (*weights, *buffers), strict=True))
        output: Tensor = torch.func.functional_call(skeleton, state, (inputs,))
        return output.reshape(len(inputs), -1)

    together = torch.func.vmap(one, randomness="different")

    def by_vmap(weights: Sequence[Tensor], buffers: Sequence[Tensor], inputs: Tensor, training: bool) -> Tensor:
        skeleton.train(training)
        return together(list(weights), list(buffers), inputs)

    def in_turn(weights: Sequence[Tensor], buffers: Sequence[Tensor], inputs: Tensor, training: bool) -> Tensor:
        skeleton.train(training)
        return torch.stack(
            [
                one([weight[each] for weight in weights], [buffer[each] for buffer in buffers], inputs[each])
                for each in range(len(inputs))
            ]
        )

    weights, buffers = _stacked([module] * min(members, 2))
    with torch.random.fork_rng(devices=[]):
        try:
            rows = torch.randn(len(weights[0]), 4, features)
            trial = by_vmap(weights, [each.clone() for each in buffers], rows, True)
            trial.sum().backward()  # type: ignore[no-untyped-call]  # torch has no types here
        except Exception:  # whatever it is: if it is not for vmap, the other way meets it too, and says so
            return in_turn
    return by_vmap
