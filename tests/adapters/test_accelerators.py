"""On an accelerator the same numbers as on the CPU; skipped where there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lossary import (
    KLDivergence,
    MeanAbsoluteError,
    MeanSquaredError,
    NonFiniteError,
    SparseCategoricalCrossEntropy,
    explain,
)
from lossary.check.backends import backend as adapter
from tests.grid import DEFAULTS, PAIRS, ROWS, losses, of_losses, ordinary

CLOSE = {"float32": 2e-6, "float64": 1e-13}
pytestmark = pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores")  # inductor's advice on the layers' speed
DTYPE = pytest.mark.parametrize("dtype", ["float32", "float64"])


def cuda() -> Any:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU that PyTorch can use")
    return torch


def accelerator_of_jax() -> Any:
    jax = pytest.importorskip("jax")
    found = [device for device in jax.devices() if device.platform != "cpu"]
    if not found:
        pytest.skip("there is no accelerator that JAX can use")
    return found[0]


def everything(loss: Any, place: Any, its: Any, arrays: dict[str, Any]) -> dict[str, Any]:
    """Values, means, gradients, derivatives by the weight and second derivatives, with all arrays put in a place."""
    p, y, w, along = (place(arrays[name]) for name in ("p", "y", "weight", "along"))

    def mean(p: Any, w: Any = w) -> Any:
        return loss(prediction=p, target=y, weight=w)

    total = loss.total(prediction=p, target=y, weight=w)
    found = {"values": loss.values(prediction=p, target=y), "total": total.sum, "weight": total.weight}
    if loss.trainable:
        found["mean"], found["gradient"] = its.pulled(mean, p)
        found["by weight"] = its.pulled(lambda w: mean(p, w), w)[1]
        found["second"] = its.second(mean, p, along)
    return found


def agree(here: dict[str, Any], there: dict[str, Any], dtype: str) -> None:
    for name, answer in here.items():
        came, wanted = np.asarray(there[name], np.float64), np.asarray(answer, np.float64)
        size = np.max(np.abs(wanted), initial=1e-3)
        np.testing.assert_allclose(came, wanted, rtol=CLOSE[dtype], atol=CLOSE[dtype] * size, err_msg=name)


def inputs(loss: Any, dtype: str, random: Any) -> dict[str, Any]:
    p, y = ordinary(loss, random).values()
    weight = random.uniform(0.5, 2.0, size=of_losses(loss))
    weight.flat[::3] = 0.0
    arrays = {"p": p, "y": y, "weight": weight, "along": random.normal(size=p.shape)}
    return {name: x if x.dtype.kind == "i" else x.astype(dtype) for name, x in arrays.items()}


@DTYPE
@losses(of=PAIRS)
def test_pytorch_on_a_gpu_equals_the_cpu(loss: Any, dtype: str, random: Any) -> None:
    torch, its, arrays = cuda(), adapter("torch"), inputs(loss, dtype, random)
    here, there = (everything(loss, lambda x, d=d: torch.as_tensor(x, device=d), its, arrays) for d in ("cpu", "cuda"))
    assert {x.device.type for x in there.values()} == {"cuda"}
    agree({k: its.numpy(x) for k, x in here.items()}, {k: its.numpy(x.cpu()) for k, x in there.items()}, dtype)


@losses(of=DEFAULTS, only=lambda loss: loss.trainable)
def test_a_training_step_compiles_on_a_gpu(loss: Any, random: Any) -> None:
    torch, arrays = cuda(), inputs(loss, "float32", random)
    torch._dynamo.reset()
    p, y = (torch.as_tensor(arrays[name], device="cuda") for name in ("p", "y"))
    layer = torch.nn.Linear(p.shape[-1], p.shape[-1], device="cuda")
    with torch.no_grad():
        layer.weight.copy_(torch.eye(p.shape[-1]))
        layer.bias.zero_()
    call = lambda: loss(prediction=layer(p), target=y)  # noqa: E731 - one step, compiled and not
    slopes = []
    for step in (call, torch.compile(call, fullgraph=True)):
        layer.zero_grad()
        step().backward()
        slopes.append(layer.weight.grad.cpu().numpy())
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-4, atol=1e-5)


def test_totals_are_exact_on_a_gpu(random: Any) -> None:
    torch = cuda()
    entries = random.uniform(0.1, 0.4, size=100_000).astype("float32")
    entries[0] = 2.0**24
    p = torch.as_tensor(entries, device="cuda")
    parts = [MeanAbsoluteError().total(prediction=x, target=torch.zeros_like(x)) for x in p.split(1000)]
    whole = sum(parts)
    assert whole.sum.item() == np.float32(math.fsum(entries))
    assert whole.weight.item() == 100_000


def test_the_divergence_near_equality_on_a_gpu() -> None:
    torch = cuda()
    p = np.array([[0.1, 0.2, 0.3, 0.4]], "float32")
    q = p + np.array([[3e-5, -3e-5, 3e-5, -3e-5]], "float32")
    exact = math.fsum(float(a) * math.log(float(a) / float(b)) for a, b in zip(p[0], q[0], strict=True))
    size = math.fsum(abs(float(a) * math.log(float(a) / float(b))) for a, b in zip(p[0], q[0], strict=True))
    loss = KLDivergence(from_logits=False)
    came = loss.values(prediction=torch.as_tensor(q, device="cuda"), target=torch.as_tensor(p, device="cuda"))
    assert abs(came.item() - exact) <= 4 * np.spacing(np.float32(size))


def test_illegal_values_are_nan_on_a_gpu() -> None:
    """Nothing waits for the device to read them."""
    torch = cuda()
    rows, index = torch.zeros(ROWS, 3, device="cuda"), torch.full((ROWS,), 7, device="cuda")
    value = SparseCategoricalCrossEntropy()(prediction=rows, target=index)
    assert math.isnan(value.item())


@losses(of=DEFAULTS)
def test_jax_on_an_accelerator_equals_the_cpu(loss: Any, random: Any) -> None:
    device, its, arrays = accelerator_of_jax(), adapter("jax"), inputs(loss, "float32", random)
    here, there = (
        its.jax.jit(lambda arrays: everything(loss, lambda x: x, its, arrays))(its.jax.device_put(arrays, place))
        for place in (its.jax.devices("cpu")[0], device)
    )
    agree({k: its.numpy(x) for k, x in here.items()}, {k: its.numpy(x) for k, x in there.items()}, "float32")


def test_a_loss_on_cuda_is_explained() -> None:
    torch = cuda()
    layer, criterion = torch.nn.Linear(2, 1, device="cuda"), MeanSquaredError().torch()
    step = torch.compile(lambda x, y: criterion(layer(x)[:, 0], y), backend="aot_eager")
    x, y = torch.randn(8, 2, device="cuda"), torch.zeros(8, device="cuda")
    step(x, y)
    y[5] = math.nan
    with pytest.raises(NonFiniteError, match=r"row 5 of the batch(.|\n)*target nan"), explain():
        step(x, y)


def test_a_loss_on_an_accelerator_of_jax_is_explained() -> None:
    device = accelerator_of_jax()
    import jax

    step = jax.jit(jax.value_and_grad(lambda p, y: MeanSquaredError()(prediction=p, target=y)))
    p, y = (jax.device_put(np.asarray(x, np.float32), device) for x in ([1.0, 2.0, 3.0], [0.0, math.nan, 0.0]))
    step(p, p)
    with pytest.raises(NonFiniteError, match=r"row 1 of the batch(.|\n)*target nan"), explain():
        step(p, y)
    assert math.isnan(step(p, y)[0])


def test_missing_targets_on_an_accelerator() -> None:
    torch = cuda()
    target = torch.tensor([1.0, math.nan, 3.0], device="cuda")
    assert float(MeanSquaredError().torch(missing="skip")(torch.zeros(3, device="cuda"), target)) == 5.0
    assert float(MeanSquaredError().torch(missing=3)(torch.zeros(3, device="cuda"), target.nan_to_num(2.0))) == 2.5
