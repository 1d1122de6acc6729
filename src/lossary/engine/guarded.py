"""A loss's methods as the frameworks evaluate them: every input by position, and NaN where one is illegal."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, final

from lossary.ops.arrays import of_one

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.ops.arrays import Framework
    from lossary.ops.ops import Array


@final
@dataclasses.dataclass(frozen=True)
class Guarded:
    """A loss whose value and gradient are NaN where an input is illegal: under a trace, nothing can raise.

    Inputs are passed by position, in the order in which the loss declares them; a loss of the whole batch gets the
    weight of each entry behind them.

    Args:
        spacing: of the coarsest dtype that the values came in; None where nothing needs to be looked at.
    """

    loss: Loss
    spacing: float | None

    @property
    def learned(self) -> int:
        """How many inputs gradients are taken of: the first."""
        return len(self.loss.learned)

    @property
    def has_gradient(self) -> bool:
        return self.loss.has_gradient

    def value(self, xp: Framework, *arrays: Array) -> Array:
        """The loss of each entry or row; of a loss of the whole batch, their sum."""
        if self.loss.pooled and self._is_empty(xp, arrays):
            return functools.reduce(lambda x, _: xp.sum(x), range(1 + self.loss.prediction.axes), arrays[0])
        first, others, legal = self._arguments(xp, arrays)
        value = self.loss.value(xp, *first, **others)
        return value if legal is None else xp.stamped(value, legal)

    def gradients(self, xp: Framework, *arrays: Array) -> tuple[Array, ...]:
        """The derivatives of `value` with respect to each learned input, each in its shape."""
        if self.loss.pooled and self._is_empty(xp, arrays):
            return arrays[: len(self.loss.learned)]
        first, others, legal = self._arguments(xp, arrays)
        gradients = self.loss.gradient(xp, *first, **others)
        gradients = gradients if len(self.loss.learned) > 1 else (gradients,)
        if legal is None:
            return gradients
        return tuple(
            xp.stamped(gradient, over_rows(xp, legal, 0 if self.loss.pooled else domain.axes))
            for gradient, domain in zip(gradients, self.loss.domains.values(), strict=False)
        )

    def curvatures(self, xp: Framework, *arrays: Array) -> tuple[Array, ...]:
        """The derivative of the gradient with respect to the prediction, where that is an entry for each."""
        first, others, _ = self._arguments(xp, arrays)
        return (self.loss.curvature(xp, *first, **others),)

    def slopes(self, xp: Framework, *arrays: Array) -> tuple[Array, ...]:
        """The gradients, written or not."""
        if self.has_gradient:
            return self.gradients(xp, *arrays)
        value = functools.partial(self.value, xp)
        return tuple(xp.slope(of_one(value, arrays, k), arrays[k]) for k in range(self.learned))

    def row_weight(self, xp: Framework, *arrays: Array) -> Array | None:
        """What each loss counts for because of its class; None where all count alike."""
        (prediction, target), _, legal = self._arguments(xp, arrays)
        weight = self.loss.row_weight(xp, target, prediction)
        return weight if weight is None or legal is None else xp.stamped(weight, legal)

    def _is_empty(self, xp: Framework, arrays: tuple[Array, ...]) -> bool:
        """Whether a batch has no entries: there is no largest of them, and no loss should have to think of it."""
        return (xp.shape(arrays[0]) or (None,))[0] == 0

    def _arguments(
        self, xp: Framework, arrays: tuple[Array, ...]
    ) -> tuple[tuple[Array, ...], dict[str, Array], Array | None]:
        """The two inputs that the loss takes by position, with illegal class indices replaced by a legal one; those
        that it takes by name; and whether each entry is legal, or of a loss of the whole batch, whether all are."""
        loss, legal = self.loss, None
        if self.spacing is not None:
            arrays, legal = self._checked(xp, arrays, self.spacing)
        names = (*loss.inputs[2:], "weight") if loss.pooled else loss.inputs[2:]
        return arrays[:2], dict(zip(names, arrays[2:], strict=True)), legal

    def _checked(
        self, xp: Framework, arrays: tuple[Array, ...], spacing: float
    ) -> tuple[tuple[Array, ...], Array | None]:
        """The inputs with illegal class indices replaced, and what is legal."""
        legal, checked = None, list(arrays)
        for place, domain in enumerate(self.loss.domains.values()):
            inside = domain.contains(xp, arrays[place], arrays[0], spacing)
            if inside is None:
                continue
            if domain.indices:
                checked[place] = xp.where(over_rows(xp, inside, domain.axes), arrays[place], 0)
            legal = inside if legal is None else xp.logical_and(legal, inside)
        if legal is not None and self.loss.pooled:
            legal = xp.all(legal)
        return tuple(checked), legal


def over_rows(xp: Framework, x: Array, axes: int) -> Array:
    """What there is one of for each loss, beside an input of so many axes for each loss."""
    for _ in range(axes):
        x = xp.row(x)
    return x
