"""Losses of the catalogue that are each other, up to a factor and to how the target is written: both sides agree."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import lossary
from lossary.define.loss import Loss
from tests.grid import points


@dataclasses.dataclass(frozen=True)
class Identity:
    """One loss is `factor` times another, whose labels may be written otherwise."""

    loss: Loss
    factor: float
    other: Loss

    def target(self, y: Any) -> Any:
        """The target as the other takes it."""
        ours, theirs = (each.target for each in (self.loss, self.other))
        if ours == theirs or not theirs.says_class:
            return y
        return theirs.encode(ours.decide(y, np.argmax), 2)


IDENTITIES = (
    *(Identity(lossary.SmoothL1(beta), 1 / beta, lossary.Huber(beta)) for beta in (0.25, 1.0, 24.5)),
    Identity(lossary.Quantile(0.5), 0.5, lossary.MeanAbsoluteError()),
    Identity(lossary.Expectile(0.5), 0.5, lossary.MeanSquaredError()),
    Identity(lossary.EpsilonInsensitive(0.0), 1.0, lossary.MeanAbsoluteError()),
    Identity(lossary.SquaredEpsilonInsensitive(0.0), 1.0, lossary.MeanSquaredError()),
    Identity(lossary.SoftMargin(), 1.0, lossary.BinaryCrossEntropy()),
    Identity(lossary.SoftMargin(labels=(0, 1)), 1.0, lossary.BinaryCrossEntropy()),
    Identity(lossary.BinaryFocal(0.0), 1.0, lossary.BinaryCrossEntropy()),
    Identity(lossary.ModifiedHuber(), 4.0, lossary.SmoothedHinge(2.0)),
    Identity(lossary.SquaredMargin(), 1.0, lossary.MeanSquaredError()),
    Identity(lossary.Savage(), 1.0, lossary.Brier()),
    Identity(lossary.Savage(labels=(0, 1)), 1.0, lossary.Brier()),
    Identity(lossary.BinaryFocal(0.0, pos_weight=3.0), 1.0, lossary.BinaryCrossEntropy(pos_weight=3.0)),
    Identity(lossary.CategoricalFocal(0.0), 1.0, lossary.SparseCategoricalCrossEntropy()),
    Identity(lossary.PolyCrossEntropy(0.0), 1.0, lossary.SparseCategoricalCrossEntropy()),
    Identity(lossary.LogitAdjusted(), 1.0, lossary.SparseCategoricalCrossEntropy()),
    Identity(lossary.LogitAdjusted((90, 9, 1, 4), tau=0.0), 1.0, lossary.SparseCategoricalCrossEntropy()),
    Identity(lossary.LogitAdjusted((900, 81, 1, 4), tau=0.5), 1.0, lossary.LogitAdjusted((0.3, 0.09, 0.01, 0.02))),
    *(
        Identity(lossary.Tversky(smooth=size, from_logits=flag), 1.0, lossary.Dice(smooth=2 * size, from_logits=flag))
        for size in (0.0, 1.0)
        for flag in (False, True)
    ),
    Identity(lossary.Tversky(alpha=1.0, beta=1.0), 1.0, lossary.Jaccard()),
)


@pytest.mark.parametrize("identity", [pytest.param(each, id=repr(each.loss)) for each in IDENTITIES])
def test_both_sides_agree(identity: Identity, random: Any) -> None:
    prediction, target = points(identity.loss, random, rows=200).values()
    sides = [(identity.loss, target), (identity.other, identity.target(target))]
    answers = [loss.value_and_gradient(prediction=prediction, target=y, reduction="none") for loss, y in sides]
    for ours, theirs in zip(*answers, strict=True):
        # Slopes by what a mask is made of are sums of terms of both signs.
        row = tuple(range(1, ours.ndim)) if identity.loss.prediction.axes > 1 else ()
        size = np.abs(identity.factor * theirs).max(axis=row, keepdims=True)
        assert (np.abs(ours - identity.factor * theirs) <= 1e-13 * size).all()


def test_a_wrong_factor_would_be_seen(random: Any) -> None:
    with pytest.raises(AssertionError):
        test_both_sides_agree(Identity(lossary.Expectile(0.5), 1.0, lossary.MeanSquaredError()), random)


def test_of_two_classes_the_brier_score_is_twice_that_of_one(random: Any) -> None:
    prediction, target = random.normal(scale=3.0, size=(100, 2)), random.integers(0, 2, size=100)
    ours = lossary.MulticlassBrier().values(prediction=prediction, target=target)
    lead = prediction[:, 1] - prediction[:, 0]
    np.testing.assert_allclose(ours, 2.0 * lossary.Brier().values(prediction=lead, target=1.0 * target), rtol=1e-12)


def test_of_several_labels_the_loss_is_the_mean_of_their_cross_entropies(random: Any) -> None:
    loss = lossary.MultiLabelSoftMargin()
    arrays = points(loss, random, rows=200)
    each = lossary.BinaryCrossEntropy().value_and_gradient(**arrays, reduction="none")
    value, gradient = loss.value_and_gradient(**arrays, reduction="none")
    np.testing.assert_allclose(value, each[0].mean(axis=-1), rtol=1e-13)
    np.testing.assert_allclose(gradient, each[1] / gradient.shape[-1], rtol=1e-13)


def test_ranks_are_as_many_labels_as_there_are_steps(random: Any) -> None:
    prediction, target = points(lossary.Coral(), random, rows=200).values()
    passed = 1.0 * (np.arange(prediction.shape[-1]) < target[:, None])
    each = lossary.BinaryCrossEntropy().value_and_gradient(prediction=prediction, target=passed, reduction="none")
    value, gradient = lossary.Coral().value_and_gradient(prediction=prediction, target=target, reduction="none")
    np.testing.assert_allclose(value, each[0].sum(axis=-1), rtol=1e-13)
    np.testing.assert_allclose(gradient, each[1], rtol=1e-13)


def test_of_two_classes_sparsemax_is_a_smoothed_hinge_of_the_lead(random: Any) -> None:
    prediction, target = random.normal(scale=1.5, size=(200, 2)), random.integers(0, 2, size=200)
    ours = lossary.Sparsemax().values(prediction=prediction, target=target)
    lead = prediction[:, 1] - prediction[:, 0]
    theirs = lossary.SmoothedHinge(2.0, labels=(0, 1)).values(prediction=lead, target=1.0 * target)
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-15)


def test_steps_that_are_reached_make_a_probability_of_each_rank(random: Any) -> None:
    loss, ranks = lossary.Corn(), np.arange(5)
    prediction = random.normal(scale=2.0, size=(50, 4))
    values = loss.values(prediction=np.repeat(prediction, 5, axis=0), target=np.tile(ranks, 50)).reshape(50, 5)
    above = np.cumprod(1.0 / (1.0 + np.exp(-prediction)), axis=-1)
    chances = -np.diff(above, axis=-1, prepend=1.0, append=0.0)
    np.testing.assert_allclose(np.exp(-values), chances, rtol=1e-12)
