"""What people call things: arguments, frameworks, tasks; the words from which `infer` tells what a loss is."""

from __future__ import annotations

import re
from typing import Any, Literal

Order = Literal["prediction", "target"]

# The packages whose functions and arrays a loss is written with → the host whose habits it has.
HOSTS = {
    "torch": "torch",
    "torchvision": "torch",
    "torchmetrics": "torch",
    "jax": "jax",
    "jaxlib": "jax",
    "optax": "jax",
    "flax": "jax",
    "equinox": "jax",
    "keras": "keras",
    "tf_keras": "keras",
    "tensorflow": "keras",
    "numpy": "numpy",
    "scipy": "numpy",
    "sklearn": "numpy",
    "xgboost": "numpy",
    "lightgbm": "numpy",
}
TITLES = {"torch": "PyTorch", "jax": "JAX", "keras": "Keras", "numpy": "NumPy"}

# Whose functions stand with the target first.
TARGET_FIRST = ("keras", "tf_keras", "tensorflow", "sklearn", "xgboost", "lightgbm")

PREDICTION = {
    *("input", "inputs", "prediction", "predictions", "predicted", "pred", "preds", "yhat", "hat", "output", "outputs"),
    *("logit", "logits", "score", "scores", "prob", "probs", "proba", "probability", "probabilities", "estimate", "x"),
    *("approx", "z", "p", "raw", "margin", "student", "decision", "mu"),
}
TARGET = {
    *("target", "targets", "true", "truth", "label", "labels", "gt", "actual", "observed", "expected", "y", "t"),
    *("reference", "teacher", "ground", "classes"),
}

WEIGHTS = ("sample_weight", "sample_weights", "weight", "weights", "row_weight", "row_weights", "w")
MASKS = ("where", "mask", "masks", "valid", "valid_mask", "keep")
IGNORED = ("ignore_index", "ignore_class", "ignore_label")

# What a loss is asked to do with its rows, in the words that the frameworks have for it.
REDUCTIONS: dict[str, tuple[Any, ...]] = {
    "mean": ("mean", "sum_over_batch_size", "mean_with_sample_weight", "batchmean", "elementwise_mean", "avg"),
    "sum": ("sum",),
    "none": ("none", None),
}

# Numbers that a constructor or a function may take and that are no hyper-parameters of the formula.
NOT_SETTINGS = {*IGNORED, "axis", "dim", "class_axis", "num_classes", "n_classes", "classes", "seed", "verbose"}

# Words in a name that say what kind of loss it is, where the catalogue does not know the name; the first that fits.
TASKS = (
    ("regression", {"poisson", "gamma", "tweedie", "deviance", "gaussian"}),
    ("sparse", {"sparse", "nll", "integer"}),
    ("distribution", {"kl", "kld", "divergence", "jensen", "distillation"}),
    ("multiclass", {"categorical", "softmax", "cce", "multiclass"}),
    ("binary", {"binary", "bce", "sigmoid", "hinge", "svm", "logistic", "brier", "dice", "jaccard", "iou", "tversky"}),
    ("binary", {"focal"}),
    ("regression", {"mse", "mae", "rmse", "msle", "huber", "squared", "absolute", "l1", "l2", "quantile", "pinball"}),
    ("regression", {"regression", "cosh", "logcosh", "charbonnier", "error"}),
    ("regression", {"expectile", "cauchy", "welsch", "tukey", "percentage"}),
)

# Words that say more than the task.
DISTANCES = {"embedding", "distance"}  # predictions are small where the label is 1
POSITIVE = {"poisson", "gamma", "tweedie", "msle", "logarithmic", "deviance"}  # defined for numbers above 0
MARGINS = {"hinge", "svm", "margin", "perceptron"}  # labels are -1 and 1
BEYOND = {
    "cosine",
    "contrastive",
    "triplet",
    "ctc",
    "ntxent",
    "infonce",
    "circle",
    "ranking",
}  # take more than pairs of rows
LOSSES = {"loss", "losses", "objective", "criterion", "cost", "error", "crossentropy", "entropy", "bce", "cce", "focal"}


def words(name: str) -> list[str]:
    """The words that a name is made of, in lower case: "BCEWithLogitsLoss" → bce, with, logits, loss."""
    parts = re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+", name.replace("BCEWith", "BCE_With"))
    return [part.lower() for part in parts]


def role(argument: str) -> Order | None:
    """Whether an argument is the prediction or the target, by its name; None where the name does not say."""
    tokens = [word.rstrip("0123456789") or word for word in words(argument)]
    if any(word in ("pred", "preds", "prediction", "predictions", "hat", "predicted") for word in tokens):
        return "prediction"  # also with a y in front
    if any(word in ("prob", "proba", "probs", "score", "scores", "decision") for word in tokens):
        return "prediction"
    if any(word in TARGET for word in tokens):
        return "target"
    return "prediction" if any(word in PREDICTION for word in tokens) else None


def task(name: str) -> str | None:
    """The task that a loss's name speaks of; None where it does not."""
    tokens = set(words(name))
    return next((task for task, keywords in TASKS if keywords & tokens), None)


def kind(argument: str) -> str | None:
    """What a prediction of that name is: "logits", "probabilities" or "logarithms" (of probabilities)."""
    tokens = set(words(argument))
    if tokens & {"logit", "logits"}:
        return "logits"
    if tokens & {"logprob", "logprobs", "logp"} or ("log" in tokens and len(tokens) > 1):
        return "logarithms"
    if tokens & {"prob", "probs", "proba", "probability", "probabilities"}:
        return "probabilities"
    return None


def reduction(word: Any) -> str | None:
    """Our word for a framework's: "sum_over_batch_size" → "mean"."""
    return next((ours for ours, foreign in REDUCTIONS.items() if word in foreign), None)
