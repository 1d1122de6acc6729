"""Losses that are not what they claim to be: each refuter must find them out."""

from __future__ import annotations

from typing import Any

from lossary.claim import (
    Claim,
    Convex,
    Differentiable,
    Elicits,
    Kinked,
    Lipschitz,
    NonNegative,
    NotConvex,
    NotSymmetricInArguments,
    Proper,
    Smooth,
    Sparse,
    StrictlyConvex,
    StronglyConvex,
    Symmetric,
    UnboundedGradient,
    ZeroAtTarget,
)
from lossary.domain import Labels, Probability, Real, Score, Simplex
from lossary.loss import Loss, Pointwise, Rowwise


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
    """Kinked, flat on both sides, elicits the median."""

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


# Each claim is false of its loss. Every kind of claim there is must be here.
FALSE: tuple[tuple[Claim, Loss], ...] = (
    (Convex(), Welsch()),
    (StrictlyConvex(), Absolute()),
    (StrictlyConvex(), Insensitive()),
    (StrictlyConvex(), Welsch()),
    (StronglyConvex(2.1), Square()),
    (StronglyConvex(0.01), Absolute()),
    (NotConvex(), Square()),
    (NotConvex(), Absolute()),
    (Symmetric(), Tilted()),
    (Symmetric(), ShiftedSquare()),
    (NonNegative(), ShiftedSquare()),
    (ZeroAtTarget(), Insensitive()),
    (ZeroAtTarget(), Logistic()),
    (ZeroAtTarget(), ShiftedSquare()),
    (NotSymmetricInArguments(), RowDistance()),
    (Differentiable(), Absolute()),
    (Differentiable(), Insensitive()),
    (Differentiable(), Tilted()),
    (Kinked("0"), Square()),
    (Kinked("margin 1"), Logistic()),
    (Smooth(1.9), Square()),
    (Smooth(100.0), Absolute()),
    (Smooth(0.2), Logistic()),
    (Lipschitz(1.9), Tilted()),
    (Lipschitz(1000.0), Square()),
    (Lipschitz(0.99), Logistic()),
    (UnboundedGradient(), Absolute()),
    (UnboundedGradient(), Logistic()),
    (UnboundedGradient(), ProbabilityDistance()),
    (Sparse(), Logistic()),
    (Elicits("mean"), Absolute()),
    (Elicits("median", 0.5), Square()),
    (Elicits("median", 0.5), Tilted()),
    (Elicits("0.9-quantile", 0.9), Absolute()),
    (Elicits("mean"), ShiftedSquare()),
    (Proper(), ProbabilityDistance()),
    (Proper(), RowDistance()),
)
