# Written by `make index` from the catalogue; do not edit.

import collections.abc
import lossary.define.parameters
from typing import Any

from lossary.define.loss import Loss
from lossary.ops.missing import Missing
from lossary.define.objective import Objective
from lossary.ops.reduce import Total

class LossFunction:
    missing: Missing | None
    @property
    def loss(self) -> Loss | Objective: ...
    def __call__(
        self,
        predictions: Any = ...,
        targets: Any = ...,
        *others: Any,
        weight: Any = ...,
        where: Any = ...,
        parameters: Any = ...,
        **named: Any,
    ) -> Any: ...
    def total(
        self,
        predictions: Any = ...,
        targets: Any = ...,
        *others: Any,
        weight: Any = ...,
        where: Any = ...,
        **named: Any,
    ) -> Total: ...

def host(loss: Loss | Objective, *, missing: Missing | None = ..., validate: bool = ...) -> LossFunction: ...
def get(name: str, **settings: Any) -> LossFunction: ...

class BinaryCrossEntropy(LossFunction):
    def __init__(self, *, from_logits: bool = True, pos_weight: float | collections.abc.Sequence[float] | lossary.define.parameters.Listed = 1.0, label_smoothing: float = 0.0, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class Hinge(LossFunction):
    def __init__(self, labels: collections.abc.Sequence[float] = (-1.0, 1.0), *, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class ZeroOne(LossFunction):
    def __init__(self, labels: collections.abc.Sequence[float] = (-1.0, 1.0), *, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class GaussianNLL(LossFunction):
    def __init__(self, scale: str = 'log_std', *, full: bool = False, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class KLDivergence(LossFunction):
    def __init__(self, *, from_logits: bool = True, log_target: bool = False, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class InfoNCE(LossFunction):
    def __init__(self, similarity: str = 'cosine', *, temperature: float = 0.07, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class CategoricalCrossEntropy(LossFunction):
    def __init__(self, *, from_logits: bool = True, class_weight: collections.abc.Sequence[float] | lossary.define.parameters.Listed = (), label_smoothing: float = 0.0, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class SparseCategoricalCrossEntropy(LossFunction):
    def __init__(self, *, from_logits: bool = True, class_weight: collections.abc.Sequence[float] | lossary.define.parameters.Listed = (), label_smoothing: float = 0.0, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class Huber(LossFunction):
    def __init__(self, delta: float = 1.0, *, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class LogCosh(LossFunction):
    def __init__(self, *, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class MeanAbsoluteError(LossFunction):
    def __init__(self, *, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class MeanSquaredError(LossFunction):
    def __init__(self, *, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class Quantile(LossFunction):
    def __init__(self, level: float = 0.5, *, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class BatchDice(LossFunction):
    def __init__(self, *, from_logits: bool = True, squared: bool = False, smooth: float = 1.0, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class Dice(LossFunction):
    def __init__(self, *, from_logits: bool = True, squared: bool = False, smooth: float = 1.0, axes: int = 2, missing: Missing | None = ..., validate: bool = ...) -> None: ...
class CoxPartialLikelihood(LossFunction):
    def __init__(self, ties: str = 'efron', *, missing: Missing | None = ..., validate: bool = ...) -> None: ...
