"""How a prediction says what it is about: the link functions of generalised linear models, on NumPy arrays.

McCullagh & Nelder, Generalized Linear Models, 2nd edition, 1989, section 2.2.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, final


@final
@dataclasses.dataclass(frozen=True)
class Link:
    """From a mean, a probability or a row of them, to the number that stands for it, and back.

    Args:
        name: "identity", "log", "log1p", "logit", "softmax" or "exponential".
        apply: what stands for a mean; of probabilities 0 and 1, infinities. Of a row, the one whose softmax it is.
        inverse: the mean that a number stands for.
    """

    name: str
    apply: Callable[[Any], Any] = dataclasses.field(repr=False)
    inverse: Callable[[Any], Any] = dataclasses.field(repr=False)

    @property
    def of_logits(self) -> bool:
        """Whether a sigmoid or softmax is what leads back."""
        return self is logit or self is softmax


def _same(x: Any) -> Any:
    return x


def _log(mean: Any) -> Any:
    import numpy as np

    with np.errstate(divide="ignore"):
        return np.log(mean)


def _exp(x: Any) -> Any:
    import numpy as np

    return np.exp(x)


def _log1p(mean: Any) -> Any:
    import numpy as np

    with np.errstate(divide="ignore"):
        return np.log1p(mean)


def _expm1(x: Any) -> Any:
    import numpy as np

    return np.expm1(x)


def _logit(mean: Any) -> Any:
    import numpy as np

    with np.errstate(divide="ignore"):
        return np.log(mean / (1.0 - mean))


def _sigmoid(x: Any) -> Any:
    import numpy as np

    small = np.exp(-np.abs(x))
    return np.where(x < 0.0, small, 1.0) / (1.0 + small)


def _softmax(x: Any) -> Any:
    import numpy as np

    with np.errstate(invalid="ignore"):
        shares = np.exp(x - x.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


@functools.cache
def exponential(rate: float) -> Link:
    """exp(rate · mean), for a rate other than 0: the same object whenever the rate is."""

    def apply(mean: Any) -> Any:
        import numpy as np

        return np.exp(rate * mean)

    def inverse(x: Any) -> Any:
        import numpy as np

        return np.log(x) / rate

    return Link("exponential", apply, inverse)


identity = Link("identity", _same, _same)
log = Link("log", _log, _exp)
log1p = Link("log1p", _log1p, _expm1)
logit = Link("logit", _logit, _sigmoid)
softmax = Link("softmax", _log, _softmax)
