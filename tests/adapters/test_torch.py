"""The PyTorch host: an ordinary criterion, and everything that people do to one."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import torch

import lossary.torch
from lossary import L2, Huber, Quantile, ShapeError, UsageError
from lossary.define.domains.numbers import Real
from lossary.define.loss import Pointwise
from tests import grid

TRAINABLE = tuple(loss for loss in grid.DEFAULTS if loss.trainable)


def _batch(loss, seed=0, dtype=torch.float32, rows=6):
    """An input that needs a gradient, and a target, with the classes last."""
    prediction, target = grid.ordinary(loss, np.random.default_rng(seed), rows).values()
    target = torch.tensor(target)
    return torch.tensor(prediction, dtype=dtype, requires_grad=True), target if loss.target.indices else target.to(
        dtype
    )


def _criterion(loss, **options):
    return loss.torch(**({"class_axis": -1} if loss.prediction.rows else {}), **options)


@grid.losses()
def test_the_named_class_and_the_method_are_the_same(loss):
    named = getattr(lossary.torch, type(loss).__name__)
    assert type(loss.torch()) is named
    assert named(**loss.settings).loss == loss
    assert isinstance(loss.torch(), torch.nn.Module)
    assert repr(loss.torch()).startswith(type(loss).__name__)


@grid.losses(of=TRAINABLE, alike=True)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_it_equals_the_free_call(loss, reduction):
    prediction, target = _batch(loss)
    weight = torch.rand(6)
    criterion = _criterion(loss)
    criterion.reduction = reduction
    ours = criterion(prediction, target, weight=weight, where=torch.arange(6) != 2)
    free = loss(prediction=prediction, target=target, weight=weight, where=torch.arange(6) != 2, reduction=reduction)
    torch.testing.assert_close(ours, free, rtol=0, atol=0)


# Inductor takes seconds for each: what it makes of the operations is measured in test_accuracy.py.
THROUGHOUT = grid.one_of_each(TRAINABLE, "PyTorch")
BACKENDS = [
    pytest.param(loss, backend, id=f"{loss!r}-{backend}", marks=() if quick else pytest.mark.thorough)
    for loss in TRAINABLE
    for backend, quick in (("aot_eager", loss in THROUGHOUT), ("inductor", loss == Huber()))
]


@pytest.mark.parametrize(("loss", "backend"), BACKENDS)
def test_compiled_equals_eager(loss, backend):
    torch.compiler.reset()
    prediction, target = _batch(loss)
    criterion = _criterion(loss)
    eager = torch.autograd.grad(criterion(prediction, target), prediction)[0]
    compiled_value = torch.compile(criterion, fullgraph=True, backend=backend)(prediction, target)
    compiled = torch.autograd.grad(compiled_value, prediction)[0]
    torch.testing.assert_close(compiled_value, criterion(prediction, target), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(compiled, eager, rtol=1e-6, atol=1e-7)


@grid.losses(of=TRAINABLE, alike=True)
def test_functional_transforms(loss):
    prediction, target = _batch(loss, dtype=torch.float64)
    criterion = _criterion(loss)
    (expected,) = torch.autograd.grad(criterion(prediction, target), prediction)
    point = prediction.detach()
    torch.testing.assert_close(torch.func.grad(criterion)(point, target), expected)

    one_by_one = torch.stack([criterion(row, row_target) for row, row_target in zip(point, target, strict=True)])
    torch.testing.assert_close(torch.func.vmap(criterion)(point, target), one_by_one)

    along = torch.randn_like(point)
    _, tangent = torch.func.jvp(lambda p: criterion(p, target), (point,), (along,))
    torch.testing.assert_close(tangent, (expected * along).sum())

    row, row_target = point[0], target[0]
    hessian = torch.func.hessian(criterion)(row, row_target)
    step = 1e-6 * torch.eye(len(row), dtype=row.dtype)
    numeric = torch.stack(
        [
            (torch.func.grad(criterion)(row + h, row_target) - torch.func.grad(criterion)(row - h, row_target)) / 2e-6
            for h in step
        ]
    )
    torch.testing.assert_close(hessian, numeric, rtol=1e-4, atol=1e-6)


@grid.losses(of=TRAINABLE, alike=True)
def test_double_backward(loss):
    prediction, target = _batch(loss, dtype=torch.float64)
    criterion = _criterion(loss, reduction="none")
    upstream = torch.rand(criterion(prediction, target).shape, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: (criterion(p, target) * upstream).sum(), (prediction,))
    assert torch.autograd.gradgradcheck(lambda p: (criterion(p, target) * upstream).sum(), (prediction,))


@grid.losses(alike=True)
def test_pickle_deepcopy_save_and_state(loss):
    criterion = _criterion(loss, reduction="sum")
    prediction, target = _batch(loss)
    expected = criterion(prediction, target)
    saved = io.BytesIO()
    torch.save(criterion, saved)
    saved.seek(0)
    for same in (
        pickle.loads(pickle.dumps(criterion)),
        copy.deepcopy(criterion),
        torch.load(saved),  # weights alone, as it is by default
    ):
        assert type(same) is type(criterion)
        assert same.loss == loss
        assert same.reduction == "sum"
        torch.testing.assert_close(same(prediction, target), expected, rtol=0, atol=0)
    tables = {name for name in loss.tables if isinstance(getattr(loss, name), tuple) and getattr(loss, name)}
    assert set(criterion.state_dict()) == tables
    criterion.load_state_dict({name: 2.0 * table for name, table in criterion.state_dict().items()})
    if tables:
        assert criterion(prediction, target) != expected


@grid.losses(alike=True)
def test_to_another_device_and_dtype(loss):
    criterion = _criterion(loss).to("meta")
    assert all(buffer.device.type == "meta" for buffer in criterion.buffers())
    prediction, target = _batch(loss)
    value = criterion(prediction.to("meta"), target.to("meta"))
    assert value.device.type == "meta"
    assert value.shape == ()
    assert all(buffer.dtype == torch.float64 for buffer in _criterion(loss).double().buffers())


@grid.losses(of=TRAINABLE, alike=True)
def test_autocast_and_half_inputs(loss):
    prediction, target = _batch(loss)
    half = prediction.detach().bfloat16().requires_grad_()
    criterion = _criterion(loss, reduction="none", validate=False)
    unreduced = criterion(half, target)
    assert unreduced.dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = criterion(half, target)
    assert under_autocast.dtype == torch.float32
    torch.testing.assert_close(under_autocast, criterion(half.float(), target), rtol=0, atol=0)
    under_autocast.sum().backward()
    assert half.grad.dtype == torch.bfloat16
    assert _criterion(loss, validate=False)(half, target).dtype == torch.float32


def test_classes_stand_on_axis_one_as_in_pytorch():
    logits, index = torch.randn(4, 3, 7), torch.randint(0, 3, (4, 7))
    index[0, 0] = -100
    weight = (1.0, 2.0, 3.0)
    for smoothing in (0.0, 0.1):
        ours = lossary.torch.SparseCategoricalCrossEntropy(label_smoothing=smoothing, reduction="none")(logits, index)
        theirs = torch.nn.functional.cross_entropy(logits, index, label_smoothing=smoothing, reduction="none")
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    ours = lossary.torch.SparseCategoricalCrossEntropy(class_weight=weight)(logits, index)
    theirs = torch.nn.functional.cross_entropy(logits, index, weight=torch.tensor(weight))
    torch.testing.assert_close(ours, theirs)
    rows = torch.nn.functional.one_hot(index.clamp(min=0), 3).movedim(-1, 1).float()
    ours = lossary.torch.CategoricalCrossEntropy(reduction="none")(logits, rows)
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, rows, reduction="none"))


def test_ignored_targets_leave_value_mean_and_gradient():
    logits = torch.randn(5, 3, requires_grad=True)
    index = torch.tensor([0, 1, 255, 2, 255])
    poisoned = logits.detach().clone()
    poisoned[[2, 4]] = float("nan")
    poisoned.requires_grad_()
    criterion = lossary.torch.SparseCategoricalCrossEntropy(ignore_index=255)
    value = criterion(poisoned, index)
    torch.testing.assert_close(
        value, lossary.torch.SparseCategoricalCrossEntropy()(logits[[0, 1, 3]], index[[0, 1, 3]])
    )
    value.backward()
    assert (poisoned.grad[[2, 4]] == 0).all()
    assert poisoned.grad.isfinite().all()
    everything = criterion(logits, torch.full((5,), 255))
    everything.backward()
    assert everything == 0
    assert (logits.grad == 0).all()


def test_an_error_for_one_class_axis_suggests_the_other():
    with pytest.raises(ShapeError, match=r"class_axis=-1"):
        lossary.torch.SparseCategoricalCrossEntropy()(torch.randn(4, 7, 3), torch.zeros(4, 7, dtype=torch.long))
    with pytest.raises(ShapeError, match=r"class_axis=1"):
        lossary.torch.SparseCategoricalCrossEntropy(class_axis=-1)(
            torch.randn(4, 3, 7), torch.zeros(4, 7, dtype=torch.long)
        )


@pytest.mark.parametrize("between", [lambda x: x, lambda x: x.squeeze(-1).unsqueeze(-1), lambda x: x.view(-1, 1)])
def test_activated_predictions_are_caught_by_their_provenance(between):
    model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Sigmoid())
    with pytest.raises(UsageError, match="drop the sigmoid"):
        lossary.torch.BinaryCrossEntropy()(between(model(torch.randn(5, 3))), torch.ones(5, 1))
    softmax = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Softmax(-1))
    with pytest.raises(UsageError, match="drop the softmax"):
        lossary.torch.SparseCategoricalCrossEntropy()(softmax(torch.randn(5, 3)), torch.zeros(5, dtype=torch.long))
    # The same numbers from anywhere else are legitimate logits.
    values = torch.rand(5, 4, requires_grad=True)
    assert lossary.torch.SparseCategoricalCrossEntropy()(values, torch.zeros(5, dtype=torch.long)) > 0
    probabilities = model(torch.randn(5, 3))
    assert lossary.torch.BinaryCrossEntropy(from_logits=False)(probabilities, torch.ones(5, 1)) > 0


def test_totals_of_micro_batches_train_as_one_batch():
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 1)
    x, y, weight = torch.randn(10, 3), torch.randn(10), torch.rand(10)
    criterion = lossary.torch.Huber()
    whole = torch.autograd.grad(criterion(net(x).squeeze(-1), y, weight=weight), net.weight)[0]
    parts = [criterion.total(net(x[s]).squeeze(-1), y[s], weight=weight[s]) for s in (slice(0, 3), slice(3, 10))]
    together = torch.autograd.grad(sum(parts).mean, net.weight)[0]
    torch.testing.assert_close(together, whole)


def test_an_objective_counts_the_model_once_and_shows_its_terms():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    objective = 0.7 * Huber(1.5) + 0.3 * Quantile(0.9) + 1e-2 * L2()
    criterion = objective.torch(model=net)
    assert list(criterion.parameters()) == []
    assert list(criterion.children()) == []
    prediction, target = net(torch.randn(6, 3)).squeeze(-1), torch.randn(6)
    terms = criterion.terms(prediction, target)
    assert list(terms) == ["huber", "quantile", "l2"]
    squares = sum((parameter**2).sum() for parameter in net.parameters())
    torch.testing.assert_close(terms["l2"], 1e-2 * squares)
    torch.testing.assert_close(
        terms["huber"], 0.7 * torch.nn.functional.huber_loss(prediction, target, delta=1.5), rtol=1e-6, atol=0
    )
    torch.testing.assert_close(criterion(prediction, target), sum(terms.values()))
    criterion(prediction, target).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    torch.testing.assert_close(
        torch.compile(criterion, fullgraph=True, backend="aot_eager")(prediction.detach(), target),
        criterion(prediction, target),
    )
    with pytest.raises(UsageError, match=r"objective.torch\(model=net\)"):
        objective.torch()
    with pytest.raises(UsageError, match="once per micro-batch"):
        criterion.total(prediction, target)


class Cubic(Pointwise):
    """A user's own loss, without a gradient: |r|³."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp, p, y):
        size = xp.abs(p - y)
        return size * size * size


def test_a_users_loss_is_at_home_too():
    criterion = Cubic().torch()
    prediction, target = torch.randn(4, requires_grad=True), torch.randn(4)
    (gradient,) = torch.autograd.grad(criterion(prediction, target), prediction)
    torch.testing.assert_close(gradient, 3 * (prediction - target) * (prediction - target).abs() / 4)
    same = pickle.loads(pickle.dumps(criterion))
    assert type(same) is type(criterion)
    assert same(prediction, target) == criterion(prediction, target)
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")(prediction, target)
    torch.testing.assert_close(compiled, criterion(prediction, target))


def test_an_unknown_reduction_is_refused_at_once():
    with pytest.raises(lossary.ParameterError, match="reduction must be"):
        lossary.torch.Huber(reduction="avg")


def test_unchecked_values_stay_unchecked():
    bad = torch.tensor([0.5, 1.2])
    with pytest.raises(lossary.DomainError, match="prediction must be from 0 to 1"):
        lossary.torch.BinaryCrossEntropy(from_logits=False)(bad, torch.ones(2))
    lossary.torch.BinaryCrossEntropy(from_logits=False, validate=False)(bad, torch.ones(2))


def test_only_rearrangements_are_looked_through():
    values = torch.randn(5, requires_grad=True)
    assert lossary.torch.BinaryCrossEntropy()(torch.tanh(torch.sigmoid(values)), torch.ones(5)) > 0
    with pytest.raises(UsageError, match="drop the sigmoid"):
        lossary.torch.BinaryCrossEntropy()(torch.sigmoid(values)[:, None].expand(5, 3), torch.ones(5, 3))


def test_tables_are_the_buffers_however_they_are_changed():
    logits, index = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    new = torch.tensor([5.0, 1.0, 0.5])
    expected = lossary.torch.SparseCategoricalCrossEntropy(class_weight=(5.0, 1.0, 0.5))(logits, index)

    def criterion():
        return lossary.torch.SparseCategoricalCrossEntropy(class_weight=(1.0, 1.0, 1.0))

    assigned, loaded, replaced = criterion(), criterion(), criterion()
    assigned.class_weight = new
    loaded.load_state_dict({"class_weight": new}, strict=True, assign=True)
    for changed in (assigned(logits, index), loaded(logits, index)):
        torch.testing.assert_close(changed, expected)
    called = torch.func.functional_call(replaced, {"class_weight": new}, (logits, index))
    torch.testing.assert_close(called, expected)
    torch.testing.assert_close(
        torch.compile(criterion(), fullgraph=True, backend="aot_eager")(logits, index), criterion()(logits, index)
    )


def test_tables_keep_their_digits_for_float64():
    weight = (0.1, 0.7, 0.3)
    logits, index = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 1])
    ours = lossary.torch.SparseCategoricalCrossEntropy(class_weight=weight)(logits, index)
    theirs = torch.nn.functional.cross_entropy(logits, index, weight=torch.tensor(weight, dtype=torch.float64))
    torch.testing.assert_close(ours, theirs, rtol=1e-14, atol=0)


def test_a_copied_objective_counts_the_same_parameters():
    net = torch.nn.Linear(2, 1)
    criterion = (Huber() + L2()).torch(model=net)
    assert copy.deepcopy(criterion).counted[0] is net.weight
    copied_net, with_net = copy.deepcopy((net, criterion))
    assert with_net.counted[0] is copied_net.weight


def test_probabilities_of_a_half_type_under_autocast():
    torch.manual_seed(0)
    rows = torch.softmax(torch.randn(64, 10), -1).bfloat16()
    index = torch.randint(0, 10, (64,))
    criterion = lossary.torch.SparseCategoricalCrossEntropy(from_logits=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = criterion(rows, index)
    torch.testing.assert_close(value, -rows.float().log().gather(1, index[:, None]).mean())
    with pytest.raises(lossary.DomainError, match="sum to 1"):
        criterion(1.2 * rows, index)


@pytest.mark.parametrize("logits", [[[0.0, 0.0, 0.0]], [[1.0, 1.0, 0.0]], [[0.3, 1.0, -2.0]]])
def test_second_derivatives_where_several_classes_are_the_largest(logits: list[list[float]]) -> None:
    """As in a model whose last layer starts at 0; against PyTorch's own cross-entropy."""
    at, classes = torch.tensor(logits, dtype=torch.float64), torch.tensor([1])
    criterion = lossary.torch.SparseCategoricalCrossEntropy()
    for hessian in (torch.autograd.functional.hessian, lambda function, x: torch.func.hessian(function)(x)):
        came = hessian(lambda z: criterion(z, classes), at)
        wanted = hessian(lambda z: torch.nn.functional.cross_entropy(z, classes), at)
        torch.testing.assert_close(came, wanted)
