"""What a loss is, found out by looking: framework, argument order, task, reduction."""

from __future__ import annotations

import inspect
from typing import Any

from lossary.check.backends import backend
from lossary.check.subject import Convention, Subject
from lossary.domain import ClassIndex, Logits, Probability, Real, Score, Simplex

_PREDICTION = ("input", "prediction", "predictions", "y_pred", "pred", "logits", "output")
_TARGET = ("target", "targets", "y_true", "labels", "true", "y")


def subject(
    loss: Any,
    *,
    framework: str | None = None,
    task: str | None = None,
    order: str | None = None,
    reduction: str | None = None,
    logits: bool | None = None,
    source: str | None = None,
    imports: str = "",
    **facts: Any,
) -> Subject:
    """The loss with all that is known of it; what is given overrides what would be inferred."""
    names = list(inspect.signature(loss).parameters)
    target_first = names[0] in _TARGET if order is None else order.startswith("target")
    task = task or "regression"
    rows = task in ("multiclass", "sparse", "distribution")
    domains = {
        "regression": (Real(), Real()),
        "binary": (Probability() if logits is False else Score(), Probability()),
        "multiclass": (Simplex() if logits is False else Logits(), Simplex(one_hot=True)),
        "sparse": (Simplex() if logits is False else Logits(), ClassIndex()),
        "distribution": (Simplex() if logits is False else Logits(), Simplex()),
    }[task]
    host = framework or "numpy"
    return Subject(
        name=getattr(loss, "__name__", type(loss).__name__),
        loss=loss,
        backend=backend("tensorflow" if host == "keras" else host),
        host=host,
        convention=Convention(names[0], names[1], target_first=target_first),
        prediction=domains[0],
        target=domains[1],
        reduction=reduction or "mean",  # type: ignore[arg-type]  # checked by who asks
        source=source or "loss",
        imports=imports,
        entry=(3,) if rows else (1,) if host == "keras" else (),
        **facts,
    )
