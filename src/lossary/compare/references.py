"""What scikit-learn's own models reach on the same splits: they stand beside the losses as references."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types

from lossary.compare.plan import BOOSTING, Split
from lossary.compare.prediction import Prediction
from lossary.compare.profile import Profile, preprocessor


def predict(profile: Profile, reference: int, split: Split) -> Prediction:
    """What a reference, BOOSTING or LINEAR, says of the test rows."""
    model = (_boosting if reference == BOOSTING else _linear)(profile, split.seed)
    weight = None if profile.weight is None else profile.weight[split.train]
    last = model.steps[-1][0] if hasattr(model, "steps") else None
    weighted = {} if weight is None else {f"{last}__sample_weight" if last else "sample_weight": weight}
    # One thread, as for the networks: on small tables threads wait for each other more than they work.
    with threadpool_limits(1):
        model.fit(profile.table[split.train], profile.y[split.train], **weighted)
        test = profile.table[split.test]
        if not profile.classes:
            return Prediction(values=model.predict(test))
        # A class that the training rows do not have is not among the model's own.
        probabilities = np.zeros((len(test), len(profile.classes)))
        probabilities[:, model.classes_] = model.predict_proba(test)
    scores = probabilities[:, 1] if profile.task == "binary" else probabilities
    return Prediction(labels=probabilities.argmax(axis=1), scores=scores, probabilities=scores)


def _boosting(profile: Profile, seed: int) -> Any:
    """What a good model of another kind reaches."""
    width = profile.table.shape[1]
    return (HistGradientBoostingClassifier if profile.classes else HistGradientBoostingRegressor)(
        categorical_features=list(range(width - profile.categories, width)) or None,
        random_state=seed,
        max_iter=60,
        max_leaf_nodes=15,
    )


def _linear(profile: Profile, seed: int) -> Any:
    """What needs no network."""
    model = LogisticRegression(max_iter=300) if profile.classes else Ridge()
    return make_pipeline(preprocessor(profile.table.shape[1], profile.categories), model)
