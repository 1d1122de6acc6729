"""Penalty: a function of a model's parameters that stands beside a loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, final

from lossary.define import late
from lossary.define.definition import Definition
from lossary.errors import UsageError
from lossary.ops import dispatch, reduce
from lossary.ops.dtypes import COMPUTED_IN

if TYPE_CHECKING:
    from lossary.define.objective import Objective
    from lossary.keras import Regularizer
    from lossary.ops.ops import Array


class Penalty(Definition, abstract=True):
    """A price on the size of a model's parameters: the sum of `value` over all their entries."""

    strengths: ClassVar[tuple[str, ...]] = ()
    weaknesses: ClassVar[tuple[str, ...]] = ()
    sources: ClassVar[tuple[str, ...]] = ()
    if TYPE_CHECKING:
        # Whether arrays of fewer than two axes (biases, scales of normalisation) count. An annotation would make it the
        # first of everybody's fields.
        biases = True

    @abstractmethod
    def value(self, xp: Any, w: Array) -> Array:
        """The price of each entry."""

    @final
    def __call__(self, *, parameters: Any) -> Any:
        """The price of all parameters, as a scalar of their framework.

        Args:
            parameters: a `torch.nn.Module`, a `keras.Model`, or any nesting of dictionaries and sequences of arrays of
                one framework (a JAX pytree).

        Raises:
            UsageError: there is no parameter to count.
        """
        counted = [w for w in arrays_in(parameters) if self.biases or len(w.shape) > 1]
        if not counted:
            raise UsageError(
                f"{type(self).__name__} found no parameter to count.",
                received=f"parameters of type {type(parameters).__name__}"
                + ("." if self.biases else ", and biases=False leaves out arrays of fewer than two axes."),
                hint="parameters=model, or a list of its arrays.",
            )
        xp = dispatch.ops_of(type(self).__name__, [f"parameter {i}" for i in range(len(counted))], counted)
        # Half types are computed and summed in float32, as in a loss.
        weights = [xp.cast(w, COMPUTED_IN.get(xp.dtype(w), xp.dtype(w))) for w in map(xp.convert, counted)]
        prices = [reduce.read(xp, xp.accumulate(self.value(xp, w)), xp.dtype(w)) for w in weights]
        return sum(prices[1:], start=prices[0])

    @final
    def keras(self) -> Regularizer:
        """The `keras.regularizers.Regularizer` of this penalty, for a layer's `kernel_regularizer=`."""
        return late.regularizer(self)

    @final
    def __add__(self, other: Any) -> Objective:
        from lossary.define.objective import Objective

        return Objective.of(self).__add__(other)

    @final
    def __mul__(self, factor: Any) -> Objective:
        from lossary.define.objective import Objective

        return Objective.of(self).__mul__(factor)

    __rmul__ = __mul__

    @final
    def __radd__(self, other: Any) -> Objective:
        """Also so that the built-in `sum` works, which starts from 0."""
        from lossary.define.objective import Objective

        return Objective.of(self).__radd__(other)


def arrays_in(parameters: Any) -> Iterator[Any]:
    """Every array of a model or of a nesting of dictionaries and sequences."""
    if hasattr(parameters, "trainable_weights"):  # a Keras model or layer
        for weight in parameters.trainable_weights:
            yield weight.value
    elif callable(getattr(parameters, "parameters", None)):  # a torch module
        yield from parameters.parameters()
    elif isinstance(parameters, Mapping):
        for value in parameters.values():
            yield from arrays_in(value)
    elif hasattr(parameters, "shape"):
        yield parameters
    elif isinstance(parameters, list | tuple):
        for value in parameters:
            yield from arrays_in(value)
    elif parameters is not None:
        raise UsageError(
            "parameters must be a model, or dictionaries and sequences of arrays.",
            received=f"a {type(parameters).__name__}.",
        )
