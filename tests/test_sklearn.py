"""The scikit-learn host: scorers with the right sign, and metric functions."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn import datasets, metrics
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lossary.sklearn
from lossary import BinaryCrossEntropy, Hinge, UsageError
from tests import grid


def _regression():
    return LinearRegression(), *datasets.load_diabetes(return_X_y=True)


def _classification(load=datasets.load_breast_cancer):
    return make_pipeline(StandardScaler(), LogisticRegression()), *load(return_X_y=True)


@grid.losses(of=grid.DEFAULTS)
def test_every_loss_scores_in_cross_validation_with_the_right_sign(loss):
    load = datasets.load_breast_cancer if loss.task == "binary" else datasets.load_iris
    model, X, y = _regression() if loss.task == "regression" else _classification(load)
    scorer = getattr(lossary.sklearn, type(loss).__name__)()
    good = cross_val_score(model, X, y, cv=3, scoring=scorer, error_score="raise")
    shuffled = np.random.default_rng(0).permutation(y)
    bad = cross_val_score(model, X, shuffled, cv=3, scoring=scorer, error_score="raise")
    assert np.isfinite(good).all()
    assert (good <= 0).all()
    assert good.mean() > bad.mean()


@pytest.mark.parametrize(
    ("scorer", "name", "data"),
    [
        (lossary.sklearn.MeanSquaredError(), "neg_mean_squared_error", _regression),
        (lossary.sklearn.MeanAbsoluteError(), "neg_mean_absolute_error", _regression),
        (lossary.sklearn.BinaryCrossEntropy(), "neg_log_loss", _classification),
        (lossary.sklearn.SparseCategoricalCrossEntropy(), "neg_log_loss", lambda: _classification(datasets.load_wine)),
        (lossary.sklearn.CategoricalCrossEntropy(), "neg_log_loss", lambda: _classification(datasets.load_wine)),
    ],
)
def test_it_agrees_with_scikit_learns_own_scorers(scorer, name, data):
    model, X, y = data()
    ours = cross_val_score(model, X, y, cv=3, scoring=scorer)
    np.testing.assert_allclose(ours, cross_val_score(model, X, y, cv=3, scoring=name), rtol=1e-9)


def test_logits_and_probabilities_agree():
    model, X, y = _classification()
    from_scores = cross_val_score(model, X, y, cv=3, scoring=BinaryCrossEntropy().sklearn())
    from_probabilities = cross_val_score(model, X, y, cv=3, scoring=lossary.sklearn.BinaryCrossEntropy())
    np.testing.assert_allclose(from_scores, from_probabilities, rtol=1e-9)


@pytest.mark.parametrize("names", [np.array([0, 1]), np.array([-1, 1]), np.array(["benign", "malignant"])])
def test_classes_of_any_name(names):
    model, X, y = _classification()
    ours = cross_val_score(model, X, names[y], cv=3, scoring=lossary.sklearn.Hinge(), error_score="raise")
    margins = cross_val_score(
        model,
        X,
        y,
        cv=3,
        scoring=metrics.make_scorer(metrics.hinge_loss, response_method="decision_function", greater_is_better=False),
    )
    np.testing.assert_allclose(ours, margins, rtol=1e-9)


def test_metric_functions():
    random = np.random.default_rng(0)
    y_true, y_pred, weight = random.normal(size=20), random.normal(size=20), random.uniform(size=20)
    metric = lossary.sklearn.Quantile(level=0.9).metric
    assert metric(y_true, y_pred, weight) == pytest.approx(
        metrics.mean_pinball_loss(y_true, y_pred, alpha=0.9, sample_weight=weight), rel=1e-12
    )
    assert isinstance(metric(y_true, y_pred), float)
    assert metric(y_true, y_pred[:, None]) == metric(y_true, y_pred)
    scorer = metrics.make_scorer(lossary.sklearn.Huber().metric, greater_is_better=False)
    model, X, y = _regression()
    np.testing.assert_array_equal(
        cross_val_score(model, X, y, scoring=scorer), cross_val_score(model, X, y, scoring=lossary.sklearn.Huber())
    )


def test_in_a_grid_search_with_weights_and_workers():
    _, X, y = _classification()
    search = GridSearchCV(
        RandomForestClassifier(n_estimators=5, random_state=0),
        {"max_depth": [1, 3]},
        scoring={"cost": lossary.sklearn.BinaryCrossEntropy(label_smoothing=0.1), "accuracy": "accuracy"},
        refit="cost",
        cv=3,
        n_jobs=2,
    )
    clone(search).fit(X, y)
    assert search.fit(X, y).best_params_ == {"max_depth": 3}


@grid.losses()
def test_scorers_are_values(loss):
    scorer = loss.sklearn()
    assert pickle.loads(pickle.dumps(scorer)) == scorer
    assert scorer.loss == loss
    assert repr(type(loss).__name__).strip("'") in repr(scorer)


def test_an_estimator_without_the_method_is_told():
    model = RandomForestClassifier(n_estimators=2).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(UsageError, match="needs an estimator with decision_function"):
        lossary.sklearn.Hinge()(model, [[0.0]], [0])


def test_the_wrong_door_teaches():
    model, X, y = _classification()
    with pytest.raises(UsageError, match=r"scikit-learn\s+scoring=lossary.sklearn.Hinge\(\)"):
        cross_val_score(model, X, y, scoring=Hinge(), error_score="raise")


@pytest.mark.parametrize(
    "scorer",
    [lossary.sklearn.BinaryCrossEntropy(), lossary.sklearn.Hinge(), (1.0 * BinaryCrossEntropy()).sklearn()],
    ids=repr,
)
def test_a_binary_loss_refuses_more_than_two_classes(scorer):
    model, X, y = _classification(datasets.load_iris)
    with pytest.raises(UsageError, match=r"(?s)two classes.*3 columns.*SparseCategoricalCrossEntropy"):
        scorer(model.fit(X, y), X, y)
