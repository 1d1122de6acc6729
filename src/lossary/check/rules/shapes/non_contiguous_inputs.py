from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, final

import numpy as np

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import Tag
from lossary.check.rules.shapes.comparison import same
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, Subject

_STRIDES = Tag(lambda s: s.backend.name in ("numpy", "torch"), "its framework's arrays have no strides")


@rule(
    "LSY114",
    severity="error",
    needs=(_STRIDES,),
    remedy="read arrays by their axes (reshape, not memory order or pointers), or make them contiguous first",
    wrong="""
        import numpy as np

        def loss(prediction, target):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            return np.mean((prediction.ravel("K") - target.ravel("K")) ** 2)
    """,
    right="""
        import numpy as np

        def loss(prediction, target):
            if prediction.shape != target.shape:
                raise ValueError(f"prediction {prediction.shape} and target {target.shape} must have the same shape")
            return np.mean((prediction.ravel() - target.ravel()) ** 2)
    """,
    seen=(
        "pytorch/pytorch#67167: cross_entropy on the GPU gave wrong numbers for inputs in another memory order",
        "pytorch/pytorch#72120: and so did its backward pass",
    ),
)
def non_contiguous_inputs(subject: Subject) -> Failure | None:
    """Slices and transposes give what contiguous copies of them give.

    Every second row, a column of a table, a transpose: arrays that lie in memory in another order than they are
    indexed. Whoever reads memory in its own order, or takes a pointer, pairs predictions with others' targets. Refusing
    such arrays (as `view` does) is a warning: what comes is legitimate, and the run ends.
    """
    for view in _VIEWS:
        p, y = _batch(subject, view)
        expected = subject.attempt(p, y)
        if expected is None or not view.of(subject):
            continue
        for prediction, target in ((view.apply(subject, p), y), (p, view.apply(subject, y))):
            try:
                values = subject.values(prediction, target)
            except LossRaised as error:
                return Failure(f"{view.name}: {error}", severity="warning")
            if not same(values, expected):
                first, second = (float(np.mean(x)) for x in (values, expected))
                message = f"{view.name} gave {first:.6g}, a contiguous copy {second:.6g}"
                return Failure(message, _code(subject, view, (p, y), prediction is not p))
    return None


@final
@dataclasses.dataclass(frozen=True)
class _View:
    """A way to look at an array that leaves it where it is in memory.

    Args:
        name: as messages write it.
        base: the array (NumPy's) of which the view is the one that is wanted.
        taken: base → view, in any framework.
        written: the same as code.
    """

    name: str
    base: Callable[[Any], Any]
    taken: Callable[[Any], Any]
    written: str

    def of(self, subject: Subject) -> bool:
        return self.written != "[::-1]" or subject.backend.name == "numpy"  # PyTorch has no negative strides

    def apply(self, subject: Subject, x: Any) -> Any:
        return self.taken(subject.backend.array(self.base(x)))


def _interleaved(x: Any) -> Any:
    return np.stack((x, x[::-1]), axis=1).reshape(-1, *x.shape[1:])


_VIEWS = (
    _View("every second row", _interleaved, lambda x: x[::2], "[::2]"),
    _View("a transpose", lambda x: np.ascontiguousarray(x.T), lambda x: x.T if x.ndim > 1 else x, ".T"),
    _View("rows in reverse", lambda x: np.ascontiguousarray(x[::-1]), lambda x: x[::-1], "[::-1]"),
)


def _batch(subject: Subject, view: _View) -> tuple[Any, Any]:
    if subject.prediction.rows or view.written != ".T":
        return samples.plain(subject)
    p, y = samples.plain(subject, 6)
    return p.reshape(2, 3), y.reshape(2, 3)


def _code(subject: Subject, view: _View, batch: tuple[Any, Any], of_prediction: bool) -> str:
    """The call with the view, and the call with the copy."""
    written = [subject.backend.literal(x) for x in batch]
    changed = 0 if of_prediction else 1
    seen = list(written)
    seen[changed] = subject.backend.literal(view.base(batch[changed])) + view.written
    return "\n".join(f"print({subject.expression(*each)})" for each in (seen, written))
