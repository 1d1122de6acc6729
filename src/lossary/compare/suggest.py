"""Third stage: the losses that fit the task, with hyper-parameters made from the data, each different one once."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable
from typing import Any, final

import numpy as np
import numpy.typing as npt

import lossary
from lossary.compare.profile import Numbers, Profile, Task
from lossary.define.choice import AgainstNoise, Choice, Facts
from lossary.define.claims.claim import closure
from lossary.define.claims.classes import Proper
from lossary.define.claims.estimates import Estimates
from lossary.define.claims.slope import Lipschitz
from lossary.define.loss import Loss
from lossary.define.parameters import Setting, parameters_of
from lossary.errors import LossaryError, ParameterError

# What each loss is measured against: the one that people take without asking.
REFERENCE: dict[Task, str] = {
    "regression": "MeanSquaredError",
    "binary": "BinaryCrossEntropy",
    "multiclass": "SparseCategoricalCrossEntropy",
}

_PURPOSE = {
    "regression": "a number",
    "binary": "one of two classes",
    "multiclass": "one of several classes",
    "multilabel": "several labels at once",
    "ordinal": "one of several ranks",
    "distribution": "a whole distribution",
    "segmentation": "the masks of images",
    "embedding": "embeddings, which are compared with each other",
    "ranking": "the order within lists",
    "preference": "which of two answers is preferred",
    "survival": "how soon something happens, of what may not have happened yet",
}
_OF_PROBABILITIES = ("log_loss", "brier", "calibration_error")  # metrics that probabilities are judged by
_OF_ALL_ROWS = ("accuracy", "roc_auc", "average_precision")  # metrics that do not count classes alike


@final
@dataclasses.dataclass(frozen=True)
class Rule:
    """One hyper-parameter that is made from facts."""

    name: str
    choice: Choice

    def __call__(self, loss: Loss, facts: Facts) -> tuple[Loss, ...]:
        default = parameters_of(loss)[self.name].default
        return tuple(_with(loss, **{self.name: value}) for value in self.choice.values(default, facts))


@final
@dataclasses.dataclass(frozen=True)
class Candidate:
    """A loss to train with."""

    loss: Loss  # with the hyper-parameters that all rows suggest, in the target's own units
    reason: str
    rule: Rule | None = None  # makes a hyper-parameter from the rows of a fold
    on_scale: tuple[str, ...] = ()  # hyper-parameters on the target's scale
    own_scale: bool = False  # the loss has a fixed scale, so that it depends on the target's unit
    stands_for: tuple[str, ...] = ()  # losses with the same gradient up to a constant factor

    @property
    def name(self) -> str:
        return repr(self.loss)

    def settings(self, facts: Facts) -> tuple[Loss, ...]:
        """The losses among which these rows may choose, in the target's own units, the rule of thumb first."""
        return self.rule(self.loss, facts) if self.rule else (self.loss,)

    def scaled(self, own: Loss, facts: Facts) -> Loss:
        """A loss in the target's own units, for a target divided by `facts.scale`."""
        return _with(own, **{name: getattr(own, name) / facts.scale for name in self.on_scale})

    def within(self, facts: Facts) -> tuple[Loss, Loss]:
        """The first of the settings: in the target's own units, and for a target divided by `facts.scale`."""
        own = self.settings(facts)[0]
        return own, self.scaled(own, facts)


@final
@dataclasses.dataclass(frozen=True)
class Suggestion:
    """The candidates, the reference first, and what became of the other losses."""

    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]
    ranking: tuple[int, ...] = ()  # places of the candidates, the first recommended most
    rejected: tuple[tuple[str, str], ...] = ()  # every other loss of the catalogue, and why

    @property
    def ranked(self) -> tuple[Candidate, ...]:
        """The candidates as they are recommended."""
        return tuple(self.candidates[place] for place in self.ranking)

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


def suggest(
    profile: Profile,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    *,
    metric: str | None = None,
    levels: Iterable[float] = (),
) -> Suggestion:
    """The losses for this task: all that fit, or those in `include`, without those in `exclude`.

    Args:
        profile: what the data are.
        include, exclude: names of losses, or calls.
        metric: what the ranking is to serve; the mean absolute error or balanced accuracy otherwise.
        levels: the quantiles wanted; 0.1, 0.5 and 0.9 otherwise.

    Raises:
        UnknownNameError: a name that the catalogue does not have.
        ParameterError: a loss that does not fit the task, a level that is none, or no loss is left.
    """
    requests, levels = [parse(text) for text in include], (*levels, *_asked(metric))
    excluded = {type(parse(text)[0]) for text in exclude}
    check_levels(levels, profile.task)
    rejected: dict[str, str] = {}
    candidates: list[Candidate] = []
    # Of losses with one gradient, the first stands for all: the one that people know.
    classes = sorted(lossary.catalogue.classes(), key=lambda cls: not cls.everyday)
    for loss, exact in requests or [(cls(), False) for cls in classes]:
        name, misfit = type(loss).__name__, _misfit(loss, profile.task)
        if type(loss) in excluded:
            rejected[name] = "is left out, as asked"
        elif misfit is None and exact:
            asked = Candidate(loss, "asked for")
            candidates.append(_scaled(asked) if profile.task == "regression" else asked)
        elif misfit is None and not (loss.tried or requests):
            rejected[name] = f"is tried where it is asked for: --loss {name}"
        elif misfit is None:
            candidates += _variants(loss, profile, levels)
        elif requests:
            raise ParameterError(_refusal(loss, profile.task, misfit))
        else:
            rejected[name] = misfit
    candidates.sort(
        key=lambda candidate: type(candidate.loss).__name__ != REFERENCE[profile.task]
    )  # stable: the rest as is
    distinct = _distinct(candidates, profile)
    if not distinct:
        raise ParameterError("no loss is left to compare: name fewer in --exclude, or more in --loss.")
    notes = [f"{name} {reason}" for name, reason in rejected.items() if reason == _EVALUATION]
    notes += [
        f"{each.name.removesuffix('()')} stands for {_and(each.stands_for)}: the same gradient up to a factor"
        for each in distinct
        if each.stands_for
    ]
    kept = {type(each.loss).__name__ for each in distinct}
    for each in distinct:
        for other in each.stands_for:
            if other.partition("(")[0] not in kept:
                rejected.setdefault(other.partition("(")[0], f"has the same gradient as {each.name.removesuffix('()')}")
    return Suggestion(tuple(distinct), tuple(notes), rank(distinct, profile, metric, levels), tuple(rejected.items()))


def check_levels(levels: Iterable[float], task: Task | None = None) -> None:
    """Refuse what is no level of a quantile.

    Raises:
        ParameterError: a level that is not between 0 and 1, or a task without quantiles.
    """
    for level in levels:
        if not 0 < level < 1:
            raise ParameterError(f"a level must be above 0 and below 1, not {level:g}.")
        if task not in (None, "regression"):
            raise ParameterError(f"a level is for regression, and this task is {task}.")


def rank(
    candidates: Iterable[Candidate], profile: Profile, metric: str | None = None, levels: tuple[float, ...] = ()
) -> tuple[int, ...]:
    """Places of the candidates: levels that were asked for, then what is expected to serve the metric best."""
    candidates = tuple(candidates)
    if profile.task == "regression":
        costs = expected_costs(candidates, profile, _judge(metric))
        sort_keys = [(quantile_level(each) not in levels, cost) for each, cost in zip(candidates, costs, strict=True)]
        return tuple(sorted(range(len(sort_keys)), key=lambda place: sort_keys[place]))
    keys = [_class_key(candidate, profile.facts, metric or "balanced_accuracy") for candidate in candidates]
    return tuple(sorted(range(len(keys)), key=lambda place: keys[place]))


def _with(loss: Loss, **settings: Any) -> Loss:
    return dataclasses.replace(loss, **settings)


_EVALUATION = "is for evaluation only: its gradient is 0 almost everywhere"


def _misfit(loss: Loss, task: Task) -> str | None:
    """Why a loss cannot be trained with on this task; None where it can."""
    prediction, target = loss.prediction, loss.target
    amounts = not (prediction.says_class or target.says_class)
    pairs = loss.paired and loss.separable
    free = prediction.unbounded and pairs  # whatever number a network ends in is legal
    labels = free and prediction.says_class and target.certain and not target.logarithms
    fits = {
        "regression": loss.task == "regression" and amounts and free and target.takes_all and not prediction.rows,
        "binary": labels and not prediction.rows,
        "multiclass": labels and prediction.rows,
    }
    if fits[task]:
        return None if loss.trainable else _EVALUATION
    if loss.task != task:
        return f"predicts {_PURPOSE[loss.task]}"
    if not pairs:
        return "sees more at once than a prediction and its target"
    if task == "regression" and prediction.rows:
        return "takes rows of predictions, and the models that are compared here predict one number"
    return f"takes predictions that are {prediction.wanted} and targets that are {target.wanted}"


def _refusal(loss: Loss, task: Task, misfit: str) -> str:
    if misfit == _EVALUATION:
        return f"{type(loss).__name__} cannot train: its gradient is 0 almost everywhere."
    return f"{type(loss).__name__} is not a loss for this task ({task}): it {misfit}."


def _variants(loss: Loss, profile: Profile, levels: tuple[float, ...]) -> Iterable[Candidate]:
    """The settings of one loss that these data suggest: as it is, and by each rule that it declares."""
    rules = [Rule(name, each.choose) for name, each in parameters_of(loss).items() if each.choose is not None]
    rules = [rule for rule in rules if rule.choice.applies(profile.facts)]
    if not any(rule.choice.replaces_default for rule in rules):
        yield _in_units(Candidate(loss, _reason(loss, profile)), profile)
    for rule in rules:
        if rule.choice.for_the_user:
            for value in dict.fromkeys(levels or rule.choice.values(getattr(loss, rule.name), profile.facts)):
                own = _with(loss, **{rule.name: value})
                yield _in_units(Candidate(own, _reason(own, profile)), profile)
        else:
            reason = rule.choice.reason(rule.name)
            if rule.choice.replaces_default:
                reason = f"{_reason(loss, profile)}; {reason}"
            scaled = _in_units(Candidate(loss, reason, rule), profile)
            (first, *_) = rule(loss, profile.facts)
            yield dataclasses.replace(scaled, loss=_with(first, **{rule.name: _short(getattr(first, rule.name))}))


def _in_units(candidate: Candidate, profile: Profile) -> Candidate:
    if profile.task != "regression":
        return candidate
    scaled = _scaled(candidate)
    if not scaled.own_scale:
        return scaled
    return dataclasses.replace(
        scaled, reason=f"{scaled.reason}; it has a scale of its own: divide the target by {profile.facts.scale:.3g}"
    )


def _reason(loss: Loss, profile: Profile) -> str:
    """What speaks for a loss on these data, from what it claims."""
    if profile.task != "regression":
        if any(isinstance(claim, Proper) for claim in loss.claims):
            return "if probabilities are what you want"
        return f"if only the {loss.estimates} matters" if loss.estimates else "fits the task"
    steady = any(isinstance(claim, Lipschitz) for claim in closure(loss.claims))
    if any(isinstance(claim, Estimates) for claim in loss.claims):
        affected = "" if steady or not profile.outliers else ", which outliers pull"
        return f"if the {loss.estimates} is what you want{affected}"
    if steady and profile.outliers:
        return f"caps the pull of {_percent(profile.outliers)} outliers"
    return f"estimates the {loss.estimates}" if loss.estimates else "fits the task"


# ── in which order ───────────────────────────────────────────────────────────────────────────────────────────────────


_PARTS = 5  # of the rows, by what is predicted for them: spread and skew may differ between low and high
_DRAWN = 3_200  # rows that are drawn of each part, in samples
_ROWS_PER_COLUMN = 2  # rows that a network spends on each column, roughly
_FEWEST, _MOST = 8, 200  # rows that are left to find a location from
_JUDGED = 500  # rows of a part that a location is judged on, at most


def expected_costs(candidates: tuple[Candidate, ...], profile: Profile, judge: Loss) -> list[float]:
    """What each loss would cost by the measure `judge`, had it to find the location of the residuals from few of them.

    The residuals are those of one linear fit, in five parts from low to high predictions; samples of each part are
    drawn as small as the rows that a network has for each of its columns. The location that costs least on such a
    sample by the candidate's own gradient is judged on the part. So bias (a mean on skewed residuals, judged by
    distance) and luck (a mean among outliers) are weighed as they occur in these data.
    """
    generator = np.random.default_rng(0)
    order = np.argsort(profile.predicted, kind="stable")
    parts = [profile.residuals[rows] for rows in np.array_split(order, _PARTS if len(order) >= 20 * _PARTS else 1)]
    size = int(np.clip(profile.rows / (_ROWS_PER_COLUMN * (profile.table.shape[1] + 1)), _FEWEST, _MOST))
    scale = profile.facts.scale
    samples = np.stack([part[generator.integers(0, len(part), (_DRAWN // size, size))] for part in parts]) / scale
    common = min(_JUDGED, *(len(part) for part in parts))
    judged = np.stack([generator.choice(part, (1, common), replace=False) for part in parts]) / scale

    def cost(loss: Loss) -> float:
        locations = _locations(loss, samples)[..., None]
        prediction, target = np.broadcast_arrays(locations, judged)
        return float(judge(prediction=prediction.copy(), target=target.copy()))

    return [
        min(cost(candidate.scaled(own, profile.facts)) for own in candidate.settings(profile.facts))
        for candidate in candidates
    ]


def _locations(loss: Loss, samples: Numbers) -> Numbers:
    """The constant that costs least, for each sample along the last axis: where the gradients' sum changes sign."""
    low, high = samples.min(axis=-1), samples.max(axis=-1)
    for _ in range(26):  # halvings: to a hundred-millionth of the range
        middle = 0.5 * (low + high)
        prediction = np.broadcast_to(middle[..., None], samples.shape).copy()
        _, slopes = loss.value_and_gradient(prediction=prediction, target=samples, reduction="none")
        below = slopes.sum(axis=-1) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(0.5 * (low + high))


def _asked(metric: str | None) -> tuple[float, ...]:
    """The level in the metric "pinball_0.25"."""
    name, _, level = (metric or "").partition("_")
    return (float(level),) if name == "pinball" else ()


def _judge(metric: str | None) -> Loss:
    """The loss that says what a metric says; the absolute error speaks for those that have none."""
    asked = _asked(metric)
    judge: Loss = lossary.Quantile(*asked) if asked else lossary.MeanAbsoluteError()
    return lossary.get("mse") if metric in ("rmse", "r2") else judge


def _class_key(candidate: Candidate, facts: Facts, metric: str) -> tuple[bool, ...]:
    """What comes first among classifiers: weights where classes are imbalanced and count alike; else probabilities."""
    choice = candidate.rule.choice if candidate.rule else None
    proper = any(isinstance(claim, Proper) for claim in candidate.loss.claims)
    if metric in _OF_PROBABILITIES:
        return not proper, choice is not None
    weights_first = facts.imbalanced and metric not in _OF_ALL_ROWS
    return (
        (choice is not None and choice.balances) != weights_first,
        not (isinstance(choice, AgainstNoise) and facts.noise > 0),
        not proper,
        choice is None,
    )


# ── what a loss depends on ───────────────────────────────────────────────────────────────────────────────────────────


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
        for place, (other, other_gradient) in enumerate(kept):
            if _proportional(gradient, other_gradient):
                if candidate.name != other.name:
                    both = dataclasses.replace(other, stands_for=(*other.stands_for, candidate.name.removesuffix("()")))
                    kept[place] = (both, other_gradient)
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
    loss = candidate.loss
    return _gradient(loss, loss.prediction.ordinary(generator, shape), loss.target.encode(codes, classes))


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


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _and(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
