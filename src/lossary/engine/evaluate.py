"""How a call is computed: by a kernel where there is one for it, by the loss's own text elsewhere; then reduced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from lossary import kernels
from lossary.engine import explanation
from lossary.engine.guarded import Guarded
from lossary.engine.prepare import prepare
from lossary.errors import ParameterError, ShapeError, UsageError
from lossary.ops import dispatch, reduce
from lossary.ops.reduce import Total

if TYPE_CHECKING:
    from lossary.define.loss import Batchwise, Loss, Reduction
    from lossary.engine.prepare import Prepared
    from lossary.ops.arrays import Framework
    from lossary.ops.call import Call
    from lossary.ops.ops import Array

Derivative = Literal["gradient", "curvature"]


def compute(loss: Loss, call: Call, reduction: Reduction, *, fused: bool = True) -> Any:
    """The loss, reduced; by no kernel unless `fused`."""
    check_reduction(type(loss).__name__, reduction, pooled=loss.pooled)
    if loss.pooled:
        total = compute_total(loss, call)
        return total.mean if reduction == "mean" else total.sum
    xp = _framework(loss, call)
    result = by_kernel(xp, loss, call, reduction) if fused else None
    if result is not None:
        return result
    prepared = prepare(xp, loss, call)
    values = _evaluated(loss, prepared)
    result = _reduced(prepared, values, reduction)
    if explanation.blocks:
        _look(loss, prepared, values, result)
    return result


def compute_total(loss: Loss, call: Call, *, fused: bool = True) -> Total:
    """The sum and the weight it stands for."""
    xp = _framework(loss, call)
    result: Total | None = by_kernel(xp, loss, call, "total") if fused else None
    if result is not None:
        return result
    prepared = prepare(xp, loss, call)
    values = _evaluated(loss, prepared)
    if loss.pooled:
        total = reduce.whole(xp, values, _denominator(loss, prepared), prepared.computed_in, loss)
    else:
        total = reduce.total(xp, values, prepared.weight, prepared.computed_in)
    if explanation.blocks:
        _look(loss, prepared, values, total.mean)
    return total


def compute_weighted(loss: Loss, call: Call) -> tuple[Any, Any]:
    """w·ℓ and w of the losses' shape (None where all count alike), for adapters whose framework reduces by itself."""
    check_reduction(type(loss).__name__, "none", pooled=loss.pooled)
    xp = _framework(loss, call)
    prepared = prepare(xp, loss, call)
    weight, dtype = prepared.weight, prepared.computed_in
    values = _evaluated(loss, prepared)
    weighted = xp.cast(reduce.weighted(xp, values, weight), dtype)
    if explanation.blocks:
        _look(loss, prepared, values, weighted)
    return weighted, None if weight is None else xp.cast(weight, dtype)


def with_derivatives(loss: Loss, call: Call, reduction: Reduction, names: tuple[Derivative, ...]) -> tuple[Any, ...]:
    """The loss and its methods of these names in NumPy, weighted and scaled as the reduction says."""
    import numpy as np

    check_reduction(type(loss).__name__, reduction, pooled=loss.pooled)
    xp = _framework(loss, call)
    if xp.name != "NumPy":
        raise UsageError(
            f"{type(loss).__name__}.{'value_and_gradient' if len(names) == 1 else 'value_gradient_curvature'} "
            "works on NumPy arrays.",
            received=f"a {loss.inputs[0]} from {xp.name}.",
            hint=f"let {xp.name} differentiate the call itself.",
        )
    fused: tuple[Any, ...] | None = by_kernel(xp, loss, call, reduction, names)
    if fused is not None:
        return fused
    prepared = prepare(xp, loss, call)
    with np.errstate(all="ignore"):
        values = _evaluated(loss, prepared)
        if loss.pooled:
            weight = _denominator(loss, prepared)
            total = reduce.whole(xp, values, weight, prepared.computed_in, loss)
            results = [total.mean if reduction == "mean" else total.sum]
            part = np.float64(1.0 / weight if weight else 0.0) if reduction == "mean" else None
        else:
            results = [_reduced(prepared, values, reduction)]
            part = prepared.weight  # of each loss in the whole
            if reduction == "mean":
                part = np.float64(1.0 / max(np.size(values), 1)) if part is None else reduce.share(xp, part)
        for name in names:
            derivatives = _derivatives(loss, prepared, name, part, call)
            results.append(derivatives if len(loss.learned) > 1 else derivatives[0])
        if explanation.blocks:
            _look(loss, prepared, values, results[0], differentiated=True)
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


def by_kernel(xp: Framework, loss: Loss, call: Call, reduction: str, derivatives: tuple[Derivative, ...] = ()) -> Any:
    """The loss by a kernel, reduced (a `Total` for "total"), and its derivatives where some are named; None where there
    is none for this call, or where the loss's own text must say what is wrong with it."""
    if xp.name not in kernels.FRAMEWORKS or xp.compiling or explanation.blocks:
        return None
    if kernels.unavailable() is not None or not kernels.fits(loss):
        return None
    return kernels.fused(xp.name)(loss, call, reduction, derivatives)


def check_reduction(owner: str, reduction: str, *, pooled: bool = False) -> None:
    """Raises ParameterError for anything but "mean", "sum" and "none"; and for "none", of a loss of the whole batch.

    `pooled` says that it is one: its entries have no losses of their own.
    """
    if pooled and reduction == "none":
        raise ParameterError(
            f"{owner} is a loss of the whole batch: its entries have no losses of their own.",
            received='reduction="none".',
            hint='reduction="mean" or "sum".',
        )
    if reduction not in ("mean", "sum", "none"):
        raise ParameterError(
            f"{owner}: reduction must be 'mean', 'sum' or 'none'.",
            received=f"reduction={reduction!r}.",
            hint="'none' keeps every loss; 'mean' divides by the sum of the weights, not by their number.",
        )


def _framework(loss: Loss, call: Call) -> Framework:
    """The operations that take all arrays of the call."""
    names, arrays = (*loss.inputs, "weight", "where"), (*call.inputs, call.weight, call.where)
    return dispatch.ops_of(type(loss).__name__, names, arrays)


def _evaluated(loss: Loss, prepared: Prepared) -> Array:
    """The unreduced, unweighted losses, or the sum over the whole batch, with the loss's own gradient as their
    derivative."""
    xp, rank = prepared.xp, prepared.rank
    values = xp.evaluate(prepared.formula, *prepared.arguments)
    shape = xp.shape(values)
    if shape is not None and rank is not None and len(shape) != rank:
        each = "for the whole batch" if loss.pooled else "for each row" if loss.prediction.axes else "for each entry"
        raise ShapeError(
            f"{type(loss).__name__}: value must return one number {each}{'' if loss.pooled else ' of the prediction'}.",
            received=f"{shape} from predictions of shape {xp.shape(prepared.arrays[0])}.",
            hint="leave sums and means to reduction=: a loss that reduces by itself cannot be weighted or masked. What "
            "is a loss of the whole batch derives from Batchwise.",
        )
    return values


def _denominator(loss: Loss, prepared: Prepared) -> Array:
    """What the mean of a loss of the whole batch divides by."""
    arguments = prepared.arguments
    named = dict(zip(loss.inputs[2:], arguments[2:-1], strict=True))
    return cast("Batchwise", loss).denominator(prepared.xp, *arguments[:2], **named, weight=arguments[-1])


def _look(loss: Loss, prepared: Prepared, values: Array, result: Array, *, differentiated: bool = False) -> None:
    """Within `lossary.explain`, look at the result and all that it is made of."""
    if loss.pooled:
        explanation.overlook()
    else:
        differentiated = differentiated or prepared.xp.differentiable(prepared.arrays[0])
        explanation.look(loss, prepared, values, result, differentiated=differentiated)


def _reduced(prepared: Prepared, values: Array, reduction: Reduction) -> Array:
    """The losses, reduced as `lossary.ops.reduce` says."""
    xp, weight = prepared.xp, prepared.weight
    if reduction == "none":
        return xp.cast(reduce.weighted(xp, values, weight), prepared.dtype)
    if reduction == "sum":
        return reduce.total(xp, values, weight, prepared.computed_in).sum
    return reduce.mean(xp, values, weight, prepared.computed_in, prepared.wide)
