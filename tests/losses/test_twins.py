"""What another library calls the same loss does give the same numbers, up to a factor and edges that are stated."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
from typing import Any

import numpy as np
import pytest

import lossary
from lossary import catalogue
from lossary.check.backends import backend as adapter
from lossary.define.domains.classes import Labels, Logits, Simplex
from lossary.define.domains.numbers import NonZero, Positive, Probability, Real, Score
from lossary.define.domains.rows import Columns, Row
from lossary.define.parameters import parameters_of
from lossary.define.twin import Departure, Twin
from lossary.describe import show
from lossary.ops.numpy import ops as NUMPY
from tests.accuracy.grid import at_edges, has_scale, in_columns
from tests.grid import CLASSES, EACH, EVERY, generator, has_table, losses, ordinary

# Whose twins are run where they are there; any other library that does not load is a misspelt one.
ABSENT = {"torchvision": "torchvision has no wheel that loads beside the small build of torch"}
WEIGHTS = (0.5, 2.0, 1.0, 0.25)
FEW = 1e-30  # a probability that is not 0


def pairs() -> list[Any]:
    return [
        pytest.param(loss, twin, id=f"{loss!r}: {twin.call}")
        for loss in EVERY
        for twin in loss.same_as
        if twin.applies(loss)
    ]


def as_taken(loss: Any, twin: Twin, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs as the twin takes them: labels where it takes labels alone."""
    arrays = {name: np.asarray(x) for name, x in inputs.items()}
    for name in twin.labels:
        domain = getattr(loss, name)
        values = getattr(domain, "labels", domain)
        if isinstance(values, Labels):
            low, high = values.values
            arrays[name] = np.where(arrays[name] > 0.5 * (low + high), high, low).astype(np.int64)
        elif domain.rows:
            arrays[name] = np.eye(arrays[name].shape[-1])[arrays[name].argmax(-1)]
        else:
            arrays[name] = np.round(arrays[name])
    if twin.library == "sklearn" and not loss.prediction.rows:  # which takes vectors
        return {name: x.ravel() for name, x in arrays.items()}
    return arrays


def both(loss: Any, twin: Twin, inputs: dict[str, Any]) -> tuple[Any, Any]:
    """Our answer and theirs, by `evaluate` and nothing else."""
    if twin.library in ABSENT:
        pytest.importorskip(twin.library, reason=ABSENT[twin.library])
    importlib.import_module(twin.library)
    framework = adapter(twin.takes)
    inputs = {
        name: x if x.dtype == np.int64 else x.astype(np.float32) for name, x in as_taken(loss, twin, inputs).items()
    }
    arrays = {name: framework.array(x) for name, x in inputs.items()}
    with np.errstate(all="ignore"):
        theirs = twin.evaluate(loss, **arrays)
    # Some libraries compute in float64 whatever comes; then ours is asked of the same numbers in float64.
    wide = hasattr(theirs, "dtype") and framework.dtype(theirs) == "float64"
    dtype, theirs = "float64" if wide else "float32", framework.numpy(theirs)
    with framework.precision(dtype):
        arrays = {name: framework.array(x, dtype) for name, x in inputs.items()}
        ours = framework.numpy(loss(**arrays, reduction="none" if theirs.ndim else "mean"))
    return ours, theirs


@pytest.mark.parametrize(("loss", "twin"), pairs())
def test_the_twin_agrees(loss: Any, twin: Twin, random: Any) -> None:
    ours, theirs = both(loss, twin, ordinary(loss, random, rows=20))
    assert theirs.shape == ours.shape
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def edges(loss: Any) -> list[dict[str, Any]]:
    """Batches of one, or a few, at the edge of what the loss takes: probabilities of 0 and 1, and large numbers."""
    if loss.pooled or not loss.paired or isinstance(loss.prediction, Row):
        return [_at_edges(loss, size, low) for size in (0.0, 1e-4, 1.0, 300.0) for low in (False, True)]
    match loss.prediction:
        case Simplex() | Logits():
            wrong, right = np.eye(CLASSES)[:1], np.eye(CLASSES)[1:2]
            few = right + FEW * wrong
            predictions = (
                [wrong, right, few]
                if isinstance(loss.prediction, Simplex)
                else [300.0 * wrong, 300.0 * right, 0.0 * wrong]
            )
            with np.errstate(divide="ignore"):
                targets = [np.array([0]) if loss.target.indices else np.log(wrong) if log(loss) else wrong]
        case Columns() as rows if has_scale(rows):
            pairs = itertools.product((-300.0, -1e-4, 300.0), (1e-8, 1.0))
            predictions = [in_columns(rows, np.array([location]), np.array([scale])) for location, scale in pairs]
            targets = [np.array([0.0]), np.array([1.0])]
        case Probability():
            predictions, targets = [np.array([p]) for p in (0.0, FEW, 1.0)], [np.array([y]) for y in (0.0, 1.0)]
        case Real() | Positive() | Score():
            numbers = np.array([-300.0, -1e-4, 0.0, 300.0] if loss.prediction.low == 0.0 else [-300.0, -1e-4, 300.0])
            predictions = [np.array([p]) for p in loss.prediction._legal(numbers, "float32", 1)]
            # Where 0 is no legal target, what is next to it.
            said = np.array(getattr(loss.target, "values", (0.0, FEW, 1.0) if loss.target == NonZero() else (0.0, 1.0)))
            targets = [np.array([y]) for y in loss.target._legal(said, "float32", 1)]
        case _:
            return [{"prediction": p[None], "target": y[None]} for p, y in _at_legal_edges(loss)]
    if has_table(loss) and not loss.prediction.rows:  # a column for each of its entries
        predictions, targets = ([np.tile(x, (1, CLASSES)) for x in batches] for batches in (predictions, targets))
    return [{"prediction": p, "target": y} for p, y in itertools.product(predictions, targets)]


def _at_legal_edges(loss: Any) -> list[tuple[Any, Any]]:
    """What a domain that is not known here says of its edges, and what becomes of large numbers, as far as numbers are
    as large as those of the others; each beside ordinary ones, and where it can be predicted, beside itself."""
    width = loss.prediction.size or CLASSES
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=width)) if loss.prediction.rows else [-1.0, 1.0])
    ends = loss.prediction.activate(NUMPY, 300.0 * signs)
    targets = loss.target.ordinary(generator("edges"), loss.target.shape_beside(loss.prediction, signs.shape))
    pairs = [*zip(*at_edges(loss, "float32"), strict=True), *zip(ends, targets, strict=True)]
    if loss.prediction == loss.target:
        pairs += [(edge, edge) for edge in loss.target.edges("float32", width)]
    return [pair for pair in pairs if all(np.all((x == 0.0) | ((np.abs(x) > 1e-30) & (np.abs(x) < 1e4))) for x in pair)]


def _at_edges(loss: Any, size: float, low: bool) -> dict[str, Any]:
    """Three entries of such numbers, of which each other one is at the lower edge, or all."""
    batch = {}
    for name, domain in loss.domains.items():
        x = np.full((3, *(CLASSES if has_table(loss) else 2,) * domain.axes), min(size, domain.high))
        if domain.indices:  # the class that is likely, and no other
            batch[name] = np.full(x.shape, 0 if low else 1)
            continue
        lower = (np.arange(x.size).reshape(x.shape) % 2 == 0) | low
        if domain.innermost.rows and not domain.takes_all:
            batch[name] = domain.activate(NUMPY, np.where(lower, -size, size))
            continue
        batch[name] = np.where(lower, max(-size, domain.low), x)
        if domain.discrete:
            batch[name] = np.where(batch[name] > domain.low, domain.high, domain.low)
    return batch


def log(loss: Any) -> bool:
    return isinstance(loss.target, Simplex) and loss.target.logarithms


@pytest.mark.parametrize(("loss", "twin"), pairs())
def test_a_twin_that_says_nothing_of_edges_agrees_there(loss: Any, twin: Twin) -> None:
    apart: list[Any] = []
    for inputs in edges(loss):
        try:
            ours, theirs = both(loss, twin, inputs)
        except Exception as refused:
            apart.append((inputs, refused))
            continue
        if not np.allclose(ours, theirs, rtol=1e-4, atol=1e-6, equal_nan=True):
            apart.append((inputs, ours, theirs))
    assert bool(apart) == (twin.departs is not None), apart


@pytest.mark.parametrize(
    ("loss", "twin"),
    [
        pytest.param(
            next(each for each in EVERY if type(each) is type(loss) and twin.applies(each)), twin, id=twin.call
        )
        for loss in EACH
        for twin in loss.same_as
        if twin.departs is not None
    ],
)
def test_a_departure_is_what_it_says(loss: Any, twin: Twin) -> None:
    assert twin.departs is not None
    inputs = dict(zip(loss.inputs, (twin.departs.prediction, twin.departs.target), strict=True))
    if isinstance(twin.departs.theirs, type):
        loss(**{name: np.asarray(x) for name, x in inputs.items()})  # which ours takes
        with pytest.raises(twin.departs.theirs):
            both(loss, twin, inputs)
        return
    ours, theirs = both(loss, twin, inputs)
    assert theirs.item() == pytest.approx(twin.departs.theirs, rel=1e-6, nan_ok=True)
    assert ours.item() != pytest.approx(twin.departs.theirs, rel=1e-2, nan_ok=True)
    exact = loss(prediction=np.asarray(twin.departs.prediction), target=np.asarray(twin.departs.target))
    assert ours.item() == pytest.approx(float(exact), rel=1e-6)


def test_a_wrong_departure_would_be_seen() -> None:
    loss = lossary.BinaryCrossEntropy(from_logits=False)
    theirs = Departure("clamps logarithms at -50", [0.0], [1.0], 50.0)
    twin = Twin("torch.nn.BCELoss(reduction='none')(prediction, target)", when={"from_logits": False}, departs=theirs)
    with pytest.raises(AssertionError):
        test_a_departure_is_what_it_says(loss, twin)
    with pytest.raises(AssertionError):
        test_a_twin_that_says_nothing_of_edges_agrees_there(loss, dataclasses.replace(twin, departs=None))


def test_a_twin_may_refuse_what_ours_takes() -> None:
    loss, call = lossary.Quantile(0.9), "sklearn.metrics.mean_pinball_loss(target, prediction, alpha=level)"
    refuses = Departure("takes no infinite numbers", [np.inf], [0.0], ValueError)
    test_a_departure_is_what_it_says(loss, Twin(call, departs=refuses))
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_a_departure_is_what_it_says(loss, Twin(call, departs=dataclasses.replace(refuses, prediction=[1.0])))
    with pytest.raises(AssertionError, match="math range error"):
        test_a_twin_that_says_nothing_of_edges_agrees_there(loss, Twin("math.exp(1e6)"))


def test_a_twin_may_compute_in_float64_alone() -> None:
    """What float32 cannot hold is no departure there."""
    loss, inputs = lossary.MeanSquaredError(), {"prediction": [3e38], "target": [-3e38]}
    ours, theirs = both(loss, Twin("numpy.square(numpy.subtract(prediction, target, dtype='float64'))"), inputs)
    np.testing.assert_allclose(ours, theirs)
    assert np.isinf(both(loss, Twin("numpy.square(numpy.subtract(prediction, target))"), inputs)).all()


@losses(of=EACH)
def test_every_setting_has_a_twin_or_the_loss_says_why_not(loss: Any) -> None:
    settings = [each for each in EVERY if type(each) is type(loss)]
    alone = [each for each in settings if not any(twin.applies(each) for twin in each.same_as)]
    assert bool(alone) == bool(loss.no_twin), alone


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("sklearn.metrics.log_loss", lossary.BinaryCrossEntropy(from_logits=False)),
        ("sklearn.metrics.log_loss", lossary.CategoricalCrossEntropy(from_logits=False)),
        ("sklearn.metrics.log_loss", lossary.SparseCategoricalCrossEntropy(from_logits=False, class_weight=WEIGHTS)),
        ("torch.nn.CrossEntropyLoss", lossary.CategoricalCrossEntropy(class_weight=WEIGHTS)),
        ("torch.nn.CrossEntropyLoss", lossary.SparseCategoricalCrossEntropy(class_weight=WEIGHTS)),
        ("torch.nn.NLLLoss", lossary.SparseCategoricalCrossEntropy(from_logits=False, class_weight=WEIGHTS)),
        ("tensorflow.nn.weighted_cross_entropy_with_logits", lossary.BinaryCrossEntropy(pos_weight=3)),
        ("scipy.special.huber", lossary.Huber(delta=0.25)),
        ("scipy.special.rel_entr", lossary.KLDivergence(from_logits=False)),
        ("optax.l2_loss", lossary.MeanSquaredError()),
        ("optax.hinge_loss", lossary.Hinge(labels=(0, 1))),
        ("keras.losses.Hinge", lossary.Hinge(labels=(0, 1))),
        ("torchmetrics.functional.mean_squared_error", lossary.MeanSquaredError()),
        ("torchmetrics.functional.kl_divergence", lossary.KLDivergence(from_logits=False)),
        ("statsmodels.robust.norms.HuberT", lossary.Huber()),
        ("sklearn.metrics.zero_one_loss", lossary.ZeroOne()),
        ("sklearn.metrics.zero_one_loss", lossary.ZeroOne(labels=(0, 1))),
    ],
)
def test_what_users_know_it_by(name: str, loss: Any) -> None:
    assert name in {twin.name for twin in loss.same_as if twin.applies(loss)}
    assert name in {twin.name for twin in catalogue.find(name).same_as}


@losses(of=tuple(loss for loss in EACH if loss.same_as))
def test_every_twin_is_tried(loss: Any) -> None:
    for twin in loss.same_as:
        assert any(twin.applies(each) for each in EVERY if type(each) is type(loss)), twin.call
        assert set(twin.when) | set(twin.given) <= set(loss.settings)
        assert set(twin.given) <= twin.mentions
        assert set(twin.labels) <= set(loss.inputs)
        assert twin.factor != 0


def test_a_twin_that_does_not_apply_is_not_tried() -> None:
    for loss in EVERY:
        for twin in loss.same_as:
            for name, value in twin.when.items():
                assert twin.applies(loss) <= (loss.settings[name] == value)
            for name in twin.given:
                assert twin.applies(loss) <= (loss.settings[name] != parameters_of(loss)[name].default)


def test_part_of_a_longer_name_is_no_mention() -> None:
    """A call of `log_target_of` says nothing of `log_target`."""
    twin = Twin("some.log_target_of(prediction, target, level=1)")
    assert twin.mentions == {"some", "prediction", "target"}
    assert not twin.applies(lossary.Quantile(level=0.9))


def test_the_page_says_where_a_twin_departs() -> None:
    for loss in EACH:
        lines = show.twin_lines(loss)
        for twin in loss.same_as:
            assert twin.departs is None or any(line.endswith(f"; {twin.departs.rule})") for line in lines)
    lines = show.twin_lines(lossary.BinaryCrossEntropy())
    words = " ".join(show.page(lossary.BinaryCrossEntropy()).split())
    assert all(" ".join(line.split()) in words for line in lines)
    assert "torch.nn.BCELoss   (× 1, from_logits=False; clamps logarithms at -100)" in lines


def test_a_wrong_factor_would_be_seen(random: Any) -> None:
    huber = lossary.Huber()
    inputs = {name: adapter("torch").array(x, "float32") for name, x in ordinary(huber, random).items()}
    twin = Twin("torch.nn.MSELoss(reduction='none')(prediction, target)", factor=0.5)
    theirs = twin.evaluate(huber, **inputs)
    assert not np.allclose(theirs, huber.values(**inputs))


def test_what_is_1_where_ours_is_0_is_turned_round(random: Any) -> None:
    loss = lossary.ZeroOne()
    accuracy = "sklearn.metrics.accuracy_score(target, prediction)"
    labels = ("prediction", "target")
    ours, theirs = both(loss, Twin(accuracy, -1.0, 1.0, labels=labels), ordinary(loss, random, rows=20))
    assert 0.0 < ours < 1.0
    assert ours == pytest.approx(theirs)
    unturned = both(loss, Twin(accuracy, labels=labels), ordinary(loss, random, rows=21))
    assert unturned[0] != pytest.approx(unturned[1])


def test_the_arrays_are_those_of_the_library_unless_it_is_said_whose() -> None:
    assert Twin("torchmetrics.functional.mean_squared_error(prediction, target)").takes == "torch"
    assert Twin("unheard_of.loss(prediction, target)").takes == "numpy"
    assert Twin("unheard_of.loss(prediction, target)", framework="jax").takes == "jax"


def test_an_offset_is_shown() -> None:
    turned = Twin("sklearn.metrics.accuracy_score(target, prediction)", -1.0, 1.0)
    assert show.plus_offset(show.twin_factor(turned), turned) == "-1, then +1"
    assert show.plus_offset("1", Twin(turned.call)) == "1"


def test_the_categorical_hinge_of_keras_is_another_loss() -> None:
    """It takes a 0 for the right class's own entry into the maximum of the others: as the page says."""
    import keras

    scores = np.array([[-5.0, -3.0, -4.0]])
    assert float(keras.losses.CategoricalHinge()(np.array([[0.0, 1.0, 0.0]]), scores)) == 4.0
    assert lossary.MulticlassHinge()(prediction=scores, target=np.array([1])) == 0.0
    assert "it says 4" in (lossary.MulticlassHinge.__doc__ or "")
