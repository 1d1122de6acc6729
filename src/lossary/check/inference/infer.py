"""What a loss is, found out by looking: what it says of itself first, then what its names say, then what it does."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lossary import catalogue
from lossary.check.backends import backend
from lossary.check.inference import conventions
from lossary.check.inference.behaviour import Behaviour, Meaning, answer
from lossary.check.inference.candidate import Candidate, candidate_of
from lossary.check.inference.gradient import with_own_gradient
from lossary.check.rulebook import tags
from lossary.check.run.ask import contained
from lossary.check.subject.subject import Convention, LossRaised, Subject
from lossary.define.claims.claim import Claim, combined
from lossary.define.domains.classes import Logits, Simplex
from lossary.define.domains.numbers import Probability, Real, Score
from lossary.define.loss import Loss
from lossary.errors import MissingExtraError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from lossary.check.backends.backend import Backend
    from lossary.define.domains.domain import Domain

FRAMEWORKS = ("numpy", "torch", "keras", "jax")
TASKS = ("regression", "binary", "multiclass", "sparse", "distribution")
ORDERS = ("prediction-target", "target-prediction")


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
    """The loss with all that is known of it; what is given overrides what would be inferred.

    Args:
        loss: a function, a module, a class or an instance of one, a lossary loss, or what Keras calls one.
        framework: "numpy", "torch", "keras" or "jax": whose arrays it takes.
        task: "regression", "binary", "multiclass" (one-hot rows), "sparse" (class indices) or "distribution".
        order: which argument comes first: "prediction" or "target" (what follows the word is not read).
        reduction: what a plain call does: "mean", "sum" or "none".
        logits: whether predictions are logits rather than probabilities.
        source, imports: the loss as an expression, and the statement that makes it known, for reproducers.
        facts: anything else that `Subject` holds.

    Raises:
        UsageError: it is no loss, or its task cannot be told.
        MissingExtraError: its framework is not installed.
    """
    _check("framework", framework, FRAMEWORKS)
    _check("task", task, TASKS)
    _check("reduction", reduction, tuple(conventions.REDUCTIONS))
    _check("order", None if order is None else order.partition("-")[0].partition(",")[0], ("prediction", "target"))
    with contained():
        candidate = candidate_of(loss, framework)
        _refuse_batches(candidate)
        stated = _Stated(framework, task, order, reduction, logits)
        subject = _hosted(candidate, stated)
        if source is not None and subject.constructor is not None:
            imports = "; ".join(each for each in (imports, subject.imports) if each)
        subject = dataclasses.replace(subject, source=source or subject.source, imports=imports or subject.imports)
        subject = with_own_gradient(subject)
        subject = _understood(subject, candidate, stated) if candidate.domains is None else subject
        subject = _reduced(subject, candidate, stated)
        return _recognised(dataclasses.replace(subject, **facts), frozenset(facts))


def _refuse_batches(candidate: Candidate) -> None:
    """Raises UsageError for a loss of lossary's shapes that is more than a prediction and a target row by row."""
    loss = candidate.definition
    if loss is None or (loss.paired and loss.separable and loss.prediction.axes < 2):
        return
    takes = "a whole batch at once" if loss.pooled else "rows of rows" if loss.paired else ", ".join(loss.inputs)
    raise UsageError(
        f"{candidate.name} takes {takes}, which no rule here can judge: the rules try entries and rows one by one.",
        hint=f"lossary show {type(loss).__name__} --claims tries to refute what it claims.",
    )


@dataclasses.dataclass(frozen=True)
class _Stated:
    """What need not be inferred."""

    framework: str | None
    task: str | None
    order: str | None
    reduction: str | None
    logits: bool | None


def _check(name: str, word: str | None, choices: tuple[str, ...]) -> None:
    if word is not None and word not in choices:
        raise UsageError(f"{name} must be one of {', '.join(choices)}.", received=f"{name}={word!r}.")


# ── whose it is, and how it is called ────────────────────────────────────────────────────────────────────────────────


def _hosted(candidate: Candidate, stated: _Stated) -> Subject:
    """The subject as far as it can be read off the candidate."""
    host, sure = candidate.host or "numpy", candidate.host is not None
    if stated.framework is not None and host != "lossary":
        host, sure = stated.framework, True
    arrays = stated.framework or ("numpy" if host == "lossary" else host)
    subject = _subject(candidate, host, _backend(arrays), stated)
    if not sure and candidate.definition is None:
        loaded = [name for name in ("torch", "keras", "jax") if name in sys.modules and not _answers(subject)]
        subject = next(
            (other for name in loaded if _answers(other := _subject(candidate, name, _backend(name), stated))), subject
        )
    return subject


def _subject(candidate: Candidate, host: str, arrays: Backend, stated: _Stated) -> Subject:
    first, second = candidate.parameters[:2]
    keywords = inspect.Parameter.KEYWORD_ONLY in (first.kind, second.kind)
    target_first, remark = _order(candidate, host, stated)
    prediction, target = (second.name, first.name) if target_first else (first.name, second.name)
    reducing = (
        candidate.names(("reduction",)) if conventions.reduction(candidate.options.get("reduction", "")) else None
    )
    reductions = {}
    if reducing is not None:
        reductions = {"mean": "mean", "sum": "sum", "none": "none"}
        present = candidate.options["reduction"]
        reductions[str(conventions.reduction(present))] = present
    convention = Convention(
        prediction,
        target,
        target_first,
        keywords,
        weight=candidate.names(conventions.WEIGHTS),
        mask=candidate.names(conventions.MASKS),
        reduction=reducing,
        reductions=reductions,
    )
    domains = candidate.domains or (Real(), Real())
    usual = "none" if candidate.definition is not None and host == "jax" else "mean"  # lossary's own, like optax'
    settled = stated.reduction or conventions.reduction(candidate.options.get("reduction", "")) or usual
    classes = (
        max((len(x) for x in vars(candidate.definition or candidate).values() if isinstance(x, tuple)), default=0) or 3
    )
    entry = (domains[0].size or classes,) if domains[0].rows else (1,) if host == "keras" else ()
    definition = candidate.definition if isinstance(candidate.definition, Loss) else None
    title = candidate.title if stated.framework is None or host == "lossary" else candidate.kind
    return Subject(
        name=candidate.name,
        loss=candidate.loss,
        backend=arrays,
        host=host,
        convention=convention,
        prediction=domains[0],
        target=domains[1],
        reduction=settled,  # type: ignore[arg-type]  # it was checked, or is one of our words
        source=candidate.source,
        imports=candidate.imports,
        entry=entry,
        class_axis=candidate.options.get("class_axis", -1),
        settings=candidate.settings,
        constructor=candidate.constructor,
        ignored=_ignored(candidate) if candidate.definition is None or domains[1].indices else None,
        definition=definition,
        claimed_properties=candidate.definition.claims if candidate.definition is not None else _claims(candidate.loss),
        path=candidate.path,
        line=candidate.line,
        inferred=(f"{title} ({first.name}, {second.name}){remark}", *_purpose(candidate, stated)),
    )


def _purpose(candidate: Candidate, stated: _Stated) -> list[str]:
    """What one of lossary's own says that it is for."""
    if candidate.definition is None:
        return []
    purpose = [] if stated.task is not None else [candidate.definition.task]
    return [*purpose, *([words] if (words := _described(candidate.definition.prediction)) else [])]


def _claims(loss: Any) -> tuple[Claim, ...]:
    """What a loss says of itself: its attribute `claims`, a tuple of those in `lossary.define`."""
    claims = getattr(loss, "claims", ())
    return tuple(each for each in claims if isinstance(each, Claim)) if isinstance(claims, tuple | list) else ()


def _backend(framework: str) -> Backend:
    """The arrays that a framework's losses take; Keras' are its own backend's.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        if framework != "keras":
            return backend(framework)
        return backend(importlib.import_module("keras").backend.backend())
    except ModuleNotFoundError as error:
        title = conventions.TITLES[framework]
        raise MissingExtraError(f"{title} is not installed.", hint=f"pip install 'lossary[{framework}]'.") from error


def _order(candidate: Candidate, host: str, stated: _Stated) -> tuple[bool, str]:
    """Whether the target comes first, and what to say of it."""
    if stated.order is not None:
        return stated.order.startswith("target"), ""
    first, second = (conventions.role(each.name) for each in candidate.parameters[:2])
    if (first == "target" and second != "target") or (second == "prediction" and first is None):
        return True, ""
    if (first == "prediction" and second != "prediction") or (second == "target" and first is None):
        return False, ""
    habit = host == "keras" or candidate.public.partition(".")[0] in conventions.TARGET_FIRST
    if candidate.definition is not None:
        return habit and host == "keras", ""
    return habit, f", taken for {'(target, prediction)' if habit else '(prediction, target)'}"


def _answers(subject: Subject) -> bool:
    """Whether it takes the arrays at all."""
    small = np.array([0.2, 0.9, 0.4, 0.6], np.float32)
    rows, index = np.full((4, 3), 1 / 3, np.float32), np.array([0, 1, 2, 1])
    tries = ((small, small.round()), (rows, index), (rows, rows))
    return any(answer(subject, p, y) is not None for p, y in tries)


def _ignored(candidate: Candidate) -> int | None:
    index = next((candidate.options[name] for name in conventions.IGNORED if name in candidate.options), None)
    return index if isinstance(index, int) and not isinstance(index, bool) else None


# ── what it is for ───────────────────────────────────────────────────────────────────────────────────────────────────


def _understood(subject: Subject, candidate: Candidate, stated: _Stated) -> Subject:
    """The subject with its task and its domains."""
    certain, hint = _hint(candidate)
    kind = _kind(subject, candidate, stated)
    entries: tuple[tuple[int, ...], ...] = ((1,), ()) if subject.host == "keras" else ((), (1,))
    logarithms = (
        candidate.options.get("log_target") is True or conventions.kind(subject.convention.target) == "logarithms"
    )
    trial = Behaviour(subject, kind, candidate.word, entries, logarithms=logarithms)
    if stated.task is None and set(conventions.words(candidate.word)) & conventions.BEYOND:
        raise UsageError(
            f"{candidate.name} compares more than a prediction and a target row by row, which no rule here can judge.",
            hint="say --task if it is a loss of pairs after all (in Python, task=...).",
        )
    task = stated.task or (hint if certain else None)
    meaning = trial.of_task(task) if task is not None else trial.meaning(hint)
    if meaning is None and subject.inferred and "taken for" in subject.inferred[0]:
        other = _turned(subject)
        meaning = Behaviour(other, kind, candidate.word, entries).meaning(hint)
        subject = other if meaning is not None else subject
    if meaning is None:
        meaning = _assumed(subject, candidate, trial, hint)
    return _with_meaning(subject, meaning, candidate, stated, kind)


def _hint(candidate: Candidate) -> tuple[bool, str | None]:
    """The task that the name speaks of, and whether it is a name whose meaning is known for sure."""
    if "apply_softmax" in candidate.options:
        return False, "multiclass"
    try:
        definition = catalogue.find(candidate.word)()
    except UnknownNameError:
        return False, conventions.task(candidate.word)
    if definition.task not in TASKS:
        return False, conventions.task(candidate.word)
    return bool(candidate.public), "sparse" if definition.target.indices else definition.task


def _kind(subject: Subject, candidate: Candidate, stated: _Stated) -> str | None:
    """What predictions are, where somebody says so: "logits", "probabilities", "logarithms"."""
    if stated.logits is not None:
        return "logits" if stated.logits else "probabilities"
    for flag in ("from_logits", "apply_sigmoid", "apply_softmax"):
        if isinstance(candidate.options.get(flag), bool):
            return "logits" if candidate.options[flag] else "probabilities"
    kind = conventions.kind(subject.convention.prediction)
    return kind or ("logits" if conventions.kind(candidate.word) == "logits" else None)


def _turned(subject: Subject) -> Subject:
    """The other order of the arguments."""
    convention = subject.convention
    turned = dataclasses.replace(
        convention, prediction=convention.target, target=convention.prediction, target_first=not convention.target_first
    )
    order = "(target, prediction)" if turned.target_first else "(prediction, target)"
    first = f"{subject.inferred[0].partition(', taken for')[0]}, taken for {order}"
    return dataclasses.replace(subject, convention=turned, inferred=(first, *subject.inferred[1:]))


def _assumed(subject: Subject, candidate: Candidate, trial: Behaviour, hint: str | None) -> Meaning:
    """What is usual, where its behaviour does not tell.

    Raises:
        UsageError: it answers, and as the loss of no task that is known.
    """
    if hint is not None:
        return dataclasses.replace(trial.of_task(hint), certain=False)
    if trial.kind is not None:
        return dataclasses.replace(trial.of_task("binary"), certain=False)
    real = np.array([2.5, -1.5, 3.7, -4.2], np.float32)
    shape = (4, *trial.entries[0])
    seen = [answer(subject, (real + step).reshape(shape), real.reshape(shape)) for step in (0.0, 1.0)]
    varies = seen[0] is not None and seen[1] is not None and not np.array_equal(seen[0], seen[1], equal_nan=True)
    if varies or not _answers(subject):  # what always raises is a finding, not a riddle
        return Meaning("regression", Real(), Real(), trial.entries[0], certain=False)
    raise UsageError(
        f"what {candidate.name} is for cannot be told: it behaves like the loss of no task.",
        hint=f"say --task {', '.join(TASKS[:-1])} or {TASKS[-1]} (in Python, task=...).",
    )


def _with_meaning(
    subject: Subject, meaning: Meaning, candidate: Candidate, stated: _Stated, kind: str | None
) -> Subject:
    prediction, target = meaning.prediction, meaning.target
    if stated.logits is not None or (kind is not None and not meaning.certain):
        prediction = _of_kind(prediction, str(kind))
    inferred = [] if stated.task is not None else [meaning.task if meaning.certain else f"{meaning.task} (assumed)"]
    if tags.labels(target) and target.discrete:
        inferred.append("labels {:g} and {:g}".format(*target.encode(np.arange(2), 2)))
    words = _described(prediction)
    if words and stated.logits is None:
        inferred.append(words)
    axis = (
        1
        if subject.host == "torch" and meaning.task in ("sparse", "multiclass") and _in_axis_1(subject, target)
        else -1
    )
    return dataclasses.replace(
        subject,
        prediction=prediction,
        target=target,
        entry=meaning.entry,
        class_axis=axis,
        ignored=subject.ignored if target.indices else None,
        inferred=(*subject.inferred, *inferred),
    )


def _of_kind(domain: Domain, kind: str) -> Domain:
    """The domain of single numbers, or of rows, that a kind of prediction has."""
    if domain.rows:
        return Logits() if kind == "logits" else Simplex(logarithms=kind == "logarithms")
    if domain.says_class:
        return Score(logit=domain.probabilities) if kind == "logits" else Probability()
    return domain


def _described(domain: Domain) -> str:
    if domain.of_logits:
        return "logits"
    if domain.of_shares:
        return "log-probabilities" if domain.logarithms else "probabilities"
    if domain.says_class:
        return "scores"
    return "" if domain.unbounded else f"numbers {domain.wanted}"


def _in_axis_1(subject: Subject, target: Domain) -> bool:
    """Whether predictions of three axes have their classes on the second, as PyTorch's cross-entropies do."""
    p = np.full((2, 3, 4), 1 / 3, np.float32)
    if target.indices:
        return answer(subject, p, np.zeros((2, 4), np.int64)) is not None
    y = np.eye(3, dtype=np.float32)[np.array([[0, 1, 2, 1], [2, 1, 0, 0]])]
    second_axis, last_axis = answer(subject, p, y.transpose(0, 2, 1)), answer(subject, p.transpose(0, 2, 1), y)
    return second_axis is not None and (last_axis is None or second_axis.shape == (2, 4) or last_axis.shape == (2, 3))


# ── how it reduces, weighs and masks ─────────────────────────────────────────────────────────────────────────────────


def _reduced(subject: Subject, candidate: Candidate, stated: _Stated) -> Subject:
    """The subject with what a plain call does, and with the further arguments that it takes."""
    if candidate.definition is None:
        subject = _tried(subject, candidate, stated)
    convention = subject.convention
    inferred = [] if stated.reduction is not None else [{"none": "unreduced"}.get(subject.reduction, subject.reduction)]
    inferred += [f"weights: {convention.weight}"] if convention.weight is not None else []
    inferred += [f"mask: {convention.mask}"] if convention.mask is not None else []
    return dataclasses.replace(subject, inferred=(*subject.inferred, *inferred))


def _tried(subject: Subject, candidate: Candidate, stated: _Stated) -> Subject:
    """The subject whose reductions, weights and mask are those that a call takes."""
    prediction, target = subject.batch(4)
    plain = answer(subject, prediction, target)
    if stated.reduction is None and subject.host != "boosting":
        option = conventions.reduction(candidate.options.get("reduction", ""))
        reduction: Any = option or _reduction(subject, plain, prediction, target)
        subject = dataclasses.replace(subject, reduction=reduction)

    def accepted(words: Mapping[str, Any]) -> dict[str, Any]:
        return {ours: word for ours, word in words.items() if _takes(subject, prediction, target, reduction=ours)}

    convention, constructor = subject.convention, subject.constructor
    rows = np.array([1.0, 2.0, 0.5, 1.0], np.float32)
    weighs = convention.weight is not None and _takes(subject, prediction, target, plain, weight=rows)
    masks = convention.mask is not None and _takes(subject, prediction, target, plain, mask=rows > 0.5)
    convention = dataclasses.replace(
        convention,
        weight=convention.weight if weighs else None,
        mask=convention.mask if masks else None,
        reductions=accepted(convention.reductions),
    )
    if constructor is not None:
        constructor = dataclasses.replace(constructor, reductions=accepted(constructor.reductions))
    return dataclasses.replace(subject, convention=convention, constructor=constructor)


def _reduction(subject: Subject, plain: Any, prediction: Any, target: Any) -> str:
    """What a plain call does: one loss for each row, or their sum where it is that of the rows' own losses."""
    if plain is not None and plain.ndim:
        return "none" if plain.shape[0] == len(prediction) else "mean"
    if plain is None:
        return "none" if subject.host == "jax" else "mean"
    alone = [answer(subject, p[None], y[None]) for p, y in zip(prediction, target, strict=True)]
    if any(each is None or not np.all(np.isfinite(each)) for each in alone):
        return "mean"
    whole = float(sum(each.sum() for each in alone))
    return "sum" if whole and 0.6 < float(plain) / whole < 1.7 else "mean"


def _takes(subject: Subject, prediction: Any, target: Any, plain: Any = None, **more: Any) -> bool:
    """Whether the loss, and the gradient that it brings, take that argument, which leaves the shape alone."""
    result = answer(subject, prediction, target, **more)
    if result is None or (plain is not None and result.shape != plain.shape):
        return False
    if subject.own_gradient is None:
        return True
    try:
        subject.own_gradient(prediction.copy(), target.copy(), **more)
    except (Exception, SystemExit, GeneratorExit):
        return False
    return True


# ── what it is known as ──────────────────────────────────────────────────────────────────────────────────────────────


def _recognised(subject: Subject, stated: frozenset[str]) -> Subject:
    """The subject with the catalogue's loss that it is, where it is one."""
    if subject.definition is not None or importlib.util.find_spec("lossary.check.inference.recognise") is None:
        return subject
    if "definition" in stated:
        return subject
    try:
        match = importlib.import_module("lossary.check.inference.recognise").recognise(subject)
    except (LossRaised, SystemExit, GeneratorExit):
        return subject
    if match is None or not _is_mean_of_rows(subject, *match):
        return subject
    definition, factor = match
    claims = subject.claimed_properties if "claimed_properties" in stated else combined((factor,), (definition.claims,))
    formula = f"{factor:g} × {definition!r}" if factor != 1.0 else repr(definition)
    subject = dataclasses.replace(subject, inferred=(*subject.inferred, f"the formula of {formula}"))
    return dataclasses.replace(subject, definition=definition, factor=factor, claimed_properties=claims)


def _is_mean_of_rows(subject: Subject, definition: Loss, factor: float) -> bool:
    """Whether it makes of a batch what the catalogue's loss makes of it: the median of the rows' losses is no mean."""
    if subject.reduction == "none" or subject.host == "boosting":
        return subject.host != "boosting"
    prediction, target = subject.batch(4, dtype="float64")
    expected = factor * definition(prediction=prediction, target=target, reduction=subject.reduction)
    result = answer(
        subject, prediction.astype(np.float32), target.astype(np.float32) if target.dtype.kind == "f" else target
    )
    return result is not None and bool(np.allclose(result, expected, rtol=1e-3, atol=1e-5))
