from __future__ import annotations

import sys
from typing import Any

import numpy as np

from lossary.check.backends import backend
from lossary.check.instruments.differences import batches
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import Tag
from lossary.check.subject.subject import Subject, described, shown
from lossary.define.loss import Loss
from lossary.ops.call import Call

# Each of two answers may be 4 off, and those of terms of both signs, which may be larger than their sum.
_ULP = 16
_LEAST = 1e-30
_SLACK = 1e-3, 1e-6  # of gradients, relative and absolute: frameworks that disagree at a tie are far apart
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
        from lossary.define import Real

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
        from lossary.define import Real

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
    """A loss offered in several frameworks is the same in each, to 16 units in the last place, and so is its gradient.

    Versions of one loss drift apart where each is written by itself: a clip here, another mean there, a special case in
    one of them. A model that is moved then trains on another loss. Asked of the frameworks that are loaded.

    Gradients are compared where terms tie, too. Each framework has a derivative of its own there: TensorFlow's maximum
    gives all of it to the first of two equal arguments and PyTorch's a half, and |x| has the slope 1 at 0 in JAX and 0
    in the others. The words of xp have one answer everywhere; array operators, as in abs(p - y), and a framework's own
    functions have not.
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
        framework = backend(name)
        for fused in (True, False):  # by a kernel, where there is one, and operation by operation
            call = Call((framework.array(p), framework.array(y)))
            losses = loss.compute(call, reduction="none", fused=fused)
            losses = framework.numpy(losses).reshape(len(p), -1).mean(axis=1)
            apart = np.abs(losses - rows) / np.spacing(np.maximum(np.abs(rows), _LEAST).astype(np.float32))
            if not np.all(apart <= _ULP):
                title, other = (
                    subject.backend.title,
                    framework.title if fused else f"{framework.title} without its kernel",
                )
                return Failure(f"the losses are {shown(rows)} in {title}, and {shown(losses)} in {other}")
    if loss.trainable:
        for prediction, target in batches(subject):
            if failure := _gradients_apart(loss, prediction, target):
                return failure
    return None


def _gradients_apart(loss: Loss, prediction: Any, target: Any) -> Failure | None:
    """The first row whose gradient in one framework is not that in another."""
    first: tuple[str, Any] | None = None
    for name in _FRAMEWORKS:
        framework = backend(name) if name == "numpy" or name in sys.modules else None
        if framework is None or not (framework.differentiates or loss.has_gradient):
            continue
        with framework.precision(str(prediction.dtype)):
            p, y = framework.array(prediction), framework.array(target)
            _, gradient = framework.value_and_gradient(loss, p, y, reduction="sum")
        title, reference = first = first or (framework.title, gradient)
        apart = ~np.isclose(gradient, reference, *_SLACK, equal_nan=True)
        if apart.any():
            row = int(np.argwhere(apart)[0, 0])
            place = described(prediction[row : row + 1], target[row : row + 1])
            there, here = shown(reference[row]), shown(gradient[row])
            return Failure(f"the gradient on {place} is {there} in {title}, and {here} in {framework.title}")
    return None
