"""Errors against magnitudes as a picture: an SVG that stands on its own, in a light page or a dark one."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Mapping, Sequence

Line = tuple[str, Sequence[float], Sequence[float]]  # its name, and where its points are

# Okabe's and Ito's colours, which everybody can tell apart, dark enough for white and light enough for black; a dash
# of its own for each line beside them.
_COLOURS = {"float16": "#d55e00", "bfloat16": "#c98a00", "float32": "#0a87c9", "float64": "#00946c"}
_DASHES = {"float16": "7 3", "bfloat16": "2 3", "float32": "none", "float64": "10 3 2 3"}
_STYLE = """
.envelope { color: #1f2328; font: 12px system-ui, sans-serif; }
.envelope text { fill: currentColor; }
.envelope .frame { fill: none; stroke: currentColor; stroke-opacity: .35; }
.envelope .grid { stroke: currentColor; stroke-opacity: .12; }
.envelope .bound { stroke: currentColor; stroke-opacity: .6; stroke-dasharray: 4 4; }
.envelope .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) { .envelope { color: #e6edf3; } }
"""
_WIDTH, _LEFT, _RIGHT = 760, 64, 16
_TOP, _HEIGHT, _GAP, _BOTTOM = 74, 170, 42, 46
_LOW, _HIGH = 0.25, 1e4  # ULP at the edges of a panel; what is beyond is drawn at the edge


def draw(title: str, panels: Mapping[str, Sequence[Line]], magnitude: str, bound: float) -> str:
    """The SVG.

    Args:
        title: what it is of.
        panels: what was measured ("value", "gradient") → a line for each dtype, errors in ULP against magnitudes.
        magnitude: what is on the x axis.
        bound: the error up to which a dtype is usable; a line is drawn there.
    """
    lines = list(itertools.chain.from_iterable(panels.values()))
    sizes = [x for _, at, _ in lines for x in at]
    left, right = (min(sizes), max(sizes)) if sizes else (0.1, 10.0)
    height = _TOP + len(panels) * (_HEIGHT + _GAP) - _GAP + _BOTTOM
    parts = [
        f'<svg class="envelope" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{html.escape(title)}: error in units in the last place by {html.escape(magnitude)}</title>",
        f"<style>{_STYLE}</style>",
        f'<text x="{_LEFT}" y="20" font-size="15" font-weight="600">{html.escape(title)}</text>',
        *_legend([name for name, _, _ in next(iter(panels.values()), ())]),
    ]
    for number, (name, drawn) in enumerate(panels.items()):
        parts += _panel(f"{name}, ULP", drawn, (left, right), _TOP + number * (_HEIGHT + _GAP), bound)
    parts += [
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{height - 10}" text-anchor="middle">{html.escape(magnitude)}</text>'
    ]
    return "\n".join([*parts, "</svg>"])


def _legend(names: Sequence[str]) -> list[str]:
    parts = []
    for number, name in enumerate(names):
        x = _LEFT + 110 * number
        parts += [f'<path {_pen(name)} d="M{x} 38h28"/>', f'<text x="{x + 34}" y="42">{html.escape(name)}</text>']
    return parts


def _panel(name: str, lines: Sequence[Line], sizes: tuple[float, float], top: float, bound: float) -> list[str]:
    bottom = top + _HEIGHT
    parts = [f'<rect class="frame" x="{_LEFT}" y="{top}" width="{_WIDTH - _LEFT - _RIGHT}" height="{_HEIGHT}"/>']
    parts += [f'<text x="{_LEFT}" y="{top - 6}">{html.escape(name)}</text>']
    for power in _powers(*sizes):
        x = _across(10.0**power, sizes)
        parts += [f'<path class="grid" d="M{x:.1f} {top}V{bottom}"/>', _label(x, bottom + 16, _ten(power), "middle")]
    for error in (1.0, 10.0, 100.0, 1000.0):
        y = _down(error, top)
        parts += [f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>']
        parts += [_label(_LEFT - 8, y + 4, f"{error:g}", "end")]
    parts += [_label(_LEFT - 8, top + 4, "10⁴ +", "end")]
    parts += [f'<path class="bound" d="M{_LEFT} {_down(bound, top):.1f}H{_WIDTH - _RIGHT}"/>']
    for dtype, at, errors in lines:
        path = _path([(_across(x, sizes), _down(error, top)) for x, error in zip(at, errors, strict=False)])
        parts += [f'<path {_pen(dtype)} d="{path}"/>']
    return parts


def _pen(name: str) -> str:
    return f'class="line" stroke="{_COLOURS[name]}" stroke-dasharray="{_DASHES[name]}"'


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _ten(power: int) -> str:
    return f'10<tspan dy="-4" font-size="9">{power}</tspan>' if power not in (0, 1) else f"{10**power}"


def _powers(low: float, high: float) -> range:
    """About ten round powers of 10."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    step = next(step for step in (1, 2, 5, 10, 50, 100) if (last - first) / step <= 13)  # labels fit
    return range(math.ceil(first / step) * step, last + 1, step)


def _across(size: float, sizes: tuple[float, float]) -> float:
    low, high = (math.log10(x) for x in sizes)
    return _LEFT + (math.log10(size) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)


def _down(error: float, top: float) -> float:
    """Where an error is; NaN stays."""
    inside = error if math.isnan(error) else min(max(error, _LOW), _HIGH)
    return top + _HEIGHT * (1 - math.log(inside / _LOW) / math.log(_HIGH / _LOW))


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A line through the points, broken where there is none."""
    parts, down = [], False
    for x, y in points:
        if math.isnan(y):
            down = False
            continue
        parts.append(f"{'L' if down else 'M'}{x:.1f} {y:.1f}")
        down = True
    return "".join(parts)
