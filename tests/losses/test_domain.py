"""Whoever wants to know something of a domain asks it; and what it answers is true."""

from __future__ import annotations

import ast
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest

import lossary
from lossary import define as domains
from lossary import index
from lossary.define.claims.claim import closure
from lossary.define.claims.classes import Proper
from lossary.define.claims.curve import NotConvex, StronglyConvex, Symmetric, ZeroAtTarget
from lossary.define.claims.estimates import Estimates
from lossary.define.claims.slope import Differentiable, Kinked, Smooth
from lossary.define.domains.classes import Labels, Logits
from lossary.define.domains.domain import Domain
from lossary.define.domains.numbers import Positive, Real, Score
from lossary.define.domains.rows import Boxes
from lossary.define.loss import Loss, Pointwise, Rowwise
from lossary.define.probe import Probe
from lossary.ops.numpy import ops
from tests.grid import PAIRS, losses, ordinary

SOURCE = Path(lossary.__file__).parent
KNOWN = {name for name, each in vars(domains).items() if isinstance(each, type) and issubclass(each, Domain)}
KNOWN -= {"Domain"}
DISPLAYED = {"symbol", "wanted"}


@final
@dataclasses.dataclass(frozen=True)
class Between(Domain):
    """A domain that lossary does not know: an interval without its ends."""

    ends: tuple[float, float]

    @property
    def low(self) -> float:
        return self.ends[0]

    @property
    def high(self) -> float:
        return self.ends[1]

    @property
    def wanted(self) -> str:
        return f"above {self.low} and below {self.high}"

    def contains(self, xp: Any, x: Any, prediction: Any, epsilon: float) -> Any:
        return xp.logical_not(xp.logical_or(x <= self.low, x >= self.high))

    def safe(self, xp: Any, x: Any) -> float:
        return float(np.clip(3.0, self.low + 0.5, self.high - 0.5))


@final
@dataclasses.dataclass(frozen=True)
class Rows(Domain):
    """Rows of numbers of such an interval."""

    of: Between
    axes = 1
    wanted = "rows of such numbers"

    @property
    def low(self) -> float:
        return self.of.low

    @property
    def high(self) -> float:
        return self.of.high

    def contains(self, xp: Any, x: Any, prediction: Any, epsilon: float) -> Any:
        inside = self.of.contains(xp, x, prediction, epsilon)
        return xp.equal(xp.sum(xp.where(inside, 0.0, 1.0)), 0.0)

    def safe(self, xp: Any, x: Any) -> float:
        return self.of.safe(xp, x)


@final
@dataclasses.dataclass(frozen=True)
class Ascending(Domain):
    """Rows of two numbers of which the second is at least as large: what is legal is legal as a whole."""

    axes = 1
    size = 2
    wanted = "rows (low, high) with low <= high"

    def contains(self, xp: Any, x: Any, prediction: Any, epsilon: float) -> Any:
        low, high = xp.columns(x, 2)
        return xp.logical_not(low > high)

    def safe(self, xp: Any, x: Any) -> Any:
        return xp.table([0.0, 1.0], x)

    def activate(self, xp: Any, x: Any) -> Any:
        low, size = xp.columns(x, 2)
        return xp.stack(low, low + xp.softplus(size))

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        return np.sort(generator.normal(scale=1.5, size=(*shape[:-1], 2)), axis=-1)


@final
@dataclasses.dataclass(frozen=True)
class Ring(Domain):
    """Points of the plane at a distance of 1 to 2 from the origin: between two of them not everything is legal."""

    axes = 1
    size = 2
    wanted = "points at a distance of 1 to 2 from the origin"
    low, high = -2.0, 2.0

    def contains(self, xp: Any, x: Any, prediction: Any, epsilon: float) -> Any:
        square = xp.sum(x * x)
        return xp.logical_not(xp.logical_or(square < 1.0 - 8.0 * epsilon, square > 4.0 + 16.0 * epsilon))

    def safe(self, xp: Any, x: Any) -> Any:
        return xp.table([0.0, 1.5], x)

    def activate(self, xp: Any, x: Any) -> Any:
        size = xp.row(xp.sqrt(1e-6 + xp.sum(x * x)))
        return (1.0 + xp.sigmoid(size)) * x / size

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        angle, size = generator.uniform(0.0, 6.0, size=shape[:-1]), generator.uniform(1.1, 1.9, size=shape[:-1])
        return np.stack([size * np.sin(angle), size * np.cos(angle)], axis=-1)


@final
@dataclasses.dataclass(frozen=True)
class Circle(Domain):
    """Points of the plane at a distance of 1 from the origin: what is between two of them is not legal."""

    axes = 1
    size = 2
    wanted = "points at a distance of 1 from the origin"
    low, high = -1.0, 1.0

    def contains(self, xp: Any, x: Any, prediction: Any, epsilon: float) -> Any:
        return xp.logical_not(xp.abs(xp.sum(x * x) - 1.0) > 8.0 * epsilon)

    def safe(self, xp: Any, x: Any) -> Any:
        return xp.table([0.0, 1.0], x)

    def activate(self, xp: Any, x: Any) -> Any:
        return x / xp.row(xp.sqrt(xp.sum(x * x)))

    def ordinary(self, generator: Any, shape: tuple[int, ...]) -> Any:
        angle = generator.uniform(0.0, 6.0, size=shape[:-1])
        return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


class UnnamedEnds(Rowwise):
    """Winkler's score of two columns whose names say nothing."""

    task = "regression"
    prediction, target = domains.Columns(since=Real(), until=Real()), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return lossary.IntervalScore().value(xp, p, y)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return lossary.IntervalScore().gradient(xp, p, y)


def squares(domain: Domain) -> Loss:
    """A right loss over it."""

    if not domain.rows:

        class Square(Pointwise):
            task = "regression"
            prediction = target = domain
            claims = (StronglyConvex(2.0), Symmetric(), Estimates("mean"), ZeroAtTarget(), Smooth(2.0))

            def value(self, xp: Any, p: Any, y: Any) -> Any:
                return (p - y) * (p - y)

            def gradient(self, xp: Any, p: Any, y: Any) -> Any:
                return 2.0 * (p - y)

        return Square()

    class Distance(Rowwise):
        task = "regression"
        prediction = target = domain
        claims = (StronglyConvex(2.0), ZeroAtTarget(), Smooth(2.0))

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return xp.sum((p - y) * (p - y))

        def gradient(self, xp: Any, p: Any, y: Any) -> Any:
            return 2.0 * (p - y)

    return Distance()


INTERVALS = tuple(
    Between(ends)
    for ends in ((1.0, 5.0), (-1.0, 1.0), (0.0, math.inf), (20.0, math.inf), (-math.inf, 0.0), (-math.inf, math.inf))
)
UNKNOWN: tuple[Domain, ...] = (*INTERVALS, *map(Rows, INTERVALS), Ascending())
USED = {repr(each): each for loss in PAIRS for each in (loss.prediction, loss.target)}
USED |= {repr(each): each for each in (Positive(), Labels((1.0, 2.0)), Logits(), Score(), *UNKNOWN, Ring(), Circle())}
of_every_domain = pytest.mark.parametrize("domain", USED.values(), ids=USED)
of_unknown_domains = pytest.mark.parametrize("domain", UNKNOWN, ids=repr)


def legal(domain: Domain, x: Any, dtype: str = "float64", classes: int = 3) -> bool:
    xp: Any = ops
    answer = domain.contains(
        xp, x, np.zeros((len(x), classes)), 2.0 ** {"float16": -10, "bfloat16": -7}.get(dtype, -20)
    )
    return answer is None or bool(np.all(answer))


# ── nobody looks at what kind of domain it is ────────────────────────────────────────────────────────────────────────


def _questions(tree: ast.AST, known: set[str] = KNOWN) -> Iterator[ast.AST]:
    """Where code decides by the class of a domain, or by what is shown of it; or by other classes of these names."""
    for node in ast.walk(tree):
        named: list[ast.AST] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            named = node.args[1:] if node.func.id in ("isinstance", "issubclass") else []
        elif isinstance(node, ast.MatchClass):
            named = [node.cls]
        elif isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            named = [each for each in sides if not isinstance(each, ast.Call)]
            if any(isinstance(each, ast.Attribute) and each.attr in DISPLAYED for each in sides):
                yield node
        for each in named:
            names = [part.id for part in ast.walk(each) if isinstance(part, ast.Name)]
            if known & set(names):
                yield node


def test_nobody_asks_which_domain_it_is() -> None:
    files = [each for each in SOURCE.rglob("*.py") if each.parent != SOURCE / "define" / "domains"]
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"  # type: ignore[attr-defined]
        for path in files
        for node in _questions(ast.parse(path.read_text()))
    ]
    assert not found


def test_nobody_asks_which_loss_it_is() -> None:
    """What is true of one loss alone its own file says, so that a new one needs no other."""
    known = set(index.LOSSES)
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"  # type: ignore[attr-defined]
        for path in SOURCE.rglob("*.py")
        for node in _questions(ast.parse(path.read_text()), known)
    ]
    assert not found
    assert list(_questions(ast.parse("isinstance(loss, Gamma | Poisson)"), known))


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(loss.target, Real)",
        "isinstance(loss.target, Real | domains.Labels | Simplex)",
        "type(loss.target) is ClassIndex",
        "loss.prediction.symbol == 'z'",
        "'numbers' in loss.prediction.wanted",
        "match domain:\n    case Probability():\n        pass",
    ],
)
def test_the_question_would_be_seen(code: str) -> None:
    assert list(_questions(ast.parse(code)))


# ── what every domain answers ────────────────────────────────────────────────────────────────────────────────────────


@of_every_domain
def test_ordinary_points_are_legal_and_away_from_the_edges(domain: Domain) -> None:
    points = domain.ordinary(np.random.default_rng(0), (4_000, domain.size or 3))
    assert points.shape == ((4_000,) if domain.indices else (4_000, domain.size or 3))
    assert legal(domain, points)
    assert np.isfinite(points).all()
    assert np.abs(points).max() < 2e3
    if not domain.discrete:
        assert ((points > domain.low) & (points < domain.high)).all()


@of_every_domain
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_edges_are_legal_numbers_of_the_dtype(domain: Domain, dtype: str) -> None:
    import ml_dtypes

    edges = domain.edges(dtype)
    assert len(edges) >= 2
    assert edges.shape[1:] == ((domain.size or 3,) if domain.rows else ())
    assert legal(domain, edges, dtype)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    np.testing.assert_array_equal(edges.astype(kind).astype(edges.dtype), edges)
    assert len(np.unique(edges, axis=0)) == len(edges)


def test_edges_are_where_one_looks_for_them() -> None:
    assert set(Real().edges("float32")) > {0.0, 1.0, -1.0, np.inf, -np.inf, float(np.finfo("float32").max), 2.0**-149}
    assert set(domains.Probability().edges("float64")) > {0.0, 5e-324, 1.0, 1.0 - 2.0**-53}
    assert Positive().edges("float32").min() == 2.0**-149
    assert set(Between((1.0, 5.0)).edges("float16")) == {1.0 + 2.0**-10, 5.0 - 2.0**-8}
    assert [0.0, 1.0, 0.0] in domains.Simplex().edges("float32").tolist()
    assert list(domains.ClassIndex().edges("float32", 7)) == [0, 6]


@of_every_domain
def test_samples_are_legal_mostly_ordinary_and_the_same_for_the_same_seed(domain: Domain) -> None:
    first, again, other = (domain.sample(np.random.default_rng(seed), (4_000, domain.size or 3)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert legal(domain, first)
    assert legal(domain, first.astype(np.float32), "float32")
    assert not np.isnan(first).any()
    if domain.unbounded:
        assert 0.85 < np.mean((np.abs(first) > 1e-2) & (np.abs(first) < 20.0)) < 0.99
        assert np.abs(first).max() > 1e5
    if domain.one_hot:
        assert 0.6 < np.mean(first.max(axis=-1) == 1.0) < 0.8


@of_every_domain
def test_bounds_hold_every_legal_number(domain: Domain) -> None:
    points = np.concatenate(
        [domain.edges("float32").ravel(), domain.sample(np.random.default_rng(3), (500, domain.size or 3)).ravel()]
    )
    assert domain.low <= points.min()
    assert points.max() <= domain.high
    assert domain.unbounded == (domain.low == -np.inf and domain.high == np.inf)


@of_every_domain
def test_what_is_legal_has_room(domain: Domain) -> None:
    points = domain.ordinary(np.random.default_rng(4), (500, domain.size or 3))
    room = domain.room(points)
    assert room.shape == points.shape
    assert domain.discrete or (room > 0.0).all()


def test_a_shape_beside_a_prediction_has_the_axes_of_its_own_domain() -> None:
    rows, images = domains.Row(Real()), domains.Row(domains.Row(Real()))
    assert Real().shape_beside(Real(), (5, 4)) == (5, 4)
    assert Real().shape_beside(rows, (5, 4)) == (5,)
    assert rows.shape_beside(rows, (5, 4)) == (5, 4)
    assert rows.shape_beside(images, (5, 4, 3)) == (5, 4)
    assert domains.ClassIndex().shape_beside(Logits(), (5, 4)) == (5, 4)  # which it is asked for itself


@of_every_domain
def test_amounts_are_brought_inside_in_order(domain: Domain) -> None:
    numbers = np.array([-1e30, -2.5, -1.0, 0.0, 1e-3, 1.0, 7.0, 1e30])
    inside = domain.inside(numbers)
    assert (np.diff(inside) >= 0.0).all()
    assert (np.diff(inside[1:-1]) > 0.0).all() or domain.discrete  # of which there are two
    if domain.takes_all and not domain.rows:
        np.testing.assert_array_equal(inside, numbers)
    elif not domain.rows and not domain.discrete:
        assert legal(domain, inside.astype(np.float32))


@losses(of=PAIRS, only=lambda loss: not (loss.target.says_class or loss.prediction.says_class))
def test_a_perfect_prediction_is_legal_and_predicts_the_target(loss: Any) -> None:
    prediction, target = ordinary(loss, np.random.default_rng(5), rows=50).values()
    perfect = loss.prediction.perfect(target, prediction.shape)
    assert perfect.shape == prediction.shape
    assert legal(loss.prediction, perfect)
    if loss.prediction.says_estimate:
        np.testing.assert_allclose(loss.prediction.estimate(perfect), target)
    if ZeroAtTarget() in loss.claims:
        assert not loss.values(prediction=perfect, target=target).any()


def test_of_named_columns_those_are_right_that_predict_the_target() -> None:
    y = np.array([1.0, 2.0])
    named = domains.Columns(scale=Positive(), median=Real(), lower=Real(), upper=Positive())
    np.testing.assert_array_equal(named.perfect(y, (2, 4)), [[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 2.0, 2.0]])
    of_logarithms = domains.Columns(shape=Positive(), mean=Real(logarithms=True))
    np.testing.assert_allclose(of_logarithms.estimate(of_logarithms.perfect(y, (2, 2))), y)
    for unknown, entries in ((UnnamedEnds().prediction, 2), (Boxes(), 4)):
        assert unknown.perfect(y, (2, entries)) is None


def test_nobody_guesses_what_a_perfect_row_is() -> None:
    """A rule that needs one leaves a right loss alone whose columns have names of its own."""
    from lossary.check.inference.infer import subject
    from lossary.check.rulebook.rule import select
    from lossary.check.run.ask import ask

    outcomes = {rule.code: ask(rule, subject(UnnamedEnds())) for rule in select((), (), thorough=False)}
    assert outcomes["LSY505"].status == "skipped"
    assert not {code: each.finding.message for code, each in outcomes.items() if each.finding is not None}


@of_every_domain
def test_classes_are_said_and_read(domain: Domain) -> None:
    index = np.arange(3 if domain.rows or domain.indices else 2)
    if not domain.certain:
        with pytest.raises(TypeError, match="says no class"):
            domain.encode(index, 3)
        return
    said = domain.encode(index, 3)
    assert legal(domain, said)
    np.testing.assert_array_equal(domain.decide(said, lambda rows: rows.argmax(-1)), index)
    np.testing.assert_array_equal(domain.encode(domain.decide(said, lambda rows: rows.argmax(-1)), 3), said)


@of_every_domain
def test_what_values_mean_is_one_thing(domain: Domain) -> None:
    each = domain.innermost  # a row of labels is no distribution, though each may be a probability
    assert not (each.of_logits and each.of_shares)
    assert each.probabilities == (each.of_logits or each.of_shares)
    assert domain.says_class or not (domain.certain or domain.probabilities)
    xp: Any = ops
    rows = np.zeros((2, domain.size or 3))
    safe = np.broadcast_to(np.asarray(domain.safe(xp, rows)), (2,) if domain.indices else rows.shape)
    assert legal(domain, safe)


# ── a domain that nobody knows answers for itself ────────────────────────────────────────────────────────────────────


@of_unknown_domains
def test_claims_are_tried_over_a_domain_that_nobody_knows(domain: Domain) -> None:
    loss = squares(domain)
    probe = Probe(loss, 1_000, 0)
    assert legal(domain, probe.prediction())
    if not domain.rows:
        assert legal(domain, probe.laws(100)[0])
        assert legal(domain, probe.symmetric_laws(100)[1])
    for claim in closure(loss.claims):
        assert not claim.examine(loss, points=1_000).refuted, claim
    for claim in (StronglyConvex(2.1), Smooth(1.9), Estimates("median", level=0.5), NotConvex(), Proper()):
        assert claim.examine(loss, points=1_000).refuted, claim


@pytest.mark.parametrize("domain", [*UNKNOWN, Boxes(), Ring()], ids=repr)
def test_between_two_legal_points_of_a_segment_all_is_legal(domain: Domain) -> None:
    probe = Probe(squares(domain), 2_000, 0)
    first, second, target = probe.segments()
    assert legal(domain, target)
    for share in (0.0, 0.125, 0.5, 0.8, 1.0):
        assert legal(domain, (1.0 - share) * first + share * second)
    long = probe.distance(first, second) > 0.05
    assert 0.2 < np.mean(long) < (0.9 if domain == Ring() else 1.0)


def test_what_cannot_be_tried_is_not_believed() -> None:
    """On a circle nothing is between two points: neither that a curve is below its chord there nor that it is not."""
    loss = squares(Circle())
    for claim in (StronglyConvex(2.0), NotConvex(), Differentiable(), Kinked("the target")):
        assert "between no two predictions" in str(claim.examine(loss, points=500))
    assert not any(claim.examine(loss, points=500).refuted for claim in (Smooth(2.0), ZeroAtTarget()))
    assert Smooth(1.9).examine(loss, points=500).refuted


@of_every_domain
def test_any_numbers_are_activated(domain: Domain) -> None:
    numbers = np.random.default_rng(0).normal(scale=3.0, size=(500, domain.size or 3)).astype(np.float32)
    if domain.discrete:
        with pytest.raises(TypeError, match="no values that can change"):
            domain.activate(ops, numbers)
        return
    activated = domain.activate(ops, numbers)
    assert activated.shape == numbers.shape
    assert activated.dtype == np.float32
    assert legal(domain, activated, "float32")
    assert len(np.unique(activated, axis=0)) == 500  # and all of it still says something
    assert np.array_equal(activated, numbers) or not domain.takes_all


@of_unknown_domains
def test_a_loss_over_a_domain_that_nobody_knows_is_left_alone(domain: Domain) -> None:
    from lossary.check.inference.infer import subject
    from lossary.check.rulebook.rule import select
    from lossary.check.run.ask import ask

    under = subject(squares(domain))
    outcomes = [ask(rule, under) for rule in select((), (), thorough=False)]
    assert not {each.rule: each.finding.message for each in outcomes if each.finding is not None}
    assert len([each for each in outcomes if each.status == "passed"]) > 10
