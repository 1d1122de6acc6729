"""JAX: a jitted step with optax, an objective of two losses and a penalty."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from data import diabetes

import lossary
from lossary import L2, Huber, Quantile

train_X, test_X, train_y, test_y = diabetes()

objective = 0.7 * Huber(1.0) + 0.3 * Quantile(0.5) + 1e-3 * L2(biases=False)
loss_fn = objective.jax()
optimizer = optax.adam(0.05)


def predict(parameters, X):
    return X @ parameters["weights"] + parameters["bias"]


def cost(parameters, X, y):
    return loss_fn(predict(parameters, X)[:, 0], y, parameters=parameters)


@jax.jit
def step(parameters, state):
    value, gradient = jax.value_and_grad(cost)(parameters, train_X, train_y)
    updates, state = optimizer.update(gradient, state)
    return optax.apply_updates(parameters, updates), state, value


parameters = {"weights": jnp.zeros((train_X.shape[1], 1)), "bias": jnp.zeros(())}
state = optimizer.init(parameters)
for epoch in range(100):
    parameters, state, value = step(parameters, state)
    if epoch % 20 == 0:
        print(f"epoch {epoch}  objective {value:.4f}")

prediction = predict(parameters, test_X)[:, 0]
terms = objective.terms(prediction=prediction, target=test_y, parameters=parameters)
print({name: round(float(share), 4) for name, share in terms.items()})

scores = {name: metric(test_y, np.asarray(prediction)) for name, metric in lossary.metrics.sklearn(Huber()).items()}
print({name: round(score, 3) for name, score in scores.items()})
assert scores["mae"] < np.abs(test_y - np.median(train_y)).mean(), "no better than the best constant"
