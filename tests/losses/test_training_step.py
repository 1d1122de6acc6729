"""A training step in PyTorch: a layer stands before the loss, so that the prediction is never an input of a graph."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import lossary.torch
from lossary import BinaryCrossEntropy, Huber, MeanSquaredError, SparseCategoricalCrossEntropy
from lossary.define.loss import Loss
from lossary.ops import dispatch
from tests import grid

TRAINABLE = tuple(loss for loss in grid.PAIRS if loss.trainable)
ROWS = 6
OPERATIONS = dispatch.ops("torch")


class Step(nn.Module):
    """A layer, the activation of what the loss takes, and the loss."""

    def __init__(self, loss: Loss, **options: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(5, grid.shapes_of(loss)[0][-1])
        self.domain = loss.prediction
        self.criterion = loss.torch(**({"class_axis": -1} if loss.prediction.rows else {}), **options)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        prediction = self.domain.activate(OPERATIONS, self.layer(input))
        value: Tensor = self.criterion(prediction, target)
        return value

    def gradients(self, value: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(value, list(self.layer.parameters())))


def batch(loss: Loss, rows: int = ROWS) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(0)
    target = torch.tensor(grid.ordinary(loss, random, rows)["target"])
    input = torch.tensor(random.normal(size=(rows, 5)), dtype=torch.float32)
    return input, target if loss.target.indices else target.float()


def close(came: Any, wanted: Any) -> None:
    torch.testing.assert_close(came, wanted, rtol=1e-5, atol=1e-6)


def _at_other_settings(losses: tuple[Loss, ...]) -> list[Any]:
    """All but one that takes its inputs so, and one with a table, are thorough: the laws are about the adapter."""
    defaults = [loss for loss in losses if loss in grid.EACH]
    usual = [*grid.one_of_each(defaults, "a training step"), next(loss for loss in losses if grid.has_table(loss))]
    return [pytest.param(loss, id=repr(loss), marks=() if loss in usual else pytest.mark.thorough) for loss in losses]


everywhere = pytest.mark.parametrize("loss", _at_other_settings(TRAINABLE))


@everywhere
def test_it_compiles_as_one_graph(loss: Loss) -> None:
    torch.compiler.reset()
    step, data = Step(loss), batch(loss)
    value = torch.compile(step, fullgraph=True, backend="aot_eager")(*data)
    close(value, step(*data))
    close(step.gradients(value), step.gradients(step(*data)))


def test_it_compiles_by_inductor() -> None:
    torch.compiler.reset()
    loss = SparseCategoricalCrossEntropy(class_weight=(0.5, 2.0, 1.0, 0.25), label_smoothing=0.1)
    step, data = Step(loss), batch(loss)
    value = torch.compile(step, fullgraph=True)(*data)
    close(value, step(*data))
    close(step.gradients(value), step.gradients(step(*data)))


@everywhere
def test_it_exports_with_a_dynamic_batch(loss: Loss) -> None:
    step, data = Step(loss), batch(loss)
    rows = torch.export.Dim("rows", min=2)
    program = torch.export.export(step, data, dynamic_shapes=({0: rows}, {0: rows})).module()
    for size in (2, 11):
        other = batch(loss, size)
        close(program(*other), step(*other))


@everywhere
def test_it_is_traced(loss: Loss) -> None:
    step, data = Step(loss), batch(loss)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own: it is deprecated, and shapes are constants in it
        traced = torch.jit.trace(step, data, check_trace=False)
    other = data[0] + 1.0, data[1]
    close(traced(*other), step(*other))


@everywhere
@pytest.mark.parametrize("reentrant", [False, True])
def test_it_is_checkpointed(loss: Loss, reentrant: bool) -> None:
    step, (input, target) = Step(loss), batch(loss)
    value = checkpoint(step, input.requires_grad_(), target, use_reentrant=reentrant)
    value.backward()
    close([parameter.grad for parameter in step.layer.parameters()], step.gradients(step(input, target)))


@everywhere
def test_gradients_of_each_example(loss: Loss) -> None:
    step, (input, target) = Step(loss, reduction="sum"), batch(loss)
    parameters = {name: parameter.detach() for name, parameter in step.named_parameters()}

    def one(parameters: dict[str, Tensor], input: Tensor, target: Tensor) -> Tensor:
        value: Tensor = torch.func.functional_call(step, parameters, (input[None], target[None]))
        return value

    each = torch.func.vmap(torch.func.grad(one), (None, 0, 0))(parameters, input, target)
    close([each[name].sum(0) for name in parameters], step.gradients(step(input, target)))


@everywhere
def test_it_runs_under_autocast(loss: Loss) -> None:
    step, data = Step(loss, validate=False), batch(loss)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = step(*data)
        torch.compiler.reset()
        compiled = torch.compile(step, fullgraph=True, backend="aot_eager")(*data)
    assert value.dtype == compiled.dtype == torch.float32
    close(compiled, value)
    assert all(gradient.isfinite().all() for gradient in step.gradients(compiled))


@pytest.mark.parametrize("loss", [Huber(), BinaryCrossEntropy(), SparseCategoricalCrossEntropy()], ids=repr)
def test_weights_are_learned_in_a_compiled_step(loss: Loss) -> None:
    """Also those that start at 0: under the sum the derivative by a weight is the loss."""
    module, (x, target) = Step(loss, reduction="sum"), batch(loss)
    step = torch.compile(
        lambda weight: module.criterion(module.layer(x), target, weight=weight), fullgraph=True, backend="aot_eager"
    )
    weight = nn.Parameter(torch.zeros(ROWS))
    step(weight).backward()
    losses = loss(prediction=module.layer(x).detach(), target=target, reduction="none")
    close(weight.grad, losses.reshape(ROWS, -1).sum(1))
    assert (losses > 0).all()
    assert module.layer.weight.grad is not None
    assert not module.layer.weight.grad.any()


def test_a_compiled_step_follows_what_is_changed() -> None:
    """Options, tables and settings are compared at each call, though nothing inside of the loss is."""
    torch.compiler.reset()
    loss = SparseCategoricalCrossEntropy(class_weight=(0.5, 2.0, 1.0, 0.25))
    step, (input, target) = Step(loss), batch(loss)
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    compiled(input, target)
    changes = [("reduction", "sum"), ("ignore_index", 1), ("class_weight", torch.ones(4, dtype=torch.float64))]
    for name, value in [*changes, ("reduction", "none")]:
        setattr(step.criterion, name, value)
        close(compiled(input, target), step(input, target))
    step.criterion.class_weight.mul_(3.0)  # in place, without a new graph
    close(compiled(input, target), step(input, target))
    for delta in (0.1, 5.0):
        other = Step(Huber(delta)), batch(Huber())
        close(torch.compile(other[0], fullgraph=True, backend="aot_eager")(*other[1]), other[0](*other[1]))


def test_a_compiled_step_is_guarded_by_little() -> None:
    """Dynamo checks all that it met on the way at each step: hardly more than of PyTorch's own loss."""
    counts = []
    for criterion in (lossary.torch.MeanSquaredError(), nn.MSELoss()):
        torch.compiler.reset()
        layer = nn.Linear(3, 2)
        step = torch.compile(lambda x, y, c=criterion, net=layer: c(net(x), y), backend="eager", fullgraph=True)
        step(torch.ones(4, 3), torch.ones(4, 2))
        (entry,) = torch._dynamo.eval_frame._debug_get_cache_entry_list(step._torchdynamo_orig_callable.__code__)
        counts.append(str(entry.guard_manager).count("_MATCH"))
    assert counts[0] <= counts[1] + 40


# ── options that a loss cannot use ───────────────────────────────────────────────────────────────────────────────────


@grid.losses()
def test_an_option_is_used_or_refused(loss: Loss) -> None:
    home = getattr(lossary.torch, type(loss).__name__)
    if loss.target.indices:
        assert home(**loss.settings, ignore_index=3).ignore_index == 3
    else:
        with pytest.raises(lossary.UsageError, match="ignore_index is for targets of class indices"):
            home(**loss.settings, ignore_index=-100)
    if loss.prediction.rows or any(isinstance(getattr(loss, name), tuple) for name in loss.tables):
        assert home(**loss.settings, class_axis=1).class_axis == 1
    else:
        with pytest.raises(lossary.UsageError, match="class_axis is for losses of rows and for tables"):
            home(**loss.settings, class_axis=1)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_labels_on_axis_one_as_in_pytorch(reduction: Any) -> None:
    torch.manual_seed(0)
    shape = (2, 3, 4, 3)
    input, target = torch.randn(shape, requires_grad=True), torch.randint(0, 2, shape).float()
    table = (1.0, 2.0, 3.0)
    ours = lossary.torch.BinaryCrossEntropy(pos_weight=table, class_axis=1, reduction=reduction)
    weight = torch.rand(2, 3)
    came = ours(input, target, weight=weight, where=torch.tensor([True, False]))
    theirs = nn.functional.binary_cross_entropy_with_logits(
        input, target, pos_weight=torch.tensor(table).view(3, 1, 1), reduction="none"
    )
    w = (weight * torch.tensor([[1.0], [0.0]])).view(2, 3, 1, 1).expand(shape)
    wanted = {"none": w * theirs, "sum": (w * theirs).sum(), "mean": (w * theirs).sum() / w.sum()}[reduction]
    close(came, wanted)
    close(torch.autograd.grad(came.sum(), input), torch.autograd.grad(wanted.sum(), input))
    with pytest.raises(lossary.ShapeError, match="weight must have the losses' shape"):
        ours(input, target, weight=torch.rand(2, 4))


def test_one_weight_for_all_is_no_table() -> None:
    with pytest.raises(lossary.ShapeError, match=r"pos_weight=3\.0"):
        lossary.torch.BinaryCrossEntropy(pos_weight=torch.tensor([3.0]))(torch.zeros(4), torch.ones(4))


# ── what it says is what it computes ─────────────────────────────────────────────────────────────────────────────────

TABLED = [loss for loss in grid.PAIRS if grid.has_table(loss)]


@grid.losses(of=tuple(TABLED))
@pytest.mark.parametrize("change", ["load", "in place", "assign", "half"])
def test_it_says_what_it_computes(loss: Loss, change: str) -> None:
    step, data = Step(loss), batch(loss)
    criterion = step.criterion
    (name,) = criterion.state_dict()
    new = torch.tensor([3.0, 0.1, 1.0, 0.7])
    match change:
        case "load":
            criterion.load_state_dict({name: new})
        case "in place":
            getattr(criterion, name).copy_(new)
        case "assign":
            setattr(criterion, name, new)
        case _:
            criterion.half()
    said = lossary.from_config(criterion.loss.config())
    again = Step(said)
    assert repr(again.criterion) == repr(criterion)
    close(again(*data), step(*data))
    assert (getattr(said, name) != getattr(loss, name)) == (change != "half")


def test_a_checkpoint_of_pytorchs_own_cross_entropy_loads() -> None:
    theirs = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]))
    ours = lossary.torch.SparseCategoricalCrossEntropy(class_weight=(1.0, 1.0, 1.0))
    ours.load_state_dict(theirs.state_dict())
    assert ours.loss.class_weight == (1.0, 2.0, 3.0)
    whole = nn.ModuleDict({"criterion": ours})
    whole.load_state_dict(
        nn.ModuleDict({"criterion": nn.CrossEntropyLoss(weight=torch.tensor([4.0, 5.0, 6.0]))}).state_dict()
    )
    assert ours.loss.class_weight == (4.0, 5.0, 6.0)


# ── learned coefficients ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("left", [True, False])
def test_learned_task_weights(left: bool) -> None:
    """Kendall, Gal & Cipolla 2018: exp(−s)·ℓ + s for each task, against the same written on PyTorch's own losses."""
    torch.manual_seed(0)
    s, t = (torch.tensor(x, requires_grad=True) for x in (0.3, -0.7))
    p, y = torch.randn(6, requires_grad=True), torch.randn(6)
    huber, square = Huber(), MeanSquaredError()
    if left:
        objective = torch.exp(-s) * huber + s + (torch.exp(-t) * square + t)
    else:
        objective = s + huber * torch.exp(-s) + (t + square * torch.exp(-t))
    own = nn.functional.huber_loss(p, y), nn.functional.mse_loss(p, y)
    wanted = torch.exp(-s) * own[0] + s + torch.exp(-t) * own[1] + t
    gradients = torch.autograd.grad(wanted, [s, t, p])
    for came in (objective(prediction=p, target=y), objective.torch()(p, y)):
        close(came, wanted)
        close(torch.autograd.grad(came, [s, t, p], retain_graph=True), gradients)
    close(sum(objective.torch().terms(p, y).values()), wanted)
    for refused in (hash, type(objective).config):
        with pytest.raises(lossary.UsageError, match="whose factors are learned"):
            refused(objective)
    for refused in (objective.total, objective.values):
        with pytest.raises(lossary.UsageError, match="an added scalar"):
            refused(prediction=p, target=y)
    with pytest.raises(lossary.FrameworkError, match="from one framework"):
        objective(prediction=np.ones(3), target=np.ones(3))
    with pytest.raises(lossary.ShapeError, match="a number or a scalar"):
        torch.ones(3) * huber


def test_a_parameter_as_a_factor_belongs_to_the_module() -> None:
    factor = nn.Parameter(torch.tensor(2.0))
    criterion = (factor * Huber() + 0.5 * MeanSquaredError()).torch()
    assert list(criterion.parameters()) == [factor]
    p, y = torch.randn(6, requires_grad=True), torch.randn(6)
    wanted = 2.0 * nn.functional.huber_loss(p, y) + 0.5 * nn.functional.mse_loss(p, y)
    close(criterion(p, y), wanted)
    close(torch.compile(criterion, fullgraph=True, backend="aot_eager")(p, y), wanted)
    total = criterion.total(p, y)
    close(total.mean, wanted)
    torch.optim.SGD(criterion.parameters(), lr=1.0).zero_grad()
    criterion(p, y).backward()
    close(factor.grad, nn.functional.huber_loss(p, y))
    criterion.load_state_dict({"huber_factor": torch.tensor(0.0)})
    close(criterion(p, y), 0.5 * nn.functional.mse_loss(p, y))
    replaced = torch.func.functional_call(criterion, {"huber_factor": torch.tensor(2.0)}, (p, y))
    close(replaced, wanted)


@pytest.mark.parametrize(
    "make",
    [
        Huber,
        lambda x: BinaryCrossEntropy(pos_weight=torch.stack([x, x])),
        lambda x: BinaryCrossEntropy(pos_weight=[1.0, x]),
    ],
)
def test_a_hyper_parameter_is_not_learned(make: Any) -> None:
    x = torch.tensor(2.0)
    assert math.isfinite(hash(make(x)))
    with pytest.raises(lossary.UsageError, match=r"a hyper-parameter is not learned(.|\n)*factor of an objective"):
        make(x.requires_grad_())
    with pytest.raises(lossary.UsageError, match="a hyper-parameter is not learned"):
        torch.func.grad(lambda x: 0.0 * make(x)(prediction=torch.zeros(2), target=torch.ones(2)))(torch.tensor(2.0))
