"""Losses of masks: what they are by definition, mask by mask."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import lossary


def lovasz(short: Any, true: Any) -> float:
    """The Lovász extension of 1 − intersection over union: its integral over all levels, of the pixels beyond each."""

    def apart(wrong: Any) -> float:
        predicted = np.where(wrong, ~true, true)
        union = (predicted | true).sum()
        return 1.0 - (predicted & true).sum() / union if union else 0.0

    levels = sorted({0.0, *short[short > 0.0]})
    return sum((high - low) * apart(short >= high) for low, high in itertools.pairwise(levels))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("digits", [0, 8])  # of scores that tie, and of scores that do not
def test_lovasz_hinge_is_the_extension_of_1_less_the_intersection_over_union(
    random: Any, share: float, digits: int
) -> None:
    scores, true = np.round(random.normal(size=(20, 3, 4)), digits), random.uniform(size=(20, 3, 4)) < share
    losses = lossary.LovaszHinge().values(prediction=scores, target=true)
    wanted = [
        lovasz(1.0 - np.where(y, 1.0, -1.0) * p, y)
        for p, y in zip(scores.reshape(20, 12), true.reshape(20, 12), strict=True)
    ]
    np.testing.assert_allclose(losses, wanted, rtol=1e-12)


def test_lovasz_hinge_of_masks_far_apart_or_the_same_is_how_much_does_not_overlap() -> None:
    true = np.array([[1.0, 1.0, 1.0, 0.0, 0.0]])
    predicted = np.array([[1.0, 1.0, 0.0, 1.0, 0.0]])
    loss = lossary.LovaszHinge(axes=1)
    assert loss(prediction=2.0 * true - 1.0, target=true) == 0.0
    # Wrong by twice the margin, each pixel costs twice what it takes away.
    assert loss(prediction=2.0 * predicted - 1.0, target=true) == pytest.approx(2.0 * (1.0 - 2.0 / 4.0))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("classes", ["present", "all"])
@pytest.mark.parametrize("weight", [(), (0.0, 1.0, 3.0, 0.5)])
def test_lovasz_softmax_is_the_mean_of_the_extensions_of_its_classes(
    random: Any, tied: bool, classes: str, weight: Any
) -> None:
    loss = lossary.LovaszSoftmax(from_logits=False, classes=classes, class_weight=weight)
    rows = lossary.LovaszSoftmax(from_logits=False, classes=classes, class_weight=weight, one_hot=True)
    for _ in range(20):
        index = random.integers(0, 3, size=(3, 4))  # without class 3
        shares = (
            random.multinomial(8, np.full(4, 0.25), size=(3, 4)) / 8.0 if tied else random.dirichlet(np.ones(4), (3, 4))
        )
        true, of_class = np.eye(4)[index], weight or np.ones(4)
        each = [lovasz(np.abs(true - shares)[..., k].ravel(), true[..., k].ravel() > 0.5) for k in range(4)]
        counted = [classes == "all" or true[..., k].any() for k in range(4)]
        wanted = np.average(each, weights=np.where(counted, of_class, 0.0))
        assert loss(prediction=shares, target=index) == pytest.approx(wanted, rel=1e-12)
        assert rows(prediction=shares, target=true) == pytest.approx(wanted, rel=1e-12)


def test_lovasz_softmax_of_certain_masks_is_1_less_the_mean_intersection_over_union(random: Any) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    said, true = random.integers(0, 4, size=(2, 3, 50))
    cost = lossary.LovaszSoftmax(from_logits=False)(prediction=np.eye(4)[said], target=true)
    assert cost == pytest.approx(1.0 - metrics.jaccard_score(true.ravel(), said.ravel(), average="macro"))
    assert lossary.LovaszSoftmax()(prediction=1e3 * np.eye(4)[true], target=true) == 0.0


def test_a_pixel_that_weighs_twice_is_there_twice(random: Any) -> None:
    logits, index = random.normal(size=(12, 4)), random.integers(0, 4, size=12)
    weight = random.integers(0, 4, size=12)
    loss, often = lossary.LovaszSoftmax(), np.repeat(np.arange(12), weight)
    value, gradient = loss.value_and_gradient(prediction=logits, target=index, weight=weight)
    wanted, slopes = loss.value_and_gradient(prediction=logits[often], target=index[often])
    assert value == pytest.approx(wanted, rel=1e-13)
    summed = np.zeros_like(logits)
    np.add.at(summed, often, slopes)
    np.testing.assert_allclose(gradient, summed, rtol=1e-12, atol=1e-15)


def test_pytorch_has_the_classes_of_lovasz_softmax_behind_the_batch_and_leaves_pixels_out(random: Any) -> None:
    torch = pytest.importorskip("torch")
    logits, index = random.normal(size=(2, 3, 3, 3)), random.integers(0, 3, size=(2, 3, 3))
    index[:, 1] = 255
    wanted = lossary.LovaszSoftmax()(prediction=np.moveaxis(logits, 1, -1), target=index, where=index != 255)
    criterion = lossary.torch.LovaszSoftmax(ignore_index=255)
    assert criterion(torch.tensor(logits), torch.tensor(index)).item() == pytest.approx(wanted)
    rows = np.moveaxis(np.eye(3)[np.where(index == 255, 0, index)], -1, 1)
    by_rows = lossary.torch.LovaszSoftmax(one_hot=True)
    came = by_rows(torch.tensor(logits), torch.tensor(rows), where=torch.tensor(index != 255))
    assert came.item() == pytest.approx(wanted)
    with pytest.raises(lossary.DtypeError, match=r"one-hot rows belong to LovaszSoftmax\(one_hot=True\)"):
        criterion(torch.tensor(logits), torch.tensor(rows))


def dice_of(predicted: Any, true: Any, smooth: float) -> float:
    return 1.0 - (2.0 * (predicted * true).sum() + smooth) / ((predicted + true).sum() + smooth)


@pytest.mark.parametrize("weight", [(), (0.0, 1.0, 3.0)])
def test_multiclass_dice_is_the_mean_of_its_classes_and_leaves_void_pixels_out(random: Any, weight: Any) -> None:
    logits, index = random.normal(size=(5, 3, 4, 3)), random.integers(0, 3, size=(5, 3, 4))
    index[:, 0, 1:3] = 255
    known, shares = index != 255, np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    losses = lossary.MulticlassDice(class_weight=weight, void=255).values(prediction=logits, target=index)
    for got, p, y, counts in zip(losses, shares, index, known, strict=True):
        each = [dice_of(p[counts, k], 1.0 * (y[counts] == k), 1.0) for k in range(3)]
        assert got == pytest.approx(np.average(each, weights=weight or None))
    spoilt = np.where(known[..., None], logits, np.nan)
    np.testing.assert_array_equal(
        lossary.MulticlassDice(class_weight=weight, void=255).values(prediction=spoilt, target=index), losses
    )


@pytest.mark.parametrize("gamma", [0.75, 1.0, 2.5])
def test_focal_tversky_is_a_power_of_what_is_false_of_a_mask(random: Any, gamma: float) -> None:
    chance, soft = random.uniform(size=(2, 4, 3, 5))
    loss = lossary.FocalTversky(from_logits=False, alpha=0.2, beta=0.9, gamma=gamma, smooth=0.5)
    both, false = ((x).sum(axis=(1, 2)) for x in (chance * soft, 0.2 * chance * (1 - soft) + 0.9 * (1 - chance) * soft))
    wanted = (1.0 - (both + 0.5) / (both + 0.5 + false)) ** gamma
    np.testing.assert_allclose(loss.values(prediction=chance, target=soft), wanted, rtol=1e-12)


@pytest.mark.parametrize("smooth", [0.0, 1.0])
@pytest.mark.parametrize("empty", [False, True])
def test_focal_tversky_pulls_at_all_masks_but_the_perfect_one(smooth: float, empty: bool) -> None:
    """Where it pulls more and more the nearer it is; a step of that size would leave the domain."""
    true = np.zeros((1, 2, 3)) if empty else np.eye(3)[None, :2]
    loss = lossary.FocalTversky(from_logits=False, smooth=smooth)
    value, gradient = loss.value_and_gradient(prediction=true, target=true)
    assert value == 0.0
    assert (gradient == 0.0).all()
    near = true + 1e-12 * (1.0 - 2.0 * true)
    _, gradient = loss.value_and_gradient(prediction=near, target=true)
    # Without smoothing, whatever is predicted beside an empty mask is all false.
    assert np.abs(gradient).max() < 1e-6 if empty and not smooth else (np.sign(gradient) == 1.0 - 2.0 * true).all()


@pytest.mark.parametrize("kind", [lossary.MulticlassDice, lossary.MulticlassTversky])
def test_masks_say_the_same_by_index_and_one_hot_and_predictions_by_logits_and_shares(random: Any, kind: Any) -> None:
    logits, index = random.normal(size=(5, 3, 4, 3)), random.integers(0, 3, size=(5, 3, 4))
    shares, rows = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True), np.eye(3)[index]
    wanted = kind().values(prediction=logits, target=index)
    for loss, prediction, target in (
        (kind(one_hot=True), logits, rows),
        (kind(from_logits=False), shares, index),
        (kind(from_logits=False, one_hot=True), shares, rows),
    ):
        np.testing.assert_allclose(loss.values(prediction=prediction, target=target), wanted, rtol=1e-12)


def test_of_soft_masks_dice_is_the_mean_of_its_classes(random: Any) -> None:
    shares, soft = (random.dirichlet(np.ones(3), size=(5, 3, 4)) for _ in range(2))
    losses = lossary.MulticlassDice(from_logits=False, one_hot=True).values(prediction=shares, target=soft)
    for got, p, y in zip(losses, shares, soft, strict=True):
        assert got == pytest.approx(np.mean([dice_of(p[..., k], y[..., k], 1.0) for k in range(3)]))


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("weight", [(), (0.0, 1.0, 3.0, 0.5)])
def test_generalized_dice_is_one_share_of_all_classes_that_are_there(random: Any, exponent: float, weight: Any) -> None:
    shares, index = (
        random.dirichlet(np.ones(4), size=(5, 3, 4)),
        random.integers(0, 3, size=(5, 3, 4)),
    )  # without class 3
    index[0] = 1
    loss = lossary.GeneralizedDice(from_logits=False, exponent=exponent, class_weight=weight)
    for got, p, y in zip(loss.values(prediction=shares, target=index), shares, np.eye(4)[index], strict=True):
        of_class = [
            (weight[k] if weight else 1.0) / y[..., k].sum() ** exponent if y[..., k].any() else 0.0 for k in range(4)
        ]
        both, sizes = ((of_class * x).sum() for x in (p * y, p + y))
        assert got == pytest.approx(1.0 - 2.0 * both / sizes)


def test_an_image_whose_classes_all_count_nothing_costs_0_by_generalized_dice(random: Any) -> None:
    logits, index = random.normal(size=(2, 3, 4, 3)), random.integers(0, 2, size=(2, 3, 4))
    index[0], index[1] = 255, 0
    loss = lossary.GeneralizedDice(class_weight=(0.0, 1.0, 1.0), void=255)
    value, gradient = loss.value_and_gradient(prediction=logits, target=index)
    assert value == 0.0
    assert (gradient == 0.0).all()


def test_void_pixels_do_not_pull_shares_either(random: Any) -> None:
    shares, index = random.dirichlet(np.ones(3), size=(2, 3, 4)), random.integers(0, 3, size=(2, 3, 4))
    index[:, 1] = 255
    loss = lossary.MulticlassDice(from_logits=False, void=255)
    value, gradient = loss.value_and_gradient(prediction=shares, target=index)
    assert (gradient[:, 1] == 0.0).all()
    assert (gradient[:, 0] != 0.0).all()
    assert value == pytest.approx(loss(prediction=shares[:, ::2], target=index[:, ::2]))


def test_masks_written_the_other_way_are_refused_with_the_flag_that_takes_them(random: Any) -> None:
    torch = pytest.importorskip("torch")
    logits, index = random.normal(size=(2, 3, 4, 5)), random.integers(0, 5, size=(2, 3, 4))
    rows, takes_rows = np.eye(5)[index], r"rows belong to MulticlassDice\(one_hot=True\)"
    by_index, first = lossary.MulticlassDice(), torch.tensor(logits).movedim(-1, 1)
    for call in (
        lambda: by_index(prediction=logits, target=rows.astype(int)),
        lambda: by_index.torch()(first, torch.tensor(rows).movedim(-1, 1).long()),
    ):
        with pytest.raises(lossary.ShapeError, match=takes_rows):
            call()
    with pytest.raises(lossary.DtypeError, match=takes_rows):
        by_index.torch()(first, torch.tensor(rows).movedim(-1, 1))
    shares = lossary.MulticlassDice(from_logits=False, one_hot=True)
    with pytest.raises(lossary.ShapeError, match=r"indices belong to MulticlassDice\(one_hot=False\)"):
        shares(prediction=rows, target=index)


def test_pytorch_has_the_classes_of_one_hot_masks_behind_the_batch_too(random: Any) -> None:
    torch = pytest.importorskip("torch")
    logits, index = random.normal(size=(2, 3, 3, 3)), random.integers(0, 3, size=(2, 3, 3))
    wanted = lossary.MulticlassDice()(prediction=np.moveaxis(logits, 1, -1), target=index)
    criterion, rows = lossary.torch.MulticlassDice(one_hot=True), np.moveaxis(np.eye(3)[index], -1, 1)
    for target in (torch.tensor(rows), rows, rows.tolist()):
        assert criterion(torch.tensor(logits), target).item() == pytest.approx(wanted)
    last = lossary.torch.MulticlassDice(one_hot=True, class_axis=-1)
    came = last(torch.tensor(logits).movedim(1, -1), torch.tensor(rows).movedim(1, -1))
    assert came.item() == pytest.approx(wanted)


def test_of_two_classes_multiclass_tversky_is_that_of_each_mask(random: Any) -> None:
    score, true = random.normal(size=(4, 6)), random.integers(0, 2, size=(4, 6))
    loss = lossary.MulticlassTversky(alpha=0.3, beta=0.9, axes=1)
    losses = loss.values(prediction=np.stack([0.0 * score, score], -1), target=true)
    mask = lossary.Tversky(alpha=0.3, beta=0.9, axes=1)
    masks = [mask.values(prediction=s, target=1.0 * y) for s, y in ((score, true), (-score, 1 - true))]
    np.testing.assert_allclose(losses, np.mean(masks, axis=0), rtol=1e-12)


def test_pytorch_has_classes_behind_the_batch_and_pixels_are_named_where_they_are_illegal(random: Any) -> None:
    torch = pytest.importorskip("torch")
    logits, index = random.normal(size=(2, 3, 4, 5)), random.integers(0, 3, size=(2, 4, 5))
    criterion = lossary.torch.MulticlassDice()
    wanted = lossary.MulticlassDice()(prediction=np.moveaxis(logits, 1, -1), target=index)
    assert criterion(torch.tensor(logits), torch.tensor(index)).item() == pytest.approx(wanted)
    index[1, 2, 3] = 255
    with pytest.raises(lossary.DomainError, match=r"or -100 .*\n.*255 at \[1, 2, 3\]; 1 of 40 .*\n.*void="):
        criterion(torch.tensor(logits), torch.tensor(index))
    with pytest.raises(lossary.UsageError, match="void=255 leaves pixels out"):
        lossary.torch.MulticlassDice(ignore_index=255)
