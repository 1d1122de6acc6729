"""Losses that are not what they claim to be: each refuter must find them out."""

from __future__ import annotations

from typing import Any

from lossary import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Gamma,
    GaussianNLL,
    Huber,
    IntervalScore,
    KLDivergence,
    Linex,
    LogCosh,
    MeanSquaredLogarithmicError,
    Periodic,
    SparseCategoricalCrossEntropy,
)
from lossary.define import link
from lossary.define.claims.claim import Claim, Separable
from lossary.define.claims.classes import ClassificationCalibrated, NotProper, Proper
from lossary.define.claims.curve import (
    Convex,
    NonNegative,
    NotConvex,
    NotSymmetricInArguments,
    ShiftInvariant,
    StrictlyConvex,
    StronglyConvex,
    Symmetric,
    ZeroAtTarget,
)
from lossary.define.claims.estimates import (
    Estimates,
    EstimatesBulk,
    EstimatesCentre,
    EstimatesCircularMean,
    EstimatesHuberQuantile,
    EstimatesTransformed,
    EstimatesWeighted,
)
from lossary.define.claims.laws import (
    EstimatesHazardRatio,
    EstimatesLaw,
    EstimatesLocationAndScale,
    EstimatesMoments,
    EstimatesQuantiles,
)
from lossary.define.claims.slope import Differentiable, Kinked, Lipschitz, Smooth, Sparse, UnboundedGradient
from lossary.define.domains.classes import Labels, Simplex
from lossary.define.domains.numbers import Indicator, Positive, Probability, Real, Score
from lossary.define.domains.rows import Columns
from lossary.define.loss import Batchwise, Loss, Pointwise, Rowwise
from lossary.define.objective import Objective
from lossary.losses.distribution.crps_ensemble import CRPSEnsemble
from lossary.losses.survival.cox_partial_likelihood import CoxPartialLikelihood


class Welsch(Pointwise):
    """Levels off: not convex."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        r = p - y
        return 1.0 - xp.exp(-r * r)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        r = p - y
        return 2.0 * r * xp.exp(-r * r)


class LaplaceNLL(Rowwise):
    """Least at the median and the mean distance from it."""

    task = "regression"
    prediction, target = Columns(mean=Real(), std=Positive()), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        mean, scale = xp.columns(p, 2)
        return xp.log(scale) + xp.abs(mean - y) / scale


class FreeScale(Rowwise):
    """Whatever the scale is, it costs the same."""

    task = "regression"
    prediction, target = Columns(mean=Real(), log_std=Real()), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        mean, _ = xp.columns(p, 2)
        return (mean - y) * (mean - y)


class Widths(Rowwise):
    """The interval's width, and nothing for what is outside: least where the ends have changed places."""

    task = "regression"
    prediction, target = Columns(lower=Real(), upper=Real()), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        lower, upper = xp.columns(p, 2)
        return upper - lower + 0.0 * y

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.stack(0.0 * p[..., 0] - 1.0, 0.0 * p[..., 1] + 1.0)


class Unwelsch(Pointwise):
    """The square less three times Welsch: not convex either, and their sum is."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        r = p - y
        return r * r - 3.0 * (1.0 - xp.exp(-r * r))

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        r = p - y
        return 2.0 * r - 6.0 * r * xp.exp(-r * r)


class Free(Pointwise):
    """Costs nothing: least at whatever is claimed, and everywhere else."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return 0.0 * (p - y)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return 0.0 * (p - y)


class FreeProbability(Pointwise):
    """The same, of probabilities."""

    task = "binary"
    prediction, target = Probability(), Probability()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return 0.0 * (p - y)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return 0.0 * (p - y)


class Square(Pointwise):
    """Smooth, strongly convex with modulus 2, symmetric, and steeper without end."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return (p - y) * (p - y)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return 2.0 * (p - y)


class ShiftedSquare(Pointwise):
    """Least beside the target, and negative there."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        r = p - y - 0.5
        return r * r - 0.25

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return 2.0 * (p - y - 0.5)


class Absolute(Pointwise):
    """Kinked, flat on both sides, estimates the median."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.abs(p - y)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.where(p > y, 1.0, xp.where(p < y, -1.0, p - y))


class Insensitive(Pointwise):
    """Free within 1 of the target."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.maximum(xp.abs(p - y) - 1.0, 0.0)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.where(p > y + 1.0, 1.0, xp.where(p < y - 1.0, -1.0, 0.0 * p))


class Tilted(Pointwise):
    """Too high costs twice what too low does."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.maximum(2.0 * (p - y), y - p)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.where(p > y, 2.0 + 0.0 * p, -1.0)


class Logistic(Pointwise):
    """Pulls past every margin."""

    task = "binary"
    prediction, target = Score(logit=False), Labels()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.softplus(-y * p)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return -y * xp.sigmoid(-y * p)


class ProbabilityDistance(Pointwise):
    """The best prediction is 0 or 1, never the probability."""

    task = "binary"
    prediction, target = Probability(), Probability()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.abs(p - y)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.where(p > y, 1.0 + 0.0 * p, -1.0)


class RowDistance(Rowwise):
    """The same in both orders; the best prediction is the most frequent class."""

    task = "distribution"
    prediction, target = Simplex(), Simplex()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.sum(xp.abs(p - y))

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.where(p > y, 1.0 + 0.0 * p, -1.0)


class Debt(Rowwise):
    """A divergence that is a little too low: by more than rounded rows explain."""

    task = "distribution"
    prediction, target = Simplex(), Simplex()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return KLDivergence(from_logits=False).value(xp, p, y) - 1e-13

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return -xp.quotient(y, p)


# Each claim is false of its loss. Every kind of claim there is must be here.
class AmongOthers(Pointwise):
    """Of each entry, which is compared with the sum of its batch: not separable, whatever it derives from."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return (p - y) * (p - y) + xp.row(xp.sum(p)) * (p - y)


class TwiceTheHazard(Batchwise):
    """A partial likelihood that takes the prediction for half of the logarithm, and what keeps predictions small."""

    task = "survival"
    prediction, time, event = Real(), Positive(), Indicator()

    def value(self, xp: Any, p: Any, time: Any, *, event: Any, weight: Any) -> Any:
        likelihood = CoxPartialLikelihood().value(xp, 2.0 * p, time, event=event, weight=weight)
        return likelihood + 1e-6 * xp.sum(weight * p * p)

    def denominator(self, xp: Any, p: Any, time: Any, *, event: Any, weight: Any) -> Any:
        return xp.sum(event * weight)


FALSE: tuple[tuple[Claim, Loss | Objective], ...] = (
    (Separable(), AmongOthers()),
    (Convex(), Welsch()),
    (StrictlyConvex(), Absolute()),
    (StrictlyConvex(), Insensitive()),
    (StrictlyConvex(), Welsch()),
    *((StrictlyConvex(), CategoricalCrossEntropy(from_logits=logits)) for logits in (True, False)),
    *((StrictlyConvex(), KLDivergence(from_logits=logits)) for logits in (True, False)),
    (StrictlyConvex(), CategoricalCrossEntropy(label_smoothing=0.1)),
    (StronglyConvex(1.1), BinaryCrossEntropy(from_logits=False)),
    (StronglyConvex(0.51), BinaryCrossEntropy(from_logits=False, pos_weight=(1.0, 0.5))),
    (StronglyConvex(2.1), Square()),
    (StronglyConvex(0.01), Absolute()),
    (NotConvex(), Square()),
    (NotConvex(), 3.0 * Welsch() + Unwelsch()),
    (NotConvex(), Absolute()),
    (Symmetric(), Tilted()),
    (Symmetric(), ShiftedSquare()),
    (Symmetric(), Linex()),
    (NonNegative(), ShiftedSquare()),
    (NonNegative(), Debt()),
    (ZeroAtTarget(), Insensitive()),
    (ZeroAtTarget(), Logistic()),
    (ZeroAtTarget(), ShiftedSquare()),
    (ZeroAtTarget(), Periodic()),
    (ZeroAtTarget(), FreeScale()),
    (ZeroAtTarget(), Widths()),
    (NotSymmetricInArguments(), RowDistance()),
    (ShiftInvariant(), Logistic()),
    (ShiftInvariant(), LaplaceNLL()),
    (ShiftInvariant(), TwiceTheHazard()),
    (ShiftInvariant(), CategoricalCrossEntropy(from_logits=False)),
    (Differentiable(), Absolute()),
    (Differentiable(), Insensitive()),
    (Differentiable(), Tilted()),
    (Kinked("0"), Square()),
    (Kinked("margin 1"), Logistic()),
    (Smooth(1.9), Square()),
    (Smooth(100.0), Absolute()),
    (Smooth(0.2), Logistic()),
    (Smooth(0.1), CoxPartialLikelihood(ties="breslow")),
    (Lipschitz(2.9), BinaryCrossEntropy(pos_weight=(1.0, 3.0))),
    (Lipschitz(1.0), CoxPartialLikelihood()),
    (Lipschitz(1.9), Tilted()),
    (Lipschitz(1000.0), Square()),
    (Lipschitz(0.99), Logistic()),
    (UnboundedGradient(), Absolute()),
    (UnboundedGradient(), Logistic()),
    (UnboundedGradient(), ProbabilityDistance()),
    (Sparse(), Logistic()),
    (Estimates("mean"), Absolute()),
    (Estimates("median", 0.5), Square()),
    (Estimates("median", 0.5), Tilted()),
    (Estimates("0.9-quantile", 0.9), Absolute()),
    (Estimates("mean"), ShiftedSquare()),
    (Estimates("mean"), Free()),
    (Estimates("median", 0.5), Insensitive()),
    *(
        (Estimates(name, level), loss)
        for name, level in (("mean", None), ("median", 0.5))
        for loss in (Huber(), LogCosh())
    ),
    (EstimatesCentre(), Tilted()),
    (EstimatesCentre(), ShiftedSquare()),
    (EstimatesCentre(), Free()),
    (EstimatesCentre(within=0.01), Insensitive()),
    (Estimates("0.9-expectile", expectile=0.9), Square()),
    (Estimates("0.9-expectile", expectile=0.9), Tilted()),
    (EstimatesHuberQuantile(0.9, 1.0), Square()),
    (EstimatesHuberQuantile(0.5, 2.0), Huber()),
    (EstimatesWeighted("mean by 1/|target|", -1.0), Square()),
    (EstimatesWeighted("median by 1/|target|", -1.0, level=0.5), Absolute()),
    (EstimatesTransformed("geometric mean", link.log), MeanSquaredLogarithmicError()),
    (EstimatesTransformed("mean by log(1 + target)", link.log1p), Gamma(from_log=False)),
    (EstimatesCircularMean(1.0), Square()),
    (EstimatesCircularMean(1.0), Free()),
    (EstimatesCircularMean(24.0), Periodic()),
    (EstimatesCircularMean(1.0), Periodic(24.0)),
    (EstimatesBulk(), Absolute()),
    (EstimatesBulk(), LogCosh()),
    (EstimatesBulk(), Free()),
    (EstimatesMoments(), Square()),
    (EstimatesMoments(), LaplaceNLL()),
    (EstimatesMoments(), FreeScale()),
    (EstimatesLocationAndScale("normal"), Square()),
    (EstimatesLocationAndScale("normal"), LaplaceNLL()),
    (EstimatesLocationAndScale("Laplace"), FreeScale()),
    (EstimatesLocationAndScale("logistic"), IntervalScore()),
    (EstimatesLocationAndScale("Student's t", 3.0), GaussianNLL()),
    (EstimatesQuantiles((0.05, 0.94)), IntervalScore(0.9)),
    (EstimatesQuantiles((0.1, 0.95)), IntervalScore(0.9)),
    (EstimatesQuantiles((0.5,)), Absolute()),
    (EstimatesQuantiles((0.05, 0.95)), Widths()),
    (EstimatesQuantiles((0.05, 0.95)), LaplaceNLL()),
    (EstimatesLaw(), CRPSEnsemble(fair=True)),
    (EstimatesLaw(draws=True), CRPSEnsemble()),
    (EstimatesLaw(), Square()),
    (EstimatesHazardRatio(), TwiceTheHazard()),
    (EstimatesHazardRatio(), Square()),
    (Proper(), ProbabilityDistance()),
    (Proper(), FreeProbability()),
    (Proper(), RowDistance()),
    (Proper(), BinaryCrossEntropy(pos_weight=(1.0, 0.5))),
    (Proper(), SparseCategoricalCrossEntropy(class_weight=(1.0, 1.0, 1.01))),
    (Proper("distribution"), CategoricalCrossEntropy(class_weight=(1.0, 0.0))),
    (NotProper(), BinaryCrossEntropy(pos_weight=(1.0, 1.0))),
    (NotProper(), CategoricalCrossEntropy(class_weight=(2.0, 2.0, 2.0))),
    (ClassificationCalibrated(), BinaryCrossEntropy(pos_weight=3.0)),
    (ClassificationCalibrated(), FreeProbability()),
)
