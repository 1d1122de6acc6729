"""Every mutant is caught by its own rule; right losses are left alone; the pages' examples do what they say."""

from __future__ import annotations

from typing import Any

import pytest

from lossary.check.inference.infer import subject
from lossary.check.rule import Rule, rules
from lossary.check.run import ask
from tests.planted import Planted, everything

PLANTED = everything()


@pytest.mark.parametrize("mutant", [each for each in PLANTED if each.code], ids=str)
def test_mutant_is_caught_by_its_own_rule(mutant: Planted) -> None:
    rule = next(each for each in rules() if each.code == mutant.code)
    outcome = ask(rule, subject(mutant.loss, framework=mutant.framework, **mutant.told))
    assert outcome.status == "failed", outcome.reason


@pytest.mark.parametrize("good", [each for each in PLANTED if not each.code], ids=str)
def test_right_loss_is_left_alone(good: Planted) -> None:
    under = subject(good.loss, framework=good.framework, **good.told)
    outcomes = [ask(rule, under) for rule in rules() if not rule.thorough]
    wrong = [each.finding for each in outcomes if each.finding is not None and each.finding.severity == "error"]
    assert not wrong


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
@pytest.mark.parametrize("side", ["wrong", "right"])
def test_examples_of_the_page(rule: Rule, side: str) -> None:
    known: dict[str, Any] = {}
    exec(getattr(rule, side), known)
    outcome = ask(rule, subject(known["loss"]))
    assert outcome.status == ("failed" if side == "wrong" else "passed"), outcome
