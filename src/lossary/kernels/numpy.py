"""Kernels on NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossary import kernels
from lossary.kernels import threads
from lossary.kernels.layout import Layout, layout, repeated
from lossary.kernels.program import Output, Variant
from lossary.ops.dtypes import COMPUTED_IN, VALIDATE, spacing_of
from lossary.ops.labels import undecided
from lossary.ops.missing import by_kind, with_target
from lossary.ops.numpy import ops
from lossary.ops.reduce import Total

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.kernels.kernel import Kernel
    from lossary.ops.call import Call

_INDICES = frozenset(("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"))
_HELD = 3e38  # by every dtype that losses are computed in
_NUMBERS = _INDICES | {"uint64"} | set(COMPUTED_IN)


def fused(loss: Loss, call: Call, reduction: str, derivatives: tuple[Output, ...] = ()) -> Any:
    """The loss by a kernel: a number, an array, or a `Total` for reduction="total"; with `derivatives` ("gradient",
    "curvature") a tuple of the loss and those. None where the operations must look at the call."""
    (prediction, target), weight, where, validate, original_dtype, missing = call
    if type(prediction) is not np.ndarray or prediction.dtype.name not in COMPUTED_IN:
        return None
    target = _array(target, prediction, _INDICES if loss.target.indices else _NUMBERS)
    shapes = None if target is None else layout(loss, prediction.shape, target.shape)
    if shapes is None:
        return None
    prediction_dtype = prediction.dtype
    dtype = COMPUTED_IN[prediction_dtype.name]
    spacing = spacing_of(original_dtype or prediction_dtype.name, target.dtype.name) if validate and VALIDATE else None
    outputs: tuple[Output, ...] = ("values" if reduction == "none" else "total", *derivatives)
    ignored, skipped = by_kind(loss, missing)
    masked = where is not None or skipped is not None
    variant = Variant(dtype, outputs, spacing, weight is not None, masked, ignored is not None)
    kernel = kernels.compiled(loss, variant)
    if kernel is None:
        return None
    arrays: dict[str, Any] = {
        "prediction": np.asarray(prediction, dtype=dtype, order="C"),
        "target": np.asarray(target, dtype=np.int64 if loss.target.indices else dtype, order="C"),
    }
    if variant.weighted:
        arrays["weight"] = _over(_array(weight, prediction, _NUMBERS), shapes.losses, dtype)
    if where is not None:
        arrays["where"] = _over(_array(where, prediction, frozenset(("bool",))), shapes.losses, "bool")
    for array in arrays.values():
        if array is None:
            return None
    if skipped is not None:
        arrays["where"] = np.asarray(with_target(ops, loss, target, skipped, arrays.get("where")), order="C")
    if kernel.may_be_labels and undecided(ops, loss, prediction, arrays.get("weight"), arrays.get("where")):
        return None
    results = _run(kernel, arrays, shapes, outputs, reduction, ignored)
    if results is None:
        return None
    value, *rest = (each if isinstance(each, Total) else _cast(each, prediction_dtype) for each in results)
    return (value, *rest) if derivatives else value


def _run(
    kernel: Kernel,
    arrays: dict[str, Any],
    shapes: Layout,
    outputs: tuple[Output, ...],
    reduction: str,
    ignored: int | None,
) -> list[Any] | None:
    """The loss, as it is reduced, and the derivatives; None where a value is not what the loss takes."""
    prediction = arrays["prediction"]
    results: dict[str, Any] = {
        each: np.empty(shapes.losses if each == "values" else prediction.shape, prediction.dtype)
        for each in outputs
        if each != "total"
    }
    addresses = {name: array.ctypes.data for name, array in (arrays | results).items()}
    if ignored is not None:
        addresses["ignored"] = ignored
    most = threads.most()
    averaged = reduction in ("mean", "total")
    weight = kernel.weight(addresses, shapes.rows, shapes.length, most) if averaged else 1.0
    divisor = (weight or 1.0) if reduction == "mean" else 1.0
    total, _, illegal = kernel(addresses, shapes.rows, shapes.length, 1.0 / divisor, most)
    if illegal or (reduction == "mean" and not kernel.averages(total, weight)):
        return None
    if reduction == "none":
        value: Any = results["values"]
    elif reduction == "total":
        value = Total(np.float64(total), np.float64(weight), prediction.dtype.name)
    else:
        value = _number(total / divisor, prediction.dtype)
    return [value, *(results[each] for each in outputs[1:])]


def _number(x: float, dtype: Any) -> Any:
    """A number of the dtype; NumPy warns where it becomes infinite."""
    return dtype.type(x) if abs(x) < _HELD else ops.cast(x, dtype.name)


def _cast(x: Any, dtype: Any) -> Any:
    """Arrays in the prediction's dtype; what is reduced stays in the dtype it was computed in."""
    return x.astype(dtype, copy=False)[()] if isinstance(x, np.ndarray) else x


def _array(x: Any, prediction: Any, dtypes: frozenset[str] | set[str]) -> Any:
    """A NumPy array, of what may stand beside a prediction; None for what the operations must look at."""
    try:
        array = x if type(x) is np.ndarray else ops.convert(x, prediction)
    except (TypeError, ValueError):
        return None
    return array if isinstance(array, np.ndarray) and array.dtype.name in dtypes else None


def _over(array: Any, losses: tuple[int, ...], dtype: str) -> Any:
    """A weight or mask, once for each loss; None where its shape does not lead theirs."""
    shape = None if array is None else repeated(array.shape, losses)
    return None if shape is None else np.asarray(np.broadcast_to(array.reshape(shape), losses), dtype=dtype, order="C")
