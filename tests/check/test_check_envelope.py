"""Which loss it is, and how exact: recognition, and the numerical envelope, against mpmath and sums done by hand."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import shutil
import xml.etree.ElementTree as ElementTree
from typing import Any

import mpmath
import numpy as np
import pytest

from lossary import catalogue
from lossary.check.backends import backend
from lossary.check.inference.formula import Formula
from lossary.check.inference.infer import subject
from lossary.check.inference.recognise import recognise
from lossary.check.instruments.envelope import DTYPES, Envelope, Precision, envelope
from lossary.check.run.ask import quiet
from lossary.check.subject.subject import Convention, Subject
from lossary.define.domains.classes import ClassIndex, Labels, Logits, Simplex
from lossary.define.domains.numbers import Probability, Real, Score

REAL, BINARY, SHARE = (Real(), Real()), (Score(), Probability()), (Probability(), Probability())
SPARSE, SOFT, SHARES = (Logits(), ClassIndex()), (Logits(), Simplex(one_hot=True)), (Simplex(), Simplex())


def made(loss: Any, domains: Any = REAL, host: str = "numpy", **facts: Any) -> Subject:
    """A subject of which all is told, so that nothing depends on inference."""
    target_first = host == "keras"
    told: dict[str, Any] = {"reduction": "mean", "entry": (3,) if domains[0].rows else (1,) if target_first else ()}
    return Subject(
        "loss",
        loss,
        backend("tensorflow" if target_first else host),
        host,
        Convention(target_first=target_first),
        *domains,
        **{**told, "source": "loss", **facts},
    )


def recognised(under: Subject) -> Any:
    """As the linter does it: what a loss warns of stays in there."""
    with quiet():
        return recognise(under)


def enveloped(under: Subject) -> Any:
    with quiet():
        return envelope(under)


def measured(loss: Any, **facts: Any) -> Envelope:
    under = made(loss, **facts)
    known = recognised(under)
    assert known is not None
    found = enveloped(dataclasses.replace(under, definition=known[0], factor=known[1]))
    assert found is not None
    return found


def of_dtype(found: Envelope, dtype: str) -> Precision:
    return next(each for each in found.precisions if each.dtype == dtype)


# ── which loss it is ─────────────────────────────────────────────────────────────────────────────────────────────────


def from_torch(name: str, **settings: Any) -> Any:
    import torch

    return functools.partial(getattr(torch.nn.functional, name), **settings)


def from_keras(name: str, **settings: Any) -> Any:
    import keras

    return functools.partial(getattr(keras.losses, name), **settings)


def from_optax(name: str, **settings: Any) -> Any:
    import optax

    return functools.partial(getattr(optax, name), **settings)


@pytest.mark.parametrize(
    ("loss", "host", "domains", "settings", "expected"),
    [
        (lambda: from_torch("mse_loss"), "torch", REAL, {}, ("MeanSquaredError()", 1)),
        (lambda: from_torch("l1_loss"), "torch", REAL, {}, ("MeanAbsoluteError()", 1)),
        (lambda: from_torch("huber_loss", delta=7.0), "torch", REAL, {"delta": 7.0}, ("Huber(delta=7.0)", 1)),
        (lambda: from_torch("huber_loss", delta=0.25), "torch", REAL, {}, ("Huber(delta=0.25)", 1)),
        (lambda: from_torch("smooth_l1_loss", beta=7.0), "torch", REAL, {"beta": 7.0}, ("Huber(delta=7.0)", 1 / 7)),
        (lambda: from_torch("cross_entropy"), "torch", SPARSE, {}, ("SparseCategoricalCrossEntropy()", 1)),
        (lambda: from_torch("cross_entropy"), "torch", SOFT, {}, ("CategoricalCrossEntropy()", 1)),
        (lambda: from_torch("binary_cross_entropy_with_logits"), "torch", BINARY, {}, ("BinaryCrossEntropy()", 1)),
        (
            lambda: from_torch("binary_cross_entropy"),
            "torch",
            SHARE,
            {},
            ("BinaryCrossEntropy(from_logits=False)", 1),
        ),
        (lambda: from_keras("log_cosh"), "keras", REAL, {}, ("LogCosh()", 1)),
        (lambda: from_keras("kl_divergence"), "keras", SHARES, {}, ("KLDivergence(from_logits=False)", 1)),
        (lambda: from_keras("hinge"), "keras", (Score(logit=False), Labels()), {}, ("Hinge()", 1)),
        (lambda: from_optax("l2_loss"), "jax", REAL, {}, ("MeanSquaredError()", 0.5)),
        (lambda: from_optax("huber_loss", delta=5.0), "jax", REAL, {"delta": 5.0}, ("Huber(delta=5.0)", 1)),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) and isinstance(each[0], str) else "",
)
def test_losses_of_the_frameworks_are_recognised(
    loss: Any, host: str, domains: Any, settings: Any, expected: Any
) -> None:
    found = recognised(made(loss(), domains, host, settings=settings, reduction="none" if host != "torch" else "mean"))
    assert found is not None
    assert (repr(found[0]), found[1]) == expected


@pytest.mark.parametrize(
    ("loss", "domains", "expected"),
    [
        (lambda p, y: np.mean(np.log(np.cosh(p - y))), REAL, ("LogCosh()", 1)),  # infinite far out, right elsewhere
        (lambda p, y: 3 * np.mean(np.abs(p - y)), REAL, ("MeanAbsoluteError()", 3)),
        (lambda p, y: np.mean(np.sqrt(1 + (p - y) ** 2) - 1), REAL, ("PseudoHuber(delta=1.0)", 1)),
        (lambda p, y: np.mean(np.logaddexp(0, -p * (2 * y - 1))), (Score(), Labels((0.0, 1.0))), ("BinaryCross", 1)),
        (
            lambda p, y: np.mean(np.log2(1 + np.exp(-p * (2 * y - 1)))),
            (Score(), Labels((0.0, 1.0))),
            ("BinaryCrossEntropy()", 1 / math.log(2)),
        ),
    ],
)
def test_hand_written_losses_are_recognised(loss: Any, domains: Any, expected: Any) -> None:
    found = recognised(made(loss, domains))
    assert found is not None
    assert repr(found[0]).startswith(expected[0])
    assert found[1] == expected[1]


@pytest.mark.parametrize(
    ("loss", "domains"),
    [
        (lambda p, y: np.mean(np.where(np.abs(p - y) < 8, 0.5 * (p - y) ** 2, 24 + np.abs(p - y))), REAL),
        (lambda p, y: np.mean(np.where(np.abs(p - y) < 900, (p - y) ** 2, 1800 * np.abs(p - y) - 810000)), REAL),
        (lambda p, y: np.mean((p - y) ** 2) + 0.01, REAL),
        (lambda p, y: -np.mean((p - y) ** 2), REAL),
        (lambda p, y: np.mean((p - y) ** 2 * np.where(p > y, 1.001, 1)), REAL),
        (lambda p, y: np.mean((1 - 1 / (1 + np.exp(-p))) ** 2 * np.logaddexp(0, -p)), BINARY),  # no look at the target
        (lambda p, y: -np.mean(np.sum(y * np.log(p / p.sum(-1, keepdims=True)), -1)), SHARES),  # divides by the sum
        (lambda p, y: np.full(3, 1.0), REAL),
        (lambda p, y: 0.0, REAL),
        (lambda p, y: float("nan"), REAL),
        (lambda p, y: 1 / 0, REAL),
    ],
)
def test_what_only_looks_alike_is_not_recognised(loss: Any, domains: Any) -> None:
    assert recognised(made(loss, domains)) is None


def test_inference_recognises() -> None:
    import torch

    found = subject(torch.nn.HuberLoss(delta=2.5))
    assert (repr(found.definition), found.factor) == ("Huber(delta=2.5)", 1.0)


# ── how exact it is ──────────────────────────────────────────────────────────────────────────────────────────────────


def naive_log_cosh(prediction: Any, target: Any) -> Any:
    return np.mean(np.log(np.cosh(prediction - target)))


def test_errors_are_those_of_mpmath() -> None:
    """log cosh of 40 digits, and the ULP of each naive answer, counted by hand."""
    found = of_dtype(measured(naive_log_cosh), "float32")
    compared = 0
    for size, ulp in zip(found.sizes, found.value, strict=True):
        if not 1e-3 < size < 80:
            continue
        x = np.float32(size)
        with mpmath.workdps(40):
            exact = mpmath.log(mpmath.cosh(mpmath.mpf(float(x))))
            off = abs(mpmath.mpf(float(np.log(np.cosh(x)))) - exact)
        wanted = float(off) / float(np.spacing(np.float32(float(exact))))
        if float(np.log(np.cosh(x))) != 0:  # what is 0 and must not be has no error to be counted
            assert ulp == pytest.approx(wanted, rel=1e-6, abs=1e-9)
            compared += 1
    assert compared > 10


@pytest.mark.parametrize(("dtype", "overflow"), [("float32", 89.4), ("float64", 710.5)])
def test_the_usable_range_of_a_naive_log_cosh(dtype: str, overflow: float) -> None:
    """cosh x − 1 ≈ x²/2 has lost 3 bits, 8 ULP, at x²/2 = 1/8; cosh overflows at log(2 · the largest float)."""
    found = of_dtype(measured(naive_log_cosh), dtype)
    low, high = found.usable
    assert 0.1 < low < 0.8
    assert overflow / 4 < high <= overflow
    assert found.worst_value.ulp == math.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_squared_error_ends_where_squares_overflow(dtype: str) -> None:
    import torch

    found = of_dtype(measured(torch.nn.functional.mse_loss, host="torch"), dtype)
    largest = {"float16": 65504.0, "bfloat16": 3.39e38, "float32": 3.4e38, "float64": 1.7976e308}[dtype]
    low, high = found.usable
    assert found.worst_value.ulp <= 1
    assert found.worst_gradient.ulp <= 1
    assert largest**0.5 / 1e24 < high <= largest**0.5
    assert any(found.overflows)
    assert low < 1e-3


def test_softplus_written_out_loses_digits_where_the_model_is_right() -> None:
    """log(1 + x) of x = exp(−m) is off by half an ULP of 1, which is 1/(2x) ULP of x, or 8 where m = log 16."""

    def loss(prediction: Any, target: Any) -> Any:
        return np.mean(np.log(1 + np.exp(-prediction * (2 * target - 1))))

    domains = (Score(), Labels((0.0, 1.0)))
    for dtype in ("float32", "float64"):
        _, high = of_dtype(measured(loss, domains=domains), dtype).usable
        assert 1 < high < 6
    stable = measured(lambda p, y: np.mean(np.logaddexp(0, -p * (2 * y - 1))), domains=domains)
    for dtype in ("float32", "float64"):
        assert of_dtype(stable, dtype).usable[1] > 1e4
        assert of_dtype(stable, dtype).worst_value.ulp <= 4


def test_a_factor_is_exact() -> None:
    found = measured(from_torch("smooth_l1_loss", beta=7.0), host="torch", settings={"beta": 7.0})
    assert found.judge == "0.142857 × Huber(delta=7.0)"
    for each in found.precisions:
        assert each.worst_value.ulp <= 3
        assert each.worst_gradient.ulp <= 3


def test_a_formula_is_judged_and_not_recorded() -> None:
    """The pseudo-Huber is none of the catalogue; as √(1 + r²) − 1 it cancels, as r² / (√(1 + r²) + 1) it does not."""
    before = len(catalogue.recorded())
    formula = Formula(lambda xp, p, y: xp.sqrt(1 + (p - y) * (p - y)) - 1, *REAL)
    bad = enveloped(made(lambda p, y: np.mean(np.sqrt(1 + (p - y) ** 2) - 1), definition=formula))
    good = enveloped(made(lambda p, y: np.mean((p - y) ** 2 / (np.sqrt(1 + (p - y) ** 2) + 1)), definition=formula))
    assert of_dtype(bad, "float64").usable[0] > 0.1
    assert of_dtype(good, "float64").usable[0] < 1e-100
    assert of_dtype(good, "float64").worst_gradient is None
    assert len(catalogue.recorded()) == before


def test_nothing_is_measured_where_nothing_is_known() -> None:
    assert enveloped(made(lambda p, y: np.mean(np.sqrt(1 + (p - y) ** 2) - 1))) is None


def test_a_dtype_that_is_refused_is_said_to_be() -> None:
    def loss(prediction: Any, target: Any) -> Any:
        if prediction.dtype != np.float32:
            raise TypeError(f"float32 only, not {prediction.dtype}")
        return np.mean((prediction - target) ** 2, dtype=np.float64)

    found = measured(loss)
    assert [bool(each.refused) for each in found.precisions] == [True, True, False, True]
    assert "refused" in found.text


# ── how it is shown ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_has_80_columns() -> None:
    text = measured(naive_log_cosh).text
    assert max(map(len, text.splitlines())) <= 80
    assert all(dtype in text for dtype in DTYPES)


def test_the_data_are_json() -> None:
    data = json.loads(json.dumps(measured(naive_log_cosh).as_json(), allow_nan=False))
    assert [each["dtype"] for each in data["precisions"]] == list(DTYPES)
    assert "inf" in data["precisions"][2]["value"]


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def test_the_picture_is_drawn_in_light_and_in_dark(tmp_path: Any) -> None:
    import torch

    svg = measured(torch.nn.functional.mse_loss, host="torch").svg
    root = ElementTree.fromstring(svg)
    lines = [each for each in root.iter() if each.get("class") == "line"]
    assert len(lines) == 4 + 2 * 4  # the legend, and a line for each dtype in each panel
    assert "NaN" not in svg.upper().replace("NANU", "")
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    if CHROMIUM is None:
        pytest.skip("there is no chromium on the path: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    path = tmp_path / "picture.html"
    path.write_text(f"<!doctype html><meta charset=utf-8>{svg}")
    colours = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 780, "height": 600}, color_scheme=scheme)
            page.goto(path.as_uri())
            text = page.locator("svg text").first
            colours.append(text.evaluate("each => getComputedStyle(each).fill"))
            inside = "each => { const a = each.getBBox(), b = each.ownerSVGElement.viewBox.baseVal;"
            inside += " return a.x >= 0 && a.y >= 0 && a.x + a.width <= b.width && a.y + a.height <= b.height }"
            assert all(each.evaluate(inside) for each in page.locator("svg text").all())
        browser.close()
    assert colours == ["rgb(31, 35, 40)", "rgb(230, 237, 243)"]
