"""What a kernel computes: a loss read once, with weights, mask, value checks and reduction around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, final

from lossary.kernels import fits
from lossary.kernels.layout import by_rows
from lossary.kernels.symbolic import Expression, Folded, Scalar, Setting, UntraceableError

if TYPE_CHECKING:
    from lossary.define.loss import Loss

Output = Literal["total", "weight", "values", "gradient", "curvature"]

# From so many operations on, what a later pass needs again is kept rather than computed again.
_WORTH_KEEPING = 24


class Variant(NamedTuple):
    """What a call brings and what it wants."""

    dtype: str  # what is computed in: float32 or float64
    outputs: tuple[Output, ...]
    spacing: float | None = None  # of the coarsest dtype that values came in; None where values are not checked
    weighted: bool = False  # with an array of weights
    masked: bool = False  # with an array of booleans
    ignoring: bool = False  # with a class index that is left out
    pulled: bool = False  # with an upstream derivative for each loss


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """Expressions and where they go."""

    dtype: str
    rows: bool  # whether it looks at rows
    stores: dict[str, Expression]  # arrays to write: one number for each entry, or for each row
    totals: dict[str, Expression]  # what is added up over everything
    factor: Expression | None  # of the losses in "total", by which they are multiplied in float64; None for 1
    settings: tuple[float, ...]  # the numbers of this loss, by their place
    setting_names: tuple[str, ...]
    tables: tuple[tuple[float, ...], ...]
    nodes: tuple[Expression, ...]  # all that is needed, operands first
    weighs: bool  # whether losses count differently
    kept: dict[Expression, int]  # what a pass over the row leaves to later ones, and its place

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(each.detail for each in self.nodes if each.operation == "input")

    @property
    def recipe(self) -> Hashable:
        """All that its code depends on, which losses that differ in their numbers only have in common."""
        places = {node: place for place, node in enumerate(self.nodes)}
        nodes = tuple(
            (each.operation, each.detail, each.kind, each.row, *(places[operand] for operand in each.operands))
            for each in self.nodes
        )
        stores, totals = (
            tuple((name, places[each]) for name, each in named.items()) for named in (self.stores, self.totals)
        )
        factor = None if self.factor is None else places[self.factor]
        kept = tuple((places[each], place) for each, place in self.kept.items())
        return self.dtype, self.rows, nodes, stores, totals, factor, self.setting_names, kept

    @property
    def last_pass(self) -> int:
        """The number of the last pass over a row, from 0."""
        return max((each.level for each in self.nodes if each.row), default=0)

    @property
    def cost(self) -> int:
        """Operations for one entry, about."""
        return sum(each.row and bool(each.operands) for each in self.nodes)


def program(loss: Loss, variant: Variant) -> Program:
    """Read the loss for one entry.

    Raises:
        UntraceableError: the loss cannot be read so; operation by operation it can.
    """
    if not fits(loss):
        raise UntraceableError("kernels read one entry or row of a prediction and a target, and it takes more at once.")
    xp = Scalar(variant.dtype, rows=by_rows(loss))
    p = xp.input("prediction")
    one = loss.prediction.rows and not loss.target.rows  # target for each row
    y = xp.input("target", kind="index" if loss.target.indices else "number", row=not one)
    symbolic = _symbolic(loss)
    try:
        return _program(symbolic, xp, p, y, variant)
    except UntraceableError:
        raise
    except Exception as error:  # a user's loss may do anything; the operations will say what is wrong with it
        raise UntraceableError(f"{type(loss).__name__} cannot be read symbolically: {error}") from error


def _program(loss: Loss, xp: Scalar, p: Expression, y: Expression, variant: Variant) -> Program:
    rows, outputs = loss.prediction.rows, variant.outputs
    legal, sure = _legal(loss, xp, p, y, variant.spacing)
    counts = xp.logical_not(xp.equal(y, xp.input("ignored", kind="index", row=False))) if variant.ignoring else None
    if loss.target.indices:
        y = xp.where(sure, y, 0)
    weight = _weight(loss, xp, p, y, variant, counts)
    # What the loss is written in: in rows of rows it makes one of all their axes itself.
    inputs = [Folded(x) if domain.axes > 1 else x for x, domain in ((p, loss.prediction), (y, loss.target))]
    scale = xp.input("scale", row=False)
    upstream = xp.input("upstream", row=not rows) if variant.pulled else None
    stores: dict[str, Expression] = {}
    totals: dict[str, Expression] = {}
    if "total" in outputs or "values" in outputs:
        values = _silenced(xp, loss.value(xp, *inputs), weight)
        _check_shape(values, row=not rows)
        if "values" in outputs:
            stores["values"] = values if weight is None else weight * values
        if "total" in outputs:
            totals["total"] = values
    # What the gradient is multiplied by is made first: the weight alone, or with the gradient, may be huge or tiny.
    factor = scale if upstream is None else upstream
    factor = factor if weight is None else weight * factor
    for output, method in (("gradient", loss.gradient), ("curvature", loss.curvature)):
        if output in outputs:
            derivative = _silenced(xp, method(xp, *inputs), weight)
            _check_shape(derivative, row=True)
            stores[output] = derivative * factor
    if "weight" in outputs and weight is not None:
        totals["weight"] = weight
    if legal is not None and weight is not None:
        legal = xp.logical_or(legal, xp.equal(weight, 0.0))
    if variant.weighted and variant.spacing is not None and weight is not None:
        positive = xp.logical_not(weight < 0.0)
        legal = positive if legal is None else xp.logical_and(legal, positive)
    if legal is not None:
        totals["illegal"] = xp.logical_not(legal)
    of_losses = weight if "total" in totals else None
    roots = (*stores.values(), *totals.values(), *(() if of_losses is None else (of_losses,)))
    nodes = _needed(roots)
    names = tuple(xp.settings)
    return Program(
        variant.dtype,
        by_rows(loss),
        stores,
        totals,
        of_losses,
        tuple(xp.settings.values()),
        names,
        tuple(xp.tables),
        nodes,
        weight is not None,
        _kept(nodes, roots),
    )


def _symbolic(loss: Loss) -> Loss:
    """The loss with numbers that remember their names."""
    shadow = object.__new__(type(loss))
    for name, setting in loss.settings.items():
        object.__setattr__(shadow, name, Setting(setting, name) if isinstance(setting, float) else setting)
    return shadow


def _legal(
    loss: Loss, xp: Scalar, p: Expression, y: Expression, spacing: float | None
) -> tuple[Expression | None, Expression | None]:
    """Whether values are what the loss takes, where that is asked; and whether an index is one, which always is."""
    sure = loss.target.contains(xp, y, p, 0.0) if loss.target.indices else None  # type: ignore[arg-type]  # as Guarded
    legal = sure
    if spacing is not None:
        for domain, array in ((loss.prediction, p), (loss.target, y)):
            inside = domain.innermost.contains(xp, array, p, spacing)  # type: ignore[arg-type]  # as above
            if inside is not None and inside is not legal:
                legal = inside if legal is None else xp.logical_and(legal, inside)
    return legal, sure


def _weight(
    loss: Loss, xp: Scalar, p: Expression, y: Expression, variant: Variant, counts: Expression | None
) -> Expression | None:
    """What each loss counts for: 0 where it is masked or does not count; None where all count alike."""
    alone = not loss.prediction.rows
    weight: Expression | None = None
    if variant.weighted:
        weight = xp.input("weight", row=alone)
    if variant.masked:
        weight = xp.where(xp.input("where", kind="truth", row=alone), 1.0 if weight is None else weight, 0.0)
    if counts is not None:
        weight = xp.where(counts, 1.0 if weight is None else weight, 0.0)
    of_class: Expression | None = loss.row_weight(xp, y, p)
    if of_class is None or weight is None:
        return weight if of_class is None else of_class
    # Not 0 times the weight of its class: what is left out may be NaN, and so may that.
    counted: Expression = xp.where(xp.equal(weight, 0.0), 0.0, weight * of_class)
    return counted


def _silenced(xp: Scalar, x: Expression, weight: Expression | None) -> Expression:
    """x, and 0 where nothing counts: what stands there may be NaN."""
    if weight is None:
        return x
    silenced: Expression = xp.where(xp.equal(weight, 0.0), 0.0, x)
    return silenced


def _check_shape(x: Any, *, row: bool) -> None:
    if not isinstance(x, Expression) or x.row is not row:
        raise UntraceableError("the loss does not give one number for each entry, or for each row.")


def _needed(roots: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """All that the roots are made of, operands first."""
    nodes: dict[Expression, None] = {}

    def visit(node: Expression) -> None:
        if node not in nodes:
            for each in node.operands:
                visit(each)
            nodes[node] = None

    for root in roots:
        visit(root)
    return tuple(nodes)


def _kept(nodes: tuple[Expression, ...], roots: tuple[Expression, ...]) -> dict[Expression, int]:
    """What a later pass over the row needs that was expensive in an earlier one."""
    kept: dict[Expression, int] = {}
    seen = set()

    def visit(node: Expression, level: int) -> None:
        if not node.row or not node.operands or (node, level) in seen:
            return
        seen.add((node, level))
        if node.level < level and node.kind == "number" and _cost(node) >= _WORTH_KEEPING:
            kept.setdefault(node, len(kept))
            return
        for each in node.operands:
            visit(each, level)

    for node in nodes:
        if not node.row and any(each.row for each in node.operands):
            visit(node.operands[0], node.level - 1)
    for root in roots:
        visit(root, root.level)
    return kept


def _cost(node: Expression) -> int:
    """How many operations it takes to compute this again for one entry."""
    return sum(each.row and bool(each.operands) for each in _needed((node,)))
