"""What must hold for `lossary.keras` on any backend; `test_keras.py` runs this file once for each, in its own process.

KERAS_BACKEND=jax python -m pytest tests/adapters/keras_cases.py
"""

from __future__ import annotations

import copy
import functools
import pathlib
import pickle
from typing import Any

import keras
import numpy as np
import pytest
from keras.src import backend as keras_backend

import lossary.keras
from lossary import (
    L1,
    L2,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    ElasticNet,
    Huber,
    MeanSquaredError,
    Pointwise,
    Quantile,
    SparseCategoricalCrossEntropy,
    catalogue,
    explain,
    metrics,
)
from lossary.define import registry
from lossary.define.claims.claim import closure
from lossary.define.claims.curve import NonNegative
from lossary.define.domains.classes import Labels
from lossary.define.parameters import parameter, parameters_of
from lossary.errors import (
    DifferentiationError,
    DomainError,
    DtypeError,
    NonFiniteError,
    ParameterError,
    ShapeError,
    UnknownNameError,
    UsageError,
)
from tests import grid

BACKENDS = ("tensorflow", "jax", "torch")
BACKEND = keras.backend.backend()
if BACKEND == "tensorflow":
    import tensorflow

    processor = tensorflow.config.list_physical_devices("CPU")[0]
    two = [tensorflow.config.LogicalDeviceConfiguration()] * 2
    tensorflow.config.set_logical_device_configuration(processor, two)  # for tf.distribute, before anything runs
# TensorFlow's graphs without XLA, JAX's always with it, for else it runs word by word.
QUICK: dict[str, Any] = {"jit_compile": BACKEND == "jax"}
REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None]


class Plain(Pointwise):
    """A loss of a user's own, without a gradient, so that each framework differentiates it."""

    scale: float = parameter(1.0, above=0, doc="factor")

    task = "regression"
    prediction, target = MeanSquaredError.prediction, MeanSquaredError.target

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return self.scale * xp.log_cosh(p - y)


def settings_of(cls: type[Any]) -> list[dict[str, Any]]:
    """The settings at which a loss is tried: its examples, each with logits and probabilities where it takes both."""
    known = parameters_of(cls)
    examples: list[dict[str, Any]] = [{}]
    for name, its in known.items():
        examples += [{name: example} for example in its.examples]
    if "from_logits" not in known:
        return examples
    return [{"from_logits": said, **example} for said in (True, False) for example in examples]


def sampled(cases: list[Any]) -> list[Any]:
    """Each on one of the backends, which its name chooses; on the others it is thorough."""
    return [
        pytest.param(*case.values, id=case.id, marks=() if kept else pytest.mark.thorough)
        for case in cases
        for kept in [grid.chosen(BACKENDS, case.id) == BACKEND]
    ]


def alike(cases: list[Any], everywhere: bool = True) -> list[Any]:
    """One of the losses that take their inputs alike, whose formulas the laws of an adapter never ask for; at its
    defaults `everywhere`, on all backends, else on one. The others are thorough."""
    losses = [cls(**settings) for cls, settings in (case.values for case in cases)]
    standing = grid.one_of_each(losses, "Keras")

    def kept(case: Any, loss: Any) -> bool:
        of_all = everywhere and loss in grid.EACH
        return loss in standing and (of_all or grid.chosen(BACKENDS, case.id) == BACKEND)

    return [
        pytest.param(*case.values, id=case.id, marks=() if kept(case, loss) else pytest.mark.thorough)
        for case, loss in zip(cases, losses, strict=True)
    ]


SETTINGS = [
    pytest.param(cls, s, id=f"{cls.__name__}-{s}") for cls in map(type, grid.DEFAULTS) for s in settings_of(cls)
]
CASES = alike(SETTINGS)
TWINS = [
    pytest.param(cls(**s), twin, id=f"{cls(**s)!r}-{s}")
    for cls in map(type, grid.DEFAULTS)
    for s in settings_of(cls)
    for twin in cls.same_as
    if twin.library == "keras"
    and not twin.offset
    and twin.applies(cls(**s))
    and twin.call.endswith("(target, prediction)")
]
TRAINABLE = [
    pytest.param(cls, said, id=f"{cls.__name__}{''.join(f'-{name}-{value}' for name, value in said.items())}")
    for cls in map(type, grid.DEFAULTS)
    if cls.trainable
    for said in ([{"from_logits": True}, {"from_logits": False}] if "from_logits" in parameters_of(cls) else [{}])
]


def both(loss: Any, rng: Any, *lead: int) -> tuple[Any, Any]:
    """Ordinary predictions and targets: Keras' own losses clip what lies at the edge."""
    shape = (*lead, loss.prediction.size or 4)
    prediction = loss.prediction.ordinary(rng, shape)
    target = loss.target.ordinary(rng, loss.target.shape_beside(loss.prediction, shape))
    given = (x if x.dtype.kind == "i" else x.astype("float32") for x in (prediction, target))
    return next(given), next(given)


def masked(x: Any, mask: Any) -> Any:
    """A tensor that carries a mask, as a layer would return it."""
    x = keras.ops.convert_to_tensor(x)
    if mask is not None:
        keras_backend.set_keras_mask(x, keras.ops.convert_to_tensor(mask))
    return x


def gradient(function: Any, x: Any) -> Any:
    """The derivative of a scalar function of one tensor, by the backend's own differentiation."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        variable = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(variable)
            value = function(variable)
        return tape.gradient(value, variable).numpy()
    if BACKEND == "jax":
        import jax

        return np.asarray(jax.grad(function)(jax.numpy.asarray(x)))
    import torch

    leaf = torch.tensor(x, requires_grad=True)
    (derivative,) = torch.autograd.grad(function(leaf), leaf)
    return derivative.numpy()


def numpy(x: Any) -> Any:
    return keras.ops.convert_to_numpy(x)


# ── the number ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "twin"), sampled(TWINS))
def test_it_reduces_as_keras_own_losses_do(loss: Any, twin: Any, reduction: Any) -> None:
    rng = np.random.default_rng(0)
    prediction, target = both(loss, rng, 5)
    theirs = eval(twin.call.removesuffix("(target, prediction)"), {"keras": keras, **loss.settings})
    theirs.reduction = reduction
    ours = loss.keras(reduction=reduction)
    weight = rng.uniform(0.5, 2.0, size=5).astype("float32")
    mask = np.array([True, False, True, True, False])
    for sample_weight in (None, weight, weight[:, None]):
        for where in (None, mask):
            wanted = numpy(theirs(target, masked(prediction, where), sample_weight))
            came = numpy(ours(target, masked(prediction, where), sample_weight))
            if reduction not in {None, "none"}:
                assert came.shape == ()
            # Keras returns (N, 1) beside a weight of that shape; an entry has one value all the same.
            np.testing.assert_allclose(came.reshape(wanted.shape), wanted, rtol=5e-6)


@pytest.mark.parametrize(("cls", "settings"), sampled(SETTINGS))
def test_mean_with_sample_weight_is_the_mean_of_the_free_call(cls: type[Any], settings: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    loss = cls(**settings)
    prediction, target = both(loss, rng, 6)
    weight = rng.uniform(0.5, 2.0, size=6).astype("float32")
    mask = np.array([True, False, True, True, True, False])
    hosted = getattr(lossary.keras, cls.__name__)(**settings, reduction="mean_with_sample_weight")
    for w, where in ((None, None), (weight, None), (None, mask), (weight, mask)):
        wanted = loss(prediction=prediction, target=target, weight=w, where=where)
        np.testing.assert_allclose(numpy(hosted(target, masked(prediction, where), w)), wanted, rtol=2e-6)


@pytest.mark.parametrize(("cls", "settings"), CASES)
def test_the_other_mean_divides_by_the_number_of_entries(cls: type[Any], settings: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    loss = cls(**settings)
    prediction, target = both(loss, rng, 6)
    weight = rng.uniform(0.5, 2.0, size=6).astype("float32")
    entries = loss(prediction=prediction, target=target, weight=weight, reduction="none")
    hosted = loss.keras()
    np.testing.assert_allclose(numpy(hosted(target, prediction, weight)), entries.mean(), rtol=2e-6)
    per_row = entries if entries.ndim == 1 else entries.mean(-1)
    hosted.reduction = "none"
    np.testing.assert_allclose(numpy(hosted(target, prediction, weight)), per_row, rtol=2e-6)
    unweighted = loss(prediction=prediction, target=target, reduction="none")
    per_row = unweighted if unweighted.ndim == 1 else unweighted.mean(-1)
    np.testing.assert_allclose(numpy(hosted.call(target, prediction)), per_row, rtol=2e-6)


def test_weights_of_samples_reach_every_step_of_a_sequence() -> None:
    rng = np.random.default_rng(3)
    prediction, target, weight = rng.normal(size=(4, 4, 1)), rng.normal(size=(4, 4)), rng.uniform(size=4)
    wanted = MeanSquaredError()(prediction=prediction[..., 0], target=target, weight=weight)
    hosted = lossary.keras.MeanSquaredError(reduction="mean_with_sample_weight")
    assert float(hosted(target, prediction, weight)) == pytest.approx(float(wanted), rel=1e-6)


def test_an_objective_is_the_weighted_sum_of_its_losses() -> None:
    rng = np.random.default_rng(4)
    objective = 0.7 * Huber(0.5) + 0.3 * Quantile(0.9)
    prediction, target, weight = rng.normal(size=(5, 1)), rng.normal(size=5), rng.uniform(size=5)
    hosted = objective.keras(reduction="mean_with_sample_weight")
    wanted = objective(prediction=prediction[:, 0], target=target, weight=weight)
    assert float(hosted(target, prediction, weight)) == pytest.approx(float(wanted), rel=1e-6)


def test_an_empty_batch_costs_nothing() -> None:
    empty = np.zeros((0, 3), "float32")
    for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight"):
        assert float(lossary.keras.Huber(reduction=reduction)(empty, empty)) == 0.0


# ── masks, weights of 0, ignored classes ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("cls", "settings"), [case for case in CASES if case.values[0].trainable])
def test_what_stands_behind_a_mask_stays_out_of_value_and_gradient(cls: type[Any], settings: dict[str, Any]) -> None:
    rng = np.random.default_rng(5)
    loss = cls(**settings)
    hosted = loss.keras(reduction="sum")
    prediction, target = both(loss, rng, 2, 3)
    mask = np.array([[True, True, False], [True, False, False]])
    hidden_p, hidden_y = prediction.copy(), target.astype("float32")
    hidden_p[~mask] = np.nan
    hidden_y[~mask] = np.nan
    plain = gradient(lambda p: hosted(target, p, mask.astype("float32")), prediction)
    by_mask = gradient(lambda p: hosted(hidden_y, masked(p, mask)), hidden_p)
    by_weight = gradient(lambda p: hosted(hidden_y, p, mask.astype("float32")), hidden_p)
    np.testing.assert_array_equal(by_mask, plain)
    np.testing.assert_array_equal(by_weight, plain)
    assert (by_mask[~mask] == 0.0).all()
    assert float(hosted(hidden_y, masked(hidden_p, mask))) == float(hosted(target, masked(prediction, mask)))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight", "sum"])
@pytest.mark.parametrize("ignored", [-1, 255, 1])
def test_an_ignored_class_counts_as_if_it_were_not_there(ignored: int, reduction: Any) -> None:
    rng = np.random.default_rng(6)
    logits = rng.normal(size=(6, 3)).astype("float32")
    labels = np.array([0, 2, ignored, 0, ignored, 2])
    kept = labels != ignored
    options = {"from_logits": True, "class_weight": (1.0, 2.0, 3.0), "reduction": reduction}
    hosted = lossary.keras.SparseCategoricalCrossEntropy(**options, ignore_class=ignored)
    wanted = lossary.keras.SparseCategoricalCrossEntropy(**options)(labels[kept], logits[kept])
    for encoded in (
        labels,
        labels[:, None],
        labels.astype("float32"),
        labels.astype("uint8" if ignored > 0 else "int8"),
    ):
        np.testing.assert_allclose(numpy(hosted(encoded, logits)), numpy(wanted), rtol=1e-6)
    padded = masked(np.concatenate([logits, np.full((2, 3), np.nan, "float32")]), np.arange(8) < 6)
    np.testing.assert_allclose(numpy(hosted(np.r_[labels, 0, 1], padded)), numpy(wanted), rtol=1e-6)


@pytest.mark.parametrize(
    ("cls", "said"),
    alike([each for each in TRAINABLE if not each.values[0](**each.values[1]).target.indices], everywhere=False),
)
@pytest.mark.parametrize("missing", ["skip", -999.0])
def test_missing_targets_count_as_behind_a_mask(cls: Any, said: Any, missing: Any) -> None:
    rng = np.random.default_rng(0)
    hosted, plain = (getattr(lossary.keras, cls.__name__)(**said, **o) for o in ({"missing": missing}, {}))
    prediction, target = both(hosted.loss, rng, 8)
    mask = rng.uniform(size=(8,) if hosted.loss.prediction.rows else (8, 4)) < 0.6
    holes = target.copy()
    holes[~mask] = np.nan if missing == "skip" else missing
    weight = rng.uniform(size=8).astype("float32")
    for sample_weight in (None, weight):
        came = hosted(holes, prediction, sample_weight)
        np.testing.assert_allclose(
            numpy(came), numpy(plain(target, masked(prediction, mask), sample_weight)), rtol=1e-6
        )
    slope = gradient(lambda p: hosted(holes, p), prediction)
    assert (slope[~mask] == 0.0).all()
    assert np.isfinite(slope).all()
    again = keras.losses.deserialize(keras.losses.serialize(hosted))
    assert again.missing == missing
    total = hosted.total(holes, prediction)
    assert float(numpy(total.weight)) == mask.sum()


def test_fit_says_which_row_made_it_nan() -> None:
    """Of a model that was compiled and trained before; what is trained afterwards is compiled again."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 2)).astype("float32")
    y = (x @ [[1.0], [-2.0]]).astype("float32")
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", loss=lossary.keras.MeanSquaredError(), **QUICK)
    model.fit(x, y, verbose=0)
    with explain():
        assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()
    holes = y.copy()
    holes[39] = np.nan
    number = "" if BACKEND == "jax" else "; call 2 of the block"
    with (
        pytest.raises(NonFiniteError, match=rf"row 7 of the batch(.|\n)*target nan{number}\.(.|\n)*missing=\"skip\""),
        explain(),
    ):
        model.fit(x, holes, verbose=0, shuffle=False)
    model = keras.Sequential([keras.layers.Dense(1)])  # on JAX, a step that was broken off has taken the weights along
    model.compile("sgd", loss=lossary.keras.MeanSquaredError(), **QUICK)
    assert np.isnan(model.fit(x, holes, verbose=0).history["loss"]).all()


def test_fit_with_missing_targets() -> None:
    """The optimum is that of the targets there are; a metric of the loss counts them alone."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 2)).astype("float32")
    y = (x @ [[1.0], [-2.0]]).astype("float32")
    y[::3] = np.nan
    loss = lossary.keras.MeanSquaredError(missing="skip")
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.3), loss=loss, metrics=[metrics.as_metric(loss)], **QUICK)
    history = model.fit(x, y, epochs=60, batch_size=256, verbose=0).history
    assert history["loss"][-1] < 1e-3
    np.testing.assert_allclose(numpy(model.layers[0].kernel), [[1.0], [-2.0]], atol=0.05)
    kept = np.isfinite(y[:, 0])
    wanted = float(np.mean((numpy(model(x))[kept] - y[kept]) ** 2))
    assert model.evaluate(x, y, verbose=0)[1] == pytest.approx(wanted, rel=1e-4)


def test_a_masked_sequence_with_nan_behind_the_mask_trains() -> None:
    rng = np.random.default_rng(7)
    tokens = rng.integers(1, 20, size=(64, 6))
    tokens[:, 4:] = 0
    target = (tokens % 5).astype("float32")
    labels = tokens % 3
    target[tokens == 0] = np.nan
    labels[tokens == 0] = -7
    for loss, y, units in (
        (lossary.keras.Huber(), target, 1),
        (lossary.keras.SparseCategoricalCrossEntropy(from_logits=True), labels, 3),
    ):
        model = keras.Sequential([keras.layers.Embedding(20, 8, mask_zero=True), keras.layers.Dense(units)])
        model.compile(optimizer=keras.optimizers.Adam(0.05), loss=loss)  # as Keras chooses
        losses = model.fit(tokens, y, epochs=4, batch_size=32, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        assert all(np.isfinite(numpy(weight)).all() for weight in model.weights)


# ── shapes and encodings ─────────────────────────────────────────────────────────────────────────────────────────────


def fitted(loss: Any, y: Any, units: int = 1, **options: Any) -> float:
    """The loss after one epoch of a fixed linear model."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(8).normal(size=(64, 5)).astype("float32")
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(units)])
    model.compile(optimizer="sgd", loss=loss, **QUICK)
    return model.fit(x, y, epochs=2, batch_size=64, verbose=0, shuffle=False, **options).history["loss"][-1]


def test_fit_takes_targets_of_one_axis_beside_dense_1() -> None:
    y = np.random.default_rng(9).normal(size=64).astype("float32")
    wanted = fitted(keras.losses.Huber(0.5), y)
    assert fitted(lossary.keras.Huber(0.5), y) == pytest.approx(wanted, rel=1e-5)
    assert fitted(lossary.keras.Huber(0.5), y[:, None]) == pytest.approx(wanted, rel=1e-5)
    assert fitted(lossary.keras.Huber(0.5), y, sample_weight=np.ones(64)) == pytest.approx(wanted, rel=1e-5)


def test_fit_takes_class_indices_in_every_encoding() -> None:
    labels = np.random.default_rng(10).integers(0, 3, size=64)
    wanted = fitted(keras.losses.SparseCategoricalCrossentropy(from_logits=True), labels, 3)
    loss = lossary.keras.SparseCategoricalCrossEntropy(from_logits=True)
    for y in (labels, labels[:, None], labels.astype("uint8"), labels.astype("float32")):
        assert fitted(loss, y, 3) == pytest.approx(wanted, rel=1e-5)
    one_hot = np.eye(3, dtype="float32")[labels]
    assert fitted(lossary.keras.CategoricalCrossEntropy(from_logits=True), one_hot, 3) == pytest.approx(
        wanted, rel=1e-5
    )
    # Keras' class_weight and ours are the same thing under Keras' own mean.
    weights = {0: 1.0, 1: 2.0, 2: 0.5}
    by_keras = fitted(loss, labels, 3, class_weight=weights)
    ours = lossary.keras.SparseCategoricalCrossEntropy(from_logits=True, class_weight=tuple(weights.values()))
    assert fitted(ours, labels, 3) == pytest.approx(by_keras, rel=1e-5)


@pytest.mark.parametrize("loss", [lossary.GaussianNLL(), lossary.MultiQuantile((0.25,)), lossary.Coral()], ids=repr)
def test_a_column_of_targets_is_one_for_each_row_of_predictions(loss: Any) -> None:
    prediction, target = both(loss, np.random.default_rng(4), 6)
    wanted = float(loss(prediction=prediction, target=target))
    for given in (target, target[:, None]):
        assert float(loss.keras()(given, prediction)) == pytest.approx(wanted, rel=1e-6)
        assert loss.sklearn().metric(given, prediction) == pytest.approx(wanted, rel=1e-6)


def test_half_types_are_computed_in_float32() -> None:
    for policy in ("mixed_bfloat16", "mixed_float16"):
        layer = keras.layers.Dense(3, dtype=policy)
        model = keras.Sequential([keras.Input((5,)), layer])
        model.compile(optimizer="sgd", loss=lossary.keras.SparseCategoricalCrossEntropy(from_logits=True), **QUICK)
        x, labels = np.ones((8, 5), "float32"), np.arange(8) % 3
        assert np.isfinite(model.fit(x, labels, verbose=0).history["loss"]).all()
    half = lossary.keras.MeanSquaredError(dtype="float16")
    assert keras.backend.standardize_dtype(half(np.zeros(4), np.ones(4, "float32")).dtype) == "float16"


@pytest.mark.parametrize("policy", sampled([pytest.param(f"mixed_{half}", id=half) for half in grid.HALVES]))
def test_probabilities_of_a_mixed_policy_are_off_by_its_rounding(policy: str) -> None:
    rng = np.random.default_rng(11)
    x, labels = rng.normal(size=(64, 5)).astype("float32"), rng.integers(0, 10, size=64)
    for units, activation, target, ours, theirs in (
        (10, "softmax", labels, "SparseCategoricalCrossEntropy", "SparseCategoricalCrossentropy"),
        (10, "softmax", np.eye(10, dtype="float32")[labels], "CategoricalCrossEntropy", "CategoricalCrossentropy"),
        (1, "sigmoid", labels % 2, "BinaryCrossEntropy", "BinaryCrossentropy"),
    ):
        trained = []
        for loss in (getattr(lossary.keras, ours)(from_logits=False), getattr(keras.losses, theirs)()):
            keras.utils.set_random_seed(0)
            model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(units, activation, dtype=policy)])
            model.compile(optimizer="sgd", loss=loss, **QUICK)
            trained.append(model.fit(x, target, epochs=2, batch_size=64, verbose=0, shuffle=False).history["loss"][-1])
            predicted = model(x)
        # Keras divides rows by their sums: the roundings of ten entries of up to 1/256 each.
        assert trained[0] == pytest.approx(trained[1], rel=2e-2)
        hosted = getattr(lossary.keras, ours)(from_logits=False)
        entries = numpy(hosted.call(target, predicted))
        assert entries.mean() == pytest.approx(numpy(hosted(target, predicted)), rel=1e-5)
    off = np.full((2, 10), 0.102, "float32")  # sums to 1.02, which float32 would not
    with pytest.raises(DomainError, match="sum to 1"):
        lossary.keras.SparseCategoricalCrossEntropy(from_logits=False)(labels[:2], off)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has dimensions that are not known yet")
def test_unknown_dimensions_are_settled_when_the_graph_runs() -> None:
    import tensorflow as tf

    pointwise = lossary.keras.Huber()
    rowwise = lossary.keras.SparseCategoricalCrossEntropy(from_logits=True, class_weight=(1.0, 2.0))
    y, p, labels = tf.constant([0.0, 3.0]), tf.constant([[1.0], [1.0]]), tf.constant([0, 1])
    logits = tf.constant([[1.0, 2.0], [3.0, 0.0]])
    for shapes in ([None, [None, None]], [[None], [None, 1]], [[2], [None, 1]]):
        run = tf.function(pointwise, input_signature=[tf.TensorSpec(shape) for shape in shapes])
        assert float(run(y, p)) == float(pointwise(y, p))
        with pytest.raises(tf.errors.InvalidArgumentError):
            run.get_concrete_function()(tf.ones([2]), tf.ones([4, 1]))
    for shape, label in ((None, labels), (None, labels[:, None]), ([None, None], labels[:, None]), ([None], labels)):
        specs = [tf.TensorSpec(shape, tf.int32), tf.TensorSpec([None, None])]
        assert float(tf.function(rowwise, input_signature=specs)(label, logits)) == float(rowwise(labels, logits))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.distribute is TensorFlow's")
def test_means_are_scaled_for_replicas_as_keras_does() -> None:
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    y, p, weight = tf.zeros([4, 1]), tf.ones([4, 1]), tf.constant([1.0, 2.0, 3.0, 4.0])
    for reduction in REDUCTIONS:
        ours, theirs = (
            kind(reduction=reduction) for kind in (lossary.keras.MeanSquaredError, keras.losses.MeanSquaredError)
        )
        came, wanted = (
            strategy.experimental_local_results(strategy.run(loss, (y, p, weight))) for loss in (ours, theirs)
        )
        assert len(came) == 2
        np.testing.assert_array_equal(came, wanted)


# ── training real models ─────────────────────────────────────────────────────────────────────────────────────────────


@functools.cache
def data(task: str) -> tuple[Any, Any]:
    from sklearn import datasets

    x, y = {
        "regression": datasets.load_diabetes,
        "binary": datasets.load_breast_cancer,
        "rows": datasets.load_digits,
    }[task](return_X_y=True)
    x, y = x[:400], y[:400]  # batches of one size, so that a step is compiled once
    if task == "regression":
        y = ((y - y.mean()) / y.std()).astype("float32")
    return ((x - x.mean(0)) / (x.std(0) + 1e-6)).astype("float32"), y


def encoded(loss: Any, y: Any) -> Any:
    """The data's targets as the loss takes them."""
    if loss.task == "regression" or loss.target.indices:
        amounts = y if loss.target.takes_all else y + 2.0  # above 0
        return y if loss.target.indices else loss.target.inside(amounts).astype("float32")
    if loss.target.rows:
        rows = np.eye(10, dtype="float32")[y] * 0.9 + 0.01
        return np.log(rows) if loss.target.logarithms else rows
    return np.where(y == 1, *reversed(loss.target.values)).astype("float32") if isinstance(loss.target, Labels) else y


def has_data(loss: Any) -> bool:
    """Whether a number or a class for each row is what it takes; others train in tests/losses/test_training.py."""
    return loss.task != "ordinal" and (loss.target.says_class or not loss.target.rows)


@pytest.mark.parametrize(
    ("cls", "said"), alike([case for case in TRAINABLE if has_data(case.values[0]())], everywhere=False)
)
def test_it_trains_a_real_model(cls: type[Any], said: dict[str, Any], tmp_path: pathlib.Path) -> None:
    keras.utils.set_random_seed(1)
    hosted = getattr(lossary.keras, cls.__name__)(**said)
    loss = hosted.loss
    rows = loss.prediction.rows
    x, y = data("rows" if loss.prediction.says_class and rows else loss.task)
    target = encoded(loss, y)
    activation = None if said.get("from_logits", True) else "softmax" if rows else "sigmoid"
    if loss.prediction.says_amount and loss.prediction.low == 0.0:
        activation = "softplus"
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            keras.layers.Dense(24, activation="relu"),
            keras.layers.Dense(loss.prediction.size or (10 if rows else 1), activation=activation),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=hosted, **QUICK)
    losses = model.fit(x, target, epochs=12, batch_size=50, verbose=0).history["loss"]
    # A share of a loss that may be negative says nothing.
    assert losses[-1] < (0.8 if NonNegative() in closure(loss.claims) else 1.0) * losses[0]
    predicted = numpy(model(x))
    if loss.prediction.says_estimate:
        estimate = loss.prediction.estimate(predicted).reshape(len(x), -1)[:, 0]
        assert np.abs(estimate - target).mean() < 0.85 * np.abs(np.median(target) - target).mean()
    if loss.prediction.says_class:
        chosen = predicted.argmax(-1) if rows else predicted[:, 0] > loss.prediction.threshold
        constant = max(np.bincount(y)) / len(y)
        assert (chosen == y).mean() > 0.5 * (1.0 + constant)

    if BACKEND == "tensorflow":
        after = model.evaluate(x, target, batch_size=50, verbose=0)
        assert after < losses[0]
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert loaded.loss.get_config() == hosted.get_config()
        assert float(loaded.loss(target, loaded(x))) == pytest.approx(after, rel=1e-5)


@pytest.mark.parametrize("cls", [cls for cls in catalogue.classes() if not cls.trainable])
def test_what_cannot_train_evaluates_and_says_so(cls: type[Any]) -> None:
    rows = cls().prediction.rows
    x, y = data("rows" if rows else "binary")
    target = encoded(cls(), y)
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Dense(10 if rows else 1)])
    model.compile(optimizer="sgd", loss=getattr(lossary.keras, cls.__name__)(), **QUICK)
    predicted = model.predict(x, verbose=0)
    wanted = cls()(prediction=predicted if rows else predicted[:, 0], target=target)
    assert model.evaluate(x, target, verbose=0) == pytest.approx(float(wanted), rel=1e-5)
    with pytest.raises(DifferentiationError, match=cls.__name__):
        model.fit(x, target, verbose=0)


def test_it_trains_under_xla() -> None:
    keras.utils.set_random_seed(2)
    if BACKEND == "torch":
        pytest.skip("the torch backend has no XLA")
    x, y = data("rows")
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Dense(10)])
    loss = lossary.keras.SparseCategoricalCrossEntropy(from_logits=True, label_smoothing=0.1, ignore_class=3)
    model.compile(optimizer="adam", loss=loss, jit_compile=True)
    losses = model.fit(x, y, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]


# ── saving and loading ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("cls", "settings"), [*CASES, pytest.param(Plain, {"scale": 2.0}, id="a user's own")])
def test_it_survives_keras_serialisation_pickle_and_copy(cls: type[Any], settings: dict[str, Any]) -> None:
    hosted = cls(**settings).keras(reduction="mean_with_sample_weight", name="mine", dtype="float64", validate=False)
    assert isinstance(hosted, keras.losses.Loss)
    for again in (
        keras.losses.deserialize(keras.losses.serialize(hosted)),
        keras.losses.get(keras.losses.serialize(hosted)),
        pickle.loads(pickle.dumps(hosted)),
        copy.deepcopy(hosted),
        type(hosted).from_config(hosted.get_config()),
    ):
        assert type(again) is type(hosted)
        assert again.loss == hosted.loss
        assert again.get_config() == hosted.get_config()
        assert (again.name, again.reduction, again.dtype) == ("mine", "mean_with_sample_weight", "float64")


@pytest.mark.parametrize(
    "loss",
    [
        lossary.keras.Quantile(level=0.9, reduction="sum", name="p90", dtype="bfloat16"),
        Plain(3.0).keras(reduction="mean"),
        (0.7 * Huber(1.5) + 0.3 * Plain(2.0)).keras(name="both", reduction="sum"),
    ],
    ids=repr,
)
def test_a_saved_model_brings_its_loss_back(loss: Any, tmp_path: pathlib.Path) -> None:
    x, y = np.ones((4, 2), "float32"), np.arange(4.0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_regularizer=L2(1e-2).keras())])
    model.compile(optimizer="sgd", loss=loss, **QUICK)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.loss) is type(loss)
    assert loaded.loss.get_config() == loss.get_config()
    assert loaded.layers[0].kernel_regularizer.penalty == L2(1e-2)
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))


def test_a_loss_is_known_to_keras_as_soon_as_it_is_defined() -> None:
    class Fresh(Pointwise):
        """Defined after lossary.keras was imported, and hosted by nobody."""

        task = "regression"
        prediction, target = MeanSquaredError.prediction, MeanSquaredError.target

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return xp.abs(p - y)

    registered = f"lossary>{registry.key(Fresh)}"
    saved = {"class_name": "Fresh", "config": {"reduction": "sum"}, "registered_name": registered, "module": None}
    assert keras.saving.deserialize_keras_object(saved).loss == Fresh()


def test_a_config_imports_nothing() -> None:
    config = (1.0 * Huber()).keras().get_config()
    config["terms"][0]["name"] = "antigravity:Loss"
    with pytest.raises(UnknownNameError, match="no loss 'antigravity:Loss'"):
        lossary.keras.ObjectiveLoss.from_config(config)
    with pytest.raises(TypeError, match="Could not locate class"):
        keras.saving.deserialize_keras_object(
            {"class_name": "L", "config": {}, "registered_name": "lossary>antigravity:L", "module": "antigravity"}
        )


# ── doors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_classes_are_at_home() -> None:
    with pytest.raises(AttributeError, match=r"did you mean Huber\?"):
        lossary.keras.Hubr  # noqa: B018  # the attribute is the point
    assert [lossary.keras.get(name).loss for name in ("mse", "Huber", "pinball")] == [
        MeanSquaredError(),
        Huber(),
        Quantile(),
    ]
    assert lossary.keras.get("huber", delta=2, reduction="sum").reduction == "sum"
    assert lossary.keras.Huber(2).name == "huber"
    assert lossary.keras.Huber is lossary.keras.Huber
    assert Huber(2).keras().get_config() == lossary.keras.Huber(delta=2).get_config()


def test_a_free_loss_in_compile_ends_in_the_lesson() -> None:
    for free, door in (
        (Huber(), "lossary.keras.Huber(delta=1.0)"),
        (Huber, "lossary.keras.Huber(delta=1.0)"),
        (0.5 * Huber() + 0.5 * Quantile(), "(0.5 * Huber(delta=1.0) + 0.5 * Quantile(level=0.5)).keras()"),
        (BinaryCrossEntropy(pos_weight=2), "lossary.keras.BinaryCrossEntropy(from_logits=True, pos_weight=2.0)"),
        (CategoricalCrossEntropy(), "lossary.keras.CategoricalCrossEntropy(from_logits=True)"),
    ):
        with pytest.raises(UsageError, match="takes prediction= and target= by name") as caught:
            fitted(free, np.zeros(64, "float32"))
        assert f"model.compile(loss={door})" in str(caught.value)


@pytest.mark.parametrize("cls", [cls for cls in catalogue.classes() if "from_logits" in parameters_of(cls)])
def test_whether_predictions_are_logits_must_be_said(cls: type[Any]) -> None:
    with pytest.raises(UsageError, match=r"from_logits=True.*from_logits=False"):
        getattr(lossary.keras, cls.__name__)()
    with pytest.raises(UsageError, match=r"from_logits=True.*from_logits=False"):
        lossary.keras.get(cls.__name__)
    assert cls().keras().loss.from_logits  # the free loss has said it


@pytest.mark.skipif(BACKEND == "jax", reason="JAX's tensors remember nothing of where they come from")
@pytest.mark.parametrize("cls", [type(loss) for loss in grid.DEFAULTS if "from_logits" in loss.settings])
def test_activated_predictions_given_as_logits_are_caught(cls: type[Any]) -> None:
    loss = cls(from_logits=True)
    x, y = data("rows" if loss.prediction.rows else "binary")
    units, activation = (10, "softmax") if loss.prediction.rows else (1, "sigmoid")
    layers = keras.layers
    for last in (
        [layers.Dense(units, activation=activation)],
        [layers.Dense(units), layers.Softmax() if loss.prediction.rows else layers.Activation("sigmoid")],
    ):
        model = keras.Sequential([keras.Input(x.shape[1:]), *last])
        model.compile(optimizer="sgd", loss=loss.keras(), **QUICK)
        with pytest.raises(UsageError, match=r"drop the (activation|sigmoid|softmax).*from_logits=False"):
            model.train_on_batch(x, encoded(loss, y))
        model.compile(optimizer="sgd", loss=cls(from_logits=False).keras(), **QUICK)
        assert model.test_on_batch(x, encoded(loss, y)) > 0.0


def test_penalties_are_regularizers() -> None:
    w = np.array([[1.0, -2.0], [0.5, 0.0]], "float32")
    for ours, theirs in (
        (L1(0.1), keras.regularizers.L1(0.1)),
        (L2(0.1), keras.regularizers.L2(0.1)),
        (ElasticNet(0.25, strength=2.0), keras.regularizers.L1L2(0.5, 1.5)),
    ):
        hosted = ours.keras()
        assert isinstance(hosted, keras.regularizers.Regularizer)
        np.testing.assert_allclose(numpy(hosted(keras.ops.convert_to_tensor(w))), numpy(theirs(w)), rtol=1e-6)
        again = keras.regularizers.deserialize(keras.regularizers.serialize(hosted))
        assert again.penalty == ours
    with pytest.raises(UsageError, match=r"kernel_regularizer=L2\(strength=0.0001\).keras\(\)"):
        (Huber() + 1e-4 * L2()).keras()
    with pytest.raises(AttributeError, match="L2 is a penalty"):
        lossary.keras.L2  # noqa: B018  # the attribute is the point


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────

sparse = functools.partial(lossary.keras.SparseCategoricalCrossEntropy, from_logits=True)
P, Y = np.zeros((3, 1), "float32"), np.zeros(3, "float32")
Z = np.zeros((3, 4), "float32")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: lossary.keras.Huber(reduction="average"), ParameterError, "reduction=average"),
        (lambda: lossary.keras.Huber(delta=0), ParameterError, "delta must be"),
        (lambda: lossary.keras.Huber(threshold=1), UsageError, "here it is called delta"),
        (lambda: lossary.keras.Huber(missing="drop"), ParameterError, 'missing must be "skip"'),
        (lambda: sparse(missing="skip"), UsageError, "ignore_class=-1"),
        (lambda: lossary.keras.Huber(ignore_class=0), UsageError, "ignore_class is for targets of class indices"),
        (lambda: lossary.keras.Huber()(Y[:2], P), ShapeError, r"\(3, 1\) and target \(2, 1\)"),
        (lambda: lossary.keras.Huber()(np.zeros((4, 3)), Z), ShapeError, "transposed"),
        (lambda: lossary.keras.Huber()(Y, P, np.ones(2)), ShapeError, "weight must have"),
        (lambda: lossary.keras.Huber()(Y, P, -np.ones(3)), DomainError, "must not be negative"),
        (lambda: lossary.keras.Huber()([1, 2], [1, 2]), DtypeError, "prediction must be floating point"),
        (lambda: lossary.keras.Huber()([1.0, 2.0], [[1.0, 2.0], [3.0]]), DtypeError, "equal lengths"),
        (lambda: lossary.keras.Huber()(["a", "b"], [1.0, 2.0]), DtypeError, "must be"),
        (lambda: lossary.keras.Hinge()([0.0, 1.0], [1.0, 1.0]), DomainError, "-1 or 1"),
        (lambda: sparse()(np.array([0, 1, 4]), Z), DomainError, "K is 4"),
        (lambda: sparse()(np.array([0, 1, -1]), Z), DomainError, "-1 at"),
        (lambda: sparse()(np.array([0.0, 1.0, 2.5], "float32"), Z), DomainError, "2.5"),
        (lambda: sparse()(np.array([0, 1, 2**32]), Z), DomainError, r"2147483647 at \[2\]"),
        (lambda: sparse()(np.array([0, 1, 2**32 + 1], "uint64"), Z), (DomainError, DtypeError), "2147483647|uint64"),
        (lambda: sparse()(np.array([0, 1, 2**32], "float32"), Z), DomainError, "32 bits"),
        (lambda: sparse()(np.array([0, 1, np.inf], "float16"), Z), DomainError, "inf"),
        (lambda: sparse(ignore_class=0)(np.array([0, 1, 2**32]), Z), DomainError, "2147483647"),
        (lambda: sparse()([0, 1, 2**32], Z), (DomainError, DtypeError), "2147483647|int32"),
        (lambda: sparse()(np.eye(4, dtype="int32")[:3], Z), ShapeError, "CategoricalCrossEntropy"),
        (lambda: CategoricalCrossEntropy().keras()(np.array([0, 1, 2]), Z), ShapeError, "SparseCategorical"),
        (lambda: CategoricalCrossEntropy(from_logits=False).keras()(Z + 0.25, Z + 1), DomainError, "sum to 1"),
        (lambda: sparse(dtype="float16")(np.array([0]), np.zeros((1, 2049))), DtypeError, "2048"),
        (lambda: sparse(dtype="bfloat16")(np.array([0]), np.zeros((1, 257))), DtypeError, "256"),
    ],
)
def test_bad_input_is_told_what_was_wanted_and_what_came(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        call()
    assert "Received: " in str(caught.value) or error is ParameterError


@pytest.mark.skipif(BACKEND == "torch", reason="the torch backend trains eagerly, where values can be read")
def test_illegal_values_become_nan_where_nothing_can_raise() -> None:
    labels = np.zeros(64, "int64")
    for bad in (4, 0.5, 2**31) if BACKEND == "jax" else (4, 0.5, 2**32):  # JAX cuts int64 before any loss
        assert np.isnan(fitted(sparse(), np.where(np.arange(64) == 3, bad, labels), 4))
    assert np.isnan(fitted(lossary.keras.Hinge(), np.zeros(64, "float32")))
    assert np.isfinite(fitted(lossary.keras.Hinge(validate=False), np.zeros(64, "float32")))
    assert SparseCategoricalCrossEntropy().keras().validate


# ── the loss as a metric ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_mean_of_a_loss_is_exact_in_fit_of_a_loaded_model(tmp_path: pathlib.Path) -> None:
    random = np.random.default_rng(0)
    x, y, weight = random.normal(size=(13, 3)), random.integers(0, 3, 13), 3.0 ** np.arange(13)
    loss = SparseCategoricalCrossEntropy(label_smoothing=0.1)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(3, kernel_initializer="identity")])
    weighted, plain = metrics.as_metric(loss.keras()), metrics.as_metric(loss.keras(), name="plain")
    model.compile(keras.optimizers.SGD(0.0), loss.keras(), weighted_metrics=[weighted], metrics=[plain], **QUICK)
    wanted = {
        "sparse_categorical_cross_entropy": float(loss(prediction=x, target=y, weight=weight)),
        "plain": float(loss(prediction=x, target=y)),
    }
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = loaded.fit(x, y, sample_weight=weight, batch_size=8, verbose=0).history
    assert {name: found[name][0] for name in wanted} == pytest.approx(wanted, rel=1e-6)


def test_the_mean_of_a_loss_counts_masks_and_columns_and_does_not_stop_counting() -> None:
    metric = metrics.as_metric(lossary.keras.MeanAbsoluteError())
    prediction = keras.ops.convert_to_tensor(np.array([[1.0], [2.0], [np.nan]], "float32"))
    prediction._keras_mask = keras.ops.convert_to_tensor([True, True, False])
    metric.update_state(np.zeros(3), prediction)
    assert float(metric.result()) == 1.5
    metric.reset_state()
    metric.update_state([0.0], np.array([1.0], "float32"), [2.0**25])
    for _ in range(2**4):
        metric.update_state([0.0], np.array([-3.0], "float32"))
    assert float(metric.result()) == pytest.approx((2.0**25 + 3 * 2**4) / (2.0**25 + 2**4), rel=2e-7)  # 1 + 1e-6


@pytest.mark.skipif(BACKEND != "jax", reason="JAX alone trains without state")
def test_the_mean_of_a_loss_without_state() -> None:
    import jax

    metric = metrics.as_metric(lossary.keras.Huber())
    step, variables = jax.jit(metric.stateless_update_state), metric.stateless_reset_state()
    for residual in (0.5, 4.0):
        variables = step(variables, np.zeros(1, "float32"), np.array([residual], "float32"))
    assert float(metric.stateless_result(variables)) == pytest.approx((0.125 + 3.5) / 2)
    assert float(metric.result()) == 0.0
