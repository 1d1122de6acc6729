"""Every mutant is caught by its own rule; right losses are left alone; the pages' examples do what they say."""

from __future__ import annotations

import collections
import zlib
from typing import Any

import pytest

from lossary.check.inference.infer import subject
from lossary.check.rulebook.rule import Rule, rules
from lossary.check.run.ask import ask
from lossary.ops import seeds
from tests.planted import Planted, everything

PLANTED = everything()


def sampled(planted: list[Planted]) -> list[Any]:
    """Each in one of its frameworks, a file's in one after the other; in the others it is thorough."""
    of_loss: dict[tuple[str, str], list[Planted]] = collections.defaultdict(list)
    for each in planted:
        of_loss[each.code, each.make.__name__].append(each)
    count: collections.Counter[str] = collections.Counter()
    params = []
    for (code, _), group in of_loss.items():
        first = zlib.crc32(code.encode()) + count[code]
        count[code] += 1
        params += [
            pytest.param(each, id=str(each), marks=() if place == first % len(group) else pytest.mark.thorough)
            for place, each in enumerate(group)
        ]
    return params


@pytest.mark.parametrize("mutant", sampled([each for each in PLANTED if each.code]))
def test_mutant_is_caught_by_its_own_rule(mutant: Planted) -> None:
    rule = next(each for each in rules() if each.code == mutant.code)
    outcome = ask(rule, subject(mutant.loss, framework=mutant.framework, **mutant.told))
    assert outcome.status == "failed", outcome.reason


def test_random_numbers_of_keras_are_the_same_in_every_run() -> None:
    import keras

    from tests.planted.deterministic import drops_entries

    under = subject(drops_entries(None), framework="keras")
    deterministic = next(each for each in rules() if each.code == "LSY602")
    messages = set()
    for seed in (1, 2, 3):
        with seeds.kept():
            keras.utils.set_random_seed(seed)
            outcome = ask(deterministic, under)
        assert outcome.finding is not None
        messages.add(outcome.finding.message)
    assert len(messages) == 1, messages


@pytest.mark.parametrize("good", sampled([each for each in PLANTED if not each.code]))
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
