"""A loss of one's own in JAX: a lossary class and a function. Both are differentiated under `jit`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from cauchy import Cauchy
from data import diabetes

train_X, test_X, train_y, test_y = diabetes()


# As a function, JAX's own way: predictions first, unreduced values out.
def cauchy_loss(predictions, targets, scale=1.0):
    if predictions.shape != targets.shape:
        raise ValueError(f"predictions {predictions.shape} and targets {targets.shape} must have the same shape")
    return 0.5 * scale**2 * jnp.log1p(((predictions - targets) / scale) ** 2)


def predict(parameters, X):
    hidden = jax.nn.relu(X @ parameters["hidden"] + parameters["hidden_bias"])
    return (hidden @ parameters["out"])[:, 0] + parameters["out_bias"]


def train(loss_fn) -> tuple[float, float]:
    """The loss on the test rows, before and after."""
    hidden, out = jax.random.split(jax.random.key(0))
    parameters = {
        "hidden": jax.random.normal(hidden, (train_X.shape[1], 16)) / 4,
        "hidden_bias": jnp.zeros(16),
        "out": jax.random.normal(out, (16, 1)) / 4,
        "out_bias": jnp.zeros(()),
    }
    optimizer = optax.adam(0.01)
    state = optimizer.init(parameters)

    @jax.jit
    def cost(parameters, X, y):
        return loss_fn(predict(parameters, X), y).mean()

    @jax.jit
    def step(parameters, state):
        updates, state = optimizer.update(jax.grad(cost)(parameters, train_X, train_y), state)
        return optax.apply_updates(parameters, updates), state

    before = float(cost(parameters, test_X, test_y))
    for _ in range(100):
        parameters, state = step(parameters, state)
    return before, float(cost(parameters, test_X, test_y))


if __name__ == "__main__":
    # As a lossary class, written once in cauchy.py: with checks, masks, totals, and its own gradient.
    ours = Cauchy(scale=1.5).jax()
    for name, loss_fn in {"lossary": ours, "function": cauchy_loss}.items():
        before, after = train(loss_fn)
        print(f"{name:9} {before:.3f} -> {after:.3f}")
        assert after < before
    np.testing.assert_allclose(ours(test_y + 1, test_y), cauchy_loss(test_y + 1, test_y, 1.5), rtol=1e-6)
