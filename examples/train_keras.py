"""Keras: compile, fit, evaluate, save and load."""

from __future__ import annotations

import pathlib
import tempfile

import keras
import numpy as np
from data import breast_cancer

import lossary

train_X, test_X, train_y, test_y = breast_cancer()

keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.layers.Input((train_X.shape[1],)),
    # A penalty is Keras' own regularizer on a layer.
    keras.layers.Dense(16, activation="relu", kernel_regularizer=lossary.L2(1e-4).keras()),
    keras.layers.Dense(1),
])  # fmt: skip
loss = lossary.BinaryCrossEntropy()
model.compile(keras.optimizers.Adam(0.01), loss=loss.keras(), metrics=lossary.metrics.keras(loss))
model.fit(train_X, train_y, batch_size=64, epochs=10, verbose=2)
scores = model.evaluate(test_X, test_y, verbose=0, return_dict=True)
print(scores)

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "model.keras"
    model.save(path)
    # In another process, `import lossary.keras` before loading: Keras then knows the names in the file.
    loaded = keras.models.load_model(path)
again = loaded.evaluate(test_X, test_y, verbose=0, return_dict=True)
np.testing.assert_allclose(list(again.values()), list(scores.values()), rtol=1e-6)

majority = max(test_y.mean(), 1 - test_y.mean())
assert scores["accuracy"] > majority + 0.2, "no better than guessing"
