"""Third stage: the losses that fit the task, with hyper-parameters made from the data, each different one once."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, final

import numpy as np
import numpy.typing as npt

import lossary
from lossary.compare.profile import Codes, Facts, Numbers, Profile, Task
from lossary.domain import ClassIndex, Labels, Logits, Probability, Real, Score, Simplex
from lossary.errors import LossaryError, ParameterError
from lossary.loss import Loss
from lossary.parameter import Setting, parameters_of

# What each loss is measured against: the one that people take without asking.
REFERENCE: dict[Task, str] = {
    "regression": "MeanSquaredError",
    "binary": "BinaryCrossEntropy",
    "multiclass": "SparseCategoricalCrossEntropy",
}

_LEVELS = (0.1, 0.5, 0.9)
# In units of the residuals' robust standard deviation; 1.345 keeps 95 % efficiency under normal errors (Huber 1981).
_ROBUST = {"Huber": 1.345}
_IMBALANCED = 0.5  # the rarest class has less than this part of an equal share
_SMOOTHING = 0.1


@final
@dataclasses.dataclass(frozen=True)
class RobustSpread:
    """A hyper-parameter that is a multiple of the residuals' robust spread."""

    name: str
    factor: float

    def __call__(self, facts: Facts) -> dict[str, Setting]:
        return {self.name: self.factor * facts.spread}


@final
@dataclasses.dataclass(frozen=True)
class Balance:
    """A weight for the positive class, or for each class, that makes the classes count alike."""

    name: str

    def __call__(self, facts: Facts) -> dict[str, Setting]:
        counts = np.maximum(facts.counts, 1)
        if self.name == "pos_weight":
            return {self.name: float(counts[0] / counts[1])}
        return {self.name: tuple((counts.sum() / (len(counts) * counts)).tolist())}


@final
@dataclasses.dataclass(frozen=True)
class Candidate:
    """A loss to train with."""

    loss: Loss  # with the hyper-parameters that all rows suggest, in the target's own units
    reason: str
    rule: Callable[[Facts], dict[str, Setting]] | None = None  # makes hyper-parameters from the rows of a fold
    on_scale: tuple[str, ...] = ()  # hyper-parameters on the target's scale
    own_scale: bool = False  # the loss has a fixed scale, so that it depends on the target's unit
    stands_for: tuple[str, ...] = ()  # losses with the same gradient up to a constant factor

    @property
    def name(self) -> str:
        return repr(self.loss)

    def within(self, facts: Facts) -> tuple[Loss, Loss]:
        """The loss for these rows: in the target's own units, and for a target divided by `facts.scale`."""
        own = _with(self.loss, **self.rule(facts)) if self.rule else self.loss
        return own, _with(own, **{name: getattr(own, name) / facts.scale for name in self.on_scale})


@final
@dataclasses.dataclass(frozen=True)
class Suggestion:
    """The candidates, the reference first, and what became of the other losses."""

    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]

    @property
    def levels(self) -> tuple[float, ...]:
        """What the quantile losses are to be judged at."""
        return tuple(level for level in map(quantile_level, self.candidates) if level is not None)

    @property
    def metric(self) -> str | None:
        """What ranks a race of quantile losses at one level; None where that is for the task to say."""
        levels = set(map(quantile_level, self.candidates))
        return f"pinball_{levels.pop()}" if len(levels) == 1 and None not in levels else None


def quantile_level(candidate: Candidate) -> float | None:
    """The level that a quantile loss stands for."""
    return candidate.loss.level if isinstance(candidate.loss, lossary.Quantile) else None


def parse(text: str) -> tuple[Loss, bool]:
    """`huber`, or `Huber(delta=50)`: the loss, and whether its hyper-parameters were given.

    Raises:
        UnknownNameError: a name that the catalogue does not have.
        ParameterError: hyper-parameters that cannot be read, or that the loss does not have.
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        call = None
        if "(" in text:
            closed = text.count("(") <= text.count(")")
            fault = "it cannot be read; write it as in Huber(delta=50)" if closed else "the closing bracket is missing"
            raise ParameterError(f"{text}: {fault}.") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return lossary.get(text), False
    try:
        positional = [ast.literal_eval(argument) for argument in call.args]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except ValueError:
        raise ParameterError(f"{text}: hyper-parameters must be numbers, True or False, or tuples of them.") from None
    return type(lossary.get(call.func.id))(*positional, **named), True


def suggest(profile: Profile, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> Suggestion:
    """The losses for this task: all that fit, or those in `include`, without those in `exclude`.

    Raises:
        UnknownNameError: a name that the catalogue does not have.
        ParameterError: a loss that does not fit the task, or none is left.
    """
    wanted = [parse(text) for text in include]
    unwanted = {type(parse(text)[0]) for text in exclude}
    notes: list[str] = []
    found: list[Candidate] = []
    for loss, exact in wanted or [(cls(), False) for cls in lossary.catalogue.classes() if _fits(cls(), profile.task)]:
        name = type(loss).__name__
        if type(loss) in unwanted:
            continue
        if not _fits(loss, profile.task):
            raise ParameterError(f"{name} is not a loss for this task ({profile.task}).")
        if not loss.trainable:
            if wanted:
                raise ParameterError(f"{name} cannot train: its gradient is 0 almost everywhere.")
            notes.append(f"{name} is for evaluation only: its gradient is 0 almost everywhere")
            continue
        if exact:
            asked = Candidate(loss, "asked for")
            found.append(_scaled(asked) if profile.task == "regression" else asked)
        else:
            found += _variants(loss, profile)
    found.sort(key=lambda candidate: type(candidate.loss).__name__ != REFERENCE[profile.task])  # stable: the rest as is
    distinct = _distinct(found, profile)
    if not distinct:
        raise ParameterError("no loss is left to compare: name fewer in --exclude, or more in --loss.")
    notes += [
        f"{each.name.removesuffix('()')} stands for {_and(each.stands_for)}: the same gradient up to a factor"
        for each in distinct
        if each.stands_for
    ]
    return Suggestion(tuple(distinct), tuple(notes))


def encode(loss: Loss, y: Numbers | Codes, classes: int) -> npt.NDArray[Any]:
    """The target as this loss wants it: numbers, one of two labels, class indices, or one-hot rows."""
    domain = loss.target
    if isinstance(domain, Real):
        return y
    if isinstance(domain, Labels):
        return np.asarray(domain.values, dtype=np.float64)[y.astype(np.int64)]
    if isinstance(domain, Probability):
        return y.astype(np.float64)
    if isinstance(domain, ClassIndex):
        return y.astype(np.int64)
    return np.eye(classes)[y.astype(np.int64)]


def _with(loss: Loss, **settings: Any) -> Loss:
    return dataclasses.replace(loss, **settings)


def _fits(loss: Loss, task: Task) -> bool:
    prediction, target = loss.prediction, loss.target
    if task == "regression":
        return loss.task == "regression" and isinstance(prediction, Real) and isinstance(target, Real)
    if task == "binary":
        return isinstance(prediction, Score) and isinstance(target, Labels | Probability)
    hot = isinstance(target, Simplex) and not target.logarithms
    return isinstance(prediction, Logits) and (hot or isinstance(target, ClassIndex))


def _variants(loss: Loss, profile: Profile) -> Iterable[Candidate]:
    """The settings of one loss that these data suggest."""
    cls, names, facts = type(loss), parameters_of(loss), profile.facts
    if profile.task == "regression":
        if "level" in names:
            for level in _LEVELS:
                reason = f"if the {level} quantile is what you want"
                yield _scaled(Candidate(_with(loss, level=level), reason))
            return
        candidate = _scaled(Candidate(loss, _reason(loss)))
        if candidate.on_scale:
            factor = _ROBUST.get(cls.__name__, 1.0)
            (name, *_) = candidate.on_scale
            reason = f"{name} = {factor:g} x the residuals' robust spread"
            yield _tuned(candidate, RobustSpread(name, factor), facts, reason)
        else:
            yield candidate
        return
    yield Candidate(loss, _reason(loss))
    shares = np.array(facts.counts) / sum(facts.counts)
    weight = {"binary": "pos_weight", "multiclass": "class_weight"}[profile.task]
    if weight in names and shares.min() < _IMBALANCED / len(shares):
        yield _tuned(Candidate(loss, ""), Balance(weight), facts, "weights make imbalanced classes count alike")
    if profile.task == "multiclass" and "label_smoothing" in names:
        yield Candidate(_with(loss, label_smoothing=_SMOOTHING), "guards against over-confidence and wrong labels")


def _reason(loss: Loss) -> str:
    return f"elicits the {loss.elicits}" if loss.elicits else "fits the task"


def _tuned(candidate: Candidate, rule: RobustSpread | Balance, facts: Facts, reason: str) -> Candidate:
    loss = _with(candidate.loss, **{name: _short(value) for name, value in rule(facts).items()})
    return dataclasses.replace(candidate, loss=loss, rule=rule, reason=reason)


def _scaled(candidate: Candidate) -> Candidate:
    """Find out which hyper-parameter is on the target's scale.

    With residuals and that hyper-parameter times c, the gradient is a multiple of what it was.
    """
    loss, factor = candidate.loss, 7.0
    numbers = [name for name, value in loss.settings.items() if isinstance(value, float)]
    for names in [(), *((name,) for name in numbers)]:
        try:
            larger = _with(loss, **{name: factor * getattr(loss, name) for name in names})
        except LossaryError:  # out of bounds: not a scale
            continue
        unit = max([1.0, *(getattr(loss, name) for name in names)])
        if _proportional(_regression_gradient(loss, unit), _regression_gradient(larger, factor * unit)):
            return dataclasses.replace(candidate, on_scale=names)
    return dataclasses.replace(candidate, own_scale=True)


def _distinct(candidates: list[Candidate], profile: Profile) -> list[Candidate]:
    """Each different gradient once: the first of its kind stands for the others."""
    kept: list[tuple[Candidate, Numbers]] = []
    for candidate in candidates:
        gradient = _sample_gradient(candidate, profile)
        for place, (other, known) in enumerate(kept):
            if _proportional(gradient, known):
                if candidate.name != other.name:
                    both = dataclasses.replace(other, stands_for=(*other.stands_for, candidate.name.removesuffix("()")))
                    kept[place] = (both, known)
                break
        else:
            kept.append((candidate, gradient))
    return [candidate for candidate, _ in kept]


def _sample_gradient(candidate: Candidate, profile: Profile) -> Numbers:
    if profile.task == "regression":
        return _regression_gradient(candidate.within(profile.facts)[1], profile.facts.spread / profile.facts.scale)
    generator, classes = np.random.default_rng(0), len(profile.classes)
    codes = np.arange(64) % classes
    shape = (64,) if profile.task == "binary" else (64, classes)
    return _gradient(candidate.loss, generator.normal(scale=3.0, size=shape), encode(candidate.loss, codes, classes))


def _regression_gradient(loss: Loss, unit: float) -> Numbers:
    """The gradient at residuals of both signs, from a thousandth of `unit` to a hundred times it."""
    sizes = np.geomspace(1e-3, 1e2, 61) * unit
    residuals = np.concatenate([-sizes, sizes])
    return _gradient(loss, residuals, np.zeros_like(residuals))


def _gradient(loss: Loss, prediction: Numbers, target: npt.NDArray[Any]) -> Numbers:
    _, gradient = loss.value_and_gradient(prediction=prediction, target=target, reduction="sum")
    return np.asarray(gradient, dtype=np.float64).ravel()


def _proportional(one: Numbers, other: Numbers) -> bool:
    factor = float(one @ other) / (float(one @ one) or 1.0)
    return factor > 0 and bool(np.allclose(other, factor * one, rtol=1e-9, atol=1e-9 * float(np.abs(other).max())))


def _short(value: Setting) -> Setting:
    """Three significant digits: more would say that the data decide more than they do."""
    if isinstance(value, tuple):
        return tuple(float(f"{each:.3g}") for each in value)
    return float(f"{value:.3g}")


def _and(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
