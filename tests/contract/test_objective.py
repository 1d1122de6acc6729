"""The algebra of losses and penalties: every term stays visible, and the sum is the sum."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest

import lossary
from lossary import (
    L1,
    L2,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    ElasticNet,
    Hinge,
    Huber,
    LogCosh,
    MeanSquaredError,
    Objective,
    Quantile,
    SparseCategoricalCrossEntropy,
    ZeroOne,
    catalogue,
    errors,
)
from lossary.check.backends import backend as adapter
from lossary.define.claims.curve import Convex, StronglyConvex
from lossary.define.claims.slope import Lipschitz, Smooth
from tests.grid import FRAMEWORKS

in_each = pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
in_autodiff = pytest.mark.parametrize("framework", [x for x in FRAMEWORKS if x != "numpy"], indirect=True)

PREDICTION, TARGET, WEIGHT = (
    np.array([0.5, -2.0, 4.0, 1.0]),
    np.array([0.0, 1.0, 0.5, 1.0]),
    np.array([1.0, 2.0, 0.5, 1.0]),
)
MATRIX, BIAS = np.array([[1.0, -2.0], [0.5, 0.0]]), np.array([3.0, -1.0])
BOTH = 0.7 * Huber(1.5) + 0.3 * Quantile(0.9)
ALL_THREE = BOTH + 1e-2 * L2()


def arrays(framework: Any, dtype: str = "float32") -> dict[str, Any]:
    return {
        name: framework.array(x, dtype)
        for name, x in {"prediction": PREDICTION, "target": TARGET, "weight": WEIGHT}.items()
    }


# ── the sum ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@in_each
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_an_objective_is_the_weighted_sum(framework: Any, reduction: str) -> None:
    given = arrays(framework)
    came = framework.value_and_gradient(BOTH, **given, reduction=reduction)
    huber, quantile = (
        framework.value_and_gradient(x, **given, reduction=reduction) for x in (Huber(1.5), Quantile(0.9))
    )
    for one, a, b in zip(came, huber, quantile, strict=True):
        np.testing.assert_allclose(one, 0.7 * a + 0.3 * b, rtol=1e-6)
    np.testing.assert_array_equal(
        framework.numpy(BOTH.values(**given)), framework.numpy(BOTH(**given, reduction="none"))
    )


@in_each
def test_every_term_stays_visible(framework: Any) -> None:
    given = arrays(framework)
    parameters = [framework.array(MATRIX, "float32"), framework.array(BIAS, "float32")]
    terms = ALL_THREE.terms(**given, parameters=parameters)
    assert list(terms) == ["huber", "quantile", "l2"]
    assert float(terms["huber"]) == pytest.approx(0.7 * float(Huber(1.5)(**given)), rel=1e-6)
    assert float(terms["quantile"]) == pytest.approx(0.3 * float(Quantile(0.9)(**given)), rel=1e-6)
    assert float(terms["l2"]) == pytest.approx(1e-2 * 15.25, rel=1e-6)
    assert float(ALL_THREE(**given, parameters=parameters)) == pytest.approx(sum(map(float, terms.values())), rel=1e-6)


def test_equal_names_are_numbered() -> None:
    objective = Quantile(0.1) + Quantile(0.9) + MeanSquaredError() + L1() + Quantile(0.5)
    assert objective.names == ("quantile_1", "quantile_2", "mean_squared_error", "l1", "quantile_3")
    assert (BinaryCrossEntropy() + ElasticNet()).names == ("binary_cross_entropy", "elastic_net")
    assert Objective.of(lossary.KLDivergence()).names == ("kl_divergence",)


@in_each
def test_a_total_of_an_objective(framework: Any) -> None:
    given = arrays(framework)
    whole = BOTH.total(**given)
    parts = [BOTH.total(**{name: x[rows] for name, x in given.items()}) for rows in (slice(0, 1), slice(1, 4))]
    assert float(sum(parts).mean) == pytest.approx(float(whole.mean), rel=1e-6)
    assert float(whole.mean) == pytest.approx(float(BOTH(**given)), rel=1e-6)
    assert float(whole.weight) == 4.5


@in_each
def test_masks_reach_every_term(framework: Any) -> None:
    given = arrays(framework)
    given["prediction"] = framework.array(np.array([0.5, math.nan, 4.0, 1.0]), "float32")
    where = framework.array(np.array([True, False, True, True]))
    came = BOTH(**given, where=where)
    keep = np.array([0, 2, 3])
    wanted = BOTH(prediction=PREDICTION[keep], target=TARGET[keep], weight=WEIGHT[keep])
    assert float(came) == pytest.approx(float(wanted), rel=1e-6)


@in_autodiff
def test_an_objective_compiles(framework: Any) -> None:
    given = arrays(framework)
    came = framework.traced(lambda p, y: BOTH(prediction=p, target=y), given["prediction"], given["target"])
    wanted = framework.value_and_gradient(BOTH, given["prediction"], given["target"])
    for one, other in zip(came, wanted, strict=True):
        np.testing.assert_allclose(framework.numpy(one), other, rtol=1e-6)


# ── penalties ────────────────────────────────────────────────────────────────────────────────────────────────────────

PENALTIES = [
    (L1(), lambda w: np.abs(w).sum(), np.sign),
    (L2(), lambda w: (w * w).sum(), lambda w: 2.0 * w),
    (L2(0.5), lambda w: 0.5 * (w * w).sum(), lambda w: w),
    (ElasticNet(0.25), lambda w: 0.25 * np.abs(w).sum() + 0.75 * (w * w).sum(), lambda w: 0.25 * np.sign(w) + 1.5 * w),
    (ElasticNet(1.0, strength=2.0), lambda w: 2.0 * np.abs(w).sum(), lambda w: 2.0 * np.sign(w)),
]


@in_each
@pytest.mark.parametrize(("penalty", "value", "gradient"), [pytest.param(*x, id=repr(x[0])) for x in PENALTIES])
def test_a_penalty_is_its_formula(framework: Any, penalty: Any, value: Any, gradient: Any) -> None:
    matrix, bias = framework.array(MATRIX, "float32"), framework.array(BIAS, "float32")
    for parameters in ([matrix, bias], (matrix, [bias]), {"layer": {"kernel": matrix, "bias": bias}, "frozen": None}):
        price = penalty(parameters=parameters)
        assert float(price) == pytest.approx(value(MATRIX) + value(BIAS), rel=1e-6)
        assert framework.dtype(price) == "float32"
    assert float(dataclasses.replace(penalty, biases=False)(parameters=[matrix, bias])) == pytest.approx(
        value(MATRIX), rel=1e-6
    )
    assert float(penalty(parameters=matrix)) == pytest.approx(value(MATRIX), rel=1e-6)
    if framework.differentiates:
        _, came = framework.pulled(lambda w: penalty(parameters=[w, bias]), matrix)
        np.testing.assert_allclose(framework.numpy(came), gradient(MATRIX), rtol=1e-6)


def test_a_torch_model_is_a_penaltys_parameters() -> None:
    torch = adapter("torch").torch
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    squares = {w: float((w.detach() ** 2).sum()) for w in net.parameters()}
    price = L2()(parameters=net)
    assert price.item() == pytest.approx(sum(squares.values()), rel=1e-6)
    kernels = sum(square for w, square in squares.items() if w.dim() > 1)
    assert L2(biases=False)(parameters=net).item() == pytest.approx(kernels, rel=1e-6)
    price.backward()
    for w in net.parameters():
        torch.testing.assert_close(w.grad, 2 * w.detach())


@in_each
def test_a_penalty_sums_in_float64(framework: Any) -> None:
    weights = np.full(300_000, 0.6, "float32")
    weights[0] = 4096.0
    exact = (weights.astype("float64") ** 2).sum()
    assert float(L2()(parameters=[framework.array(weights)])) == pytest.approx(exact, rel=2.0**-23)


@in_each
def test_penalties_refuse_what_they_cannot_count(framework: Any) -> None:
    bias = framework.array(BIAS, "float32")
    for penalty, parameters, words in (
        (L2(), [], "L2 found no parameter to count"),
        (L2(), None, "L2 found no parameter to count"),
        (L1(biases=False), [bias], "biases=False leaves out arrays of fewer than two axes"),
        (L1(), "weights", "parameters must be a model"),
        (L1(), 3.0, "parameters must be a model"),
    ):
        with pytest.raises(errors.UsageError, match=words):
            penalty(parameters=parameters)


def test_penalties_count_once_and_not_per_micro_batch() -> None:
    given = arrays(adapter("numpy"))
    for door, words in (
        (ALL_THREE.total, "cannot have a total.* once per micro-batch"),
        (ALL_THREE.values, "unreduced values"),
        (ALL_THREE.value_and_gradient, "gradient in the prediction"),
    ):
        with pytest.raises(errors.UsageError, match=rf"(?s)an objective with penalties.*({words})"):
            door(**given)
    with pytest.raises(
        errors.UsageError, match=r"(?s)needs the parameters.*parameters=None.*objective.torch\(model=net\)"
    ):
        ALL_THREE(**given)
    once = ALL_THREE(**given, parameters=[MATRIX], reduction="sum") - BOTH(**given, reduction="sum")
    assert once == pytest.approx(1e-2 * 5.25)


def test_penalties_alone_are_no_loss() -> None:
    with pytest.raises(errors.UsageError, match="an objective needs a loss to be called"):
        (1e-3 * L2()).prediction  # noqa: B018


# ── arithmetic ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_arithmetic() -> None:
    huber, mse = Huber(), MeanSquaredError()
    assert huber + mse == Objective(((1.0, huber), (1.0, mse)))
    assert 2 * huber == huber * 2 == Objective(((2, huber),))
    assert 2 * (huber + 0.5 * mse) == Objective(((2, huber), (1.0, mse)))
    assert np.float64(0.5) * huber == huber * np.float64(0.5) == 0.5 * huber
    assert np.float64(0.5) * (huber + mse) == 0.5 * (huber + mse)
    assert (huber + mse) + (mse + L2()) == huber + mse + mse + L2()
    assert sum([huber, mse, L2()]) == huber + mse + L2()
    assert L2() + huber == Objective(((1.0, L2()), (1.0, huber)))
    assert (
        repr(0.7 * Huber(1.5) + Quantile(0.9) + 1e-4 * L2())
        == "0.7 * Huber(delta=1.5) + Quantile(level=0.9) + 0.0001 * L2(strength=1.0)"
    )
    for wrong in ("2", True, None, np.ones(2), huber):
        with pytest.raises(TypeError):
            huber * wrong
    for wrong in ("2", 1.0, None):
        with pytest.raises(TypeError):
            huber + wrong
    for factor in (-1.0, math.nan, math.inf):
        with pytest.raises(errors.ParameterError, match="a finite number, at least 0"):
            factor * huber


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Huber(), BinaryCrossEntropy()),
        (BinaryCrossEntropy(), BinaryCrossEntropy(from_logits=False)),
        (CategoricalCrossEntropy(), SparseCategoricalCrossEntropy()),
        (Hinge(), Hinge(labels=(0, 1))),
        (Hinge(), BinaryCrossEntropy()),
    ],
    ids=repr,
)
def test_losses_of_different_inputs_do_not_add(one: Any, other: Any) -> None:
    with pytest.raises(
        errors.ParameterError, match=r"(?s)same kind of prediction and target.*Received: .*prediction: .*target: "
    ):
        one + other


def test_different_class_weights_have_no_total() -> None:
    objective = SparseCategoricalCrossEntropy() + SparseCategoricalCrossEntropy(class_weight=(1, 2))
    with pytest.raises(errors.UsageError, match="a total needs one weight for all losses"):
        objective.total(prediction=np.zeros((2, 2)), target=[0, 1])


def test_a_call_error() -> None:
    with pytest.raises(errors.UsageError, match=r"(?s)prediction= and target= by name"):
        BOTH(PREDICTION, TARGET)
    with pytest.raises(errors.UsageError, match=r"(?s)by name.*y_pred="):
        BOTH(y_pred=PREDICTION, y_true=TARGET)
    with pytest.raises(errors.ParameterError, match="reduction must be"):
        BOTH(prediction=PREDICTION, target=TARGET, reduction="avg")
    with pytest.raises(errors.ShapeError, match="Huber: prediction and target"):
        BOTH(prediction=PREDICTION, target=TARGET[:2])


# ── an objective is a value ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "objective", [BOTH, ALL_THREE, 0.5 * Huber() + Huber(2), ElasticNet(0.3, biases=False) * 2.0], ids=repr
)
def test_round_trips(objective: Objective) -> None:
    config = json.loads(json.dumps(objective.config()))
    for other in (
        lossary.from_config(config),
        Objective.from_config(config),
        pickle.loads(pickle.dumps(objective)),
        copy.deepcopy(objective),
        eval(repr(objective), vars(lossary) | {name: getattr(lossary, name) for name in lossary.__all__}),
    ):
        assert other == objective
        assert hash(other) == hash(objective)
        assert repr(other) == repr(objective)
    assert "terms" in config
    with pytest.raises(dataclasses.FrozenInstanceError):
        objective.summands = ()  # type: ignore[misc]


def test_what_is_true_of_the_sum() -> None:
    assert Convex in map(type, BOTH.claims)
    assert Lipschitz(0.7 * 1.5 + 0.3 * 0.9) in BOTH.claims
    smooth = 0.5 * MeanSquaredError() + LogCosh() + L2()
    assert {StronglyConvex(1.0), Smooth(2.0)} <= set(smooth.claims)
    for each in (*BOTH.claims, *smooth.claims):
        summed = Objective(
            tuple(x for x in (BOTH if each in BOTH.claims else smooth).summands if not isinstance(x[1], L2))
        )
        assert not each.examine(summed, points=2_000).refuted
    assert BOTH.task == "regression"
    assert (BOTH.prediction, BOTH.target) == (Huber().prediction, Huber().target)
    assert BOTH.trainable
    assert not (Hinge() + ZeroOne()).trainable


def test_penalties_are_no_losses() -> None:
    assert not {L1, L2, ElasticNet} & set(catalogue.classes())
    assert lossary.from_config(L2(0.5).config()) == L2(0.5)
    for name in ("L2", "l2", "elasticnet"):
        with pytest.raises(errors.UnknownNameError, match="is a penalty, not a loss"):
            lossary.get(name)


# ── learned factors ──────────────────────────────────────────────────────────────────────────────────────────────────


@in_autodiff
def test_derivatives_go_to_the_factors(framework: Any) -> None:
    given, at = arrays(framework), framework.array(np.array(0.5), "float32")
    plain = float(Huber(1.5)(**given))
    for objective in (lambda s: s * Huber(1.5) + s, lambda s: s + Huber(1.5) * s, lambda s: Huber(1.5) * s + s):
        value, slope = framework.pulled(lambda s, make=objective: make(s)(**given), at)
        assert framework.numpy(value) == pytest.approx(0.5 * plain + 0.5, rel=1e-6)
        assert framework.numpy(slope) == pytest.approx(plain + 1.0, rel=1e-6)


def test_learned_factors_at_home_in_jax() -> None:
    jax = pytest.importorskip("jax")
    given = [jax.numpy.asarray(x, dtype="float32") for x in (PREDICTION, TARGET)]
    plain = float(Huber()(prediction=given[0], target=given[1]))

    @jax.jit
    @jax.value_and_grad
    def step(s: Any) -> Any:
        return (jax.numpy.exp(-s) * Huber() + s).jax()(*given)

    value, slope = step(0.3)
    assert float(value) == pytest.approx(math.exp(-0.3) * plain + 0.3, rel=1e-6)
    assert float(slope) == pytest.approx(1.0 - math.exp(-0.3) * plain, rel=1e-5)
    with pytest.raises(errors.UsageError, match="a hyper-parameter is not learned"):
        jax.grad(lambda delta: Huber(delta)(prediction=given[0], target=given[1]))(1.0)
    with pytest.raises(errors.UsageError, match="levels must be a plain number: a hyper-parameter is not learned"):
        jax.grad(lambda level: sum(lossary.MultiQuantile((level, 0.9)).levels))(0.5)
