"""The JAX host: pure functions under every transformation."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lossary.jax
from lossary import L2, Huber, Quantile, UsageError
from tests import grid

TRAINABLE = tuple(loss for loss in grid.DEFAULTS if loss.trainable)


def _batch(loss, rows=6):
    prediction, target = grid.ordinary(loss, np.random.default_rng(0), rows).values()
    return jnp.asarray(prediction, dtype="float32"), jnp.asarray(target)


@grid.losses()
def test_the_named_class_and_the_method_are_the_same(loss):
    named = getattr(lossary.jax, type(loss).__name__)
    assert loss.jax() == named(**loss.settings)
    assert hash(loss.jax()) == hash(named(**loss.settings))
    assert pickle.loads(pickle.dumps(loss.jax())) == loss.jax()
    assert loss.jax() != loss.jax(validate=False)


@grid.losses(alike=True)
def test_it_is_unreduced_and_equals_the_free_call(loss):
    predictions, targets = _batch(loss)
    ours = loss.jax()(predictions, targets)
    assert ours.shape == grid.of_losses(loss, rows=6)
    np.testing.assert_array_equal(ours, loss.values(prediction=predictions, target=targets))


@grid.losses(of=TRAINABLE, alike=True)
def test_transformations(loss):
    function = loss.jax()
    predictions, targets = _batch(loss)

    row, row_targets = predictions[0], targets[0]

    def mean(p):
        return function(p, targets).mean()

    def of_row(p):
        return function(p, row_targets).sum()

    @jax.jit
    def traced(p, y):
        both = jax.value_and_grad(lambda p: function(p, y).mean())(p)
        curvature = jax.grad(jax.grad(lambda x: of_row(row.at[0].set(x))))(row[0])
        hessians = jax.hessian(of_row)(row), jax.jacrev(jax.grad(of_row))(row)
        return both, function(p, y), jax.vmap(function)(p, y), curvature, hessians

    (value, gradient), values, mapped, curvature, (hessian, twice) = traced(predictions, targets)
    expected = loss.value_and_gradient(prediction=np.asarray(predictions), target=np.asarray(targets))[1]
    np.testing.assert_allclose(gradient, expected, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(jax.grad(mean)(predictions), expected, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(value, mean(predictions), rtol=1e-6)
    for each in (values, mapped):
        np.testing.assert_allclose(each, function(predictions, targets), rtol=1e-6)
    np.testing.assert_allclose(hessian, twice, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(curvature, hessian[0, 0], rtol=1e-5, atol=1e-7)


def test_it_may_be_static():
    @jax.jit
    def through_a_static_argument(p, y):
        return p, y

    step = jax.jit(lambda function, p, y: function(p, y).mean(), static_argnums=0)
    p, y = jnp.arange(3.0), jnp.ones(3)
    assert step(Huber(2.0).jax(), p, y) == Huber(2.0)(prediction=p, target=y)
    assert through_a_static_argument(p, y)[0].shape == (3,)


def test_a_total_is_a_pytree():
    function = lossary.jax.Huber()
    p, y, weight = jnp.arange(4.0), jnp.zeros(4), jnp.array([1.0, 2.0, 0.0, 1.0])
    total = jax.jit(lambda p, y, w: function.total(p, y, weight=w))(p, y, weight)
    assert len(jax.tree.leaves(total)) == 4  # sum and weight, and what rounding each has lost
    np.testing.assert_allclose(total.mean, Huber()(prediction=p, target=y, weight=weight), rtol=1e-6)
    by_row = jax.vmap(lambda p, y, w: function.total(p, y, weight=w))(p[:, None], y[:, None], weight[:, None])
    summed = jax.tree.map(jnp.sum, by_row)
    np.testing.assert_allclose(summed.mean, total.mean, rtol=1e-6)
    gradient = jax.grad(lambda p: function.total(p, y, weight=weight).mean)(p)
    np.testing.assert_allclose(gradient, [0.0, 0.5, 0.0, 0.25], rtol=1e-6)


def test_an_objective_with_penalties_takes_a_pytree():
    objective = 0.5 * Huber() + Quantile(0.9) + 1e-2 * L2()
    function = objective.jax()
    parameters = {"layer": {"w": jnp.ones((2, 2)), "b": jnp.zeros(2)}}
    p, y = jnp.arange(3.0), jnp.zeros(3)
    value = function(p, y, parameters=parameters)
    losses = 0.5 * Huber()(prediction=p, target=y) + Quantile(0.9)(prediction=p, target=y)
    np.testing.assert_allclose(value, losses + 1e-2 * 4.0, rtol=1e-6)
    gradient = jax.grad(lambda parameters: function(p, y, parameters=parameters))(parameters)
    np.testing.assert_allclose(gradient["layer"]["w"], 2e-2 * jnp.ones((2, 2)), rtol=1e-6)
    with pytest.raises(UsageError, match="penalties"):
        function(p, y)
    with pytest.raises(UsageError, match="has no penalties"):
        Huber().jax()(p, y, parameters=parameters)


@pytest.mark.parametrize("call", [lossary.jax.Huber(), lossary.jax.Huber().total])
def test_foreign_and_missing_arguments_are_told(call):
    p, y = jnp.zeros(3), jnp.ones(3)
    with pytest.raises(UsageError, match=r"(?s)\(predictions, targets\).*Received: labels= and no targets"):
        call(p, labels=y)
    with pytest.raises(UsageError, match=r"(?s)Received: mask="):
        call(p, y, mask=y > 0)
    with pytest.raises(UsageError, match=r"(?s)Received: no targets"):
        call(p)


def test_a_misspelt_class_is_guessed():
    for name in ("Hubber", "Hubr"):
        with pytest.raises(AttributeError, match=r"lossary.jax.*did you mean Huber\?"):
            getattr(lossary.jax, name)
    with pytest.raises(AttributeError, match=r"no attribute 'Qqqq'$"):
        lossary.jax.Qqqq  # noqa: B018  # the attribute is the point


def test_second_derivatives_where_several_classes_are_the_largest() -> None:
    """As in a model whose last layer starts at 0; against JAX's own softmax."""
    rows = jnp.array([[0.0, 0.0, 0.0], [2.0, 2.0, -1.0], [0.3, 1.0, -2.0]])
    classes = jnp.array([1, 0, 2])
    loss_fn = lossary.jax.SparseCategoricalCrossEntropy()
    got = jax.jit(jax.hessian(lambda z: loss_fn(z, classes).sum()))(rows)
    wanted = jax.hessian(lambda z: -jax.nn.log_softmax(z)[jnp.arange(3), classes].sum())(rows)
    np.testing.assert_allclose(got, wanted, atol=1e-6)
