"""A loss of one's own in Keras: a lossary class, a keras.losses.Loss, a function. All three go into `compile`."""

from __future__ import annotations

import keras
import numpy as np
from cauchy import Cauchy
from data import diabetes
from keras import ops

train_X, test_X, train_y, test_y = diabetes()


# As a keras.losses.Loss, Keras' own way: `call` returns one loss per sample, and `get_config` what `__init__` takes.
@keras.saving.register_keras_serializable(package="examples")
class CauchyLoss(keras.losses.Loss):
    def __init__(self, scale: float = 1.0, name: str = "cauchy", **options) -> None:
        super().__init__(name=name, **options)
        self.scale = scale

    def call(self, y_true, y_pred):
        # `fit` hands over (N,) beside the (N, 1) of Dense(1), which would compare every target with every prediction.
        y_true = ops.reshape(y_true, ops.shape(y_pred))
        return ops.mean(0.5 * self.scale**2 * ops.log1p(((y_pred - y_true) / self.scale) ** 2), axis=-1)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


# As a function, Keras' own way.
def cauchy_loss(y_true, y_pred):
    return ops.mean(0.5 * ops.log1p((y_pred - y_true) ** 2), axis=-1)


def train(loss) -> list[float]:
    """The loss in each epoch."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.layers.Input((train_X.shape[1],)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])  # fmt: skip
    model.compile(keras.optimizers.Adam(0.01), loss=loss)
    return model.fit(train_X, train_y, epochs=10, verbose=0).history["loss"]


if __name__ == "__main__":
    # As a lossary class, written once in cauchy.py; it saves and loads with the model.
    ours, theirs = train(Cauchy(scale=1.5).keras()), train(CauchyLoss(1.5))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    for name, losses in {"lossary": ours, "class": theirs, "function": train(cauchy_loss)}.items():
        print(f"{name:9} {losses[0]:.3f} -> {losses[-1]:.3f}")
        assert losses[-1] < losses[0]
