"""Every claim survives its refuter at every setting; every refuter finds a planted lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lossary import BinaryCrossEntropy, Huber, MeanSquaredError, Quantile, claim
from lossary.claim import Claim, Convex, Lipschitz, Smooth, StrictlyConvex, StronglyConvex, closure
from tests.grid import ALL, DEFAULTS, losses
from tests.planted_losses import FALSE, Absolute, Square, Welsch


def kinds(of: type[Claim] = Claim) -> Iterator[type[Claim]]:
    """Every kind of claim there is."""
    for kind in of.__subclasses__():
        yield from kinds(kind)
        if "refute" in vars(kind):
            yield kind


def claimed(of: tuple[Any, ...]) -> list[Any]:
    return [pytest.param(loss, each, id=f"{loss!r}: {each}") for loss in of for each in closure(loss.claims)]


@pytest.mark.parametrize(("loss", "each"), claimed(ALL))
def test_a_claim_survives_its_refuter(loss: Any, each: Claim) -> None:
    evidence = each.examine(loss, points=4_000)
    assert not evidence.refuted, str(evidence)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize(("loss", "each"), claimed(ALL))
def test_a_claim_survives_its_refuter_on_many_points(loss: Any, each: Claim, seed: int) -> None:
    evidence = each.examine(loss, points=100_000, seed=seed)
    assert not evidence.refuted, str(evidence)


@pytest.mark.parametrize(("each", "loss"), [pytest.param(*x, id=f"{type(x[1]).__name__}: {x[0]}") for x in FALSE])
def test_a_false_claim_is_refuted(each: Claim, loss: Any) -> None:
    evidence = each.examine(loss, points=4_000)
    assert evidence.refuted
    assert f"{each}: refuted, {evidence.counterexample}" == str(evidence)


def test_every_kind_of_claim_is_planted_falsely_and_made_truly() -> None:
    assert {type(each) for each, _ in FALSE} == set(kinds())
    made = {type(each) for loss in ALL for each in closure(loss.claims)}
    assert made == set(kinds())


@losses(of=DEFAULTS)
def test_every_loss_claims_something(loss: Any) -> None:
    assert loss.claims
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
    assert (MeanSquaredError().elicits, Quantile(0.5).elicits, Quantile(0.9).elicits) == (
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
