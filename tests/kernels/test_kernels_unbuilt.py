"""A kernel that cannot be built, for whatever reason, is one that does not run; and code for other machines."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from lossary import BinaryCrossEntropy, Huber, SparseCategoricalCrossEntropy, kernels
from lossary.define.loss import Loss
from lossary.describe import show
from lossary.kernels.program import Variant, program
from tests.grid import CLASSES, DEFAULTS, DTYPES, losses, ordinary
from tests.paths import counted, in_words

pytestmark = pytest.mark.skipif(kernels.unavailable() is not None, reason=str(kernels.unavailable()))

# What has been seen, or may be: another llvmlite's classes, LLVM's own complaint, a system without memory for code.
FAULTS = [
    TypeError("Type of #1 arg mismatch: ptr != ptr"),
    AttributeError("module 'llvmlite.binding' has no attribute 'JITLibraryBuilder'"),
    RuntimeError("LLVM cannot select"),
    OSError("memory may not be executable"),
    AssertionError(),
]
faults = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No test finds a kernel of another's, or leaves a refusal behind."""
    kernels.compiled.cache_clear()
    yield
    kernels.compiled.cache_clear()
    kernels.unavailable.cache_clear()


@pytest.fixture
def llvm() -> ModuleType:
    """LLVM with all targets that it was built with."""
    import llvmlite.binding

    llvmlite.binding.initialize_all_targets()
    llvmlite.binding.initialize_all_asmprinters()
    return llvmlite.binding


@faults
@pytest.mark.parametrize("loss", [Huber(), BinaryCrossEntropy(), SparseCategoricalCrossEntropy()], ids=repr)
def test_a_kernel_that_cannot_be_built_falls_back_once(loss: Loss, fault: Exception, random: Any) -> None:
    prediction, target = ordinary(loss, random).values()
    with in_words():
        wanted = loss.value_and_gradient(prediction=prediction, target=target)
    with mock.patch("lossary.kernels.kernel._compiled", side_effect=fault) as compiled, counted() as count:
        for _ in range(3):
            found = loss.value_and_gradient(prediction=prediction, target=target)
        assert compiled.call_count == 1
        page = " ".join(show.page(loss).split())
    assert not count.ran
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])
    assert (
        f"operation by operation, because no kernel can be made of it: {type(fault).__name__}: {fault}".strip() in page
    )


@faults
def test_an_llvmlite_that_does_not_work_is_said_to(fault: Exception) -> None:
    kernels.unavailable.cache_clear()
    with mock.patch("lossary.kernels.machine.supported", side_effect=fault), counted() as count:
        assert float(Huber()(prediction=np.zeros(2), target=np.ones(2))) == 0.5
        reason = kernels.path(Huber())
    assert not count.ran
    assert reason.startswith(f"operation by operation, because llvmlite does not work here: {type(fault).__name__}")


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_the_gradients_kernel_may_be_the_one_that_cannot_be_built(reduction: str, random: Any) -> None:
    """Where PyTorch asks for it in the backward pass, the forward pass has run by another."""
    arrays = [torch.from_numpy(x) for x in ordinary(Huber(), random).values()]
    upstream = torch.ones_like(arrays[0]) if reduction == "none" else torch.tensor(1.0, dtype=torch.float64)
    wanted = (arrays[0] - arrays[1]).clamp(-1.0, 1.0) / (arrays[0].numel() if reduction == "mean" else 1)
    build = kernels._built

    def broken(loss: Loss, variant: Variant) -> Any:
        if variant.outputs == ("gradient",):
            raise RuntimeError
        return build(loss, variant)

    prediction = arrays[0].requires_grad_()
    with mock.patch.object(kernels, "_built", broken), counted() as count:
        value = Huber().torch(reduction=reduction)(prediction, arrays[1])
        assert count.ran
        for _ in range(2):  # the second pass finds the gradient of the first one taken away
            prediction.grad = None
            value.backward(upstream, retain_graph=True)
            torch.testing.assert_close(prediction.grad, wanted)


# ── other machines ───────────────────────────────────────────────────────────────────────────────────────────────────

# What it is → its CPU, and what its object files say it is (e_machine of the ELF header).
MACHINES = {"aarch64-unknown-linux-gnu": ("generic", 183), "x86_64-unknown-linux-gnu": ("x86-64", 62)}


@losses(DEFAULTS, dtype=DTYPES, triple=tuple(MACHINES))
def test_kernels_can_be_made_for_other_machines(loss: Loss, dtype: str, triple: str, llvm: ModuleType) -> None:
    """For aarch64, and for an x86-64 without AVX or FMA; nobody runs them here."""
    from lossary.kernels import across
    from lossary.kernels.along import emit
    from lossary.kernels.machine import object_code

    cpu, number = MACHINES[triple]
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError as error:
        pytest.skip(f"this llvmlite was built without {triple}: {error}")
    machine = target.create_target_machine(cpu=cpu, features="", opt=3, reloc="pic")
    trained = loss.trainable and loss.has_gradient
    read = program(loss, Variant(dtype, ("total", "gradient") if trained else ("total",)))
    texts = [emit(read, avx512=False)]
    length = loss.prediction.size or CLASSES
    if across.pays(read, length) and dtype == "float32":
        texts.append(across.emit(read, length, avx512=False))
    for text in texts:
        code = object_code(text, machine)
        assert code[:4] == b"\x7fELF"
        assert int.from_bytes(code[18:20], "little") == number
        assert b"kernel" in code
