"""Metrics with the right link: against answers counted by hand, with logits between 0 and 1."""

from __future__ import annotations

import math
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, mean_gamma_deviance, mean_poisson_deviance, mean_tweedie_deviance

import lossary
from lossary import metrics
from lossary.define.domains.numbers import Positive
from lossary.define.domains.rows import Columns
from lossary.errors import DomainError, ShapeError, UsageError
from tests.grid import DEFAULTS, EACH

# Five logits, of which 0.3 is above 0 and below 0.5 and −0.2 is below 0: said + + − − +, true + − − + +.
LOGITS = np.array([0.3, 0.9, -0.2, -3.0, 0.4], "float32")
TRUE = np.array([1, 0, 0, 1, 1])
BY_HAND = {"accuracy": 3 / 5, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3}
# As probabilities the same numbers say − + − − −: one false positive, three misses, one right.
PROBABILITIES = np.array([0.3, 0.9, 0.2, 0.0, 0.4], "float32")
PROBABILITIES_BY_HAND = {"accuracy": 1 / 5, "precision": 0.0, "recall": 0.0, "f1": 0.0}

BINARY = [
    pytest.param(lossary.BinaryCrossEntropy(), LOGITS, TRUE, BY_HAND, id="logits"),
    pytest.param(
        lossary.BinaryCrossEntropy(from_logits=False), PROBABILITIES, TRUE, PROBABILITIES_BY_HAND, id="probabilities"
    ),
    pytest.param(lossary.Hinge(), LOGITS, 2 * TRUE - 1, BY_HAND, id="hinge"),
    pytest.param(lossary.Hinge(labels=(0, 1)), LOGITS, TRUE, BY_HAND, id="hinge01"),
    pytest.param(lossary.ZeroOne(), LOGITS, 2 * TRUE - 1, BY_HAND, id="zero-one"),
    pytest.param(0.5 * lossary.BinaryCrossEntropy() + lossary.L2(), LOGITS, TRUE, BY_HAND, id="objective"),
]

# Rows of logits, all between 0 and 1; said 0 1 2 1, true 0 1 1 2. By class: precision 1, ½, 0; recall 1, ½, 0.
ROWS = np.array([[0.9, 0.1, 0.2], [0.1, 0.4, 0.3], [0.0, 0.1, 0.2], [0.3, 0.5, 0.4]], "float32")
INDICES = np.array([0, 1, 1, 2])
ROWS_BY_HAND = {"accuracy": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5}
SHARES = ROWS / ROWS.sum(axis=1, keepdims=True)
MANY = [
    pytest.param(lossary.SparseCategoricalCrossEntropy(), ROWS, INDICES, id="sparse"),
    pytest.param(lossary.CategoricalCrossEntropy(), ROWS, np.eye(3, dtype="float32")[INDICES], id="one-hot"),
    pytest.param(lossary.SparseCategoricalCrossEntropy(from_logits=False), SHARES, INDICES, id="probabilities"),
    pytest.param(lossary.KLDivergence(), ROWS, 0.7 * np.eye(3, dtype="float32")[INDICES] + 0.1, id="distributions"),
]

# Residuals 1, −1, 2, 0: mean size 1, mean square 1.5, targets' variance 1.25.
NUMBERS, REAL = np.array([2.0, 1.0, 5.0, 4.0], "float32"), np.array([1.0, 2.0, 3.0, 4.0], "float32")
REAL_BY_HAND = {"mae": 1.0, "rmse": math.sqrt(1.5), "r2": 1 - 6 / 5}


def in_sklearn(loss, prediction, target, **settings):
    return {name: metric(target, prediction) for name, metric in metrics.sklearn(loss).items()}


def in_torchmetrics(loss, prediction, target, **settings):
    torch = pytest.importorskip("torch")
    collection = metrics.torchmetrics(loss, **settings)
    half = len(target) // 2
    for part in (slice(0, half), slice(half, None)):
        collection.update(torch.from_numpy(prediction[part]), torch.from_numpy(target[part]))
    return {name: float(value) for name, value in collection.compute().items()}


def in_keras(loss, prediction, target, **settings):
    pytest.importorskip("keras")
    if loss.task == "regression":  # Keras' R2Score takes columns, as a Dense(1) makes them
        prediction = prediction.reshape(len(target), -1)
    found = {}
    for metric in metrics.keras(loss, **settings):
        metric.update_state(target[:2], prediction[:2])
        metric.update_state(target[2:], prediction[2:])
        found[metric.name] = float(metric.result())
    return found


LIBRARIES = pytest.mark.parametrize("measured", [in_sklearn, in_torchmetrics, in_keras])


@LIBRARIES
@pytest.mark.parametrize(("loss", "prediction", "target", "wanted"), BINARY)
def test_two_classes(measured, loss, prediction, target, wanted):
    assert measured(loss, prediction, target) == pytest.approx(wanted, abs=1e-6)


@LIBRARIES
def test_a_score_of_0_is_not_positive(measured):
    prediction = np.array([0.0, 1.0], "float32")
    found = measured(lossary.BinaryCrossEntropy(), prediction, np.array([0.0, 1.0], "float32"))
    assert found["accuracy"] == 1.0


@LIBRARIES
@pytest.mark.parametrize(("loss", "prediction", "target"), MANY)
def test_many_classes(measured, loss, prediction, target):
    assert measured(loss, prediction, target, classes=3) == pytest.approx(ROWS_BY_HAND, abs=1e-6)


@LIBRARIES
def test_regression(measured):
    assert measured(lossary.MeanSquaredError(), NUMBERS, REAL) == pytest.approx(REAL_BY_HAND, abs=1e-6)


@LIBRARIES
def test_of_named_columns_the_mean_is_measured(measured):
    columns = np.stack([NUMBERS, 7.0 * np.ones_like(NUMBERS)], axis=-1)
    assert measured(lossary.GaussianNLL(), columns, REAL) == pytest.approx(REAL_BY_HAND, abs=1e-6)


@LIBRARIES
def test_of_a_logarithm_the_amount_is_measured(measured):
    logarithms = np.log(np.abs(NUMBERS))
    wanted = measured(lossary.MeanSquaredError(), np.abs(NUMBERS), np.abs(REAL))
    of_logarithms = measured(lossary.Poisson(), logarithms, np.abs(REAL))
    assert {name: of_logarithms[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)


def test_columns_without_a_mean_are_refused():
    rows = Columns(shape=Positive(), scale=Positive())
    with pytest.raises(TypeError, match="has no column that is called mean, median or location"):
        rows.estimate(np.ones((3, 2)))
    for library in (metrics.sklearn, metrics.torchmetrics, metrics.keras):
        with pytest.raises(UsageError, match="no prediction is one number"):
            library(lossary.CRPSEnsemble())


def test_intervals_are_judged_by_what_they_hold_and_how_wide_they_are():
    ends = np.array([[0.0, 1.0], [0.0, 4.0], [2.0, 2.0], [5.0, 3.0]])
    target, weight = np.array([1.0, 5.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0, 0.0])
    levels = np.stack([ends[:, 0], np.zeros(4), ends[:, 1]], axis=1)
    for loss, prediction in ((lossary.IntervalScore(), ends), (lossary.MultiQuantile((0.1, 0.3, 0.9)), levels)):
        judged = metrics.sklearn(loss)
        assert set(judged) == {"coverage", "width"}
        assert judged["coverage"](target, prediction) == 0.5
        assert judged["coverage"](target, prediction, weight) == pytest.approx(4.0 / 6.0)
        assert judged["width"](target, prediction) == pytest.approx((1.0 + 4.0 + 0.0 - 2.0) / 4.0)
        missing = metrics.sklearn(loss, missing="skip")["coverage"]
        assert missing(np.where(target == 4.0, np.nan, target), prediction) == pytest.approx(2.0 / 3.0)
        for wrong in (np.where(target == 4.0, np.nan, target), target[:3]):
            with pytest.raises((DomainError, ShapeError), match="intervals need"):
                judged["width"](wrong, prediction)
        for library in (metrics.torchmetrics, metrics.keras):
            with pytest.raises(UsageError, match="no prediction is one number"):
                library(loss)
    assert {"mae", "coverage", "width"} < set(metrics.sklearn(lossary.MultiQuantile((0.1, 0.5, 0.9))))
    for domain in (lossary.Huber().prediction, lossary.GaussianNLL().prediction):
        with pytest.raises(TypeError, match="has no lower and upper end"):
            domain.interval(ends)


def test_ranks_are_judged_by_how_far_they_are_apart(random):
    logits, target = 3.0 * random.normal(size=(200, 4)), random.integers(0, 5, size=200)
    weight = random.uniform(size=200)
    passed = {lossary.Coral(): logits > 0.0, lossary.Corn(): np.cumprod(1.0 / (1.0 + np.exp(-logits)), axis=1) > 0.5}
    for loss, steps in passed.items():
        rank = steps.sum(axis=1)
        assert len(set(rank)) == 5
        judged = {name: metric(target, logits, weight) for name, metric in metrics.sklearn(loss).items()}
        assert judged == pytest.approx(
            {
                "accuracy": np.average(rank == target, weights=weight),
                "mae": np.average(np.abs(rank - target), weights=weight),
                "quadratic_kappa": cohen_kappa_score(target, rank, weights="quadratic", sample_weight=weight),
            }
        )
        with pytest.raises(ValueError, match="NaN"):
            metrics.sklearn(loss)["mae"](target, np.where(logits > 5.0, np.nan, logits))
        for library in (metrics.torchmetrics, metrics.keras):
            with pytest.raises(UsageError, match="none of ordinal"):
                library(loss)


def test_pinball_has_the_level_of_the_loss():
    # 0.9 · 1 for the one that is too low, 0.1 · (1 + 2) for the two that are too high, over four.
    assert metrics.sklearn(lossary.Quantile(0.9))["pinball"](REAL, NUMBERS) == pytest.approx(0.3)
    assert "pinball" not in metrics.sklearn(lossary.MeanSquaredError())


TASKS = ("regression", "binary", "multilabel", "multiclass", "distribution")


def test_amounts_are_judged_by_the_deviance_of_their_law(random):
    mean, target = random.uniform(0.5, 3.0, size=20), random.uniform(0.5, 3.0, size=20)
    for loss, name, wanted in (
        (lossary.Poisson(), "poisson_deviance", mean_poisson_deviance(target, mean)),
        (lossary.Gamma(), "gamma_deviance", mean_gamma_deviance(target, mean)),
        (lossary.Tweedie(1.3), "tweedie_deviance", mean_tweedie_deviance(target, mean, power=1.3)),
    ):
        assert metrics.sklearn(loss)[name](target, np.log(mean)) == pytest.approx(wanted), name
    percentage = metrics.sklearn(lossary.MeanAbsolutePercentageError())["mape"]
    assert percentage(target, mean) == pytest.approx(np.mean(np.abs(mean - target) / target))
    logarithmic = metrics.sklearn(lossary.MeanSquaredLogarithmicError())["msle"]
    assert logarithmic(target, mean) == pytest.approx(np.mean((np.log1p(mean) - np.log1p(target)) ** 2))


def test_of_several_labels_each_counts_like_one_alone():
    logits, labels = np.array([[1.0, -1.0, 2.0], [1.0, 1.0, -3.0]]), np.array([[1, 1, 0], [0, 1, 0]])
    rows, one = metrics.sklearn(lossary.MultiLabelSoftMargin()), metrics.sklearn(lossary.BinaryCrossEntropy())
    assert rows.keys() == one.keys()
    for name, metric in rows.items():
        assert metric(labels, logits) == pytest.approx(one[name](labels.ravel(), logits.ravel())), name


def test_losses_of_other_tasks_have_none():
    for library in (metrics.sklearn, metrics.torchmetrics, metrics.keras):
        for loss in EACH:
            if loss.task not in (*TASKS, "ordinal"):
                with pytest.raises(UsageError, match=f"none of {loss.task}"):
                    library(loss)


# Those whose prediction is one thing that is measured: a class, a number, or a row as its target is one.
MEASURED = tuple(
    type(loss)
    for loss in DEFAULTS
    if loss.task in TASKS and (loss.target.rows or loss.target.says_class or loss.prediction.says_estimate)
)


@pytest.mark.parametrize("cls", MEASURED)
def test_every_loss_has_metrics_in_every_library(cls):
    loss = cls()
    settings = {"classes": 3} if loss.prediction.rows else {}
    names = set(metrics.sklearn(loss)) - {"pinball", "coverage", "width", *(metric.name for metric in loss.judged_by)}
    assert names == set(metrics.torchmetrics(loss, **settings))
    assert names == {metric.name for metric in metrics.keras(loss, **settings)}


def test_sample_weights_drop_and_repeat():
    weight = np.array([1, 0, 1, 1, 2])
    kept = [0, 2, 3, 4, 4]
    for name, metric in metrics.sklearn(lossary.BinaryCrossEntropy()).items():
        assert metric(TRUE, LOGITS, weight) == pytest.approx(metric(TRUE[kept], LOGITS[kept])), name
    for metric in metrics.keras(lossary.BinaryCrossEntropy()):
        metric.update_state(TRUE, LOGITS[:, None], weight)  # as compile has it: y (N,), Dense(1)
        assert float(metric.result()) == pytest.approx(
            metrics.sklearn(lossary.BinaryCrossEntropy())[metric.name](TRUE[kept], LOGITS[kept])
        )


def test_one_weight_for_each_row_of_labels():
    prediction, target = np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[1, 1], [0, 0]])
    accuracy = metrics.sklearn(lossary.BinaryCrossEntropy())["accuracy"]
    assert accuracy(target, prediction) == 0.25
    assert accuracy(target, prediction, [1, 0]) == 0.5


def test_torch_classes_on_axis_1_and_ignored_targets():
    torch = pytest.importorskip("torch")
    collection = metrics.torchmetrics(lossary.SparseCategoricalCrossEntropy(), classes=3)
    logits = torch.from_numpy(ROWS).T[None]  # (1, classes, 4)
    target = torch.tensor([[0, 1, 1, -100]])
    assert float(collection(logits, target)["accuracy"]) == pytest.approx(2 / 3)
    last = metrics.torchmetrics(lossary.SparseCategoricalCrossEntropy(), classes=3, class_axis=-1)
    assert float(last(logits.movedim(1, -1), target)["accuracy"]) == pytest.approx(2 / 3)


def test_keras_ignored_class_and_mask():
    keras = pytest.importorskip("keras")
    accuracy = metrics.keras(lossary.SparseCategoricalCrossEntropy(), classes=3, ignore_class=-1)[0]
    accuracy.update_state(np.array([[0], [1], [1], [-1]]), ROWS)
    assert float(accuracy.result()) == pytest.approx(2 / 3)
    accuracy.reset_state()
    prediction = keras.ops.convert_to_tensor(ROWS)
    prediction._keras_mask = keras.ops.convert_to_tensor([True, True, False, False])
    accuracy.update_state(INDICES, prediction)
    assert float(accuracy.result()) == 1.0


def test_keras_metrics_fit_and_load(tmp_path):
    keras = pytest.importorskip("keras")
    loss = lossary.SparseCategoricalCrossEntropy()
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(3, kernel_initializer="identity")])
    model.compile(keras.optimizers.SGD(0.0), loss=loss.keras(), metrics=metrics.keras(loss, classes=3))
    model.fit(ROWS, INDICES, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        found = each.evaluate(ROWS, INDICES, verbose=0, return_dict=True)
        found.pop("loss")
        assert found == pytest.approx(ROWS_BY_HAND, abs=1e-6)


def test_torchmetrics_are_picklable():
    pytest.importorskip("torch")
    assert pickle.loads(pickle.dumps(metrics.torchmetrics(lossary.Hinge()))).keys() == {
        "accuracy", "precision", "recall", "f1",
    }  # fmt: skip


@pytest.mark.parametrize("library", [metrics.torchmetrics, metrics.keras])
def test_the_number_of_classes_must_be_said(library):
    with pytest.raises(UsageError, match="classes="):
        library(lossary.CategoricalCrossEntropy())


def test_bad_input_is_refused():
    accuracy = metrics.sklearn(lossary.BinaryCrossEntropy())["accuracy"]
    with pytest.raises(DomainError, match="NaN"):
        accuracy([1, 0], [math.nan, 1.0])
    with pytest.raises(ShapeError, match="target"):
        accuracy([1, 0, 1], [0.5, 1.0])


@pytest.mark.parametrize("host", [metrics.sklearn, metrics.torchmetrics, metrics.keras])
@pytest.mark.parametrize("wrong", ["bce", None, lossary.Huber])
def test_what_is_no_loss_is_refused(host, wrong):
    with pytest.raises(UsageError, match=r"(?s)takes a loss or an objective.*Hint: .*lossary.get\('bce'\)"):
        host(wrong)


# ── the loss itself, as a metric ─────────────────────────────────────────────────────────────────────────────────────


def batches(size=(5, 1, 0, 7, 3)):
    """Logits, class indices and weights of unequal batches; the weights grow, so that a mean of means is far off."""
    random = np.random.default_rng(0)
    for index, count in enumerate(size):
        weight = random.uniform(0, 3.0**index, count).astype("float32")
        yield random.normal(size=(count, 3)).astype("float32"), random.integers(0, 3, count), weight


def on_all(loss):
    """One call on all batches, in float64."""
    prediction, target, weight = (np.concatenate(parts) for parts in zip(*batches(), strict=True))
    return float(loss(prediction=prediction.astype("float64"), target=target, weight=weight.astype("float64")))


SPARSE = lossary.SparseCategoricalCrossEntropy(label_smoothing=0.1, class_weight=(1.0, 2.0, 0.5))


def torch_batches(torch):
    return [tuple(torch.from_numpy(part) for part in batch) for batch in batches()]


def test_torchmetrics_mean_is_one_call_on_all():
    torch = pytest.importorskip("torch")
    metric = metrics.as_metric(SPARSE.torch())
    means = []
    for prediction, target, weight in torch_batches(torch):
        means.append(float(metric(prediction, target, weight)))  # forward: the batch's own
        assert means[-1] == pytest.approx(float(SPARSE.torch()(prediction, target, weight=weight)), rel=1e-6)
    assert float(metric.compute()) == pytest.approx(on_all(SPARSE), rel=1e-6)
    assert np.mean(means) != pytest.approx(on_all(SPARSE), rel=0.01)
    metric.reset()
    metric.update(*torch_batches(torch)[0])
    assert float(metric.compute()) == pytest.approx(means[0], rel=1e-6)


def test_torchmetrics_mean_over_processes():
    """What torchmetrics does where there are several processes: gather the states, and add them."""
    torch = pytest.importorskip("torch")
    parts = torch_batches(torch)
    ranks = [metrics.as_metric(SPARSE.torch()) for _ in range(2)]
    for rank, metric in enumerate(ranks):
        for batch in parts[rank::2]:
            metric.update(*batch)
    copied = pickle.loads(pickle.dumps(ranks[1]))
    gathered = {id(value): name for name, value in ranks[0].metric_state.items()}
    found = metrics.as_metric(
        SPARSE.torch(),
        dist_sync_fn=lambda state, group=None: [state, copied.metric_state[gathered[id(state)]]],
        distributed_available_fn=lambda: True,
    )
    for batch in parts[0::2]:
        found.update(*batch)
    gathered = {id(value): name for name, value in found.metric_state.items()}
    assert float(found.compute()) == pytest.approx(on_all(SPARSE), rel=1e-6)
    ranks[0].merge_state(copied)
    assert float(ranks[0].compute()) == pytest.approx(on_all(SPARSE), rel=1e-6)


def test_torchmetrics_mean_is_differentiable_in_a_step_and_keeps_no_graph():
    torch = pytest.importorskip("torch")
    metric = metrics.as_metric(lossary.Huber().torch())
    for _ in range(2):
        prediction = torch.tensor([0.5, 4.0], requires_grad=True)
        metric(prediction, torch.zeros(2)).backward()
        assert prediction.grad.tolist() == [0.25, 0.5]
    metric.update(prediction, torch.zeros(2))
    assert not metric.compute().requires_grad


def test_torchmetrics_collection_keeps_losses_apart_that_begin_alike():
    torch = pytest.importorskip("torch")
    torchmetrics = pytest.importorskip("torchmetrics")
    collection = torchmetrics.MetricCollection(
        {f"huber{delta}": metrics.as_metric(lossary.Huber(delta=delta).torch()) for delta in (1, 2)}
    )
    for residual in (0.5, 4.0):  # the two losses are equal on the first
        collection.update(torch.tensor([residual]), torch.zeros(1))
    found = {name: float(value) for name, value in collection.compute().items()}
    assert found == pytest.approx({"huber1": (0.125 + 3.5) / 2, "huber2": (0.125 + 6.0) / 2})


def test_torchmetrics_mean_has_the_options_of_its_module():
    torch = pytest.importorskip("torch")
    criterion = lossary.torch.SparseCategoricalCrossEntropy(class_axis=-1, ignore_index=0)
    metric = metrics.as_metric(criterion)
    logits, labels = torch.zeros(2, 4, 3), torch.tensor([[0, 1, 2, 1], [1, 0, 0, 0]])
    metric.update(logits, labels, where=torch.tensor([[True, True, False, True], [True] * 4]))
    assert metric.metric_state["weight"] == 3
    assert float(metric.compute()) == pytest.approx(math.log(3))
    metric.reset()
    metric.update(logits, torch.zeros(2, 4, dtype=torch.long))
    assert float(metric.compute()) == 0.0


def test_torchmetrics_mean_does_not_stop_counting():
    """Where a float32 sum stands still: 1 beside 2²⁵."""
    torch = pytest.importorskip("torch")
    metric = metrics.as_metric(lossary.MeanAbsoluteError().torch())
    metric.update(torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([2.0**25]))
    for _ in range(4):
        metric.update(torch.tensor([0.0]), torch.tensor([0.0]))
    assert metric.metric_state["weight"] == 2**25 + 4


def test_keras_mean_is_one_call_on_all():
    pytest.importorskip("keras")
    metric = metrics.as_metric(SPARSE.keras())
    for prediction, target, weight in batches():
        metric.update_state(target, prediction, weight)
    assert float(metric.result()) == pytest.approx(on_all(SPARSE), rel=1e-6)
    assert metric.name == "sparse_categorical_cross_entropy"
    metric.reset_state()
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("wrong", [lossary.Huber(), "huber", None, lossary.Huber])
def test_only_hosts_become_metrics(wrong):
    with pytest.raises(UsageError, match=r"(?s)at home in PyTorch or in Keras.*as_metric\(loss.torch\(\)\)"):
        metrics.as_metric(wrong)


@pytest.mark.thorough
def test_torchmetrics_mean_over_two_real_processes(tmp_path):
    pytest.importorskip("torchmetrics")
    script = pathlib.Path(__file__).with_name("metric_processes.py")
    command = [sys.executable, str(script), str(tmp_path / "rendezvous")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=script.parent.parent)
    assert ran.returncode == 0, ran.stderr
    found = [float(line) for line in ran.stdout.split()]
    assert found == pytest.approx([on_all(SPARSE)] * 2, rel=1e-6)


HOLES = [
    (lossary.BinaryCrossEntropy(), np.float32([2, 2, -2, -2, 1]), np.float32([1, np.nan, 0, 0, 0])),
    (
        lossary.BinaryCrossEntropy(),
        np.float32([[2, 1], [-1, 2], [1, 1], [2, 2]]),
        np.float32([[1, np.nan], [0, 0], [1, 1], [np.nan, 0]]),
    ),
    (lossary.Hinge(), np.float32([2, 2, -2, -2, 1]), np.float32([1, np.nan, -1, -1, -1])),
    (
        lossary.CategoricalCrossEntropy(),
        np.float32([[2, 0, 0], [0, 2, 0], [0, 0, 2], [1, 0, 0]]),
        np.float32([[1, 0, 0], [0, np.nan, 0], [0, 0, 1], [0, 1, 0]]),
    ),
]


@LIBRARIES
@pytest.mark.parametrize("missing", ["skip", -999])
@pytest.mark.parametrize(("loss", "prediction", "target"), HOLES)
def test_missing_targets_are_left_out(measured, loss, prediction, target, missing):
    def measure(p, y, **options):
        if measured is in_sklearn:
            return {name: function(y, p) for name, function in metrics.sklearn(loss, **options).items()}
        return measured(loss, p, y, **({"classes": 3} if loss.prediction.rows else {}), **options)

    told = target if missing == "skip" else np.nan_to_num(target, nan=-999)
    known = ~np.isnan(target)
    if loss.prediction.rows:
        known = known.all(axis=1)
    wanted = measure(prediction[known], target[known])
    assert measure(prediction, told, missing=missing) == pytest.approx(wanted, abs=1e-6)


def test_a_nan_is_no_class():
    loss, p, y = HOLES[0]
    with pytest.raises(lossary.DomainError, match=r"NaN among the targets(.|\n)*missing=.skip"):
        metrics.sklearn(loss)["accuracy"](y, p)
    with pytest.raises(lossary.DomainError, match="NaN among the targets"):
        in_torchmetrics(loss, p, y)
    assert np.isnan(in_keras(loss, p, y)["accuracy"])  # where nothing can raise


def test_rows_without_a_number_are_left_out():
    found = metrics.sklearn(lossary.Quantile(0.9), missing="skip")
    p, y = np.array([1.0, 5.0, 2.0]), np.array([2.0, np.nan, 4.0])
    assert found["mae"](y, p) == 1.5
    assert found["mae"](y, p, [3.0, 1.0, 1.0]) == 1.25
    assert found["pinball"](y, p) == pytest.approx(1.35)


@pytest.mark.parametrize("library", ["torchmetrics", "keras"])
def test_options_that_metrics_cannot_use(library):
    make, option = getattr(metrics, library), {"torchmetrics": "ignore_index", "keras": "ignore_class"}[library]
    with pytest.raises(lossary.UsageError, match=r"count every target(.|\n)*as_metric\(loss\.\w+\(missing='skip'\)\)"):
        make(lossary.Huber(), missing="skip")
    with pytest.raises(lossary.UsageError, match=f"{option} is for targets of class indices"):
        make(lossary.BinaryCrossEntropy(), **{option: -1})
    with pytest.raises(lossary.UsageError, match=f"{option}=-1"):
        make(lossary.SparseCategoricalCrossEntropy(), classes=3, missing=-1)
