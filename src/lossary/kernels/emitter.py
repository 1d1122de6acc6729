"""From a program to LLVM's intermediate language: explicit vectors, and every remainder through the same code."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
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


def emit(program: Program, *, avx512: bool) -> str:
    """A module, in text, with one function `kernel` over `rows` rows of `length` entries each.

    It takes `arguments(program)` and, last, the scale. Totals are added to what is there.
    """
    return str(_AlongRows(program, avx512).module)


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


@final
class _AlongRows(Emitter):
    """A row after the other, in as many passes over each as its reductions need."""

    # ── the loops ────────────────────────────────────────────────────────────────────────────────────────────────

    def _emit(self) -> None:
        b, program = self.builder, self.program
        length, lanes = self.arguments["length"], LONG(self.lanes)
        self.full = b.mul(b.udiv(length, lanes), lanes)
        totals = {name: ExactSum(self, DOUBLE) for name in program.totals}
        last = program.last_pass
        with self.loop(LONG(0), self.arguments["rows"], 1) as self.row:
            self.base = b.mul(self.row, length)
            self.whole = Place(1, None)
            for self.level in range(last + 1):
                self._know_row()
                self._pass(totals)
            self.level = last + 1
            self._know_row()
            for name, node in program.stores.items():
                if not node.row:
                    b.store(self.value(node, self.whole), self.address(name, self.row, self.number))
            for name, node in program.totals.items():
                if not node.row:
                    totals[name].add(self.multiplied(self._as_double(self.value(node, self.whole)), name, self.whole))
        for name in program.totals:
            address = self.address("totals", LONG(TOTALS.index(name)), DOUBLE)
            b.store(b.fadd(b.load(address, typ=DOUBLE), totals[name].finished()), address)
        b.ret_void()

    def _know_row(self) -> None:
        """All that can be known of the row as a whole before this pass."""
        for node in self.program.nodes:
            if not node.row and node.level == self.level:
                self.value(node, self.whole)

    def _pass(self, totals: dict[str, ExactSum]) -> None:
        """One pass over the row: its reductions, and what is stored on this level."""
        b, program, level = self.builder, self.program, self.level
        reductions: dict[tuple[type, Expression], Any] = {}
        reduced = [node for node in program.nodes if node.operation in _REDUCTIONS and node.operands[0].level == level]
        for node in reduced:
            key = _REDUCTIONS[node.operation], node.operands[0]
            operations = {each.operation for each in reduced if each.operands[0] is node.operands[0]}
            reductions.setdefault(key, key[0](self, operations))
        sums = {
            name: ((RowSum if node.kind == "number" else RowAny)(self), node)
            for name, node in program.totals.items()
            if node.row and node.level == level
        }
        stores = [(name, node) for name, node in program.stores.items() if node.row and node.level == level]
        stores = [(self._slot(node), node) for node in program.kept if node.level == level] + stores
        if not (reductions or sums or stores):
            return

        def step(place: Place) -> None:
            for (kind, operand), reduction in reductions.items():
                value = self.value(operand, place)
                reduction.add(self.widened(value) if kind is RowSum else value, place)
            for name, (total, node) in sums.items():
                value = self.value(node, place)
                total.add(self.multiplied(self.widened(value), name, place) if node.kind == "number" else value, place)
            # Last, and after all are known: the gradient is written over what an earlier pass has left there.
            for name, value in [(name, self.value(node, place)) for name, node in stores]:
                self._store(name, value, place)

        with self.loop(LONG(0), self.full, self.lanes) as start:
            step(Place(self.lanes, start))
        with b.if_then(b.icmp_unsigned("<", self.full, self.arguments["length"])):
            left = b.trunc(b.sub(self.arguments["length"], self.full), INT)
            mask = b.icmp_unsigned("<", self.counting(), self.splat(left))
            step(Place(self.lanes, self.full, mask))
        for node in reduced:
            reduction = reductions[_REDUCTIONS[node.operation], node.operands[0]]
            self.whole.values[node] = reduction.finished(node.operation)
        for name, (total, _) in sums.items():
            totals[name].add(total.finished_exactly())

    # ── expressions ──────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, node: Expression, place: Place) -> Any:
        if not node.row and place is not self.whole:
            return self.splat(self.whole.values[node], place.lanes)
        if node not in place.values:
            stored = node in self.program.kept and node.level < self.level
            place.values[node] = (
                self._load(self._slot(node), self.number, place) if stored else self._computed(node, place)
            )
        return place.values[node]

    def _computed(self, node: Expression, place: Place) -> Any:
        if node.operation in _LEAVES:
            return _LEAVES[node.operation](self, node, place)
        if node.operation == "take":
            return self._taken(node)
        return self.combined(node, place)

    def _input(self, node: Expression, place: Place) -> Any:
        name = node.detail
        if name == "scale":
            return self.given_scale
        if name == "ignored":
            return self.arguments[name]
        kind = {"number": self.number, "truth": BYTE, "index": LONG}[node.kind]
        if not node.row:
            loaded = self.builder.load(self.address(name, self.row, kind), typ=kind)
        else:
            loaded = self._load(name, kind, place)
        return loaded if node.kind != "truth" else self.builder.icmp_unsigned("!=", loaded, self.like(loaded, 0))

    def _constant(self, node: Expression, place: Place) -> Any:
        return self.number(float.fromhex(node.detail))

    def _setting(self, node: Expression, place: Place) -> Any:
        return self.settings[node.detail]

    def _classes(self, node: Expression, place: Place) -> Any:
        return self.builder.sitofp(self.arguments["length"], self.number)

    def _beside_index(self, node: Expression, place: Place) -> Any:
        """The position compared with an index."""
        index, comparison = self.value(node.operands[0], self.whole), POSITIONS[node.operation]
        if place.lanes == 1:
            return self.builder.icmp_signed(comparison, place.start, index)
        position = self.positions(place)
        return self.builder.icmp_signed(comparison, position, self.splat(self.builder.trunc(index, INT)))

    def _to_index(self, node: Expression, place: Place) -> Any:
        (number,) = node.operands
        if number.operation == "classes":
            return self.arguments["length"]
        if number.operation == "constant":
            return LONG(int(float.fromhex(number.detail)))
        return self.builder.fptosi(self.value(number, place), LONG)

    def _taken(self, node: Expression) -> Any:
        """The row's expression at one entry; what a pass has left there is read again."""
        row, index = node.operands
        return self.value(row, Place(1, self.whole.values[index]))

    # ── memory ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _slot(self, node: Expression) -> str:
        """Where a kept expression is: the first in the gradient's row, which is written over last, if there is one."""
        place, stores = self.program.kept[node], self.program.stores
        borrowed = "gradient" in stores and stores["gradient"].level == self.program.last_pass
        if borrowed and place == 0:
            return "gradient"
        return f"scratch {place - borrowed}"

    def _entry_address(self, name: str, kind: Any, place: Place) -> Any:
        b = self.builder
        if name.startswith("scratch"):
            row = b.mul(self.arguments["length"], LONG(int(name.split()[1])))
            return self.address("scratch", b.add(row, place.start), kind)
        if name.startswith("table"):
            return self.address(name, place.start, kind)
        return self.address(name, b.add(self.base, place.start), kind)

    def _load(self, name: str, kind: Any, place: Place) -> Any:
        address = self._entry_address(name, kind, place)
        if place.lanes == 1:
            return self.builder.load(address, typ=kind)
        vector = ir.VectorType(kind, place.lanes)
        align = 1 if kind is BYTE else 8 if kind == DOUBLE else 4
        if place.mask is None:
            return self.builder.load(address, typ=vector, align=align)
        nothing = ir.Constant(vector, 0)
        return self.call("llvm.masked.load", vector, address, INT(align), place.mask, nothing, ending=".p0")

    def _store(self, name: str, value: Any, place: Place) -> None:
        address = self._entry_address(name, self.number, place)
        align = 8 if self.number == DOUBLE else 4
        if place.mask is None:
            self.builder.store(value, address, align=align)
        else:
            nothing = ir.VoidType()
            self.call("llvm.masked.store", nothing, value, address, INT(align), place.mask, of=value.type, ending=".p0")


# ── reductions over a row ────────────────────────────────────────────────────────────────────────────────────────────


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
class RowSum:
    """The sum of a row of numbers in float64; with what is lost where that is wanted, or where the loss is computed in
    float64."""

    def __init__(self, emitter: Emitter, operations: Collection[str] = ()) -> None:
        self.emitter = emitter
        self.kind = ir.VectorType(DOUBLE, emitter.lanes)
        exactly = emitter.number == DOUBLE or "rest" in operations
        self.total = ExactSum(emitter, self.kind) if exactly else None
        self.sum = None if self.total else emitter.slot(self.kind, ir.Constant(self.kind, 0.0))

    def add(self, value: Any, place: Place) -> None:
        b = self.emitter.builder
        if place.mask is not None:
            value = b.select(place.mask, value, self.emitter.like(value, 0.0))
        if self.total:
            self.total.add(value)
        else:
            b.store(b.fadd(b.load(self.sum, typ=self.kind), value), self.sum)

    def finished_exactly(self) -> Any:
        """In float64."""
        b = self.emitter.builder
        if self.total is None:
            return self.emitter.folded((b.load(self.sum, typ=self.kind),), lambda x, y: (b.fadd(x, y),))[0]
        return self.total.finished()

    def finished(self, operation: str) -> Any:
        """The sum in the entries' dtype, or what rounding it has lost."""
        b, narrow = self.emitter.builder, self.emitter.number != DOUBLE
        if self.total is None:
            return b.fptrunc(self.finished_exactly(), self.emitter.number)
        total, lost = self.total.parts()
        rounded = b.fadd(total, lost)
        if narrow:
            rounded = b.fptrunc(rounded, self.emitter.number)
        if operation == "sum":
            return rounded
        rest = b.fadd(b.fsub(total, b.fpext(rounded, DOUBLE) if narrow else rounded), lost)
        return b.fptrunc(rest, self.emitter.number) if narrow else rest


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


@final
class Largest:
    """The largest entry of a row and, if wanted, the index of the first such; NaN where any entry is."""

    def __init__(self, emitter: Emitter, operations: Collection[str]) -> None:
        self.emitter = emitter
        self.indexed = "argmax" in operations
        lanes, number = emitter.lanes, emitter.number
        self.numbers, self.indices = ir.VectorType(number, lanes), ir.VectorType(INT, lanes)
        self.truths = ir.VectorType(BIT, lanes)
        self.best = emitter.slot(self.numbers, ir.Constant(self.numbers, float("-inf")))
        self.index = emitter.slot(self.indices, emitter.counting())
        self.undefined = emitter.slot(self.truths, ir.Constant(self.truths, 0))
        self.result: tuple[Any, Any] | None = None

    def add(self, value: Any, place: Place) -> None:
        b = self.emitter.builder
        if place.mask is not None:
            value = b.select(place.mask, value, self.emitter.like(value, float("-inf")))
        best, index = b.load(self.best, typ=self.numbers), b.load(self.index, typ=self.indices)
        better = b.fcmp_ordered(">", value, best)
        b.store(b.select(better, value, best), self.best)
        if self.indexed:
            b.store(b.select(better, self.emitter.positions(place), index), self.index)
        undefined = b.or_(b.load(self.undefined, typ=self.truths), b.fcmp_unordered("uno", value, value))
        b.store(undefined, self.undefined)

    def finished(self, operation: str) -> Any:
        b = self.emitter.builder
        if self.result is None:

            def combine(x: Any, i: Any, y: Any, j: Any) -> tuple[Any, Any]:
                first = b.and_(b.fcmp_ordered("==", x, y), b.icmp_signed("<", j, i))
                better = b.or_(b.fcmp_ordered(">", y, x), first)
                return b.select(better, y, x), b.select(better, j, i)

            vectors = b.load(self.best, typ=self.numbers), b.load(self.index, typ=self.indices)
            best, index = self.emitter.folded(vectors, combine)
            undefined = self.emitter.call(
                "llvm.vector.reduce.or", BIT, b.load(self.undefined, typ=self.truths), of=self.truths
            )
            self.result = b.select(undefined, self.emitter.like(best, float("nan")), best), b.sext(index, LONG)
        return self.result[operation == "argmax"]


_REDUCTIONS: dict[str, Any] = {"sum": RowSum, "rest": RowSum, "max": Largest, "argmax": Largest}

POSITIONS = {"is_class": "==", "is_below": "<"}

_LEAVES: dict[str, Callable[[_AlongRows, Expression, Place], Any]] = {
    "input": _AlongRows._input,
    "constant": _AlongRows._constant,
    "setting": _AlongRows._setting,
    "classes": _AlongRows._classes,
    "is_class": _AlongRows._beside_index,
    "is_below": _AlongRows._beside_index,
    "to_index": _AlongRows._to_index,
}

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
