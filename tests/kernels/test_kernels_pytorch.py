"""The fused path under PyTorch: where it runs, where it must not, and that both paths are one loss."""

from __future__ import annotations

import contextlib
import copy
import gc
import multiprocessing
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

import lossary.torch
from lossary import BinaryCrossEntropy, Huber, LogCosh, SparseCategoricalCrossEntropy, kernels
from lossary.kernels import kernel as kernel_module
from lossary.kernels import threads
from tests.grid import CLASSES, DTYPES, ROWS, losses, of_losses, ordinary
from tests.paths import by_kernels, counted, in_words

pytestmark = pytest.mark.skipif(kernels.unavailable() is not None, reason=str(kernels.unavailable()))

CLOSE = {torch.float32: {"rtol": 2e-6, "atol": 2e-6}, torch.float64: {"rtol": 4e-15, "atol": 4e-15}}
REDUCTIONS = ("none", "sum", "mean")


def trainable(loss: Any) -> bool:
    return bool(loss.trainable)


def given(loss: Any, random: Any, dtype: str = "float32") -> tuple[Tensor, Tensor]:
    prediction, target = ordinary(loss, random).values()
    wanted = getattr(torch, dtype)
    y = torch.tensor(target)
    return torch.tensor(prediction).to(wanted), y if loss.target.indices else y.to(wanted)


@pytest.fixture
def pair(random: Any) -> tuple[Tensor, Tensor]:
    return given(LogCosh(), random)


def same(one: Any, other: Any) -> None:
    torch.testing.assert_close(one, other, **CLOSE.get(one.dtype, CLOSE[torch.float32]))


def pulled(
    loss: Any, prediction: Tensor, target: Tensor, upstream: Tensor | None = None, **more: Any
) -> tuple[Tensor, Tensor]:
    at = prediction.detach().clone().requires_grad_()
    value = loss(prediction=at, target=target, **more)
    return value.detach(), torch.autograd.grad(value, at, torch.ones_like(value) if upstream is None else upstream)[0]


# ── one number on both paths ─────────────────────────────────────────────────────────────────────────────────────────


@losses(only=trainable, dtype=DTYPES)
def test_value_and_gradient(loss: Any, dtype: str, random: Any) -> None:
    prediction, target = given(loss, random, dtype)
    weight = torch.tensor(random.uniform(0.1, 2.0, size=ROWS)).to(prediction.dtype)
    where = torch.tensor(random.uniform(size=of_losses(loss)) < 0.7)
    upstream = torch.tensor(random.normal(size=of_losses(loss))).to(prediction.dtype)
    for reduction in REDUCTIONS:
        pull = upstream if reduction == "none" else upstream.ravel()[0]
        for more in ({}, {"weight": weight, "where": where}):
            with by_kernels():
                mine = pulled(loss, prediction, target, pull, reduction=reduction, **more)
            with in_words():
                theirs = pulled(loss, prediction, target, pull, reduction=reduction, **more)
            for one, other in zip(mine, theirs, strict=True):
                same(one, other)


@losses(only=trainable)
def test_second_derivatives(loss: Any, random: Any) -> None:
    prediction, target = given(loss, random, "float64")
    weight = torch.tensor(random.uniform(0.1, 2.0, size=of_losses(loss)))
    along = torch.tensor(random.normal(size=prediction.shape))

    def second(reduction: str) -> tuple[Tensor, ...]:
        at = prediction.clone().requires_grad_()
        value = loss(prediction=at, target=target, weight=weight, reduction=reduction)
        upstream = torch.linspace(0.5, 2.0, value.numel(), dtype=value.dtype).reshape(value.shape).requires_grad_()
        (slope,) = torch.autograd.grad(value, at, upstream, create_graph=True)
        again = torch.autograd.grad(slope, (at, upstream), along, allow_unused=True, materialize_grads=True)
        return slope.detach(), *again

    for reduction in REDUCTIONS:
        with by_kernels():
            mine = second(reduction)
        with in_words():
            theirs = second(reduction)
        for one, other in zip(mine, theirs, strict=True):
            same(one, other)


@pytest.mark.parametrize("loss", [LogCosh(), BinaryCrossEntropy(), SparseCategoricalCrossEntropy()], ids=repr)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_finite_differences(loss: Any, reduction: str, random: Any) -> None:
    prediction, target = given(loss, random, "float64")
    at = prediction[:3].clone().requires_grad_()

    def function(p: Tensor) -> Tensor:
        return loss(prediction=p, target=target[:3], reduction=reduction)

    with by_kernels():
        assert torch.autograd.gradcheck(function, (at,))
        assert torch.autograd.gradgradcheck(function, (at,))


# ── the life of a gradient ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_backward_again_and_again(pair: Any, reduction: str) -> None:
    prediction, target = pair
    _, wanted = pulled(LogCosh(), prediction, target, reduction=reduction)
    at = prediction.clone().requires_grad_()
    value = LogCosh()(prediction=at, target=target, reduction=reduction).sum()
    kept = []
    for times in (1, 2, 3):
        value.backward(retain_graph=times < 3)
        same(at.grad, times * wanted)
        kept.append((at.grad, at.grad.clone()))
        at.grad = at.grad.clone()  # what was handed over is nobody else's
    for each, copied in kept:
        assert torch.equal(each, copied)
    with pytest.raises(RuntimeError, match="second time"):
        value.backward()


def test_gradients_add_up_over_calls(pair: Any) -> None:
    prediction, target = pair
    at = prediction.clone().requires_grad_()
    wanted = torch.zeros_like(prediction)
    for factor in (1.0, -2.5, 1.0, 65536.0):
        value = factor * LogCosh()(prediction=at, target=target)
        value.backward()
        wanted += factor * pulled(LogCosh(), prediction, target)[1]
    same(at.grad, wanted)


def test_two_losses_of_one_prediction(pair: Any) -> None:
    prediction, target = pair
    at = prediction.clone().requires_grad_()
    between = 2.0 * at
    one, other = LogCosh()(prediction=between, target=target), Huber()(prediction=between, target=target)
    (one + other + one).backward()
    with in_words():
        parts = [pulled(loss, 2.0 * prediction, target)[1] for loss in (LogCosh(), Huber())]
    same(at.grad, 2.0 * (2.0 * parts[0] + parts[1]))


def test_batched_gradients(pair: Any) -> None:
    prediction, target = pair
    at = prediction.clone().requires_grad_()
    for reduction in REDUCTIONS:
        value = LogCosh()(prediction=at, target=target, reduction=reduction)
        upstream = torch.randn((3, *value.shape), generator=torch.Generator().manual_seed(1))
        (batched,) = torch.autograd.grad(value, at, upstream, is_grads_batched=True)
        for one, each in zip(batched, upstream, strict=True):
            same(one, pulled(LogCosh(), prediction, target, each, reduction=reduction)[1])


@pytest.mark.parametrize("which", ["prediction", "target", "weight"])
def test_what_was_changed_since_is_refused(pair: Any, which: str) -> None:
    prediction, target = pair
    leaf = prediction.clone().requires_grad_()
    arrays = {"prediction": leaf * 1.0, "target": target.clone(), "weight": torch.rand(prediction.shape)}
    value = LogCosh()(**arrays)
    with torch.no_grad():
        arrays[which].add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_a_weight_changed_since_counts_as_it_was(pair: Any) -> None:
    """One weight for each row is repeated: what was computed with is the copy, in the second derivative too."""
    prediction, target = pair
    weight = torch.rand(ROWS)
    before = weight.clone()
    at = prediction.clone().requires_grad_()
    value = LogCosh()(prediction=at, target=target, weight=weight)
    weight.mul_(0.1 + torch.rand(ROWS))
    (slope,) = torch.autograd.grad(value, at, create_graph=True)
    same(slope.detach(), pulled(LogCosh(), prediction, target, weight=before)[1])


def test_memory_is_free_after_backward(pair: Any) -> None:
    """A loss that is kept for the record keeps no batch alive."""
    leaf = pair[0].clone().requires_grad_()
    between = leaf * 1.0
    value = LogCosh()(prediction=between, target=pair[1])
    alive = weakref.ref(between)
    value.backward()
    del between
    gc.collect()
    assert alive() is None
    assert value.item() > 0.0


def test_without_gradient_none_is_computed(pair: Any, monkeypatch: Any) -> None:
    prediction, target = pair
    asked: list[Any] = []
    compiled = kernels.compiled
    monkeypatch.setattr(
        kernels, "compiled", lambda loss, variant: asked.append(variant.outputs) or compiled(loss, variant)
    )
    at = prediction.clone().requires_grad_()
    LogCosh()(prediction=prediction, target=target)
    with torch.no_grad():
        assert not LogCosh()(prediction=at, target=target).requires_grad
    with torch.inference_mode():
        assert LogCosh()(prediction=at, target=target).is_inference()
    assert asked
    assert not any("gradient" in outputs for outputs in asked)
    LogCosh()(prediction=at, target=target)
    assert "gradient" in asked[-1]


def test_derivatives_by_target_and_weight(pair: Any) -> None:
    prediction, target = pair
    weight = torch.rand(ROWS)

    def slopes() -> Any:
        leaves = [x.clone().requires_grad_() for x in (prediction, target, weight)]
        value = LogCosh()(prediction=leaves[0], target=leaves[1], weight=leaves[2])
        return torch.autograd.grad(value, leaves)

    with counted() as count:
        mine = slopes()
    assert not count.ran
    with in_words():
        for one, other in zip(mine, slopes(), strict=True):
            assert torch.equal(one, other)
    with by_kernels(), torch.no_grad():  # nobody asks then
        LogCosh()(prediction=prediction, target=target.requires_grad_())


def test_hooks(pair: Any) -> None:
    prediction, target = pair
    wanted = pulled(LogCosh(), prediction, target)[1]
    at = prediction.clone().requires_grad_()
    seen: list[Tensor] = []
    at.register_hook(lambda gradient: seen.append(gradient) or 3.0 * gradient)
    packed: list[Any] = []
    with (
        by_kernels(),
        torch.autograd.graph.saved_tensors_hooks(lambda x: packed.append(x) or x.numpy().copy(), torch.from_numpy),
    ):
        value = LogCosh()(prediction=at, target=target)
    value.register_hook(lambda upstream: 2.0 * upstream)
    value.backward()
    assert packed
    same(seen[0], 2.0 * wanted)
    same(at.grad, 6.0 * wanted)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed(pair: Any, reentrant: bool) -> None:
    from torch.utils.checkpoint import checkpoint

    prediction, target = pair
    at = prediction.clone().requires_grad_()
    with by_kernels():
        value = checkpoint(lambda p: LogCosh()(prediction=2.0 * p, target=target), at, use_reentrant=reentrant)
        value.backward()
    same(at.grad, 2.0 * pulled(LogCosh(), 2.0 * prediction, target)[1])


# ── who watches gets the operations ─────────────────────────────────────────────────────────────────────────────


class Subclass(Tensor):
    pass


LOSS = LogCosh()


def _loss(p: Tensor, y: Tensor) -> Tensor:
    return LOSS(prediction=p, target=y)


def _gradient(p: Tensor, y: Tensor) -> Tensor:
    at = p.detach().requires_grad_()
    return torch.autograd.grad(_loss(at, y), at)[0]


def _forward(p: Tensor, y: Tensor) -> Tensor:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(_loss(forward_ad.make_dual(p, torch.ones_like(p)), y)).tangent


def _watching(mode: Any) -> Callable[[Tensor, Tensor], Tensor]:
    def watched(p: Tensor, y: Tensor) -> Tensor:
        with mode:
            return _gradient(p, y)

    return watched


class _Dispatch(torch.utils._python_dispatch.TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


class _Function(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


class _Module(torch.nn.Module):
    def forward(self, p: Tensor, y: Tensor) -> Tensor:
        return _loss(p, y)


WATCHED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "make_fx": lambda p, y: make_fx(_loss)(p + 1.0, y)(p, y),
    "make_fx of the gradient": lambda p, y: make_fx(_gradient)(p + 1.0, y)(p, y),
    "jit.trace": lambda p, y: torch.jit.trace(_loss, (p + 1.0, y), check_trace=False)(p, y),
    "export": lambda p, y: torch.export.export(_Module(), (p + 1.0, y)).module()(p, y),
    "compile": torch.compile(_loss, backend="aot_eager", fullgraph=True),
    "vmap": torch.vmap(_loss),
    "grad": torch.func.grad(_loss),
    "vmap of grad": torch.vmap(torch.func.grad(_loss)),
    "jvp": lambda p, y: torch.func.jvp(lambda p: _loss(p, y), (p,), (torch.ones_like(p),))[1],
    "hessian": lambda p, y: torch.func.hessian(lambda p: _loss(p, y[0]))(p[0]),
    "dual_level": _forward,
    "dispatch mode": _watching(_Dispatch()),
    "function mode": _watching(_Function()),
    "subclass": lambda p, y: _gradient(p.as_subclass(Subclass), y).as_subclass(Tensor),
    "subclass as target": lambda p, y: _gradient(p, y.as_subclass(Subclass)).as_subclass(Tensor),
    "negative view": lambda p, y: _gradient(torch._neg_view(-p), y),
    "negative view as target": lambda p, y: _gradient(p, torch.complex(y, -y).conj().imag),
}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a tracer's own
        yield


@pytest.mark.parametrize("how", WATCHED)
def test_who_watches(how: str, pair: Any) -> None:
    with counted() as count, _quiet():
        mine = WATCHED[how](*pair)
    assert not count.ran
    with in_words(), _quiet():
        same(mine, WATCHED[how](*pair))
    with by_kernels():  # and all is as before
        _gradient(*pair)


def test_no_numbers_no_kernel(pair: Any) -> None:
    with counted() as count:
        assert _loss(*(x.to("meta") for x in pair)).is_meta
        with torch._subclasses.fake_tensor.FakeTensorMode() as fake:
            assert _loss(*(fake.from_tensor(x) for x in pair)).shape == ()
    assert not count.ran


def test_a_watched_backward_of_an_unwatched_loss(pair: Any) -> None:
    prediction, target = pair
    for reduction in REDUCTIONS:
        wanted = pulled(LogCosh(), prediction, target, reduction=reduction)[1]
        for mode in (_Dispatch(), _Function()):
            at = prediction.clone().requires_grad_()
            with by_kernels():
                value = LogCosh()(prediction=at, target=target, reduction=reduction)
            with mode:
                same(torch.autograd.grad(value.sum(), at)[0], wanted)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast_and_half_types(pair: Any, dtype: Any) -> None:
    prediction, target = (x.to(dtype) for x in pair)
    for reduction in REDUCTIONS:
        with by_kernels():
            mine = pulled(LogCosh(), prediction, target, reduction=reduction)
        with in_words():
            theirs = pulled(LogCosh(), prediction, target, reduction=reduction)
        for one, other in zip(mine, theirs, strict=True):
            torch.testing.assert_close(one, other)  # of the same dtype, as close as it can tell
    criterion = lossary.torch.LogCosh()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with by_kernels():
            came = criterion(prediction, target)
        with in_words():
            same(came, criterion(prediction, target))


def test_inference_tensors(pair: Any) -> None:
    with torch.inference_mode():
        prediction, target = (x.clone() for x in pair)
        with by_kernels():
            inside = _loss(prediction, target)
    with by_kernels():
        outside = _loss(prediction, target)
    assert torch.equal(inside, outside)
    same(outside, _loss(*pair))


@pytest.mark.parametrize(
    "bad",
    [lambda p, y: (p, y.to(torch.complex64)), lambda p, y: (p, y[:-1]), lambda p, y: (p.long(), y)],
    ids=["complex", "shape", "integers"],
)
def test_the_same_errors(pair: Any, bad: Any) -> None:
    texts = []
    for path in (contextlib.nullcontext, in_words):
        with path(), pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it is the same
            _loss(*bad(*pair))
        texts.append((caught.type, str(caught.value)))
    assert texts[0] == texts[1]


# ── strides, threads, processes ──────────────────────────────────────────────────────────────────────────────────────


def test_strided_predictions(pair: Any) -> None:
    prediction, target = pair
    wanted = pulled(LogCosh(), prediction, target)
    at = prediction.clone().requires_grad_()
    for view, y in (
        (at.T, target.T),
        (at.T.contiguous().T, target),
        (at[:, ::2], target[:, ::2]),
        (at[1:], target[1:]),
    ):
        with by_kernels():
            value = _loss(view, y)
        same(value.detach(), _loss(view.detach().contiguous(), y.contiguous()))
    with by_kernels():
        value = _loss(at.T, target.T)
    same(torch.autograd.grad(value, at)[0], wanted[1])
    channels_last = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)
    same(
        pulled(LogCosh(), channels_last, 0.5 * channels_last)[1],
        pulled(LogCosh(), channels_last.contiguous(), 0.5 * channels_last.contiguous())[1],
    )


def test_results_do_not_depend_on_threads(random: Any, monkeypatch: Any) -> None:
    prediction, target = (torch.tensor(random.normal(size=40_000)).float() for _ in range(2))
    monkeypatch.setattr(kernel_module, "_WORTH_A_THREAD", 1000)
    run, jobs = threads.run, []
    monkeypatch.setattr(threads, "run", lambda work, workers: jobs.append(len(work)) or run(work, workers))
    found, before = [], torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            with by_kernels():
                found.append(pulled(LogCosh(), prediction, target))
    finally:
        torch.set_num_threads(before)
    assert set(jobs) == {2, 3}
    for value, gradient in found[1:]:
        assert torch.equal(gradient, found[0][1])
        torch.testing.assert_close(value, found[0][0], rtol=2**-23, atol=0.0)


def test_several_python_threads(random: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(kernel_module, "_WORTH_A_THREAD", 1000)
    pairs = [given(SparseCategoricalCrossEntropy(), random) for _ in range(4)]
    wanted = [pulled(SparseCategoricalCrossEntropy(), *each) for each in pairs]
    wrong: list[int] = []

    def work(place: int) -> None:
        for _ in range(200):
            value, gradient = pulled(SparseCategoricalCrossEntropy(), *pairs[place])
            if not (torch.equal(value, wanted[place][0]) and torch.equal(gradient, wanted[place][1])):
                wrong.append(place)

    workers = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert not wrong


class Costs(torch.utils.data.Dataset[Tensor]):
    """A data set that needs a loss to make its items, in a worker process."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, place: int) -> Tensor:
        prediction = torch.full((40_000,), float(place), requires_grad=True)
        value = Huber()(prediction=prediction, target=torch.zeros(40_000))
        value.backward()
        return torch.stack([value.detach(), prediction.grad.sum()])  # type: ignore[union-attr]  # there is one, now


@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_after_a_fork(monkeypatch: Any) -> None:
    """With a pool of threads at work before: the child makes its own."""
    monkeypatch.setattr(kernel_module, "_WORTH_A_THREAD", 1000)
    # PyTorch's own threads do not survive a fork, and so a worker has one, which our pool need not heed.
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    here = [Costs()[place] for place in range(4)]
    loader = torch.utils.data.DataLoader(
        Costs(), batch_size=None, num_workers=1, timeout=60, multiprocessing_context=multiprocessing.get_context("fork")
    )
    for mine, theirs in zip(loader, here, strict=True):
        assert torch.equal(mine, theirs)


# ── criteria ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_criteria_are_copied_and_pickled(pair: Any) -> None:
    criterion = lossary.torch.LogCosh()
    with by_kernels():
        wanted = criterion(*pair)
    for other in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        with by_kernels():
            assert torch.equal(other(*pair), wanted)


def test_class_weights_are_those_in_the_buffer(random: Any) -> None:
    prediction, target = given(SparseCategoricalCrossEntropy(), random)
    criterion = lossary.torch.SparseCategoricalCrossEntropy(class_weight=(1.0,) * CLASSES)
    peer = torch.nn.functional.cross_entropy

    def check() -> None:
        with by_kernels():
            came = criterion(prediction, target)
        same(came, peer(prediction, target, criterion.class_weight.float()))

    check()
    with torch.no_grad():
        criterion.class_weight[1] = 5.0
    check()
    criterion.class_weight.mul_(torch.linspace(0.5, 2.0, CLASSES))
    check()
    criterion.load_state_dict({"class_weight": torch.tensor([3.0, 0.25, 1.0, 2.0])})
    check()
    criterion.class_weight = torch.tensor([0.0, 0.25, 1.0, 2.0])
    check()
    criterion.class_weight.data[2] = 7.0
    check()
    criterion.class_weight.numpy()[3] = 9.0
    check()
    other = copy.deepcopy(criterion)
    other.class_weight.zero_().add_(2.0)
    same(other(prediction, target), peer(prediction, target))
    check()


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ignored_classes(reduction: str, random: Any) -> None:
    prediction, target = given(SparseCategoricalCrossEntropy(), random)
    for ignored in (-100, 1):
        y = torch.where(torch.arange(ROWS) % 3 == 0, ignored, target)
        criterion = lossary.torch.SparseCategoricalCrossEntropy(ignore_index=ignored, reduction=reduction)
        at = prediction.clone().requires_grad_()
        with by_kernels():
            value = criterion(at, y)
        same(
            value.detach(), torch.nn.functional.cross_entropy(prediction, y, ignore_index=ignored, reduction=reduction)
        )
        mine = torch.autograd.grad(value.sum(), at)[0]
        peer = torch.nn.functional.cross_entropy(at, y, ignore_index=ignored, reduction=reduction)
        same(mine, torch.autograd.grad(peer.sum(), at)[0])


def test_totals(pair: Any) -> None:
    prediction, target = pair
    at = prediction.clone().requires_grad_()
    weight = torch.tensor(np.linspace(0.1, 2.0, ROWS)).float()
    with by_kernels():
        parts = [
            LogCosh().total(prediction=at[rows], target=target[rows], weight=weight[rows])
            for rows in (slice(0, 3), slice(3, ROWS))
        ]
    mean = (parts[0] + parts[1]).mean
    value, gradient = pulled(LogCosh(), prediction, target, weight=weight)
    same(mean.detach(), value)
    same(torch.autograd.grad(mean, at)[0], gradient)
