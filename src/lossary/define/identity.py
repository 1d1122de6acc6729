"""What else in the catalogue a loss is, up to a factor."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, final

from lossary.define.twin import names_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossary.define.loss import Loss


@final
@dataclasses.dataclass(frozen=True)
class Identity:
    """Another loss of the catalogue, of which this one is a multiple: `Identity("Huber(beta)", "1 / beta")`.

    Args:
        other: Python that makes the other loss from this one's hyper-parameters, by their names.
        factor: Python that makes the factor.
        when: the hyper-parameters' values at which this holds. Those that are named nowhere must have their defaults.
        whatever: those that do not matter: how classes are written in the target.
    """

    other: str
    factor: str = "1"
    when: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    whatever: tuple[str, ...] = ()

    def applies(self, loss: Loss) -> bool:
        """Whether it holds at this loss's hyper-parameters."""
        from lossary.define.parameters import parameters_of

        named = names_in(self.other) | names_in(self.factor) | {*self.whatever}
        defaults = {name: known.default for name, known in parameters_of(loss).items()}
        return all(
            value == self.when.get(name, value if name in named else defaults[name])
            for name, value in loss.settings.items()
        )
