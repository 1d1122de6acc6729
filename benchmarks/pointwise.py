"""Every pointwise loss of the catalogue in PyTorch's eager mode, beside what one would write there oneself.

That is PyTorch's own function or the textbook composition of the section on a few losses, where the loss is one of
them; else PyTorch's loss that the catalogue says is the same; else the loss's own textbook formula, in PyTorch's
operations and differentiated by PyTorch.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # its name everywhere
from torch import Tensor

from benchmarks.inputs import LARGE, POINTWISE, Effort, name, words
from benchmarks.measurement import Measurement, compare
from benchmarks.pytorch import EAGER, PACKAGES, PEERS, threads
from benchmarks.side import Side, check_same
from lossary import catalogue
from lossary.define import Pointwise
from lossary.define.loss import Loss
from lossary.ops.torch import ops

__all__ = ["PACKAGES", "measure", "threads"]


@final
class _Textbook:
    """PyTorch's operations, also where lossary composes its own to keep more digits."""

    abs = staticmethod(abs)  # of plain numbers too
    relu = staticmethod(torch.relu)
    sigmoid = staticmethod(torch.sigmoid)
    softplus = staticmethod(F.softplus)
    tanh = staticmethod(torch.tanh)

    def __getattr__(self, operation: str) -> Any:
        return getattr(ops, operation)


def losses() -> tuple[Loss, ...]:
    """At their defaults, but for those of the other sections, which have settings there."""
    measured = {type(loss): loss for loss in POINTWISE}
    pointwise = (cls for cls in catalogue.classes() if issubclass(cls, Pointwise) and cls.trainable)
    return tuple(measured.get(cls) or cls() for cls in pointwise)


def peer(loss: Loss) -> tuple[str, Callable[..., Tensor], float]:
    """What stands beside a loss, by its name, as a mean over the entries; and how many times that the loss is."""
    if name(loss) in PEERS:
        return *PEERS[name(loss)], 1.0
    for twin in loss.same_as:
        if twin.library == "torch" and twin.applies(loss):
            return twin.name, _reduced(loss, twin.call), twin.factor
    formula, textbook = getattr(loss, "formula", loss.value), _Textbook()
    return "textbook", lambda *inputs: formula(textbook, *inputs).mean(), 1.0


def _reduced(loss: Loss, call: str) -> Callable[..., Tensor]:
    """A twin's `torch.nn.SomeLoss(…)(…)` with the mean that PyTorch takes itself; the module is made once."""
    tree = ast.parse(call.replace("reduction='none'", "reduction='mean'"), mode="eval").body
    if not isinstance(tree, ast.Call):
        raise TypeError(f"no call: {call}")
    # The call is a constant of the catalogue, not input.
    known = {"torch": torch, **loss.settings}
    module: Callable[..., Tensor] = eval(ast.unparse(tree.func), known)  # noqa: S307
    arguments = ", ".join(map(ast.unparse, tree.args))
    arranged = eval(f"lambda {', '.join(loss.inputs)}: ({arguments},)", known)  # noqa: S307
    return lambda *inputs: module(*arranged(*inputs))


def sides(loss: Loss, theirs: Callable[..., Tensor], size: int, seed: int) -> tuple[Side, Side]:
    """Both on the same ordinary inputs in float32."""
    generator = np.random.default_rng(seed)
    arrays = (domain.ordinary(generator, (size,)) for domain in loss.domains.values())
    inputs = tuple(torch.from_numpy(array.astype(np.float32)) for array in arrays)
    for x in inputs[: len(loss.learned)]:
        x.requires_grad_()
    return Side(loss.torch(), inputs), Side(theirs, inputs)


def measure(effort: Effort) -> Iterator[Measurement]:
    size = LARGE[0]
    for loss in losses():
        beside, function, factor = peer(loss)
        for seed in (1, 2, 3):
            check_same(name(loss), *sides(loss, function, 1024, seed), factor=factor)
        ours, theirs = sides(loss, function, size, seed=0)
        steps = ours.step, beside, theirs.step
        array = ours.inputs[0].nbytes
        yield compare(name(loss), words(size), *steps, kind=EAGER, seconds=effort.seconds, array=array)
