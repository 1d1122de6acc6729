"""Short rows of a known length: the lanes of a vector are one entry of as many rows, and every reduction is a few
operations on such vectors, where a vector along a row would be empty for the most part and be folded at its end."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any, final

from llvmlite import ir

from lossary.kernels.emitter import BYTE, DOUBLE, INT, LONG, POSITIONS, TOTALS, Emitter, ExactSum, Place, RowAny
from lossary.kernels.program import Program
from lossary.kernels.symbolic import Expression

# How long a row may be, and how many operations all of its entries may take: the compiler sees each by itself.
_LENGTH, _MOST = 16, 4000
_SIZES = {BYTE: 1, ir.FloatType(): 4, LONG: 8, DOUBLE: 8}  # in bytes


def pays(program: Program, length: int) -> bool:
    """Whether rows of this length are taken side by side."""
    return program.rows and length <= _LENGTH and length * program.cost <= _MOST


def known_entries(program: Program) -> tuple[tuple[float | None, ...], ...]:
    """What the code itself has of each table: the zeros and ones, by which columns are chosen. Others it reads."""
    return tuple(tuple(entry if entry in (0.0, 1.0) else None for entry in table) for table in program.tables)


def emit(program: Program, length: int, *, avx512: bool) -> str:
    """As `along.emit`, for rows of this length alone."""
    return str(_AcrossRows(program, avx512, length).module)


@final
class _AcrossRows(Emitter):
    def __init__(self, program: Program, avx512: bool, length: int) -> None:
        self.length = length
        self.known = known_entries(program)
        super().__init__(program, avx512)

    def _emit(self) -> None:
        b, program = self.builder, self.program
        rows, lanes = self.arguments["rows"], LONG(self.lanes)
        wide = ir.VectorType(DOUBLE, self.lanes)
        self.totals: dict[str, Any] = {
            name: ExactSum(self, wide) if node.kind == "number" else RowAny(self)
            for name, node in program.totals.items()
        }
        full = b.mul(b.udiv(rows, lanes), lanes)
        with self.loop(LONG(0), full, self.lanes) as start:
            self._step(start, None)
        with b.if_then(b.icmp_unsigned("<", full, rows)):
            left = b.trunc(b.sub(rows, full), INT)
            self._step(full, b.icmp_unsigned("<", self.counting(), self.splat(left)))
        for name, total in self.totals.items():
            address = self.address("totals", LONG(TOTALS.index(name)), DOUBLE)
            amount = total.finished() if isinstance(total, ExactSum) else total.finished_exactly()
            b.store(b.fadd(b.load(address, typ=DOUBLE), amount), address)
        b.ret_void()

    def _step(self, start: Any, mask: Any) -> None:
        """As many rows as there are lanes."""
        b, program = self.builder, self.program
        self.loaded: dict[str, Any] = {}
        self.whole = Place(self.lanes, start, mask)
        self.entries = [Place(self.lanes, start, mask, entry) for entry in range(self.length)]
        for node in program.nodes:  # operands first
            for place in self._places(node):
                self.value(node, place)
        for name, node in program.totals.items():
            for place in self._places(node):
                value = self.value(node, place)
                if node.kind != "number":
                    self.totals[name].add(value, place)
                    continue
                amount = self.multiplied(self.widened(value), name, place)
                self.totals[name].add(amount if mask is None else b.select(mask, amount, self.like(amount, 0.0)))
        for name, node in program.stores.items():
            self._store(name, [self.value(node, place) for place in self._places(node)])

    def _places(self, node: Expression) -> list[Place]:
        return self.entries if node.row else [self.whole]

    # ── expressions ──────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, node: Expression, place: Place) -> Any:
        place = place if node.row else self.whole
        if node not in place.values:
            place.values[node] = self._computed(node, place)
        return place.values[node]

    def _computed(self, node: Expression, place: Place) -> Any:
        b = self.builder
        match node.operation:
            case "input":
                return self._input(node, place)
            case "constant":
                return self.splat(self.number(float.fromhex(node.detail)))
            case "setting":
                return self.splat(self.settings[node.detail])
            case "classes":
                return self.splat(self.number(float(self.length)))
            case "is_class" | "is_below":
                index = self.value(node.operands[0], place)
                return b.icmp_signed(POSITIONS[node.operation], self.like(index, place.entry), index)
            case "to_index":
                return self._to_index(node.operands[0], place)
            case "take":
                row, index = node.operands[0], self.value(node.operands[1], place)
                taken = self.value(row, self.entries[0])
                for entry in self.entries[1:]:
                    taken = b.select(
                        b.icmp_signed("==", self.like(index, entry.entry), index), self.value(row, entry), taken
                    )
                return taken
            case "sum" | "rest":
                return self._summed(node)[node.operation == "rest"]
            case "max" | "argmax":
                return self._largest(node)[node.operation == "argmax"]
        return self.combined(node, place)

    def _input(self, node: Expression, place: Place) -> Any:
        name = node.detail
        if name == "scale":
            return self.splat(self.given_scale)
        if name == "ignored":
            return self.splat(self.arguments[name])
        kind = {"number": self.number, "truth": BYTE, "index": LONG}[node.kind]
        if name.startswith("table"):
            entry = self.known[int(name.split()[1])][place.entry]
            if entry is not None:
                return self.splat(kind(entry))
            return self.splat(self.builder.load(self.address(name, LONG(place.entry), kind), typ=kind))
        loaded = self._load(name, kind, place, self.length if node.row else 1)
        return loaded if node.kind != "truth" else self.builder.icmp_unsigned("!=", loaded, self.like(loaded, 0))

    def _to_index(self, number: Expression, place: Place) -> Any:
        if number.operation == "classes":
            return self.splat(LONG(self.length))
        if number.operation == "constant":
            return self.splat(LONG(int(float.fromhex(number.detail))))
        return self.builder.fptosi(self.value(number, place), ir.VectorType(LONG, self.lanes))

    def _of_operand(self, node: Expression) -> Iterator[Any]:
        return (self.value(node.operands[0], entry) for entry in self.entries)

    def _summed(self, node: Expression) -> tuple[Any, Any]:
        """The sums of rows in the entries' dtype, and what rounding them has lost."""
        b, narrow = self.builder, self.number != DOUBLE
        first, *others = (self.widened(value) for value in self._of_operand(node))
        if narrow and node.operation == "sum":
            total = functools.reduce(b.fadd, others, first)
            return b.fptrunc(total, ir.VectorType(self.number, self.lanes)), None
        total, lost = first, self.like(first, 0.0)
        for value in others:
            before, total = total, b.fadd(total, value)
            back = b.fsub(total, before)
            lost = b.fadd(lost, b.fadd(b.fsub(before, b.fsub(total, back)), b.fsub(value, back)))
        # Where the sum is infinite nothing is lost, and ∞ − ∞ is no number.
        lost = b.select(b.fcmp_ordered("ord", lost, lost), lost, self.like(lost, 0.0))
        vector = ir.VectorType(self.number, self.lanes)
        rounded = b.fadd(total, lost)
        if not narrow:
            return rounded, b.fadd(b.fsub(total, rounded), lost)
        rounded = b.fptrunc(rounded, vector)
        return rounded, b.fptrunc(b.fadd(b.fsub(total, self.widened(rounded)), lost), vector)

    def _largest(self, node: Expression) -> tuple[Any, Any]:
        """The largest entries of rows, NaN where any is, and the indices of the first such."""
        b = self.builder
        index = ir.Constant(ir.VectorType(LONG, self.lanes), [0] * self.lanes)
        values = list(self._of_operand(node))
        best = self.like(values[0], float("-inf"))
        for place, value in enumerate(values):
            better = b.fcmp_ordered(">", value, best)
            best = b.select(better, value, best)
            index = b.select(better, self.like(index, place), index)
        undefined = functools.reduce(b.or_, (b.fcmp_unordered("uno", value, value) for value in values))
        return b.select(undefined, self.like(best, float("nan")), best), index

    # ── memory ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _load(self, name: str, kind: Any, place: Place, count: int) -> Any:
        """One of so many numbers that each row has."""
        if place.mask is not None:
            vector = ir.VectorType(kind, self.lanes)
            addresses, nothing = self._apart(name, kind, place.entry, count), ir.Constant(vector, [0] * self.lanes)
            operands = addresses, INT(_SIZES[kind]), place.mask, nothing
            return self.call("llvm.masked.gather", vector, *operands, ending=f".v{self.lanes}p0")
        if name not in self.loaded:
            address = self.address(name, self.builder.mul(place.start, LONG(count)), kind)
            vector = ir.VectorType(kind, self.lanes * count)
            self.loaded[name] = self.builder.load(address, typ=vector, align=_SIZES[kind])
        whole = self.loaded[name]
        return self._shuffled(whole, whole, range(place.entry, self.lanes * count, count)) if count > 1 else whole

    def _store(self, name: str, values: list[Any]) -> None:
        """One number for each row, or one for each of its entries."""
        place, count, kind = self.whole, len(values), self.number
        if place.mask is None:
            address = self.address(name, self.builder.mul(place.start, LONG(count)), kind)
            self.builder.store(self._interleaved(values), address, align=_SIZES[kind])
            return
        for entry, value in enumerate(values):
            operands = value, self._apart(name, kind, entry, count), INT(_SIZES[kind]), place.mask
            self.call("llvm.masked.scatter", ir.VoidType(), *operands, of=value.type, ending=f".v{self.lanes}p0")

    def _interleaved(self, vectors: list[Any]) -> Any:
        """The first lane of each, then the second, …"""
        count, whole = len(vectors), vectors
        while len(whole) > 1:
            pairs = [(one, whole[k + 1] if k + 1 < len(whole) else one) for k, one in enumerate(whole)][::2]
            whole = [self._shuffled(one, two, range(2 * one.type.count)) for one, two in pairs]
        if count == 1:
            return whole[0]
        one = whole[0]
        return self._shuffled(one, one, [k * self.lanes + lane for lane in range(self.lanes) for k in range(count)])

    def _shuffled(self, one: Any, two: Any, lanes: Iterable[int]) -> Any:
        places = list(lanes)
        return self.builder.shuffle_vector(one, two, ir.Constant(ir.VectorType(INT, len(places)), places))

    def _apart(self, name: str, kind: Any, entry: int, count: int) -> Any:
        """Where that one of so many entries of each row is."""
        b, size = self.builder, _SIZES[kind]
        first = b.mul(b.add(b.mul(self.whole.start, LONG(count)), LONG(entry)), LONG(size))
        steps = ir.Constant(ir.VectorType(LONG, self.lanes), [size * count * lane for lane in range(self.lanes)])
        addresses = b.add(self.splat(b.add(self.arguments[name], first)), steps)
        return b.inttoptr(addresses, ir.VectorType(ir.PointerType(), self.lanes))
