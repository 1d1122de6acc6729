"""A row after the other, the lanes of a vector along it, and what is left at its end through the same code."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, final

from llvmlite import ir

from lossary.kernels.emitter import BIT, BYTE, DOUBLE, INT, LONG, POSITIONS, TOTALS, Emitter, ExactSum, Place, RowAny
from lossary.kernels.program import Program
from lossary.kernels.symbolic import Expression


def emit(program: Program, *, avx512: bool) -> str:
    """A module, in text, with one function `kernel` over `rows` rows of `length` entries each.

    It takes `arguments(program)` and, last, the scale. Totals are added to what is there.
    """
    return str(_AlongRows(program, avx512).module)


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

_LEAVES: dict[str, Callable[[_AlongRows, Expression, Place], Any]] = {
    "input": _AlongRows._input,
    "constant": _AlongRows._constant,
    "setting": _AlongRows._setting,
    "classes": _AlongRows._classes,
    "is_class": _AlongRows._beside_index,
    "is_below": _AlongRows._beside_index,
    "to_index": _AlongRows._to_index,
}
