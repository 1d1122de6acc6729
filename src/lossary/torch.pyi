# Written by `make index` from the catalogue; do not edit.

import collections.abc
import lossary.define.parameters
from typing import Any, Literal

from torch import Tensor, nn

from lossary.define.loss import Loss, Reduction
from lossary.ops.missing import Missing
from lossary.define.objective import Objective
from lossary.ops.reduce import Total

class LossModule(nn.Module):
    reduction: Reduction
    missing: Missing | None
    @property
    def loss(self) -> Loss | Objective: ...
    def forward(
        self, input: Tensor, target: Any = ..., *others: Any, weight: Any = ..., where: Any = ..., **named: Any
    ) -> Tensor: ...
    def __call__(
        self, input: Tensor, target: Any = ..., *others: Any, weight: Any = ..., where: Any = ..., **named: Any
    ) -> Tensor: ...
    def total(
        self, input: Tensor, target: Any = ..., *others: Any, weight: Any = ..., where: Any = ..., **named: Any
    ) -> Total: ...

class ObjectiveModule(LossModule):
    def terms(
        self, input: Tensor, target: Any = ..., *others: Any, weight: Any = ..., where: Any = ..., **named: Any
    ) -> dict[str, Tensor]: ...

def host(
    loss: Loss | Objective,
    *,
    reduction: Reduction = ...,
    class_axis: int | None = ...,
    ignore_index: int | None = ...,
    missing: Missing | None = ...,
    validate: bool = ...,
    model: nn.Module | None = ...,
) -> LossModule: ...
def get(name: str, **settings: Any) -> LossModule: ...
def refuse_activated(loss: Any, input: Tensor) -> None: ...

class BinaryCrossEntropy(LossModule):
    def __init__(self, *, from_logits: bool = True, pos_weight: float | collections.abc.Sequence[float] | lossary.define.parameters.Listed = 1.0, label_smoothing: float = 0.0, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class Hinge(LossModule):
    def __init__(self, labels: collections.abc.Sequence[float] = (-1.0, 1.0), *, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class ZeroOne(LossModule):
    def __init__(self, labels: collections.abc.Sequence[float] = (-1.0, 1.0), *, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class GaussianNLL(LossModule):
    def __init__(self, scale: str = 'log_std', *, full: bool = False, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class KLDivergence(LossModule):
    def __init__(self, *, from_logits: bool = True, log_target: bool = False, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class CategoricalCrossEntropy(LossModule):
    def __init__(self, *, from_logits: bool = True, class_weight: collections.abc.Sequence[float] | lossary.define.parameters.Listed = (), label_smoothing: float = 0.0, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class SparseCategoricalCrossEntropy(LossModule):
    def __init__(self, *, from_logits: bool = True, class_weight: collections.abc.Sequence[float] | lossary.define.parameters.Listed = (), label_smoothing: float = 0.0, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class Huber(LossModule):
    def __init__(self, delta: float = 1.0, *, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class LogCosh(LossModule):
    def __init__(self, *, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class MeanAbsoluteError(LossModule):
    def __init__(self, *, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class MeanSquaredError(LossModule):
    def __init__(self, *, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
class Quantile(LossModule):
    def __init__(self, level: float = 0.5, *, reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., missing: Missing | None = ..., validate: bool = ...) -> None: ...
