"""What comes into a call: converted, checked, and made safe behind a mask. Written once, for all losses."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, final

from lossary.engine.guarded import Guarded, over_rows
from lossary.errors import DomainError, DtypeError, FrameworkError, ShapeError
from lossary.ops import dispatch
from lossary.ops.arrays import of_one
from lossary.ops.dtypes import COMPUTED_IN, SPACING, VALIDATE
from lossary.ops.labels import undecided
from lossary.ops.missing import with_target

if TYPE_CHECKING:
    from lossary.define.domain import Domain
    from lossary.define.loss import Loss
    from lossary.ops.arrays import Framework
    from lossary.ops.call import Call
    from lossary.ops.ops import Array

_REAL = ("float", "bfloat", "int", "uint", "bool")
_NARROW = ("bool", "int8", "uint8", "int16", "uint16")


@final
@dataclasses.dataclass(frozen=True)
class Prepared:
    """A call's arrays, ready for the maths."""

    xp: Framework
    arrays: tuple[Array, ...]  # the inputs, the learned ones in the dtype that the first is computed in
    # Of the shape of the losses, in float64 where there is one; what each counts for because of its class included, and
    # 0 where masked.
    weight: Array | None
    dtype: str  # the first input's own
    spacing: float  # of the coarsest dtype that inputs came in
    guarded: bool  # whether values could not be checked here, so that illegal ones must become NaN
    pooled: bool  # whether the loss sees the weights too

    @property
    def reduced_dtype(self) -> str:
        return COMPUTED_IN[self.dtype]

    @property
    def arguments(self) -> tuple[Array, ...]:
        """What the loss's methods get."""
        return (*self.arrays, self.weight) if self.pooled else self.arrays


def prepare(loss: Loss, call: Call) -> Prepared:
    """Check and convert what came into a call of `loss`.

    Raises:
        FrameworkError, ShapeError, DtypeError, DomainError: as `lossary.errors` says.
    """
    owner = type(loss).__name__
    named = dict(zip(loss.inputs, call.inputs, strict=True))
    if call.weight is not None:
        named["weight"] = call.weight
    if call.where is not None:
        named["where"] = call.where
    xp = dispatch.ops_of(owner, **named)

    first = _convert(xp, owner, loss.inputs[0], call.inputs[0], like=None)
    came, dtype = _learned(xp, loss, (_as_scores(xp, loss, first), *call.inputs[1:]))
    arrays, spacing = _beside(xp, loss, call, came, dtype)
    _check_shapes(xp, loss, arrays)

    # Weights may be of any size, and so may what is divided by their sum.
    wide = "float64" if xp.has_float64(arrays[0]) else COMPUTED_IN[dtype]
    weight, where = _counting(xp, loss, call, arrays, wide)
    if call.missing is not None:
        where = with_target(xp, loss, arrays[1] if loss.target.indices else came[1], call.missing, where)

    validate = call.validate and VALIDATE
    counting = [x for x in (weight, where) if x is not None]
    readable = validate and xp.readable(*arrays, *counting)
    if where is not None:
        arrays = _made_safe(xp, loss, arrays, where)
    if weight is not None:
        weight = _check_weight(xp, owner, weight, where, readable=readable, validate=validate)
        arrays, weight = _weighed(xp, loss, spacing, arrays, weight)
    elif where is not None:
        weight = xp.cast(where, wide)
    if readable:
        _check_labels(xp, loss, first, weight)
        _check_values(xp, loss, arrays, spacing)
    guarded = validate and not readable
    of_class = Guarded(loss, spacing if guarded else None).row_weight(xp, *arrays)
    if of_class is not None:
        arrays, of_class = _classed(xp, loss, spacing, arrays, xp.cast(of_class, wide))
        weight = of_class if weight is None else weight * of_class
    if loss.pooled:
        arrays, weight = _pooled(xp, loss, arrays, weight, COMPUTED_IN[dtype])
    return Prepared(xp, tuple(arrays), weight, dtype, spacing, guarded, loss.pooled)


def _beside(xp: Framework, loss: Loss, call: Call, came: list[Array], dtype: str) -> tuple[list[Array], float]:
    """All inputs as the maths take them, and the coarsest spacing that they came in; those that are given beside the
    learned ones are added to what came."""
    owner, wanted = type(loss).__name__, COMPUTED_IN[dtype]
    arrays, spacing = [xp.cast(x, wanted) for x in came], SPACING[call.original_dtype or dtype]
    for name, domain, given in list(zip(loss.inputs, loss.domains.values(), call.inputs, strict=True))[len(came) :]:
        array = _on_device(xp, owner, name, given, arrays[0])
        spacing = max(spacing, SPACING.get(xp.dtype(array), 0.0))
        came.append(array)
        arrays.append(_to_indices(xp, owner, name, array) if domain.indices else _to_float(xp, array, wanted))
    return arrays, spacing


def _counting(
    xp: Framework, loss: Loss, call: Call, arrays: list[Array], wide: str
) -> tuple[Array | None, Array | None]:
    """The weight and the mask of a call, of the losses' shape."""
    owner, weight, where = type(loss).__name__, call.weight, call.where
    if weight is not None:
        weight = _to_float(xp, _on_device(xp, owner, "weight", weight, arrays[0]), wide)
        weight = _over_losses(xp, loss, "weight", weight, arrays)
    if where is not None:
        where = _to_mask(xp, owner, _on_device(xp, owner, "where", where, arrays[0]))
        where = _over_losses(xp, loss, "where", where, arrays)
    return weight, where


def _pooled(
    xp: Framework, loss: Loss, arrays: list[Array], weight: Array | None, dtype: str
) -> tuple[list[Array], Array]:
    """Inputs and weights with one axis of entries, as a loss of the whole batch sees them."""
    if weight is None:
        weight = xp.where(xp.equal(_of_losses(xp, loss, arrays), 0.0), 1.0, 1.0)  # ones, in the losses' shape
    flat = [xp.flat(x, domain.axes) for x, domain in zip(arrays, loss.domains.values(), strict=True)]
    return flat, xp.flat(xp.cast(weight, dtype), 0)


def _learned(xp: Framework, loss: Loss, inputs: tuple[Any, ...]) -> tuple[list[Array], str]:
    """The inputs that gradients are taken of, as arrays of floats, and the dtype of the first, which is an array
    already."""
    owner = type(loss).__name__
    learned: list[Array] = []
    for name, array in zip(loss.learned, inputs, strict=False):
        x = _on_device(xp, owner, name, array, learned[0]) if learned else array
        dtype = xp.dtype(x)
        if dtype not in COMPUTED_IN:
            raise DtypeError(
                f"{owner}: {name} must be floating point: float16, bfloat16, float32 or float64.",
                received=f"{name} of dtype {dtype}.",
                hint="predictions are what a model computes: are prediction and target swapped? Whole numbers are "
                "written 1.0 instead of 1."
                if "int" in dtype or dtype == "bool"
                else "convert it to float32 or float64.",
            )
        learned.append(x)
    return learned, xp.dtype(learned[0])


def _weighed(
    xp: Framework, loss: Loss, spacing: float, arrays: list[Array], weight: Array
) -> tuple[list[Array], Array]:
    """Inputs and weight, without what a weight of 0 leaves out.

    It multiplies, so that a weight that is learned can leave 0. It leaves out what is illegal, or has no finite loss
    and gradient; and where nobody asks for the derivative by the weight, all, which comes to the same.
    """
    formula, counts = Guarded(loss, spacing), xp.logical_not(xp.equal(weight, 0.0))
    if not xp.differentiable(weight):
        return _made_safe(xp, loss, arrays, counts), weight
    if loss.pooled:  # no entry has a loss of its own that could be finite
        counts = xp.logical_or(counts, _all_legal(xp, loss, arrays, spacing))
        return _made_safe(xp, loss, arrays, counts), weight
    fixed = tuple(map(xp.stop_gradient, arrays))
    fine = xp.isfinite(formula.value(xp, *fixed))
    arrays, domains = list(arrays), list(loss.domains.values())
    if loss.trainable:
        for place, slope in enumerate(formula.slopes(xp, *fixed)):
            fine = xp.logical_and(fine, _all_finite(xp, slope, domains[place].axes))
            # 0 times the slope of the gradient must be 0, infinite or not; and 0 times the slope by what is given.
            bend = xp.slope(of_one(lambda *x, k=place: formula.slopes(xp, *x)[k], fixed, place), fixed[place])
            straight = xp.logical_or(counts, _all_finite(xp, bend, domains[place].axes))
            arrays[place] = xp.where(over_rows(xp, straight, domains[place].axes), arrays[place], fixed[place])
        for place in range(formula.learned, len(arrays)):
            if domains[place].indices or not xp.differentiable(arrays[place]):
                continue
            slope = xp.slope(of_one(functools.partial(formula.value, xp), fixed, place), fixed[place])
            beside = xp.logical_or(over_rows(xp, counts, domains[place].axes), xp.isfinite(slope))
            arrays[place] = xp.where(beside, arrays[place], fixed[place])
    counts = xp.logical_or(counts, fine)
    return _made_safe(xp, loss, arrays, counts), xp.where(counts, weight, 0.0)


def _classed(
    xp: Framework, loss: Loss, spacing: float, arrays: list[Array], of_class: Array
) -> tuple[list[Array], Array]:
    """Inputs and what rows count for because of their class, without what has a class weight of 0."""
    if not loss.target.indices:  # somebody may ask for its derivative by a soft target
        return _weighed(xp, loss, spacing, arrays, of_class)
    counts = xp.logical_not(xp.equal(of_class, 0.0))
    return _made_safe(xp, loss, arrays, counts), of_class


def _all_finite(xp: Framework, x: Array, axes: int) -> Array:
    """Whether all entries of the last axes are finite."""
    finite = xp.isfinite(x)
    for _ in range(axes):
        finite = xp.equal(xp.sum(xp.where(finite, 0.0, 1.0)), 0.0)
    return finite


def _all_legal(xp: Framework, loss: Loss, arrays: list[Array], spacing: float) -> Array:
    """Whether all inputs of each entry are finite, and what the loss takes."""
    legal = None
    for x, domain in zip(arrays, loss.domains.values(), strict=True):
        finite = None if domain.indices else _all_finite(xp, x, domain.axes)
        for each in (finite, domain.contains(xp, x, arrays[0], spacing)):
            if each is not None:
                legal = each if legal is None else xp.logical_and(legal, each)
    return legal


def _made_safe(xp: Framework, loss: Loss, arrays: list[Array], counts: Array) -> list[Array]:
    """Inputs with legal values where nothing counts: what stands there stays out of the gradient too."""
    return [
        xp.where(over_rows(xp, counts, domain.axes), x, domain.safe(xp, x))
        for x, domain in zip(arrays, loss.domains.values(), strict=True)
    ]


def _convert(xp: Framework, owner: str, name: str, array: Any, like: Array | None) -> Array:
    cause = None
    try:
        converted = xp.convert(array, like=like)
        kind = xp.dtype(converted)
        if kind.startswith(_REAL):
            return converted
    except (TypeError, ValueError, RuntimeError) as error:
        cause, kind = error, _dtype_of(array)
    received, hint = _no_numbers(name, array, kind)
    raise DtypeError(
        f"{owner}: {name} must be real numbers: an array, or a list that makes one.", received=received, hint=hint
    ) from cause


def _dtype_of(array: Any) -> str:
    """What NumPy would make of it."""
    import numpy as np

    try:
        return np.asarray(array).dtype.name
    except ValueError:
        return "object"


def _no_numbers(name: str, array: Any, kind: str) -> tuple[str, str]:
    """What came instead of real numbers, and what to do: in the same words whatever the framework says of it."""
    if "complex" in kind:
        return f"{name} of dtype {kind}.", "take its real part or magnitude."
    if kind.startswith(("str", "bytes")):
        return f"{name} of text.", "encode text as numbers first."
    if kind == "object":
        return (
            f"a {type(array).__name__} that makes no array of numbers.",
            "rows of a list must have equal lengths, and no entry may be missing.",
        )
    return f"{name} of dtype {kind}.", "convert it to numbers first."


def _on_device(xp: Framework, owner: str, name: str, array: Any, prediction: Array) -> Array:
    """`array` beside the prediction: NumPy and lists are moved there, the framework's own arrays must be there."""
    converted = _convert(xp, owner, name, array, like=prediction)
    here, there = xp.device(prediction), xp.device(converted)
    if here != there and here and there:
        raise FrameworkError(
            f"{owner}: all arrays of a call must be on one device.",
            received=f"prediction on {here} and {name} on {there}.",
            hint=f"move {name} to {here}.",
        )
    return converted


def _to_float(xp: Framework, array: Array, dtype: str) -> Array:
    return array if xp.dtype(array) == dtype else xp.cast(array, dtype)


def _to_mask(xp: Framework, owner: str, where: Array) -> Array:
    if xp.dtype(where) != "bool":
        raise DtypeError(
            f"{owner}: where must be boolean.",
            received=f"where of dtype {xp.dtype(where)}.",
            hint="where=mask.astype(bool) in NumPy, mask.bool() in PyTorch; numbers belong to weight=.",
        )
    return where


def _to_indices(xp: Framework, owner: str, name: str, target: Array) -> Array:
    dtype = xp.dtype(target)
    if "float" in dtype:
        raise DtypeError(
            f"{owner}: {name} must be integers, the index of the right class.",
            received=f"{name} of dtype {dtype}.",
            hint="whole numbers stored as floats: target.astype('int64'), in PyTorch target.long(); "
            "one-hot or soft rows: CategoricalCrossEntropy.",
        )
    # Narrow integers could not be compared with K.
    return xp.cast(target, "int32") if dtype in _NARROW else target


def _check_shapes(xp: Framework, loss: Loss, arrays: list[Array]) -> None:
    owner, domains = type(loss).__name__, loss.domains
    (first, domain), *others = domains.items()
    came = xp.shape(arrays[0])
    if came is None:
        return
    _check_rows(owner, first, domain, came)
    for name in loss.tables:
        entries = getattr(loss, name)
        if not isinstance(entries, float) and len(entries) and not _same(came[-1:], (len(entries),)):
            raise ShapeError(
                f"{owner}: {name} must have one entry for each position on the prediction's last axis.",
                received=f"{len(entries)} entries and prediction {_words(came)}.",
                hint=f"one number for all is no table: {name}={float(entries[0])}."
                if len(entries) == 1 and isinstance(loss.default(name), float)
                else "the classes, or the labels, stand on the last axis.",
            )
    for (name, other), array in zip(others, arrays[1:], strict=True):
        wanted, shape = came[: len(came) - domain.axes + other.axes], xp.shape(array)
        if shape is None or _same(wanted, shape):
            continue
        raise ShapeError(
            f"{owner}: {first} and {name} must have the same shape."
            if other.axes == domain.axes
            else f"{owner}: {name} must have the {first}'s shape without its last axis, the "
            + ("classes." if other.indices else "columns." if domain.size else "row."),
            received=f"{first} {_words(came)} and {name} {_words(shape)}." + _consequence(came, shape),
            hint=_shape_hint(loss, came, shape),
        )


def _check_rows(owner: str, name: str, domain: Domain, came: tuple[int | None, ...]) -> None:
    """Raises ShapeError where an array of this shape has no rows of the domain."""
    if len(came) < domain.axes:
        raise ShapeError(
            f"{owner}: {name} must have a last axis of classes, (..., K)."
            if domain.axes == 1
            else f"{owner}: {name} must have {domain.axes} axes or more.",
            received=f"{name} of shape {_words(came)}.",
            hint="one number for each class, on the last axis.",
        )
    if domain.rows and came[-1] == 0:
        raise ShapeError(
            f"{owner}: {name} must have at least one class on its last axis, (..., K).",
            received=f"{name} {_words(came)}.",
            hint="a batch of no rows is (0, K).",
        )
    if domain.size is not None and came[-1] not in (domain.size, None):
        raise ShapeError(
            f"{owner}: {name} must be {domain.wanted}.",
            received=f"{name} {_words(came)}.",
            hint=domain.advice(name),
        )


def _same(one: tuple[int | None, ...], other: tuple[int | None, ...]) -> bool:
    """Equal as far as known: None is a dimension not known yet."""
    if one == other:
        return True
    return len(one) == len(other) and all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


def _words(shape: tuple[int | None, ...]) -> str:
    return str(shape).replace("None", "?")


def _consequence(came: tuple[int | None, ...], other: tuple[int | None, ...]) -> str:
    if sorted(map(len, (came, other))) == [1, 2] and 1 in (came + other):
        return " Broadcasting would compare every\n  prediction with every target."
    return ""


def _shape_hint(loss: Loss, came: tuple[int | None, ...], other: tuple[int | None, ...]) -> str:
    if loss.target.indices:
        if _same(came, other):
            return "one-hot or soft rows belong to CategoricalCrossEntropy."
        if _same((*came[:-1], 1), other):
            return "target.squeeze(-1), or target[..., 0]."
        if len(came) == len(other) + 1 and _same((came[0], *came[2:]), other):
            return "classes stand on the last axis here; move them there, or use lossary.torch with class_axis=1."
        return "one class index for each row of the prediction."
    if _same(came, (*other, 1)):
        return "prediction.squeeze(-1), or target[:, None]." if len(other) == 1 else "prediction.squeeze(-1)."
    if _same((*came, 1), other):
        return "target.squeeze(-1), or prediction[:, None]." if len(came) == 1 else "target.squeeze(-1)."
    if loss.target.rows and _same(came[:-1], other):
        return "class indices belong to SparseCategoricalCrossEntropy."
    if _same(came, other[::-1]):
        return "one of them is transposed."
    return "one target for each prediction."


def _of_losses(xp: Framework, loss: Loss, arrays: list[Array]) -> Array:
    """An array of the losses' shape."""
    single = (x for x, domain in zip(arrays, loss.domains.values(), strict=True) if not domain.rows)
    like = next(single, None)
    if like is None:
        like = arrays[0]
        for _ in range(loss.prediction.axes):
            like = xp.sum(like)
    return like


def _over_losses(xp: Framework, loss: Loss, name: str, array: Array, arrays: list[Array]) -> Array:
    """A weight or mask of the losses' shape, or of a leading part of it, repeated over the whole of that shape."""
    like = _of_losses(xp, loss, arrays)
    came, wanted = xp.shape(array), xp.shape(like)
    if came is not None and wanted is not None and not _same(came, wanted[: len(came)]):
        each = "row of the prediction" if loss.prediction.rows else "prediction"
        hint = f"{name} has one entry for each {each} (or for each of its leading axes)."
        if not loss.prediction.rows and len(wanted) > 1 and _same(came, wanted[-1:]):
            hint = (
                f"{name} of shape (N,) counts rows. For one entry for each label, as PyTorch's weight has it, give it "
                f"the losses' shape: numpy.broadcast_to({name}, {_words(wanted)}), "
                f"in PyTorch {name}.expand{_words(wanted)}."
            )
        raise ShapeError(
            f"{type(loss).__name__}: {name} must have the losses' shape, {_words(wanted)}, or a leading part of it.",
            received=f"{name} of shape {_words(came)}.",
            hint=hint,
        )
    return array if came == wanted else xp.expand(array, like)


def _check_weight(
    xp: Framework, owner: str, weight: Array, where: Array | None, *, readable: bool, validate: bool
) -> Array:
    """The weight, 0 where masked; negative ones raise, or become NaN under a trace."""
    if where is not None:
        weight = xp.where(where, weight, 0.0)
    if not validate:
        return weight
    negative = weight < 0.0
    if not readable:
        # By a product, so that the derivative is NaN there too.
        return weight * xp.cast(xp.where(negative, float("nan"), 1.0), xp.dtype(weight))
    if not bool(xp.all(xp.logical_not(negative))):
        raise DomainError(
            f"{owner}: weight must not be negative.",
            received=_offenders(xp, weight, negative),
            hint="a weight says how often an entry counts; 0 leaves it out.\n"
            "  Signed factors, such as advantages, multiply the unreduced losses:\n"
            '  (advantage * loss(prediction=..., target=..., reduction="none")).mean()',
        )
    return weight


def _as_scores(xp: Framework, loss: Loss, prediction: Array) -> Array:
    """Predicted labels as scores, in the dtype that the framework gives to Python's floats; other predictions alone."""
    labels = loss.prediction.labels
    if labels is None or "float" in xp.dtype(prediction):
        return prediction
    return labels.scores(xp, labels.read(xp, prediction, xp.dtype(xp.convert(1.0))))


def _check_labels(xp: Framework, loss: Loss, came: Array, weight: Array | None) -> None:
    """Integers must be labels where they count; and of floats it must be clear that they are none."""
    owner, labels = type(loss).__name__, loss.prediction.labels
    if labels is None or (weight is not None and bool(xp.all(xp.equal(weight, 0.0)))):
        return
    if undecided(xp, loss, came, weight):
        raise DomainError(
            f"{owner}: predictions must be labels, as integers or booleans, or scores, floats whose sign decides.",
            received="floats that are all 0 or 1, which may be either.",
            hint="labels: prediction.astype(int), in PyTorch prediction.long();\n"
            "  probabilities: prediction - 0.5, whose sign is the class;\n"
            f"  scores: {owner}(labels=(-1, 1)) and the target 2 * target - 1.",
        )
    if "float" in xp.dtype(came):
        return
    numbers = labels.read(xp, came, "float32")
    legal = labels.holds(xp, numbers)
    if weight is not None:
        legal = xp.logical_or(legal, xp.equal(weight, 0.0))
    if not bool(xp.all(legal)):
        raise DomainError(
            f"{owner}: predictions that are integers are labels, and must be {labels.wanted}.",
            received=_offenders(xp, numbers, xp.logical_not(legal)),
            hint=labels.advice("prediction"),
        )


def _check_values(xp: Framework, loss: Loss, arrays: list[Array], spacing: float) -> None:
    for (name, domain), array in zip(loss.domains.items(), arrays, strict=True):
        legal = domain.contains(xp, array, arrays[0], spacing)
        if legal is not None and not bool(xp.all(legal)):
            classes = xp.shape(arrays[0])
            where_k = f" K is {classes[-1]}." if domain.indices and classes else ""
            raise DomainError(
                f"{type(loss).__name__}: {name} must be {domain.wanted}.",
                received=_offenders(xp, array, xp.logical_not(legal)) + where_k,
                hint=advice(name, domain),
            )


def advice(name: str, domain: Domain) -> str:
    """What to do with values from outside."""
    if name == "target" and not domain.indices:
        return f"{domain.advice(name)} A number that stands for no target: missing= in a host, where= in the call."
    return domain.advice(name)


def _offenders(xp: Framework, array: Array, bad: Array) -> str:
    """The first illegal value and how many there are, in words."""
    import numpy as np

    values, flags = np.asarray(xp.to_numpy(array)), np.asarray(xp.to_numpy(bad))
    places = np.argwhere(flags)
    first = tuple(int(i) for i in places[0])
    value = values[first].tolist() if first else values.tolist()
    at = f" at {list(first)}" if first else ""
    of_all = f"; {len(places)} of {flags.size} are outside" if flags.size > 1 else ""
    return f"{value}{at}{of_all}."
