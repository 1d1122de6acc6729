"""The plumbing of the four frameworks, tried on sentences small enough to know their answers."""

from __future__ import annotations

import dataclasses
import math
import warnings
from fractions import Fraction
from typing import Any, final

import ml_dtypes
import numpy as np
import pytest

from lossary import BinaryCrossEntropy, CategoricalCrossEntropy, Hinge, Huber, SparseCategoricalCrossEntropy, ZeroOne
from lossary.describe.formula import formula
from lossary.ops import reduce
from tests import grid

nan, inf = math.nan, math.inf

FRAMEWORK = pytest.mark.parametrize("framework", grid.FRAMEWORKS, indirect=True)
DTYPE = pytest.mark.parametrize("dtype", grid.DTYPES)


@final
@dataclasses.dataclass(frozen=True)
class Cubed:
    """scale · (p − y)³ · y, whose written gradient is its true one doubled, to tell who differentiates."""

    scale: float = 1.0
    has_gradient: bool = True
    learned: int = 1

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return self.scale * (p - y) * (p - y) * (p - y) * y

    def gradients(self, xp: Any, p: Any, y: Any) -> Any:
        return (2.0 * (3.0 * self.scale) * (p - y) * (p - y) * y,)


@final
@dataclasses.dataclass(frozen=True)
class Weighted:
    """Σ y p², a row at a time."""

    has_gradient: bool = True
    learned: int = 1

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.sum(y * p * p)

    def gradients(self, xp: Any, p: Any, y: Any) -> Any:
        return (2.0 * y * p,)


@final
@dataclasses.dataclass(frozen=True)
class Chosen:
    """The square of the entry that an index names."""

    has_gradient: bool = True
    learned: int = 1

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.take(p * p, y)

    def gradients(self, xp: Any, p: Any, y: Any) -> Any:
        return (xp.where(xp.is_class(y, p), 2.0 * p, 0.0),)


P = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -3.0]])
Y = np.array([[1.0, 2.0, 0.5], [-1.0, 0.75, 2.0]])

# What Cubed must give: the doubled gradient, the second derivatives of that, and the true derivative by the target.
DP = 6 * (P - Y) ** 2 * Y
DY = (P - Y) ** 3 - 3 * (P - Y) ** 2 * Y
DPDP = 12 * (P - Y) * Y
DPDY = 6 * (P - Y) ** 2 - 12 * (P - Y) * Y
DYDP = 3 * (P - Y) ** 2 - 6 * (P - Y) * Y


def _close(got: Any, wanted: Any, dtype: str = "float64") -> None:
    np.testing.assert_allclose(np.asarray(got, dtype=float), wanted, rtol=1e-6 if dtype == "float32" else 1e-13)


# ── evaluate ─────────────────────────────────────────────────────────────────────────────────────────────────────


@DTYPE
@FRAMEWORK
def test_evaluate_gives_the_value(framework: Any, dtype: str) -> None:
    xp = framework.ops
    p, y = framework.array(P, dtype), framework.array(Y, dtype)
    _close(framework.numpy(xp.evaluate(Cubed(3.0), p, y)), 3 * (P - Y) ** 3 * Y, dtype)
    _close(framework.numpy(xp.evaluate(Weighted(), p, y)), (Y * P * P).sum(-1), dtype)
    index = framework.array(np.array([2, 0], dtype=np.uint8))
    _close(framework.numpy(xp.evaluate(Chosen(), p, index)), [4, 2.25], dtype)


class TestTorch:
    @pytest.fixture
    def xp(self) -> Any:
        from lossary.ops.torch import ops

        return ops

    @pytest.fixture
    def torch(self) -> Any:
        return pytest.importorskip("torch")

    def test_backward(self, torch: Any, xp: Any) -> None:
        p, y = torch.tensor(P, requires_grad=True), torch.tensor(Y, requires_grad=True)
        xp.evaluate(Cubed(), p, y).sum().backward()
        _close(p.grad, DP)
        _close(y.grad, DY)

    def test_double_backward(self, torch: Any, xp: Any) -> None:
        p, y = torch.tensor(P, requires_grad=True), torch.tensor(Y, requires_grad=True)
        dp, dy = torch.autograd.grad(xp.evaluate(Cubed(), p, y).sum(), (p, y), create_graph=True)
        for first, by_p, by_y in ((dp, DPDP, DPDY), (dy, DYDP, None)):
            got = torch.autograd.grad(first.sum(), (p, y), retain_graph=True)
            _close(got[0], by_p)
            if by_y is not None:
                _close(got[1], by_y)

    def test_a_target_made_from_the_prediction_counts_once(self, torch: Any, xp: Any) -> None:
        p = torch.tensor(P, requires_grad=True)
        y = 2 * p
        (dy,) = torch.autograd.grad(xp.evaluate(Cubed(), p, y).sum(), y)
        _close(dy, (-P) ** 3 - 3 * P**2 * (2 * P))

    def test_function_transforms(self, torch: Any, xp: Any) -> None:
        p, y = torch.tensor(P), torch.tensor(Y)

        def total(p: Any, y: Any) -> Any:
            return xp.evaluate(Cubed(), p, y).sum()

        func = torch.func
        _close(func.grad(total)(p, y), DP)
        _close(func.grad(total, 1)(p, y), DY)
        _close(func.vmap(func.grad(total))(p, y), DP)
        _close(func.vmap(func.grad(total, 1))(p, y), DY)
        _close(func.jvp(total, (p, y), (y, p))[1], (DP * Y + DY * P).sum())
        _close(func.jvp(lambda y: total(p, y), (y,), (p,))[1], (DY * P).sum())
        _close(torch.diagonal(func.hessian(total)(p, y).reshape(6, 6)), DPDP.ravel())
        _close(torch.diagonal(func.jacrev(func.jacfwd(total, 1))(p, y).reshape(6, 6)), DYDP.ravel())

    def test_rows(self, torch: Any, xp: Any) -> None:
        p, y = torch.tensor(P), torch.tensor(Y)

        def losses(p: Any, y: Any) -> Any:
            return xp.evaluate(Weighted(), p, y)

        value, pull = torch.func.vjp(losses, p, y)
        _close(pull(torch.tensor([1.0, 10.0], dtype=p.dtype))[0], 2 * Y * P * [[1], [10]])
        _close(torch.func.jvp(losses, (p, y), (y, p))[1], (2 * Y * P * Y + P**3).sum(-1))
        _close(torch.func.vmap(losses)(p, y), value)
        _close(torch.func.vmap(torch.func.grad(losses))(p, y), 2 * Y * P)
        chosen = torch.func.vmap(torch.func.grad(lambda p, y: xp.evaluate(Chosen(), p, y)))
        _close(chosen(p, torch.tensor([2, 0])), [[0, 0, 4], [3, 0, 0]])

    @pytest.mark.parametrize("needs", [(True, False), (True, True), (False, True)])
    def test_compiled(self, torch: Any, xp: Any, needs: tuple[bool, bool]) -> None:
        torch._dynamo.reset()

        def total(p: Any, y: Any) -> Any:
            return xp.evaluate(Cubed(), p, y).sum()

        p, y = (torch.tensor(x, requires_grad=need) for x, need in zip((P, Y), needs, strict=True))
        torch.compile(total, fullgraph=True, backend="aot_eager")(p, y).backward()
        for x, need, wanted in zip((p, y), needs, (DP, DY), strict=True):
            assert (x.grad is not None) == need
            if need:
                _close(x.grad, wanted)
        torch._dynamo.reset()

    def test_backward_keeps_prediction_and_target_only(self, torch: Any, xp: Any) -> None:
        p, y = torch.tensor(P, requires_grad=True), torch.tensor(Y)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.data_ptr()) or x, lambda x: x):
            xp.evaluate(Cubed(), p, y)
        assert sorted(kept) == sorted([p.data_ptr(), y.data_ptr()])

    def test_what_can_be_read(self, torch: Any, xp: Any) -> None:
        x = torch.tensor(P)
        assert xp.readable(x)
        assert not xp.readable(x, x.to("meta"))
        seen = []
        torch.func.vmap(lambda x: seen.append(xp.readable(x)) or x)(x)
        torch.func.grad(lambda x: seen.append(xp.readable(x)) or x.sum())(x)
        assert seen == [False, False]


class TestJAX:
    @pytest.fixture
    def jax(self) -> Any:
        jax = pytest.importorskip("jax")
        with jax.enable_x64(True):
            yield jax

    @pytest.fixture
    def xp(self) -> Any:
        from lossary.ops.jax import ops

        return ops

    @pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
    def test_transforms(self, jax: Any, xp: Any, jit: bool) -> None:
        p, y = jax.numpy.asarray(P), jax.numpy.asarray(Y)
        wrap = jax.jit if jit else lambda function: function

        def total(p: Any, y: Any) -> Any:
            return xp.evaluate(Cubed(), p, y).sum()

        _close(wrap(jax.grad(total))(p, y), DP)
        _close(wrap(jax.grad(total, 1))(p, y), DY)
        _close(wrap(jax.vmap(jax.grad(total)))(p, y), DP)
        _close(wrap(jax.grad(lambda p: jax.grad(total)(p, y).sum()))(p), DPDP)
        _close(wrap(jax.grad(lambda y: jax.grad(total)(p, y).sum()))(y), DPDY)
        _close(wrap(jax.grad(lambda p: jax.grad(total, 1)(p, y).sum()))(p), DYDP)
        _close(jax.numpy.diagonal(wrap(jax.hessian(total))(p, y).reshape(6, 6)), DPDP.ravel())
        _close(wrap(lambda p, y: jax.jvp(total, (p, y), (y, p))[1])(p, y), (DP * Y + DY * P).sum())

    def test_rows(self, jax: Any, xp: Any) -> None:
        p, y = jax.numpy.asarray(P), jax.numpy.asarray(Y)
        value, pull = jax.vjp(lambda p: xp.evaluate(Weighted(), p, y), p)
        _close(pull(jax.numpy.asarray([1.0, 10.0]))[0], 2 * Y * P * [[1], [10]])
        _close(jax.vmap(lambda p, y: xp.evaluate(Weighted(), p, y))(p, y), value)
        index = jax.numpy.asarray([2, 0])
        _close(jax.grad(lambda p: xp.evaluate(Chosen(), p, index).sum())(p), [[0, 0, 4], [3, 0, 0]])

    def test_the_target_is_differentiated_only_when_asked(self, jax: Any, xp: Any) -> None:
        gradient = jax.grad(lambda p: xp.evaluate(Cubed(), p, jax.numpy.asarray(Y)).sum())
        slopes = str(jax.make_jaxpr(gradient)(jax.numpy.asarray(P)).jaxpr.eqns[1:])
        assert slopes.count(" mul ") <= 9  # value, written gradient, upstream; the target's would be seven more

    def test_weak_types_and_scalars(self, jax: Any, xp: Any) -> None:
        _close(jax.grad(lambda p: xp.evaluate(Cubed(), p, 2.0))(5.0), 6 * 9 * 2)

    def test_what_can_be_read(self, jax: Any, xp: Any) -> None:
        x = jax.numpy.asarray(P)
        assert xp.readable(x)
        seen = []
        jax.jit(lambda traced: seen.append(xp.readable(x)) or traced)(x)
        jax.vmap(lambda x: seen.append(xp.readable(x)) or x)(x)
        jax.grad(lambda x: seen.append(xp.readable(x)) or x.sum())(x)
        assert seen == [False, False, False]


class TestTensorFlow:
    @pytest.fixture
    def tf(self) -> Any:
        return pytest.importorskip("tensorflow")

    @pytest.fixture
    def xp(self) -> Any:
        from lossary.ops.tensorflow import ops

        return ops

    def _derivatives(self, tf: Any, xp: Any, p: Any, y: Any) -> Any:
        with tf.GradientTape(persistent=True) as outer:
            outer.watch((p, y))
            with tf.GradientTape() as inner:
                inner.watch((p, y))
                value = xp.evaluate(Cubed(), p, y)
            dp, dy = inner.gradient(value, (p, y))
        return dp, dy, outer.gradient(dp, p), outer.gradient(dp, y), outer.gradient(dy, p)

    @pytest.mark.parametrize("shape", [(2, 3), (None, None), None], ids=["known", "unknown", "unknown rank"])
    @pytest.mark.parametrize("how", ["eager", "function", "xla"])
    def test_nested_tapes(self, tf: Any, xp: Any, how: str, shape: Any) -> None:
        def call(p: Any, y: Any) -> Any:
            return self._derivatives(tf, xp, p, y)

        if how == "xla" and shape is None:
            pytest.skip("XLA needs a rank")
        if how != "eager":
            spec = tf.TensorSpec(shape, tf.float64)
            call = tf.function(call, input_signature=[spec, spec], jit_compile=how == "xla", autograph=False)
        got = call(tf.constant(P), tf.constant(Y))
        for each, wanted in zip(got, (DP, DY, DPDP, DPDY, DYDP), strict=True):
            _close(each, wanted)

    @pytest.mark.parametrize("shape", [(2, 3), (None, None), None], ids=["known", "unknown", "unknown rank"])
    def test_rows(self, tf: Any, xp: Any, shape: Any) -> None:
        def slopes(p: Any, y: Any, index: Any) -> Any:
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(p)
                rows, chosen = xp.evaluate(Weighted(), p, y), xp.evaluate(Chosen(), p, index)
            return tape.gradient(rows, p, tf.constant([1.0, 10.0], tf.float64)), tape.gradient(chosen, p)

        spec, index = tf.TensorSpec(shape, tf.float64), tf.TensorSpec(None if shape is None else shape[:1], tf.int32)
        compiled = tf.function(slopes, input_signature=[spec, spec, index], autograph=False)
        rows, chosen = compiled(tf.constant(P), tf.constant(Y), tf.constant([2, 0]))
        _close(rows, 2 * Y * P * [[1], [10]])
        _close(chosen, [[0, 0, 4], [3, 0, 0]])

    def test_what_can_be_read(self, tf: Any, xp: Any) -> None:
        x = tf.constant(P)
        assert xp.readable(x)
        seen = []
        tf.function(lambda traced: seen.append(xp.readable(x)) or traced, autograph=False)(x)
        assert seen == [False]


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS_OF_ONE = (
    "abs",
    "erf",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sinpi",
    "sqrt",
    "tanh",
    "versinpi",
    "softplus",
    "sigmoid",
    "log_cosh",
    "log1p_bend",
    "expm1_bend",
)


@pytest.mark.parametrize(
    ("framework", "compiled", "dtype"),
    [
        # JAX makes sixty programs of them one by one: float64 has the same words.
        pytest.param(
            framework,
            compiled,
            dtype,
            id=f"{framework}-{'compiled' if compiled else 'eager'}-{dtype}",
            marks=pytest.mark.thorough if (framework, compiled, dtype) == ("jax", False, "float64") else (),
        )
        for framework in grid.FRAMEWORKS
        for compiled in (False, True)
        for dtype in grid.DTYPES
    ],
    indirect=["framework"],
)
def test_nan_passes_every_word(framework: Any, dtype: str, compiled: bool) -> None:
    if compiled and not framework.compiles:
        pytest.skip("NumPy does not compile")
    xp = framework.ops

    def words(x: Any, one: Any) -> list[Any]:
        both = (xp.maximum(x, one), xp.maximum(one, x), xp.maximum(x, 1.0), xp.minimum(x, one), xp.minimum(one, x))
        rest = (xp.clip(x, -1.0, 1.0), xp.product(one, x), xp.product(0.0 * one, x), xp.product(x, one))
        rows = (xp.sum(x), xp.max(x), *xp.softmax_and_complement(x), xp.surprisal(x))
        rest += (xp.scaled_difference(0.5, x, one), xp.shifted_difference(0.5, x, one))
        powers = [xp.power(x, exponent) for exponent in (0.0, 1.0, 1.5, 2.0, -1.0)]
        powers += [xp.remainder(x, divisor) for divisor in (0.5, 24.0)]
        return [*(getattr(xp, word)(x) for word in WORDS_OF_ONE), *powers, *both, *rest, *rows, xp.minimum(0.5, x)]

    x, one = framework.array(np.full((3, 17), nan), dtype), framework.array(np.ones((3, 17)), dtype)
    if compiled:
        from tests.accuracy.measure import compiled_function

        words = compiled_function(type(framework).__name__.lower(), words)
    with np.errstate(all="ignore"):
        got = words(x, one)
    assert [bool(np.isnan(framework.numpy(each)).all()) for each in got] == [True] * len(got)
    some = framework.array(np.where(np.arange(17) == 11, nan, 1.0), dtype)
    assert np.isnan(framework.numpy(xp.max(some)))


@FRAMEWORK
def test_words_of_rows(framework: Any) -> None:
    xp = framework.ops
    rows = framework.array(np.array([[1.0, 5.0, 2.0], [7.0, -1.0, 7.0]]), "float32")
    for kind in (np.uint8, np.int32, np.int64):
        if kind is np.int64 and framework.title == "JAX":
            continue  # it has none here
        index = framework.array(np.array([1, 2], dtype=kind))
        assert framework.numpy(xp.take(rows, index)).tolist() == [5, 7]
        assert framework.numpy(xp.is_class(index, rows)).tolist() == [[False, True, False], [False, False, True]]
        assert framework.numpy(xp.is_below(index, rows)).tolist() == [[True, False, False], [True, True, False]]
        assert framework.numpy(xp.lookup(xp.table((0.5, 1.0, 3.0), rows), index)).tolist() == [1, 3]
    assert framework.numpy(xp.argmax(rows)).tolist() == [1, 0]
    assert framework.numpy(xp.max(rows)).tolist() == [5, 7]
    assert xp.classes(rows) == 3
    assert framework.numpy(xp.sum_of_others(xp.abs(rows))).tolist() == [[7, 3, 6], [8, 14, 8]]
    assert framework.numpy(xp.expand(xp.max(rows), rows)).tolist() == [[5, 5, 5], [7, 7, 7]]


@FRAMEWORK
def test_infinite_logits(framework: Any) -> None:
    xp = framework.ops
    rows = framework.array(np.array([[0.0, inf, 1.0], [0.0, -inf, 0.0]]), "float32")
    with np.errstate(all="ignore"):
        shares, complements = map(framework.numpy, xp.softmax_and_complement(rows))
        surprisals = framework.numpy(xp.surprisal(rows))
    assert shares.tolist() == [[0, 1, 0], [0.5, 0, 0.5]]
    assert complements.tolist() == [[1, 0, 1], [0.5, 1, 0.5]]
    np.testing.assert_allclose(surprisals, [[inf, 0, inf], [math.log(2), inf, math.log(2)]], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64"])
@FRAMEWORK
def test_plain_numbers_keep_their_digits(framework: Any, dtype: str) -> None:
    xp = framework.ops
    x = framework.array(np.array([5.0, -5.0]), dtype)
    for got in (xp.where(x > 0.0, 0.1, x), xp.maximum(x, 0.1), xp.maximum(0.1, x), xp.clip(x, 0.1, 0.1)):
        assert framework.dtype(got) == "float64"
        assert 0.1 in framework.numpy(got).tolist()
    assert framework.numpy(xp.equal(x / 50.0, 0.1)).tolist() == [True, False]


@pytest.mark.parametrize("dtype", ["float64"])
@pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax"], indirect=True)
def test_composed_words_have_their_derivatives_at_0(framework: Any, dtype: str) -> None:
    xp = framework.ops
    zero = framework.array(np.zeros(3), dtype)
    slopes = {"sigmoid": 0.25, "softplus": 0.5, "log_cosh": 0.0, "tanh": 1.0, "sinpi": math.pi, "versinpi": 0.0}
    for word, slope in slopes.items():
        _close(framework.numpy(framework.pulled(getattr(xp, word), zero)[1]), [slope] * 3)
    # 0 · x changes with its weight by x, which a perfect prediction's target gradient needs.
    seven = framework.array(np.full(3, 7.0), dtype)
    _close(framework.numpy(framework.pulled(lambda weight: xp.product(weight, seven), zero)[1]), [7.0] * 3)


@pytest.mark.parametrize("dtype", ["float64"])
@pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax"], indirect=True)
def test_powers_have_their_derivatives_at_0(framework: Any, dtype: str) -> None:
    xp = framework.ops
    x = framework.array(np.array([0.0, 4.0]), dtype)
    for exponent, slopes in ((0.0, [0, 0]), (1.0, [1, 1]), (1.5, [0, 3]), (2.0, [0, 8]), (3.0, [0, 48])):
        _close(framework.numpy(framework.pulled(lambda x, e=exponent: xp.power(x, e), x)[1]), slopes)


@DTYPE
@FRAMEWORK
def test_remainders_are_exact(framework: Any, dtype: str) -> None:
    """Beside arithmetic in fractions; also where the quotient is beyond every float."""
    xp, most = framework.ops, float(np.finfo(dtype).max)
    x = np.array([0.0, 0.3, -0.6, 1.5, -1.5, 7.0, 1e7 + 0.5, 1e30, -most, most / 3], dtype)
    for divisor in (0.1, 1.0, 24.0, 2.0**-60):
        by = Fraction(float(np.dtype(dtype).type(divisor)))
        wanted = [float(x - by * math.ceil(x / by - Fraction(1, 2))) for x in map(Fraction, x.tolist())]
        got = framework.numpy(xp.remainder(framework.array(x, dtype), divisor))
        assert got.tolist() == wanted
        with np.errstate(invalid="ignore"):
            unknown = framework.numpy(xp.remainder(framework.array(np.array([inf, -inf, nan]), dtype), divisor))
        assert np.isnan(unknown).all()
        if framework.differentiates:
            slope = framework.pulled(lambda x, by=divisor: xp.remainder(x, by), framework.array(x, dtype))[1]
            assert (framework.numpy(slope) == 1.0).all()


@FRAMEWORK
def test_powers_at_the_ends(framework: Any) -> None:
    xp = framework.ops
    x = framework.array(np.array([0.0, 1.0, inf, -1.0]), "float32")
    with np.errstate(all="ignore"):
        for exponent, wanted in ((0.0, [1, 1, 1, 1]), (1.5, [0, 1, inf, nan]), (-0.5, [inf, 1, 0, nan])):
            np.testing.assert_array_equal(framework.numpy(xp.power(x, exponent)), np.array(wanted, np.float32))


# ── plumbing ─────────────────────────────────────────────────────────────────────────────────────────────────────


@DTYPE
@FRAMEWORK
def test_accumulate(framework: Any, dtype: str) -> None:
    xp = framework.ops

    def number(exact: Any) -> float:
        return float(framework.numpy(reduce.read(xp, exact, dtype)))

    random = np.random.default_rng(grid.SEED)
    terms = np.concatenate([[1e8], random.normal(size=9999), [-1e8]]).astype(dtype)
    got = number(xp.accumulate(framework.array(terms)))
    wanted = math.fsum(terms.tolist())
    # As good as rounded once, though a plain float32 sum would not have a digit right.
    assert abs(got - wanted) <= 2 * np.spacing(np.float32(abs(wanted))) if dtype == "float32" else 1e-7
    for shape in ((), (0,), (3, 0), (2, 3)):
        assert number(xp.accumulate(framework.array(np.ones(shape), dtype))) == math.prod(shape)
        assert number(xp.count(framework.array(np.ones(shape), dtype))) == math.prod(shape)
        assert float(framework.numpy(xp.largest(framework.array(np.full(shape, 2.0), dtype)))) == 2 * (
            math.prod(shape) > 0
        )
    assert math.isinf(number(xp.accumulate(framework.array(np.array([inf, 1.0]), dtype))))
    assert math.isnan(number(xp.accumulate(framework.array(np.array([inf, -inf]), dtype))))


@DTYPE
@pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax"], indirect=True)
def test_accumulate_is_differentiable(framework: Any, dtype: str) -> None:
    at, xp = framework.array(np.arange(300.0).reshape(3, 100), dtype), framework.ops
    for differentiated in (framework.pulled, framework.traced):
        value, slope = differentiated(lambda x: reduce.read(xp, xp.accumulate(2.0 * x), dtype), at)
        assert float(framework.numpy(value)) == 2 * 299 * 150
        assert (framework.numpy(slope) == 2).all()


def _read_only() -> Any:
    array = np.arange(3.0)
    array.flags.writeable = False
    return array


SOURCES = {
    "list": ([0, 1, 2], None),
    "floats": ([0.0, 1.0, 2.0], "like"),
    "number": (1, None),
    "float": (1.0, "like"),
    "bool": (True, "bool"),
    "float64": (np.arange(3.0), "float64"),
    "float32": (np.arange(3, dtype=np.float32), "float32"),
    "float16": (np.arange(3, dtype=np.float16), "float16"),
    "bfloat16": (np.arange(3).astype(ml_dtypes.bfloat16), "bfloat16"),
    "uint8": (np.arange(3, dtype=np.uint8), "uint8"),
    "bools": (np.array([True, False]), "bool"),
    "negative stride": (np.arange(3.0)[::-1], "float64"),
    "read-only": (_read_only(), "float64"),
    "big-endian": (np.arange(3, dtype=">f4"), "float32"),
    "empty": (np.zeros((0, 3), dtype=np.float32), "float32"),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("dtype", ["float64"])
@FRAMEWORK
def test_convert(framework: Any, dtype: str, name: str) -> None:
    source, wanted = SOURCES[name]
    xp = framework.ops
    like = framework.array(np.array([0.5]), "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = xp.convert(source, like=like)
    if wanted is not None:
        assert xp.dtype(got) == ("float32" if wanted == "like" else wanted)
    assert framework.numpy(got).tolist() == np.asarray(source).astype(float).tolist()
    assert xp.convert(got) is got or framework.numpy(xp.convert(got)).tolist() == framework.numpy(got).tolist()


@pytest.mark.parametrize("dtype", ["float64"])
@FRAMEWORK
def test_python_floats_keep_their_digits_beside_float64(framework: Any, dtype: str) -> None:
    like = framework.array(np.array([0.5]), "float64")
    assert framework.numpy(framework.ops.convert([0.1], like=like)).tolist() == [0.1]
    assert float(framework.numpy(framework.ops.convert(0.1, like=like))) == 0.1


@pytest.mark.parametrize("source", [[[1.0], [1.0, 2.0]], ["a", "b"], [object()]], ids=["ragged", "text", "object"])
@FRAMEWORK
def test_what_makes_no_array(framework: Any, source: Any) -> None:
    """A TypeError or ValueError, or at least no numbers, so that the caller can say what was wanted."""
    try:
        got = framework.ops.convert(source)
    except (TypeError, ValueError):
        return
    assert framework.ops.dtype(got) not in ("float32", "float64", "int64")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int32", "bool"])
@FRAMEWORK
def test_cast(framework: Any, dtype: str) -> None:
    xp = framework.ops
    with framework.precision(dtype):
        got = xp.cast(framework.array(np.array([0.0, 1.0]), "float32"), dtype)
        assert xp.dtype(got) == dtype
        assert framework.numpy(got).astype(float).tolist() == [0, 1]


def test_numpy_stays_quiet() -> None:
    from lossary.ops.numpy import ops as xp

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert xp.cast(np.array([1e300]), "float16").tolist() == [inf]
        assert xp.evaluate(Cubed(), np.array([1e300, inf]), np.array([-1e300, inf])).shape == (2,)
        assert xp.evaluate(Weighted(), np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
        assert xp.accumulate(np.array([1e308, 1e308])) == inf


# ── formulas ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("loss", "text", "latex"),
    [
        (
            Huber(delta=3),
            "(ŷ - y)² / 2        where |ŷ - y| ≤ δ\nδ (|ŷ - y| - δ/2)   otherwise",
            (
                r"\begin{cases} \frac{\left(\hat{y} - y\right)^2}{2} & \text{where } \left|\hat{y} - y\right| "
                r"\le \delta \\ \delta \, \left(\left|\hat{y} - y\right| - \frac{\delta}{2}\right) "
                r"& \text{otherwise} \end{cases}"
            ),
        ),
        (
            BinaryCrossEntropy(from_logits=False),
            "-y log p - (1 - y) log(1 - p)",
            r"-y \, \log p - \left(1 - y\right) \, \log\left(1 - p\right)",
        ),
        (
            CategoricalCrossEntropy(),
            "-Σₖ yₖ log(exp(zₖ) / Σⱼ exp(zⱼ))",
            r"-\sum_k y_k \, \log\left(\frac{e^{z_k}}{\sum_j e^{z_j}}\right)",
        ),
        (
            SparseCategoricalCrossEntropy(),
            "-log(exp(z[y]) / Σₖ exp(zₖ))",
            r"-\log\left(\frac{e^{z_y}}{\sum_k e^{z_k}}\right)",
        ),
        (ZeroOne(), "0   where y s > 0\n1   otherwise", None),
        (Hinge(labels=(0, 1)), "max(0, 1 - (2 y - 1) s)", None),
    ],
    ids=lambda case: type(case).__name__ if not isinstance(case, str | None) else "",
)
def test_a_formula_prints_itself(loss: Any, text: str, latex: str | None) -> None:
    printed = formula(loss)
    assert printed.text == text
    assert latex is None or printed.latex == latex


@grid.losses()
def test_every_loss_has_a_formula(loss: Any) -> None:
    printed = formula(loss)
    assert "object at" not in printed.text + printed.latex
    assert printed.latex.count("{") == printed.latex.count("}")
    assert printed.text.count("(") == printed.text.count(")")
