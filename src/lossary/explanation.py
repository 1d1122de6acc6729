"""Which row made the loss NaN: `with lossary.explain():` around a training that went wrong."""

from __future__ import annotations

import contextlib
import sys
import textwrap
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, final

from lossary.errors import NonFiniteError

if TYPE_CHECKING:
    from lossary.inputs import Guarded, Inputs
    from lossary.loss import Loss
    from lossary.vocabulary.vocabulary import Array

_SHOWN = 6  # numbers of a row
_WIDTH = 80  # columns


@final
class _Watch:
    """What has been seen since `explain` was entered."""

    def __init__(self) -> None:
        self.calls = 0
        self.found: NonFiniteError | None = None


# Of each `explain` that is entered, the innermost last; none in ordinary use, where it is all that a call asks.
watches: list[_Watch] = []


@contextlib.contextmanager
def explain() -> Iterator[None]:
    """Within, the first loss that is not finite is an error: which row, what stood there, and what helps.

        with lossary.explain():
            model.fit(x, y)

    It is for finding a fault, as `torch.autograd.detect_anomaly` and `jax_debug_nans` are, and it is slow: what
    `torch.compile` and `tf.function` have compiled runs eagerly, JAX compiles anew, no kernel is used, and every loss
    and gradient of a lossary loss is looked at, on accelerators too. Losses count that have a weight; gradients by the
    prediction, where somebody may ask for them.

    Raises:
        NonFiniteError: a loss, or its gradient, is infinite or NaN. In JAX it comes as soon as Python waits for a
            result, at the end of the block at the latest.

    Warns:
        UserWarning: no loss of lossary was called in the block.
    """
    entered = _Watch()
    watches.append(entered)
    try:
        with contextlib.ExitStack() as stack:
            for framework in ("torch", "tensorflow", "jax"):
                if sys.modules.get(framework) is not None:
                    stack.enter_context(_observable(framework))
            yield
    except Exception as error:
        if entered.found is None or error is entered.found:
            raise
        raise entered.found from error  # a framework has wrapped it
    finally:
        watches.remove(entered)
    if entered.found is not None:
        raise entered.found
    if not entered.calls:
        warnings.warn(
            "lossary.explain() has explained nothing: no loss of lossary was called in the block.", stacklevel=3
        )


def watch(loss: Loss, inputs: Inputs, sentence: Guarded, values: Array) -> None:
    """Look at a call, now or when the computation runs."""
    xp, current = inputs.xp, watches[-1]
    current.calls += 1
    p, y, values = (xp.stop_gradient(x) for x in (inputs.prediction, inputs.target, values))
    arrays = {"prediction": p, "target": y, "values": values}
    if loss.trainable and xp.differentiable(inputs.prediction):
        arrays["gradient"] = sentence.slope(xp, p, y)
    fine = [xp.isfinite(arrays[name]) for name in ("values", "gradient") if name in arrays]
    if inputs.weight is not None:
        arrays["weight"] = xp.stop_gradient(inputs.weight)
        silent = xp.equal(arrays["weight"], 0.0)
        fine = [xp.logical_or(each, xp.expand(silent, each)) for each in fine] + [xp.isfinite(arrays["weight"])]
    names = tuple(arrays)

    def judge(*numbers: Any) -> None:
        found = _explained(loss, inputs.spacing, **dict(zip(names, numbers, strict=True)))
        if found is not None:
            current.found = current.found or found
            raise current.found

    xp.watch([xp.all(each) for each in fine], judge, tuple(arrays.values()))


def _explained(
    loss: Loss,
    spacing: float,
    prediction: Any,
    target: Any,
    values: Any,
    gradient: Any = None,
    weight: Any = None,
) -> NonFiniteError | None:
    """What is wrong with the first row that is not finite, from NumPy arrays; None where all are."""
    import numpy as np

    weight = np.ones(values.shape) if weight is None else weight
    counts = weight != 0.0
    bad = counts & ~(np.isfinite(values) & np.isfinite(weight))
    of_gradient = not bad.any()
    if of_gradient and gradient is not None:
        finite = np.isfinite(gradient)
        bad = counts & ~(finite.all(axis=-1) if loss.prediction.rows else finite)
    if not bad.any():
        return None
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    p, y = prediction[place], target[place]
    what = f"its gradient is {_shown(gradient[place])}" if of_gradient else f"the loss is {values[place]}"
    others = f"; {bad.sum():,} of {bad.size:,} are not finite" if bad.sum() > 1 else ""
    cause = _cause(loss, spacing, place, prediction, target, weight[place])
    if cause is None:
        cause = _size(loss, p, y, values, of_gradient)
    return NonFiniteError(
        f"{loss!r}: {what}{_at(place)}.",
        received=f"prediction {_shown(p)} and target {_shown(y)}{others}.",
        hint=textwrap.fill(cause, _WIDTH, initial_indent=" " * 8, subsequent_indent="  ").strip(),
    )


def _at(place: tuple[int, ...]) -> str:
    """The row, and the entry in it."""
    if not place:
        return ""
    return f" in row {place[0]} of the batch" + (f", at {list(place)}" if len(place) > 1 else "")


def _cause(
    loss: Loss, spacing: float, place: tuple[int, ...], prediction: Any, target: Any, weight: float
) -> str | None:
    """What is wrong with the inputs of the row; None where nothing is."""
    import numpy as np

    from lossary import dispatch

    xp = dispatch.vocabulary("numpy")
    p, y = prediction[place], target[place]
    if y.dtype.kind == "f" and np.isnan(y).any():
        return 'the target is missing. missing="skip" in the host leaves such targets out; or clean the data.'
    if np.isnan(p).any() or (np.isinf(p).any() and not np.isinf(y).any()):
        return _of_the_model(prediction, loss.prediction.rows)
    for name, domain, x in (("target", loss.target, y), ("prediction", loss.prediction, p)):
        legal = domain.contains(xp, x, p, spacing)
        if legal is not None and not np.all(legal):
            return f"the {name} must be {domain.wanted}: {domain.advice(name)}"
    if np.isinf(y).any():
        return "the target is infinite: check how targets are made."
    if not np.isfinite(weight):
        return f"the weight is {weight}: check how weights are made."
    return None


def _of_the_model(prediction: Any, rows: bool) -> str:
    """What helps where the prediction itself is not finite."""
    import numpy as np

    finite = np.isfinite(prediction)
    finite = finite.all(axis=-1) if rows else finite
    if not finite.any():
        return (
            "all that the model predicts is like that, and no loss before it was: an input is not finite, or a step "
            "has spoilt the weights. A smaller learning rate or clipped gradients help against too long steps; "
            "torch.autograd.detect_anomaly, jax_debug_nans and tf.debugging.enable_check_numerics find the layer."
        )
    return (
        f"{(~finite).sum():,} of {finite.size:,} predictions are like that before the loss sees them: look at the "
        "inputs of this row, and at layers that divide, take logarithms or roots."
    )


def _size(loss: Loss, p: Any, y: Any, values: Any, of_gradient: bool) -> str:
    """Legal inputs whose loss cannot be held, or is infinite itself."""
    import numpy as np

    from lossary import dispatch

    xp = dispatch.vocabulary("numpy")
    with np.errstate(all="ignore"):
        wide = [np.asarray(x, np.float64) if x.dtype.kind == "f" else x for x in (p, y)]
        exact = (loss.gradient if of_gradient and loss.has_gradient else loss.value)(xp, *wide)
    of = "gradient" if of_gradient else "loss"
    held = np.isfinite(exact).all()
    found = (
        f"the {of} is {_shown(exact)}, which {values.dtype} cannot hold." if held else f"the {of} itself is infinite."
    )
    if loss.settings.get("from_logits") is False:
        return (
            f"{found} from_logits=True, and no activation in the last layer, keeps the digits of small probabilities."
        )
    if held:
        return (
            f"{found} Scale targets to a size near 1, or take a loss that grows more slowly; where training diverges, "
            "a smaller learning rate helps."
        )
    return f"{found} A prediction of 0 or infinity says that what happened cannot happen: predict finite numbers."


def _shown(x: Any) -> str:
    """A number, or the numbers of a row."""
    import numpy as np

    x = np.asarray(x)
    if x.ndim == 0:
        return f"{x.item():.7g}" if x.dtype.kind == "f" else f"{x.item()}"
    numbers = ", ".join(_shown(each) for each in x[:_SHOWN])
    return f"[{numbers}{', …' if len(x) > _SHOWN else ''}]"


@contextlib.contextmanager
def _observable(framework: str) -> Iterator[None]:
    """What was compiled runs in a way that lets losses be looked at."""
    if framework == "torch":
        import torch

        with torch.compiler.set_stance("force_eager"):
            yield
    elif framework == "tensorflow":
        import tensorflow as tf

        eager = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        try:
            with warnings.catch_warnings():  # that pipelines of tf.data are not run so
                warnings.filterwarnings("ignore", "Even though the `tf.config.", UserWarning)
                yield
        finally:
            tf.config.run_functions_eagerly(eager)
    else:
        import logging

        import jax

        # What was compiled before does not look at losses, and what is compiled within must not do so afterwards.
        jax.clear_caches()  # type: ignore[no-untyped-call]  # JAX has no types for some
        log = logging.getLogger("jax._src.debugging")  # which prints the error that is raised anyway
        silent, log.disabled = log.disabled, True
        try:
            yield
            jax.effects_barrier()  # type: ignore[no-untyped-call]  # as above
        except jax.errors.JaxRuntimeError:
            with contextlib.suppress(ImportError, AttributeError):  # it would be raised again when Python ends
                from jax._src.dispatch import runtime_tokens

                runtime_tokens.clear()  # type: ignore[no-untyped-call]  # as above
            raise
        finally:
            jax.clear_caches()  # type: ignore[no-untyped-call]  # as above
            log.disabled = silent
