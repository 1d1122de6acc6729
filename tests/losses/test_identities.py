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
    *(Identity(lossary.HuberQuantile(delta=size), 0.5, lossary.SmoothL1(size)) for size in (0.25, 1.0, 24.5)),
    Identity(lossary.PowerError(1.0), 1.0, lossary.MeanAbsoluteError()),
    Identity(lossary.PowerError(2.0), 1.0, lossary.MeanSquaredError()),
    Identity(lossary.EpsilonInsensitive(0.0), 1.0, lossary.MeanAbsoluteError()),
    Identity(lossary.SquaredEpsilonInsensitive(0.0), 1.0, lossary.MeanSquaredError()),
    Identity(lossary.Barron(2.0), 0.5, lossary.MeanSquaredError()),
    *(Identity(lossary.Barron(1.0, c=c), 1.0, lossary.PseudoHuber(c)) for c in (0.25, 1.0, 24.5)),
    *(Identity(lossary.Barron(0.0, c=c), 1.0, lossary.Cauchy(2**0.5 * c)) for c in (0.25, 1.0, 24.5)),
    *(Identity(lossary.Barron(-2.0, c=c), 1.0, lossary.GemanMcClure(2.0 * c)) for c in (0.25, 1.0, 24.5)),
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


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_barrons_loss_is_continuous_at_its_limits(alpha: float, sign: float, random: Any) -> None:
    prediction, target = points(lossary.Barron(alpha), random, rows=200).values()
    at = lossary.Barron(alpha).value_and_gradient(prediction=prediction, target=target, reduction="none")
    for off in (1e-12, 1e-8, 1e-6, 1e-4):
        beside = lossary.Barron(alpha + sign * off)
        near = beside.value_and_gradient(prediction=prediction, target=target, reduction="none")
        for ours, limit in zip(near, at, strict=True):  # the loss changes by its logarithm times so much
            np.testing.assert_allclose(ours, limit, rtol=40.0 * off + 1e-14)


def test_towards_minus_infinity_barrons_loss_is_that_of_welsch(random: Any) -> None:
    prediction, target = points(lossary.Welsch(), random, rows=200).values()
    ours = lossary.Barron(-1e12, c=2.0).values(prediction=prediction, target=target)
    limit = lossary.Welsch(2.0 * 2.0**0.5).values(prediction=prediction, target=target)
    np.testing.assert_allclose(ours, limit, rtol=1e-9)


def test_the_logistic_distance_is_twice_log_cosh_of_half_the_residual(random: Any) -> None:
    prediction, target = points(lossary.LogCosh(), random, rows=200).values()
    ours = lossary.LogisticDistance().values(prediction=prediction, target=target)
    halves = lossary.LogCosh().values(prediction=0.5 * prediction, target=0.5 * target)
    np.testing.assert_allclose(ours, 2.0 * halves, rtol=1e-13)
