"""A PyTorch module's call as one node of a compiled graph.

AOTAutograd traces the node; Dynamo does not look into it. It would put a guard on every name that it meets on the way,
hundreds, and check them at each step. What can change between two steps is in the arguments, which it does guard.

Imported when something is compiled, because Dynamo takes long to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from lossary import torch as home

if TYPE_CHECKING:
    from torch import Tensor


@torch.compiler.allow_in_graph  # type: ignore[untyped-decorator]  # torch has no types for it
def call(
    key: str,
    options: dict[str, Any],
    buffers: dict[str, Any],
    counted: list[Tensor],
    weight: Any,
    where: Any,
    *inputs: Any,
) -> Tensor:
    """The call of a module, made again from all that it depends on."""
    return home.remade(key, options, buffers, counted).computed(inputs, weight, where)
