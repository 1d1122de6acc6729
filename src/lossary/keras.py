"""Losses at home in Keras: `model.compile(loss=lossary.keras.Huber(delta=1.5))`, on every backend.

There is a class for every loss of the catalogue; `loss.keras()` makes the same from an instance, and `penalty.keras()`
a regularizer for a layer. Importing this module is what lets Keras load models that were saved with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

try:
    import keras
    from keras import ops
except ModuleNotFoundError as error:
    from importlib.util import find_spec

    from lossary.errors import MissingExtraError

    if error.name is None or find_spec("keras") is None:
        raise MissingExtraError("lossary.keras needs Keras.", hint="pip install 'lossary[keras]'.") from error
    absent = error.name.partition(".")[0]
    others = [name for name in ("jax", "torch", "tensorflow") if name != absent and find_spec(name) is not None]
    raise MissingExtraError(
        f"lossary.keras needs a backend: Keras is set to compute with {absent}, which is not installed.",
        hint="pip install 'lossary[tensorflow]', "
        + (f"or set KERAS_BACKEND={others[0]}." if others else "or 'lossary[jax]' and set KERAS_BACKEND=jax."),
    ) from error
import numpy as np
from keras.src import backend  # masks have no public accessor
from keras.src.losses.loss import reduce_values, squeeze_or_expand_to_same_rank

from lossary import catalogue
from lossary.define import registry
from lossary.define.definition import Definition
from lossary.define.loss import Loss
from lossary.define.objective import Objective
from lossary.define.penalty import Penalty
from lossary.engine import explanation
from lossary.engine.evaluate import check_reduction
from lossary.errors import DomainError, DtypeError, ParameterError, UsageError
from lossary.host import Classes, refuse_inputs
from lossary.index import LOSSES
from lossary.ops import dispatch
from lossary.ops.call import Call
from lossary.ops.missing import Missing, accepted, present
from lossary.ops.reduce import Total

if TYPE_CHECKING:
    from lossary.ops.arrays import Framework

# What `make index` writes into keras.pyi beside a class for each loss.
STUB = """
from typing import Any, Literal

import keras

from lossary.define.loss import Loss
from lossary.ops.missing import Missing
from lossary.define.objective import Objective
from lossary.define.penalty import Penalty
from lossary.ops.reduce import Total

Reduction = Literal["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none"]

class KerasLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    @property
    def loss(self) -> Loss | Objective: ...
    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = ...) -> Any: ...
    def call(self, y_true: Any, y_pred: Any) -> Any: ...
    def total(self, y_true: Any, y_pred: Any, sample_weight: Any = ...) -> Total: ...
    def get_config(self) -> dict[str, Any]: ...

class ObjectiveLoss(KerasLoss): ...

class Regularizer(keras.regularizers.Regularizer):  # type: ignore[misc]  # Keras has no types
    penalty: Penalty
    def __init__(self, penalty: Penalty) -> None: ...
    def __call__(self, x: Any) -> Any: ...
    def get_config(self) -> dict[str, Any]: ...

def host(
    loss: Loss | Objective,
    *,
    reduction: Reduction | None = ...,
    name: str | None = ...,
    dtype: Any = ...,
    ignore_class: int | None = ...,
    missing: Missing | None = ...,
    validate: bool = ...,
) -> KerasLoss: ...
def regularizer(penalty: Penalty) -> Regularizer: ...
def get(name: str, **settings: Any) -> KerasLoss: ...
"""
STUB_BASE = "KerasLoss"
STUB_OPTIONS = (
    "reduction: Reduction | None = ..., name: str | None = ..., dtype: Any = ..., "
    "ignore_class: int | None = ..., missing: Missing | None = ..., validate: bool = ..."
)
STUB_DEFAULTS = {"from_logits": None}  # it must be said

__all__ = ["KerasLoss", "ObjectiveLoss", "Regularizer", "get", "host", "regularizer", *LOSSES]  # noqa: PLE0604  # from the index

Reduction = Literal["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none"]

# Up to here, every whole number is one of the dtype's: the coarse ones, which Keras' mixed policies predict in.
_WHOLE_NUMBERS = {"float16": 2**11, "bfloat16": 2**8}

# The integers that int32, which class indices are compared in, cannot hold, and its last number.
_WIDE = ("int64", "uint32", "uint64")
_LAST = 2**31 - 1


class KerasLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """A loss as Keras has them: `loss(y_true, y_pred, sample_weight)`, reduced by Keras' own rules.

    Whether predictions are logits must be said where a loss takes both: Keras' users expect False, everybody else True.

    Args:
        reduction: Keras' own: "sum_over_batch_size" (or "mean": the sum over the number of entries, those that count
            behind a mask), "mean_with_sample_weight" (Σwℓ / Σw, what "mean" is elsewhere in lossary), "sum", "none".
        name: what Keras calls it in its logs.
        dtype: what it is computed in; Keras' `floatx` by default.
        ignore_class: targets of class indices that are equal to this are left out.
        missing: "skip" leaves out targets that are NaN, a number those that are equal to it, as behind a Keras mask; a
            row of which a part is missing is left out. Class indices have `ignore_class`.
        validate: False switches the checks of values off.
    """

    definition: ClassVar[Any] = Definition
    autograph_info__: ClassVar[None] = None  # tells TensorFlow's AutoGraph that there is nothing to convert

    def __init__(
        self,
        *positional: Any,
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        missing: Missing | None = None,
        validate: bool = True,
        **settings: Any,
    ) -> None:
        takes_both = "from_logits" in getattr(self.definition, "__dataclass_fields__", ())
        if takes_both and "from_logits" not in settings:
            owner = f"lossary.keras.{self.definition.__name__}"
            raise UsageError(
                f"{owner} needs to know whether the model ends in logits or in probabilities.",
                received="no from_logits=.",
                hint=f"{owner}(from_logits=True) where the last layer has no activation (better: no digits are lost), "
                "from_logits=False after a sigmoid or softmax.",
            )
        loss = self.definition(*positional, **settings)
        refuse_inputs("keras", loss, "(y_true, y_pred)")
        if reduction in {None, "none"}:
            check_reduction(f"lossary.keras.{type(loss).__name__}", "none", pooled=loss.pooled)
        try:
            super().__init__(name=name or Objective.of(loss).names[0], reduction=reduction, dtype=dtype)
        except ValueError as error:
            raise ParameterError(
                f"lossary.keras.{type(loss).__name__}: {str(error).splitlines()[0]}",
            ) from error
        if ignore_class is not None and not loss.target.one_index:
            raise UsageError(
                f"ignore_class is for targets of class indices, one for each loss; {type(loss).__name__} has others.",
                received=f"ignore_class={ignore_class!r}.",
                hint=f"void={ignore_class!r} leaves pixels out."
                if loss.target.indices
                else "missing= leaves out targets that are NaN or a number that is named; sample_weight=0 any entry.",
            )
        self.loss = loss
        self.ignore_class = ignore_class
        self.missing = accepted(loss, missing, of_index="ignore_class")
        self.validate = validate

    @property
    def _terms(self) -> tuple[tuple[float, Loss], ...]:
        """The losses that it is the weighted sum of."""
        return ((1.0, self.loss),)

    # ── what Keras calls ─────────────────────────────────────────────────────────────────────────────────────────

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss of a batch.

        Args:
            y_true: what the loss takes: y_pred's shape, or class indices without the last axis; a last axis of size 1
                too much or too little is aligned, as Keras does.
            y_pred: floating point; entries behind its Keras mask count for nothing, NaN included.
            sample_weight: how often each entry counts; 0 leaves it out, NaN included.
        """
        with keras.name_scope(self.name):
            prediction, target, weight, mask, original_dtype = self._prepared(y_true, y_pred, sample_weight)
            reduced: Any = 0.0
            for factor, loss in self._terms:
                if loss.pooled:  # one number for the batch, whatever Keras would divide by
                    total = loss.compute_total(Call((prediction, target), weight, mask, self.validate, original_dtype))
                    reduced = reduced + factor * (total.sum if self.reduction == "sum" else total.mean)
                    continue
                values, weights = self._entries(loss, prediction, target, weight, mask, original_dtype)
                share = factor * self._reduced(values, weights)
                if explanation.blocks:
                    explanation.look_at_product(repr(self), _xp(share), values, share)
                reduced = reduced + share
            if mask is not None and not self.loss.pooled and self.reduction in {"sum_over_batch_size", "mean"}:
                # Keras divides by all entries, and makes up for those that the mask hides.
                valid = ops.sum(ops.cast(mask, reduced.dtype))
                reduced = reduced * ops.divide_no_nan(ops.cast(ops.size(mask), reduced.dtype), valid)
            return ops.cast(reduced, self.dtype)

    @final
    def total(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Total:
        """The sum of the losses and the weight it stands for, Σw, whatever the reduction; totals of batches add.

        Arguments as in the call.

        Raises:
            UsageError: an objective whose losses have different class weights.
        """
        prediction, target, weight, mask, original_dtype = self._prepared(y_true, y_pred, sample_weight)
        total: Total = self.loss.compute_total(Call((prediction, target), weight, mask, self.validate, original_dtype))
        return total

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value for each entry of the batch: for losses of single numbers, their mean over the last axis.

        Raises:
            ParameterError: a loss of the whole batch, whose entries have none.
        """
        target, prediction, original_dtype = self._aligned(y_true, y_pred)
        mask = self._counted(target, None)
        target = self._readied(target, prediction, unmasked=mask is None)
        values = [
            factor * self._entries(loss, prediction, target, None, mask, original_dtype)[0]
            for factor, loss in self._terms
        ]
        return ops.cast(sum(values[1:], start=values[0]), self.dtype)

    def get_config(self) -> dict[str, Any]:
        """Everything that its constructor takes."""
        settings = {name: setting for name, setting in self.loss.config().items() if name != "name"}
        options = {name: getattr(self, name) for name in ("dtype", "ignore_class", "missing", "validate")}
        return {**settings, **super().get_config(), **options}

    # ── from Keras' habits to ours and back ──────────────────────────────────────────────────────────────────────

    @final
    def _prepared(self, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any, Any, Any, str | None]:
        """Prediction, target, weight and mask as the loss takes them, and the coarse dtype that the prediction had."""
        _refuse_activated(self.loss, y_pred)
        mask = backend.get_keras_mask(y_pred)
        target, prediction, original_dtype = self._aligned(y_true, y_pred)
        mask = self._counted(target, mask)
        weight = None if sample_weight is None else _beside(_tensor("sample_weight", sample_weight))
        target = self._readied(target, prediction, unmasked=mask is None and weight is None)
        return prediction, target, weight, mask, original_dtype

    @property
    def _fewer_axes(self) -> int:
        """How many axes a target has less than the prediction."""
        fewer: int = self.loss.prediction.axes - self.loss.target.axes
        return fewer

    @final
    def _aligned(self, y_true: Any, y_pred: Any) -> tuple[Any, Any, str | None]:
        """Target and prediction as tensors of fitting shapes, the prediction in the loss's dtype; and the coarse dtype
        that it has been rounded to on the way, if any."""
        if self.loss.target.indices and isinstance(y_true, np.ndarray) and y_true.dtype in _WIDE:
            y_true = y_true.clip(max=_LAST)  # JAX would take the lower half of the bits
        prediction, target = _tensor("y_pred", y_pred), _tensor("y_true", y_true)
        rounded = [dtype for dtype in (_kind(prediction), self.dtype) if dtype in _WHOLE_NUMBERS]
        original_dtype = min(rounded, key=_WHOLE_NUMBERS.__getitem__, default=None)
        if "float" in _kind(prediction):
            prediction = ops.cast(prediction, self.dtype)
        target_shape, prediction_shape = _shape(target), _shape(prediction)
        if target_shape is None or prediction_shape is None:
            return self._pinned(target, prediction), prediction, original_dtype
        if self._fewer_axes == 0:
            target, prediction = squeeze_or_expand_to_same_rank(target, prediction)
        elif len(target_shape) == len(prediction_shape) > 0 and target_shape[-1] in {1, None}:
            # Not a squeeze: where the size is only known when the graph runs, this is an error then if it is not 1.
            target = ops.reshape(target, ops.shape(target)[:-1])
        return self._pinned(target, prediction), prediction, original_dtype

    @final
    def _pinned(self, target: Any, prediction: Any) -> Any:
        """The target in the shape that it must have, where that is only known when the graph runs: a size that does not
        fit is an error there, and never broadcast."""
        target_shape, prediction_shape = _shape(target), _shape(prediction)
        if prediction_shape is None:
            return target
        axes = len(prediction_shape) - self._fewer_axes
        if target_shape is not None:
            pairs = list(zip(target_shape, prediction_shape[:axes], strict=False))
            fits = len(target_shape) == axes and all(a is None or b is None or a == b for a, b in pairs)
            if not fits or all(a is not None and b is not None for a, b in pairs):
                return target
        return ops.reshape(target, ops.shape(prediction)[:axes])

    @final
    def _counted(self, target: Any, mask: Any) -> Any:
        """Where entries count: the mask, less the ignored class and missing targets; None where all do."""
        if mask is not None:
            mask = _beside(ops.cast(mask, "bool"))
        counted = None
        if self.ignore_class is not None:
            counted = ops.not_equal(target if "float" in _kind(target) else _int32(target), self.ignore_class)
        elif self.missing is not None:
            counted = present(_xp(target), self.loss.target, target, self.missing)
        if mask is None or counted is None:
            return mask if counted is None else counted
        trailing = len(counted.shape) - len(mask.shape)
        return ops.logical_and(counted, ops.reshape(mask, (*ops.shape(mask), *(1,) * trailing)))

    @final
    def _readied(self, target: Any, prediction: Any, *, unmasked: bool) -> Any:
        """The target in the loss's dtype, or as integers again where it is class indices that came as floats."""
        kind = _kind(target)
        if not self.loss.target.indices:
            return ops.cast(target, self.dtype) if any(word in kind for word in ("float", "int", "bool")) else target
        classes = prediction.shape[-1] if len(prediction.shape) else None
        for dtype, whose in ((self.dtype, "the loss"), (kind, "y_true")):
            if classes is not None and classes > _WHOLE_NUMBERS.get(dtype, classes):
                raise DtypeError(
                    f"{type(self.loss).__name__}: {whose} must have a dtype that can hold every class index.",
                    received=f"{dtype}, which has whole numbers up to {_WHOLE_NUMBERS[dtype]}, and {classes} classes.",
                    hint="dtype='float32' for the loss, and integers for y_true.",
                )
        if "float" not in kind:
            return _int32(target) if "int" in kind or kind == "bool" else target
        target = ops.cast(target, "float32") if kind in _WHOLE_NUMBERS else target
        whole = ops.logical_and(ops.equal(target, ops.floor(target)), ops.abs(target) <= _LAST)
        if unmasked and self.validate and _xp(target).readable(target) and not bool(ops.all(whole)):
            raise DomainError(
                f"{type(self.loss).__name__}: y_true must be class indices, whole numbers of 32 bits.",
                received=f"{ops.convert_to_numpy(target)[~ops.convert_to_numpy(whole)].flat[0]}.",
                hint="soft or one-hot rows belong to "
                f"{self.loss.for_targets_of(self.loss.prediction.axes) or 'CategoricalCrossEntropy'}.",
            )
        # −1 is no class: an error where values can be read, NaN where they cannot, nothing behind a mask.
        return ops.cast(ops.where(whole, target, ops.full_like(target, -1)), "int32")

    @final
    def _entries(
        self, loss: Loss, prediction: Any, target: Any, weight: Any, mask: Any, original_dtype: str | None
    ) -> tuple[Any, Any]:
        """What Keras takes for one entry, w·ℓ and w: for losses of single numbers, the means over the last axis."""
        call = Call((prediction, target), weight, mask, self.validate, original_dtype)
        values, weights = loss.compute_weighted(call)
        if loss.prediction.rows or len(values.shape) < 2:
            return values, weights
        return ops.mean(values, axis=-1), None if weights is None else ops.mean(weights, axis=-1)

    @final
    def _reduced(self, values: Any, weights: Any) -> Any:
        if tuple(values.shape) == (0,) and self.reduction not in {None, "none"}:
            return ops.sum(values)  # Keras would return the empty array
        return reduce_values(values, weights, self.reduction)

    # ── Python ───────────────────────────────────────────────────────────────────────────────────────────────────

    def __reduce__(self) -> Any:
        """Through the loss, so that classes for users' losses are found again too."""
        return _unpickled, (self.definition,), self.__dict__

    def __repr__(self) -> str:
        options = {"reduction": self.reduction, "ignore_class": self.ignore_class, "missing": self.missing}
        arguments = [f"{name}={option!r}" for name, option in options.items() if option is not None]
        return f"<lossary.keras: {', '.join([repr(self.loss), *arguments])}>"


@final
class ObjectiveLoss(KerasLoss):
    """An objective as a Keras loss; penalties are refused, because Keras has them in its layers."""

    definition: ClassVar[Any] = Objective

    def __init__(self, summands: Any, *, name: str | None = None, **options: Any) -> None:
        objective = Objective(summands)
        if objective.penalties:
            raise UsageError(
                "Keras has penalties in its layers, not in the loss.",
                received=f"{objective!r}.",
                hint=f"keras.layers.Dense(..., kernel_regularizer={_as_regularizer(objective)}), "
                "and the losses alone in compile(loss=...).",
            )
        super().__init__(summands, name=name or "objective", **options)

    @property
    def _terms(self) -> tuple[tuple[float, Loss], ...]:
        return tuple((factor, term) for factor, term in self.loss.summands if isinstance(term, Loss))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ObjectiveLoss:
        options = {name: option for name, option in config.items() if name != "terms"}
        return cls(Objective.from_config(config).summands, **options)


@final
class Regularizer(keras.regularizers.Regularizer):  # type: ignore[misc]  # Keras has no types
    """A penalty as Keras has them: for `kernel_regularizer=` and its sisters."""

    def __init__(self, penalty: Penalty) -> None:
        self.penalty = penalty

    def __call__(self, x: Any) -> Any:
        """The price of a layer's variable."""
        return self.penalty(parameters=[ops.convert_to_tensor(x)])

    def get_config(self) -> dict[str, Any]:
        return self.penalty.config()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        return cls(Penalty.from_config(config))


def host(loss: Loss | Objective, **options: Any) -> KerasLoss:
    """The Keras loss of a loss or objective; options as KerasLoss has.

    Raises:
        UsageError: an objective with penalties.
    """
    if isinstance(loss, Objective):
        return ObjectiveLoss(loss.summands, **options)
    hosted: KerasLoss = _classes.of(type(loss))(**loss.settings, **options)
    return hosted


def regularizer(penalty: Penalty) -> Regularizer:
    """The regularizer of a penalty: `Dense(8, kernel_regularizer=L2(1e-4).keras())`."""
    return Regularizer(penalty)


def get(name: str, **settings: Any) -> KerasLoss:
    """The Keras loss by name or alias, with its hyper-parameters and options: `get("mse", reduction="sum")`."""
    hosted: KerasLoss = _classes.of(catalogue.find(name))(**settings)
    return hosted


def _refuse_activated(loss: Any, y_pred: Any) -> None:
    """Raises UsageError where logits were promised and Keras (or PyTorch's graph) remembers a sigmoid or softmax.

    Never by the values: numbers between 0 and 1 are legitimate logits.
    """
    if not loss.prediction.of_logits:
        return
    if getattr(y_pred, "_keras_logits", None) is not None:
        raise UsageError(
            f"{type(loss).__name__}(from_logits=True) takes logits.",
            received="the output of a sigmoid or softmax, which would be applied twice.",
            hint="drop the activation from the last layer (better: no digits are lost), or say from_logits=False.",
        )
    if dispatch.framework_of(y_pred) == "torch":
        from lossary.torch import refuse_activated

        refuse_activated(loss, y_pred)


def _tensor(name: str, x: Any) -> Any:
    try:
        return ops.convert_to_tensor(x)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise DtypeError(
            f"{name} must be an array of numbers, or a list that makes one.",
            received=f"a {type(x).__name__} that Keras refuses: {str(error).splitlines()[0]}",
            hint="rows of a list must have equal lengths; text must be encoded first.",
        ) from error


def _int32(x: Any) -> Any:
    """Class indices in int32: what lies outside goes to its ends, because cut to 32 bits it could be a class."""
    if (kind := _kind(x)) in _WIDE:
        x = ops.clip(x, 0 if kind.startswith("u") else -_LAST, _LAST)
    return ops.cast(x, "int32")


def _kind(x: Any) -> str:
    return str(keras.backend.standardize_dtype(x.dtype))


def _xp(x: Any) -> Framework:
    return dispatch.ops(dispatch.framework_of(x))


def _shape(x: Any) -> tuple[int | None, ...] | None:
    return _xp(x).shape(x)


def _beside(x: Any) -> Any:
    """A weight or mask without last axes of size 1: (N, 1) beside (N,), (N, T, 1) beside (N, T)."""
    while (_shape(x) or ())[-1:] == (1,):
        x = ops.squeeze(x, axis=-1)
    return x


def _as_regularizer(objective: Objective) -> str:
    """Its first penalty as the code that makes the regularizer, the factor included."""
    factor, penalty = next((factor, term) for factor, term in objective.summands if isinstance(term, Penalty))
    strength = penalty.settings.get("strength")
    if not isinstance(strength, float):
        return f"{penalty!r}.keras()"
    return f"{type(penalty).from_config({**penalty.config(), 'strength': factor * strength})!r}.keras()"


def _unpickled(definition: Any) -> KerasLoss:
    kind: type[KerasLoss] = ObjectiveLoss if definition is Objective else _classes.of(definition)
    return kind.__new__(kind)


class _Unimported:
    """What Keras finds by the name of one of lossary's own until that is imported: it makes the real one."""

    get_config = KerasLoss.get_config  # Keras registers nothing without it
    name: ClassVar[str]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> KerasLoss:
        hosted: KerasLoss = _classes.attribute(cls.name).from_config(config)
        return hosted


def _register(definition: type[Definition]) -> None:
    """Make the class for a loss known to Keras, which finds classes by their registered names when it loads a model."""
    if issubclass(definition, Loss):
        keras.saving.register_keras_serializable("lossary", registry.key(definition))(_classes.of(definition))


_classes = Classes(__name__, KerasLoss, STUB_DEFAULTS)
__getattr__, __dir__ = _classes.attribute, _classes.names

keras.saving.register_keras_serializable("lossary", "Objective")(ObjectiveLoss)
keras.saving.register_keras_serializable("lossary", "Regularizer")(Regularizer)
for _name in LOSSES:
    keras.saving.register_keras_serializable("lossary", _name)(type(_name, (_Unimported,), {"name": _name}))
registry.follow(_register)  # which replaces those whose classes are imported
