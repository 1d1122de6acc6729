"""How a call is computed: by a kernel where there is one for it, by the loss's own text elsewhere; then reduced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from lossary import kernels
from lossary.engine import explanation
from lossary.engine.guarded import Guarded
from lossary.engine.prepare import prepare
from lossary.errors import ShapeError, UsageError
from lossary.ops import dispatch, reduce
from lossary.ops.reduce import Total

if TYPE_CHECKING:
    from lossary.define.loss import Batchwise, Loss, Reduction
    from lossary.engine.prepare import Prepared
    from lossary.ops.call import Call
    from lossary.ops.ops import Array

Derivative = Literal["gradient", "curvature"]


def compute(loss: Loss, call: Call, reduction: Reduction, *, fused: bool = True) -> Any:
    """The loss, reduced; by no kernel unless `fused`."""
    reduce.check_reduction(type(loss).__name__, reduction, pooled=loss.pooled)
    if loss.pooled:
        total = compute_total(loss, call)
        return total.mean if reduction == "mean" else total.sum
    result = by_kernel(loss, call, reduction) if fused else None
    if result is not None:
        return result
    prepared = prepare(loss, call)
    values = _evaluated(loss, prepared)
    return _looked_at(loss, prepared, values, _reduced(prepared, values, reduction))


def compute_total(loss: Loss, call: Call, *, fused: bool = True) -> Total:
    """The sum and the weight it stands for."""
    if not loss.pooled and fused:
        result: Total | None = by_kernel(loss, call, "total")
        if result is not None:
            return result
    prepared = prepare(loss, call)
    values = _evaluated(loss, prepared)
    if loss.pooled:
        total = reduce.whole(prepared.xp, values, _denominator(loss, prepared), prepared.reduced_dtype, loss)
    else:
        total = reduce.total(prepared.xp, values, prepared.weight, prepared.reduced_dtype)
    _looked_at(loss, prepared, values, total.mean)
    return total


def compute_weighted(loss: Loss, call: Call) -> tuple[Any, Any]:
    """w·ℓ and w of the losses' shape (None where all count alike), for adapters whose framework reduces by itself."""
    reduce.check_reduction(type(loss).__name__, "none", pooled=loss.pooled)
    prepared = prepare(loss, call)
    xp, weight, dtype = prepared.xp, prepared.weight, prepared.reduced_dtype
    values = _evaluated(loss, prepared)
    weighted = _looked_at(loss, prepared, values, xp.cast(reduce.weighted(xp, values, weight), dtype))
    return weighted, None if weight is None else xp.cast(weight, dtype)


def with_derivatives(loss: Loss, call: Call, reduction: Reduction, names: tuple[Derivative, ...]) -> tuple[Any, ...]:
    """The loss and its methods of these names in NumPy, weighted and scaled as the reduction says."""
    import numpy as np

    reduce.check_reduction(type(loss).__name__, reduction, pooled=loss.pooled)
    xp = dispatch.ops(dispatch.framework_of(call.inputs[0]))
    if xp.name != "NumPy":
        raise UsageError(
            f"{type(loss).__name__}.{'value_and_gradient' if len(names) == 1 else 'value_gradient_curvature'} "
            "works on NumPy arrays.",
            received=f"a {loss.inputs[0]} from {xp.name}.",
            hint=f"let {xp.name} differentiate the call itself.",
        )
    if not loss.pooled:
        fused: tuple[Any, ...] | None = by_kernel(loss, call, reduction, names)
        if fused is not None:
            return fused
    prepared = prepare(loss, call)
    with np.errstate(all="ignore"):
        values = _evaluated(loss, prepared)
        if loss.pooled:
            weight = _denominator(loss, prepared)
            total = reduce.whole(xp, values, weight, prepared.reduced_dtype, loss)
            results = [total.mean if reduction == "mean" else total.sum]
            part = np.float64(1.0 / weight if weight else 0.0) if reduction == "mean" else None
        else:
            results = [_reduced(prepared, values, reduction)]
            part = prepared.weight  # of each loss in the whole
            if reduction == "mean":
                part = reduce.share(xp, np.ones(np.shape(values)) if part is None else part)
        for name in names:
            derivatives = _derivatives(loss, prepared, name, part, call)
            results.append(derivatives if len(loss.learned) > 1 else derivatives[0])
        _looked_at(loss, prepared, values, results[0], differentiated=True)
    return tuple(results)


def _derivatives(loss: Loss, prepared: Prepared, name: str, part: Any, call: Call) -> tuple[Any, ...]:
    """What the method of this name says of each learned input, in its shape and dtype."""
    import numpy as np

    xp, formula = prepared.xp, Guarded(loss, None)
    method = formula.gradients if name == "gradient" else formula.curvatures
    derivatives = []
    for array, derivative in zip(prepared.arrays, method(xp, *prepared.arguments), strict=False):
        whole = np.broadcast_to(derivative, np.shape(array))  # where it is a constant
        if part is not None:
            whole = reduce.weighted(xp, whole, xp.expand(np.asarray(part), array))
        derivatives.append(xp.cast(whole, prepared.dtype))
    if loss.pooled:  # which sees one axis of entries
        shapes = [np.shape(x) for x in call.inputs]
        return tuple(x.reshape(shape) for x, shape in zip(derivatives, shapes, strict=False))
    return tuple(derivatives)


def by_kernel(loss: Loss, call: Call, reduction: str, derivatives: tuple[Derivative, ...] = ()) -> Any:
    """The loss by a kernel, reduced (a `Total` for "total"), and its derivatives where some are named; None where there
    is none for this call, or where the loss's own text must say what is wrong with it."""
    framework = dispatch.framework_of(call.inputs[0])
    if framework not in kernels.FRAMEWORKS or not kernels.fits(loss) or dispatch.ops(framework).compiling:
        return None
    if explanation.blocks or kernels.unavailable() is not None:
        return None
    return kernels.fused(framework)(loss, call, reduction, derivatives)


def _evaluated(loss: Loss, prepared: Prepared) -> Array:
    """The unreduced, unweighted losses, or the sum over the whole batch, with the loss's own gradient as their
    derivative."""
    xp = prepared.xp
    values = xp.evaluate(Guarded(loss, prepared.spacing if prepared.guarded else None), *prepared.arguments)
    came, shape = xp.shape(values), xp.shape(prepared.arrays[0])
    if came is None or shape is None:
        return values
    axes = loss.prediction.axes
    wanted = 0 if loss.pooled else len(shape) - axes
    if len(came) != wanted:
        each = "for the whole batch" if loss.pooled else "for each row" if axes else "for each entry"
        raise ShapeError(
            f"{type(loss).__name__}: value must return one number {each}{'' if loss.pooled else ' of the prediction'}.",
            received=f"{came} from predictions of shape {shape}.",
            hint="leave sums and means to reduction=: a loss that reduces by itself cannot be weighted or masked. What "
            "is a loss of the whole batch derives from Batchwise.",
        )
    return values


def _denominator(loss: Loss, prepared: Prepared) -> Array:
    """What the mean of a loss of the whole batch divides by."""
    arguments = prepared.arguments
    named = dict(zip(loss.inputs[2:], arguments[2:-1], strict=True))
    return cast("Batchwise", loss).denominator(prepared.xp, *arguments[:2], **named, weight=arguments[-1])


def _looked_at(loss: Loss, prepared: Prepared, values: Array, result: Array, *, differentiated: bool = False) -> Array:
    """The result; within `lossary.explain`, it and all that it is made of are looked at."""
    if explanation.blocks and loss.pooled:
        explanation.overlook()
    elif explanation.blocks:
        differentiated = differentiated or prepared.xp.differentiable(prepared.arrays[0])
        explanation.look(loss, prepared, values, result, differentiated=differentiated)
    return result


def _reduced(prepared: Prepared, values: Array, reduction: Reduction) -> Array:
    """The losses, reduced as `lossary.ops.reduce` says."""
    xp, weight = prepared.xp, prepared.weight
    if reduction == "none":
        return xp.cast(reduce.weighted(xp, values, weight), prepared.dtype)
    if reduction == "sum":
        return reduce.total(xp, values, weight, prepared.reduced_dtype).sum
    return reduce.mean(xp, values, weight, prepared.reduced_dtype)
