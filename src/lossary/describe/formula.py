"""The formula prints itself: the same words build an expression, which reads as LaTeX and as plain text.

Formulas are about finite numbers: `isfinite` always holds here and `isnan` never, so that what a stable form does for
the sake of infinity and NaN disappears.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar, final

from lossary.define.loss import Loss
from lossary.define.notation import Notation
from lossary.define.parameters import parameters_of
from lossary.ops.ops import Array, Operations

_LATEX = {
    "ŷ": r"\hat{y}", "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon",
    "θ": r"\theta", "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma",
    "τ": r"\tau", "≤": r"\le", "≥": r"\ge", "≠": r"\ne",
}  # fmt: skip
_TEX = {"cos", "log", "max", "min", "sin", "tanh"}  # functions that TeX has names for
_SUBSCRIPTS = {"i": "ᵢ", "j": "ⱼ", "k": "ₖ"}
_OPPOSITE = {"<": "≥", "≥": "<", ">": "≤", "≤": ">", "=": "≠", "≠": "="}

_STABLE_FORM = "a loss that is written with what came before an entry has a formula of its own"

# How tightly an expression holds together; what stands in a place that asks for more is put in parentheses.
_SUM, _PRODUCT, _POWER, _ATOM = range(4)


def formula(loss: Loss) -> Notation:
    """The formula of one entry (or row) of `loss`, or of the whole batch; numbers that can be chosen stand as their
    symbols."""
    if loss.notation is not None:
        return loss.notation
    textbook = getattr(_with_symbols(loss), "formula", None) or _with_symbols(loss).value
    symbols = {"prediction": loss.prediction.symbol or "ŷ", "target": "y", "weight": "w"}
    names = (*loss.inputs, "weight") if loss.pooled else loss.inputs
    rows = [loss.pooled or loss.domains[name].rows for name in names]  # a whole batch is read at an entry
    first, second, *rest = (_Symbol(symbols.get(name, name), row=row) for name, row in zip(names, rows, strict=True))
    named = dict(zip(names[2:], rest, strict=True))
    expression = _expression(textbook(LaTeX(getattr(loss.prediction, "names", ())), first, second, **named))
    return Notation(latex=expression.latex(()), text=expression.lines())


def _with_symbols(loss: Loss) -> Any:
    """`loss` with symbols for its numbers, but for those that switch something off."""
    shadow = object.__new__(type(loss))
    for name, parameter in parameters_of(loss).items():
        value = getattr(loss, name)
        neutral = (
            parameter.is_flag or parameter.choices or not value or (parameter.table and value == parameter.default)
        )
        symbol = _Symbol(parameter.symbol or name, row=isinstance(value, tuple) and loss.prediction.rows)
        object.__setattr__(shadow, name, value if neutral else symbol)
    return shadow


class _Expression(ABC):
    """A piece of a formula. `used` are the indices taken, the innermost last: rows are read at that one."""

    strength: ClassVar[int] = _ATOM

    @abstractmethod
    def latex(self, used: tuple[str, ...]) -> str: ...

    @abstractmethod
    def text(self, used: tuple[str, ...]) -> str: ...

    def lines(self) -> str:
        return self.text(())

    @final
    def within(self, strength: int, used: tuple[str, ...], *, latex: bool) -> str:
        """Rendered, in parentheses if it holds together less tightly than its place asks for."""
        inside = self.latex(used) if latex else self.text(used)
        if self.strength >= strength:
            return inside
        return rf"\left({inside}\right)" if latex else f"({inside})"

    def __add__(self, other: Any) -> _Expression:
        other = _expression(other)
        return self if other == _Number(0) else other if self == _Number(0) else _Sum(self, other)

    def __radd__(self, other: Any) -> _Expression:
        return _expression(other) + self

    def __sub__(self, other: Any) -> _Expression:
        return self + -_expression(other)

    def __rsub__(self, other: Any) -> _Expression:
        return _expression(other) + -self

    def __neg__(self) -> _Expression:
        return self.of if isinstance(self, _Negative) else _Number(0) if self == _Number(0) else _Negative(self)

    def __mul__(self, other: Any) -> _Expression:
        factor = _expression(other)
        negative = [isinstance(each, _Negative) for each in (self, factor)]
        if any(negative):
            size: _Expression = _unsigned(self) * _unsigned(factor)
            return size if all(negative) else -size
        if self == _Number(1) or factor == _Number(0):
            return factor
        if factor == _Number(1) or self == _Number(0):
            return self
        if isinstance(self, _Product) and self.right == factor:
            return _Product(self.left, _Square(factor))
        return _Square(self) if self == factor else _Product(self, factor)

    def __rmul__(self, other: Any) -> _Expression:
        return _expression(other) * self

    def __truediv__(self, other: Any) -> _Expression:
        other = _expression(other)
        return self if other == _Number(1) else _Quotient(self, other)

    def __rtruediv__(self, other: Any) -> _Expression:
        return _expression(other) / self

    def __le__(self, other: Any) -> _Condition:
        return _Comparison(self, "≤", _expression(other))

    def __lt__(self, other: Any) -> _Condition:
        return _Comparison(self, "<", _expression(other))

    def __ge__(self, other: Any) -> _Condition:
        return _Comparison(self, "≥", _expression(other))

    def __gt__(self, other: Any) -> _Condition:
        return _Comparison(self, ">", _expression(other))


def _unsigned(x: _Expression) -> _Expression:
    return x.of if isinstance(x, _Negative) else x


def _times_pi(x: _Expression) -> _Expression:
    """π x, behind the number that x begins with."""
    if isinstance(x, _Product) and isinstance(x.left, _Number):
        return _Product(x.left * _Symbol("π"), x.right)
    return _Symbol("π") * x


def _expression(x: Any) -> _Expression:
    if isinstance(x, _Expression):
        return x
    return _Number(x) if x >= 0 else _Negative(_Number(-x))


@final
@dataclasses.dataclass(frozen=True)
class _Number(_Expression):
    value: float

    def latex(self, used: tuple[str, ...]) -> str:
        return r"\infty" if self.value == float("inf") else self.text(used)

    def text(self, used: tuple[str, ...]) -> str:
        return f"{self.value:.6g}".replace("inf", "∞")


@final
@dataclasses.dataclass(frozen=True)
class _Symbol(_Expression):
    name: str
    row: bool = False  # whether it has an entry for each class
    at: _Expression | None = None  # the entry meant, where it is not the running one
    outer: bool = False  # whether it is read at the index before the innermost one

    def latex(self, used: tuple[str, ...]) -> str:
        name = _LATEX.get(self.name) or (
            self.name if len(self.name) == 1 else rf"\mathrm{{{self.name}}}".replace("_", r"\_")
        )
        if self.at is not None:
            return f"{name}_{{{self.at.latex(used)}}}"
        used = used[:-1] if self.outer else used
        return f"{name}_{used[-1]}" if self.row and used else name

    def text(self, used: tuple[str, ...]) -> str:
        if self.at is not None:
            return f"{self.name}[{self.at.text(used)}]"
        used = used[:-1] if self.outer else used
        if not (self.row and used):
            return self.name
        return self.name + _SUBSCRIPTS.get(used[-1], f"[{used[-1]}]")


@final
@dataclasses.dataclass(frozen=True)
class _Negative(_Expression):
    of: _Expression
    strength: ClassVar[int] = _SUM

    def latex(self, used: tuple[str, ...]) -> str:
        return "-" + self.of.within(_PRODUCT, used, latex=True)

    def text(self, used: tuple[str, ...]) -> str:
        return "-" + self.of.within(_PRODUCT, used, latex=False)


@final
@dataclasses.dataclass(frozen=True)
class _Sum(_Expression):
    left: _Expression
    right: _Expression
    strength: ClassVar[int] = _SUM

    def latex(self, used: tuple[str, ...]) -> str:
        return self._written(used, latex=True)

    def text(self, used: tuple[str, ...]) -> str:
        return self._written(used, latex=False)

    def _written(self, used: tuple[str, ...], *, latex: bool) -> str:
        left = self.left.within(_SUM, used, latex=latex)
        if isinstance(self.right, _Negative):
            return f"{left} - {self.right.of.within(_PRODUCT, used, latex=latex)}"
        return f"{left} + {self.right.within(_SUM, used, latex=latex)}"


@final
@dataclasses.dataclass(frozen=True)
class _Product(_Expression):
    left: _Expression
    right: _Expression
    strength: ClassVar[int] = _PRODUCT

    def latex(self, used: tuple[str, ...]) -> str:
        return rf"{self.left.within(_PRODUCT, used, latex=True)} \, {self.right.within(_PRODUCT, used, latex=True)}"

    def text(self, used: tuple[str, ...]) -> str:
        left = self.left.within(_PRODUCT, used, latex=False)
        if " / " in left and isinstance(self.left, _Quotient):
            left = f"({left})"
        return f"{left} {self.right.within(_PRODUCT, used, latex=False)}"


@final
@dataclasses.dataclass(frozen=True)
class _Quotient(_Expression):
    left: _Expression
    right: _Expression
    strength: ClassVar[int] = _PRODUCT

    def latex(self, used: tuple[str, ...]) -> str:
        return rf"\frac{{{self.left.latex(used)}}}{{{self.right.latex(used)}}}"

    def text(self, used: tuple[str, ...]) -> str:
        place = _PRODUCT if isinstance(self.right, _OverClasses) else _POWER
        left, right = self.left.within(_PRODUCT, used, latex=False), self.right.within(place, used, latex=False)
        return f"{left}/{right}" if len(left) == len(right) == 1 else f"{left} / {right}"


@final
@dataclasses.dataclass(frozen=True)
class _Square(_Expression):
    of: _Expression
    strength: ClassVar[int] = _POWER

    def latex(self, used: tuple[str, ...]) -> str:
        base = self._base()
        inside = base.within(_ATOM, used, latex=True)
        # TeX refuses a second exponent, and log x² would be another thing than (log x)².
        bare = isinstance(base, _Function) and not inside.endswith(r"\right)")
        return (rf"\left({inside}\right)" if bare else inside) + "^2"

    def text(self, used: tuple[str, ...]) -> str:
        return self._base().within(_ATOM, used, latex=False) + "²"

    def _base(self) -> _Expression:
        """A square does not care for the sign."""
        return self.of.of if isinstance(self.of, _Size) else self.of


@final
@dataclasses.dataclass(frozen=True)
class _Power(_Expression):
    of: _Expression
    exponent: _Expression
    strength: ClassVar[int] = _POWER

    def latex(self, used: tuple[str, ...]) -> str:
        return f"{self.of.within(_ATOM, used, latex=True)}^{{{self.exponent.latex(used)}}}"

    def text(self, used: tuple[str, ...]) -> str:
        return f"{self.of.within(_ATOM, used, latex=False)}^{self.exponent.within(_ATOM, used, latex=False)}"


@final
@dataclasses.dataclass(frozen=True)
class _Size(_Expression):
    of: _Expression

    def latex(self, used: tuple[str, ...]) -> str:
        return rf"\left|{self.of.latex(used)}\right|"

    def text(self, used: tuple[str, ...]) -> str:
        return f"|{self.of.text(used)}|"


@final
@dataclasses.dataclass(frozen=True)
class _Function(_Expression):
    name: str
    of: tuple[_Expression, ...]

    def latex(self, used: tuple[str, ...]) -> str:
        inside = ", ".join(each.latex(used) for each in self.of)
        if self.name == "log" and isinstance(self.of[0], _Symbol):
            return rf"\log {inside}"
        if self.name == "exp":
            return f"e^{{{inside}}}"
        if self.name == "sqrt":
            return rf"\sqrt{{{inside}}}"
        name = self.name if self.name in _TEX else rf"operatorname{{{self.name}}}"
        return rf"\{name}\left({inside}\right)"

    def text(self, used: tuple[str, ...]) -> str:
        inside = ", ".join(each.text(used) for each in self.of)
        if self.name == "log" and isinstance(self.of[0], _Symbol):
            return f"log {inside}"
        return f"{self.name.replace('sqrt', '√')}({inside})"


@final
@dataclasses.dataclass(frozen=True)
class _OverClasses(_Expression):
    """A sum (or a maximum) over the classes, or over those for which something holds."""

    name: str
    of: _Expression
    strength: ClassVar[int] = _PRODUCT

    def latex(self, used: tuple[str, ...]) -> str:
        index, (of, when) = self._index(used), self._chosen()
        within = (*used, index)
        below = index if when is None else rf"{{{index}:\, {when.latex(within)}}}"
        return rf"\{self.name}_{below} {of.within(_PRODUCT, within, latex=True)}"

    def text(self, used: tuple[str, ...]) -> str:
        index, (of, when) = self._index(used), self._chosen()
        within = (*used, index)
        chosen = "" if when is None else f"[{when.text(within)}] "
        inside = of.within(_PRODUCT, within, latex=False)
        return f"{self.name.replace('sum', 'Σ')}{_SUBSCRIPTS[index]} {chosen}{inside}"

    def _chosen(self) -> tuple[_Expression, _Condition | None]:
        """What is added up, and where; everywhere, if that is None."""
        of = self.of
        if self.name == "sum" and isinstance(of, _Cases) and len(of.cases) == 1 and of.otherwise == _Number(0):
            return of.cases[0]
        return of, None

    def _index(self, used: tuple[str, ...]) -> str:
        return next(letter for letter in "kji" if letter not in used)


@final
@dataclasses.dataclass(frozen=True)
class _At(_Expression):
    """A row's entry for one class."""

    of: _Expression
    index: _Expression

    def latex(self, used: tuple[str, ...]) -> str:
        return self.of.within(_ATOM, (*used, self.index.latex(used)), latex=True)

    def text(self, used: tuple[str, ...]) -> str:
        return self.of.within(_ATOM, (*used, self.index.text(used)), latex=False)


class _Condition(ABC):
    """What a case depends on."""

    @abstractmethod
    def latex(self, used: tuple[str, ...]) -> str: ...

    @abstractmethod
    def text(self, used: tuple[str, ...]) -> str: ...


@final
@dataclasses.dataclass(frozen=True)
class _Settled(_Condition):
    """What always holds for finite numbers, or never."""

    holds: bool

    def latex(self, used: tuple[str, ...]) -> str:
        return rf"\text{{{self.text(used)}}}"

    def text(self, used: tuple[str, ...]) -> str:
        return "always" if self.holds else "never"


@final
@dataclasses.dataclass(frozen=True)
class _Comparison(_Condition):
    left: _Expression
    sign: str
    right: _Expression

    def latex(self, used: tuple[str, ...]) -> str:
        return f"{self.left.latex(used)} {_LATEX.get(self.sign, self.sign)} {self.right.latex(used)}"

    def text(self, used: tuple[str, ...]) -> str:
        return f"{self.left.text(used)} {self.sign} {self.right.text(used)}"

    @property
    def opposite(self) -> _Comparison:
        return _Comparison(self.left, _OPPOSITE[self.sign], self.right)


@final
@dataclasses.dataclass(frozen=True)
class _Joined(_Condition):
    left: _Condition
    word: str
    right: _Condition

    def latex(self, used: tuple[str, ...]) -> str:
        return rf"{self.left.latex(used)} \text{{ {self.word} }} {self.right.latex(used)}"

    def text(self, used: tuple[str, ...]) -> str:
        return f"{self.left.text(used)} {self.word} {self.right.text(used)}"


@final
@dataclasses.dataclass(frozen=True)
class _Not(_Condition):
    of: _Condition

    def latex(self, used: tuple[str, ...]) -> str:
        return rf"\text{{not }} {self.of.latex(used)}"

    def text(self, used: tuple[str, ...]) -> str:
        return f"not {self.of.text(used)}"


@final
@dataclasses.dataclass(frozen=True)
class _Cases(_Expression):
    cases: tuple[tuple[_Expression, _Condition], ...]
    otherwise: _Expression

    def latex(self, used: tuple[str, ...]) -> str:
        rows = [rf"{value.latex(used)} & \text{{where }} {when.latex(used)}" for value, when in self.cases]
        rows.append(rf"{self.otherwise.latex(used)} & \text{{otherwise}}")
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def text(self, used: tuple[str, ...]) -> str:
        cases = ", ".join(f"{value.text(used)} where {when.text(used)}" for value, when in self.cases)
        return f"({cases}, else {self.otherwise.text(used)})"

    def lines(self) -> str:
        values = [value.text(()) for value, _ in self.cases] + [self.otherwise.text(())]
        conditions = [f"where {when.text(())}" for _, when in self.cases] + ["otherwise"]
        width = max(map(len, values))
        return "\n".join(f"{value:<{width}}   {when}" for value, when in zip(values, conditions, strict=True))


@final
class LaTeX(Operations):
    """The operations on pieces of a formula.

    Args:
        columns: the names of the columns of predictions, where they have some.
    """

    def __init__(self, columns: tuple[str, ...] = ()) -> None:
        self._columns = columns

    def abs(self, x: Array) -> Array:
        return _Size(_expression(x))

    def erf(self, x: Array) -> Array:
        return _Function("erf", (_expression(x),))

    def exp(self, x: Array) -> Array:
        return _Function("exp", (_expression(x),))

    def expm1(self, x: Array) -> Array:
        return self.exp(x) - 1

    def log(self, x: Array) -> Array:
        return _Function("log", (_expression(x),))

    def log1p(self, x: Array) -> Array:
        return self.log(1 + _expression(x))

    def sqrt(self, x: Array) -> Array:
        return _Function("sqrt", (_expression(x),))

    def _power(self, x: Array, exponent: float) -> Array:
        return _Power(_expression(x), _expression(exponent))

    def remainder(self, x: Array, divisor: float) -> Array:
        return _Function("remainder", (_expression(x), _expression(divisor)))

    def sinpi(self, x: Array) -> Array:
        return _Function("sin", (_times_pi(_expression(x)),))

    def versinpi(self, x: Array) -> Array:
        return 1 - _Function("cos", (_times_pi(_expression(x)),))

    def tanh(self, x: Array) -> Array:
        return _Function("tanh", (_expression(x),))

    def maximum(self, x: Array, y: Array) -> Array:
        return _Function("max", (_expression(x), _expression(y)))

    def minimum(self, x: Array, y: Array) -> Array:
        return _Function("min", (_expression(x), _expression(y)))

    def relu(self, x: Array) -> Array:
        return self.maximum(0.0, x)

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        x, y = _expression(x), _expression(y)
        if isinstance(condition, _Settled):
            return x if condition.holds else y
        if not isinstance(y, _Cases):
            return _Cases(((x, condition),), y)
        if isinstance(condition, _Comparison) and y.cases[0][1] == condition.opposite:
            return _Cases(((x, condition),), y.cases[0][0])  # what is left is NaN
        return _Cases(((x, condition), *y.cases), y.otherwise)

    def equal(self, x: Array, y: Array) -> Array:
        x, y = _expression(x), _expression(y)
        infinite = _Number(float("inf"))
        return _Settled(False) if infinite in (x, y) else _Comparison(x, "=", y)

    def isnan(self, x: Array) -> Array:
        return _Settled(False)

    def isfinite(self, x: Array) -> Array:
        return _Settled(True)

    def logical_and(self, x: Array, y: Array) -> Array:
        for one, other in ((x, y), (y, x)):
            if isinstance(one, _Settled):
                return other if one.holds else one
        return _Joined(x, "and", y)

    def logical_or(self, x: Array, y: Array) -> Array:
        for one, other in ((x, y), (y, x)):
            if isinstance(one, _Settled):
                return one if one.holds else other
        return _Joined(x, "or", y)

    def logical_not(self, x: Array) -> Array:
        if isinstance(x, _Settled):
            return _Settled(not x.holds)
        return x.opposite if isinstance(x, _Comparison) else _Not(x)

    def sum(self, x: Array) -> Array:
        x = _expression(x)
        if isinstance(x, _OverClasses):  # over another axis of the same row
            return x
        return -_OverClasses("sum", x.of) if isinstance(x, _Negative) else _OverClasses("sum", x)

    def max(self, x: Array) -> Array:
        return _OverClasses("max", _expression(x))

    def argmax(self, x: Array) -> Array:
        return _OverClasses("argmax", _expression(x))

    def take(self, x: Array, index: Array) -> Array:
        x = _expression(x)
        return -self.take(x.of, index) if isinstance(x, _Negative) else _At(x, _expression(index))

    def is_class(self, index: Array, like: Array) -> Array:
        return _Comparison(_Symbol("", row=True), "=", _expression(index))

    def is_below(self, index: Array, like: Array) -> Array:
        return _Comparison(_Symbol("", row=True), "<", _expression(index))

    def positions(self, like: Array) -> Array:
        return _Symbol("", row=True)

    def argsort(self, x: Array) -> Array:
        ranked = isinstance(x, _Function) and x.name == "order"
        return _Function("rank", x.of) if ranked else _Function("order", (_expression(x),))

    def gather(self, x: Array, index: Array) -> Array:
        return _At(_expression(x), _expression(index))

    def shift(self, x: Array, steps: int, fill: float) -> Array:
        raise NotImplementedError(_STABLE_FORM)

    def cumulative_sum(self, x: Array) -> Array:
        raise NotImplementedError(_STABLE_FORM)

    def cumulative_max(self, x: Array) -> Array:
        raise NotImplementedError(_STABLE_FORM)

    def run_sum(self, x: Array, starts: Array) -> Array:
        raise NotImplementedError(_STABLE_FORM)

    def discounted_sum(self, x: Array, level: Array, *, backwards: bool = False) -> Array:
        raise NotImplementedError(_STABLE_FORM)

    def stop_gradient(self, x: Array) -> Array:
        return x

    def row(self, x: Array) -> Array:
        if isinstance(x, _Function):
            return dataclasses.replace(x, of=tuple(map(self.row, x.of)))
        return dataclasses.replace(x, outer=True) if isinstance(x, _Symbol) and x.row else x

    def flatten(self, x: Array, axes: int, rest: int = 0) -> Array:
        return x

    def reshape_like(self, x: Array, like: Array) -> Array:
        return x

    def columns(self, x: Array, count: int) -> list[Array]:
        if self._columns:
            return [_Symbol(name) for name in self._columns]
        return [_At(_expression(x), _Number(k)) for k in range(count)]  # of rows whose columns have no names

    def stack(self, *columns: Array) -> Array:
        raise NotImplementedError("a formula says what a loss is, not its gradient")

    def matmul(self, x: Array, y: Array) -> Array:
        return _Function("matmul", (_expression(x), _expression(y)))

    def transpose(self, x: Array) -> Array:
        return _Function("transpose", (_expression(x),))

    def classes(self, x: Array) -> Array:
        return _Symbol("K")

    def table(self, entries: Any, like: Array) -> Array:
        return entries

    def lookup(self, table: Array, index: Array) -> Array:
        return _Symbol(table.name, at=_expression(index))
