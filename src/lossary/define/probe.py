"""What claims are tried on: a loss, and legal points for it, adversarial and random; everything in float64 NumPy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, final

from lossary.define import link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lossary.define.domains.domain import Domain
    from lossary.define.link import Link
    from lossary.define.loss import Loss
    from lossary.define.objective import Objective

_CLASSES = 4  # of the rows on which claims about rowwise losses are tried
_ENTRIES = 6  # of the batches on which claims about losses of a whole batch are tried


class NothingBetweenError(Exception):
    """Between no two legal predictions everything is legal."""


@final
class Probe:
    """A loss, and legal points to try it on; everything in float64 NumPy.

    A loss of single numbers is tried on single numbers, one for each label where it has a table with an entry for each;
    a loss of rows on whole rows, one of the whole batch on small batches. What is measured (sizes, distances) is
    measured of each number, of each row, or of each batch.

    A claim is about the first input, beside the second, the target; what else a loss takes is drawn once.
    """

    def __init__(self, loss: Loss | Objective, points: int, seed: int, classes: int = _CLASSES) -> None:
        import numpy as np

        self.np = np
        self.loss = loss
        self.pooled = not loss.separable
        # Batches are evaluated one by one, and rows of rows have many numbers.
        fewer = 200 if self.pooled else 4 ** max(0, loss.prediction.axes - 1)
        self.points = points = max(min(points, 25), points // fewer)
        self.generator = np.random.default_rng(seed)
        # The trailing axes of what has one loss.
        self.axes = loss.prediction.axes + self.pooled
        self.rows = self.axes > 0
        # What a sum multiplies its losses by, and their rounding with them.
        self.scale = sum(factor for factor, _ in getattr(loss, "summands", ((1.0, loss),)))
        entries = _table_entries(loss)
        self.classes = entries or loss.prediction.size or classes
        row = (self.classes,) * loss.prediction.axes
        self.shape: tuple[int, ...] = (points, _ENTRIES, *row) if self.pooled else (points, *row)
        if entries and not self.rows:
            self.shape = (max(1, points // entries), entries)
        self.beside = {
            name: domain.sample(self.generator, domain.shape_beside(loss.prediction, self.shape))
            for name, domain in list(loss.domains.items())[2:]
        }
        self.counterexample: dict[str, Any] = {}  # what `first` put into words, as numbers

    # ── points ───────────────────────────────────────────────────────────────────────────────────────────────────

    def prediction(self) -> Any:
        return self.loss.prediction.sample(self.generator, self.shape).astype("float64")

    def target(self) -> Any:
        shape = self.loss.target.shape_beside(self.loss.prediction, self.shape)
        target = self.loss.target.sample(self.generator, shape)
        if self.pooled and not self.loss.target.rows:
            target[::2, 1::2] = target[::2, ::2]  # of every other batch, entries are alike in pairs
        if self.loss.target.rows and self.loss.target.certain:  # every fifth is
            lead = target.shape[: target.ndim - self.loss.target.innermost.axes]
            index = self.generator.integers(self.classes, size=lead)
            target[::5] = self.loss.target.encode(index, self.classes)[::5]
        elif self.rows and math.isfinite(self.loss.target.high - self.loss.target.low):  # or all entries near one edge
            lead = (*self.lead, *(1,) * (target.ndim - len(self.lead)))
            edge = self.generator.choice([self.loss.target.low, self.loss.target.high], size=lead)
            near = self.generator.choice([1e-3, 0.01, 0.1], size=lead)
            moved = edge + near * (target - edge)
            target[::5] = self.np.where(self._are_legal(self.loss.target, moved), moved, target)[::5]
        return target

    def segments(self) -> tuple[Any, Any, Any]:
        """Pairs between which everything is legal: where the domain does not contain it, both are the same point.

        Claims about what lies between are therefore tried everywhere on convex domains alone, and on others along the
        pairs that are found.

        Raises:
            NothingBetweenError: none is found, as on a circle.
        """
        first, second, target = self.pairs()
        domain, legal = self.loss.prediction, self.np.ones(1, bool)
        for share in () if domain.takes_all else (0.25, 0.5, 0.75):
            legal = legal & self._are_legal(domain, (1.0 - share) * first + share * second)
        if not legal.any():
            raise NothingBetweenError
        return first, self.np.where(legal, second, first), target

    def pairs(self) -> tuple[Any, Any, Any]:
        """Pairs of predictions and a target for each: far apart, close together, around the target, and in the
        directions in which a loss of rows may not change at all."""
        first, second, target = self.prediction(), self.prediction(), self.target()
        if self.is_regression:
            third = len(first) // 3
            for ends in (first, second):
                if self.loss.prediction.takes_all:
                    ends[:third] = target[:third] + self.generator.normal(size=target[:third].shape)
                else:
                    ends[:third] = self.towards(target, ends, 0.1)[:third]
        near = slice(0, len(first) // 4)
        second[near] = self.towards(first, second, 0.01)[near]
        if self.rows and self.classes > 1 and self.loss.prediction.size is None:  # columns are not alike
            second[-2::-8] = first[-2::-8, ::-1]  # two pairs of classes change places,
            one, other = self.generator.permutation(self.classes)[:2]
            second[-4::-8] = first[-4::-8]
            second[-4::-8, [one, other]] = first[-4::-8, [other, one]]  # or one,
            if self.loss.prediction.of_logits or (self.pooled and self.loss.prediction.unbounded):
                second[-6::-8] = first[-6::-8] + 1.0  # or all rise alike,
            if self.loss.prediction.of_logits and self.loss.prediction.axes == self.axes == 1:
                # or the right class alone
                right = self.loss.target.decide(target[-8::-8], lambda rows: rows.argmax(-1))
                rise = self.generator.uniform(0.5, 4.0, size=(len(right), 1))
                second[-8::-8] = first[-8::-8] + rise * (self.np.arange(self.classes) == right[:, None])
        return first, self.legal(second, first), target

    def towards(self, target: Any, prediction: Any, share: Any) -> Any:
        """Predictions so near their targets, or other ones, as a share of the way from them; those where these are not
        legal. Of what a target says a prediction may say."""
        return self.legal((1.0 - share) * target + share * prediction, prediction)

    def legal(self, prediction: Any, others: Any) -> Any:
        """These predictions, and the others where these are not legal."""
        return self.np.where(self._are_legal(self.loss.prediction, prediction), prediction, others)

    def _are_legal(self, domain: Domain, x: Any) -> Any:
        """Whether each value is, or each batch of them that is one loss, to stand beside their numbers."""
        from lossary.ops.numpy import ops

        np, points = self.np, len(x)
        with np.errstate(all="ignore"):
            legal = domain.contains(ops, x, x, float(np.finfo("float64").eps))
        each = np.ones(points, bool) if legal is None else np.reshape(legal, (points, -1)).all(axis=1)
        return each.reshape(points, *(1,) * (x.ndim - 1))

    @property
    def lead(self) -> tuple[int, ...]:
        """The shape of the losses."""
        return self.shape[: len(self.shape) - self.axes]

    @property
    def rows_of_classes(self) -> bool:
        """Whether its rows are distributions over classes."""
        return self.loss.prediction.rows and self.loss.target.says_class and not self.loss.target.indices

    @property
    def is_regression(self) -> bool:
        """Whether predictions are on the scale of targets, number for number."""
        prediction, target = self.loss.prediction, self.loss.target
        alike = (prediction.axes, prediction.size, prediction.link) == (target.axes, target.size, target.link)
        amounts = not (prediction.says_class or target.says_class or prediction.logarithms or target.discrete)
        return self.loss.paired and alike and amounts

    @property
    def of_distributions(self) -> bool:
        """Whether a target is itself a distribution over classes, rather than one of them."""
        return self.rows_of_classes and not self.loss.target.one_hot

    @property
    def interchangeable(self) -> bool:
        """Whether what a target says a prediction may say."""
        alike = self.loss.prediction.axes == self.loss.target.axes
        return self.is_regression or (alike and self.of_distributions and self.loss.prediction.probabilities)

    def perfect(self, target: Any) -> Any:
        """The predictions that say what these targets do; None where no prediction does."""
        prediction, its = self.loss.prediction, self.loss.target
        if self.interchangeable:
            return target
        if not self.loss.paired or not prediction.rows or its.rows or prediction.says_class or its.says_class:
            return None
        return prediction.perfect(target, self.shape)

    def shares(self) -> Any:
        """Distributions over the classes, or probabilities, none of them certain."""
        if self.loss.prediction.rows:
            return self.generator.dirichlet(self.np.ones(self.classes), size=self.lead)
        return self.generator.uniform(1e-9, 1.0 - 1e-9, size=self.shape)

    def as_prediction(self, share: Any) -> Any:
        """The prediction that says it."""
        return self._link(self.loss.prediction).apply(share)

    def as_target(self, share: Any) -> Any:
        """The target that says it."""
        return self._link(self.loss.target).apply(share)

    def said_by(self, x: Any, domain: Domain) -> Any:
        """The rows of shares that predictions or targets stand for; logarithms are divided by what they add up to."""
        return x if domain.shares else link.softmax.inverse(x)

    @staticmethod
    def _link(domain: Domain) -> Link:
        """Of what says probabilities."""
        assert domain.link is not None
        return domain.link

    def outcomes(self) -> list[tuple[Any, Any]]:
        """Targets that may come up, and the share that each stands for: the classes, and others where the target is a
        distribution itself."""
        np, domain = self.np, self.loss.target
        shares = np.eye(self.classes) if self.loss.prediction.rows else (0.0, 1.0)
        found = []
        if domain.certain:
            found = [(domain.encode(np.full(self.lead, k), len(shares)), share) for k, share in enumerate(shares)]
        if self.of_distributions or not domain.certain:
            soft = [self.shares() for _ in range(2)]
            found += [(self.as_target(share), share) for share in soft]
        return found

    def laws(self, count: int) -> tuple[Any, Any]:
        """Discrete laws of a number: (count, 6) values, mostly skewed, and their shares; every third has equal ones."""
        np, generator, domain = self.np, self.generator, self.loss.target
        values = generator.gamma(0.7, 3.0, size=(count, 6)) + 1e-3
        if np.isfinite(domain.low) != np.isfinite(domain.high):
            values = domain.low + values if np.isfinite(domain.low) else domain.high - values
        else:
            values = generator.choice([-1.0, 1.0], size=(count, 1)) * values + generator.normal(size=(count, 1))
            values = domain.inside(values)
        shares = generator.dirichlet(np.ones(6), size=count)
        shares[::3] = 1.0 / 6.0
        return values, shares

    def symmetric_laws(self, count: int) -> tuple[Any, Any, Any]:
        """Laws of a number that are symmetric: their centres, (count,), their values and their shares, (count, 12)."""
        np, domain = self.np, self.loss.target
        values, shares = self.laws(count)
        ends = [end for end in (domain.low, domain.high) if np.isfinite(end)]
        start = sum(ends) / len(ends) if ends else 0.0
        away = values - start
        centre = np.full(count, start)
        if len(ends) < 2:  # so far from the one end that every value is legal
            centre += np.abs(away).max(axis=1) * (-1.0 if ends and ends[0] == domain.high else 1.0)
        values = centre[:, None] + np.concatenate([0.9 * away, -0.9 * away], axis=1)
        return centre, values, 0.5 * np.concatenate([shares, shares], axis=1)

    # ── what the loss says ───────────────────────────────────────────────────────────────────────────────────────

    def values(self, prediction: Any, target: Any, chosen: Any = slice(None)) -> Any:
        """The loss of each point; where these are some of all, `chosen` says which."""
        inputs = self._inputs(prediction, target, chosen)
        if not self.pooled:
            return self.loss.values(**inputs)
        return self.np.array([self.loss(**batch) for batch in self._batches(inputs)])

    def gradient(self, prediction: Any, target: Any) -> Any:
        """The gradient by the first input."""
        inputs = self._inputs(prediction, target, slice(None))
        if not self.pooled:
            return self._first(self.loss.value_and_gradient(**inputs, reduction="none")[1])
        gradients = [self.loss.value_and_gradient(**batch)[1] for batch in self._batches(inputs)]
        return self.np.stack([self._first(each) for each in gradients])

    def _inputs(self, prediction: Any, target: Any, chosen: Any) -> dict[str, Any]:
        others = {name: x[chosen] for name, x in self.beside.items()}
        return dict(zip(self.loss.inputs[:2], (prediction, target), strict=True)) | others

    @staticmethod
    def _batches(inputs: dict[str, Any]) -> Iterator[dict[str, Any]]:
        names = list(inputs)
        return (dict(zip(names, batch, strict=True)) for batch in zip(*inputs.values(), strict=True))

    @staticmethod
    def _first(gradient: Any) -> Any:
        return gradient[0] if isinstance(gradient, tuple) else gradient

    def mean_costs(self, candidates: Any, values: Any, shares: Any) -> Any:
        """The expected loss of each candidate (laws, candidates), where the target has the values (laws, n) with these
        shares; candidates are amounts, as targets are."""
        said = self._link(self.loss.prediction).apply(candidates)
        pairs = self.np.broadcast_arrays(said[..., None], values[:, None, :])
        prediction, target = (self.np.ascontiguousarray(each).ravel() for each in pairs)
        costs = self.np.reshape(self.values(prediction, target), pairs[0].shape)
        return (costs * shares[:, None, :]).sum(axis=-1)

    # ── words and measures ───────────────────────────────────────────────────────────────────────────────────────

    def describe(self, index: tuple[int, ...], **arrays: Any) -> str:
        label = f"label {index[-1]}: " if len(index) > 1 else ""
        return label + ", ".join(
            f"{name} = {self.np.round(array[index], 6).tolist()}" for name, array in arrays.items()
        )

    def first(self, bad: Any, **arrays: Any) -> str | None:
        """The first bad point in words."""
        where = self.np.argwhere(bad)
        if not len(where):
            return None
        index = tuple(int(i) for i in where[0])
        self.counterexample = {name: array[index] for name, array in arrays.items()}
        return f"at {self.describe(index, **arrays)}"

    def size(self, x: Any) -> Any:
        """Euclidean, of each row or batch; of each number where the loss is one of numbers."""
        with self.np.errstate(over="ignore"):
            if not self.rows:
                return self.np.abs(x)
            return self.np.hypot.reduce(x.reshape(*x.shape[: x.ndim - self.axes], -1), axis=-1)

    def distance(self, x: Any, y: Any) -> Any:
        """Euclidean, as the size; NaN between infinities."""
        with self.np.errstate(invalid="ignore"):
            return self.size(x - y)

    def over_rows(self, x: Any) -> Any:
        """What there is one of for each loss, beside predictions."""
        return x[(..., *(None,) * self.axes)]


def _table_entries(loss: Any) -> int:
    """How many labels or classes the tables of a loss, or of the losses of a sum, have entries for; 0 without any."""
    sizes = [
        len(table)
        for each in getattr(loss, "losses", (loss,))
        for table in (getattr(each, name) for name in getattr(each, "tables", ()))
        if isinstance(table, tuple)
    ]
    return max(sizes, default=0)
