"""What a value stands for, how, and which class it says: against SciPy's functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

from lossary.define import link
from lossary.define.domains.classes import Logits, Simplex
from lossary.define.domains.domain import Domain
from lossary.define.domains.numbers import Probability, Real, Score
from tests.grid import PAIRS

SHARES = np.array([[0.1, 0.2, 0.7], [1.0, 0.0, 0.0], [1e-300, 0.5, 0.5]])
DOMAINS = {repr(domain): domain for loss in PAIRS for domain in (loss.prediction, loss.target)}


@pytest.mark.parametrize(
    ("one", "there", "back"),
    [
        (link.identity, lambda x: x, lambda x: x),
        (link.log, np.log, np.exp),
        (link.log1p, np.log1p, np.expm1),
        (link.logit, scipy.special.logit, scipy.special.expit),
        (link.softmax, np.log, lambda x: scipy.special.softmax(x, axis=-1)),
    ],
)
def test_links_are_those_of_scipy(one: Any, there: Any, back: Any) -> None:
    with np.errstate(divide="ignore"):
        numbers = there(SHARES)
    np.testing.assert_allclose(one.apply(SHARES), numbers, rtol=1e-15)
    np.testing.assert_allclose(one.inverse(numbers), back(numbers), rtol=1e-14)
    np.testing.assert_allclose(one.inverse(numbers), SHARES, rtol=1e-12)


def test_an_exponential_goes_there_and_back() -> None:
    """And claims about one rate are equal."""
    x = np.linspace(-3.0, 3.0, 13)
    np.testing.assert_allclose(link.exponential(-0.5).apply(x), 1.0 / np.sqrt(np.exp(x)), rtol=1e-15)
    np.testing.assert_allclose(link.exponential(-0.5).inverse(1.0 / np.sqrt(np.exp(x))), x, atol=1e-15)
    assert link.exponential(-0.5) == link.exponential(-0.5) != link.exponential(0.5)


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_probabilities_go_there_and_back(domain: Domain) -> None:
    if not domain.probabilities:
        assert not domain.shares
        assert not domain.of_logits or domain.innermost.probabilities  # a row of labels is no distribution
        return
    assert domain.link is not None
    shares = SHARES if domain.rows else SHARES[0]
    numbers = domain.link.apply(shares)
    np.testing.assert_allclose(domain.link.inverse(numbers), shares, rtol=1e-12)
    legal = domain.contains(np_words(), numbers, numbers, 2.0**-52)
    assert legal is None or bool(np.all(legal))
    assert domain.shares + domain.of_logits + domain.logarithms == 1


def np_words() -> Any:
    from lossary.ops import dispatch

    return dispatch.ops("numpy")


def test_what_each_domain_says() -> None:
    said = {
        Real(): (link.identity, False),
        Score(): (link.logit, True),
        Score(logit=False): (None, False),
        Probability(): (link.identity, True),
        Logits(): (link.softmax, True),
        Logits(softmax=False): (None, False),
        Simplex(): (link.identity, True),
        Simplex(logarithms=True): (link.log, True),
    }
    assert {domain: (domain.link, domain.probabilities) for domain in said} == said


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_classes_are_said_and_read(domain: Domain) -> None:
    index = np.array([0, 2, 1, 3] if domain.rows or domain.indices else [0, 1, 1, 0])
    classes = int(index.max()) + 1
    if not domain.certain:
        with pytest.raises(TypeError, match="says no class"):
            domain.encode(index, classes)
        return
    said = domain.encode(index, classes)
    legal = domain.contains(np_words(), said, np.zeros((4, classes)), 2.0**-52)
    assert legal is None or bool(np.all(legal))
    np.testing.assert_array_equal(domain.decide(said, lambda rows: rows.argmax(-1)), index)


def test_amounts_say_no_class() -> None:
    with pytest.raises(TypeError, match="says no class"):
        Real().decide(np.zeros(2), lambda rows: rows)
