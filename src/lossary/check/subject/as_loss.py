"""The loss under check in the place of a catalogue's loss, so that the same refuters try its claims."""

from __future__ import annotations

import dataclasses
from typing import Any, final

import numpy as np

from lossary.check.rulebook.rule import Failure
from lossary.check.subject.subject import LossRaised, Subject
from lossary.define.claims.claim import Claim
from lossary.define.claims.curve import StronglyConvex
from lossary.define.claims.slope import Lipschitz
from lossary.define.probe import Probe

_POINTS = 256  # in one call, where the losses come one for each row
_MEASURED = 1e-5
_FEW = 48  # where each costs a call


@final
class AsLoss:
    """What a `Probe` asks of a loss, answered by a subject: values and gradients in float64, by row."""

    def __init__(self, subject: Subject) -> None:
        self.subject = in_float64(subject)
        self.prediction, self.target = subject.prediction, subject.target
        self.domains = {"prediction": self.prediction, "target": self.target}
        self.inputs, self.separable = tuple(self.domains), True
        self.paired = True

    def values(self, *, prediction: Any, target: Any) -> Any:
        p, y = self._entries(prediction), self._entries(target, like_target=True)
        return self.subject.rows(p, y)

    def value_and_gradient(self, *, prediction: Any, target: Any, reduction: str) -> tuple[Any, Any]:
        p, y = self._entries(prediction), self._entries(target, like_target=True)
        if self.subject.separates:
            slope = self.subject.row_gradients(p, y)
        else:
            slope = np.concatenate([self.subject.gradient(a[None], b[None]) for a, b in zip(p, y, strict=True)])
        return None, slope.reshape(np.shape(prediction))

    def _entries(self, x: Any, *, like_target: bool = False) -> Any:
        """In the shape that the loss takes: (N,) as (N, 1) where it averages the last axis."""
        x = np.asarray(x)
        if self.prediction.rows:
            return x
        x = x.reshape(-1, *self.subject.entry)
        return x if like_target and x.dtype.kind == "i" and self.target.indices else x.astype(np.float64)


def probe(subject: Subject) -> Probe:
    """Legal points for the subject, the same for the same seed."""
    classes = subject.entry[-1] if subject.prediction.rows else 1
    points = _POINTS if subject.separates else _FEW
    return Probe(AsLoss(subject), points, subject.seed, classes=classes)  # type: ignore[arg-type]  # in its place


def refuted(subject: Subject, kind: type[Claim], *, gradient: bool = False) -> Failure | None:
    """A failure that shows the counterexample to what is claimed; None where none is found.

    A loss that only computes in float32 is not judged: no such claim survives its rounding.

    Args:
        gradient: whether the claim is one about the gradient.
    """
    claim = subject.claimed(kind)
    if claim is None or not computes_in_float64(subject):
        return None
    trial = probe(subject)
    counterexample = _loosened(claim).refute(trial)
    if counterexample is None:
        return None
    return Failure(f"{claim}: refuted, {counterexample}", shown(subject, trial, gradient=gradient))


def _loosened(claim: Claim) -> Claim:
    """The claim with room for a bound that was measured, as where a formula is recognised up to a factor."""
    if isinstance(claim, StronglyConvex):
        return dataclasses.replace(claim, modulus=claim.modulus * (1.0 - _MEASURED))
    if isinstance(claim, Lipschitz):
        return dataclasses.replace(claim, bound=claim.bound * (1.0 + _MEASURED))
    return claim


def shown(subject: Subject, trial: Probe, *, gradient: bool) -> str:
    """Code that prints the losses (or gradients) of the counterexample; of a chord, at both ends and in the middle."""
    counterexample = trial.counterexample
    if "between" in counterexample:
        first, second = counterexample["between"], counterexample["and_"]
        p = np.stack([first, 0.5 * first + 0.5 * second, second])
        y = np.stack([counterexample["target"]] * 3)
    elif "prediction" in counterexample:
        p, y = counterexample["prediction"][None], counterexample["target"][None]
    else:
        return ""
    shape = (-1, *subject.entry)
    p, y = (p, y) if subject.prediction.rows else (p.reshape(shape), y.reshape(shape))
    y = y if trial.loss.target.indices else y.astype(np.float64)
    more: dict[str, Any] = {"reduction": "none"} if subject.separates else {}
    return subject.code(p.astype(np.float64), y, gradient=gradient, **({} if gradient else more))


def in_float64(subject: Subject) -> Subject:
    """The subject computing in float64: made anew where it casts to its own dtype, as Keras' losses do."""
    if _native(subject) or subject.constructor is None:
        return subject
    settings = {**subject.constructor.settings, "dtype": "float64"}
    try:
        loss = subject.constructor.make(**settings)
        constructor = dataclasses.replace(subject.constructor, settings=settings)
        double = dataclasses.replace(subject, loss=loss, constructor=constructor)
        return double if _native(double) else subject
    except (LossRaised, TypeError, ValueError):
        return subject


def computes_in_float64(subject: Subject) -> bool:
    """Whether it can be had in float64."""
    return _native(in_float64(subject))


def _native(subject: Subject) -> bool:
    try:
        result = subject.call(*subject.batch(4, dtype="float64"))
    except LossRaised:
        return False
    return not hasattr(result, "dtype") or subject.backend.dtype(result) == "float64"
