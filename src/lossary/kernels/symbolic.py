"""The operations on symbols: a loss read once, for one entry, becomes the expression that a kernel is made of.

A loss's methods run unchanged, on expressions instead of arrays. Its numbers are `Setting`s: still floats, so that
`if self.label_smoothing` decides while the loss is read, but the expression refers to them by name, so that one
kernel serves every value of a hyper-parameter. Elementary functions are expressions too, in operations that a CPU has.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any, ClassVar, Literal, final

from lossary.ops.ops import Array, Operations

Kind = Literal["number", "truth", "index"]


class UntraceableError(TypeError):
    """A loss that cannot be read once for all entries: it asks for a value, or uses what kernels do not have."""


@final
class Setting(float):
    """A hyper-parameter, or a number made from some: a float that remembers how it came about."""

    __slots__ = ("name",)

    def __new__(cls, value: float, name: str) -> Setting:
        setting = super().__new__(cls, value)
        setting.name = name
        return setting

    name: str


def _between_settings(symbol: str, combine: Callable[[float, float], float], swapped: bool) -> Callable[..., Any]:
    def combined(self: Setting, other: Any) -> Any:
        if not isinstance(other, float | int):
            return NotImplemented
        one, two = (other, self) if swapped else (self, other)
        names = [each.name if isinstance(each, Setting) else repr(float(each)) for each in (one, two)]
        return Setting(combine(float(one), float(two)), f"({names[0]} {symbol} {names[1]})")

    return combined


for _name, _symbol in {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}.items():
    for _prefix in ("", "r"):
        setattr(
            Setting,
            f"__{_prefix}{_name}__",
            _between_settings(_symbol, getattr(operator, _name), swapped=bool(_prefix)),
        )
setattr(Setting, "__neg__", lambda self: Setting(-float(self), f"(-{self.name})"))  # noqa: B010 - as those above


@final
@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Expression:
    """An operation on expressions; equal ones are one object, so that what value and gradient share is done once."""

    words: Scalar = dataclasses.field(repr=False)
    operation: str
    operands: tuple[Expression, ...]
    detail: Any  # a constant's number; the name of an input, setting or table
    kind: Kind
    row: bool  # one for each entry of a row (of a slice, for pointwise losses), or one for the whole row
    level: int  # how many passes over the row must be over before this can be known
    bounds: tuple[float, float]  # between which it is, or NaN

    def __add__(self, other: Any) -> Expression:
        return self.words.combined("add", self, other)

    def __radd__(self, other: Any) -> Expression:
        return self.words.combined("add", other, self)

    def __sub__(self, other: Any) -> Expression:
        return self.words.combined("subtract", self, other)

    def __rsub__(self, other: Any) -> Expression:
        return self.words.combined("subtract", other, self)

    def __mul__(self, other: Any) -> Expression:
        return self.words.combined("multiply", self, other)

    def __rmul__(self, other: Any) -> Expression:
        return self.words.combined("multiply", other, self)

    def __truediv__(self, other: Any) -> Expression:
        return self.words.combined("divide", self, other)

    def __rtruediv__(self, other: Any) -> Expression:
        return self.words.combined("divide", other, self)

    def __neg__(self) -> Expression:
        return self.words.negative(self)

    def __lt__(self, other: Any) -> Expression:
        return self.words.compared("less", self, other)

    def __le__(self, other: Any) -> Expression:
        return self.words.compared("less_equal", self, other)

    def __gt__(self, other: Any) -> Expression:
        return self.words.compared("less", other, self)

    def __ge__(self, other: Any) -> Expression:
        return self.words.compared("less_equal", other, self)

    def __eq__(self, other: object) -> Any:
        return self.words.compared("equal", self, other)

    def __ne__(self, other: object) -> Any:
        return self.words.logical_not(self == other)

    __hash__ = object.__hash__  # expressions that are equal are one object

    def __bool__(self) -> bool:
        raise UntraceableError("the loss asks whether a value is true, instead of xp.where.")


@final
@dataclasses.dataclass(frozen=True)
class Folded:
    """An entry of what has several axes for each loss. Nothing can be done with it before they are one row: to reduce
    an axis alone, more than one entry of each row would have to be seen."""

    entry: Expression


@final
@dataclasses.dataclass(frozen=True)
class Precision:
    """What the elementary functions need to know of a dtype."""

    magic: float  # added and subtracted, it rounds to the nearest whole number
    negligible: float  # beside 1
    lowest: float  # where exp is 0
    highest: float  # where exp is infinite
    smallest: float  # the smallest normal number
    raised: float  # the power of two that makes subnormal numbers normal, and its exponent
    raised_exponent: float
    log_2: tuple[float, float]  # in two parts, the second what rounding the first leaves


PRECISIONS = {
    "float32": Precision(
        1.5 * 2.0**23,
        2.0**-25,
        -105.0,
        89.0,
        2.0**-126,
        2.0**24,
        24.0,
        (0.693147182464599609375, -1.904654299957768e-09),
    ),
    "float64": Precision(
        1.5 * 2.0**52, 2.0**-54, -746.0, 710.0, 2.0**-1022, 2.0**54, 54.0, (math.log(2.0), 2.319046813846299558e-17)
    ),
}


def _bounds(operation: str, bounds: list[tuple[float, float]], detail: Any) -> tuple[float, float]:
    """What a result is between, from what its operands are between (interval arithmetic, without its last digits)."""
    if operation == "constant":
        number = float.fromhex(detail)
        return number, number
    if operation == "negative":
        return -bounds[0][1], -bounds[0][0]
    if operation == "abs":
        low, high = bounds[0]
        return max(0.0, low, -high), max(abs(low), abs(high))
    if operation == "select":
        return min(bounds[1][0], bounds[2][0]), max(bounds[1][1], bounds[2][1])
    if operation == "add":
        low, high = (one + other for one, other in zip(*bounds, strict=True))
    elif operation in ("multiply", "fma"):
        corners = [0.0 if x == 0.0 or y == 0.0 else x * y for x in bounds[0] for y in bounds[1]]
        low, high = min(corners), max(corners)
        if operation == "fma":
            low, high = low + bounds[2][0], high + bounds[2][1]
    else:
        return -math.inf, math.inf
    return -math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high


@final
class Scalar(Operations):
    """Reads one loss for entries of one dtype; `rows` says whether operations that act on the last axis make sense."""

    flushes_subnormals: ClassVar[bool] = False

    def __init__(self, dtype: str, *, rows: bool) -> None:
        self._dtype = dtype
        self._precision = PRECISIONS[dtype]
        self._rows = rows
        self._expressions: dict[Any, Expression] = {}
        self.settings: dict[str, float] = {}
        self.tables: dict[tuple[float, ...], str] = {}

    # ── making expressions ───────────────────────────────────────────────────────────────────────────────────────

    def input(self, name: str, *, kind: Kind = "number", row: bool = True) -> Expression:
        return self._node("input", (), name, kind, row=row)

    def combined(self, operation: str, x: Any, y: Any) -> Expression:
        return self._node(operation, (self._number(x), self._number(y)))

    def compared(self, operation: str, x: Any, y: Any) -> Expression:
        one, two = self._lifted(x), self._lifted(y)
        if "index" in (one.kind, two.kind):
            one, two = self._as_index(one), self._as_index(two)
        elif "truth" in (one.kind, two.kind):
            raise UntraceableError("the loss compares truths.")
        return self._node(operation, (one, two), kind="truth")

    def negative(self, x: Expression) -> Expression:
        x = self._number(x)
        return x.operands[0] if x.operation == "negative" else self._node("negative", (x,))

    def _node(
        self,
        operation: str,
        operands: tuple[Expression, ...],
        detail: Any = None,
        kind: Kind = "number",
        row: bool | None = None,
        passes: int = 0,
    ) -> Expression:
        """The one expression of this kind; `passes` is 1 for what reduces a row."""
        expression = self._expressions.get(key := (operation, tuple(map(id, operands)), detail, kind))
        if expression is None:
            row = any(each.row for each in operands) if row is None else row
            level = max((each.level for each in operands), default=0) + passes
            bounds = _bounds(operation, [each.bounds for each in operands], detail)
            expression = self._expressions[key] = Expression(
                self, operation, operands, detail, kind, row, level, bounds
            )
        return expression

    def _lifted(self, x: Any) -> Expression:
        if isinstance(x, Expression):
            return x
        if isinstance(x, Setting):
            if self.settings.setdefault(x.name, float(x)) != float(x):
                raise UntraceableError(f"{x.name} has two values: something remembers another loss's.")
            return self._node("setting", (), x.name)
        if isinstance(x, float | int):
            return self._node("constant", (), float(x).hex())  # which tells −0 from 0, and NaN is itself
        raise UntraceableError(f"a loss has numbers and expressions, not {type(x).__name__}.")

    def _number(self, x: Any) -> Expression:
        """What can be computed with: truths are for conditions, and indices for rows."""
        lifted = self._lifted(x)
        if lifted.kind != "number":
            raise UntraceableError(f"the loss computes with a {lifted.kind}, instead of xp.where.")
        return lifted

    def _truth(self, x: Any) -> Expression:
        if not isinstance(x, Expression) or x.kind != "truth":
            raise UntraceableError("the loss takes something else than a comparison for a condition.")
        return x

    def _as_index(self, x: Expression) -> Expression:
        return x if x.kind == "index" else self._node("to_index", (x,), kind="index")

    def _fma(self, x: Any, y: Any, z: Any) -> Expression:
        """x · y + z, rounded once."""
        return self._node("fma", tuple(map(self._number, (x, y, z))))

    def _is_known(self, x: Any) -> bool:
        """A number known before the kernel runs; it is not NaN."""
        return not isinstance(x, Expression) or x.operation in ("constant", "setting")

    # ── words that a CPU has ─────────────────────────────────────────────────────────────────────────────────────

    def abs(self, x: Array) -> Array:
        x = self._number(x)
        return self._node("abs", (x.operands[0] if x.operation in ("negative", "abs") else x,))

    def sqrt(self, x: Array) -> Array:
        return self._node("sqrt", (self._number(x),))

    def maximum(self, x: Array, y: Array) -> Array:
        if self._is_known(y):
            return self.where(self.compared("less", x, y), y, x)
        if self._is_known(x):
            return self.where(self.compared("less", y, x), x, y)
        return self.where(self.isnan(x), x, self.where(x > y, x, y))

    def minimum(self, x: Array, y: Array) -> Array:
        if self._is_known(y):
            return self.where(self.compared("less", y, x), y, x)
        if self._is_known(x):
            return self.where(self.compared("less", x, y), x, y)
        return self.where(self.isnan(x), x, self.where(x < y, x, y))

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        if isinstance(condition, bool):
            return self._lifted(x if condition else y)
        condition, one, two = self._truth(condition), self._lifted(x), self._lifted(y)
        if "index" in (one.kind, two.kind):
            one, two = self._as_index(one), self._as_index(two)
        if one.kind != two.kind:
            raise UntraceableError("the loss chooses between a truth and a number.")
        return one if one is two else self._node("select", (condition, one, two), kind=one.kind)

    def equal(self, x: Array, y: Array) -> Array:
        return self.compared("equal", x, y)

    def isnan(self, x: Array) -> Array:
        return self._node("isnan", (self._number(x),), kind="truth")

    def isfinite(self, x: Array) -> Array:
        return self.abs(x) < math.inf

    def logical_and(self, x: Array, y: Array) -> Array:
        return self._node("and", (self._truth(x), self._truth(y)), kind="truth")

    def logical_or(self, x: Array, y: Array) -> Array:
        return self._node("or", (self._truth(x), self._truth(y)), kind="truth")

    def logical_not(self, x: Array) -> Array:
        return self._node("not", (self._truth(x),), kind="truth")

    # ── elementary functions ─────────────────────────────────────────────────────────────────────────────────────

    def erf(self, x: Array) -> Array:
        return self._erf_from_exp(self._lifted(x))

    def exp(self, x: Array) -> Array:
        x = self._lifted(x)
        beyond_1, power = self._exponential(x)
        if x.bounds[1] > 0.0:
            return self._bounded(self._scaled(1.0 + beyond_1, power), 0.0, math.inf)
        scale = self._scaled(self._lifted(1.0), power)
        return self._bounded(self._fma(scale, beyond_1, scale), 0.0, 1.0)

    def expm1(self, x: Array) -> Array:
        x = self._lifted(x)
        beyond_1, power = self._exponential(x)
        if x.bounds[1] > 0.0:
            # 2ⁿ (1 + b) − 1 by half of it, for 2ⁿ may be more than a number can hold.
            half = self._scaled(beyond_1, power - 1.0) + (self._scaled(self._lifted(1.0), power - 1.0) - 0.5)
            return self.where(self.equal(power, 0.0), beyond_1, half + half)
        scale = self._scaled(self._lifted(1.0), power)
        return self._bounded(self._fma(scale, beyond_1, scale - 1.0), -1.0, 0.0)

    def log(self, x: Array) -> Array:
        x = self._lifted(x)
        normal, lift = self._raised(x)
        exponent = self._node("exponent", (normal,)) - lift
        near = self._logarithm(self._node("fraction", (normal,)) - 1.0, exponent)
        return self._at_the_ends(x, self.where(self.isnan(x), x, near), 0.0)

    def log1p(self, x: Array) -> Array:
        x = self._lifted(x)
        raised = 1.0 + x
        back = raised - 1.0
        small = x.bounds[0] >= -1.0 and x.bounds[1] <= 1.0
        lost = x - back if small else (1.0 - (raised - back)) + (x - back)
        exponent = self._node("exponent", (raised,))
        # What rounding 1 + x has lost goes into the fraction; where the exponent is 0 that makes x of it again.
        lowered = self._scaled(lost, -exponent)
        near = self._logarithm((self._node("fraction", (raised,)) - 1.0) + lowered, exponent)
        return self._at_the_ends(x, near, -1.0)

    def _power(self, x: Array, exponent: float) -> Array:
        # exp(exponent · log x), in which every number has a second one, of what rounding the first has lost: the
        # exponential magnifies that.
        x = self._lifted(x)
        log, log_rest = self._logarithm_in_parts(x)
        times = self._lifted(exponent)
        product = times * log
        rest = self._fma(times, log, -product) + times * log_rest
        rest = self.where(self.abs(product) < -self._precision.lowest, rest, 0.0)  # beyond, the exponential has an end
        beyond_1, whole = self._exponential(product)
        near = self._scaled(1.0 + self._fma(beyond_1, rest, beyond_1 + rest), whole)
        at_0, at_infinity = (math.inf, 0.0) if exponent < 0.0 else (0.0, math.inf)
        outside = self.where(self.equal(x, 0.0), at_0, math.nan)
        return self.where(x > 0.0, self.where(x < math.inf, near, at_infinity), outside)

    def remainder(self, x: Array, divisor: float) -> Array:
        return self._nearest(self._node("remainder", (self._lifted(x), self._lifted(divisor))), divisor)

    def tanh(self, x: Array) -> Array:
        beyond = self.expm1(-2.0 * self.abs(x))
        size = -beyond / (2.0 + beyond)
        return self.where(self._lifted(x) < 0.0, -size, size)

    def _exp_towards_0(self, x: Array) -> Array:
        # Nothing is differentiated here, so that softplus(x), softplus(−x) and the sigmoids can share one exponential.
        return self.exp(-self.abs(x))

    def _share(self, part: Array, total: Array) -> Array:
        # By the reciprocal, which the shares of one total have in common, and a step that makes up for its rounding.
        reciprocal = 1.0 / self._lifted(total)
        share = part * reciprocal
        return self._fma(self._fma(-share, total, part), reciprocal, share)

    def _exponential(self, x: Expression) -> tuple[Expression, Expression]:
        """(b, n) with exp(x) = (1 + b) · 2ⁿ."""
        precision = self._precision
        inside = self.maximum(x, precision.lowest)
        if x.bounds[1] > precision.highest:
            inside = self.minimum(inside, precision.highest)
        power = self._fma(inside, 1.0 / math.log(2.0), precision.magic) - precision.magic
        r = self._fma(power, -precision.log_2[1], self._fma(power, -precision.log_2[0], inside))
        series = self._series(r, [1.0 / math.factorial(k) for k in range(2, 20)], 0.5 * math.log(2.0))
        return self._fma(r * r, series, r), power

    def _scaled(self, x: Any, power: Expression) -> Expression:
        """x · 2ⁿ, rounded once."""
        return self._node("scale", (self._lifted(x), power))

    def _logarithm(self, f: Any, exponent: Any) -> Expression:
        """log(1 + f) + exponent · log 2."""
        s = f / (2.0 + f)
        square, half = s * s, 0.5 * f * f
        series = self._series(square, [2.0 / (2 * k + 1) for k in range(1, 16)], 0.0295)
        log_2, rest = self._precision.log_2
        tail = self._fma(s, self._fma(square, series, half), exponent * rest)
        return self._fma(exponent, log_2, f - (half - tail))

    def _logarithm_in_parts(self, x: Expression) -> tuple[Expression, Expression]:
        """log x for finite numbers above 0, and what rounding it has lost."""
        normal, lift = self._raised(x)
        exponent = self._node("exponent", (normal,)) - lift
        f = self._node("fraction", (normal,)) - 1.0
        # log(1 + f) is 2 s + s³ (2/3 + 2/5 s² + …) with s = f / (2 + f), of which the division has lost something.
        total = 2.0 + f
        s = f / total
        lost = (self._fma(-s, total, f) - s * (f - (total - 2.0))) / total
        square = s * s
        series = self._series(square, [2.0 / (2 * k + 1) for k in range(1, 16)], 0.0295)
        tail = self._fma(s * square, series, lost + lost)
        log_2, rest = self._precision.log_2
        whole = exponent * log_2
        far = whole + (s + s)
        low = (whole - far) + (s + s)
        low = low + (self._fma(exponent, log_2, -whole) + (exponent * rest + tail))
        near = far + low
        return near, (far - near) + low

    def _relative_entropy(self, x: Array, y: Array, half_surprisal: Array | None = None) -> tuple[Array, Array, Array]:
        # The logarithm of a quotient and what it exceeds by the same series.
        x, y = self._lifted(x), self._lifted(y)
        apart = self.logical_not(self._precision.smallest <= y)
        if half_surprisal is None:
            (a, lift_of_x), (b, lift_of_y) = self._raised(x), self._raised(y)
            power, s = self._quotient(a, b)
            power = power + (lift_of_y - lift_of_x)
            near = self.logical_and(self.equal(power, 0.0), x > 0.0)
        else:
            # A subnormal share of what is true counts for nothing beside the normal ones; one that is predicted does.
            power, s = self._quotient(x, self.where(apart, 1.0, y))
            near = self.logical_and(self.equal(power, 0.0), self.logical_not(apart))
        square = s * s
        odd = s * self._series(square, [1.0 / k for k in range(3, 33, 2)], 0.04)
        log_2, rest = (0.5 * each for each in self._precision.log_2)
        half = self._fma(power, log_2, self._fma(power, rest, self._fma(square, odd, s)))
        far = (x + x) * half
        if half_surprisal is None:
            far = self.where(self.logical_and(x > 0.0, self.equal(y, 0.0)), math.inf, far)
            far = self.where(self.equal(x, 0.0), 0.0 * y, far)
            far = self.where(self.logical_or(x < 0.0, y < 0.0), math.nan, far)
        else:
            far = self.where(self.logical_and(apart, x > 0.0), self._fma(x + x, half_surprisal, far), far)
            far = self.where(x < 0.0, math.nan, far)
        return near, (x - y) * s * self._fma(odd, 1.0 + s, 1.0), far

    def _quotient(self, x: Expression, y: Any) -> tuple[Expression, Expression]:
        """(k, (m − 1) / (m + 1)) with x / y = m · 2ᵏ and m between ⅔ and 3/2."""
        power = self._node("exponent_between", (x, self._lifted(y)))
        scaled = self._scaled(y, power)
        return power, (x - scaled) / (x + scaled)

    def _raised(self, x: Expression) -> tuple[Expression, Expression]:
        """(x · 2ᵏ, k), the former a normal number."""
        precision = self._precision
        small = x < precision.smallest
        return self.where(small, x * precision.raised, x), self.where(small, precision.raised_exponent, 0.0)

    def _bounded(self, x: Expression, low: float, high: float) -> Expression:
        """The same, with bounds that are known better."""
        if x.bounds != (low, high):
            object.__setattr__(x, "bounds", (low, high))
        return x

    def _at_the_ends(self, x: Expression, near: Expression, pole: float) -> Expression:
        if pole < x.bounds[0] and x.bounds[1] < math.inf:
            return near
        inside = self.where(x < math.inf, near, x)  # where x is infinite, so is its logarithm
        outside = self.where(self.equal(x, pole), -math.inf, math.nan)
        return self._node("select", (x > pole, inside, outside))

    def _series(self, x: Expression, coefficients: list[float], size: float = 1.0) -> Expression:
        # As many terms as the dtype can tell, in pairs (Estrin), so that none waits long for another.
        least = self._precision.negligible * abs(coefficients[0])
        terms: list[Any] = [each for k, each in enumerate(coefficients) if abs(each) * size**k > least]
        while len(terms) > 1:
            pairs = [self._fma(x, two, one) for one, two in itertools.pairwise(terms)][::2]
            terms = pairs + terms[len(terms) - len(terms) % 2 :]
            x = x * x
        return self._lifted(terms[0])

    # ── operations that act on a row ──────────────────────────────────────────────────────────────────────────────────

    def sum(self, x: Array) -> Array:
        return self._reduced("sum", x)

    def sum_with_rest(self, x: Array) -> tuple[Array, Array]:
        return self.sum(x), self._reduced("rest", x)

    def max(self, x: Array) -> Array:
        return self._reduced("max", x)

    def _largest(self, x: Array, index: Array) -> Array:
        return self.max(x)  # nothing is differentiated here

    def argmax(self, x: Array) -> Array:
        return self._reduced("argmax", x, kind="index")

    def take(self, x: Array, index: Array) -> Array:
        self._check_rows()
        return self._node("take", (x, index), kind=x.kind, row=False, passes=1)

    def is_class(self, index: Array, like: Array) -> Array:
        self._check_rows()
        return self._node("is_class", (index,), kind="truth", row=True)

    def is_below(self, index: Array, like: Array) -> Array:
        self._check_rows()
        return self._node("is_below", (index,), kind="truth", row=True)

    def positions(self, like: Array) -> Array:
        raise UntraceableError("positions are more than one entry at a time.")

    def argsort(self, x: Array) -> Array:
        raise UntraceableError("an order is of more than one entry at a time.")

    def gather(self, x: Array, index: Array) -> Array:
        raise UntraceableError("entries that change places are more than one at a time.")

    def shift(self, x: Array, steps: int, fill: float) -> Array:
        raise UntraceableError("entries that change places are more than one at a time.")

    def cumulative_sum(self, x: Array) -> Array:
        raise UntraceableError("what came before is more than one entry at a time.")

    def cumulative_max(self, x: Array) -> Array:
        raise UntraceableError("what came before is more than one entry at a time.")

    def run_sum(self, x: Array, starts: Array) -> Array:
        raise UntraceableError("a run is of more than one entry at a time.")

    def discounted_sum(self, x: Array, level: Array, *, backwards: bool = False) -> Array:
        raise UntraceableError("what came before is more than one entry at a time.")

    def stop_gradient(self, x: Array) -> Array:
        return x  # nothing is differentiated here

    def row(self, x: Array) -> Array:
        return x

    def flatten(self, x: Array, axes: int, rest: int = 0) -> Array:
        if isinstance(x, Folded) and not rest:
            return x.entry
        if axes == 1:
            return x
        raise UntraceableError("a kernel makes a row of what came in alone, and of the whole of it.")

    def reshape_like(self, x: Array, like: Array) -> Array:
        return x

    def columns(self, x: Array, count: int) -> list[Array]:
        return [self.sum(self.where(self._is_column(k, count, x), x, 0.0)) for k in range(count)]

    def stack(self, *columns: Array) -> Array:
        row = columns[-1]
        for k, column in enumerate(columns[:-1]):
            row = self.where(self._is_column(k, len(columns), column), column, row)
        return row

    def _is_column(self, place: int, count: int, like: Array) -> Array:
        """Where the last axis' position is this one of so many."""
        return self.table([float(k == place) for k in range(count)], like) > 0.5

    def matmul(self, x: Array, y: Array) -> Array:
        raise UntraceableError("a matrix product is more than one entry at a time.")

    def transpose(self, x: Array) -> Array:
        raise UntraceableError("a transposed matrix is more than one entry at a time.")

    def classes(self, x: Array) -> Array:
        self._check_rows()
        return self._node("classes", ())

    def table(self, entries: Any, like: Array) -> Array:
        self._check_rows()
        name = self.tables.setdefault(tuple(map(float, entries)), f"table {len(self.tables)}")
        return self._node("input", (), name, row=True)

    def lookup(self, table: Array, index: Array) -> Array:
        return self.take(table, index)

    def dtype(self, x: Array) -> str:
        return "int64" if x.kind == "index" else self._dtype

    def cast(self, x: Array, dtype: str) -> Array:
        return self._as_index(x) if dtype == "int64" else x

    def _reduced(self, operation: str, x: Array, kind: Kind = "number") -> Expression:
        self._check_rows()
        return self._node(operation, (self._lifted(x),), kind=kind, row=False, passes=1)

    def _check_rows(self) -> None:
        if not self._rows:
            raise UntraceableError("a pointwise loss that looks at a whole row has no kernel.")
