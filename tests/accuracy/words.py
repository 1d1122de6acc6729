"""How far each word is from the exact function, in each framework, eager and compiled."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, final

import mpmath
import numpy as np

from lossary.check.backends import backend
from lossary.check.instruments.accuracy import Exact, distance
from lossary.define.domains.numbers import Real
from lossary.define.loss import Pointwise
from lossary.define.parameters import parameter
from lossary.kernels.kernel import Kernel
from lossary.kernels.program import Variant
from tests.accuracy.measure import Errors, compiled_function, errors
from tests.grid import generator

COUNT = 20_000

_mp: Any = mpmath.MPContext()
_mp.dps = 45


@final
@dataclasses.dataclass(frozen=True)
class Word:
    """An elementary function, and from where to where it is defined."""

    exactly: Callable[[Any], Any]
    lowest: float = -np.inf
    highest: float = np.inf


def _log1p_bend(x: Any) -> Any:
    with _mp.workdps(160):
        return 2 * (x - _mp.log(1 + x)) / (x * x) if x > 1e-50 else 1 - 2 * x / 3


def _expm1_bend(x: Any) -> Any:
    with _mp.workdps(160):
        return 2 * (_mp.exp(x) - 1 - x) / (x * x) if abs(x) > 1e-50 else 1 + x / 3


def _remainder(x: Any, by: float) -> Any:
    with _mp.workdps(360):
        return x - by * _mp.ceil(x / by - 0.5)


def _sinpi(x: Any) -> Any:
    with _mp.workdps(360):
        return _mp.sinpi(x)


WORDS = {
    "erf": Word(_mp.erf),
    "exp": Word(_mp.exp),
    "expm1": Word(_mp.expm1),
    "log": Word(_mp.log, lowest=0.0),
    "log1p": Word(lambda x: _mp.log1p(x) if abs(x) < 1 else _mp.log(1 + x), lowest=-1.0),
    "sqrt": Word(_mp.sqrt, lowest=0.0),
    "power 1.5": Word(lambda x: _mp.power(x, 1.5), lowest=0.0),
    "power -0.75": Word(lambda x: _mp.power(x, -0.75) if x else _mp.inf, lowest=0.0),
    "log1p_bend": Word(_log1p_bend, lowest=0.0),
    **{f"remainder {by:g}": Word(functools.partial(_remainder, by=by)) for by in (1.0, 24.0, 0.0625)},
    "sinpi": Word(_sinpi),
    "versinpi": Word(lambda x: 2 * _sinpi(x / 2) ** 2),
    "expm1_bend": Word(_expm1_bend, lowest=-2.0, highest=2.0),
    "tanh": Word(_mp.tanh),
    "softplus": Word(lambda x: x + _mp.log1p(_mp.exp(-x)) if x > 0 else _mp.log1p(_mp.exp(x))),
    "sigmoid": Word(lambda x: 1 / (1 + _mp.exp(-x))),
    "log_cosh": Word(lambda x: _mp.log1p(2 * _mp.sinh(x / 2) ** 2) if abs(x) < 100 else abs(x) - _mp.log(2)),
}
_AROUND = ("remainder", "sinpi", "versinpi")  # which are nowhere at infinity
_SPECIALS = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan)


def say(xp: Any, word: str, x: Any) -> Any:
    """The word of x, and of the number beside its name."""
    name, *numbers = word.split()
    return getattr(xp, name)(x, *map(float, numbers))


@functools.cache
def points(word: str, dtype: str, count: int = COUNT) -> tuple[Any, Exact]:
    """Arguments spread over the exponent range, a third of them where the function bends, and the exact answers."""
    random = generator(f"{word} {dtype}")
    limits = np.finfo(dtype)
    everywhere = random.uniform(np.log10(limits.tiny) + 0.1, np.log10(limits.max) - 0.1, size=count - count // 3)
    bends = random.uniform(-3, 2.5 if dtype == "float32" else 3, size=count // 3)
    x = 10.0 ** np.concatenate([everywhere, bends]) * random.choice([-1.0, 1.0], size=count)
    if word == "log":
        x[::3] = 1 + x[::3] / (1 + np.abs(x[::3])) * 10.0 ** random.uniform(-6, 0, size=len(x[::3]))
    bounds = WORDS[word]
    x = np.where((x < bounds.lowest) & (x < 0), -x if bounds.lowest == 0 else np.maximum(1 / x, -1), x)
    x = np.where(x > bounds.highest, 1 / x, x)
    specials = [each for each in _SPECIALS if not (each < bounds.lowest or each > bounds.highest)]
    x = np.concatenate([x, specials]).astype(dtype)
    return x, Exact.of(np.array([_exactly(word, each) for each in x.astype(np.float64).tolist()], dtype=object))


def _exactly(word: str, x: float) -> Any:
    if word in ("log", "log1p") and x == WORDS[word].lowest:
        return -_mp.inf
    if word == "log_cosh":
        x = abs(x)
    if np.isinf(x):
        at_both = {"erf": _mp.erf, "exp": _mp.exp, "sigmoid": lambda x: _mp.mpf(x > 0), "tanh": _mp.tanh}
        at_both |= dict.fromkeys(("power -0.75", "log1p_bend"), lambda x: _mp.mpf(0))
        at_both |= dict.fromkeys((each for each in WORDS if each.startswith(_AROUND)), lambda x: _mp.nan)
        return at_both.get(word, _at_infinity(word))(x)
    return WORDS[word].exactly(_mp.mpf(x))


def _at_infinity(word: str) -> Callable[[float], Any]:
    below = {"softplus": 0.0, "expm1": -1.0}.get(word, np.nan)
    return lambda x: _mp.mpf(x if x > 0 else below)


@final
class Spoken(Pointwise):
    """One word, as a loss: what a kernel can be made of."""

    task = "regression"
    trainable = False
    word: str = parameter("exp", choices=tuple(WORDS), doc="which")
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return say(xp, self.word, p)


def by_kernel(word: str, x: Any) -> Any:
    """The word by the machine code of a kernel."""
    values = np.empty_like(x)
    addresses = {"prediction": x.ctypes.data, "target": x.ctypes.data, "values": values.ctypes.data}
    Kernel(Spoken(word=word), Variant(x.dtype.name, ("values",)))(addresses, 1, x.size)
    return values


def measure(framework: str, dtype: str, *, compiled: bool, count: int = COUNT) -> dict[str, Errors]:
    """The errors of every word."""
    if framework == "kernels":
        return _judged([by_kernel(word, points(word, dtype, count)[0]) for word in WORDS], dtype, count)
    adapter = backend(framework)
    xp = adapter.ops
    with adapter.precision(dtype):
        arguments = [adapter.array(points(word, dtype, count)[0]) for word in WORDS]

        def every(*arrays: Any) -> list[Any]:
            return [say(xp, word, array) for word, array in zip(WORDS, arrays, strict=True)]

        with np.errstate(all="ignore"):
            got = (compiled_function(framework, every) if compiled else every)(*arguments)
    return _judged([adapter.numpy(each) for each in got], dtype, count)


def _judged(got: list[Any], dtype: str, count: int) -> dict[str, Errors]:
    found = {}
    for word, mine in zip(WORDS, got, strict=True):
        x, exact = points(word, dtype, count)
        subnormal = (x != 0) & (np.abs(x) < np.finfo(dtype).tiny)
        off = distance(mine, exact, exact, np.abs(exact.near), dtype, np.isnan(x), subnormal)
        found[word] = errors(off, mine, exact.near, lambda place, x=x: repr(x[place[0]]))
    return found
