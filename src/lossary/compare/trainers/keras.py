"""Models in Keras, trained by `model.compile` and `model.fit`, one member after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import keras
import numpy as np

import lossary.keras
from lossary.compare.plan import Budget
from lossary.compare.trainers.trainer import Fit, Fold, Member, Trainer, relative
from lossary.ops import seeds

_LEARNING_RATE = 5e-3  # of the default network
_CAREFUL_RATE = 1e-3  # of a user's, which may be deep
_WEIGHT_DECAY = 1e-3


@final
class KerasTrainer(Trainer):
    """Each member as a user of Keras would train it, stopped early at the best weights on the held-out rows.

    Args:
        budget: how long to train.
        build: makes a user's model from the number of features and of outputs; the default network otherwise.
    """

    def __init__(self, budget: Budget, build: Callable[[int, int], Any] | None = None) -> None:
        self.budget = budget
        self.build = build

    def fit(
        self, folds: Sequence[Fold], members: Sequence[Member], outputs: int, on_scale: tuple[str, ...] = ()
    ) -> list[Fit]:
        with seeds.kept():  # which Keras sets
            return [self._fit(folds[member.fold], member, outputs) for member in members]

    def _fit(self, fold: Fold, member: Member, outputs: int) -> Fit:
        keras.utils.set_random_seed(fold.start)  # the same start and the same batches for every loss and setting
        model = self._model(fold.inputs.shape[1], outputs)
        model.compile(
            optimizer=keras.optimizers.AdamW(
                _LEARNING_RATE if self.build is None else _CAREFUL_RATE, weight_decay=_WEIGHT_DECAY
            ),
            loss=lossary.keras.host(member.loss),
            # TensorFlow's XLA takes longer to compile so small a network than the network to train.
            jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
        )
        stop = keras.callbacks.EarlyStopping(patience=self.budget.patience, restore_best_weights=True)
        targets = fold.targets.astype(np.float32) if fold.targets.dtype.kind == "f" else fold.targets

        def rows(which: Any) -> tuple[Any, ...]:
            weight = () if fold.weight is None else (fold.weight[which],)
            return fold.inputs[which], targets[which], *weight

        inputs, seen, *weight = rows(fold.kept)
        history = model.fit(
            inputs,
            seen,
            sample_weight=weight[0] if weight else None,
            validation_data=rows(fold.held),
            batch_size=self.budget.batch,
            epochs=self.budget.epochs,
            callbacks=[stop],
            verbose=0,
        )
        held, test = (
            keras.ops.convert_to_numpy(model(each, training=False)).reshape(len(each), outputs).astype(np.float64)
            for each in (fold.inputs[fold.held], fold.test)
        )
        return Fit(held, test, stop.best_epoch + 1, relative(history.history["val_loss"]))

    def _model(self, features: int, outputs: int) -> Any:
        if self.build is not None:
            return self.build(features, outputs)
        layers = keras.layers
        return keras.Sequential(
            [layers.Input((features,)), layers.Dense(self.budget.hidden, activation="silu"), layers.Dense(outputs)]
        )
