"""Losses of a whole distribution, beside arithmetic done by hand and other libraries' words for their parts."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from sklearn.metrics import mean_pinball_loss, mean_tweedie_deviance

import lossary
from lossary import (
    CRPSEnsemble,
    CRPSLaplace,
    CRPSLogistic,
    CRPSNormal,
    Gamma,
    GaussianNLL,
    IntervalScore,
    MultiQuantile,
    NegativeBinomial,
    Poisson,
    StudentTNLL,
    Tweedie,
)
from lossary.errors import DomainError, ShapeError


@pytest.mark.parametrize(
    ("lower", "upper", "target", "by_hand"),
    [
        (1.0, 4.0, 2.0, 3.0),  # inside: the width
        (1.0, 4.0, 1.0, 3.0),  # at an end, too
        (1.0, 4.0, 0.5, 3.0 + 20.0 * 0.5),  # 2/0.1 times what it is below
        (1.0, 4.0, 6.0, 3.0 + 20.0 * 2.0),
        (2.0, 2.0, 2.0, 0.0),
        (4.0, 1.0, 2.0, -3.0 + 20.0 * 2.0 + 20.0 * 1.0),  # ends that have changed places: outside of both
    ],
)
def test_an_interval_by_hand(lower: float, upper: float, target: float, by_hand: float) -> None:
    prediction = np.array([[lower, upper]])
    assert IntervalScore(0.9)(prediction=prediction, target=np.array([target])) == pytest.approx(by_hand)


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99])
def test_an_interval_is_two_quantiles(coverage: float, random: Any) -> None:
    """2/α times the two pinball losses (Gneiting & Raftery 2007, section 6.2)."""
    p, y = random.normal(size=(200, 2)), random.normal(size=200)
    outside = 1.0 - coverage
    low, high = (mean_pinball_loss(y, p[:, k], alpha=level) for k, level in enumerate((outside / 2, 1 - outside / 2)))
    assert IntervalScore(coverage)(prediction=p, target=y) == pytest.approx(2.0 / outside * (low + high), rel=1e-12)


def test_ends_in_order_cost_no_more(random: Any) -> None:
    p, y = random.normal(size=(200, 2)), random.normal(size=200)
    ordered = IntervalScore().values(prediction=np.sort(p, axis=1), target=y)
    assert (ordered <= IntervalScore().values(prediction=p, target=y) + 1e-12).all()


@pytest.mark.parametrize(
    ("draws", "target", "by_hand", "fair"),
    [
        ((3.0,), 1.0, 2.0, 2.0),  # a single draw: the absolute error
        ((0.0, 2.0), 1.0, 1.0 - 4.0 / 8.0, 0.0),
        ((0.0, 2.0), 4.0, 3.0 - 4.0 / 8.0, 3.0 - 4.0 / 4.0),
        ((2.0, -1.0, 5.0), 2.0, 2.0 - 24.0 / 18.0, 0.0),
        ((1.0, 1.0, 1.0), 1.0, 0.0, 0.0),
    ],
)
def test_an_ensemble_by_hand(draws: tuple[float, ...], target: float, by_hand: float, fair: float) -> None:
    inputs = {"prediction": np.array([draws]), "target": np.array([target])}
    assert CRPSEnsemble()(**inputs) == pytest.approx(by_hand, abs=1e-15)
    assert CRPSEnsemble(fair=True)(**inputs) == pytest.approx(fair, abs=1e-15)


def test_an_ensemble_is_as_far_as_its_steps_are_from_the_targets_step(random: Any) -> None:
    """The integral of the squared difference of both distribution functions (Gneiting & Raftery 2007, section 4.2)."""
    p, y = random.normal(size=(20, 7)), random.normal(size=20)
    ends = np.sort(np.concatenate([p, y[:, None]], axis=1))
    middle = 0.5 * (ends[:, 1:] + ends[:, :-1])
    below = (p[:, None] <= middle[..., None]).mean(axis=-1) - (y[:, None] <= middle)
    by_steps = (below**2 * np.diff(ends)).sum(axis=1)
    np.testing.assert_allclose(CRPSEnsemble().values(prediction=p, target=y), by_steps, rtol=1e-12)


def test_draws_that_are_equal_share_their_pull() -> None:
    slopes = [
        CRPSEnsemble(fair=fair).value_and_gradient(prediction=np.array([[2.0, 1.0, 2.0, 0.0]]), target=np.array([0.0]))[
            1
        ]
        for fair in (False, True)
    ]
    np.testing.assert_allclose(slopes, [[[2 / 16, 5 / 16, 2 / 16, 0.0]], [[1 / 12, 4 / 12, 1 / 12, 0.0]]], rtol=1e-15)


@pytest.mark.parametrize("from_log", [True, False])
@pytest.mark.parametrize("power", [1.0, 1.3, 1.5, 2.0, 3.0])
def test_tweedie_is_half_its_deviance_less_what_the_target_alone_costs(
    power: float, from_log: bool, random: Any
) -> None:
    y, mean = np.exp(random.normal(size=(2, 50)))
    loss = Tweedie(power, from_log=from_log)
    ours, at_target = (loss.values(prediction=np.log(x) if from_log else x, target=y) for x in (mean, y))
    theirs = [mean_tweedie_deviance([target], [one], power=power) for target, one in zip(y, mean, strict=True)]
    np.testing.assert_allclose(2.0 * (ours - at_target), theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("power", "other", "offset"), [(1.0, Poisson(), 1.0), (2.0, Gamma(), None)])
def test_tweedie_changes_with_the_power_without_a_jump(power: float, other: Any, offset: Any, random: Any) -> None:
    p, y = random.normal(scale=2.0, size=50), np.exp(random.normal(size=50))
    at = Tweedie(power).value_and_gradient(prediction=p, target=y, reduction="none")
    for near in (power + 1e-12, power - 1e-12):
        beside = Tweedie(max(near, 1.0)).value_and_gradient(prediction=p, target=y, reduction="none")
        np.testing.assert_allclose(beside, at, rtol=1e-9, atol=1e-10)
    values, slopes = other.value_and_gradient(prediction=p, target=y, reduction="none")
    np.testing.assert_allclose(at, [values - (y if offset is None else offset), slopes], rtol=1e-12, atol=1e-13)


def test_tweedie_takes_targets_of_0_below_a_power_of_2() -> None:
    assert Tweedie(1.5)(prediction=np.array([0.0]), target=np.array([0.0])) == 0.0
    with pytest.raises(DomainError, match="target must be above 0"):
        Tweedie(2.0)(prediction=np.array([0.0]), target=np.array([0.0]))


@pytest.mark.parametrize("dispersion", [0.1, 1.0, 4.0])
def test_a_negative_binomial_is_its_likelihood_but_for_what_the_target_alone_costs(
    dispersion: float, random: Any
) -> None:
    p, y, size = random.normal(scale=2.0, size=50), random.integers(0, 40, size=50), 1.0 / dispersion

    def theirs(p: Any) -> Any:
        return -scipy.stats.nbinom.logpmf(y, size, 1.0 / (1.0 + dispersion * np.exp(p)))

    loss = NegativeBinomial(dispersion)
    ours = [loss.values(prediction=each, target=y.astype(float)) for each in (p, 0.0 * p)]
    np.testing.assert_allclose(ours[0] - ours[1], theirs(p) - theirs(0.0 * p), rtol=1e-9, atol=1e-9)


def test_without_dispersion_a_negative_binomial_is_poissons(random: Any) -> None:
    inputs = {"prediction": random.normal(scale=2.0, size=50), "target": np.exp(random.normal(size=50))}
    ours, theirs = (
        loss.value_and_gradient(**inputs, reduction="none") for loss in (NegativeBinomial(1e-12), Poisson())
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-9)


def test_several_quantiles_by_hand() -> None:
    prediction, target = np.array([[1.0, 2.0, 5.0]]), np.array([3.0])
    by_hand = (0.1 * 2.0 + 0.5 * 1.0 + 0.1 * 2.0) / 3.0  # two levels below the target, one above
    value, slope = MultiQuantile().value_and_gradient(prediction=prediction, target=target)
    assert value == pytest.approx(by_hand, rel=1e-15)
    np.testing.assert_allclose(slope, [[-0.1 / 3, -0.5 / 3, 0.1 / 3]], rtol=1e-15)


def test_of_many_levels_twice_the_mean_is_the_score_of_the_law(random: Any) -> None:
    """Levels at the middle of each of M parts, beside an ensemble of the same M numbers: the same integral (Gneiting &
    Ranjan 2011)."""
    count = 400
    levels, draws, y = (np.arange(count) + 0.5) / count, np.sort(random.normal(size=count)), random.normal(size=20)
    rows = np.tile(draws, (20, 1))
    ours = 2.0 * MultiQuantile(levels).values(prediction=rows, target=y)
    np.testing.assert_allclose(ours, CRPSEnsemble().values(prediction=rows, target=y), rtol=1e-10)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ShapeError, match="rows of 3 numbers, one for each level"):
        MultiQuantile()(prediction=np.zeros((5, 4)), target=np.zeros(5))


# Of what law a score is the integral of (F(x) − [y ≤ x])², at a location and a scale.
SCORES = [
    pytest.param(CRPSNormal, scipy.stats.norm, id="CRPSNormal"),
    pytest.param(CRPSLogistic, scipy.stats.logistic, id="CRPSLogistic"),
    pytest.param(CRPSLaplace, scipy.stats.laplace, id="CRPSLaplace"),
]


@pytest.mark.parametrize(("score", "law"), SCORES)
def test_a_score_is_the_integral_of_the_squared_difference_of_both_distribution_functions(score: Any, law: Any) -> None:
    prediction = np.array([[0.3, np.log(2.0)], [0.3, np.log(0.5)], [-1.0, 0.0]])
    target = np.array([1.7, -2.0, -1.0])

    def by_integral(location: float, log_scale: float, y: float) -> float:
        cdf = law(location, np.exp(log_scale)).cdf
        below, _ = scipy.integrate.quad(lambda x: cdf(x) ** 2, -np.inf, y)
        above, _ = scipy.integrate.quad(lambda x: (1.0 - cdf(x)) ** 2, y, np.inf)
        return below + above

    wanted = [by_integral(*row, y) for row, y in zip(prediction, target, strict=True)]
    np.testing.assert_allclose(score().values(prediction=prediction, target=target), wanted, rtol=1e-7)
    scaled = np.stack([prediction[:, 0], np.exp(prediction[:, 1])], axis=1)
    other = score(scale=score.default("scale").removeprefix("log_"))
    np.testing.assert_allclose(other.values(prediction=scaled, target=target), wanted, rtol=1e-7)


@pytest.mark.parametrize(("score", "law"), SCORES)
def test_of_a_law_without_scale_a_score_is_the_absolute_error(score: Any, law: Any) -> None:
    prediction, target = np.array([[1.0, -1e4], [1.0, -1e4]]), np.array([3.5, 1.0])
    assert score().values(prediction=prediction, target=target).tolist() == [2.5, 0.0]


def test_a_students_t_law_is_a_wide_normal_one_or_cauchys_in_the_end(random: Any) -> None:
    prediction, target = random.normal(size=(50, 2)), random.normal(scale=3.0, size=50)
    inputs = {"prediction": prediction, "target": target}
    normal, wide = GaussianNLL(full=True).values(**inputs), StudentTNLL(1e12, full=True).values(**inputs)
    np.testing.assert_allclose(wide, normal, rtol=1e-9)
    cauchy = -scipy.stats.cauchy.logpdf(target, prediction[:, 0], np.exp(prediction[:, 1]))
    np.testing.assert_allclose(StudentTNLL(1.0, full=True).values(**inputs), cauchy, rtol=1e-12)


@pytest.mark.parametrize("degrees", [1.0, 4.0, 30.0])
def test_far_out_a_students_t_law_costs_what_its_power_does(degrees: float) -> None:
    """A residual of e^100 scales, of which float32 cannot hold the quotient."""
    prediction, target = np.float32([[1.0, -100.0], [3e38, 0.0]]), np.float32([0.0, -3e38])
    ours, slopes = StudentTNLL(degrees).value_and_gradient(prediction=prediction, target=target, reduction="none")
    log_z = np.array([100.0, np.log(6e38)])
    wanted = prediction[:, 1] + (degrees + 1.0) * (log_z - 0.5 * np.log(degrees))
    np.testing.assert_allclose(ours, wanted, rtol=1e-6)
    np.testing.assert_allclose(slopes[:, 1], -degrees, rtol=1e-6)
    assert slopes[0, 0] == pytest.approx(degrees + 1.0, rel=1e-6)


@pytest.mark.parametrize("degrees", [1e-3, 0.5, 1.0, 4.0, 30.0, 79.9, 1e4, 1e12])
def test_the_constant_of_a_students_t_law_keeps_its_digits(degrees: float) -> None:
    with mpmath.workdps(40):
        half = mpmath.mpf(degrees) / 2
        exactly = mpmath.loggamma(half) - mpmath.loggamma(half + 0.5) + mpmath.log(2 * mpmath.pi * half) / 2
    at_0 = {"prediction": np.zeros((1, 2)), "target": np.zeros(1)}
    assert StudentTNLL(degrees, full=True)(**at_0) == pytest.approx(float(exactly), rel=2e-14)


def test_a_scale_as_an_input_of_its_own_is_told_where_it_belongs() -> None:
    torch = pytest.importorskip("torch")
    mean, target, var = torch.zeros(4), torch.zeros(4), torch.ones(4)
    with pytest.raises(lossary.UsageError, match=r"with input=torch.stack\(\[mean, log_std\], -1\)"):
        lossary.torch.GaussianNLL()(mean, target, var)  # as torch.nn.GaussianNLLLoss takes it
