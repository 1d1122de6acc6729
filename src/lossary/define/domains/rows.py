"""Domains of rows of numbers: alike, boxes, quantiles, or columns with names."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, ClassVar, final

from lossary.define.domains.domain import Domain, limits_of, numpy_ops
from lossary.define.link import Link
from lossary.ops.ops import Array, Operations

if TYPE_CHECKING:
    from lossary.ops.arrays import Framework


@final
@dataclasses.dataclass(frozen=True)
class Row(Domain):
    """Rows of numbers, each of which is legal by itself: an embedding, an image's pixels, one number for each quantile.

    Rows of rows are `Row(Row(...))`: what one loss is made of may have two axes, or more.
    """

    entry: Domain

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", self.entry.axes + 1)
        object.__setattr__(self, "takes_all", self.entry.takes_all)

    @property
    def indices(self) -> bool:  # type: ignore[override]  # of each entry
        return self.entry.indices

    @property
    def low(self) -> float:
        return self.entry.low

    @property
    def high(self) -> float:
        return self.entry.high

    @property
    def discrete(self) -> bool:
        return self.entry.discrete

    @property
    def link(self) -> Link | None:
        return self.entry.link

    @property
    def symbol(self) -> str | None:
        return self.entry.symbol

    @property
    def wanted(self) -> str:
        return self.innermost.wanted

    def advice(self, argument: str) -> str:
        return self.entry.advice(argument)

    @property
    def innermost(self) -> Domain:
        return self.entry.innermost

    def encode(self, index: Any, classes: int) -> Any:
        return self.entry.encode(index, classes) if self.indices else super().encode(index, classes)

    def contains(self, xp: Framework, x: Array, prediction: Array, epsilon: float) -> Array | None:
        legal = self.entry.contains(xp, x, prediction, epsilon)
        return None if legal is None else _all_of_each(xp, legal)

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return self.entry.safe(xp, x)

    def activate(self, xp: Operations, x: Array) -> Array:
        return self.entry.activate(xp, x)

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        return self.entry.ordinary(generator, shape)

    def sample(self, generator: Any, shape: tuple[int, ...]) -> Any:
        return self.entry.sample(generator, shape)


@final
@dataclasses.dataclass(frozen=True)
class Boxes(Domain):
    """Rows of two opposite corners of a box, (x1, y1, x2, y2), with x1 ≤ x2 and y1 ≤ y2; all four are finite."""

    axes = 1
    size = 4
    wanted = "rows of finite (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2"

    def room(self, x: Any) -> Any:
        import numpy as np

        with np.errstate(over="ignore"):
            return np.tile(x[..., 2:] - x[..., :2], 2)

    def advice(self, argument: str) -> str:
        return "of (x, y, width, height) the other corner is (x + width, y + height)."

    def contains(self, xp: Framework, x: Array, prediction: Array, epsilon: float) -> Array | None:
        left, top, right, bottom = xp.columns(x, 4)
        swapped = xp.logical_or(left > right, top > bottom)
        return xp.logical_not(xp.logical_or(swapped, xp.equal(xp.max(xp.abs(x)), math.inf)))

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return xp.table([0.0, 0.0, 1.0, 1.0], x)

    def activate(self, xp: Operations, x: Array) -> Array:
        """A corner, and after a softplus width and height."""
        left, top, width, height = xp.columns(x, 4)
        return xp.stack(left, top, left + xp.softplus(width), top + xp.softplus(height))

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        corner = generator.normal(size=(*shape[:-1], 2))
        return np.concatenate([corner, corner + np.exp(0.5 * generator.normal(size=corner.shape))], axis=-1)

    def sample(self, generator: Any, shape: tuple[int, ...]) -> Any:
        """Ordinary boxes, of which every tenth is of another size altogether, or has no area."""
        import numpy as np

        boxes = self.ordinary(generator, shape)
        size = np.where(generator.uniform(size=shape[:-1]) < 0.2, 0.0, 10.0 ** generator.uniform(-6.0, 6.0, shape[:-1]))
        return boxes * np.where(generator.uniform(size=shape[:-1]) < 0.1, size, 1.0)[..., None]

    def edges(self, dtype: str, classes: int = 4) -> Any:
        import numpy as np

        limits = limits_of(dtype)
        small, most = float(limits.smallest_normal), float(limits.max)
        flat = [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0], [0.5, -1, 0.5, 1]]
        sizes = [[-size, -size, size, size] for size in (small, 1.0, most)]
        far = [[0, 0, most, most], [-1, 0, 1, small], [-most, -most, -0.5 * most, -0.5 * most]]
        return self._legal(np.array([*flat, *sizes, *far], np.float64), dtype, 4)


@final
@dataclasses.dataclass(frozen=True)
class Quantiles(Domain):
    """Rows of numbers, one for each of these levels: the quantiles of one number's law."""

    levels: tuple[float, ...]
    axes = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", len(self.levels))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{level:g}-quantile" for level in self.levels)

    @property
    def wanted(self) -> str:
        return f"rows of {len(self.levels)} numbers, one for each level"

    def advice(self, argument: str) -> str:
        return f"{argument}[..., k] is the quantile of the level levels[k]."

    @property
    def says_estimate(self) -> bool:
        return 0.5 in self.levels

    def estimate(self, x: Any) -> Any:
        if not self.says_estimate:
            raise TypeError(f"{self!r} has no level of 0.5, the median's.")
        return x[..., self.levels.index(0.5)]

    @property
    def says_interval(self) -> bool:
        return len(self.levels) > 1

    def interval(self, x: Any) -> Any:
        return x[..., [0, -1]] if self.says_interval else super().interval(x)

    def perfect(self, target: Any, shape: tuple[int, ...]) -> Any:
        """Of a number that is known, each quantile is that number."""
        import numpy as np

        target = np.asarray(target, np.float64)
        return np.broadcast_to(target[(..., *(None,) * (len(shape) - target.ndim))], shape)

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return 0.0


@final
@dataclasses.dataclass(frozen=True, init=False)
class Columns(Domain):
    """Rows of as many numbers as there are names, each with a domain of its own.

    `Columns(mean=Real(), log_scale=Real())` are rows of two. In a loss, `xp.columns(p, 2)` takes such rows apart, and
    `xp.stack(mean, log_scale)` puts them together.

    Some names say what a column predicts of the target: mean, median and location a number that stands for it, lower
    and upper what it is not below and not above. Columns of any other name are on a scale of their own, and those whose
    name begins with `log_` have logarithms.
    """

    _centres: ClassVar[tuple[str, ...]] = ("mean", "median", "location")
    _ends: ClassVar[tuple[str, ...]] = ("lower", "upper")
    columns: tuple[tuple[str, Domain], ...]
    axes = 1

    def __init__(self, **columns: Domain) -> None:
        if len(columns) < 2 or any(domain.rows or domain.indices for domain in columns.values()):
            raise TypeError("Columns needs two names or more, each with a domain of single numbers.")
        object.__setattr__(self, "columns", tuple(columns.items()))
        object.__setattr__(self, "size", len(columns))
        object.__setattr__(self, "takes_all", all(domain.takes_all for domain in columns.values()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.columns)

    @property
    def link(self) -> Link | None:
        return None

    def room(self, x: Any) -> Any:
        import numpy as np

        return np.stack([domain.room(x[..., k]) for k, (_, domain) in enumerate(self.columns)], axis=-1)

    @property
    def says_estimate(self) -> bool:
        return any(name in self._centres for name in self.names)

    def estimate(self, x: Any) -> Any:
        if not self.says_estimate:
            raise TypeError(f"{self!r} has no column that is called mean, median or location.")
        place, domain = next((k, domain) for k, (name, domain) in enumerate(self.columns) if name in self._centres)
        return domain.estimate(x[..., place])

    @property
    def says_interval(self) -> bool:
        return all(end in self.names for end in self._ends)

    def interval(self, x: Any) -> Any:
        return x[..., list(map(self.names.index, self._ends))] if self.says_interval else super().interval(x)

    def perfect(self, target: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        if len(np.shape(target)) == len(shape):
            return np.asarray(target, np.float64)
        if not any(name in (*self._centres, *self._ends) for name in self.names):
            return None
        rows = np.empty(shape)
        rows[...] = self.safe(numpy_ops(), rows)
        for place, (name, domain) in enumerate(self.columns):
            if name in (*self._centres, *self._ends):
                rows[..., place] = domain.perfect(target, shape[:-1])
        return rows

    @property
    def wanted(self) -> str:
        each = [f"{name} ({domain.wanted})" for name, domain in self.columns]
        return f"rows of {len(each)} columns, {', '.join(each[:-1])} and {each[-1]}"

    def advice(self, argument: str) -> str:
        return f"{argument}[..., k] is column k: {', '.join(f'{k} {name}' for k, name in enumerate(self.names))}."

    def contains(self, xp: Framework, x: Array, prediction: Array, epsilon: float) -> Array | None:
        legal = None
        for (_, domain), column in zip(self.columns, xp.columns(x, len(self.columns)), strict=True):
            inside = domain.contains(xp, column, prediction, epsilon)
            if inside is not None:
                legal = inside if legal is None else xp.logical_and(legal, inside)
        return legal

    def safe(self, xp: Operations, x: Array) -> Array | float:
        return xp.table([domain.safe(xp, x) for _, domain in self.columns], x)

    def activate(self, xp: Operations, x: Array) -> Array:
        columns = zip(self.columns, xp.columns(x, len(self.columns)), strict=True)
        return xp.stack(*(domain.activate(xp, column) for (_, domain), column in columns))

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        return np.stack([domain.ordinary(generator, shape[:-1]) for _, domain in self.columns], axis=-1)

    def edges(self, dtype: str, classes: int = 3) -> Any:
        import numpy as np

        rows = []
        for place, (_, domain) in enumerate(self.columns):
            edges = domain.edges(dtype)
            beside = np.empty((len(edges), len(self.columns)))
            beside[...] = self.safe(numpy_ops(), beside)
            beside[:, place] = edges
            rows.append(beside)
        return np.unique(np.concatenate(rows), axis=0)

    def sample(self, generator: Any, shape: tuple[int, ...]) -> Any:
        import numpy as np

        return np.stack([domain.sample(generator, shape[:-1]) for _, domain in self.columns], axis=-1)


def _all_of_each(xp: Operations, holds: Array) -> Array:
    """Whether all entries of each row hold."""
    return xp.equal(xp.sum(xp.where(holds, 0.0, 1.0)), 0.0)
