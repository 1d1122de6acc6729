"""Losses of preferences, beside arithmetic done by hand."""

from __future__ import annotations

import math

import pytest

from lossary import DirectPreference, IdentityPreference, SimplePreference

# A lead of 10 before one of 4, so that the chosen answer has gained 6.
PAIR = {"chosen": [-20.0], "rejected": [-30.0], "reference_chosen": [-22.0], "reference_rejected": [-26.0]}
SWAPPED = {"chosen": [-30.0], "rejected": [-20.0], "reference_chosen": [-26.0], "reference_rejected": [-22.0]}


@pytest.mark.parametrize(("pair", "gain"), [(PAIR, 6.0), (SWAPPED, -6.0)])
def test_a_gain_over_the_reference(pair: dict[str, list[float]], gain: float) -> None:
    right, swapped = math.log(1.0 + math.exp(-0.5 * gain)), math.log(1.0 + math.exp(0.5 * gain))
    assert DirectPreference(0.5)(**pair) == pytest.approx(right, rel=1e-14)
    assert DirectPreference(0.5, label_smoothing=0.1)(**pair) == pytest.approx(0.9 * right + 0.1 * swapped, rel=1e-14)
    _, (of_chosen, of_rejected) = DirectPreference(0.5).value_and_gradient(**pair)
    assert of_chosen[0] == -of_rejected[0] == pytest.approx(-0.5 / (1.0 + math.exp(0.5 * gain)), rel=1e-14)


def test_a_pair_that_leads_without_end_is_done() -> None:
    for smoothing, cost in ((0.0, 0.0), (0.1, math.inf)):
        loss = DirectPreference(label_smoothing=smoothing)
        assert loss(**{**PAIR, "chosen": [math.inf]}) == cost
        assert loss(**{**PAIR, "rejected": [math.inf]}) == math.inf


def test_a_lead_that_is_to_be_reached_and_no_more() -> None:
    """1 / (2 τ) is 5 at 0.1, and the gain is 6 or -6."""
    assert IdentityPreference(0.1)(**PAIR) == 1.0
    assert IdentityPreference(0.1)(**SWAPPED) == 121.0
    _, (of_chosen, of_rejected) = IdentityPreference(0.1).value_and_gradient(**PAIR)
    assert of_chosen[0] == -of_rejected[0] == 2.0


def test_a_lead_for_each_token() -> None:
    pair = {"chosen": [-1.25], "rejected": [-2.0]}  # 2 · 0.75 is 0.5 more than the margin
    assert SimplePreference()(**pair) == pytest.approx(math.log(1.0 + math.exp(-0.5)), rel=1e-14)
    _, (of_chosen, of_rejected) = SimplePreference().value_and_gradient(**pair)
    assert of_chosen[0] == -of_rejected[0] == pytest.approx(-2.0 / (1.0 + math.exp(0.5)), rel=1e-14)
    of_sums = DirectPreference(2.0)(**pair, reference_chosen=[-1.5], reference_rejected=[-2.0])
    assert SimplePreference(2.0, gamma=1.0)(**pair) == pytest.approx(of_sums, rel=1e-14)  # 2 · 0.5 is the margin
