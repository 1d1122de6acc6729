"""docs/performance.md: what was measured goes between its two marks, and into a chart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import chart
from benchmarks.measurement import Measurement
from benchmarks.plan import ROOT, SECTIONS, TARGETS, Target, result

DOCUMENT = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "images" / "performance.svg"
START, END = "<!-- measured: written by `make bench` -->", "<!-- end of what was measured -->"

ABOUT = {
    "pytorch": "Value and a fresh gradient, against PyTorch's functional or, where it has none, the textbook "
    "composition.",
    "pytorch_compiled": "A training step, network and loss in one compiled graph, beside the same step with the peer.",
    "memory_limit": "Kernels without allocation, checks of values included, against an addition that moves as many "
    "bytes: 1× is as fast as memory gives.",
    "small_calls": "256 entries: what a call costs beside its arithmetic.",
    "numpy": "One thread or more, as the machine has cores; NumPy and scikit-learn take one.",
    "jax": "`jax.jit(jax.value_and_grad(...))` of the mean. There are no kernels here: XLA compiles the formulas.",
    "keras": "`tf.function` of loss and gradient, plain and with `jit_compile=True`. No kernels here either.",
    "first_call": "`value_and_gradient` in a fresh process, with what the call imports.",
    "pointwise": "Every pointwise loss of the catalogue that can be trained, against PyTorch's own loss or, where it "
    "has none, the textbook formula in PyTorch's operations, differentiated by PyTorch.",
    "peers.monai": "Masks of 8 images; MONAI makes one-hot rows of class indices. It has no Lovász hinge.",
    "peers.exacta": "The same masks; exacta computes overlaps in C++.",
    "peers.metric_learning": "Its triplets are picked from the distances of all pairs, and its InfoNCE holds every "
    "pair beside every negative: at 1024 rows that would be half a dozen arrays of 4 GB each, so 512 rows are the most "
    "that is measured.",
    "peers.torchsurv": "Times are whole days out of 2000, many of them shared, and half of the entries are censored.",
    "peers.forecasting": "As the library trains, its metric is called as a whole and keeps count of what it has seen; "
    "its `loss` alone does not. Means and scales are two columns here, two of four there, and tensors of their own in "
    "PyTorch.",
    "peers.scoringrules": "Means and scales are two columns here, and tensors of their own there.",
}


def write() -> Path:
    """From whatever was measured, this time or before."""
    found = {
        section: json.loads(result(section).read_text("utf-8")) for section in SECTIONS if result(section).exists()
    }
    CHART.parent.mkdir(exist_ok=True)
    CHART.write_text(chart.drawn(_measurements(found)), encoding="utf-8")
    before, _, rest = DOCUMENT.read_text("utf-8").partition(START)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(before + "\n\n".join([START, *parts(found), END]) + after, encoding="utf-8")
    return DOCUMENT


def parts(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The paragraphs, from what each section has written."""
    measured = _measurements(found)
    yield from (
        f"![How many times as fast as the peer](images/{CHART.name})",
        *_conditions([content["machine"] for content in found.values() if "machine" in content]),
        "## Targets",
        "Times are compared as ratios, in one process by turns; a figure is the median over rounds.",
        _table(("where", "figure", "target", "measured", ""), _judged(measured)),
        *_limits(measured),
    )
    for section, content in found.items():
        yield f"## {SECTIONS[section]}"
        if "unavailable" in content:
            yield f"Not measured: it cannot be had on this machine. `{content['unavailable']}`"
            continue
        yield ABOUT[section]
        for kind in dict.fromkeys(each.kind for each in measured[section]):
            yield from _of_kind(kind, [each for each in measured[section] if each.kind == kind])


def _measurements(found: dict[str, dict[str, Any]]) -> dict[str, list[Measurement]]:
    return {
        section: [Measurement(**each) for each in content["measurements"]]
        for section, content in found.items()
        if "measurements" in content
    }


def _conditions(machines: list[dict[str, Any]]) -> Iterator[str]:
    first = machines[0]
    versions = {name: version for each in machines for name, version in each["versions"].items()}
    threads = sorted({each["threads"] for each in machines})
    yield (
        f"Measured on {first['cores']} cores of {first['processor']}, {first['system']}, Python {first['python']}, "
        f"with {' or '.join(map(str, threads))} threads: "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f". {sum(each['took'] for each in machines) / 60:.0f} minutes."
    )


# ── targets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _figures(measured: dict[str, list[Measurement]]) -> Iterator[tuple[Target, float]]:
    for target in TARGETS:
        concerned = target.concerned(measured.get(target.section, []))
        if concerned:
            yield target, target.figure(concerned)


def _judged(measured: dict[str, list[Measurement]]) -> Iterator[tuple[str, ...]]:
    for target, figure in _figures(measured):
        wanted = f"≥ {target.at_least:g}" if target.at_least is not None else f"≤ {target.at_most:g}"
        verdict = "met" if target.met(figure) else "**missed**"
        yield SECTIONS[target.section], target.what, wanted + target.unit, f"{figure:.2f}{target.unit}", verdict


def _limits(measured: dict[str, list[Measurement]]) -> Iterator[str]:
    missed = [target for target, figure in _figures(measured) if not target.met(figure) and target.limit]
    if missed:
        yield "What limits the missed ones:"
        yield "\n".join(f"- {SECTIONS[each.section]}, {each.what}: {each.limit}" for each in missed)


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_kind(kind: str, measurements: list[Measurement]) -> Iterator[str]:
    """A row for each loss and a column for each size; then the memory, where it was measured."""
    yield f"**{kind[0].upper()}{kind[1:]}.**"
    if measurements[0].ratio is None:
        yield _table(("loss", "seconds"), ((f"`{each.loss}`", f"{each.seconds:.3f}") for each in measurements))
        return
    rows: dict[tuple[str, str], list[Measurement]] = {}
    for each in measurements:
        rows.setdefault((each.loss, each.peer), []).append(each)
    for sizes in dict.fromkeys(tuple(each.size for each in row) for row in rows.values()):
        concerned = {key: row for key, row in rows.items() if tuple(each.size for each in row) == sizes}
        yield _table(
            ("loss", "beside", *sizes),
            ((f"`{loss}`", f"`{peer}`", *map(_times, row)) for (loss, peer), row in concerned.items()),
        )
    heavy = [each for each in measurements if each.memory is not None]
    if heavy:
        yield "Peak memory of a call, in arrays of the prediction's size:"
        yield _table(
            ("loss", "size", "lossary", "peer"),
            (
                (f"`{each.loss}`", each.size, _arrays(each.memory, each), _arrays(each.peer_memory, each))
                for each in heavy
            ),
        )


def _times(each: Measurement) -> str:
    """The ratio and its quartiles, and lossary's time."""
    return f"{each.ratio:.2f}× ({each.low:.2f}-{each.high:.2f}), {_time(each.seconds)}"


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def _arrays(taken: int | None, each: Measurement) -> str:
    return "" if taken is None or not each.array else f"{taken / each.array:.1f}"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
