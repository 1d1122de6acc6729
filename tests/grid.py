"""The cases: every loss of the catalogue at every setting it gives as an example, in every framework and dtype.

A new loss, or a new example of a hyper-parameter, is tried by every law without a new test.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, final

import numpy as np
import pytest

from lossary import catalogue
from lossary.define.domains.domain import Domain
from lossary.define.domains.rows import Columns, Quantiles
from lossary.define.loss import Loss
from lossary.define.parameters import parameters_of
from lossary.ops.numpy import ops as NUMPY

SEED = 20260711
FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")
QUICK = ("numpy", "torch")  # XLA and TensorFlow compile every operation for every shape
DTYPES = ("float32", "float64")
HALVES = ("float16", "bfloat16")
CLASSES = 4  # as many as tables of class weights have in their examples
PIXELS = (3, 2)  # of axes before the last, no two of one size
ROWS = 10
HALF = 5  # two sizes of batch are enough for every law, and JAX compiles anew for each

Law = TypeVar("Law", bound=Callable[..., None])
Option = TypeVar("Option")
Axes = dict[str, tuple[Any, ...]]


def settings_of(cls: Any) -> Iterator[dict[str, Any]]:
    """The default and each example, at every combination of the flags."""
    known = parameters_of(cls)
    flags = [name for name in known if known[name].is_flag]
    numbers = [{}, *({name: example} for name in known if name not in flags for example in known[name].examples)]
    for chosen in itertools.product((False, True), repeat=len(flags)):
        flipped = {name: not known[name].default for name, flip in zip(flags, chosen, strict=True) if flip}
        for number in numbers:
            yield flipped | number


def has_table(loss: Loss) -> bool:
    """Whether each class or label has a setting of its own."""
    return any(isinstance(getattr(loss, name), tuple) and getattr(loss, name) for name in loss.tables)


def has_pairs(loss: Loss) -> bool:
    """Whether it takes a prediction and a target, and each entry or row has a loss of its own: those are tried one by
    one. The others are tried by whole batches, in tests/losses/test_batches.py."""
    return loss.paired and loss.separable and type(loss)().prediction.axes < 2


# Every loss at every setting, and those of them that are tried one by one, and by whole batches; then at the defaults.
EVERY = tuple(cls(**settings) for cls in catalogue.classes() for settings in settings_of(cls))
PAIRS = tuple(loss for loss in EVERY if has_pairs(loss))
SHAPED = tuple(loss for loss in EVERY if not has_pairs(loss))
EACH = tuple(cls() for cls in catalogue.classes())
DEFAULTS = tuple(loss for loss in PAIRS if loss in EACH)


def losses(
    of: tuple[Loss, ...] = PAIRS,
    only: Callable[[Loss], bool] = lambda loss: True,
    alike: bool = False,
    **axes: tuple[Any, ...],
) -> Callable[[Law], Law]:
    """A test for each loss, whatever the framework, at one point of the further axes: see `cases`. Of those that are
    `alike`, all but one are thorough."""
    return _sampled([loss for loss in of if only(loss)], {}, axes, lambda loss: True, alike, alike)


def cases(
    frameworks: tuple[str, ...] = FRAMEWORKS,
    dtypes: tuple[str, ...] = DTYPES,
    of: tuple[Loss, ...] = PAIRS,
    only: Callable[[Loss], bool] = lambda loss: True,
    settings: Callable[[Loss], bool] = lambda loss: True,
    alike: bool = False,
    compiled: bool = False,
    **axes: tuple[Any, ...],
) -> Callable[[Law], Law]:
    """A test for each loss × framework × dtype × further axes: a sample of them; the others are thorough.

    At its defaults a loss is tried in every framework, at the first point of all other axes, and once more at another.
    At each of its other settings (that are among `settings`) it is tried once: in which framework and dtype there,
    depends on names alone.

    A law of the engine or of an adapter asks of a loss how it takes its inputs, and never its formula: with `alike`,
    one of the losses that take them alike is tried in the quick frameworks and in one that compiles, other losses in
    another of these; and where none takes them so at its defaults, one in one framework.
    Which one, depends on the law's name. What is `compiled` takes long, and each word is compiled everywhere by the
    tests of the words: a loss is tried by one compiler, and one of those that take their inputs alike by all.
    """
    of_each = [loss for loss in of if only(loss)]
    return _sampled(of_each, {"framework": frameworks}, {"dtype": dtypes, **axes}, settings, alike, alike or compiled)


def one_of_each(of: Sequence[Loss], *names: Any) -> tuple[Loss, ...]:
    """Of the losses that take their inputs alike, one, which the names choose: at its defaults, if any does there."""
    kinds: dict[Any, list[Loss]] = {}
    for loss in sorted(of, key=lambda loss: loss not in EACH):
        kind = kinds.setdefault(_inputs_of(loss), [])
        if not kind or loss in EACH:
            kind.append(loss)
    return tuple(chosen(kind, *names) for kind in kinds.values())


def covering(of: Sequence[Loss]) -> tuple[Loss, ...]:
    """So many of these losses that together they use every word, and take their inputs in every way."""
    seen: set[Any] = set()
    kept = []
    for loss in of:
        if new := {*words_of(loss), _inputs_of(loss)} - seen:
            seen |= new
            kept.append(loss)
    return tuple(kept)


def words_of(loss: Loss) -> set[str]:
    """The operations that its value and its gradient are written in."""
    heard: set[str] = set()

    @final
    class Listening:
        def __getattr__(self, name: str) -> Any:
            heard.add(name)
            return getattr(NUMPY, name)

    arrays = ordinary(loss, generator("words"))
    with np.errstate(all="ignore"):
        for name in ("value", "gradient") if loss.trainable else ("value",):
            getattr(loss, name)(Listening(), *arrays.values())
    return heard


def _inputs_of(loss: Loss) -> Any:
    """All that the engine and the adapters ask of a loss: what it takes, what of that is learned, how it is called."""
    kinds = loss.pooled, loss.trainable, loss.has_gradient, bool(loss.tables), has_table(loss)
    return tuple(map(_without_names, loss.domains.values())), len(loss.learned), kinds


def _without_names(domain: Domain) -> Any:
    """What columns and quantiles are called is for errors and pages alone."""
    match domain:
        case Columns():
            return tuple(column for _, column in domain.columns)
        case Quantiles():
            return Quantiles
        case _:
            return domain


def _sampled(
    of: list[Loss], everywhere: Axes, elsewhere: Axes, settings: Callable[[Loss], bool], alike: bool, compiled: bool
) -> Callable[[Law], Law]:
    points = list(itertools.product(*everywhere.values(), *elsewhere.values()))
    first = tuple(values[0] for values in elsewhere.values())
    first_points = {point for point in points if point[len(everywhere) :] == first}

    def decorate(law: Law) -> Law:
        params = []
        standing = one_of_each(of, law.__name__)
        throughout = {loss for loss in (standing if compiled else of) if loss in EACH}
        once = {*standing} if alike else {loss for loss in of if loss in EACH or settings(loss)}
        for loss in of:
            tried = first_points if loss in throughout else set()
            others = [point for point in points if point not in tried]
            slow = [point for point in tried if alike and not {*QUICK}.intersection(point)]
            if slow:
                tried = tried.difference(slow) | {chosen(slow, law.__name__, loss)}
            if others and loss in once:
                tried = tried | {chosen(others, law.__name__, loss)}
            for point in points:
                marks = () if point in tried else pytest.mark.thorough
                params.append(pytest.param(loss, *point, id=_named(loss, *point), marks=marks))
        indirect = [name for name in (*everywhere, *elsewhere) if name == "framework"]
        return pytest.mark.parametrize(("loss", *everywhere, *elsewhere), params, indirect=indirect)(law)

    return decorate


def chosen(options: Sequence[Option], *names: Any) -> Option:
    """One of them, which depends on names alone: the same in every run and process."""
    return min(options, key=lambda each: zlib.crc32(_named(*names, each).encode()))


def _named(*words: Any) -> str:
    return "-".join(map(str, words))


def generator(name: str) -> Any:
    """Random numbers that depend on the test's name alone."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


def points(loss: Loss, random: Any, rows: int = ROWS) -> dict[str, Any]:
    """A batch of each input by its name, float64 or integers: everything legal, edges and magnitudes included."""
    of_each = zip(loss.domains.items(), shapes_of(loss, rows), strict=True)
    return _tied(loss, {name: domain.sample(random, shape) for (name, domain), shape in of_each})


def ordinary(loss: Loss, random: Any, rows: int = ROWS) -> dict[str, Any]:
    """As `points`, well inside the domains and of ordinary size: every answer is finite, no kink is near."""
    of_each = zip(loss.domains.items(), shapes_of(loss, rows), strict=True)
    return _tied(loss, {name: domain.ordinary(random, shape) for (name, domain), shape in of_each})


def _tied(loss: Loss, inputs: dict[str, Any]) -> dict[str, Any]:
    """Of a whole batch, what is given beside the learned inputs is the same for some neighbours, as times are."""
    for name in inputs.keys() - set(loss.learned) if loss.pooled else ():
        inputs[name][1::3] = inputs[name][: 3 * len(inputs[name][1::3]) : 3]
    return inputs


def shapes_of(loss: Loss, rows: int = ROWS) -> list[tuple[int, ...]]:
    """What `Domain.sample` is asked for, for each input: the rows that it has, or of which each has one number."""
    first = loss.prediction
    shape = (rows, *PIXELS[: max(first.axes - 1, 0)], first.size or CLASSES)
    return [shape, *(domain.shape_beside(first, shape) for domain in list(loss.domains.values())[1:])]


def of_losses(loss: Loss, rows: int = ROWS) -> tuple[int, ...]:
    """The shape of the unreduced losses."""
    shape = shapes_of(loss, rows)[0]
    return shape[: len(shape) - loss.prediction.axes]
