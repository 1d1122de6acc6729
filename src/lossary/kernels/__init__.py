"""The fused path: from an unchanged loss, one pass over memory that writes value and gradient.

    loss → program (the loss read once for one entry, by operations on symbols, `symbolic`)
         → along, or across where rows are short (LLVM's language, in explicit vectors; emitter is what both share)
         → machine (machine code, kept on disk)
         → kernel (called with addresses, by slices on a few threads)

`compiled` is the only door. It needs llvmlite (the extra "fast") and a CPU that multiplies and adds in one step; where
either is missing, where a kernel cannot be built for any reason, or with LOSSARY_KERNELS=0, the operations give the
same numbers, and `path` says why.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.kernels.kernel import Kernel
    from lossary.kernels.program import Output, Variant

FRAMEWORKS = ("NumPy", "PyTorch")  # on whose arrays there are kernels

# Kernels are on unless LOSSARY_KERNELS=0 was set before lossary was first used.
_ASKED = os.environ.get("LOSSARY_KERNELS", "1") != "0"


@functools.cache
def unavailable() -> str | None:
    """Why no kernel runs here, in words that follow "because"; None where they run."""
    if not _ASKED:
        return "LOSSARY_KERNELS=0 is set"
    if importlib.util.find_spec("llvmlite") is None:
        return "llvmlite is not installed: pip install 'lossary[fast]'"
    try:
        from lossary.kernels import machine

        supported = machine.supported()
    except Exception as error:  # an llvmlite that is broken or of another time
        return f"llvmlite does not work here: {_described(error)}"
    return None if supported else "this CPU does not multiply and add in one step"


@functools.cache
def fused(framework: str) -> Callable[..., Any]:
    """What computes a call of a loss by a kernel, on this framework's arrays."""
    if framework == "NumPy":
        from lossary.kernels.numpy import fused as on_numpy

        return on_numpy
    from lossary.kernels.torch import fused as on_torch

    return on_torch


def fits(loss: Loss) -> bool:
    """Whether it is of the shapes that kernels know: a prediction and a target, of numbers or of rows; both, where rows
    have more axes than one, and of pixels that are numbers, which are one row."""
    axes = loss.prediction.axes
    together = axes < 2 or (axes == loss.target.axes and not loss.prediction.innermost.rows)
    return len(loss.inputs) == 2 and not loss.pooled and together


@functools.lru_cache(maxsize=1024)
def compiled(loss: Loss, variant: Variant) -> Kernel | None:
    """The kernel of a loss for this kind of call; None where it has none. It is tried once."""
    if unavailable() is None:
        # Whatever goes wrong: a loss that cannot be read so, an llvmlite of another time, a system that runs no code
        # from memory. A kernel is never needed.
        with contextlib.suppress(Exception):
            return _built(loss, variant)
    return None


def path(loss: Loss) -> str:
    """Which way this loss is computed here, on NumPy arrays and PyTorch tensors in the CPU's memory, in words."""
    reason = unavailable()
    if reason is None and not fits(loss):
        reason = "kernels are made of losses of two inputs that each entry or row has by itself"
    if reason is None:
        from lossary.kernels.program import Variant
        from lossary.kernels.symbolic import UntraceableError

        outputs: tuple[Output, ...] = ("total", "gradient") if loss.trainable and loss.has_gradient else ("total",)
        try:
            _built(loss, Variant("float32", outputs))
        except Exception as error:
            untraceable = isinstance(error, UntraceableError)
            reason = str(error).rstrip(".") if untraceable else f"no kernel can be made of it: {_described(error)}"
        else:
            return "compiled, one pass over memory (NumPy; PyTorch in eager mode on the CPU)"
    return f"operation by operation, because {reason}"


def _built(loss: Loss, variant: Variant) -> Kernel:
    from lossary.kernels.kernel import Kernel

    return Kernel(loss, variant)


def _described(error: Exception) -> str:
    """The error, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
