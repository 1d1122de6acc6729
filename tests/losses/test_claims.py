"""Every claim survives its refuter at every setting; every refuter finds a planted lie."""

from __future__ import annotations

import inspect
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from typing import Any

import numpy as np
import pytest

from lossary import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    CoxPartialLikelihood,
    Hinge,
    Huber,
    LogCosh,
    MeanSquaredError,
    MulticlassHinge,
    Quantile,
    SparseCategoricalCrossEntropy,
    define,
)
from lossary.define.claims import claim
from lossary.define.claims.claim import Claim, closure, stated
from lossary.define.claims.classes import ClassificationCalibrated, NotProper, Proper
from lossary.define.claims.curve import Convex, NotConvex, NotSymmetricInArguments, StrictlyConvex, StronglyConvex
from lossary.define.claims.estimates import Estimates
from lossary.define.claims.slope import Differentiable, Kinked, Lipschitz, Smooth, Sparse, UnboundedGradient
from lossary.define.domains.domain import Domain
from lossary.define.objective import Objective
from lossary.define.parameters import parameters_of
from tests.grid import CLASSES, DEFAULTS, EACH, EVERY, PAIRS, SHAPED, losses, ordinary, points
from tests.losses.planted_losses import FALSE, Absolute, Square, Unwelsch, Welsch


def kinds(of: type[Claim] = Claim) -> Iterator[type[Claim]]:
    """Every kind of claim there is; what is abstract is what several have in common."""
    for kind in of.__subclasses__():
        yield from kinds(kind)
        if not inspect.isabstract(kind):
            yield kind


def claimed(of: tuple[Any, ...]) -> list[Any]:
    return [pytest.param(loss, each, id=f"{loss!r}: {each}") for loss in of for each in closure(stated(loss))]


@pytest.mark.parametrize(("loss", "each"), claimed(EVERY))
def test_a_claim_survives_its_refuter(loss: Any, each: Claim) -> None:
    evidence = each.examine(loss, points=4_000)
    assert not evidence.refuted, str(evidence)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize(("loss", "each"), claimed(EVERY))
def test_a_claim_survives_its_refuter_on_many_points(loss: Any, each: Claim, seed: int) -> None:
    evidence = each.examine(loss, points=100_000, seed=seed)
    assert not evidence.refuted, str(evidence)


UNCONDITIONAL = tuple(kind for kind in kinds() if not any(f.default is MISSING for f in fields(kind)))
SETTINGS = {cls: [loss for loss in EVERY if type(loss) is cls] for cls in map(type, EACH)}


@pytest.mark.parametrize("kind", UNCONDITIONAL)
@losses(of=EACH)
def test_what_is_not_claimed_is_refuted(loss: Any, kind: type[Claim]) -> None:
    """A property that is claimed at one setting is claimed at every setting at which it is not refuted; one that is
    never claimed is refuted at a setting."""
    settings = SETTINGS[type(loss)]
    has = [any(isinstance(each, kind) for each in closure(stated(setting))) for setting in settings]
    refuted = (known or kind().examine(each, points=1_000).refuted for known, each in zip(has, settings, strict=True))
    if any(has):
        assert [each for each, is_refuted in zip(settings, refuted, strict=True) if not is_refuted] == []
    else:
        assert any(refuted), settings[0]  # which the first one that is refuted decides


@losses(of=DEFAULTS, only=lambda loss: bool(loss.tables))
def test_a_table_of_equal_weights_claims_what_no_table_does(loss: Any) -> None:
    for table in loss.tables:
        for flags in ({}, {"from_logits": False}) if "from_logits" in loss.settings else ({},):
            plain = type(loss)(**flags)
            assert type(loss)(**flags, **{table: (1.0,) * CLASSES}).claims == plain.claims
    doubled = SparseCategoricalCrossEntropy(class_weight=(2.0,) * CLASSES)
    assert Proper() in doubled.claims
    assert not any(each.examine(doubled, points=2_000).refuted for each in closure(doubled.claims))


@pytest.mark.parametrize("weights", [(0.0, 0.0, 0.0), (1.0, 0.0, 2.0), (1.0, 0.5, 0.0)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("cls", [CategoricalCrossEntropy, SparseCategoricalCrossEntropy])
def test_classes_may_weigh_nothing(cls: Any, from_logits: bool, smoothing: float, weights: tuple[float, ...]) -> None:
    loss = cls(from_logits=from_logits, class_weight=weights, label_smoothing=smoothing)
    tried = [each.examine(loss, points=1_000) for each in closure(loss.claims)]
    assert not [str(evidence) for evidence in tried if evidence.refuted]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("weight", [1.0, 0.2, 7.0, (1.0, 0.5), (4.0, 1.0, 9.0)])
def test_the_modulus_of_cross_entropy_is_its_least_curvature(weight: Any, smoothing: float) -> None:
    loss = BinaryCrossEntropy(from_logits=False, pos_weight=weight, label_smoothing=smoothing)
    labels = len(weight) if isinstance(weight, tuple) else 1
    p, y = np.meshgrid(np.linspace(1e-4, 1 - 1e-4, 20_001), [0.0, 0.3, 1.0])
    p, y = (np.repeat(each.reshape(-1, 1), labels, axis=1) for each in (p, y))
    least = loss.value_gradient_curvature(prediction=p, target=y, reduction="none")[2].min()
    (found,) = [each for each in loss.claims if isinstance(each, StronglyConvex)]
    assert found.modulus <= least * (1 + 1e-12)
    assert found.modulus == pytest.approx(least, rel=1e-3)


# ── sums ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sums(partners: int | None) -> Iterator[Objective]:
    """Every loss with so many plain ones, or all, that may be added to it: a mixture of both, and one of one alone."""
    plain = [
        loss
        for loss in EVERY
        if all(known.is_flag or getattr(loss, name) == known.default for name, known in parameters_of(loss).items())
    ]
    for one in EVERY:
        # Of losses that are tried by whole batches, each with itself.
        alike = [other for other in plain if one.domains == other.domains and other not in SHAPED]
        others = alike if one not in SHAPED else [one] if one in EACH else []
        for other in sorted(others, key=lambda other: zlib.crc32(f"{one!r} {other!r}".encode()))[:partners]:
            yield 0.3 * one + 20.0 * other
            # 0 · ∞, of a probability, a scale of 0 or an exponential, is nothing to make claims about.
            far = points(other, np.random.default_rng(0), rows=500)
            finite = np.isfinite(other(**far, reduction="none" if other.separable else "sum")).all()
            if other.trainable and finite and not other.prediction.size and one not in SHAPED:
                yield 2.0 * one + 0.0 * other


@pytest.mark.parametrize("partners", [3, pytest.param(None, marks=pytest.mark.thorough)])
def test_what_is_claimed_of_a_sum_survives_its_refuter(partners: int | None) -> None:
    tried = [
        (total, each, each.examine(total, points=100 if total.prediction.axes < 2 else 1_000))
        for total in sums(partners)
        for each in stated(total)
    ]
    assert {type(each) for _, each, _ in tried} == set(kinds())
    assert not [f"{total!r}: {evidence}" for total, _, evidence in tried if evidence.refuted]


def test_what_a_sum_does_not_inherit() -> None:
    """What each loss has alone, or one of them, and a mixture may lose."""
    convex = 3.0 * Welsch() + Unwelsch()
    assert all(NotConvex().examine(loss, points=2_000).refuted is False for loss in (Welsch(), Unwelsch()))
    assert not Convex().examine(convex, points=2_000).refuted
    several: tuple[Claim, ...] = (NotConvex(), NotSymmetricInArguments(), NotProper(), Kinked("0"), UnboundedGradient())
    for each in several:
        assert each not in claim.combined((3.0, 1.0), ((each,), (each,)))
        assert each not in claim.combined((3.0, 1.0), ((each,), ()))
        assert each in claim.combined((3.0, 0.0), ((each,), ()))
    shared: tuple[Claim, ...] = (Sparse(), Proper(), Convex(), Estimates("mean"))
    for each in shared:
        assert each not in claim.combined((1.0, 1.0), ((each,), ()))
        assert each in claim.combined((1.0, 1.0), ((each,), (each,)))
    assert Estimates("mean") not in claim.combined((1.0, 1.0), ((Estimates("mean"),), (Estimates("median", 0.5),)))
    assert Kinked("0") in claim.combined((1.0, 1.0), ((Kinked("0"),), (Smooth(1.0),)))
    assert UnboundedGradient() in claim.combined((1.0, 1.0), ((UnboundedGradient(),), (Lipschitz(1.0),)))
    assert not claim.combined((0.0, 0.0), ((Convex(),), (Convex(),)))


def test_a_margin_is_no_smaller_than_the_claim_says() -> None:
    """Of rows it is how far the right class leads all others; of a sum the largest of them."""
    wide = MulticlassHinge(2.5)
    assert Sparse(2.4).examine(wide, points=2_000).refuted
    assert not Sparse(2.5).examine(wide, points=2_000).refuted
    assert Sparse(0.9).examine(Hinge(), points=2_000).refuted
    assert Sparse(2.5) in (MulticlassHinge() + wide).claims
    assert Sparse().examine(SparseCategoricalCrossEntropy(), points=2_000).refuted


# ── what is said of a loss ───────────────────────────────────────────────────────────────────────────────────────────

# The words of claims: who writes one makes the claim, at every setting, or says which hyper-parameter it hangs on.
WORDS: dict[str, type[Claim]] = {
    r"(?<!not )\bproper\b": Proper,
    r"estimates (the median|the mean|any quantile)": Estimates,
    r"no longer the probability": NotProper,
    r"true mean and": define.EstimatesMoments,
    r"pulls harder than|pull is capped": Lipschitz,
    r"gradient grows .* without bound": UnboundedGradient,
    r"do not pull at all": Sparse,
    r"\bkink at": Kinked,
    r"\bsmooth (at|and|everywhere)": Differentiable,
    r"strongly convex": StronglyConvex,
    r"curvature everywhere": StrictlyConvex,
    r"exactly when both": define.ZeroAtTarget,
    r"not symmetric": NotSymmetricInArguments,
}


@losses()
def test_who_uses_a_word_of_a_claim_makes_it(loss: Any) -> None:
    elsewhere = [name for name, known in parameters_of(loss).items() if getattr(loss, name) != known.default]
    for sentence in (*loss.strengths, *loss.weaknesses, loss.choosing):
        named = any(name.replace("_", " ") in sentence.replace("_", " ") for name in elsewhere)
        if named == sentence.startswith("with "):  # it is about this setting
            for word, kind in WORDS.items():
                if re.search(word, sentence):
                    assert any(isinstance(each, kind) for each in closure(loss.claims)), sentence


# What is no expression in the symbols of hyper-parameters.
CAPS: dict[str, Callable[[Any], float]] = {
    "1 (or than pos_weight, where that is more)": lambda loss: max(1.0, *np.atleast_1d(loss.pos_weight)),
    "2π/T": lambda loss: 2.0 * np.pi / loss.period,
    "the larger of level and 1 − level": lambda loss: max(loss.level, 1.0 - loss.level),
}


def cap(said: str, loss: Any) -> float:
    """The number that a loss says its pull is capped at: "1", "δ", "c/2"."""
    if said in CAPS:
        return CAPS[said](loss)
    symbols = {known.symbol or name: getattr(loss, name) for name, known in parameters_of(loss).items()}
    return float(eval(said.replace("−", "-"), {}, symbols))


@losses()
def test_the_pull_is_capped_where_it_is_said_to_be(loss: Any) -> None:
    for sentence in loss.strengths:
        said = re.search("(?:pulls harder than|pull is capped at) (.*)", sentence)
        if said and (loss.settings.get("from_logits", True) or "from logits" not in sentence):
            assert Lipschitz(cap(said[1], loss)) in loss.claims


def test_what_is_estimated_is_a_claim() -> None:
    for loss in EVERY:
        assert loss.estimates in {"", *(each.estimated for each in loss.claims)}
        # Masks, embeddings and boxes stand for no number that somebody could ask for; and of the scores of several
        # classes the largest is the likeliest class's only where that has most of the probability.
        its = loss.prediction
        number = loss.paired and (not its.rows or its.probabilities or hasattr(its, "names"))
        assert loss.estimates or loss.pooled or not number
    assert CoxPartialLikelihood().estimates == "log hazard ratio"
    assert BinaryCrossEntropy(pos_weight=(1.0, 0.5)).estimates == "biased probability"
    assert (Huber().estimates, LogCosh().estimates) == ("centre of symmetry",) * 2
    assert Hinge().estimates == "likelier class"
    assert ClassificationCalibrated() in BinaryCrossEntropy(label_smoothing=0.1).claims


def minimiser(loss: Any, targets: Any, shares: Any) -> float:
    """The prediction that costs least, on a fine grid over the targets' range."""
    grid = np.linspace(min(targets), max(targets), 50_001)
    costs = [loss.values(prediction=grid, target=np.full_like(grid, target)) for target in targets]
    return float(grid[np.argmin(np.transpose(costs) @ shares)])


def test_of_skewed_targets_huber_estimates_neither_mean_nor_median() -> None:
    """As docs/how-to-choose.md says: the mean where δ is beyond all residuals, the median as it goes to 0."""
    targets, shares = np.array([-10.0, 0.0, 2.5]), np.array([0.1, 0.5, 0.4])  # mean and median are 0
    assert minimiser(Huber(1.0), targets, shares) == pytest.approx(0.6, abs=1e-3)
    assert minimiser(LogCosh(), targets, shares) > 0.2
    random = np.random.default_rng(0)
    for _ in range(10):
        targets, shares = random.gamma(0.7, 3.0, size=7), random.dirichlet(np.ones(7))
        order = np.argsort(targets)
        median = targets[order][np.searchsorted(np.cumsum(shares[order]), 0.5)]
        close = 1e-4 * np.ptp(targets)
        assert minimiser(Huber(np.ptp(targets)), targets, shares) == pytest.approx(targets @ shares, abs=close)
        for delta in (0.01, 0.1, 1.0):
            assert abs(minimiser(Huber(delta), targets, shares) - median) <= delta + close


def test_the_rule_of_thumb_for_delta_has_95_percent_of_the_means_efficiency() -> None:
    """Of normal errors: (E ψ′)² / E ψ², by numerical integration (Huber 1964)."""
    errors = np.linspace(-12.0, 12.0, 1_000_001)
    density = np.exp(-0.5 * errors**2) / np.exp(-0.5 * errors**2).sum()
    _, slope, curvature = Huber(1.345).value_gradient_curvature(prediction=errors, target=0 * errors, reduction="none")
    assert (density @ curvature) ** 2 / (density @ slope**2) == pytest.approx(0.95, abs=5e-4)
    assert (
        "1.345 × the robust spread of the residuals (95 % as efficient as the mean on normal errors)"
        in Huber().choosing
    )


@losses(only=lambda loss: loss.task == "regression" and (loss.prediction.link is not None or loss.prediction.takes_all))
def test_units(loss: Any) -> None:
    """In the target's units, in their square, or by a hyper-parameter: with everything times 7."""
    said = " ".join((*loss.strengths, *loss.weaknesses))
    if not re.search("own units|square of the target's|rescale", said):
        return  # it says nothing of units, and 7 times what it takes need not be legal
    p, y = ordinary(loss, np.random.default_rng(0), rows=25).values()
    values = loss.values(prediction=p, target=y)
    logarithms = [name.startswith("log_") for name in getattr(loss.prediction, "names", ("",))]
    scaled = np.where(logarithms, p + np.log(7), 7 * p)
    ratio = (loss.values(prediction=scaled, target=7 * y) / np.where(values == 0.0, np.nan, values))[values != 0.0]
    assert np.allclose(ratio, 7.0) or "in the target's own units" not in said
    assert np.allclose(ratio, 49.0) or "square of the target's" not in said
    if "rescale δ" in said:
        rescaled = type(loss)(7 * loss.delta).values(prediction=7 * p, target=7 * y)
        np.testing.assert_allclose(rescaled, 49.0 * loss.values(prediction=p, target=y))


@losses(only=lambda loss: loss.trainable)
def test_the_pull_is_as_it_is_said_to_be(loss: Any) -> None:
    said = " ".join(loss.weaknesses)
    random = np.random.default_rng(0)
    if "the same pull for every error" in said or "no curvature" in said:
        p, y = ordinary(loss, random, rows=100).values()
        _, slope = loss.value_and_gradient(prediction=p, target=y, reduction="none")
        assert "the same pull" not in said or set(np.abs(slope).ravel()) == {1.0}
        # Where nothing is curved, a step too short to pass a kink leaves the slope as it is.
        close = p + 1e-9 * random.normal(size=p.shape)
        assert np.array_equal(loss.value_and_gradient(prediction=close, target=y, reduction="none")[1], slope)
        if not loss.prediction.rows:
            assert not loss.value_gradient_curvature(prediction=p, target=y, reduction="none")[2].any()
    if "infinite where the prediction rules out" in said and not loss.from_logits:
        target = np.log([[0.5, 0.5]]) if loss.log_target else np.array([[0.5, 0.5]])
        assert loss.values(prediction=np.array([[0.0, 1.0]]), target=target) == np.inf


def test_confident_mistakes_cost_without_bound() -> None:
    warned: list[Any] = [loss for loss in PAIRS if any("cost without bound" in each for each in loss.weaknesses)]
    for loss in warned:
        rows = loss.prediction.rows
        confident = np.array([1e-300] + [1.0 / 3] * 3 if rows else [1e-300] * CLASSES)
        prediction = np.log(confident)[None] * 1e3 if loss.settings.get("from_logits", True) else confident[None]
        target = [0] if loss.target.indices else np.eye(CLASSES)[:1] if rows else np.ones((1, CLASSES))
        assert loss.values(prediction=prediction, target=target).max() > (
            1e3 if loss.settings.get("from_logits", True) else 17.0
        )


@pytest.mark.parametrize(("each", "loss"), [pytest.param(*x, id=f"{type(x[1]).__name__}: {x[0]}") for x in FALSE])
def test_a_false_claim_is_refuted(each: Claim, loss: Any) -> None:
    evidence = each.examine(loss, points=4_000)
    assert evidence.refuted
    assert f"{each}: refuted, {evidence.counterexample}" == str(evidence)


def test_every_kind_of_claim_is_planted_falsely_and_made_truly() -> None:
    assert {type(each) for each, _ in FALSE} == set(kinds())
    made = {type(each) for loss in EVERY for each in closure(stated(loss))}
    assert made == set(kinds())


@losses(of=EACH)
def test_every_loss_claims_something(loss: Any) -> None:
    assert stated(loss)
    names = [each.name for each in loss.claims]
    assert len(set(names)) == len(names)
    implied = {weaker.name for each in loss.claims for weaker in closure((each,))[1:]}
    assert not implied & set(names), "what follows is derived, never written"


def test_what_follows_is_derived() -> None:
    assert [each.name for each in closure((StronglyConvex(2.0),))] == ["strongly convex", "strictly convex", "convex"]
    assert [each.name for each in closure((Smooth(1.0),))] == ["smooth", "continuously differentiable"]


def test_what_a_claim_says_depends_on_the_hyper_parameters() -> None:
    assert Lipschitz(2.5) in Huber(2.5).claims
    assert Lipschitz(0.9) in Quantile(0.9).claims
    assert not any(isinstance(each, Lipschitz) for each in BinaryCrossEntropy(from_logits=False).claims)
    assert (MeanSquaredError().estimates, Quantile(0.5).estimates, Quantile(0.9).estimates) == (
        "mean",
        "median",
        "0.9-quantile",
    )


def test_claims_of_a_sum() -> None:
    both = claim.combined((0.5, 2.0), (Huber(2.0).claims, MeanSquaredError().claims))
    assert StronglyConvex(4.0) in both
    assert Smooth(4.5) in both
    assert not any(isinstance(each, Lipschitz) for each in both)
    assert Lipschitz(0.5 * 2.0 + 2.0 * 0.9) in claim.combined((0.5, 2.0), (Huber(2.0).claims, Quantile(0.9).claims))
    mixed = claim.combined((1.0, 1.0), ((Convex(), StrictlyConvex()), (Convex(),)))
    assert StrictlyConvex() in mixed
    assert not claim.combined((1.0, 1.0), ((Convex(),), ()))
    nothing = claim.combined((0.0, 1.0), ((StrictlyConvex(),), (Convex(),)))
    assert StrictlyConvex() not in nothing
    assert Convex() in nothing


def test_evidence_says_what_was_tried() -> None:
    evidence = Convex(proved_in="Rockafellar 1970").examine(Square(), points=1_000)
    assert str(evidence) == "convex: not refuted on 1,000 points; proved in Rockafellar 1970"
    assert evidence.points == 1_000
    assert not evidence.refuted


def test_the_same_seed_finds_the_same_counterexample() -> None:
    found = [str(Convex().examine(Welsch(), points=1_000, seed=seed)) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert str(StrictlyConvex().examine(Absolute(), points=1_000)).startswith("strictly convex: refuted, at ")


@pytest.mark.parametrize("loss", [CategoricalCrossEntropy(class_weight=(2.0,)), BinaryCrossEntropy(pos_weight=(2.0,))])
def test_a_table_of_one_entry_can_be_tried(loss: Any) -> None:
    for each in closure(loss.claims):
        assert each.examine(loss, points=200).points == 200


def test_a_loss_can_be_written_from_one_import() -> None:
    """Whatever a loss may claim, or be of, is in `lossary.define`."""
    needed = {kind.__name__ for kind in kinds()} | {kind.__name__ for kind in Domain.__subclasses__() if is_ours(kind)}
    assert needed <= set(define.__all__)
    assert all(hasattr(define, name) for name in define.__all__)


def is_ours(kind: type) -> bool:
    return kind.__module__.startswith("lossary.")
