"""Which loss of the catalogue a loss is: by its behaviour; names only say where to look first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from lossary import catalogue
from lossary.check.subject import samples
from lossary.check.subject.samples import CLASSES, arranged
from lossary.check.subject.subject import LossRaised
from lossary.define.parameters import Parameter, Setting, parameters_of
from lossary.errors import LossaryError, UnknownNameError
from lossary.ops.numpy import ops

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject
    from lossary.define.domains.domain import Domain
    from lossary.define.loss import Loss

# Where residuals are compared: from where even a careless formula has digits left to where lines and parabolas part.
_RESIDUALS = np.array([0.3, 0.7, 0.95, 1.6, 2.9, 7.0, 19.0, 45.0, 300.0, 1e4])
_NEAR = 20.0  # up to here every answer must be finite
# Beyond ±8 a clipped probability is not what it was.
_LOGITS = np.array([0.2, 0.6, 0.95, 1.1, 1.7, 2.9, 5.0, 8.0])
_SHARES = np.array([0.03, 0.2, 0.35, 0.5, 0.65, 0.8, 0.97])
_TOLERANCE = 1e-4  # of the largest factor and the smallest, and what float32 may make of an ordinary number
_MEASURED = 1e-6  # how well a factor is known from float32


def recognise(subject: Subject) -> tuple[Loss, float] | None:
    """The catalogue's loss, and the constant that it must be multiplied by; None where there is none.

    The two agree at ordinary points, and wherever the loss's own answer is finite far from them.
    """
    if not subject.prediction.rows and math.prod(subject.entry) != 1:
        return None
    p, y = _points(subject.prediction, subject.target)
    got = _answers(subject, p, y)
    near = np.ones(len(p), bool) if subject.prediction.rows else np.abs(p - y) < _NEAR
    if got is None or not np.isfinite(got[near]).all():
        return None
    for loss in _candidates(subject):
        factor = _factor(got, _values(loss, p, y))
        if factor is not None:
            return (loss, factor) if _same_beside_the_simplex(subject, loss, factor, p, y) else None
    return None


def _answers(subject: Subject, p: Any, y: Any) -> Any:
    """What the loss makes of each point; None where it refuses."""
    try:
        got = subject.rows(*arranged(subject, p, y))
    except LossRaised:
        return None
    return got if got.shape == (len(p),) else None


def _values(loss: Loss, p: Any, y: Any) -> Any:
    with np.errstate(all="ignore"):
        p, y = (x if x.dtype.kind == "i" else x.astype(np.float32).astype(np.float64) for x in (p, y))
        return np.asarray(loss.value(ops, p, y))


def _same_beside_the_simplex(subject: Subject, loss: Loss, factor: float, p: Any, y: Any) -> bool:
    """Whether rows that do not sum to 1 are taken as they are: a loss that divides by their sum has other gradients."""
    if not (subject.prediction.rows and subject.prediction.shares):
        return True
    got = _answers(subject, 0.9 * p, y)
    return got is None or np.allclose(got, factor * _values(loss, 0.9 * p, y), rtol=_TOLERANCE)


def _points(prediction: Domain, target: Domain) -> tuple[Any, Any]:
    """Predictions and targets that tell losses apart: both classes, both signs, near and far."""
    if prediction.rows:
        return _rows_of_classes(prediction, target)
    if not prediction.says_class:
        y = np.array([1.3, -0.4])
        residuals = np.concatenate([_RESIDUALS, -_RESIDUALS])
        return np.add.outer(y, residuals).ravel(), np.repeat(y, len(residuals))
    p = _SHARES if prediction.of_shares else np.concatenate([_LOGITS, -_LOGITS])
    labels = target.encode(np.arange(2), 2) if target.discrete else np.array([0.0, 1.0, 0.3])
    return np.tile(p, len(labels)), np.repeat(labels, len(p))


def _rows_of_classes(prediction: Domain, target: Domain) -> tuple[Any, Any]:
    """Rows of logits or probabilities, with targets of every class, or of mixtures."""
    z = np.array([[0.4, -0.3, 1.1], [2.0, 0.1, -1.7], [-4.0, 3.0, 0.5], [-0.2, -0.1, 0.3]])
    rows = samples.of_logits(prediction, z)
    if target.indices:
        return np.repeat(rows, CLASSES, axis=0), np.tile(np.arange(CLASSES), len(rows))
    shares = np.concatenate([np.eye(CLASSES), [[0.2, 0.5, 0.3], [0.6, 0.15, 0.25]]])
    if not target.shares:
        shares = np.log(np.array([[0.1, 0.6, 0.3], [0.7, 0.1, 0.2], [0.2, 0.5, 0.3]]))
    return np.repeat(rows, len(shares), axis=0), np.tile(shares, (len(rows), 1))


def _factor(values: Any, reference: Any) -> float | None:
    """What `reference` must be multiplied by to be `values`; None where no constant does."""
    finite = np.isfinite(values) & np.isfinite(reference)
    sizes = np.abs(reference[finite])
    if not sizes.any():
        return None
    at = np.argsort(sizes)[len(sizes) // 2 :]  # the larger half, which has more digits
    factor = float(np.median((values[finite] / reference[finite])[at]))
    if not (np.isfinite(factor) and factor > 0):
        return None
    factor = _plain(factor)
    off = np.abs(values[finite] - factor * reference[finite])
    return factor if (off <= _TOLERANCE * factor * (sizes + 0.01)).all() else None


def _plain(factor: float) -> float:
    """The simple fraction, or the change of the logarithm's base, that a measured factor stands for."""
    measured = Fraction(factor)
    for exact, tolerance in (
        (float(measured.limit_denominator(12)), _TOLERANCE / 10),  # an epsilon in the formula shifts it a little
        (float(measured.limit_denominator(1000)), _MEASURED),
        (1 / math.log(2), _MEASURED),
        (1 / math.log(10), _MEASURED),
    ):
        if abs(exact - factor) < tolerance * factor:
            return exact
    return factor


# ── which losses, with which hyper-parameters ────────────────────────────────────────────────────────────────────────


def _candidates(subject: Subject) -> Iterator[Loss]:
    """Every loss whose arguments fit: that of the subject's own name first, then those that people know, then special
    cases, which have fewer hyper-parameters, before general ones."""
    named = _named(subject)
    for cls in sorted(
        catalogue.classes(), key=lambda cls: (cls is not named, not cls.everyday, len(parameters_of(cls)))
    ):
        for settings in _settings(cls, subject):
            try:
                loss = cls(**settings)
            except LossaryError:  # what one bound allows, another setting may not
                continue
            if not (loss.paired and loss.separable):
                continue
            if _fits(subject.prediction, loss.prediction) and _fits(subject.target, loss.target):
                yield loss


def _named(subject: Subject) -> type[Loss] | None:
    sources = (subject.constructor.source if subject.constructor is not None else "", subject.source, subject.name)
    for source in filter(None, sources):
        try:
            return catalogue.find(source.partition("(")[0].rpartition(".")[2])
        except UnknownNameError:
            continue
    return None


def _fits(domain: Domain, other: Domain) -> bool:
    """Whether all that the subject takes, the catalogue's loss takes in the same sense."""
    senses = [
        (each.axes, each.indices, each.says_class, each.logarithms, each.low, each.high) for each in (domain, other)
    ]
    return senses[0] == senses[1] and (domain.discrete or not other.discrete)


def _settings(cls: type[Loss], subject: Subject) -> Iterator[dict[str, Setting]]:
    """Hyper-parameters to try: flags both ways, numbers as the subject has them, else the default and the examples."""
    stated = {**subject.settings, **(subject.constructor.settings if subject.constructor is not None else {})}
    parameters = parameters_of(cls)
    values = [
        [(name, value) for value in _choices(cls, name, parameter, stated)] for name, parameter in parameters.items()
    ]
    for chosen in itertools.product(*values):
        yield dict(chosen)


def _choices(cls: type[Loss], name: str, parameter: Parameter, stated: Mapping[str, Any]) -> list[Setting]:
    if parameter.is_flag:
        return [False, True]
    if parameter.choices is not None:
        return list(parameter.choices)
    for word in (name, *parameter.foreign):
        try:
            setting = parameter.accept(cls.__name__, name, stated[word])
        except (KeyError, LossaryError):
            continue
        # What classes count for is no part of an entry's loss.
        return [] if parameter.table and isinstance(setting, tuple) else [setting]
    return [
        parameter.default,
        *(each for each in parameter.examples if not (parameter.table and isinstance(each, tuple))),
    ]
