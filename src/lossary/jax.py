"""Losses at home in JAX: functions of (predictions, targets) to unreduced values, as optax has them.

    loss_fn = lossary.jax.Huber(delta=1.5)
    jax.grad(lambda w: loss_fn(predict(w, x), y).mean())(w)

There is a class for every loss of the catalogue; `loss.jax()` makes the same from an instance.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

try:
    import jax  # noqa: F401  # for its absence to be said here
except ModuleNotFoundError as error:
    from lossary.errors import MissingExtraError

    raise MissingExtraError("lossary.jax needs JAX.", hint="pip install 'lossary[jax]'.") from error

from lossary import catalogue
from lossary.define import spelling
from lossary.define.definition import Definition
from lossary.define.loss import Loss
from lossary.define.objective import Objective
from lossary.errors import UsageError
from lossary.host import Classes
from lossary.index import LOSSES
from lossary.ops import jax as _operations  # JAX itself, and Total as a pytree
from lossary.ops.call import Call
from lossary.ops.missing import Missing, accepted
from lossary.ops.reduce import Total

# What `make index` writes into jax.pyi beside a class for each loss.
STUB = """
from typing import Any

from lossary.define.loss import Loss
from lossary.ops.missing import Missing
from lossary.define.objective import Objective
from lossary.ops.reduce import Total

class LossFunction:
    missing: Missing | None
    @property
    def loss(self) -> Loss | Objective: ...
    def __call__(
        self,
        predictions: Any = ...,
        targets: Any = ...,
        *others: Any,
        weight: Any = ...,
        where: Any = ...,
        parameters: Any = ...,
        **named: Any,
    ) -> Any: ...
    def total(
        self,
        predictions: Any = ...,
        targets: Any = ...,
        *others: Any,
        weight: Any = ...,
        where: Any = ...,
        **named: Any,
    ) -> Total: ...

def host(loss: Loss | Objective, *, missing: Missing | None = ..., validate: bool = ...) -> LossFunction: ...
def get(name: str, **settings: Any) -> LossFunction: ...
"""
STUB_BASE = "LossFunction"
STUB_OPTIONS = "missing: Missing | None = ..., validate: bool = ..."

__all__ = ["LossFunction", "get", "host", *LOSSES]  # noqa: PLE0604  # from the index


class LossFunction:
    """A loss as a pure function: `loss_fn(predictions, targets)`, unreduced; hashable, so that it may be static.

    Args:
        missing: "skip" leaves out targets that are NaN, a number those that are equal to it (for losses of class
            indices, an index); a row of which a part is missing is left out. Unreduced, what is left out is 0: take the
            mean by `total`.
        validate: False switches the checks of values off.

    Raises:
        ParameterError: a `missing` that is neither "skip" nor a number.
        UsageError: "skip", for class indices.
    """

    definition: ClassVar[Any] = Definition

    def __init__(
        self, *positional: Any, missing: Missing | None = None, validate: bool = True, **settings: Any
    ) -> None:
        self.loss = self.definition(*positional, **settings)
        self.missing = accepted(self.loss, missing)
        self.validate = validate

    def __call__(
        self,
        predictions: Any = None,
        targets: Any = None,
        *others: Any,
        weight: Any = None,
        where: Any = None,
        parameters: Any = None,
        **named: Any,
    ) -> Any:
        """The unreduced losses; `.mean()` them, or use `total` where there are weights or a mask.

        A loss of the whole batch has none: of that, its mean.

        Args:
            predictions: floating point, (…) or (…, K).
            targets: what the loss takes: the same shape, or class indices (…).
            weight: how often each entry counts: the losses' shape or a leading part of it.
            others: what else the loss takes, in its order; or by its names.
            where: boolean, False makes an entry 0.
            parameters: for an objective with penalties, the pytree they are about. Penalties, and scalars that are
                added, belong to no entry, so that the result is then the scalar objective: the mean of the losses and
                the penalties.
        """
        call = self._call((predictions, targets, *others), named, weight, where)
        if parameters is not None or (isinstance(self.loss, Objective) and self.loss.once and not self.loss.penalties):
            return self._as_scalar(call, parameters)
        return self.loss.compute(call, reduction="mean" if self.loss.pooled else "none")

    def total(
        self,
        predictions: Any = None,
        targets: Any = None,
        *others: Any,
        weight: Any = None,
        where: Any = None,
        **named: Any,
    ) -> Total:
        """The sum of the losses and the weight it stands for, a pytree: `psum` both, then take the mean."""
        total: Total = self.loss.compute_total(self._call((predictions, targets, *others), named, weight, where))
        return total

    def _call(self, inputs: tuple[Any, ...], named: dict[str, Any], weight: Any, where: Any) -> Call:
        """The call with these arguments.

        Raises:
            UsageError: other libraries' names of arguments, or arguments that are missing.
        """
        names = self._names
        arguments = {**dict(zip(names, inputs, strict=False)), **named}
        foreign = [name for name in named if name not in names]
        missing = [name for name in names if arguments.get(name) is None]
        if foreign or missing or len(inputs) > len(names):
            received = [f"{name}=" for name in foreign] + [f"no {name}" for name in missing]
            raise UsageError(
                f"{self!r} takes ({', '.join(names)}), and weight= and where= by name.",
                received=" and ".join(received or [f"{len(inputs)} by position"]) + ".",
                hint=f"loss_fn({', '.join(names)}).",
            )
        first, *rest = (arguments[name] for name in names)
        arrays = (_operations.ops.convert(first), *rest)
        return Call(arrays, weight, where, validate=self.validate, missing=self.missing)

    @property
    def _names(self) -> tuple[str, ...]:
        """What the inputs are called here."""
        plural = {"prediction": "predictions", "target": "targets"}
        return tuple(plural.get(name, name) for name in self.loss.inputs)

    def _as_scalar(self, call: Call, parameters: Any) -> Any:
        if parameters is not None and not (isinstance(self.loss, Objective) and self.loss.penalties):
            raise UsageError(
                f"{self.loss!r} has no penalties.",
                received="parameters=...",
                hint="add one, 1e-4 * L2(), or leave parameters= out.",
            )
        return self.loss.compute(call, reduction="mean", parameters=parameters)

    @property
    def _options(self) -> dict[str, Any]:
        return {"missing": self.missing, "validate": self.validate}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), self.loss, self.missing, self.validate))

    def __repr__(self) -> str:
        return spelling.at_home("jax", self.loss, missing=self.missing)

    def __reduce__(self) -> Any:
        """Through the loss, so that functions of users' losses are found again too."""
        return _remade, (self.loss, self._options)


@final
class ObjectiveFunction(LossFunction):
    """An objective as a pure function."""

    definition: ClassVar[Any] = Objective


def host(loss: Loss | Objective, **options: Any) -> LossFunction:
    """The function of a loss or objective; options as LossFunction has.

    Raises:
        UsageError: at the first call, where an objective has penalties and gets no `parameters=`.
    """
    if isinstance(loss, Objective):
        return ObjectiveFunction(loss.summands, **options)
    function: LossFunction = _classes.of(type(loss))(**loss.settings, **options)
    return function


def get(name: str, **settings: Any) -> LossFunction:
    """The function of a loss by name or alias: `get("bce", pos_weight=3)`."""
    return host(catalogue.get(name, **settings))


def _remade(loss: Loss | Objective, options: dict[str, Any]) -> LossFunction:
    return host(loss, **options)


_classes = Classes(__name__, LossFunction)
__getattr__, __dir__ = _classes.attribute, _classes.names
