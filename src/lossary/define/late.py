"""What a loss has as a method and stands above it: imported when it is asked for, and nowhere else.

Everything else imports downwards, as `make lint` sees to; this file is the exception that it knows of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.define.notation import Notation
    from lossary.define.objective import Objective
    from lossary.define.penalty import Penalty
    from lossary.jax import LossFunction
    from lossary.keras import KerasLoss, Regularizer
    from lossary.sklearn import Scorer
    from lossary.torch import LossModule


def torch(loss: Loss | Objective, **options: Any) -> LossModule:
    from lossary.torch import host

    return host(loss, **options)


def keras(loss: Loss | Objective, **options: Any) -> KerasLoss:
    from lossary.keras import host

    return host(loss, **options)


def jax(loss: Loss | Objective, **options: Any) -> LossFunction:
    from lossary.jax import host

    return host(loss, **options)


def sklearn(loss: Loss | Objective, **options: Any) -> Scorer:
    from lossary.sklearn import host

    return host(loss, **options)


def regularizer(penalty: Penalty) -> Regularizer:
    from lossary.keras import regularizer as of_penalty

    return of_penalty(penalty)


def formula(loss: Loss) -> Notation:
    from lossary.describe.formula import formula as of_loss

    return of_loss(loss)
