"""Which row made the loss NaN: `with lossary.explain():` around a training that went wrong."""

from __future__ import annotations

import contextlib
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, final

from lossary.engine.guarded import Guarded
from lossary.errors import NonFiniteError
from lossary.ops import dispatch
from lossary.ops.arrays import Look

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.engine.prepare import Prepared
    from lossary.ops.arrays import Framework
    from lossary.ops.ops import Array

_SHOWN = 6  # numbers of a row
_WIDTH = 80  # columns


@final
class Block:
    """An `explain` that is entered, and what came of it."""

    def __init__(self) -> None:
        self.seen = 0  # calls that were looked at
        self.unseen = 0  # and those that could not be
        self.ended = False
        self.error: NonFiniteError | None = None  # by a framework that could not raise it where it was found


# Those that are entered, the innermost last; none in ordinary use, where it is all that a call asks.
blocks: list[Block] = []
_settings, _entering = contextlib.ExitStack(), threading.Lock()


@contextlib.contextmanager
def explain() -> Iterator[None]:
    """Within, the first loss that is not finite is an error: which row, what stood there, and what helps.

        with lossary.explain():
            model.fit(x, y)

    It is for finding a fault, as `torch.autograd.detect_anomaly` and `jax_debug_nans` are, and it is slow: what
    `torch.compile` and `tf.function` have compiled runs eagerly, JAX compiles anew, no kernel is used, and lossary's
    losses are looked at with their gradients by the prediction, on accelerators too. Entries without a weight are not.
    Import the framework before.

    Raises:
        NonFiniteError: a loss, its gradient, or what is made of the losses is infinite or NaN. In JAX it comes as soon
            as Python waits for a result; on several devices, where one must not leave the others alone, at the end of
            the block.

    Warns:
        UserWarning: some calls could not be looked at, or no loss of lossary was called in the block.
    """
    block = Block()
    _enter(block)
    try:
        yield
        _settle()
    except Exception as error:
        # What JAX raises where a callback has raised, or where its result is used.
        if block.error is None or type(error).__name__ != "JaxRuntimeError":
            raise
        raise block.error from error
    finally:
        _leave(block)
    if block.error is not None:
        raise block.error
    if block.unseen or not block.seen:
        what = f"{block.unseen} calls could not be looked at" if block.unseen else "no loss of lossary was called"
        warnings.warn(f"lossary.explain() may have missed something: {what} in the block.", stacklevel=3)


def _enter(block: Block) -> None:
    with _entering:
        if not blocks:
            for framework in ("torch", "tensorflow", "jax"):
                if sys.modules.get(framework) is not None:
                    _settings.enter_context(dispatch.ops(framework).observable())
        blocks.append(block)


def _settle() -> None:
    """Wait until everything that was started is computed, and looked at."""
    if sys.modules.get("jax") is not None:
        sys.modules["jax"].effects_barrier()


def _leave(block: Block) -> None:
    with _entering:
        block.ended = True
        blocks.remove(block)
        if block.error is not None:  # in JAX alone it cannot be raised where it is found
            dispatch.ops("jax").forget_failures()
        if not blocks:
            _settings.close()


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def look(loss: Loss, prepared: Prepared, values: Array, result: Array, *, differentiated: bool) -> None:
    """Look at a call, now or when the computation runs: at each loss that counts, its gradient, and the result."""
    xp, fixed = prepared.xp, tuple(map(prepared.xp.stop_gradient, prepared.arrays))
    values, result = xp.stop_gradient(values), xp.stop_gradient(result)
    arrays = {"prediction": fixed[0], "target": fixed[1], "values": values, "result": result}
    if loss.trainable and differentiated:
        arrays["gradient"] = Guarded(loss, prepared.spacing).slopes(xp, *fixed)[0]
    if prepared.weight is not None:
        arrays["weight"] = xp.stop_gradient(prepared.weight)
    fine = []
    for name in ("values", "gradient", "weight"):
        if name in arrays:
            finite = xp.isfinite(arrays[name])
            if "weight" in arrays:
                finite = xp.logical_or(finite, xp.expand(xp.equal(arrays["weight"], 0.0), finite))
            fine.append(xp.all(finite))
    fine.append(xp.all(xp.isfinite(result)))
    # In JAX a call is traced once and runs many times: nobody knows which time it is.
    number = None if xp.name == "JAX" else blocks[-1].seen + blocks[-1].unseen + 1
    kept = xp.dtype(result)
    seen = _watch(xp, fine, arrays, lambda numbers: _explained(loss, prepared.spacing, kept, number, **numbers))
    for block in blocks:
        block.seen += seen
        block.unseen += not seen


def overlook() -> None:
    """Count a call that cannot be looked at: entries of a whole batch have no losses of their own."""
    for block in blocks:
        block.unseen += 1


def look_at_product(what: str, xp: Framework, share: Array, product: Array) -> None:
    """Look at what a host or an objective makes of a loss that is finite itself: a sum, a product with a factor."""
    share, product = xp.stop_gradient(share), xp.stop_gradient(product)
    fine = [xp.logical_or(xp.all(xp.isfinite(product)), xp.logical_not(xp.all(xp.isfinite(share))))]
    dtype = xp.dtype(product)

    def judge(numbers: dict[str, Any]) -> NonFiniteError | None:
        import numpy as np

        if np.isfinite(numbers["product"]).all() or not np.isfinite(numbers["share"]).all():
            return None
        return NonFiniteError(
            f"{what}: the losses are finite, and what is made of them is not.",
            received=f"{_shown(np.ravel(numbers['product'])[0])} from {_shown(np.ravel(numbers['share'])[0])}.",
            hint=_filled(f"a factor or a weight is not finite, or {dtype} cannot hold the product or the sum."),
        )

    _watch(xp, fine, {"share": share, "product": product}, judge)


def _watch(xp: Framework, fine: list[Array], arrays: dict[str, Array], judge: Any) -> bool:
    """Have the arrays judged unless all of `fine` hold; whether somebody can."""
    entered, names = tuple(blocks), tuple(arrays)

    def error_of(*numbers: Any) -> NonFiniteError | None:
        if all(block.ended for block in entered):  # compiled in a block, and run after it
            return None
        error: NonFiniteError | None = judge(dict(zip(names, numbers, strict=True)))
        return error

    def record(error: NonFiniteError) -> None:
        for block in entered:
            block.error = block.error or error

    return xp.watch(Look(fine, tuple(arrays.values()), error_of, record))


# ── explaining ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _explained(
    loss: Loss,
    spacing: float,
    kept: str,
    number: int | None,
    prediction: Any,
    target: Any,
    values: Any,
    result: Any,
    gradient: Any = None,
    weight: Any = None,
) -> NonFiniteError | None:
    """What is wrong with the first row that is not finite, from NumPy arrays; None where all are."""
    import numpy as np

    weight = np.ones(values.shape) if weight is None else weight
    counts = weight != 0.0
    finite = np.isfinite(values) & np.isfinite(weight)
    of_gradient = bool((finite | ~counts).all()) and gradient is not None
    if of_gradient:
        finite = np.isfinite(gradient)
        finite = finite.all(axis=-1) if loss.prediction.rows else finite
    bad = counts & ~finite
    if not bad.any():
        return _of_the_result(loss, kept, values, weight, result)
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    what = f"the loss is {values[place]}"
    if not np.isfinite(weight[place]):
        what = "its weight is not finite, or negative"
    elif of_gradient:
        what = f"its gradient is {_shown(gradient[place])}"
    others = f"; {bad.sum():,} of {bad.size:,} are like that" if bad.sum() > 1 else ""
    others += "" if number is None else f"; call {number:,} of the block"
    cause = _cause(loss, spacing, place, prediction, target, weight)
    if cause is None:
        cause = _size(loss, place, prediction, target, values, of_gradient)
    return NonFiniteError(
        f"{_named(loss)}: {what}{_at(place)}.",
        received=f"prediction {_shown(prediction[place])} and target {_shown(target[place])}{others}.",
        hint=_filled(cause),
    )


def _of_the_result(loss: Loss, kept: str, values: Any, weight: Any, result: Any) -> NonFiniteError | None:
    """Finite losses whose sum, product with a weight, or rounding is not."""
    import numpy as np

    if np.isfinite(result).all():
        return None
    counted = np.abs(values[weight != 0.0])
    return NonFiniteError(
        f"{_named(loss)}: each loss is finite, and the result is not.",
        received=f"losses up to {_shown(counted.max())} and weights up to {_shown(weight.max())}.",
        hint=_filled(
            f"{kept} cannot hold their sum, or a product with a weight: a mean can be held wherever each loss can; "
            "smaller weights or a wider dtype help too."
        ),
    )


def _cause(loss: Loss, spacing: float, place: tuple[int, ...], prediction: Any, target: Any, weight: Any) -> str | None:
    """What is wrong with the inputs of the row; None where nothing is."""
    import numpy as np

    from lossary.engine.prepare import advice

    xp = dispatch.ops("numpy")
    p, y = prediction[place], target[place]
    if not np.isfinite(weight[place]):
        return "weights are finite, and at least 0: check how they are made."
    if y.dtype.kind == "f" and np.isnan(y).any():
        return (
            'the target is missing. missing="skip" in the host leaves such targets out (in Hugging Face\'s Trainer, '
            "-100 does); or clean the data."
        )
    # A logit of minus infinity is a class that is ruled out.
    spoilt = np.isnan(prediction) if loss.prediction.rows else ~np.isfinite(prediction)
    if spoilt[place].any() and not np.isinf(y).any():
        return _of_the_model(spoilt.any(axis=-1) if loss.prediction.rows else spoilt, weight != 0.0)
    for name, domain, x in (("target", loss.target, y), ("prediction", loss.prediction, p)):
        legal = domain.contains(xp, x, p, spacing)
        if legal is not None and not np.all(legal):
            return f"the {name} must be {domain.wanted}: {advice(name, domain)}"
    if np.isinf(y).any():
        return "the target is infinite: check how targets are made."
    return None


def _of_the_model(spoilt: Any, counts: Any) -> str:
    """What helps where the prediction itself is not finite."""
    if spoilt[counts].all():
        return (
            "all that the model predicts is like that: an input is not finite, or an earlier step has spoilt the "
            "weights. A smaller learning rate or clipped gradients help against too long steps; "
            "torch.autograd.detect_anomaly, jax_debug_nans and tf.debugging.enable_check_numerics find the layer."
        )
    return (
        f"{(spoilt & counts).sum():,} of {counts.sum():,} predictions are like that before the loss sees them: look at "
        "the inputs of this row, at layers that divide or take logarithms or roots, and whether training diverges."
    )


def _size(loss: Loss, place: tuple[int, ...], prediction: Any, target: Any, values: Any, of_gradient: bool) -> str:
    """Legal inputs whose loss cannot be held, or is infinite itself."""
    import numpy as np

    exact = None
    with np.errstate(all="ignore"), contextlib.suppress(Exception):  # a formula of a user's may need arrays of its own
        wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in (prediction, target)]
        formula = loss.gradient if of_gradient and loss.has_gradient else loss.value
        exact = np.asarray(formula(dispatch.ops("numpy"), *wide))[place]
    of = "gradient" if of_gradient else "loss"
    if exact is None:
        return f"the {of} is infinite, or more than {values.dtype} can hold; what came in is legal and finite."
    held = np.isfinite(exact).all()
    diagnosis = f"the {of} " + (
        f"is {_shown(exact)}, which {values.dtype} cannot hold." if held else "itself is infinite."
    )
    if loss.settings.get("from_logits") is False:
        return f"{diagnosis} from_logits=True, without a last activation, keeps the digits of small probabilities."
    if held:
        return (
            f"{diagnosis} Scale targets to a size near 1, or take a loss that grows more slowly; where training "
            "diverges, a smaller learning rate helps."
        )
    return f"{diagnosis} A prediction of 0 or infinity says that what happened cannot happen: predict finite numbers."


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _named(loss: Loss) -> str:
    """The loss; only its name where a table is an array, which says its numbers to nobody under a transform."""
    plain = all(isinstance(setting, bool | float | int | str | tuple) for setting in loss.settings.values())
    return repr(loss) if plain else type(loss).__name__


def _at(place: tuple[int, ...]) -> str:
    """The row, and the entry in it."""
    if not place:
        return ""
    return f" in row {place[0]} of the batch" + (f", at {list(place)}" if len(place) > 1 else "")


def _shown(x: Any) -> str:
    """A number, or the numbers of a row."""
    import numpy as np

    x = np.asarray(x)
    if x.ndim == 0:
        return f"{x.item():.7g}" if x.dtype.kind == "f" else f"{x.item()}"
    numbers = ", ".join(_shown(each) for each in x[:_SHOWN])
    return f"[{numbers}{', …' if len(x) > _SHOWN else ''}]"


def _filled(text: str) -> str:
    """As the hint of an error, which begins 8 columns from the left."""
    return textwrap.fill(text, _WIDTH, initial_indent=" " * 8, subsequent_indent="  ").strip()
