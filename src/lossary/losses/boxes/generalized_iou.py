from __future__ import annotations

from typing import Any, NamedTuple

from lossary.define import (
    Array,
    Boxes,
    Departure,
    Kinked,
    Notation,
    NotConvex,
    Rowwise,
    Twin,
    UnboundedGradient,
    ZeroAtTarget,
)


class GeneralizedIoU(Rowwise):
    """How much of two boxes does not overlap, as a share of their union, and how much of the smallest box around both
    belongs to neither: 0 for the same box, towards 2 for small boxes far apart."""

    everyday = True
    task = "regression"
    prediction, target = Boxes(), Boxes()
    output_layer = "four linear units: one corner, and the logarithms of width and height, or these after a softplus"
    choosing = "for the boxes of object detection; often added to SmoothL1's value"
    strengths = (
        "large and small boxes count alike: what is missed is measured by the boxes themselves",
        "boxes that do not overlap are pulled together, where 1 − IoU is flat",
    )
    weaknesses = (
        "of boxes inside one another it says no more than 1 − IoU, wherever the inner one is",
        "the smaller the boxes, the harder they pull",
    )
    sources = ("Rezatofighi et al. 2019, arXiv:1902.09630",)
    foreign_names = ("GIoU", "GIoULoss", "GeneralizedBoxIoULoss")
    claims = NotConvex(), Kinked("edges in line"), UnboundedGradient(), ZeroAtTarget()
    same_as = (
        Twin(
            "torchvision.ops.generalized_box_iou_loss(prediction, target, reduction='none')",
            framework="torch",
            departs=Departure(
                "adds 1e-7 to the areas it divides by", [[0.0, 0.0, 1e-3, 1e-3]], [[0.0, 0.0, 1e-3, 1e-3]], 0.0909091
            ),
        ),
        Twin(
            "torchvision.ops.generalized_box_iou(prediction, target).diagonal()",
            factor=-1.0,
            offset=1.0,
            framework="torch",
            departs=Departure(
                "NaN for boxes without an area", [[0.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]], float("nan")
            ),
        ),
    )

    @property
    def notation(self) -> Notation:
        return Notation(
            latex=r"1 - \frac{|\hat{y} \cap y|}{|\hat{y} \cup y|} + \frac{|C \setminus (\hat{y} \cup y)|}{|C|}, "
            r"\quad C \text{ the smallest box around both}",
            text="1 - |ŷ ∩ y| / |ŷ ∪ y| + |C \\ (ŷ ∪ y)| / |C|, C the smallest box around both",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        left, top, right, bottom = xp.columns(p, 4)
        its_left, its_top, its_right, its_bottom = xp.columns(y, 4)
        width = xp.maximum(0, xp.minimum(right, its_right) - xp.maximum(left, its_left))
        height = xp.maximum(0, xp.minimum(bottom, its_bottom) - xp.maximum(top, its_top))
        both = width * height
        union = (right - left) * (bottom - top) + (its_right - its_left) * (its_bottom - its_top) - both
        around = xp.maximum(right, its_right) - xp.minimum(left, its_left)
        around = around * (xp.maximum(bottom, its_bottom) - xp.minimum(top, its_top))
        return 1 - both / union + (around - union) / around

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        x, y = _axes(xp, p, y)
        both = x.both * y.both
        apart = x.both * (y.own + y.its) + x.own * (y.both + y.own) + x.its * (y.both + y.its)
        union = both + apart
        neither = x.gap + (x.both + x.own + x.its) * y.gap + x.own * y.its + x.its * y.own
        # Of two shares that add up to 1 the smaller has all the digits, in its derivative too.
        missed = xp.where(both < apart, 1.0 - both / _not_0(xp, union), apart / _not_0(xp, union))
        around = xp.where(union < neither, 1.0 - union, neither)
        # Boxes without an area are the same, or have nothing in common; what is around both may have none either.
        elsewhere = x.own + x.its + x.gap + y.own + y.its + y.gap > 0.0
        missed = xp.where(xp.logical_and(elsewhere, xp.equal(union, 0.0)), 1.0, missed)
        flat = xp.logical_or(xp.equal(x.around, 0.0), xp.equal(y.around, 0.0))
        return missed + xp.where(flat, 0.0, around)

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        x, y = _axes(xp, p, y)
        (left, right), (top, bottom) = _pulls(xp, x, y), _pulls(xp, y, x)
        return xp.stack(left, top, right, bottom)


class _Axis(NamedTuple):
    """Two boxes along one axis: their ends, the length around both, whether that is a float, and as shares of it what
    both cover, only the own box does, only the other does, and none."""

    low: Array
    high: Array
    its_low: Array
    its_high: Array
    around: Array
    fits: Array
    both: Array
    own: Array
    its: Array
    gap: Array


def _axes(xp: Any, p: Array, y: Array) -> list[_Axis]:
    ends = zip(xp.columns(p, 4), xp.columns(y, 4), strict=True)
    (left, its_left), (top, its_top), (right, its_right), (bottom, its_bottom) = ends
    return [_axis(xp, left, right, its_left, its_right), _axis(xp, top, bottom, its_top, its_bottom)]


def _axis(xp: Any, low: Array, high: Array, its_low: Array, its_high: Array) -> _Axis:
    # A quarter of what is as large as numbers go, so that no length is infinite.
    fits = xp.isfinite(xp.maximum(high, its_high) - xp.minimum(low, its_low))
    low, high, its_low, its_high = (xp.where(fits, end, 0.25 * end) for end in (low, high, its_low, its_high))
    around = xp.maximum(high, its_high) - xp.minimum(low, its_low)
    begin, end = xp.maximum(low, its_low), xp.minimum(high, its_high)
    lengths = (
        xp.relu(end - begin),
        xp.relu(xp.minimum(high, its_low) - low) + xp.relu(high - xp.maximum(low, its_high)),
        xp.relu(xp.minimum(its_high, low) - its_low) + xp.relu(its_high - xp.maximum(its_low, high)),
        xp.relu(begin - end),
    )
    return _Axis(low, high, its_low, its_high, around, fits, *(length / _not_0(xp, around) for length in lengths))


def _pulls(xp: Any, along: _Axis, across: _Axis) -> tuple[Array, Array]:
    """The derivatives by the own box's two ends along an axis."""
    extent = across.both + across.own
    rest = along.both * (across.both + across.its) + along.own * extent + along.its * (across.both + across.its)
    union = _not_0(xp, rest + along.both * across.own)
    # How much is gained by an end that moves out over the other box, or beside it, or beyond its end.
    over = (across.both / union) * (rest / union) + across.own
    beyond = (along.both * across.both / union) * (extent / union)
    beyond = beyond + ((along.both + along.its) * across.its - along.its * across.own - along.gap * extent)
    around = _not_0(xp, along.around)
    unit = xp.where(along.fits, 1.0 / around, 0.25 / around)

    def of(end: Array, near: Array, far: Array) -> Array:
        """Of an end that moves outwards, past the `near` end of the other box and then its `far` one."""
        inside = xp.where(end > near, over, extent)
        middle = 0.5 * (beyond - inside)  # where both ends are in line, between the slopes on either side
        return xp.where(end < far, -inside, xp.where(end > far, beyond, middle))

    return -unit * of(-along.low, -along.its_high, -along.its_low), unit * of(along.high, along.its_low, along.its_high)


def _not_0(xp: Any, x: Array) -> Array:
    return xp.where(xp.equal(x, 0.0), 1.0, x)
