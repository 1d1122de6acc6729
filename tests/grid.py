"""The cases: every loss of the catalogue at every setting it gives as an example, in every framework and dtype.

A new loss, or a new example of a hyper-parameter, is tried by every law without a new test.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lossary import catalogue
from lossary.define.domain import ClassIndex, Columns, Labels, Logits, Positive, Probability, Real, Score, Simplex
from lossary.define.loss import Loss
from lossary.define.parameters import parameters_of

SEED = 20260711
FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")
DTYPES = ("float32", "float64")
HALVES = ("float16", "bfloat16")
CLASSES = 4  # as many as tables of class weights have in their examples
ROWS = 10
HALF = 5  # two sizes of batch are enough for every law, and JAX compiles anew for each


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


ALL = tuple(cls(**settings) for cls in catalogue.classes() for settings in settings_of(cls))
DEFAULTS = tuple(cls() for cls in catalogue.classes())


def losses(of: tuple[Loss, ...] = ALL, only: Callable[[Loss], bool] = lambda loss: True) -> pytest.MarkDecorator:
    """A test for each loss, whatever the framework."""
    return pytest.mark.parametrize("loss", [pytest.param(loss, id=repr(loss)) for loss in of if only(loss)])


def cases(
    frameworks: tuple[str, ...] = FRAMEWORKS,
    dtypes: tuple[str, ...] = DTYPES,
    of: tuple[Loss, ...] = ALL,
    only: Callable[[Loss], bool] = lambda loss: True,
    thorough: Callable[[Loss, str, str], bool] = lambda loss, name, dtype: _is_slow(name) and _is_odd(loss, dtype),
) -> pytest.MarkDecorator:
    """A test for each loss × framework × dtype, of which some may be thorough."""
    return pytest.mark.parametrize(
        ("loss", "framework", "dtype"),
        [
            pytest.param(
                loss,
                name,
                dtype,
                id=f"{loss!r}-{name}-{dtype}",
                marks=pytest.mark.thorough if thorough(loss, name, dtype) else (),
            )
            for loss in of
            if only(loss)
            for name in frameworks
            for dtype in dtypes
        ],
        indirect=["framework"],
    )


def _is_slow(name: str) -> bool:
    """TensorFlow and JAX take long to start a sentence."""
    return name in ("tensorflow", "jax")


def _is_odd(loss: Loss, dtype: str) -> bool:
    """What is written once for all losses is tried in one dtype, and at other settings where tables weigh classes."""
    return dtype == "float64" or (loss not in DEFAULTS and not has_table(loss))


def every(loss: Loss, name: str, dtype: str) -> bool:
    """For `thorough`: what each loss writes itself is tried at every setting, in one dtype in the slow frameworks."""
    return _is_slow(name) and dtype == "float64" and loss not in DEFAULTS


def never(loss: Loss, name: str, dtype: str) -> bool:
    """For `thorough`: nothing is."""
    return False


def always(loss: Loss, name: str, dtype: str) -> bool:
    """For `thorough`: all is."""
    return True


def generator(name: str) -> Any:
    """Random numbers that depend on the test's name alone."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


def points(loss: Loss, random: Any, rows: int = ROWS) -> tuple[Any, Any]:
    """Predictions and targets, float64 or integers: everything legal, edges and magnitudes included."""
    (prediction, target), shapes = loss.domains.values(), shapes_of(loss, rows)
    return prediction.sample(random, shapes[0]), target.sample(random, shapes[1])


def ordinary(loss: Loss, random: Any, rows: int = ROWS) -> tuple[Any, Any]:
    """Predictions and targets well inside the domain and of ordinary size: every answer is finite, no kink is near."""
    (prediction, target), shapes = loss.domains.values(), shapes_of(loss, rows)
    return _inside(prediction, random, shapes[0]), _inside(target, random, shapes[1])


def shapes_of(loss: Loss, rows: int = ROWS) -> list[tuple[int, ...]]:
    """What `Domain.sample` is asked for: the rows that prediction and target are, or are one for each of."""
    lead, wide = (rows,), (rows, loss.prediction.size or CLASSES)
    single = loss.prediction.rows and not loss.target.rows and not loss.target.indices  # one number beside each row
    return [wide, lead if single else wide]


def _inside(domain: Any, random: Any, shape: tuple[int, ...]) -> Any:
    match domain:
        case Real() | Score() | Logits():
            return random.normal(scale=2.0, size=shape)
        case Probability():
            return random.uniform(0.05, 0.95, size=shape)
        case Simplex():
            rows = 0.9 * random.dirichlet(np.ones(shape[-1]), size=shape[:-1]) + 0.1 / shape[-1]
            return np.log(rows) if domain.logarithms else rows
        case Positive():
            return random.uniform(0.5, 3.0, size=shape)
        case Columns():
            return np.stack([_inside(each, random, shape[:-1]) for _, each in domain.columns], axis=-1)
        case Labels() | ClassIndex() | _:
            return domain.sample(random, shape)


def of_losses(loss: Loss, rows: int = ROWS) -> tuple[int, ...]:
    """The shape of the unreduced losses."""
    return (rows,) if loss.prediction.rows else (rows, CLASSES)
