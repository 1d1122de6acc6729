"""Predictions that are labels: integers and booleans, where a loss is defined on them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from sklearn import datasets, metrics
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

import lossary.sklearn
from lossary import (
    DifferentiationError,
    DomainError,
    DtypeError,
    Hinge,
    MeanAbsoluteError,
    UsageError,
    ZeroOne,
    kernels,
)
from lossary.describe import show as pages
from tests.grid import FRAMEWORKS, losses

AUTODIFF = ("torch", "tensorflow", "jax")
SETTINGS = ((0.0, 1.0), (-1.0, 1.0))
# Which of six are the higher class, and how they are predicted: two mistakes.
TRUE, SAID = np.array([0, 1, 0, 1, 1, 0], bool), np.array([0, 1, 1, 1, 0, 0], bool)
WRONG = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.0])

in_each = pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
in_each_setting = pytest.mark.parametrize("labels", SETTINGS)


def written(which: Any, labels: Any, kind: str) -> Any:
    return which if kind == "bool" else np.where(which, labels[1], labels[0]).astype(kind)


def floating(framework: Any) -> str:
    """The dtype that a framework gives to Python's floats."""
    return "float64" if framework.name == "numpy" else "float32"


@in_each
@in_each_setting
@pytest.mark.parametrize("kind", ["bool", "int8", "int32", "int64", "uint8"])
def test_labels_cost_1_where_they_are_wrong(framework: Any, labels: Any, kind: str) -> None:
    if kind == "uint8" and min(labels) < 0:
        pytest.skip("no such number")
    loss, target = ZeroOne(labels=labels), written(TRUE, labels, "int64")
    said = framework.array(written(SAID, labels, kind))
    none, total, mean = (loss(prediction=said, target=target, reduction=how) for how in ("none", "sum", "mean"))
    np.testing.assert_array_equal(framework.numpy(none), WRONG)
    assert float(total) == 2.0
    assert float(mean) == pytest.approx(1 / 3, rel=1e-7)
    assert {framework.dtype(each) for each in (none, total, mean)} == {floating(framework)}
    weight = np.arange(6.0)
    assert float(loss(prediction=said, target=target, weight=weight)) == pytest.approx(6 / 15, rel=1e-6)
    assert float(loss(prediction=said, target=target, where=~WRONG.astype(bool))) == 0.0


@in_each
@in_each_setting
def test_scores_cost_what_their_labels_do(framework: Any, labels: Any, random: Any) -> None:
    scores = random.normal(size=40)
    target = written(random.uniform(size=40) < 0.5, labels, "int64")
    loss = ZeroOne(labels=labels)
    by_score = loss(prediction=framework.array(scores, "float32"), target=target, reduction="none")
    by_label = loss(prediction=framework.array(written(scores > 0, labels, "int64")), target=target, reduction="none")
    np.testing.assert_array_equal(framework.numpy(by_score), framework.numpy(by_label))


@pytest.mark.parametrize("framework", AUTODIFF, indirect=True)
def test_labels_in_a_trace(framework: Any) -> None:
    """What is no label is NaN there; floats are scores."""
    loss = ZeroOne(labels=(0, 1))
    compiled = {
        "torch": lambda f: framework.torch.compile(f, fullgraph=True, backend="aot_eager"),
        "tensorflow": lambda f: framework.tf.function(f, jit_compile=True, autograph=False),
        "jax": lambda f: framework.jax.jit(f),  # noqa: PLW0108  # the others have no JAX
    }[framework.name](lambda p, y: loss(prediction=p, target=y, reduction="none"))
    target = framework.array(TRUE[:3].astype("float32"))
    for said, wanted in (
        (np.array([0, 0, 1]), [0.0, 1.0, 1.0]),
        (np.array([False, True, False]), [0.0, 0.0, 0.0]),
        (np.array([0, 2, -1]), [0.0, np.nan, np.nan]),
        (np.array([0.0, 1.0, 1.0], "float32"), [1.0, 0.0, 1.0]),
    ):
        np.testing.assert_array_equal(framework.numpy(compiled(framework.array(said), target)), wanted)


@in_each
@in_each_setting
def test_integers_that_are_no_labels(framework: Any, labels: Any) -> None:
    loss, target = ZeroOne(labels=labels), written(TRUE[:3], labels, "int64")
    wanted, hint = ("0 or 1", "labels=(-1, 1)") if labels[0] == 0 else ("-1 or 1", "labels=(0, 1)")
    said = framework.array(np.array([1, 2, 1]))
    message = rf"(?s)integers are labels, and must be {wanted}.*2.0 at \[1\]; 1 of 3.*{re.escape(hint)}"
    with pytest.raises(DomainError, match=message):
        loss(prediction=said, target=target)
    where = np.array([True, False, True])
    kept = loss(prediction=said, target=target, where=where)
    assert float(kept) == float(loss(prediction=said, target=target, weight=where.astype(float)))
    assert float(kept) == float(loss(prediction=framework.array(np.array([1, 1])), target=target[where]))


@in_each
def test_floats_that_could_be_either(framework: Any) -> None:
    loss, floats = ZeroOne(labels=(0, 1)), framework.array(np.array([0.0, 1.0, 1.0]), "float32")
    for reduction in ("mean", "sum", "none"):
        with pytest.raises(DomainError, match=r"(?s)all 0 or 1.*astype\(int\).*\.long\(\).*- 0\.5.*labels=\(-1, 1\)"):
            loss(prediction=floats, target=[0, 1, 0], reduction=reduction)
    # What the message says to do.
    assert float(loss(prediction=framework.array(np.array([0, 1, 1])), target=[0, 1, 0])) == pytest.approx(1 / 3)
    assert float(loss(prediction=floats - 0.5, target=[0, 1, 0])) == pytest.approx(1 / 3)
    assert float(ZeroOne()(prediction=floats, target=[-1, 1, -1])) == pytest.approx(2 / 3)
    # Nothing is asked where it makes no difference, or where one score is none of both.
    assert float(loss(prediction=floats, target=[0, 1, 0], where=False)) == 0.0
    assert float(loss(prediction=framework.array(np.zeros(0, "float32")), target=np.zeros(0))) == 0.0
    assert float(loss(prediction=framework.array(np.array([0.0, 1.0, 2.0]), "float32"), target=[0, 1, 0])) > 0.5
    assert float(ZeroOne()(prediction=framework.array(np.array([-1.0, 1.0]), "float32"), target=[-1, 1])) == 0.0


@losses()
def test_only_losses_on_labels_take_integers(loss: Any) -> None:
    """The domain says which do, and its words say so too."""
    takes = loss.prediction.labels is not None
    assert takes == isinstance(loss, ZeroOne)
    assert ("integers" in loss.prediction.wanted) == takes
    if not takes:
        shape = (2, 4) if loss.prediction.rows else (2,)
        with pytest.raises(DtypeError, match="floating point"):
            loss(prediction=np.ones(shape, int), target=np.zeros(2 if loss.target.indices else shape, int))


def test_labels_have_no_derivative_either() -> None:
    with pytest.raises(DifferentiationError, match="no useful gradient"):
        ZeroOne().value_and_gradient(prediction=np.array([1, -1]), target=[1, 1])
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError, match="does not require grad"):
        ZeroOne()(prediction=torch.tensor([1, -1]), target=[1, 1]).backward()
    jax = pytest.importorskip("jax")
    with pytest.raises(TypeError, match="grad requires real- or complex-valued inputs"):
        jax.grad(lambda p: ZeroOne()(prediction=p, target=[1, 1]))(np.array([1, -1]))


def test_labels_at_home() -> None:
    import torch

    import lossary.jax
    import lossary.keras
    import lossary.torch

    target = TRUE.astype(int)
    for said in (SAID, SAID.astype(int)):
        assert float(lossary.torch.ZeroOne(labels=(0, 1))(torch.tensor(said), torch.tensor(target))) == pytest.approx(
            1 / 3
        )
        assert float(lossary.keras.ZeroOne(labels=(0, 1))(target, said)) == pytest.approx(1 / 3)
        assert float(lossary.keras.ZeroOne(labels=(0, 1))(target[:, None], said[:, None])) == pytest.approx(1 / 3)
        np.testing.assert_array_equal(lossary.jax.ZeroOne(labels=(0, 1))(said, target), WRONG)


# ── scikit-learn ─────────────────────────────────────────────────────────────────────────────────────────────────────


@in_each_setting
@pytest.mark.parametrize("kind", ["int64", "int8", "bool"])
def test_the_metric_is_scikit_learns(labels: Any, kind: str, random: Any) -> None:
    true = written(random.uniform(size=101) < 0.4, labels, "int64")
    said = random.uniform(size=101) < 0.5
    weight = random.uniform(size=101)
    metric = lossary.sklearn.ZeroOne(labels=labels).metric
    theirs = written(said, labels, "int64")
    for more in ({}, {"sample_weight": weight}):
        ours = metric(true, written(said, labels, kind), **more)
        assert ours == pytest.approx(metrics.zero_one_loss(true, theirs, **more), rel=1e-14)


@pytest.mark.parametrize("names", [np.array([0, 1]), np.array([-1, 1]), np.array(["benign", "malignant"])])
@in_each_setting
def test_the_scorer_asks_for_labels(names: Any, labels: Any) -> None:
    """Also of estimators without a decision function."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    model = RandomForestClassifier(n_estimators=3, max_depth=2, random_state=0)
    scorer = lossary.sklearn.ZeroOne(labels=labels)
    ours = cross_val_score(model, X, names[y], cv=3, scoring=scorer, error_score="raise")
    accuracy = cross_val_score(model, X, names[y], cv=3, scoring="accuracy")
    np.testing.assert_allclose(ours, accuracy - 1, rtol=1e-12)


def test_the_scorer_refuses_a_third_class() -> None:
    X, y = datasets.load_iris(return_X_y=True)
    model = RandomForestClassifier(n_estimators=2, random_state=0).fit(X, y)
    with pytest.raises(UsageError, match=r"(?s)two classes.*fitted on 3 classes.*sklearn.metrics.zero_one_loss"):
        lossary.sklearn.ZeroOne()(model, X, y)


def test_the_terms_of_an_objective_share_scores() -> None:
    scorer = (Hinge() + ZeroOne()).sklearn(), (ZeroOne() + Hinge()).sklearn()
    assert {each.response for each in scorer} == {"decision_function"}


def test_its_page_says_so() -> None:
    text = " ".join(pages.page(ZeroOne()).split())
    assert "predicted labels (integer or bool), or any score whose sign is the class" in text
    assert "sklearn.metrics.zero_one_loss" in text
    assert ("Runs compiled" in text) == (kernels.unavailable() is None)


# ── signed factors ───────────────────────────────────────────────────────────────────────────────────────────────────


@in_each
def test_what_the_error_for_negative_weights_shows_works(framework: Any) -> None:
    prediction, target = framework.array(np.array([1.0, 3.0]), "float32"), framework.array(np.zeros(2), "float32")
    advantage, loss = framework.array(np.array([2.0, -1.0]), "float32"), MeanAbsoluteError()
    with pytest.raises(DomainError) as error:
        loss(prediction=prediction, target=target, weight=advantage)
    assert max(map(len, str(error.value).splitlines())) <= 80
    code = str(error.value).splitlines()[-1].strip()
    assert code == '(advantage * loss(prediction=..., target=..., reduction="none")).mean()'
    shown = code.replace("prediction=...", "prediction=prediction").replace("target=...", "target=target")
    if framework.name == "tensorflow":  # whose tensors have no methods
        shown = f"framework.tf.reduce_mean({shown.removesuffix('.mean()')})"
    assert float(eval(shown)) == -0.5


@pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
@pytest.mark.parametrize(
    "how", [{"where": [True, True, True, False]}, {"weight": [1, 1, 1, 0]}], ids=["where", "weight"]
)
def test_what_does_not_count_decides_nothing(framework: Any, how: Any) -> None:
    """A padded entry does not make scores of labels that were written as floats."""
    prediction = framework.array(np.array([0.0, 1.0, 1.0, -100.0]), "float32")
    with pytest.raises(DomainError, match="which may be either"):
        ZeroOne(labels=(0, 1))(prediction=prediction, target=[0, 1, 0, 0], **how)
