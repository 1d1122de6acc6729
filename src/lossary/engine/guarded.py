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
        if self._is_empty(xp, arrays):
            return functools.reduce(lambda x, _: xp.sum(x), range(1 + self.loss.prediction.axes), arrays[0])
        arrays, legal = self._checked(xp, arrays)
        value = self.loss.value(xp, *arrays[:2], **self._named(arrays))
        return value if legal is None else xp.stamped(value, legal)

    def gradients(self, xp: Framework, *arrays: Array) -> tuple[Array, ...]:
        """The derivatives of `value` with respect to each learned input, each in its shape."""
        if self._is_empty(xp, arrays):
            return arrays[: self.learned]
        arrays, legal = self._checked(xp, arrays)
        gradients = self.loss.gradient(xp, *arrays[:2], **self._named(arrays))
        gradients = gradients if self.learned > 1 else (gradients,)
        if legal is None:
            return gradients
        return tuple(
            xp.stamped(gradient, over_rows(xp, legal, 0 if self.loss.pooled else domain.axes))
            for gradient, domain in zip(gradients, self.loss.domains.values(), strict=False)
        )

    def curvatures(self, xp: Framework, *arrays: Array) -> tuple[Array, ...]:
        """The derivative of the gradient with respect to the prediction, where that is an entry for each."""
        arrays, _ = self._checked(xp, arrays)
        return (self.loss.curvature(xp, *arrays[:2], **self._named(arrays)),)

    def slopes(self, xp: Framework, *arrays: Array) -> tuple[Array, ...]:
        """The gradients, written or not."""
        if self.has_gradient:
            return self.gradients(xp, *arrays)
        value = functools.partial(self.value, xp)
        return tuple(xp.slope(of_one(value, arrays, k), arrays[k]) for k in range(self.learned))

    def row_weight(self, xp: Framework, *arrays: Array) -> Array | None:
        """What each loss counts for because of its class; None where all count alike."""
        arrays, legal = self._checked(xp, arrays)
        weight = self.loss.row_weight(xp, arrays[1], arrays[0])
        return weight if weight is None or legal is None else xp.stamped(weight, legal)

    def _is_empty(self, xp: Framework, arrays: tuple[Array, ...]) -> bool:
        """Whether a whole batch has no entries: there is no largest of them, and nobody should have to think of it."""
        return self.loss.pooled and (xp.shape(arrays[0]) or (None,))[0] == 0

    def _named(self, arrays: tuple[Array, ...]) -> dict[str, Array]:
        """What the loss takes by name."""
        loss = self.loss
        names = (*loss.inputs[2:], "weight") if loss.pooled else loss.inputs[2:]
        return dict(zip(names, arrays[2:], strict=True))

    def _checked(self, xp: Framework, arrays: tuple[Array, ...]) -> tuple[tuple[Array, ...], Array | None]:
        """The inputs with illegal class indices replaced by a legal one, and whether each entry is legal; of a loss of
        the whole batch, whether all are."""
        if self.spacing is None:
            return arrays, None
        legal, checked = None, list(arrays)
        for place, domain in enumerate(self.loss.domains.values()):
            inside = domain.contains(xp, arrays[place], arrays[0], self.spacing)
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
