"""The exact answers at the points of the grid, and how far an answer is from them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import uuid
from pathlib import Path
from typing import Any, final

import numpy as np

from lossary import CategoricalCrossEntropy, KLDivergence
from lossary.domain import Probability, Simplex
from lossary.loss import Loss
from lossary.vocabulary import exact, latex
from tests.accuracy import grid


@final
@dataclasses.dataclass(frozen=True)
class Exact:
    """An array of exact numbers: the nearest float64, and what is left."""

    near: Any
    rest: Any

    @classmethod
    def of(cls, numbers: Any) -> Exact:
        near = np.array([float(x) for x in numbers.flat]).reshape(numbers.shape)
        rest = [float(x - n) if np.isfinite(n) else 0.0 for x, n in zip(numbers.flat, near.flat, strict=True)]
        return cls(near, np.array(rest).reshape(numbers.shape))

    def distance(self, x: Any) -> Any:
        return np.abs((x - self.near) - self.rest)


@final
@dataclasses.dataclass(frozen=True)
class Judged:
    """Points with their exact answers. The `size` of an answer is Σ|term| where it is a sum of terms of both signs."""

    prediction: Any
    target: Any
    value: Exact
    value_size: Any
    low: Exact
    high: Exact
    gradient_size: Any
    # Whether one of the terms of a gradient is subnormal.
    subnormal_term: Any
    shares: bool  # whether predictions are rows of probabilities

    @functools.cached_property
    def with_nan(self) -> Any:
        """By row or entry: whether an input is NaN."""
        return self._any(np.isnan)

    @functools.cached_property
    def with_subnormal(self) -> Any:
        """By row or entry: whether an input is subnormal."""
        tiny = np.finfo(self.prediction.dtype).tiny
        return self._any(lambda x: (x != 0) & (np.abs(x) < tiny))

    def _any(self, holds: Any) -> Any:
        found = holds(self.prediction)
        if self.target.dtype.kind == "f":
            found = found | holds(self.target)
        return np.any(found, axis=-1) if found.ndim > 1 else found


# What was judged before, by a fingerprint of all it depends on: many digits take minutes.
KEPT = Path(__file__).parents[2] / "build" / "judged"


@functools.lru_cache(maxsize=64)
def judged(loss: Loss, dtype: str, random: int = grid.RANDOM, hard: int | None = None) -> Judged:
    p, y = grid.points(loss, dtype, random=random, hard=hard)
    kept = KEPT / f"{_fingerprint(loss, p, y)}.npz"
    if not kept.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        unfinished = KEPT / f"{uuid.uuid4()}.npz"
        np.savez(unfinished, **_answers(loss, p, y))
        unfinished.replace(kept)
    with np.load(kept) as answers:
        exactly = {name: Exact(answers[f"{name}_near"], answers[f"{name}_rest"]) for name in ("value", "low", "high")}
    with np.errstate(all="ignore"):
        value_size, terms = _value_size(loss, p, y), _gradient_terms(loss, p, y)
        slope = np.maximum(np.abs(exactly["low"].near), np.abs(exactly["high"].near))
        return Judged(
            prediction=p,
            target=y,
            **exactly,
            value_size=np.fmax(value_size, np.abs(exactly["value"].near)),
            gradient_size=np.fmax(np.sum(terms, axis=0), slope),
            subnormal_term=np.any((terms > 0) & (terms < np.finfo(dtype).tiny), axis=0),
            shares=isinstance(loss.prediction, Simplex),
        )


def _answers(loss: Loss, p: Any, y: Any) -> dict[str, Any]:
    """The judge's value, and its lowest and highest subgradient."""
    value = Exact.of(exact.judge(loss, p, y))
    low = high = Exact(np.zeros(p.shape), np.zeros(p.shape))
    if loss.trainable:
        low, high = (Exact.of(slopes) for slopes in exact.judge_gradient(loss, p, y))
    named = {"value": value, "low": low, "high": high}
    return {f"{name}_{part}": getattr(each, part) for name, each in named.items() for part in ("near", "rest")}


def _fingerprint(loss: Loss, p: Any, y: Any) -> str:
    sentence = repr((loss, loss.prediction, loss.target, latex.formula(loss).text, p.dtype, p.shape, y.dtype))
    found = hashlib.sha256(p.tobytes() + y.tobytes())
    for text in (sentence, inspect.getsource(exact), inspect.getsource(Exact)):
        found.update(text.encode())
    return found.hexdigest()[:32]


def _value_size(loss: Loss, p: Any, y: Any) -> Any:
    """For the divergence Σ P (log P − log Q) what its terms add up to, all with the same sign; 0 for all others."""
    if not isinstance(loss, KLDivergence):
        return np.zeros(len(p))
    p, y = p.astype(np.float64), y.astype(np.float64)
    surprisals = _surprisal(p) if loss.from_logits else -np.log(p)
    share = _shares(y) if loss.log_target else y
    terms = share * (np.abs(surprisals) + np.abs(np.log(share)))
    return np.sum(np.where(share == 0, 0, terms), axis=-1)


def _gradient_terms(loss: Loss, p: Any, y: Any) -> Any:
    """The sizes of the terms of a gradient, stacked: a soft target is a mixture of hard ones, and the gradient the same
    mixture of theirs, of both signs. None for all other losses."""
    p, y = p.astype(np.float64), y if loss.target.indices else y.astype(np.float64)
    smoothing = getattr(loss, "label_smoothing", 0.0)
    plain = dataclasses.replace(loss, label_smoothing=0.0) if smoothing else loss
    if isinstance(loss.target, Probability):
        share = (1 - smoothing) * y + smoothing / 2
        at = [plain.gradient(_numpy(), p, np.full_like(p, label)) for label in (0.0, 1.0)]
        return np.stack([(1 - share) * np.abs(at[0]), share * np.abs(at[1])])
    if not (isinstance(loss.target, Simplex) or smoothing):
        return np.zeros((1, *p.shape))
    classes = p.shape[-1]
    if loss.target.indices:
        y = np.eye(classes)[y]
    elif getattr(loss.target, "logarithms", False):
        y = _shares(y)
    share = (1 - smoothing) * y + smoothing / classes
    hard = CategoricalCrossEntropy(from_logits=loss.from_logits)  # type: ignore[attr-defined]
    terms = []
    for k, label in enumerate(np.eye(classes)):
        slope = hard.gradient(_numpy(), p, np.broadcast_to(label, p.shape))
        terms.append(np.where(share[:, k : k + 1] == 0, 0, share[:, k : k + 1] * np.abs(slope)))
    return np.stack(terms)


def _numpy() -> Any:
    from lossary.vocabulary.numpy import vocabulary

    return vocabulary


def _surprisal(logits: Any) -> Any:
    return _numpy().surprisal(logits)


def _shares(logits: Any) -> Any:
    return _numpy().softmax_and_complement(logits)[0]
