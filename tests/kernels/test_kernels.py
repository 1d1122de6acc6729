"""The fused path against the operations, on NumPy arrays: every loss, kind of call and shape of memory."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, final
from unittest import mock

import ml_dtypes
import numpy as np
import pytest

import lossary
from lossary import Huber, SparseCategoricalCrossEntropy, kernels
from lossary.define.domains.classes import ClassIndex
from lossary.define.domains.numbers import Real
from lossary.define.domains.rows import Row
from lossary.define.loss import Loss, Pointwise, Rowwise
from lossary.define.parameters import parameter
from lossary.kernels import across, machine, threads
from lossary.kernels import kernel as kernel_module
from lossary.kernels.kernel import Kernel
from lossary.kernels.program import Variant, program
from lossary.ops.call import Call
from tests.grid import CLASSES, DEFAULTS, DTYPES, HALVES, PAIRS, ROWS, SHAPED, losses, of_losses, ordinary, points
from tests.paths import by_kernels, counted, in_words

pytestmark = pytest.mark.skipif(kernels.unavailable() is not None, reason=str(kernels.unavailable()))

# How far both paths may be apart, in units in the last place of numbers of size 1 and of the number itself. Each of
# both is at most 4 from the exact one (tests/losses/test_accuracy.py); sums of terms of both signs have the size of the
# terms.
APART = 12
# Those of masks, too, which are tried by whole batches elsewhere.
FITTING = (*PAIRS, *(loss for loss in SHAPED if loss.paired and kernels.fits(loss)))
PLAIN = tuple(loss for loss in PAIRS if not getattr(loss, "class_weight", ()))

dtypes = pytest.mark.parametrize("dtype", DTYPES)


@functools.cache
def is_arithmetic(loss: Loss) -> bool:
    """Whether a sentence needs nothing but what a CPU rounds correctly: then both paths give the same bits."""
    outputs = ("values", "gradient") if loss.trainable else ("values",)
    used = {node.operation for node in program(loss, Variant("float32", outputs)).nodes}
    return not used & {"fma", "scale", "exponent", "fraction", "sum"}


def has_curvature(loss: Loss) -> bool:
    return type(loss).curvature is not Loss.curvature


def call(loss: Loss, prediction: Any, target: Any, **more: Any) -> tuple[Any, ...]:
    """The value and all derivatives that the loss has."""
    arrays = {"prediction": prediction, "target": target, **more}
    if not loss.trainable:
        return (loss(**arrays),)
    if has_curvature(loss):
        return loss.value_gradient_curvature(**arrays)
    return loss.value_and_gradient(**arrays)


def close(one: Any, other: Any, dtype: str, *, ulp: float = APART) -> None:
    eps = float(ml_dtypes.finfo(getattr(ml_dtypes, dtype, dtype)).eps)
    for mine, theirs in zip(one, other, strict=True):
        assert np.shape(mine) == np.shape(theirs)
        assert np.asarray(mine).dtype == np.asarray(theirs).dtype
        wide = [np.asarray(x).astype(np.float64) for x in (mine, theirs)]
        np.testing.assert_allclose(*wide, rtol=ulp * eps, atol=ulp * eps)


def compare(loss: Loss, prediction: Any, target: Any, dtype: str, **more: Any) -> None:
    """Both paths agree on everything that can be asked for."""
    for reduction in ("none", "sum", "mean"):
        arguments = {"reduction": reduction, **more}
        with by_kernels():
            mine = call(loss, prediction, target, **arguments)
        with in_words():
            theirs = call(loss, prediction, target, **arguments)
        if is_arithmetic(loss) and reduction == "none":
            for one, other in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
        close(mine, theirs, dtype)
    with by_kernels():
        mine = loss.total(prediction=prediction, target=target, **more)
    with in_words():
        theirs = loss.total(prediction=prediction, target=target, **more)
    close((mine.sum, mine.weight), (theirs.sum, theirs.weight), dtype)


def given(loss: Loss, dtype: str, random: Any, rows: int = ROWS) -> tuple[Any, Any]:
    prediction, target = ordinary(loss, random, rows=rows).values()
    kind = getattr(ml_dtypes, dtype, dtype)
    return prediction.astype(kind), target if loss.target.indices else target.astype(kind)


# ── one number on both paths ─────────────────────────────────────────────────────────────────────────────────────────


@losses(of=FITTING, dtype=DTYPES)
def test_kernel_equals_the_operations(loss: Any, dtype: str, random: Any) -> None:
    prediction, target = given(loss, dtype, random)
    weight = random.uniform(0.0, 3.0, size=of_losses(loss)).astype(dtype)
    where = random.uniform(size=of_losses(loss)) < 0.7
    hidden = prediction.copy()
    hidden[1::3] = np.resize(np.array([np.nan, np.inf, -np.inf, -1e30], dtype), hidden[1::3].shape)
    unseen = np.arange(ROWS) % 3 != 1
    compare(loss, prediction, target, dtype)
    compare(loss, prediction, target, dtype, weight=weight, where=where)
    if loss not in DEFAULTS:
        return  # settings change what stands inside of weights and masks
    compare(loss, prediction, target, dtype, weight=weight)
    compare(loss, prediction, target, dtype, where=where)
    # One weight for each row, and what is masked or weighs nothing is never looked at.
    compare(loss, hidden, target, dtype, weight=np.where(unseen, 0.7, 0.0).astype(dtype))
    compare(loss, hidden, target, dtype, where=unseen)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.thorough)])
@losses(of=tuple(loss for loss in PLAIN if loss in DEFAULTS and loss.prediction.rows))
def test_short_rows_side_by_side_are_the_same(loss: Any, dtype: str, random: Any) -> None:
    """Two vectors of rows, or five, and some that are left; among them rows of no numbers."""
    count = 43
    prediction, target = given(loss, dtype, random, count)
    if loss.target.indices:
        prediction = prediction.round()  # some of the largest tie
    broken = prediction.copy()
    broken[1::5] = np.resize(np.array([np.nan, np.inf, -np.inf, 0.0], dtype), broken[1::5].shape)
    weight, where = random.uniform(size=count).astype(dtype), random.uniform(size=count) < 0.7
    calls = (
        {"prediction": prediction, "target": target},
        {"prediction": prediction, "target": target, "weight": weight, "where": where, "reduction": "none"},
        {"prediction": broken, "target": target, "where": np.arange(count) % 5 != 1, "reduction": "sum"},
    )
    for arguments in calls:
        with mock.patch.object(across, "pays", return_value=False):
            kernels.compiled.cache_clear()
            theirs = call(loss, **arguments)
        with (
            mock.patch.object(kernel_module, "_MANY_ROWS", 1),
            mock.patch.dict(kernel_module._KNOWN, clear=True),
        ):
            kernels.compiled.cache_clear()
            mine = call(loss, **arguments)
            lengths = {length for _, _, length, _ in kernel_module._KNOWN}
        assert lengths == {None, prediction.shape[-1]}, "it was not compiled, and fell back to rows one after the other"
        close(mine, theirs, dtype)


@final
class Pooled(Rowwise):
    """Of each image the largest pixel of each line; which are the lines, one axis alone says."""

    task = "regression"
    prediction = Row(Row(Real()))
    target = Row(Row(Real()))

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.sum(xp.max((p - y) * (p - y)))


def test_of_rows_of_rows_a_kernel_sees_the_whole_or_nothing(random: Any) -> None:
    assert kernels.path(lossary.Dice()).startswith("compiled")
    assert "cannot be read symbolically" in kernels.path(Pooled())
    p, y = random.normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(
        Pooled()(prediction=p, target=y, reduction="none"), ((p - y) ** 2).max(axis=-1).sum(axis=-1)
    )


@losses(of=DEFAULTS, dtype=HALVES)
def test_half_types(loss: Any, dtype: str, random: Any) -> None:
    prediction, target = given(loss, dtype, random)
    compare(loss, prediction, target, dtype, weight=random.uniform(0.5, 2.0, size=ROWS))


@losses(only=lambda loss: isinstance(loss.target, ClassIndex))
@dtypes
def test_an_ignored_class(loss: Any, dtype: str, random: Any) -> None:
    prediction, target = given(loss, dtype, random)
    weight = random.uniform(0.5, 2.0, size=ROWS).astype(dtype)
    for ignored, more in itertools.product((-100, -1, 0, 2), ({}, {"weight": weight}, {"where": weight < 1.5})):
        y = np.where(np.arange(ROWS) % 3 == 0, ignored, target)
        call = Call((prediction, y), more.get("weight"), more.get("where"), missing=ignored)
        for reduction in ("none", "sum", "mean"):
            with by_kernels():
                mine = loss.compute(call, reduction=reduction)
            theirs = loss.compute(call, reduction=reduction, fused=False)
            close((mine,), (theirs,), dtype)


@losses()
@dtypes
def test_everything_legal(loss: Any, dtype: str, random: Any) -> None:
    """Edges and magnitudes, NaN and infinity among them: NaN, infinity and 0 are where the operations has them."""
    prediction, target = (np.asarray(x) for x in points(loss, random, rows=400).values())
    with np.errstate(over="ignore"):
        prediction = prediction.astype(dtype)
        target = target if loss.target.indices else target.astype(dtype)
    if isinstance(loss.prediction, Real):
        odd = [np.nan, np.inf, -np.inf, -0.0, 0.0, np.finfo(dtype).tiny / 4, np.finfo(dtype).max, -np.finfo(dtype).max]
        prediction[: 2 * len(odd)] = np.repeat(np.array(odd, dtype), 2)[:, None]
    with by_kernels():
        mine = call(loss, prediction, target, reduction="none")
    with in_words():
        theirs = call(loss, prediction, target, reduction="none")
    for one, other in zip(mine, theirs, strict=True):
        for kind in (np.isnan, np.isposinf, np.isneginf):
            np.testing.assert_array_equal(kind(one), kind(other))
    if is_arithmetic(loss):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


# ── every shape of memory ────────────────────────────────────────────────────────────────────────────────────────────

LENGTHS = (*range(1, 71), 127, 128, 129, *range(1009, 1042))


@losses(of=DEFAULTS, only=lambda loss: not loss.prediction.rows)
@dtypes
def test_an_entry_does_not_depend_on_its_place(loss: Any, dtype: str, random: Any) -> None:
    """Every length, and views that start anywhere: the same bits; nothing is read or written beyond the end."""
    prediction, target = (x.ravel() for x in given(loss, dtype, random, rows=1100 // CLASSES))
    weight = random.uniform(0.1, 2.0, size=prediction.shape).astype(dtype)
    whole = call(loss, prediction, target, weight=weight, reduction="none")
    for length, first in [*((n, n % 7) for n in LENGTHS), *((17, k) for k in range(1, 17))]:
        part = slice(first, first + length)
        with by_kernels():
            mine = call(loss, prediction[part], target[part], weight=weight[part], reduction="none")
            total = loss(prediction=prediction[part], target=target[part], weight=weight[part], reduction="sum")
        for one, other in zip(mine, whole, strict=True):
            np.testing.assert_array_equal(one, other[part])
        close((total,), (np.asarray(math.fsum(whole[0][part])).astype(dtype),), dtype, ulp=1)


@losses(of=PLAIN, only=lambda loss: bool(loss.prediction.rows) and loss in DEFAULTS)
@dtypes
def test_rows_of_every_length(loss: Any, dtype: str, random: Any) -> None:
    for classes in (*range(1, 71), 127, 128, 129, 1023, 1024, 1025, 1031):
        with mock.patch("tests.grid.CLASSES", classes):
            prediction, target = given(loss, dtype, random, rows=3)
        with by_kernels():
            mine = call(loss, prediction, target, reduction="none")
        with in_words():
            theirs = call(loss, prediction, target, reduction="none")
        close(mine, theirs, dtype)


def _unaligned(x: Any) -> Any:
    memory = np.zeros(x.nbytes + 1, np.uint8)
    view = memory[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


def _read_only(x: Any) -> Any:
    x = x.copy()
    x.flags.writeable = False
    return x


ARRANGED: dict[str, Callable[[Any], Any]] = {
    "fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "read-only": _read_only,
    "unaligned": _unaligned,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "last axis strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
}


@losses(of=DEFAULTS)
@pytest.mark.parametrize("arranged", ARRANGED)
def test_however_memory_is_arranged(loss: Any, arranged: str, random: Any) -> None:
    prediction, target = given(loss, "float64", random)
    weight, where = random.uniform(0.1, 2.0, size=ROWS), random.uniform(size=ROWS) < 0.7
    arrays = {"prediction": prediction, "target": target, "weight": weight, "where": where}
    before = {name: x.copy() for name, x in arrays.items()}
    strange = {name: ARRANGED[arranged](x) for name, x in arrays.items()}
    with by_kernels():
        mine, plain = call(loss, **strange), call(loss, **arrays)
    for one, other in zip(mine, plain, strict=True):
        np.testing.assert_array_equal(np.asarray(one, dtype=np.float64), other)
    for name, x in arrays.items():
        np.testing.assert_array_equal(x, before[name])


@losses(of=DEFAULTS, only=lambda loss: not loss.prediction.rows)
def test_no_axes_and_no_entries(loss: Any, random: Any) -> None:
    prediction, target = given(loss, "float32", random)
    compare(loss, np.array(prediction[0, 0]), np.array(target[0, 0]), "float32")
    for shape in ((0,), (0, 3), (3, 0)):
        empty = np.zeros(shape, "float32")
        for reduction in ("none", "sum", "mean"):
            mine = call(loss, empty, empty, reduction=reduction)
            with in_words():
                close(mine, call(loss, empty, empty, reduction=reduction), "float32", ulp=0)


@losses(of=DEFAULTS)
@dtypes
def test_results_do_not_depend_on_threads(loss: Any, dtype: str, random: Any, monkeypatch: Any) -> None:
    prediction, target = given(loss, dtype, random, rows=2000)
    weight = random.uniform(0.1, 2.0, size=of_losses(loss, rows=2000)).astype(dtype)
    run, jobs = threads.run, []
    monkeypatch.setattr(threads, "run", lambda work, workers: jobs.append(len(work)) or run(work, workers))
    monkeypatch.setattr(kernel_module, "_WORTH_A_THREAD", 1000)
    for reduction in ("none", "mean"):
        found = []
        for count in (1, 2, 3):
            monkeypatch.setattr(threads, "most", lambda count=count: count)
            jobs.clear()
            with by_kernels():
                found.append(call(loss, prediction, target, weight=weight, reduction=reduction))
            assert set(jobs) == ({count} if count > 1 else set())
        for other in found[1:]:
            # The mean's divisor is a sum too, in another order as well, and the gradient is scaled by it.
            close(other, found[0], dtype, ulp=0 if reduction == "none" else 2)


# ── values that a loss does not take ─────────────────────────────────────────────────────────────────────────────────


def message(loss: Loss, arrays: dict[str, Any]) -> tuple[type, str]:
    with pytest.raises(lossary.errors.LossaryError) as caught:
        loss(**arrays)
    return type(caught.value), str(caught.value)


def illegal(loss: Loss, random: Any) -> Iterator[dict[str, Any]]:
    """Each with one value that is not what the loss takes."""
    prediction, target = given(loss, "float32", random)
    for name, bad in itertools.product(("prediction", "target"), (-0.5, 1.5, 7, -1, CLASSES)):
        arrays = {"prediction": prediction.copy(), "target": target.copy()}
        arrays[name][-1] = bad
        yield arrays
    yield {"prediction": prediction, "target": target, "weight": np.linspace(-1, 1, ROWS)}


@losses(of=DEFAULTS)
def test_the_same_errors(loss: Any, random: Any) -> None:
    refused = 0
    for arrays in illegal(loss, random):
        with in_words():
            try:
                loss(**arrays)
            except lossary.errors.LossaryError as error:
                wanted: Any = type(error), str(error)
            else:
                wanted = None
        if wanted is None:
            loss(**arrays)
        else:
            assert message(loss, arrays) == wanted
            refused += 1
            # Where it does not count it is no error.
            last = np.arange(ROWS) < ROWS - 1
            if "weight" not in arrays:
                loss(**arrays, where=last)
    assert refused


# ── both forms of the instructions ───────────────────────────────────────────────────────────────────────────────────


@losses(of=DEFAULTS)
@dtypes
def test_without_the_instructions_of_avx512(loss: Any, dtype: str, random: Any, monkeypatch: Any) -> None:
    prediction, target = given(loss, dtype, random, rows=37)
    monkeypatch.setattr(machine, "has_avx512", lambda: False)
    monkeypatch.setattr(kernels, "compiled", Kernel)
    compare(loss, prediction, target, dtype)


# ── users' own losses ────────────────────────────────────────────────────────────────────────────────────────────────


class Bump(Pointwise):
    """A user's own, with a parameter and both derivatives."""

    task = "regression"
    width: float = parameter(1.0, above=0, doc="how wide")
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        r = (p - y) / self.width
        return 1.0 - xp.exp(-r * r)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        r = (p - y) / self.width
        return 2.0 * r / self.width * xp.exp(-r * r)


class WithoutGradient(Pointwise):
    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.sqrt(1.0 + (p - y) * (p - y))


class Asking(Pointwise):
    """Looks at the values: no sentence."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        r = p - y
        return r * r if (r > 0.0).all() else xp.abs(r)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        r = p - y
        return 2.0 * r if (r > 0.0).all() else xp.where(r > 0.0, 1.0, -1.0)


class Looking(Pointwise):
    """Uses an array of its own."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return np.linspace(1.0, 2.0, CLASSES) * (p - y) * (p - y)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return np.linspace(1.0, 2.0, CLASSES) * 2.0 * (p - y)


@dtypes
def test_a_users_loss_has_a_kernel(dtype: str, random: Any) -> None:
    for loss in (Bump(), Bump(width=0.3)):
        compare(loss, *given(loss, dtype, random), dtype)


def test_a_users_loss_without_gradient(random: Any) -> None:
    prediction, target = given(WithoutGradient(), "float64", random)
    with by_kernels():
        mine = WithoutGradient()(prediction=prediction, target=target)
    with in_words():
        assert mine == pytest.approx(WithoutGradient()(prediction=prediction, target=target), rel=1e-15)
    with pytest.raises(lossary.errors.DifferentiationError, match="gradient"):
        WithoutGradient().value_and_gradient(prediction=prediction, target=target)


@pytest.mark.parametrize("loss", [Asking(), Looking()], ids=repr)
def test_what_is_no_sentence_runs_in_words(loss: Any, random: Any) -> None:
    prediction, target = given(loss, "float64", random)
    with counted() as count:
        mine = call(loss, prediction, target)
    assert not count.ran
    with in_words():
        close(mine, call(loss, prediction, target), "float64", ulp=0)


def test_numbers_of_one_class_share_their_machine_code(random: Any, monkeypatch: Any) -> None:
    prediction, target = given(Huber(), "float32", random)
    call(Huber(delta=1.0), prediction, target)
    made = mock.Mock(side_effect=AssertionError("compiled again"))
    monkeypatch.setattr(machine, "_machine_code", made)
    for delta in random.uniform(0.1, 5.0, size=20):
        compiled = call(Huber(delta=delta), prediction, target)
        loss = Huber(delta=delta)
        np.testing.assert_allclose(
            compiled[1] * prediction.size, np.clip(prediction - target, -delta, delta), rtol=1e-5
        )
        assert loss.delta == delta


def test_tables_of_one_length_share_their_machine_code(random: Any, monkeypatch: Any) -> None:
    prediction, target = given(SparseCategoricalCrossEntropy(), "float32", random)
    call(SparseCategoricalCrossEntropy(class_weight=(1.0, 2.0, 3.0, 4.0)), prediction, target)
    monkeypatch.setattr(machine, "_machine_code", mock.Mock(side_effect=AssertionError("compiled again")))
    loss = SparseCategoricalCrossEntropy(class_weight=tuple(random.uniform(0.5, 3.0, size=CLASSES)))
    with by_kernels():
        mine = call(loss, prediction, target)
    with in_words():
        close(mine, call(loss, prediction, target), "float32")


@pytest.mark.parametrize("rows", [ROWS, 300])  # along a row, and many short ones side by side
def test_no_table_is_taken_for_another(rows: int, random: Any) -> None:
    """Not where the first that is seen weighs with zeros and ones, which a kernel may know by heart."""
    prediction, target = given(SparseCategoricalCrossEntropy(), "float64", random, rows=rows)
    for weights in ((0.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 1.0), (2.0, 0.5, 1.0, 0.0), (1.0, 1.0, 1.0, 1.0)):
        for from_logits in (True, False):
            loss = SparseCategoricalCrossEntropy(from_logits=from_logits, class_weight=weights)
            inputs = prediction if from_logits else np.exp(prediction) / np.exp(prediction).sum(axis=1, keepdims=True)
            compare(loss, inputs, target, "float64")


SENTENCES = {
    "a target compared by ==": lambda xp, p, y: xp.where(y == 1.0, -xp.log(p), -xp.log(1.0 - p)),
    "a target compared by !=": lambda xp, p, y: xp.where(p != y, xp.abs(p - y), 5.0 + 0.0 * p),
    "log of what is bounded": lambda xp, p, y: xp.log(1.0 + xp.exp(-xp.abs(p - y))),
    "a truth as a number": lambda xp, p, y: (p > y) * (p - y),
    "a number as a condition": lambda xp, p, y: xp.where(y, p * 1.0, p * 2.0),
}


@pytest.mark.parametrize("sentence", SENTENCES.values(), ids=SENTENCES)
def test_sentences_that_could_be_misread(sentence: Any) -> None:
    """What a kernel cannot say, the operations say; never something else."""

    class Misread(Pointwise):
        task = "regression"
        prediction, target = Real(), Real()

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return sentence(xp, p, y)

    prediction, target = np.array([0.9, 0.2, 1.0, np.nan], "float32"), np.array([1.0, 0.0, 1.0, 1.0], "float32")
    call = Call((prediction, target))
    mine, theirs = (Misread().compute(call, reduction="none", fused=fused) for fused in (True, False))
    np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def test_what_is_remembered_of_another_loss_is_not_taken_for_this_ones() -> None:
    halved = functools.cache(lambda number: number * 0.5)

    class Remembering(Pointwise):
        first: float = parameter(1.0, doc="a number")
        second: float = parameter(3.0, doc="another")
        task = "regression"
        prediction, target = Real(), Real()

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return halved(self.first) * (p - y) + halved(self.second) * (p - y) * (p - y)

    for loss in (Remembering(1.0, second=3.0), Remembering(2.0, second=1.0)):
        came = loss(prediction=np.array([2.0, 3.0]), target=np.zeros(2), reduction="none")
        p = np.array([2.0, 3.0])
        np.testing.assert_allclose(came, 0.5 * loss.first * p + 0.5 * loss.second * p * p)


def test_a_derivative_may_be_a_constant() -> None:
    class Square(Pointwise):
        task = "regression"
        prediction, target = Real(), Real()

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return (p - y) * (p - y)

        def gradient(self, xp: Any, p: Any, y: Any) -> Any:
            return 2.0 * (p - y)

        def curvature(self, xp: Any, p: Any, y: Any) -> Any:
            return 2.0

    _, _, curvature = Square().value_gradient_curvature(prediction=np.ones(4), target=np.zeros(4))
    np.testing.assert_array_equal(curvature, np.full(4, 0.5))
