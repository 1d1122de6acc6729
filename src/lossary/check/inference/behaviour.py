"""What a loss is, told by what it does: it is called on a few inputs on which the tasks differ.

    regression      least where prediction and target are equal, on both sides of 0
    binary          falls as the scores move towards their labels, for each label
    sparse          falls as the class of the index becomes likelier
    multiclass      falls as the one-hot class becomes likelier, and does not care how the rest is shared out
    distribution    the same, and 0 where the two rows are equal

Logits do not change by a shift of the row, logarithms of probabilities change in proportion to it, probabilities do
neither; single logits go on falling outside of [0, 1], where probabilities raise, are NaN, or are cut off.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, final

import numpy as np

from lossary.check.inference import conventions
from lossary.define.domains.classes import ClassIndex, Labels, Logits, Simplex
from lossary.define.domains.numbers import Positive, Probability, Real, Score

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossary.check.subject.subject import Subject
    from lossary.define.domains.domain import Domain

Kind = str  # "logits", "probabilities" or "logarithms"

_REAL = np.array([2.5, -1.5, 3.7, -4.2], np.float32)
_ABOVE = np.array([2.5, 1.5, 3.7, 4.2], np.float32)  # 0.7 of it is still above 1
_ROWS = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.15, 0.6], [0.2, 0.5, 0.3]], np.float32)
_SHARED = np.array([[0.7, 0.05, 0.25], [0.15, 0.8, 0.05], [0.1, 0.3, 0.6], [0.4, 0.5, 0.1]], np.float32)
_INDEX = np.array([0, 1, 2, 1])
_SHIFT = np.array([[3.0], [-2.0], [1.0], [5.0]], np.float32)
_CLASSES = _ROWS.shape[1]


@final
@dataclasses.dataclass(frozen=True)
class Meaning:
    """What a loss is for.

    Args:
        task: "regression", "binary", "multiclass", "sparse" or "distribution".
        prediction, target: what its arguments may be.
        entry: the shape of one row of the prediction.
        certain: whether its behaviour shows it; else it is what is usual.
    """

    task: str
    prediction: Domain
    target: Domain
    entry: tuple[int, ...]
    certain: bool = True


def answer(subject: Subject, prediction: Any, target: Any, **more: Any) -> Any:
    """What the plain call returns as NumPy numbers; None where it raises or returns something else."""
    try:
        values = subject.values(prediction.copy(), target.copy(), **{"reduction": subject.reduction, **more})
    except (Exception, SystemExit, GeneratorExit):
        return None
    return values if values.dtype.kind in "fiu" and values.size else None


def mean(subject: Subject, prediction: Any, target: Any) -> float:
    """The mean of what the plain call returns; NaN where there is no such number."""
    values = answer(subject, prediction, target)
    return float("nan") if values is None else float(values.mean())


@final
class Behaviour:
    """A loss on trial.

    Args:
        subject: how it is called; its domains are not looked at.
        kind: what its predictions are, where something says so.
        word: the name of the loss.
        entries: the shapes that one row of the prediction may have, the likeliest first.
        logarithms: whether rows of targets are logarithms of probabilities.
    """

    def __init__(
        self,
        subject: Subject,
        kind: Kind | None,
        word: str,
        entries: tuple[tuple[int, ...], ...],
        *,
        logarithms: bool = False,
    ) -> None:
        self.subject = subject
        self.logarithms = logarithms
        self.kind = kind
        self.words = set(conventions.words(word))
        self.entries = entries

    def meaning(self, hint: str | None) -> Meaning | None:
        """What it shows itself to be; what it is hinted to be is tried first. None where nothing fits."""
        if self.subject.host == "boosting":
            return self.of_gradient()
        rows: list[Callable[[], Meaning | None]] = [self.sparse, lambda: self.soft(hint)]
        single = [lambda entry=entry: self.single(entry, hint) for entry in self.entries]
        if hint in ("regression", "binary"):
            tries = [*single, *rows]
        elif hint in ("multiclass", "distribution"):
            tries = [*reversed(rows), *single]
        elif hint == "sparse":
            tries = [*rows, *single]
        else:
            tries = [rows[0], *single, rows[1]]
        return next((meaning for each in tries if (meaning := each()) is not None), None)

    def of_task(self, task: str) -> Meaning:
        """What it is where the task is known: the kind of prediction and of target, and the shape of a row."""
        if self.subject.host == "boosting":
            return self.of_gradient(task)
        if task == "sparse":
            return self.sparse() or Meaning(
                task, self._rows(lambda p: mean(self.subject, p, _INDEX)), ClassIndex(), (3,)
            )
        if task in ("multiclass", "distribution"):
            meaning = self.soft(task)
            target = Simplex(one_hot=task == "multiclass", logarithms=self.logarithms)
            prediction = meaning.prediction if meaning else self._rows(lambda p: mean(self.subject, p, _SHARED))
            return Meaning(task, prediction, target, (_CLASSES,), certain=meaning is not None)
        for entry in self.entries:
            meaning = self.single(entry, task)
            if meaning is not None and meaning.task == task:
                return meaning
        entry = self._accepted()
        if task == "regression":
            return Meaning(task, Real(), Real(), entry, certain=False)
        labels = Labels() if self.words & conventions.MARGINS else Probability()
        return Meaning(task, self._single_kind(Score()), labels, entry, certain=False)

    # ── single numbers ───────────────────────────────────────────────────────────────────────────────────────────

    def single(self, entry: tuple[int, ...], hint: str | None) -> Meaning | None:
        """A regression or binary loss, where it is one."""
        tries = [self._regression, self._binary]
        if hint == "binary" or self.kind in ("logits", "probabilities"):
            tries.reverse()
        parts = next((pair for each in tries if (pair := each(entry)) is not None), None)
        return None if parts is None else Meaning(*parts, entry)

    def _mean(self, prediction: Any, target: Any, entry: tuple[int, ...]) -> float:
        shape = (len(prediction), *entry)
        return mean(
            self.subject, prediction.reshape(shape).astype(np.float32), target.reshape(shape).astype(np.float32)
        )

    def _least(self, prediction: Any, low: Any, high: Any, target: Any, entry: tuple[int, ...]) -> bool:
        here = self._mean(prediction, target, entry)
        return here < self._mean(low, target, entry) and here < self._mean(high, target, entry)

    def _regression(self, entry: tuple[int, ...]) -> tuple[str, Domain, Domain] | None:
        positive = bool(self.words & conventions.POSITIVE)
        if not positive and self._least(_REAL, _REAL - 1, _REAL + 1, _REAL, entry):
            return "regression", Real(), Real()
        if self._least(_ABOVE, 0.7 * _ABOVE, 1.4 * _ABOVE, _ABOVE, entry):
            return "regression", Positive(), Positive()
        logarithms = np.log(_ABOVE)
        if positive and self._least(logarithms, logarithms - 0.5, logarithms + 0.5, _ABOVE, entry):
            return "regression", Real(), Positive()
        return None

    def _binary(self, entry: tuple[int, ...]) -> tuple[str, Domain, Domain] | None:
        labels = [Labels((-1.0, 1.0)), Probability()]
        if not self.words & conventions.MARGINS:
            labels.reverse()
        for target in labels:
            prediction = self._scored(target, entry)
            if prediction is not None:
                soft = np.array([0.3, 0.6, 0.2, 0.9])
                hard = target.shares and np.isnan(self._mean(soft, soft, entry))
                return "binary", prediction, Labels((0.0, 1.0)) if hard else target
        return None

    def _scored(self, target: Domain, entry: tuple[int, ...]) -> Domain | None:
        """What its predictions are, if it is a loss of two classes that are written so."""
        low = target.low
        whole = np.array([low, 1.0, low, 1.0])
        wide = self.kind in (None, "logits") and self._falls((-4.0, -1.0, 1.0, 4.0), low, entry, middle=0.0)
        if wide and self._shifted(low, entry):  # a softmax, which takes the batch for one row
            return None
        # 0 where the prediction is the label itself: an overlap of probabilities, which goes on outside of them.
        overlap = self.kind is None and low == 0.0 and abs(self._mean(whole, whole, entry)) < 1e-6
        if wide and not overlap:
            return Score(logit=low == 0.0 or self._is_logit(entry))
        if low == 0.0 and self.kind in (None, "probabilities"):
            return Probability() if self._falls((-0.4, -0.1, 0.1, 0.4), low, entry, middle=0.5) else None
        near = bool(low and self.words & conventions.DISTANCES)  # small for the positive class
        return Positive() if near and self._falls((4.0, 1.0, -1.0, -4.0), low, entry, middle=0.0) else None

    def _falls(self, steps: tuple[float, ...], low: float, entry: tuple[int, ...], *, middle: float) -> bool:
        """Whether it falls as the predictions move to their own side of the middle, for each label by itself; and goes
        on to do so to the last step on one side at least, as what is cut off does not."""
        target = np.array([low, 1.0, low, 1.0])
        positive = target > 0
        side = np.where(positive, 1.0, -1.0)
        losses = [self._mean(middle + step * side, target, entry) for step in steps]
        mixed = [
            self._mean(middle + np.where(positive, first, second) * side, target, entry)
            for first, second in ((steps[0], steps[-1]), (steps[-1], steps[0]))
        ]
        down = all(a >= b for a, b in itertools.pairwise(losses))  # NaN is neither
        wide = losses[0] > losses[1] and losses[1] > losses[2]
        line = (losses[1] - losses[0]) / (steps[1] - steps[0]), (losses[-1] - losses[-2]) / (steps[-1] - steps[-2])
        # A line that falls for ever is no loss: the other argument is the prediction.
        bent = middle != 0.0 or not np.isclose(*line, rtol=1e-4)
        return bool(down and wide and bent and all(losses[0] > each > losses[-1] for each in mixed))

    def _shifted(self, low: float, entry: tuple[int, ...]) -> bool:
        """Whether it does not mind that all scores of a batch are shifted."""
        target, score = np.array([low, 1.0, low, 1.0]), np.array([-1.0, 0.5, 0.25, 2.0])
        here, there = (self._mean(score + shift, target, entry) for shift in (0.0, 1.0))
        return bool(np.isclose(here, there, rtol=1e-5))

    def _is_logit(self, entry: tuple[int, ...]) -> bool:
        """Whether the losses of the two labels differ by the score itself, as the log-odds' do."""
        target = np.array([-1.0, 1.0, -1.0, 1.0])
        right = {s: self._mean(s * target, target, entry) for s in (0.5, 2.0)}
        near, far = (self._mean(-s * target, target, entry) - right[s] for s in (0.5, 2.0))
        return bool(np.isclose(far, 4.0 * near, rtol=1e-3)) and right[2.0] > 0.0

    def _single_kind(self, usual: Domain) -> Domain:
        return Probability() if self.kind == "probabilities" else usual

    def _accepted(self) -> tuple[int, ...]:
        """The first shape of a row that a plain call takes."""
        for entry in self.entries:
            if not np.isnan(self._mean(np.full(4, 0.3), np.ones(4), entry)):
                return entry
        return self.entries[0]

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def sparse(self) -> Meaning | None:
        """A loss of rows and class indices, where it is one."""
        right, wrong = (mean(self.subject, _ROWS, index) for index in (_INDEX, (_INDEX + 1) % _CLASSES))
        if not right < wrong:
            return None
        return Meaning("sparse", self._rows(lambda p: mean(self.subject, p, _INDEX)), ClassIndex(), (_CLASSES,))

    def soft(self, hint: str | None = None) -> Meaning | None:
        """A loss of rows and rows of probabilities, where it is one; the hint settles what its behaviour does not."""
        hinted = hint in ("multiclass", "distribution")
        target = self._shares()
        if target is None:
            return None
        if not hinted and np.shape(answer(self.subject, _ROWS, target)) == _ROWS.shape:
            return None  # one loss for each entry
        prediction, hard = self._rows(lambda p: mean(self.subject, p, target)), target[0, 1] == 0.0
        guessed = prediction.logarithms and hard and hint is None and self.kind is None
        if guessed and abs(mean(self.subject, np.zeros_like(_ROWS), target)) > 1e-5:
            return None  # a line, but not 0 where the probability is 1
        whole = prediction.logarithms or prediction.of_logits
        alone = hard and np.isclose(mean(self.subject, _ROWS, target), mean(self.subject, _SHARED, target), rtol=1e-4)
        zero = self._is_divergence(np.log(_ROWS) if whole else _ROWS)
        if not (whole or alone or zero):
            if not hinted:
                return None
            if mean(self.subject, 10.0 * _ROWS - 3.0, target) < mean(self.subject, _ROWS, target):
                prediction = Logits()  # scores, which may be anything
        task = "distribution" if zero else "multiclass"
        return Meaning(task, prediction, Simplex(one_hot=not zero, logarithms=self.logarithms), (_CLASSES,))

    def _shares(self) -> Any:
        """Rows of targets at which it tells right from wrong: one-hot if it can be, since 0 · log 0 may be NaN."""
        hot = np.eye(_CLASSES, dtype=np.float32)[_INDEX]
        for rows in (np.log(_ROWS),) if self.logarithms else (hot, _ROWS):
            if mean(self.subject, _ROWS, rows) < mean(self.subject, _ROWS, np.roll(rows, 1, axis=1)):
                return rows
        return None

    def _is_divergence(self, prediction: Any) -> bool:
        """Whether it is 0 where the two rows are equal, and only there."""
        target = np.log(_ROWS) if self.logarithms else _ROWS
        other = np.roll(target, 1, axis=1)
        return abs(mean(self.subject, prediction, target)) < 1e-3 < mean(self.subject, prediction, other)

    def _rows(self, loss: Callable[[Any], float]) -> Domain:
        """What a prediction's rows are."""
        domains = {"logits": Logits(), "probabilities": Simplex(), "logarithms": Simplex(logarithms=True)}
        if self.kind is not None:
            return domains[self.kind]
        here, shifted = loss(_ROWS), loss(_ROWS + _SHIFT)
        if np.isclose(here, shifted, rtol=1e-3, atol=1e-5):
            return domains["logits"]
        once, twice = loss(_ROWS + np.float32(1.0)), loss(_ROWS + np.float32(2.0))
        if not np.isclose(once, here, rtol=1e-3) and np.isclose(twice - once, once - here, rtol=1e-3):
            return domains["logarithms"]
        return domains["probabilities"]

    # ── boosting ─────────────────────────────────────────────────────────────────────────────────────────────────

    def of_gradient(self, task: str | None = None) -> Meaning:
        """What an objective for boosting is for, by its gradient: that of a regression is 0 at the target."""
        above, at, below = (answer(self.subject, _REAL + step, _REAL) for step in (1.0, 0.0, -1.0))
        if (
            task is None
            and above is not None
            and np.all(above > 0)
            and np.all(below < 0)
            and np.allclose(at, 0, atol=1e-6)
        ):
            return Meaning("regression", Real(), Real(), ())
        low, high = (answer(self.subject, np.zeros(4, np.float32), np.full(4, y, np.float32)) for y in (0.0, 1.0))
        signs = low is not None and high is not None and np.all(low > 0) and np.all(high < 0)
        if task == "binary" or (task is None and signs):
            return Meaning("binary", Score(), Probability(), (), certain=bool(signs))
        return Meaning("regression", Real(), Real(), (), certain=False)
