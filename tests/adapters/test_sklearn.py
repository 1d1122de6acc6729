"""The scikit-learn host: scorers with the right sign, and metric functions."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas
import polars
import pytest
import sklearn
from sklearn import datasets, metrics
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lossary.sklearn
from lossary import BinaryCrossEntropy, Hinge, ShapeError, UsageError
from lossary.define.claims.claim import closure
from lossary.define.claims.curve import NonNegative
from lossary.ops.numpy import ops as NUMPY
from tests import grid


def _regression():
    return LinearRegression(), *datasets.load_diabetes(return_X_y=True)


def _classification(load=datasets.load_breast_cancer):
    return make_pipeline(StandardScaler(), LogisticRegression()), *load(return_X_y=True)


class InRows(KNeighborsRegressor):
    """Predicts what was true of the nearest, as a loss takes such a prediction."""

    def __init__(self, loss):
        super().__init__(1)
        self.loss = loss

    def predict(self, X):
        found, domain = super().predict(X), self.loss.prediction
        return domain.perfect(found, (len(X), domain.size or found.shape[-1]))


class InSteps(LogisticRegression):
    """Predicts by how much each step between ranks is passed."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.steps_ = [LogisticRegression().fit(X, y > step) for step in self.classes_[:-1]]
        return self

    def decision_function(self, X):
        return np.stack([step.decision_function(X) for step in self.steps_], axis=-1)


def _rows(loss):
    """Rows that are no classes, made of as many measurements, or predicted for a single one."""
    X, y = datasets.load_diabetes(return_X_y=True)
    numbers = StandardScaler().fit_transform(np.column_stack([y, X]))[:, : loss.prediction.size or 3]
    if loss.target.discrete:
        return InRows(loss), X, loss.target.inside(numbers)
    return InRows(loss), X, loss.target.activate(NUMPY, numbers if loss.target.rows else numbers[:, 0])


@grid.losses(of=grid.DEFAULTS)
def test_every_loss_scores_in_cross_validation_with_the_right_sign(loss):
    load = datasets.load_breast_cancer if loss.task == "binary" else datasets.load_iris
    model, X, y = _regression() if loss.task == "regression" else _classification(load)
    if loss.task == "binary" and not loss.prediction.probabilities:
        model = make_pipeline(StandardScaler(), RidgeClassifier())  # scores that say no probabilities
    if loss.task == "ordinal":
        model = make_pipeline(StandardScaler(), InSteps())
    if loss.prediction.rows and not loss.target.says_class:
        model, X, y = _rows(loss)
    scorer = getattr(lossary.sklearn, type(loss).__name__)()
    good = cross_val_score(model, X, y, cv=3, scoring=scorer, error_score="raise")
    shuffled = np.random.default_rng(0).permutation(y)
    bad = cross_val_score(model, X, shuffled, cv=3, scoring=scorer, error_score="raise")
    assert np.isfinite(good).all()
    assert (good <= 0).all() or NonNegative() not in closure(loss.claims)
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


def test_a_single_predicted_number_is_no_row():
    """Of two classes scikit-learn has one score for both; of what is no class the rest of the row is missing."""
    model, X, y = _regression()
    with pytest.raises(ShapeError, match="rows of 2 columns"):
        cross_val_score(model, X, y, cv=3, scoring=lossary.sklearn.GaussianNLL(), error_score="raise")


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


def test_a_call_error_teaches():
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


# ── metadata routing ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def _weighted(size=90):
    random = np.random.default_rng(0)
    X, weight = random.normal(size=(size, 2)), random.uniform(0.1, 5, size)
    return X, X[:, 0] + random.normal(size=size) * weight, weight


def _pair(loss, name):
    """Our scorer and scikit-learn's own, asked alike."""
    ours, theirs = getattr(lossary.sklearn, loss)(), metrics.get_scorer(name)
    if sklearn.get_config()["enable_metadata_routing"]:
        ours, theirs = (scorer.set_score_request(sample_weight=True) for scorer in (ours, theirs))
    return ours, theirs


PAIRS = pytest.mark.parametrize(
    ("loss", "name"),
    [("MeanAbsoluteError", "neg_mean_absolute_error"), ("MeanSquaredError", "neg_mean_squared_error")],
)


@PAIRS
def test_a_weight_that_was_asked_for_is_routed(routing, loss, name):
    X, y, weight = _weighted()
    model = Ridge().set_fit_request(sample_weight=True)
    ours, theirs = _pair(loss, name)
    for scoring in ({"ours": ours, "theirs": theirs}, {"ours": ours, "theirs": theirs, "r2": "r2"}):
        if "r2" in scoring:
            scoring["r2"] = metrics.get_scorer("r2").set_score_request(sample_weight=False)
        found = cross_validate(model, X, y, scoring=scoring, params={"sample_weight": weight}, cv=KFold(3))
        np.testing.assert_allclose(found["test_ours"], found["test_theirs"], rtol=1e-12)
    unweighted = cross_validate(
        model,
        X,
        y,
        scoring=getattr(lossary.sklearn, loss)().set_score_request(sample_weight=False),
        params={"sample_weight": weight},
        cv=KFold(3),
    )
    assert not np.allclose(found["test_ours"], unweighted["test_score"], rtol=0.01)


@PAIRS
def test_a_weight_that_was_not_asked_for_is_an_error_as_scikit_learn_has_it(routing, loss, name):
    X, y, weight = _weighted()
    model = Ridge().set_fit_request(sample_weight=True)
    for scorer in (getattr(lossary.sklearn, loss)(), metrics.get_scorer(name)):
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            cross_validate(model, X, y, scoring=scorer, params={"sample_weight": weight}, error_score="raise")


def test_a_request_is_under_its_own_name(routing):
    X, y, weight = _weighted()
    scorer = lossary.sklearn.MeanAbsoluteError().set_score_request(sample_weight="exposure")
    came = cross_validate(Ridge(), X, y, scoring=scorer, params={"exposure": weight}, cv=KFold(3))["test_score"]
    wanted = [
        -metrics.mean_absolute_error(
            y[test], Ridge().fit(X[train], y[train]).predict(X[test]), sample_weight=weight[test]
        )
        for train, test in KFold(3).split(X)
    ]
    np.testing.assert_allclose(came, wanted, rtol=1e-12)


@pytest.mark.parametrize("enabled", [True, False])
def test_meta_estimators_with_weights_agree_with_scikit_learns_own_scorers(enabled):
    X, y, weight = _weighted()
    with sklearn.config_context(enable_metadata_routing=enabled):
        found = []
        for scorer in _pair("MeanAbsoluteError", "neg_mean_absolute_error"):
            model = Ridge().set_fit_request(sample_weight=True) if enabled else Ridge()
            search = GridSearchCV(model, {"alpha": [0.1, 100.0]}, scoring={"cost": scorer}, refit="cost", cv=3)
            search.fit(X, y, sample_weight=weight)
            ridge = RidgeCV(scoring=scorer, alphas=[0.1, 100.0]).fit(X, y, sample_weight=weight)
            found.append([*search.cv_results_["mean_test_cost"], ridge.best_score_])
            if not enabled:
                boosted = HistGradientBoostingRegressor(scoring=scorer, early_stopping=True, max_iter=2, random_state=0)
                found[-1] += [*boosted.fit(X, y, sample_weight=weight).validation_score_]
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_requests_are_part_of_a_scorer(routing):
    plain, asked = lossary.sklearn.Huber(), lossary.sklearn.Huber().set_score_request(sample_weight=True)
    assert plain != asked
    assert plain == lossary.sklearn.Huber()
    for made in (pickle.loads(pickle.dumps(asked)), copy.deepcopy(asked), clone(asked, safe=False)):
        assert made == asked
        assert made.get_metadata_routing().score.requests == {"sample_weight": True}


def test_requests_need_routing():
    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        lossary.sklearn.Huber().set_score_request(sample_weight=True)


# ── columns and frames ───────────────────────────────────────────────────────────────────────────────────────────────


FORMS = {
    "column": lambda x: x[:, None],
    "frame": lambda x: pandas.DataFrame({"x": x}, index=range(len(x), 0, -1)),
    "series": lambda x: pandas.Series(x, index=np.arange(len(x))[::-1]),
    "nullable": lambda x: pandas.DataFrame({"x": x}).convert_dtypes(),
    "polars frame": lambda x: polars.DataFrame({"x": x}),
    "polars series": polars.Series,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_targets_and_weights_as_columns_series_and_frames(form):
    X, y, weight = _weighted()
    scorer, model = lossary.sklearn.MeanAbsoluteError(), Ridge().fit(X, y)
    wanted = -metrics.mean_absolute_error(y, model.predict(X), sample_weight=weight)
    for fitted in (model, Ridge().fit(X, y[:, None])):  # predictions (n,) and (n, 1)
        assert scorer(fitted, X, form(y), sample_weight=form(weight)) == pytest.approx(wanted, rel=1e-12)
    assert -scorer.metric(form(y), form(model.predict(X)), form(weight)) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("loss", ["BinaryCrossEntropy", "SparseCategoricalCrossEntropy", "CategoricalCrossEntropy"])
@pytest.mark.parametrize("names", [np.array(["no", "yes"]), np.array([1, 3])], ids=["text", "numbers"])
def test_classes_as_columns_series_and_frames(loss, names, form):
    X, y, weight = _weighted()
    labels = names[(y > 0).astype(int)]
    model = LogisticRegression().fit(X, labels)
    wanted = -metrics.log_loss(labels, model.predict_proba(X), sample_weight=weight)
    came = getattr(lossary.sklearn, loss)()(model, X, form(labels), sample_weight=form(weight))
    assert came == pytest.approx(wanted, rel=1e-9)


def test_nothing_is_broadcast():
    y, two = np.arange(3.0), np.ones((3, 2))
    metric = lossary.sklearn.MeanAbsoluteError().metric
    for y_true, y_pred, weight in ((two, y, None), (y, two, None), (y[None], y, None), (y, y, two), (y, y, y[None])):
        with pytest.raises(ShapeError):
            metric(y_true, y_pred, weight)


def test_estimators_of_several_targets_are_refused():
    X, y, _ = _weighted()
    labels = (np.stack([y, -X[:, 1]], axis=-1) > 0).astype(int)
    model = RandomForestClassifier(2).fit(X, labels)
    with pytest.raises(UsageError, match=r"(?s)predictions of one target.*predicts 2 of them.*np.stack"):
        lossary.sklearn.BinaryCrossEntropy()(model, X, labels)
