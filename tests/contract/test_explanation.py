"""Which row made it NaN: each cause has its sentence, in every framework, compiled or not; nothing is left behind."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
import torch

import lossary
import lossary.jax
import lossary.torch
from lossary import (
    L2,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    DomainError,
    Huber,
    KLDivergence,
    MeanSquaredError,
    NonFiniteError,
    Pointwise,
    Quantile,
    SparseCategoricalCrossEntropy,
)
from lossary.check.instruments.accuracy import size_of_terms
from lossary.engine import explanation
from lossary.ops.call import Call
from tests import paths
from tests.grid import DEFAULTS, FRAMEWORKS, PAIRS, cases, losses, ordinary, points

BAD = 3  # the row that is spoilt


def compiled(framework: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    match framework.name:
        case "torch":
            torch.compiler.reset()
            return torch.compile(function, backend="aot_eager")
        case "tensorflow":
            return tf.function(function)
        case "jax":
            return jax.jit(function)
    return function


@losses(of=DEFAULTS, framework=FRAMEWORKS, dtype=("float32",))
def test_the_row_that_is_nan(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    """Compiled and run before, a layer before the loss: as it is where somebody begins to look for the reason."""
    prediction, target = ordinary(loss, random).values()
    one, target = framework.array(1.0, dtype), framework.array(target, dtype)
    step = compiled(framework, lambda p, y: loss(prediction=p * one, target=y))
    step(framework.array(prediction, dtype), target)
    prediction[BAD, -1] = math.nan
    spoilt = framework.array(prediction, dtype)
    with pytest.raises(NonFiniteError) as caught, lossary.explain():
        step(spoilt, target)
    assert f"{loss!r}: the loss is nan in row {BAD} of the batch" in str(caught.value)
    assert "1 of " in str(caught.value)
    assert "predictions are like that before the loss sees them" in str(caught.value)
    assert math.isnan(framework.numpy(step(spoilt, target)))  # and afterwards all is as before


@cases(of=PAIRS, frameworks=("numpy", "torch"), dtypes=("float32",))
def test_no_alarm_where_all_is_finite(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    """At edges and at any magnitude: an error where a loss or a gradient is not finite, and nowhere else."""
    prediction, target = points(loss, random).values()
    p, y = framework.array(prediction, dtype), framework.array(target, dtype)
    if framework.name == "torch" and loss.trainable:
        p.requires_grad_()
    values = loss(prediction=p, target=y, reduction="none")
    finite = np.isfinite(framework.numpy(values)).all()
    if framework.name == "torch" and loss.trainable:
        finite = finite and bool(torch.autograd.grad(values.sum(), p)[0].isfinite().all())
    if finite:
        with lossary.explain():
            again = loss(prediction=p, target=y, reduction="none")
        size = size_of_terms(loss, "value", prediction.astype(dtype), target)
        values, again = map(framework.numpy, (values, again))
        assert (abs(again - values) <= 1e-30 + 1e-6 * np.maximum(abs(values), size)).all()
    else:
        with pytest.raises(NonFiniteError), lossary.explain():
            loss(prediction=p, target=y, reduction="none")


@pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
def test_what_does_not_count_is_not_looked_at(framework: Any) -> None:
    p, y = framework.array([1.0, math.nan, 1e25], "float32"), framework.array([0.0, 1.0, 0.0], "float32")
    with lossary.explain():
        MeanSquaredError()(prediction=p, target=y, where=np.array([True, False, False]))
        MeanSquaredError()(prediction=p, target=y, weight=np.array([1.0, 0.0, 0.0]))
        target = framework.array([0.0, 1.0, math.nan], "float32")
        MeanSquaredError().compute(Call((y, target), missing="skip"), reduction="mean")
    with pytest.raises(NonFiniteError, match="row 2 of the batch"), lossary.explain():
        MeanSquaredError()(prediction=p, target=y, where=np.array([True, False, True]))


def floats(*numbers: Any) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float32, requires_grad=True)


NAN, INF = math.nan, math.inf
CAUSES = {
    "a missing target": (MeanSquaredError(), floats(0, 0), [1.0, NAN], "nan in row 1", 'missing="skip" in the host'),
    "an infinite target": (Huber(), floats(0, 0), [INF, 1.0], "inf in row 0", "the target is infinite"),
    "one row of the model": (Quantile(), floats(0, NAN), [0, 0], "nan in row 1", "1 of 2 predictions are like that"),
    "all of the model": (Quantile(), floats(NAN, NAN), [0, 0], "nan in row 0", "all that the model predicts"),
    "what cannot be held": (
        MeanSquaredError(),
        floats(1, 1e25),
        [0, 0],
        "inf in row 1",
        "e+49, which float32 cannot hold",
    ),
    "keeps the digits": (
        BinaryCrossEntropy(from_logits=False),
        floats(0.5, 0),
        [1, 1],
        "inf in row 1",
        "from_logits=True, without a last activation",
    ),
    "a gradient": (
        BinaryCrossEntropy(from_logits=False),
        floats(0.5, 1e-45),
        [1, 1],
        "its gradient is -inf in row 1",
        "keeps the digits of small",
    ),
    "a row": (
        CategoricalCrossEntropy(),
        floats([0, 1], [NAN, 0]),
        [[1, 0], [0, 1]],
        "nan in row 1",
        "[nan, 0] and target [0, 1]",
    ),
    "a class of probability 0": (
        SparseCategoricalCrossEntropy(from_logits=False),
        floats([1, 0], [1, 0]),
        [0, 1],
        "inf in row 1",
        "target 1",
    ),
    "of a divergence": (
        KLDivergence(from_logits=False),
        floats([1, 0], [1, 0]),
        [[1, 0], [0.5, 0.5]],
        "inf in row 1",
        "keeps the digits",
    ),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_has_its_sentence(cause: str) -> None:
    loss, prediction, target, what, advice = CAUSES[cause]
    target = torch.tensor(target, dtype=torch.int64 if loss.target.indices else torch.float32)
    with pytest.raises(NonFiniteError) as caught, lossary.explain():
        loss(prediction=prediction, target=target)
    text = str(caught.value)
    assert what in text
    assert advice in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 90  # of a loss's own line; hints are filled
    assert isinstance(caught.value, FloatingPointError)


def test_illegal_values_are_found_where_nothing_can_raise() -> None:
    loss, target = lossary.jax.BinaryCrossEntropy(from_logits=False), jnp.array([0.0, 1.0])
    step = jax.jit(jax.value_and_grad(lambda p: loss(p, target).mean()))
    with (
        pytest.raises(NonFiniteError, match=r"prediction 1.2 and target 1(.|\n)*must be from 0 to 1: logits belong to"),
        lossary.explain(),
    ):
        step(jnp.array([0.5, 1.2]))
    with (
        pytest.raises(NonFiniteError, match=r"prediction \[0, 0\] and target 7(.|\n)*class indices from 0 to K - 1"),
        lossary.explain(),
    ):
        jax.jit(lossary.jax.SparseCategoricalCrossEntropy())(jnp.zeros((2, 2)), jnp.array([0, 7]))
    with pytest.raises(DomainError), lossary.explain():  # where it can raise, it is the same error as ever
        loss(jnp.array([0.5, 1.2]), target)


def test_a_weight_that_is_not_finite() -> None:
    step = jax.jit(lambda p, w: MeanSquaredError()(prediction=p, target=jnp.zeros(2), weight=w, reduction="sum"))
    for weight in (math.nan, -1.0, math.inf):
        with pytest.raises(NonFiniteError, match="its weight is not finite, or negative in row 1"), lossary.explain():
            step(jnp.ones(2), jnp.array([1.0, weight]))


def spoilt_rows() -> Any:
    return np.array([[1.0, 2.0], [3.0, 4.0], [1e25, 0.0]], "float32")


@pytest.mark.parametrize("along", [(0, 0), (0, None)])
def test_rows_are_known_under_transforms(along: tuple[int, int | None]) -> None:
    y = np.zeros((3, 2) if along[1] == 0 else 2, "float32")
    criterion, function = lossary.torch.MeanSquaredError(), lossary.jax.MeanSquaredError()
    by_row = [
        lambda: torch.func.vmap(torch.func.grad(criterion), in_dims=along)(
            torch.tensor(spoilt_rows()), torch.tensor(y)
        ),
        lambda: torch.func.grad(lambda p: torch.func.vmap(criterion, in_dims=along)(p, torch.tensor(y)).sum())(
            torch.tensor(spoilt_rows())
        ),
        lambda: jax.vmap(jax.grad(lambda p, y: function(p, y).sum()), in_axes=along)(spoilt_rows(), y),
        lambda: jax.jit(jax.vmap(jax.grad(lambda p, y: function(p, y).sum()), in_axes=along))(spoilt_rows(), y),
        lambda: jax.jit(jax.vmap(jax.hessian(lambda p, y: function(p, y).sum()), in_axes=along))(spoilt_rows(), y),
    ]
    for call in by_row:
        with pytest.raises(NonFiniteError, match=r"row 2 of the batch, at \[2, 0\]"), lossary.explain():
            call()


def test_the_first_step_of_a_training_that_diverges() -> None:
    """The loss overflows one step before the weights are lost: that step is reported."""
    torch.manual_seed(0)
    x, y = torch.randn(16, 3), torch.randn(16)
    layer, criterion = torch.nn.Linear(3, 1), lossary.torch.MeanSquaredError()
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e6)

    def train() -> None:
        for _ in range(20):
            optimizer.zero_grad()
            criterion(layer(x)[:, 0], y).backward()
            optimizer.step()

    with pytest.raises(NonFiniteError, match=r"the loss is inf(.|\n)*float32 cannot hold"), lossary.explain():
        train()
    assert all(bool(each.isfinite().all()) for each in layer.parameters())


def test_objectives_and_totals() -> None:
    spoilt, y = torch.tensor([0.0, math.nan]), torch.zeros(2)
    for call in (
        lambda: (0.5 * Huber() + Quantile()).torch()(spoilt, y),
        lambda: Huber().torch().total(spoilt, y),
        lambda: Huber().value_and_gradient(prediction=spoilt.numpy(), target=y.numpy()),
    ):
        with pytest.raises(NonFiniteError, match=r"Huber\(delta=1.0\): the loss is nan in row 1"), lossary.explain():
            call()


BIG = 1.8e19  # whose square float32 can hold, and not four times that


@pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
def test_finite_losses_whose_result_is_not(framework: Any) -> None:
    big, zero = framework.array(np.full(4, BIG), "float32"), framework.array(np.zeros(4), "float32")
    half = framework.array(np.full(4, 300.0), "float16")
    nothing = framework.array(np.zeros(4), "float16")
    calls = (
        ("float32", lambda: MeanSquaredError()(prediction=big, target=zero, reduction="sum")),
        ("float32", lambda: MeanSquaredError()(prediction=big, target=zero, weight=np.full(4, 9.0), reduction="none")),
        ("float16", lambda: MeanSquaredError()(prediction=half, target=nothing, reduction="none")),
    )
    for dtype, call in calls:
        with (
            pytest.raises(NonFiniteError, match=rf"each loss is finite, and the result is not(.|\n)*{dtype} cannot"),
            lossary.explain(),
        ):
            call()
    with lossary.explain():  # the mean can be held
        MeanSquaredError()(prediction=big, target=zero)


def test_factors_and_penalties_that_are_not_finite() -> None:
    p, y = torch.zeros(2), torch.ones(2)
    model = torch.nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(1e30)
    for criterion in (
        (torch.tensor(math.nan) * Huber() + 0.5 * Quantile()).torch(),
        (Huber() + L2()).torch(model=model),
    ):
        with pytest.raises(NonFiniteError, match="and what is made of them is not"), lossary.explain():
            criterion(p, y)
    scale = jax.jit(lambda s: ((s * Huber()).jax())(jnp.zeros(2), jnp.ones(2)).mean())
    with pytest.raises(NonFiniteError, match="what is made of them is not"), lossary.explain():
        scale(jnp.asarray(math.inf))


def test_gradients_without_a_framework() -> None:
    loss = BinaryCrossEntropy(from_logits=False)
    with pytest.raises(NonFiniteError, match="its gradient is -inf in row 0"), lossary.explain():
        loss.value_and_gradient(prediction=np.array([5e-324]), target=np.ones(1))


def test_a_logit_of_minus_infinity_rules_a_class_out() -> None:
    loss, logits = SparseCategoricalCrossEntropy(), torch.tensor([[0.0, -math.inf], [0.0, 1.0]])
    with lossary.explain():
        loss(prediction=logits, target=torch.tensor([0, 1]))
    with pytest.raises(NonFiniteError, match=r"the loss itself is infinite(.|\n)*cannot happen"), lossary.explain():
        loss(prediction=logits, target=torch.tensor([1, 1]))


def test_what_does_not_count_does_not_hide_that_all_is_spoilt() -> None:
    p, y = torch.full((4,), math.nan), torch.tensor([1.0, 2.0, 3.0, math.nan])
    with pytest.raises(NonFiniteError, match="all that the model predicts"), lossary.explain():
        lossary.torch.MeanSquaredError(missing="skip")(p, y)


def test_tables_are_read_by_their_place() -> None:
    loss = BinaryCrossEntropy(pos_weight=(1.0, 3.0))
    logits = torch.tensor([[0.0, -3e38]])
    with pytest.raises(NonFiniteError, match=r"the loss is 9e\+38, which float32 cannot hold"), lossary.explain():
        loss(prediction=logits, target=torch.ones(1, 2))
    with pytest.raises(NonFiniteError, match=r"^BinaryCrossEntropy: the loss is nan in row 0"), lossary.explain():
        loss.torch().bfloat16()(torch.tensor([[1.0, math.nan]]), torch.ones(1, 2))


def test_within_two_vmaps() -> None:
    x, y = torch.ones(2, 3, 4), torch.zeros(2, 3, 4)
    call = torch.func.vmap(torch.func.vmap(lossary.torch.MeanSquaredError()))
    with lossary.explain():
        torch.testing.assert_close(call(x, y), torch.ones(2, 3))
    x[1, 2, 3] = math.nan
    with pytest.raises(NonFiniteError, match=r"row 1 of the batch, at \[1, 2, 3\]"), lossary.explain():
        call(x, y)
    moved = torch.func.vmap(torch.func.vmap(lossary.torch.MeanSquaredError(), in_dims=(1, None)), in_dims=(2, None))
    with pytest.raises(NonFiniteError, match=r"at \[3, 2, 1\]"), lossary.explain():
        moved(x, torch.zeros(2))


def test_blocks_that_overlap() -> None:
    """As those of threads or of generators do: what is set stays until the last has ended, and not longer."""
    first, second = lossary.explain(), lossary.explain()
    eager, stance = tf.config.functions_run_eagerly(), torch._dynamo.eval_frame._stance.stance
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert tf.config.functions_run_eagerly()
        second.__exit__(None, None, None)
    assert tf.config.functions_run_eagerly() == eager
    assert torch._dynamo.eval_frame._stance.stance == stance


def test_what_cannot_be_looked_at_is_said() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    meta = torch.empty(2, device="meta")
    criterion = lossary.torch.MeanSquaredError()

    def counted() -> None:
        with FlopCounterMode(display=False):
            criterion(torch.zeros(2), torch.zeros(2))

    for call in (lambda: criterion(meta, meta), counted):
        with pytest.warns(UserWarning, match="1 calls could not be looked at"), lossary.explain():
            call()


def test_what_was_compiled_within_is_silent_afterwards() -> None:
    with lossary.explain():
        step = jax.jit(lambda p: MeanSquaredError()(prediction=p, target=jnp.zeros(2))).lower(jnp.zeros(2)).compile()
        step(jnp.zeros(2))
    assert bool(jnp.isnan(step(jnp.array([0.0, math.nan]))))


def test_an_error_that_comes_later_is_not_replaced() -> None:
    def survive() -> None:
        try:
            MeanSquaredError()(prediction=np.array([math.nan]), target=np.ones(1))
        except NonFiniteError:
            raise KeyError("something else") from None

    with pytest.raises(KeyError, match="something else"), lossary.explain():
        survive()


def test_nothing_is_left_behind() -> None:
    eager = tf.config.functions_run_eagerly()
    step, p = jax.jit(lambda p: MeanSquaredError()(prediction=p, target=jnp.zeros(2))), jnp.array([0.0, math.nan])
    for spoilt in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(NonFiniteError) if spoilt else contextlib.nullcontext(), lossary.explain():
                assert tf.config.functions_run_eagerly()
                if spoilt:
                    step(p)
        assert not explanation.blocks
        assert tf.config.functions_run_eagerly() == eager
        assert bool(jnp.isnan(step(p)))
        with paths.by_kernels():
            assert lossary.torch.MeanSquaredError()(torch.tensor([0.0, math.nan]), torch.zeros(2)).isnan()


def test_calls_are_counted() -> None:
    fine, spoilt, y = torch.zeros(2), torch.tensor([0.0, math.nan]), torch.zeros(2)
    objective = (0.5 * Huber() + Quantile()).torch()

    def train() -> None:
        for p in (fine, fine, spoilt):
            objective(p, y)

    with pytest.raises(NonFiniteError, match=r"Huber(.|\n)*call 5 of the block"), lossary.explain():
        train()  # of two losses each


def test_a_formula_that_cannot_be_asked_again_is_not_said_to_be_infinite() -> None:
    class OnlyInPyTorch(Pointwise):
        """A loss of a user's own, for one framework."""

        task = "regression"
        prediction, target = MeanSquaredError.prediction, MeanSquaredError.target

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return (p - y).square()

    with pytest.raises(NonFiniteError, match=r"infinite, or more than float32\s+can hold"), lossary.explain():
        OnlyInPyTorch()(prediction=torch.tensor([1e30]), target=torch.zeros(1))


def test_other_errors_come_through() -> None:
    with pytest.raises(ZeroDivisionError), lossary.explain():
        raise ZeroDivisionError
    assert not explanation.blocks


def test_within_one_another() -> None:
    def call(number: float) -> None:
        MeanSquaredError()(prediction=np.array([number]), target=np.ones(1))

    def both() -> None:
        with lossary.explain():
            call(1.0)
        call(math.nan)

    with lossary.explain(), lossary.explain():  # a call of the inner one is one of the outer one
        call(1.0)

    with pytest.raises(NonFiniteError, match="row 0"), lossary.explain():
        both()


def test_a_block_without_a_loss_is_no_explanation() -> None:
    with pytest.warns(UserWarning, match="no loss of lossary was called") as caught, lossary.explain():
        torch.nn.functional.mse_loss(torch.zeros(2), torch.tensor([0.0, math.nan]))
    assert caught[0].filename == __file__
