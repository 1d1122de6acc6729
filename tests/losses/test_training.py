"""Every trainable loss trains a small model on real data, in PyTorch and in JAX, to better than the best constant."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.metrics import mean_pinball_loss
from sklearn.preprocessing import StandardScaler

from lossary import catalogue, metrics
from lossary.define.domains.classes import Labels
from lossary.define.loss import Loss
from lossary.ops import dispatch
from tests.grid import DEFAULTS, chosen, generator, one_of_each, settings_of

STEPS = 60
NUMPY = dispatch.ops("numpy")
ITSELF = "the loss itself"  # where no metric is about what it estimates


@dataclasses.dataclass(frozen=True)
class Case:
    """Real data as the loss takes them, and how well the best constant does."""

    X: Any
    target: Any
    outputs: int
    metric: str
    constant: float
    greater: bool


@functools.cache
def case_for(loss: Loss) -> Case:
    if loss.target.rows and not loss.target.says_class:
        return _of_rows(loss)
    if loss.task == "regression":
        X, y = load_diabetes(return_X_y=True)
        y = StandardScaler().fit_transform(y[:, None])[:, 0] if loss.target.takes_all else y / y.mean()
        on_a_circle = loss.estimates == "circular mean"  # of which the targets take a part
        y = 0.15 * y if on_a_circle else y
        known = metrics.sklearn(loss) if loss.prediction.says_estimate else {}
        if "pinball" in known:
            level = loss.settings.get("level", 0.5)
            best = np.full_like(y, np.quantile(y, level))
            metric, constant = "pinball", mean_pinball_loss(y, best, alpha=level)
        elif not known:  # of a row that predicts no single number
            tried = loss.prediction.sample(generator("constants"), (2000, loss.prediction.size or 3))
            metric, constant = ITSELF, min(float(loss(prediction=np.tile(x, (len(y), 1)), target=y)) for x in tried)
        elif on_a_circle or loss.estimates.endswith(("expectile", "quantile")):
            metric, constant = ITSELF, min(float(loss(prediction=0 * y + x, target=y)) for x in np.linspace(-2, 3, 101))
        else:
            metric, constant = "mae", np.abs(y - np.median(y)).mean()
        return Case(_scaled(X), y.astype("float32"), loss.prediction.size or 1, metric, constant, greater=False)
    if loss.task == "binary":
        X, y = load_breast_cancer(return_X_y=True)
        target = np.where(y, *loss.target.values[::-1]) if isinstance(loss.target, Labels) else y
        return Case(_scaled(X), target.astype("float32"), 1, "accuracy", y.mean(), greater=True)
    X, y = load_iris(return_X_y=True)
    if loss.task == "ordinal":
        tried = loss.prediction.ordinary(generator("constants"), (2000, 2))
        constant = min(float(loss(prediction=np.tile(x, (len(y), 1)), target=y)) for x in tried)
        return Case(_scaled(X), y, 2, ITSELF, constant, greater=False)
    target = y if loss.target.indices else np.eye(3, dtype="float32")[y]
    if loss.task == "distribution":  # what an uncertain annotator would say
        target = 0.85 * target + np.float32(0.05)
    return Case(_scaled(X), target, 3, "accuracy", 1 / 3, greater=True)


def _of_rows(loss: Loss) -> Case:
    """Whatever a legal row is made of, some of a patient's measurements are, or whether they are above the mean; and
    the others are to tell it."""
    table = _scaled(np.column_stack(load_diabetes(return_X_y=True)[::-1]))
    numbers, rest = np.split(table, [loss.target.size or 3], axis=1)
    low, high = loss.target.low, loss.target.high
    target = np.where(numbers > 0.0, high, low) if np.isfinite(high - low) else loss.target.activate(NUMPY, numbers)
    target = target.astype("float32")
    tried = loss.prediction.activate(NUMPY, numbers[::10])  # each of some, for everybody
    constant = min(float(loss(prediction=np.broadcast_to(each, target.shape), target=target)) for each in tried)
    return Case(rest, target, numbers.shape[1], ITSELF, constant, greater=False)


def _scaled(X):
    return StandardScaler().fit_transform(X).astype("float32")


def judge(loss: Loss, prediction, before: float, after: float) -> None:
    """The loss fell, and the metric beats the constant by a tenth."""
    case = case_for(loss)
    assert after < before
    if case.metric == ITSELF:
        score = float(loss(prediction=prediction, target=case.target))
    else:
        score = metrics.sklearn(loss)[case.metric](case.target, prediction)
    assert score > 1.1 * case.constant if case.greater else score < 0.9 * case.constant


def settings(cls: type[Loss]) -> list[Loss]:
    """The loss at its default, and on probabilities where it takes them; a quantile that is not the median."""
    losses = [cls()]
    if "from_logits" in losses[0].settings:
        losses.append(cls(from_logits=False))
    if "from_log" in losses[0].settings:
        losses.append(cls(from_log=False))
    if "level" in losses[0].settings:
        losses.append(cls(level=0.9))
    if losses[0].prediction.size:
        losses += [cls(**chosen) for chosen in settings_of(cls) if not cls(**chosen).prediction.takes_all][:1]
    return losses


TRAINABLE = [loss for cls in map(type, DEFAULTS) if cls.trainable for loss in settings(cls)]


def trained_in(framework: str) -> list[Any]:
    """A loss in one of the frameworks, and in both where it stands for all that take their inputs so; else it is
    thorough."""
    both = one_of_each(DEFAULTS, "training")
    return [
        pytest.param(
            loss,
            id=repr(loss),
            marks=() if loss in both or framework == chosen(("torch", "jax"), loss) else pytest.mark.thorough,
        )
        for loss in TRAINABLE
    ]


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # models this small only wait for one another
    yield torch
    torch.set_num_threads(threads)


@pytest.mark.parametrize("loss", trained_in("torch"))
def test_torch_loop(loss, torch):
    from torch import nn

    case = case_for(loss)
    X, target = torch.from_numpy(case.X), torch.from_numpy(case.target)
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(X.shape[1], 16), nn.Tanh(), nn.Linear(16, case.outputs))

    def model(X):
        out = layers(X)
        return loss.prediction.activate(dispatch.ops("torch"), out if loss.prediction.rows else out[:, 0])

    criterion = loss.torch()
    optimizer = torch.optim.Adam(layers.parameters(), lr=0.02)
    before = criterion(model(X), target).item()
    for _ in range(STEPS):
        optimizer.zero_grad()
        value = criterion(model(X), target)
        value.backward()
        optimizer.step()
    with torch.no_grad():
        judge(loss, model(X).numpy(), before, criterion(model(X), target).item())


@pytest.mark.parametrize("loss", trained_in("jax"))
def test_jax_jitted_step(loss):
    jax = pytest.importorskip("jax")
    optax = pytest.importorskip("optax")
    case = case_for(loss)
    first, second = jax.random.split(jax.random.key(0))
    parameters = {
        "in": jax.random.normal(first, (case.X.shape[1], 16)) / case.X.shape[1] ** 0.5,
        "out": jax.random.normal(second, (16, case.outputs)) / 4,
        "bias": jax.numpy.zeros(case.outputs),
    }
    loss_fn = loss.jax()
    optimizer = optax.adam(0.02)

    def predict(parameters):
        out = jax.numpy.tanh(case.X @ parameters["in"]) @ parameters["out"] + parameters["bias"]
        return loss.prediction.activate(dispatch.ops("jax"), out if loss.prediction.rows else out[:, 0])

    def cost(parameters):
        return loss_fn(predict(parameters), case.target).mean()

    slope = jax.jit(jax.value_and_grad(cost))

    @jax.jit
    def step(parameters, state, gradient):
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(parameters, updates), state

    state, values = optimizer.init(parameters), []
    for _ in range(STEPS):
        value, gradient = slope(parameters)
        parameters, state = step(parameters, state, gradient)
        values.append(float(value))
    judge(loss, np.asarray(jax.jit(predict)(parameters)), values[0], values[-1])


def test_what_cannot_be_trained_is_known():
    assert {cls.__name__ for cls in catalogue.classes() if not cls.trainable} == {"MulticlassZeroOne", "ZeroOne"}
