"""Losses of the catalogue that are each other, up to a factor and to how the target is written: both sides agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lossary
from lossary import catalogue
from lossary.define.identity import Identity
from lossary.define.loss import Loss
from tests.grid import EACH, EVERY, points

# Every loss that is a multiple of another: as it is tried elsewhere, and where the identity says that it holds.
BOTH_SIDES = {
    (loss, factor, other)
    for each in EVERY
    for loss in (each, *(type(each)(**identity.when) for identity in each.identities))
    for factor, other in catalogue.multiples(loss)
}


def written_for(other: Loss, loss: Loss, y: Any) -> Any:
    """The target of one loss as the other takes it."""
    if loss.target == other.target or not other.target.says_class:
        return y
    return other.target.encode(loss.target.decide(y, np.argmax), 2)


@pytest.mark.parametrize(
    ("loss", "factor", "other"),
    [pytest.param(*sides, id=f"{sides[0]!r}: {sides[2]!r}") for sides in sorted(BOTH_SIDES, key=repr)],
)
def test_both_sides_agree(loss: Loss, factor: float, other: Loss, random: Any) -> None:
    prediction, target = points(loss, random, rows=200).values()
    sides = [(loss, target), (other, written_for(other, loss, target))]
    answers = [each.value_and_gradient(prediction=prediction, target=y, reduction="none") for each, y in sides]
    for ours, theirs in zip(*answers, strict=True):
        # Slopes by what a mask is made of are sums of terms of both signs.
        row = tuple(range(1, ours.ndim)) if loss.prediction.axes > 1 else ()
        size = np.abs(factor * theirs).max(axis=row, keepdims=True)
        assert (np.abs(ours - factor * theirs) <= 1e-13 * size).all()


def test_a_wrong_factor_would_be_seen(random: Any) -> None:
    with pytest.raises(AssertionError):
        test_both_sides_agree(lossary.Expectile(0.5), 1.0, lossary.MeanSquaredError(), random)


def test_each_identity_holds_somewhere() -> None:
    for loss in EACH:
        for identity in loss.identities:
            assert identity.applies(type(loss)(**identity.when)), (loss, identity)


def test_an_identity_holds_where_it_says_and_nowhere_else() -> None:
    identity = Identity("Huber(beta)", "1 / beta", when={"shape": 2.0}, whatever=("labels",))
    assert not identity.applies(lossary.Huber(2.0))  # delta is named nowhere, and not its default
    assert catalogue.multiples(lossary.SmoothL1(0.25)) == [(4.0, lossary.Huber(0.25))]
    assert catalogue.multiples(lossary.PowerError(1.5)) == []
    assert catalogue.multiples(lossary.SoftMargin(labels=(0, 1))) == [(1.0, lossary.BinaryCrossEntropy())]


def test_the_scale_of_a_prior_does_not_matter(random: Any) -> None:
    prediction, target = points(lossary.LogitAdjusted(), random, rows=200).values()
    one, other = lossary.LogitAdjusted((900, 81, 1, 4), tau=0.5), lossary.LogitAdjusted((0.3, 0.09, 0.01, 0.02))
    arrays = {"prediction": prediction, "target": target, "reduction": "none"}
    for ours, theirs in zip(one.value_and_gradient(**arrays), other.value_and_gradient(**arrays), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


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
