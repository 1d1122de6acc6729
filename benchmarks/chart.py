"""The chart: how many times as fast as its peer each loss is. An SVG of plain shapes, without fonts of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from benchmarks.measurement import Measurement

WIDTH, LEFT, RIGHT, TOP, ROW = 760, 230, 30, 64, 26
SHOWN = (
    ("pytorch", "PyTorch eager", "#4477aa"),
    ("pytorch_compiled", "torch.compile", "#ee6677"),
    ("numpy", "NumPy textbook", "#ccbb44"),
    ("jax", "JAX, optax", "#228833"),
)
KINDS = ("forward + backward", "value + gradient", "jit, value + gradient")
SIZES = ("1 M", "512 × 32000")
TICKS = (0.5, 1, 2, 5, 10, 20, 50)


def drawn(measured: dict[str, list[Measurement]]) -> str:
    """One line for each loss, one dot for each peer, on a logarithmic scale."""
    dots: dict[str, list[tuple[str, str, float]]] = {}
    for section, title, colour in SHOWN:
        for each in measured.get(section, []):
            if each.size in SIZES and each.kind in KINDS and each.ratio:
                dots.setdefault(f"{each.loss}, {each.size}", []).append((title, colour, each.ratio))
    height = TOP + ROW * len(dots) + 44
    ratios = [ratio for row in dots.values() for *_, ratio in row] or [1.0]
    low, high = min(0.5, *ratios), max(10.0, *ratios) * 1.1
    body = [*_legend(), *_scale(low, high, height), *_rows(dots, low, high), *_caption(height)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12" role="img" aria-label="How many times as fast as its peer each loss is">'
    )
    return "\n".join(
        [
            head,
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *body,
            "</svg>\n",
        ]
    )


def _x(ratio: float, low: float, high: float) -> float:
    share = (math.log(ratio) - math.log(low)) / (math.log(high) - math.log(low))
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _legend() -> Iterator[str]:
    for place, (_, title, colour) in enumerate(SHOWN):
        x = LEFT + place * 125
        yield f'<circle cx="{x}" cy="22" r="5" fill="{colour}"/>'
        yield f'<text x="{x + 10}" y="26" fill="#222222">{escape(title)}</text>'


def _scale(low: float, high: float, height: int) -> Iterator[str]:
    bottom = height - 40
    for tick in (each for each in TICKS if low <= each <= high):
        x = _x(tick, low, high)
        colour = "#222222" if tick == 1 else "#dddddd"
        yield f'<line x1="{x}" y1="{TOP - 14}" x2="{x}" y2="{bottom}" stroke="{colour}"/>'
        yield f'<text x="{x}" y="{TOP - 18}" text-anchor="middle" fill="#555555">{tick:g}×</text>'


def _rows(dots: dict[str, list[tuple[str, str, float]]], low: float, high: float) -> Iterator[str]:
    for place, (name, row) in enumerate(dots.items()):
        y = TOP + ROW * place + 8
        yield f'<text x="{LEFT - 14}" y="{y + 4}" text-anchor="end" fill="#222222">{escape(name)}</text>'
        for title, colour, ratio in row:
            label = escape(f"{name}: {ratio:.2f} times as fast as {title}")
            yield f'<circle cx="{_x(ratio, low, high)}" cy="{y}" r="5" fill="{colour}"><title>{label}</title></circle>'


def _caption(height: int) -> Iterator[str]:
    yield (
        f'<text x="{LEFT}" y="{height - 16}" fill="#555555">times as fast as the peer, value and gradient, float32 '
        "(right of 1× lossary is faster)</text>"
    )
