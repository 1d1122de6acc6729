"""Linear models fitted by SciPy on the loss's own gradient: no framework is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from scipy.optimize import minimize

from lossary.compare.profile import Numbers
from lossary.compare.trainers.trainer import Fit, Fold, Member, Trainer

_SHRINKAGE = 1e-3  # of the weights, not of the intercepts: settles what the rows leave open
_RESTARTS = 3  # of the search, whose memory of past gradients misleads it beyond a kink


@final
class LinearTrainer(Trainer):
    """Scores are inputs @ weights + intercepts, one column for each output."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations

    def fit(
        self, folds: Sequence[Fold], members: Sequence[Member], outputs: int, on_scale: tuple[str, ...] = ()
    ) -> list[Fit]:
        return [self._fit(folds[member.fold], member, outputs) for member in members]

    def _fit(self, fold: Fold, member: Member, outputs: int) -> Fit:
        inputs, test = (
            np.column_stack([rows.astype(np.float64), np.ones(len(rows))]) for rows in (fold.inputs, fold.test)
        )
        seen, targets = inputs[fold.kept], fold.targets[fold.kept]
        weight = None if fold.weight is None else fold.weight[fold.kept]
        shape = (inputs.shape[1], outputs)

        def cost(flat: Numbers) -> tuple[float, Numbers]:
            weights = flat.reshape(shape)
            value, gradient = member.loss.value_and_gradient(
                prediction=_shaped(seen @ weights), target=targets, weight=weight
            )
            shrunk = _SHRINKAGE * np.vstack([weights[:-1], np.zeros((1, outputs))])
            steepest = seen.T @ gradient.reshape(len(seen), outputs) + shrunk
            return float(value) + 0.5 * float(np.sum(shrunk * weights)), steepest.ravel()

        weights, iterations = np.zeros(inputs.shape[1] * outputs), 0
        for _ in range(_RESTARTS):
            result: Any = minimize(
                cost, weights, jac=True, method="L-BFGS-B", options={"maxiter": self.iterations - iterations}
            )
            iterations += int(result.nit)
            weights = result.x
            if result.success or iterations >= self.iterations:
                break
        scores = weights.reshape(shape)
        return Fit(inputs[fold.held] @ scores, test @ scores, iterations, np.empty(0))


def _shaped(scores: Numbers) -> Numbers:
    return scores[:, 0] if scores.shape[1] == 1 else scores
