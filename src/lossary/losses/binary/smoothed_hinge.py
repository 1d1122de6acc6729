from __future__ import annotations

from typing import Any

from lossary.define import (
    Array,
    Claim,
    ClassificationCalibrated,
    Convex,
    Labels,
    Lipschitz,
    NonNegative,
    Pair,
    Pointwise,
    Score,
    Smooth,
    Sparse,
    Twin,
    parameter,
)


class SmoothedHinge(Pointwise):
    """Hinge whose kink is rounded off: a parabola over the last γ before the margin 1, and the line below."""

    gamma: float = parameter(
        default=1.0,
        above=0,
        symbol="γ",
        doc="how far below the margin 1 the parabola reaches; 0 would be Hinge, and 2 is the binary sparsemax loss",
        foreign=("beta", "delta", "smoothing", "eps"),
        examples=(0.25, 2.0),
    )
    labels: Pair = parameter(
        default=(-1.0, 1.0),
        choices=((-1.0, 1.0), (0.0, 1.0)),
        doc="how the two classes are written in the target: (-1, 1) or (0, 1)",
        examples=((0.0, 1.0),),
    )

    task = "binary"
    tried = False
    prediction = Score(logit=False)
    output_layer = "one linear unit; its sign is the class"
    choosing = "gamma=1; with gamma=2, (1 + score) / 2 cut off at 0 and 1 says how likely the higher label is"
    strengths = (
        "examples that are right by a margin do not pull at all: the solution rests on few of them",
        "an outlier's pull is capped at 1",
        "smooth at margin 1, where Hinge has its kink",
    )
    weaknesses = (
        "scores are no probabilities, but for those that gamma=2 gives",
        "its curvature is 1/γ: a small γ brings the kink back",
    )
    sources = (
        "Shalev-Shwartz & Zhang 2013, arXiv:1209.1873",
        "Martins & Astudillo 2016, arXiv:1602.02068",
    )
    foreign_names = ("SmoothedL1Hinge", "SmoothedL1HingeLoss", "SmoothHinge", "HuberHinge", "BinarySparsemax")
    same_as = (
        Twin(
            "scipy.special.huber(gamma, numpy.maximum(1 - target * prediction, 0)) / gamma",
            when={"labels": (-1.0, 1.0)},
        ),
        Twin(
            "scipy.special.huber(gamma, numpy.maximum(1 - (2 * target - 1) * prediction, 0)) / gamma",
            when={"labels": (0.0, 1.0)},
        ),
        Twin("optax.losses.sparsemax_loss(prediction, (target + 1) / 2)", when={"gamma": 2.0}),
    )

    @property
    def target(self) -> Labels:
        return Labels(self.labels)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return (
            Convex(),
            Smooth(1.0 / self.gamma),
            Lipschitz(1.0),
            NonNegative(),
            Sparse(),
            ClassificationCalibrated(),
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        short = xp.relu(1 - self.target.signs(y) * p)
        return xp.where(short < self.gamma, short * short / (2 * self.gamma), short - self.gamma / 2)

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        short = xp.relu(1.0 - self.target.signs(y) * p)
        small = xp.minimum(short, self.gamma)
        # Not the square first, which may overflow. At γ itself the line: `small` has half of its derivative there.
        return xp.where(short < self.gamma, (0.5 * small) * (small / self.gamma), short - 0.5 * self.gamma)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        sign = self.target.signs(y)
        margin = sign * p
        return -sign * self._within(xp, margin, 1.0, (1.0 - margin) / self.gamma)

    def curvature(self, xp: Any, p: Array, y: Array) -> Array:
        return self._within(xp, self.target.signs(y) * p, 0.0, 1.0 / self.gamma)

    def _within(self, xp: Any, margin: Array, below: float, inside: Array) -> Array:
        """What holds between the margins 1 − γ and 1, and below; 0 above. What is neither is NaN.

        It is the margin that is compared: how far it falls short is rounded.
        """
        short = xp.where(margin > 1.0 - self.gamma, inside, below + 0.0 * xp.clip(margin, -1.0, 1.0))
        return xp.where(margin < 1.0, short, xp.where(margin >= 1.0, 0.0, margin))
