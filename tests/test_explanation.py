"""Which row made it NaN: each cause has its sentence, in every framework, compiled or not; nothing is left behind."""

from __future__ import annotations

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
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    DomainError,
    Huber,
    KLDivergence,
    MeanSquaredError,
    NonFiniteError,
    Quantile,
    SparseCategoricalCrossEntropy,
    explanation,
)
from tests import paths
from tests.grid import ALL, DEFAULTS, FRAMEWORKS, cases, never, ordinary, points

BAD = 3  # the row that is spoilt


def compiled(framework: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    match framework.name:
        case "PyTorch":
            torch.compiler.reset()
            return torch.compile(function, backend="aot_eager")
        case "TensorFlow":
            return tf.function(function)
        case "JAX":
            return jax.jit(function)
    return function


@cases(of=DEFAULTS, dtypes=("float32",), thorough=never)
def test_the_row_that_is_nan(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    """Compiled and run before, a layer before the loss: as it is where somebody begins to look for the reason."""
    prediction, target = ordinary(loss, random)
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


@cases(of=ALL, frameworks=("numpy", "torch"), dtypes=("float32",))
def test_no_alarm_where_all_is_finite(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    """At edges and at any magnitude: an error where a loss or a gradient is not finite, and nowhere else."""
    prediction, target = points(loss, random)
    p, y = framework.array(prediction, dtype), framework.array(target, dtype)
    if framework.name == "PyTorch" and loss.trainable:
        p.requires_grad_()
    values = loss(prediction=p, target=y, reduction="none")
    finite = np.isfinite(framework.numpy(values)).all()
    if framework.name == "PyTorch" and loss.trainable:
        finite = finite and bool(torch.autograd.grad(values.sum(), p)[0].isfinite().all())
    if finite:
        with lossary.explain():
            again = loss(prediction=p, target=y, reduction="none")
        np.testing.assert_allclose(framework.numpy(again), framework.numpy(values), rtol=1e-6, atol=1e-30)
    else:
        with pytest.raises(NonFiniteError), lossary.explain():
            loss(prediction=p, target=y, reduction="none")


@pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
def test_what_does_not_count_is_not_looked_at(framework: Any) -> None:
    p, y = framework.array([1.0, math.nan, 1e25], "float32"), framework.array([0.0, 1.0, 0.0], "float32")
    with lossary.explain():
        MeanSquaredError()(prediction=p, target=y, where=np.array([True, False, False]))
        MeanSquaredError()(prediction=p, target=y, weight=np.array([1.0, 0.0, 0.0]))
        MeanSquaredError().compute(
            y, framework.array([0.0, 1.0, math.nan], "float32"), None, None, reduction="mean", missing="skip"
        )
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
        "from_logits=True, and no activation",
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
    assert max(map(len, text.splitlines())) <= 90
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
    with pytest.raises(NonFiniteError, match="the weight is nan"), lossary.explain():
        step(jnp.ones(2), jnp.array([1.0, math.nan]))


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
        lambda: jax.vmap(jax.hessian(lambda p, y: function(p, y).sum()), in_axes=along)(spoilt_rows(), y),
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


def test_nothing_is_left_behind() -> None:
    eager = tf.config.functions_run_eagerly()
    step, p = jax.jit(lambda p: MeanSquaredError()(prediction=p, target=jnp.zeros(2))), jnp.array([0.0, math.nan])
    for spoilt in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with lossary.explain():
                    assert tf.config.functions_run_eagerly()
                    if spoilt:
                        step(p)
            except NonFiniteError:
                pass
        assert not explanation.blocks
        assert tf.config.functions_run_eagerly() == eager
        assert bool(jnp.isnan(step(p)))
        with paths.by_kernels():
            assert lossary.torch.MeanSquaredError()(torch.tensor([0.0, math.nan]), torch.zeros(2)).isnan()


def test_other_errors_come_through() -> None:
    with pytest.raises(ZeroDivisionError), lossary.explain():
        1 / 0  # noqa: B018  # that is the point
    assert not explanation.blocks


def test_within_one_another() -> None:
    def call(number: float) -> None:
        MeanSquaredError()(prediction=np.array([number]), target=np.ones(1))

    def both() -> None:
        with lossary.explain():
            call(1.0)
        call(math.nan)

    with pytest.raises(NonFiniteError, match="row 0"), lossary.explain():
        both()


def test_a_block_without_a_loss_is_no_explanation() -> None:
    with pytest.warns(UserWarning, match="no loss of lossary was called") as caught, lossary.explain():
        torch.nn.functional.mse_loss(torch.zeros(2), torch.tensor([0.0, math.nan]))
    assert caught[0].filename == __file__
