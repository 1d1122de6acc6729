"""What comes into a call: converted, checked, and made safe behind a mask. Written once, for all losses."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, final

from lossary.engine.guarded import Guarded, over_rows
from lossary.errors import DomainError, DtypeError, FrameworkError, ShapeError
from lossary.ops.arrays import of_one
from lossary.ops.dtypes import COMPUTED_IN, SPACING, VALIDATE
from lossary.ops.labels import undecided
from lossary.ops.missing import with_target

if TYPE_CHECKING:
    from lossary.define.domains.classes import Labels
    from lossary.define.domains.domain import Domain
    from lossary.define.loss import Loss
    from lossary.ops.arrays import Described, Framework
    from lossary.ops.call import Call
    from lossary.ops.ops import Array

_REAL = ("float", "bfloat", "int", "uint", "bool")
_NARROW = ("bool", "int8", "uint8", "int16", "uint16")


@final
@dataclasses.dataclass(frozen=True)
class Prepared:
    """A call's arrays, ready for the maths."""

    xp: Framework
    formula: Guarded  # of which illegal values make NaN, if they could not be checked here
    arrays: tuple[Array, ...]  # the inputs, the learned ones in the dtype that the first is computed in
    # Of the shape of the losses; what each counts for because of its class included, and 0 where masked.
    weight: Array | None
    arguments: tuple[Array, ...]  # what the formula gets: the inputs, and if it sees the whole batch the weight
    rank: int | None  # how many axes the losses have, where that is known
    dtype: str  # the first input's own
    computed_in: str
    wide: str  # float64 where there is one: of weights and sums, which may be of any size
    spacing: float  # of the coarsest dtype that inputs came in


def prepare(xp: Framework, loss: Loss, call: Call) -> Prepared:
    """Check and convert what came into a call of `loss`.

    Raises:
        FrameworkError, ShapeError, DtypeError, DomainError: as `lossary.errors` says.
    """
    owner, domains = type(loss).__name__, tuple(loss.domains.values())
    inputs, arrays, dtype = _inputs(xp, loss, domains, call)
    shape = _check_shapes(loss, domains, inputs)
    computed_in = COMPUTED_IN[dtype]
    wide = "float64" if xp.has_float64(arrays[0]) else computed_in
    spacing = max(SPACING[call.original_dtype or dtype], *(SPACING.get(each.dtype, 0.0) for each in inputs[1:]))

    weight = where = None
    if call.weight is not None:
        each = _described(xp, owner, "weight", call.weight, arrays[0], inputs[0].device)
        weight = _over_losses(xp, loss, domains, arrays, shape, "weight", each, _to_float(xp, each, wide))
    if call.where is not None:
        each = _described(xp, owner, "where", call.where, arrays[0], inputs[0].device)
        where = _over_losses(xp, loss, domains, arrays, shape, "where", each, _to_mask(owner, each))
    if call.missing is not None:
        # Floats as they came: rounded, they might equal the number that stands for what is missing.
        where = with_target(xp, loss, arrays[1] if domains[1].indices else inputs[1].array, call.missing, where)

    labels = domains[0].labels
    limited = weight is not None or labels is not None or not all(domain.takes_all for domain in domains)
    validate = call.validate and VALIDATE and limited
    readable = validate and xp.readable(*arrays, *(x for x in (weight, where) if x is not None))
    formula = Guarded(loss, spacing if validate and not readable else None)
    if where is not None:
        arrays = _made_safe(xp, domains, arrays, where)
    if weight is not None:
        weight = _check_weight(xp, owner, weight, where, readable=readable, validate=validate)
        arrays, weight = _weighed(xp, loss, domains, spacing, arrays, weight)
    elif where is not None:
        weight = xp.cast(where, wide)
    if readable:
        if labels is not None:
            _check_labels(xp, loss, labels, inputs[0], weight)
        _check_values(xp, loss, domains, arrays, spacing)
    if loss.weighs_classes:
        arrays, weight = _classed(xp, formula, domains, spacing, arrays, weight, wide)
    arguments = arrays
    if loss.pooled:
        arrays, weight = _pooled(xp, domains, arrays, weight, computed_in)
        arguments = [*arrays, weight]
    rank = 0 if loss.pooled else None if shape is None else len(shape)
    return Prepared(xp, formula, tuple(arrays), weight, tuple(arguments), rank, dtype, computed_in, wide, spacing)


def _inputs(
    xp: Framework, loss: Loss, domains: tuple[Domain, ...], call: Call
) -> tuple[list[Described], list[Array], str]:
    """The inputs as they came, and as the maths take them; and the dtype of the first, the prediction."""
    owner, (first, *names) = type(loss).__name__, loss.inputs
    prediction = _described(xp, owner, first, call.inputs[0])
    scores = prediction if domains[0].labels is None else _as_scores(xp, domains[0].labels, prediction)
    _check_floating(owner, first, scores)
    computed_in = COMPUTED_IN[scores.dtype]
    inputs, arrays = [prediction], [_to_float(xp, scores, computed_in)]
    for name, domain, x in zip(names, domains[1:], call.inputs[1:], strict=True):
        each = _described(xp, owner, name, x, arrays[0], prediction.device)
        if name in loss.learned:
            _check_floating(owner, name, each)
        inputs.append(each)
        arrays.append(_to_indices(xp, loss, name, each) if domain.indices else _to_float(xp, each, computed_in))
    return inputs, arrays, scores.dtype


def _described(
    xp: Framework, owner: str, name: str, x: Any, prediction: Array | None = None, device: Any = None
) -> Described:
    """An array that came into a call; beside a prediction, NumPy and lists are moved to its device, and the framework's
    own arrays must be there."""
    try:
        described = xp.described(x, prediction)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_numbers(owner, name, x, _dtype_of(x)) from error
    if not described.dtype.startswith(_REAL):
        raise _no_numbers(owner, name, x, described.dtype)
    if described.device and device and described.device != device:
        raise FrameworkError(
            f"{owner}: all arrays of a call must be on one device.",
            received=f"prediction on {device} and {name} on {described.device}.",
            hint=f"move {name} to {device}.",
        )
    return described


def _pooled(
    xp: Framework, domains: tuple[Domain, ...], arrays: list[Array], weight: Array | None, dtype: str
) -> tuple[list[Array], Array]:
    """Inputs and weights with one axis of entries, as a loss of the whole batch sees them."""
    if weight is None:
        like = _like_losses(xp, domains, arrays)
        weight = xp.where(xp.equal(like, like), 1.0, 1.0)  # ones, in the losses' shape; class indices are integers
    flat = [xp.flat(x, domain.axes) for x, domain in zip(arrays, domains, strict=True)]
    return flat, xp.flat(xp.cast(weight, dtype), 0)


def _check_floating(owner: str, name: str, described: Described) -> None:
    """Raises DtypeError where something is learned that is not floating point."""
    if described.dtype not in COMPUTED_IN:
        raise DtypeError(
            f"{owner}: {name} must be floating point: float16, bfloat16, float32 or float64.",
            received=f"{name} of dtype {described.dtype}.",
            hint="predictions are what a model computes: are prediction and target swapped? Whole numbers are "
            "written 1.0 instead of 1."
            if "int" in described.dtype or described.dtype == "bool"
            else "convert it to float32 or float64.",
        )


def _weighed(
    xp: Framework, loss: Loss, domains: tuple[Domain, ...], spacing: float, arrays: list[Array], weight: Array
) -> tuple[list[Array], Array]:
    """Inputs and weight, without what a weight of 0 leaves out.

    It multiplies, so that a weight that is learned can leave 0. It leaves out what is illegal, or has no finite loss
    and gradient; and where nobody asks for the derivative by the weight, all, which comes to the same.
    """
    formula, counts = Guarded(loss, spacing), xp.logical_not(xp.equal(weight, 0.0))
    if not xp.differentiable(weight):
        return _made_safe(xp, domains, arrays, counts), weight
    if loss.pooled:  # no entry has a loss of its own that could be finite
        counts = xp.logical_or(counts, _all_legal(xp, domains, arrays, spacing))
        return _made_safe(xp, domains, arrays, counts), weight
    fixed = tuple(map(xp.stop_gradient, arrays))
    fine = xp.isfinite(formula.value(xp, *fixed))
    arrays = list(arrays)
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
    return _made_safe(xp, domains, arrays, counts), xp.where(counts, weight, 0.0)


def _classed(
    xp: Framework,
    formula: Guarded,
    domains: tuple[Domain, ...],
    spacing: float,
    arrays: list[Array],
    weight: Array | None,
    wide: str,
) -> tuple[list[Array], Array | None]:
    """Inputs, without what has a class weight of 0, and the weight times what rows count for because of their class."""
    of_class = formula.row_weight(xp, *arrays)
    if of_class is None:
        return arrays, weight
    of_class = xp.cast(of_class, wide)
    if domains[1].indices:
        arrays = _made_safe(xp, domains, arrays, xp.logical_not(xp.equal(of_class, 0.0)))
    else:  # somebody may ask for its derivative by a soft target
        arrays, of_class = _weighed(xp, formula.loss, domains, spacing, arrays, of_class)
    return arrays, of_class if weight is None else weight * of_class


def _all_finite(xp: Framework, x: Array, axes: int) -> Array:
    """Whether all entries of the last axes are finite."""
    finite = xp.isfinite(x)
    for _ in range(axes):
        finite = xp.equal(xp.sum(xp.where(finite, 0.0, 1.0)), 0.0)
    return finite


def _all_legal(xp: Framework, domains: tuple[Domain, ...], arrays: list[Array], spacing: float) -> Array:
    """Whether all inputs of each entry are finite, and what the loss takes."""
    legal = None
    for x, domain in zip(arrays, domains, strict=True):
        finite = None if domain.indices else _all_finite(xp, x, domain.axes)
        for each in (finite, domain.contains(xp, x, arrays[0], spacing)):
            if each is not None:
                legal = each if legal is None else xp.logical_and(legal, each)
    return legal


def _made_safe(xp: Framework, domains: tuple[Domain, ...], arrays: list[Array], counts: Array) -> list[Array]:
    """Inputs with legal values where nothing counts: what stands there stays out of the gradient too."""
    return [
        xp.where(over_rows(xp, counts, domain.axes), x, domain.safe(xp, x))
        for x, domain in zip(arrays, domains, strict=True)
    ]


def _dtype_of(array: Any) -> str:
    """What NumPy would make of it."""
    import numpy as np

    try:
        return np.asarray(array).dtype.name
    except ValueError:
        return "object"


def _no_numbers(owner: str, name: str, array: Any, kind: str) -> DtypeError:
    """What came instead of real numbers, and what to do: in the same words whatever the framework says of it."""
    received, hint = f"{name} of dtype {kind}.", "convert it to numbers first."
    if "complex" in kind:
        hint = "take its real part or magnitude."
    elif kind.startswith(("str", "bytes")):
        received, hint = f"{name} of text.", "encode text as numbers first."
    elif kind == "object":
        received = f"a {type(array).__name__} that makes no array of numbers."
        hint = "rows of a list must have equal lengths, and no entry may be missing."
    return DtypeError(
        f"{owner}: {name} must be real numbers: an array, or a list that makes one.", received=received, hint=hint
    )


def _to_float(xp: Framework, described: Described, dtype: str) -> Array:
    return described.array if described.dtype == dtype else xp.cast(described.array, dtype)


def _to_mask(owner: str, where: Described) -> Array:
    if where.dtype != "bool":
        raise DtypeError(
            f"{owner}: where must be boolean.",
            received=f"where of dtype {where.dtype}.",
            hint="where=mask.astype(bool) in NumPy, mask.bool() in PyTorch; numbers belong to weight=.",
        )
    return where.array


def _to_indices(xp: Framework, loss: Loss, name: str, target: Described) -> Array:
    if "float" in target.dtype:
        rows = loss.for_targets_of(loss.prediction.axes)
        raise DtypeError(
            f"{type(loss).__name__}: {name} must be integers, the index of the right class.",
            received=f"{name} of dtype {target.dtype}.",
            hint="whole numbers stored as floats: target.astype('int64'), in PyTorch target.long(); "
            + (
                f"one-hot rows belong to {rows}."
                if rows
                else "one-hot rows: target.argmax(-1); soft ones belong to CategoricalCrossEntropy."
            ),
        )
    # Narrow integers could not be compared with K.
    return xp.cast(target.array, "int32") if target.dtype in _NARROW else target.array


def _check_shapes(loss: Loss, domains: tuple[Domain, ...], arrays: list[Described]) -> tuple[int | None, ...] | None:
    """The losses' shape, as far as it is known.

    Raises:
        ShapeError: inputs have other shapes than the loss can compare.
    """
    owner, first, domain, first_shape = type(loss).__name__, loss.inputs[0], domains[0], arrays[0].shape
    if first_shape is None:
        shapes = ((array.shape, other.axes) for array, other in zip(arrays, domains, strict=True))
        return next((shape[: len(shape) - axes] for shape, axes in shapes if shape is not None), None)
    if domain.axes:
        _check_rows(owner, first, domain, first_shape)
    for name in loss.tables:
        entries = getattr(loss, name)
        if not isinstance(entries, float) and len(entries) and not _same(first_shape[-1:], (len(entries),)):
            raise ShapeError(
                f"{owner}: {name} must have one entry for each position on the prediction's last axis.",
                received=f"{len(entries)} entries and prediction {_shape_text(first_shape)}.",
                hint=f"one number for all is no table: {name}={float(entries[0])}."
                if len(entries) == 1 and isinstance(loss.default(name), float)
                else "the classes, or the labels, stand on the last axis.",
            )
    for name, other, array in zip(loss.inputs[1:], domains[1:], arrays[1:], strict=True):
        expected, shape = first_shape[: len(first_shape) - domain.axes + other.axes], array.shape
        if shape is None or _same(expected, shape):
            continue
        raise ShapeError(
            f"{owner}: {first} and {name} must have the same shape."
            if other.axes == domain.axes
            else f"{owner}: {name} must have the {first}'s shape without its last axis, the "
            + ("classes." if other.indices else "columns." if domain.size else "row."),
            received=f"{first} {_shape_text(first_shape)} and {name} {_shape_text(shape)}."
            + _consequence(first_shape, shape),
            hint=_shape_hint(loss, first_shape, shape),
        )
    return first_shape[: len(first_shape) - domain.axes]


def _check_rows(owner: str, name: str, domain: Domain, shape: tuple[int | None, ...]) -> None:
    """Raises ShapeError where an array of this shape has no rows of the domain."""
    if len(shape) < domain.axes:
        raise ShapeError(
            f"{owner}: {name} must have a last axis of classes, (..., K)."
            if domain.axes == 1
            else f"{owner}: {name} must have {domain.axes} axes or more.",
            received=f"{name} of shape {_shape_text(shape)}.",
            hint="one number for each class, on the last axis."
            if domain.axes == 1
            else "a batch of one has a leading axis of size 1.",
        )
    if shape[-1] == 0:
        raise ShapeError(
            f"{owner}: {name} must have at least one class on its last axis, (..., K).",
            received=f"{name} {_shape_text(shape)}.",
            hint="a batch of no rows is (0, K).",
        )
    if domain.size is not None and shape[-1] not in (domain.size, None):
        raise ShapeError(
            f"{owner}: {name} must be {domain.wanted}.",
            received=f"{name} {_shape_text(shape)}.",
            hint=domain.advice(name),
        )


def _same(one: tuple[int | None, ...], other: tuple[int | None, ...]) -> bool:
    """Equal as far as known: None is a dimension not known yet."""
    if one == other:
        return True
    return len(one) == len(other) and all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


def _shape_text(shape: tuple[int | None, ...]) -> str:
    return str(shape).replace("None", "?")


def _consequence(shape: tuple[int | None, ...], other: tuple[int | None, ...]) -> str:
    if sorted(map(len, (shape, other))) == [1, 2] and 1 in (shape + other):
        return " Broadcasting would compare every\n  prediction with every target."
    return ""


def _shape_hint(loss: Loss, shape: tuple[int | None, ...], other: tuple[int | None, ...]) -> str:
    if loss.target.indices:
        if _same(shape, other):
            soft = loss.for_targets_of(loss.prediction.axes)
            if not (soft or loss.prediction.says_class):
                return loss.target.advice("target")
            return f"one-hot or soft rows belong to {soft or 'CategoricalCrossEntropy'}."
        if _same((*shape[:-1], 1), other):
            return "target.squeeze(-1), or target[..., 0]."
        if len(shape) == len(other) + 1 and _same((shape[0], *shape[2:]), other):
            return "classes stand on the last axis here; move them there, or use lossary.torch with class_axis=1."
        return "one class index for each row of the prediction."
    if _same(shape, (*other, 1)):
        return "prediction.squeeze(-1), or target[:, None]." if len(other) == 1 else "prediction.squeeze(-1)."
    if _same((*shape, 1), other):
        return "target.squeeze(-1), or prediction[:, None]." if len(shape) == 1 else "target.squeeze(-1)."
    if loss.target.rows and _same(shape[:-1], other):
        its_indices = loss.for_targets_of(loss.prediction.axes - 1)
        return f"class indices belong to {its_indices or 'SparseCategoricalCrossEntropy'}."
    if _same(shape, other[::-1]):
        return "one of them is transposed."
    return f"one {loss.inputs[1]} for each {loss.inputs[0]}."


def _like_losses(xp: Framework, domains: tuple[Domain, ...], arrays: list[Array]) -> Array:
    """An array of the losses' shape."""
    single = (x for x, domain in zip(arrays, domains, strict=True) if not domain.axes)
    like = next(single, None)
    if like is None:
        like = arrays[0]
        for _ in range(domains[0].axes):
            like = xp.sum(like)
    return like


def _over_losses(
    xp: Framework,
    loss: Loss,
    domains: tuple[Domain, ...],
    arrays: list[Array],
    losses_shape: tuple[int | None, ...] | None,
    name: str,
    described: Described,
    array: Array,
) -> Array:
    """A weight or mask of the losses' shape, or of a leading part of it, repeated over the whole of that shape."""
    shape = described.shape
    if shape is not None and losses_shape is not None and not _same(shape, losses_shape[: len(shape)]):
        each = "row of the prediction" if loss.prediction.rows else "prediction"
        hint = f"{name} has one entry for each {each} (or for each of its leading axes)."
        if not loss.prediction.rows and len(losses_shape) > 1 and _same(shape, losses_shape[-1:]):
            hint = (
                f"{name} of shape (N,) counts rows. For one entry for each label, as PyTorch's weight has it, give it "
                f"the losses' shape: numpy.broadcast_to({name}, {_shape_text(losses_shape)}), "
                f"in PyTorch {name}.expand{_shape_text(losses_shape)}."
            )
        raise ShapeError(
            f"{type(loss).__name__}: {name} must have the losses' shape, {_shape_text(losses_shape)}, or a leading "
            "part of it.",
            received=f"{name} of shape {_shape_text(shape)}.",
            hint=hint,
        )
    return array if shape == losses_shape else xp.expand(array, _like_losses(xp, domains, arrays))


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


def _as_scores(xp: Framework, labels: Labels, prediction: Described) -> Described:
    """Predicted labels as scores, in the dtype that the framework gives to Python's floats; other predictions alone."""
    if "float" in prediction.dtype:
        return prediction
    dtype = xp.dtype(xp.convert(1.0))
    scores = labels.scores(xp, labels.read(xp, prediction.array, dtype))
    return prediction._replace(array=scores, dtype=dtype)


def _check_labels(xp: Framework, loss: Loss, labels: Labels, described: Described, weight: Array | None) -> None:
    """Integers must be labels where they count; and of floats it must be clear that they are none."""
    owner = type(loss).__name__
    if weight is not None and bool(xp.all(xp.equal(weight, 0.0))):
        return
    if undecided(xp, loss, described.array, weight):
        raise DomainError(
            f"{owner}: predictions must be labels, as integers or booleans, or scores, floats whose sign decides.",
            received="floats that are all 0 or 1, which may be either.",
            hint="labels: prediction.astype(int), in PyTorch prediction.long();\n"
            "  probabilities: prediction - 0.5, whose sign is the class;\n"
            f"  scores: {owner}(labels=(-1, 1)) and the target 2 * target - 1.",
        )
    if "float" in described.dtype:
        return
    numbers = labels.read(xp, described.array, "float32")
    legal = labels.holds(xp, numbers)
    if weight is not None:
        legal = xp.logical_or(legal, xp.equal(weight, 0.0))
    if not bool(xp.all(legal)):
        raise DomainError(
            f"{owner}: predictions that are integers are labels, and must be {labels.wanted}.",
            received=_offenders(xp, numbers, xp.logical_not(legal)),
            hint=labels.advice("prediction"),
        )


def _check_values(xp: Framework, loss: Loss, domains: tuple[Domain, ...], arrays: list[Array], spacing: float) -> None:
    for name, domain, array in zip(loss.inputs, domains, arrays, strict=True):
        legal = None if domain.takes_all else domain.contains(xp, array, arrays[0], spacing)
        if legal is not None and not bool(xp.all(legal)):
            inside = domain.innermost.contains(xp, array, arrays[0], spacing)
            classes = xp.shape(arrays[0])
            where_k = f" K is {classes[-1]}." if domain.indices and classes else ""
            raise DomainError(
                f"{type(loss).__name__}: {name} must be {domain.wanted}.",
                received=_offenders(xp, array, xp.logical_not(legal if inside is None else inside)) + where_k,
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
