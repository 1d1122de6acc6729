"""From a program to LLVM's intermediate language: explicit vectors, whose lanes are entries of a row (along.py) or rows
(across.py)."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, final

from llvmlite import ir

from lossary.kernels.program import Program
from lossary.kernels.symbolic import PRECISIONS, Expression

_BYTES = 64  # of a vector: one register where there are AVX-512 units, a few registers elsewhere

BIT, BYTE, INT, LONG, DOUBLE = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.DoubleType()


# What a kernel may add up, and where in the argument "totals" it adds it.
TOTALS = ("total", "weight", "illegal")


def arguments(program: Program) -> tuple[str, ...]:
    """The names of a kernel's arguments, in their order: addresses and counts, each 64 bits wide."""
    inputs = [name for name in program.inputs if name != "scale"]
    return ("rows", "length", "settings", "totals", *inputs, *program.stores, *(["scratch"] if program.kept else []))


@final
class Place:
    """Where an expression is evaluated: at so many entries of a row from `start` on; or, if the lanes are rows, at one
    `entry` of so many."""

    def __init__(self, lanes: int, start: Any, mask: Any = None, entry: int = 0) -> None:
        self.lanes = lanes  # 1 for a single entry, or for the row as a whole
        self.start = start
        self.mask = mask  # None where every lane counts
        self.entry = entry
        self.values: dict[Expression, Any] = {}


class Emitter(ABC):
    """What both ways have in common: operations on vectors of numbers, whatever their lanes are."""

    def __init__(self, program: Program, avx512: bool) -> None:
        self.program = program
        self.avx512 = avx512
        wide = program.dtype == "float64"
        self.number = DOUBLE if wide else ir.FloatType()
        self.bits = LONG if wide else INT
        self.mantissa, self.bias = (52, 1023) if wide else (23, 127)
        self.lanes = _BYTES // (8 if wide else 4)
        self.module = ir.Module("lossary")
        names = arguments(program)
        kind = ir.FunctionType(ir.VoidType(), [LONG] * len(names) + [DOUBLE])
        function = ir.Function(self.module, kind, "kernel")
        # So that there is no table for unwinding, which must be near the code, and may not be in a crowded process.
        function.attributes.add("nounwind")
        self.arguments = dict(zip([*names, "scale"], function.args, strict=True))
        b = self.builder = ir.IRBuilder(function.append_basic_block())
        scale = self.arguments["scale"]
        self.given_scale = scale if self.number == DOUBLE else b.fptrunc(scale, self.number)
        self.settings = {
            name: b.load(self.address("settings", LONG(place), self.number), typ=self.number)
            for place, name in enumerate(program.setting_names)
        }
        self._emit()

    @abstractmethod
    def _emit(self) -> None:
        """The body of the function."""

    @abstractmethod
    def value(self, node: Expression, place: Place) -> Any:
        """The number, truth or index that an expression is, for each lane of the place."""

    @contextlib.contextmanager
    def loop(self, first: Any, end: Any, step: int) -> Iterator[Any]:
        """for index in range(first, end, step)"""
        b = self.builder
        before = b.block
        head, body, after = (b.append_basic_block() for _ in range(3))
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(LONG)
        index.add_incoming(first, before)
        b.cbranch(b.icmp_unsigned("<", index, end), body, after)
        b.position_at_end(body)
        yield index
        index.add_incoming(b.add(index, LONG(step)), b.block)
        b.branch(head)
        b.position_at_end(after)

    def address(self, name: str, index: Any, kind: Any) -> Any:
        b = self.builder
        start = b.inttoptr(self.arguments[name], ir.PointerType())
        return b.gep(start, [index], source_etype=kind)

    def combined(self, node: Expression, place: Place) -> Any:
        """An operation on what its operands are there."""
        operands = [self.value(each, place) for each in node.operands]
        if node.operation in ("less", "less_equal", "equal"):
            sign = {"less": "<", "less_equal": "<=", "equal": "=="}[node.operation]
            compare = self.builder.icmp_signed if node.operands[0].kind == "index" else self.builder.fcmp_ordered
            return compare(sign, *operands)
        return _OPERATIONS[node.operation](self, *operands)

    def slot(self, kind: Any, first: Any) -> Any:
        """Memory for a variable, which LLVM makes a register, with `first` in it."""
        with self.builder.goto_entry_block():
            slot = self.builder.alloca(kind)
        self.builder.store(first, slot)
        return slot

    # ── small change ─────────────────────────────────────────────────────────────────────────────────────────────

    def call(self, name: str, result: Any, *operands: Any, of: Any = None, ending: str = "") -> Any:
        """LLVM's intrinsic for this type."""
        kind = of or result
        inner = kind.element if isinstance(kind, ir.VectorType) else kind
        code = f"f{64 if inner == DOUBLE else 32}" if not isinstance(inner, ir.IntType) else f"i{inner.width}"
        code = f"v{kind.count}{code}" if isinstance(kind, ir.VectorType) else code
        full = f"{name}.{code}{ending}"
        function = self.module.globals.get(full) or ir.Function(
            self.module, ir.FunctionType(result, [each.type for each in operands]), full
        )
        return self.builder.call(function, operands)

    def splat(self, value: Any, lanes: int | None = None) -> Any:
        """The same number in every lane."""
        lanes = lanes or self.lanes
        if lanes == 1:
            return value
        vector = ir.VectorType(value.type, lanes)
        if isinstance(value, ir.Constant):
            return ir.Constant(vector, value)
        one = self.builder.insert_element(ir.Constant(vector, ir.Undefined), value, INT(0))
        places = ir.Constant(ir.VectorType(INT, lanes), 0)
        return self.builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), places)

    def like(self, value: Any, number: float) -> Any:
        """A constant of the same type."""
        return ir.Constant(value.type, number)

    def positions(self, place: Place) -> Any:
        start = self.splat(self.builder.trunc(place.start, INT), place.lanes)
        return self.builder.add(start, self.counting())

    def counting(self) -> Any:
        return ir.Constant(ir.VectorType(INT, self.lanes), list(range(self.lanes)))

    def folded(self, vectors: tuple[Any, ...], combine: Callable[..., tuple[Any, ...]]) -> tuple[Any, ...]:
        """Vectors to single numbers: the upper half with the lower, until one lane is left."""
        b, lanes = self.builder, vectors[0].type.count
        while lanes > 1:
            halves = [
                [
                    b.shuffle_vector(
                        each,
                        ir.Constant(each.type, ir.Undefined),
                        ir.Constant(ir.VectorType(INT, lanes // 2), list(range(first, first + lanes // 2))),
                    )
                    for each in vectors
                ]
                for first in (0, lanes // 2)
            ]
            vectors = combine(*halves[0], *halves[1])
            lanes //= 2
        return tuple(b.extract_element(each, INT(0)) for each in vectors)

    def _as_double(self, value: Any) -> Any:
        return self.builder.uitofp(value, DOUBLE) if value.type == BIT else self.widened(value)

    def widened(self, value: Any) -> Any:
        """Numbers in float64."""
        if self.number == DOUBLE:
            return value
        vector = isinstance(value.type, ir.VectorType)
        return self.builder.fpext(value, ir.VectorType(DOUBLE, value.type.count) if vector else DOUBLE)

    def multiplied(self, value: Any, name: str, place: Place) -> Any:
        """What is added to a total of that name, in float64."""
        factor = self.program.factor
        if name != "total" or factor is None:
            return value
        return self.builder.fmul(value, self.widened(self.value(factor, place)))

    def _as_bits(self, x: Any) -> Any:
        vector = isinstance(x.type, ir.VectorType)
        return self.builder.bitcast(x, ir.VectorType(self.bits, x.type.count) if vector else self.bits)

    def _from_bits(self, x: Any) -> Any:
        vector = isinstance(x.type, ir.VectorType)
        return self.builder.bitcast(x, ir.VectorType(self.number, x.type.count) if vector else self.number)

    def scale(self, x: Any, power: Any) -> Any:
        """x · 2ⁿ, rounded once: by halves, for 2ⁿ alone may be more than a number can hold, or less."""
        b, magic = self.builder, PRECISIONS[self.program.dtype].magic
        if self.avx512 and isinstance(x.type, ir.VectorType):
            return self._scaled_in_one(x, power)
        half = b.fsub(b.fadd(b.fmul(power, self.like(power, 0.5)), self.like(power, magic)), self.like(power, magic))
        for part in (half, b.fsub(power, half)):
            # The last bits of part + magic are those of the whole number.
            bits = self._as_bits(b.fadd(part, self.like(part, magic)))
            raised = b.shl(bits, self.like(bits, self.mantissa))
            x = b.fmul(x, self._from_bits(b.add(raised, self.like(raised, self.bias << self.mantissa))))
        return x

    def _scaled_in_one(self, x: Any, power: Any) -> Any:
        """The same by the instruction of AVX-512."""
        mask, code = (ir.IntType(8), "pd") if self.number == DOUBLE else (ir.IntType(16), "ps")
        name = f"llvm.x86.avx512.mask.scalef.{code}.512"
        operands = [x, power, x, mask(-1), INT(4)]
        function = self.module.globals.get(name) or ir.Function(
            self.module, ir.FunctionType(x.type, [each.type for each in operands]), name
        )
        return self.builder.call(function, operands)

    def remainder(self, x: Any, divisor: Any) -> Any:
        """What is left of x without so many divisors that it is smaller than one; NaN where x is infinite.

        By long division: each step takes a multiple of the divisor times 2ⁿ away that has few digits, which is exact.
        One is enough for most numbers; as long as one of the lanes is not done, all go on.
        """
        b, digits = self.builder, self.mantissa - 3
        before = b.block
        head, body, after = (b.append_basic_block() for _ in range(3))
        b.branch(head)
        b.position_at_end(head)
        rest = b.phi(x.type)
        rest.add_incoming(x, before)
        size = self.call("llvm.fabs", x.type, rest)
        far = b.fcmp_ordered(">=", size, divisor)
        more = self.call("llvm.vector.reduce.or", BIT, far, of=far.type) if far.type != BIT else far
        b.cbranch(more, body, after)
        b.position_at_end(body)
        power = b.fsub(b.fsub(self.exponent(size), self.exponent(divisor)), self.like(x, digits))
        power = b.select(b.fcmp_ordered(">", power, self.like(x, 0.0)), power, self.like(x, 0.0))
        step, magic = self.scale(divisor, power), self.like(x, PRECISIONS[self.program.dtype].magic)
        times = b.fsub(b.fadd(b.fdiv(rest, step), magic), magic)
        lower = self.call("llvm.fma", x.type, b.fneg(times), step, rest)
        rest.add_incoming(b.select(far, lower, rest), b.block)
        b.branch(head)
        b.position_at_end(after)
        return rest

    def _exponent_bits(self, x: Any) -> tuple[Any, Any]:
        """The bits of x > 0 and the k for which x / 2ᵏ lies between √½ and √2."""
        b, bits = self.builder, self._as_bits(x)
        root_half = 0x3FE6A09E667F3BCD if self.number == DOUBLE else 0x3F3504F3
        return bits, b.ashr(b.sub(bits, self.like(bits, root_half)), self.like(bits, self.mantissa))

    def exponent(self, x: Any) -> Any:
        return self.builder.sitofp(self._exponent_bits(x)[1], x.type)

    def exponent_between(self, x: Any, y: Any) -> Any:
        """The k for which x / (y · 2ᵏ) lies between ⅔ and 3/2: the bits of a number are near its logarithm."""
        b, apart = self.builder, self.builder.sub(self._as_bits(x), self._as_bits(y))
        nearest = b.add(apart, self.like(apart, 1 << (self.mantissa - 1)))
        return b.sitofp(b.ashr(nearest, self.like(nearest, self.mantissa)), x.type)

    def fraction(self, x: Any) -> Any:
        b = self.builder
        bits, exponent = self._exponent_bits(x)
        return self._from_bits(b.sub(bits, b.shl(exponent, self.like(bits, self.mantissa))))


# ── sums, whatever their lanes are ────────────────────────────────────────────────────────────────────────────────────


@final
class ExactSum:
    """A sum with what rounding it has lost (Knuth's TwoSum)."""

    def __init__(self, emitter: Emitter, kind: Any) -> None:
        self.emitter = emitter
        zero = ir.Constant(kind, 0.0)
        self.sum, self.lost = emitter.slot(kind, zero), emitter.slot(kind, zero)
        self.kind = kind

    def add(self, amount: Any) -> None:
        b = self.emitter.builder
        after, lost = self._added(b.load(self.sum, typ=self.kind), amount)
        b.store(after, self.sum)
        b.store(b.fadd(b.load(self.lost, typ=self.kind), lost), self.lost)

    def _added(self, before: Any, amount: Any) -> tuple[Any, Any]:
        """The sum of two, and what rounding it has lost."""
        b = self.emitter.builder
        after = b.fadd(before, amount)
        back = b.fsub(after, before)
        return after, b.fadd(b.fsub(before, b.fsub(after, back)), b.fsub(amount, back))

    def parts(self) -> tuple[Any, Any]:
        """The sum and what it has lost, of all lanes together."""
        b = self.emitter.builder
        total, lost = b.load(self.sum, typ=self.kind), b.load(self.lost, typ=self.kind)
        if isinstance(self.kind, ir.VectorType):
            total, lost = self.emitter.folded((total, lost), self._together)
        # Where the sum is infinite nothing is lost, and ∞ − ∞ is no number.
        number = b.fcmp_ordered("ord", lost, lost)
        return total, b.select(number, lost, self.emitter.like(lost, 0.0))

    def _together(self, one: Any, lost_of_one: Any, other: Any, lost_of_other: Any) -> tuple[Any, Any]:
        b = self.emitter.builder
        total, lost = self._added(one, other)
        return total, b.fadd(lost, b.fadd(lost_of_one, lost_of_other))

    def finished(self) -> Any:
        return self.emitter.builder.fadd(*self.parts())


@final
class RowAny:
    """Whether anything in a row is true: 1 or 0."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self.kind = ir.VectorType(BIT, emitter.lanes)
        self.flags = emitter.slot(self.kind, ir.Constant(self.kind, 0))

    def add(self, value: Any, place: Place) -> None:
        b = self.emitter.builder
        if place.mask is not None:
            value = b.and_(place.mask, value)
        b.store(b.or_(b.load(self.flags, typ=self.kind), value), self.flags)

    def finished_exactly(self) -> Any:
        """In float64."""
        b = self.emitter.builder
        flag = self.emitter.call("llvm.vector.reduce.or", BIT, b.load(self.flags, typ=self.kind), of=self.kind)
        return b.uitofp(flag, DOUBLE)


POSITIONS = {"is_class": "==", "is_below": "<"}

_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda e, x, y: e.builder.fadd(x, y),
    "subtract": lambda e, x, y: e.builder.fsub(x, y),
    "multiply": lambda e, x, y: e.builder.fmul(x, y),
    "divide": lambda e, x, y: e.builder.fdiv(x, y),
    "negative": lambda e, x: e.builder.fneg(x),
    "abs": lambda e, x: e.call("llvm.fabs", x.type, x),
    "sqrt": lambda e, x: e.call("llvm.sqrt", x.type, x),
    "fma": lambda e, x, y, z: e.call("llvm.fma", x.type, x, y, z),
    "select": lambda e, condition, x, y: e.builder.select(condition, x, y),
    "isnan": lambda e, x: e.builder.fcmp_unordered("uno", x, x),
    "and": lambda e, x, y: e.builder.and_(x, y),
    "or": lambda e, x, y: e.builder.or_(x, y),
    "not": lambda e, x: e.builder.not_(x),
    "scale": Emitter.scale,
    "remainder": Emitter.remainder,
    "exponent": Emitter.exponent,
    "exponent_between": Emitter.exponent_between,
    "fraction": Emitter.fraction,
}
