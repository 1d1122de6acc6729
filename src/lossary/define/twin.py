"""The same loss in another library, as an expression that a test can run."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lossary.define.loss import Loss

# The arrays that libraries compute with, where they are not NumPy's.
_ARRAYS_OF = {
    "torch": "torch",
    "torchmetrics": "torch",
    "keras": "tensorflow",
    "tensorflow": "tensorflow",
    "optax": "jax",
}


@final
@dataclasses.dataclass(frozen=True)
class Departure:
    """Where another library's answer is another one, or it has none: where it clips, or refuses; and a point that shows
    it.

    Args:
        rule: what it does, in words that follow its name: "clips probabilities to [1e-7, 1 - 1e-7]".
        prediction, target: a batch of one, as a list.
        theirs: its answer there, in float32, times the twin's factor and with its offset; or the error that it raises.
    """

    rule: str
    prediction: list[Any]
    target: list[Any]
    theirs: float | type[Exception]


@final
@dataclasses.dataclass(frozen=True)
class Twin:
    """Another library's word for a loss.

    Args:
        call: Python that computes it from the loss's inputs and hyper-parameters, by their names, with unreduced values
            (or their mean, where the library has nothing else).
        factor: ours is this many times theirs: -1 where theirs is to be large.
        offset: what is added to that: of "1 - theirs" the 1, beside a factor of -1.
        when: the hyper-parameters' values at which the two agree, for those that the call does not mention; those that
            neither names must have their defaults.
        given: hyper-parameters that the call mentions and that must not have their defaults.
        labels: the arguments that must be labels there, integers of the one right class (in one-hot rows, for targets
            of rows), where ours may be scores or shares too.
        departs: where it gives another answer; None where it gives the same even at the edges.
        framework: whose arrays it takes: "numpy", "torch", "tensorflow" or "jax"; None for those that `library` is
            known to take, or NumPy's.
    """

    call: str
    factor: float = 1.0
    offset: float = 0.0
    when: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    given: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    departs: Departure | None = None
    framework: str | None = None

    @property
    def name(self) -> str:
        """The dotted name: "torch.nn.HuberLoss"."""
        return self.call.lstrip("-").partition("(")[0]

    @property
    def library(self) -> str:
        """What its dotted name begins with: "torch", "keras", "optax", "sklearn"."""
        return self.name.partition(".")[0]

    @property
    def takes(self) -> str:
        """The framework whose arrays it takes."""
        return self.framework or _ARRAYS_OF.get(self.library, "numpy")

    @property
    def mentions(self) -> frozenset[str]:
        """The names that the call is made of: arguments, hyper-parameters and libraries."""
        return names_in(self.call)

    def applies(self, loss: Loss) -> bool:
        """Whether the two are the same at this loss's hyper-parameters."""
        from lossary.define.parameters import parameters_of

        defaults = {name: known.default for name, known in parameters_of(loss).items()}
        return all(
            value == self.when.get(name, value if name in self.mentions else defaults[name])
            and not (name in self.given and value == defaults[name])
            for name, value in loss.settings.items()
        )

    def evaluate(self, loss: Loss, **inputs: Any) -> Any:
        """Ours, made of their answer: by running `call` on inputs by their names, in the arrays that it takes.

        Raises:
            ImportError: a library that it names is not installed.
        """
        arguments = {**inputs, **loss.settings}
        libraries = {name: _imported(path) for name, path in _paths(self.call) if name not in arguments}
        # The call is a constant of the catalogue, not input.
        theirs = eval(self.call, libraries | arguments)  # noqa: S307
        return self.offset + self.factor * theirs


@functools.cache
def names_in(call: str) -> frozenset[str]:
    """The names that an expression is made of."""
    return frozenset(node.id for node in ast.walk(ast.parse(call, mode="eval")) if isinstance(node, ast.Name))


def _paths(call: str) -> Iterator[tuple[str, str]]:
    """The dotted names in a call, each behind the name that it begins with: ("jax", "jax.nn.log_softmax")."""
    for node in ast.walk(ast.parse(call, mode="eval")):
        path = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if path and all(part.isidentifier() for part in path.split(".")):
            yield path.partition(".")[0], path


def _imported(path: str) -> Any:
    """The library that a dotted name begins with, and of its modules those that the name goes through."""
    module = path
    while "." in module:
        module = module.rpartition(".")[0]
        try:
            importlib.import_module(module)
            break
        except ModuleNotFoundError as error:
            if error.name is None or not module.startswith(error.name):
                raise
    return importlib.import_module(path.partition(".")[0])
