"""Real data for the examples: diabetes (how far an illness went in a year) and breast cancer (benign or not)."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def diabetes() -> list[np.ndarray]:
    """Training and test features, training and test target; all standardised as the training rows say, float32."""
    X, y = load_diabetes(return_X_y=True)
    train_X, test_X, train_y, test_y = train_test_split(X, y[:, None], random_state=0)
    of_X, of_y = StandardScaler().fit(train_X), StandardScaler().fit(train_y)
    parts = of_X.transform(train_X), of_X.transform(test_X), of_y.transform(train_y)[:, 0], of_y.transform(test_y)[:, 0]
    return [part.astype("float32") for part in parts]


def breast_cancer() -> list[np.ndarray]:
    """Training and test features, standardised as the training rows say; training and test labels, 0 or 1; float32."""
    X, y = load_breast_cancer(return_X_y=True)
    train_X, test_X, train_y, test_y = train_test_split(X, y, random_state=0)
    scaler = StandardScaler().fit(train_X)
    return [part.astype("float32") for part in (scaler.transform(train_X), scaler.transform(test_X), train_y, test_y)]
