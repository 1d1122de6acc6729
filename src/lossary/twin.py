"""The same loss in another library, as an expression that a test can run."""

from __future__ import annotations

import dataclasses
import importlib
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossary.loss import Loss


@final
@dataclasses.dataclass(frozen=True)
class Twin:
    """Another library's word for a loss.

    Args:
        call: Python that computes it from `prediction`, `target` and the loss's hyper-parameters, with unreduced values
            (or their mean, where the library has nothing else).
        factor: ours is this many times theirs.
        when: the hyper-parameters' values at which the two agree, for those that the call does not mention; those that
            neither names must have their defaults.
    """

    call: str
    factor: float = 1.0
    when: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The dotted name: "torch.nn.HuberLoss"."""
        return self.call.partition("(")[0]

    @property
    def framework(self) -> str:
        """The library: "torch", "keras", "optax", "sklearn"."""
        return self.call.partition(".")[0]

    def applies(self, loss: Loss) -> bool:
        """Whether the two are the same at this loss's hyper-parameters."""
        from lossary.parameter import parameters_of

        return all(
            value == self.when.get(name, value if name in self.call else parameters_of(loss)[name].default)
            for name, value in loss.settings.items()
        )

    def evaluate(self, loss: Loss, prediction: Any, target: Any, **more: Any) -> Any:
        """Their answer, by running `call`.

        Raises:
            ImportError: the library is not installed.
        """
        module = self.name
        while "." in module:
            module = module.rpartition(".")[0]
            try:
                importlib.import_module(module)
                break
            except ModuleNotFoundError as error:
                if error.name is None or not module.startswith(error.name):
                    raise
        root = importlib.import_module(self.framework)
        names = {self.framework: root, "prediction": prediction, "target": target, **loss.settings, **more}
        # The call is a constant of the catalogue, not input.
        return eval(self.call, names)  # noqa: S307
