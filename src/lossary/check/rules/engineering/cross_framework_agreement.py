from __future__ import annotations

import sys

import numpy as np

from lossary.check.backends import backend
from lossary.check.rule import Failure, rule
from lossary.check.subject import Subject, shown
from lossary.check.tags import Tag
from lossary.loss import Loss

_ULP = 4
_LEAST = 1e-30
_FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")


def written_once(subject: Subject) -> Loss | None:
    """The lossary class that the loss is, or that it is the PyTorch, Keras or JAX form of."""
    for each in (subject.loss, getattr(subject.loss, "loss", None)):
        if isinstance(each, Loss):
            return each
    return None


EVERYWHERE = Tag(lambda s: written_once(s) is not None, "it is offered in one framework only")


@rule(
    "LSY611",
    severity="error",
    needs=(EVERYWHERE,),
    remedy="write the value in the words of xp alone, and let no branch depend on the framework",
    wrong="""
        import numpy as np
        from lossary import Pointwise
        from lossary.domain import Real

        class Squared(Pointwise):
            task = "regression"
            prediction, target = Real(), Real()

            def value(self, xp, p, y):
                half = 0.5 if isinstance(p, np.ndarray) else 1.0
                return half * (p - y) * (p - y)

        loss = Squared()
    """,
    right="""
        from lossary import Pointwise
        from lossary.domain import Real

        class Squared(Pointwise):
            task = "regression"
            prediction, target = Real(), Real()

            def value(self, xp, p, y):
                return 0.5 * (p - y) * (p - y)

        loss = Squared()
    """,
    seen=(
        "tensorflow/tensorflow#126005: one framework, two answers: an index out of range, eager and compiled",
        "keras-team/keras#13329: weights that counted in one backend and not in another",
    ),
)
def cross_framework_agreement(subject: Subject) -> Failure | None:
    """A loss that is offered in several frameworks is the same number in each, to 4 units in the last place.

    Versions of one loss drift apart where each is written by itself: a clip here, another mean there, a special case in
    one of them. A model that is moved then trains on another loss. Asked of the frameworks that are loaded.
    """
    loss = written_once(subject)
    assert loss is not None
    p, y = subject.batch(4)
    if subject.class_axis != -1 or p.ndim > 2:
        return None
    rows = subject.rows(p, y)
    for name in _FRAMEWORKS:
        if name != "numpy" and name not in sys.modules:
            continue
        words = backend(name)
        for fused in (True, False):  # by a kernel, where there is one, and operation by operation
            found = loss.compute(words.array(p), words.array(y), None, None, reduction="none", fused=fused)
            found = words.numpy(found).reshape(len(p), -1).mean(axis=1)
            apart = np.abs(found - rows) / np.spacing(np.maximum(np.abs(rows), _LEAST).astype(np.float32))
            if not np.all(apart <= _ULP):
                title, other = subject.backend.title, words.title if fused else f"{words.title} without its kernel"
                return Failure(f"the losses are {shown(rows)} in {title}, and {shown(found)} in {other}")
    return None
