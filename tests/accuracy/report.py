"""Measure every word and every loss in every framework, and write docs/accuracy.md.

usage: python -m tests.accuracy [--random N] [--processes N]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib.metadata
import multiprocessing
import os
import platform
import warnings
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import rich.progress

from lossary.check.instruments.accuracy import of_curvature, of_target_gradient, of_weight_gradient
from lossary.define.domains.classes import Simplex
from lossary.define.domains.numbers import Probability, Real
from lossary.define.loss import Loss
from tests import grid, paths
from tests.accuracy import grid as grid_of_points
from tests.accuracy import judge, measure, words
from tests.accuracy.grid import RANDOM
from tests.accuracy.judge import JUDGED
from tests.accuracy.measure import Errors

DOCUMENT = Path(__file__).parents[2] / "docs" / "accuracy.md"
# A column for the kernels, and for each framework's words, eager and compiled.
COLUMNS = (
    ("kernels", False),
    *(
        (name, compiled)
        for name in grid.FRAMEWORKS
        for compiled in (False, True)
        if (name, compiled) != ("numpy", True)
    ),
)
TITLES = {
    ("kernels", False): "kernels",
    ("numpy", False): "NumPy",
    ("torch", False): "PyTorch",
    ("torch", True): "PyTorch compiled",
    ("tensorflow", False): "TensorFlow",
    ("tensorflow", True): "TensorFlow XLA",
    ("jax", False): "JAX",
    ("jax", True): "JAX jit",
}

ABOUT = """\
This page is written by `make accuracy`. Errors are in units in the last place (ULP) of the exact answer, the worst over
all points; half a unit is the best a float can do. The exact answers come from the textbook formula in as many digits
as its input needs, the gradients from its finite difference, never from the code that is judged. “Wrong” counts answers
that are infinite, NaN or 0 where the exact one is not, or the reverse. “Kernels” are what NumPy and eager PyTorch run
on a CPU; the columns under their own names are the form in their words, for where no kernel runs."""
ABOUT_LOSSES = """\
Where the exact answer is a sum of terms of both signs, ULP are those of the sum of the terms' sizes: for the divergence
Σ |P log(P / Q)|, with log-probabilities as targets Σ P |log P| + Σ P |log Q|, and for the gradient at a soft target,
which is the mixture of the hard targets' gradients. Class weights are applied by the reduction and are not part of this
table."""
ABOUT_DERIVATIVES = """\
Where there are any: not at kinks, and not where the answer is beyond the dtype. For rows the curvature is the matrix of
all second derivatives, entry by entry. NumPy has the curvature of pointwise losses, by their own method; elsewhere the
framework differentiates the gradient, and the value with respect to the target. The derivative with respect to a weight
is that of the mean, (ℓ − mean) / Σ w, at weights of which every third is 0. ULP of LogCosh's curvature are those of
1 + 2 |residual| times it, because the residual itself is rounded."""
ABOUT_SUBNORMALS = """\
Reported apart, because XLA and TensorFlow take subnormal numbers for 0, and nothing can be computed from
what is gone. The worst of value and gradient."""

Row = dict[tuple[str, bool], dict[str, Errors]]


def of_loss(loss: Loss, dtype: str, random: int) -> tuple[Row, int]:
    """What was found in every framework, and at how many points."""
    warnings.simplefilter("ignore")
    points = judge.judged(loss, dtype, random)
    row = {
        (name, compiled): {}
        if name == "kernels" and paths.needs_whole_rows(loss)
        else measure.measure(loss, name, dtype, points, compiled=compiled)
        for name, compiled in COLUMNS
    }
    return row, len(points.prediction)


def of_derivatives(loss: Loss, dtype: str) -> Row:
    """What was found of the curvature (or the matrix of second derivatives) and of the derivatives with respect to the
    target and to the weight, where a framework has them: NumPy differentiates neither rows nor targets nor weights."""
    warnings.simplefilter("ignore")
    p, y = grid_of_points.smooth_points(loss, dtype, random=200, hard=100)
    of_size = grid_of_points.weighted(loss, p, y)
    row: Row = {}
    for column in COLUMNS:
        name, compiled = column
        row[column] = {}
        if compiled:
            continue
        differentiates = name not in ("kernels", "numpy")
        if differentiates or not loss.prediction.rows:
            found = measure.second_derivatives(loss, name, p, y)
            row[column]["curvature"] = measure.errors(of_curvature(loss, p, y, found), found, found, str)
        if differentiates and isinstance(loss.target, Real | Probability | Simplex):
            found = measure.target_derivatives(loss, name, p, y)
            row[column]["target"] = measure.errors(of_target_gradient(loss, p, y, found), found, found, str)
        if differentiates:
            found = measure.weight_derivatives(loss, name, *of_size)
            row[column]["weight"] = measure.errors(of_weight_gradient(loss, *of_size, found), found, found, str)
    return row


def of_words(dtype: str) -> Row:
    """What was found for every word in every framework."""
    warnings.simplefilter("ignore")
    return {(name, compiled): words.measure(name, dtype, compiled=compiled) for name, compiled in COLUMNS}


def table(head: str, rows: Iterable[tuple[str, list[str]]]) -> str:
    lines = [
        f"| {head} | " + " | ".join(TITLES[column] for column in COLUMNS) + " |",
        "|---" + "|---:" * len(COLUMNS) + "|",
        *(f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows),
    ]
    return "\n".join(lines)


def cell(found: Iterable[Errors]) -> str:
    """ "0.5 · 1.2": the worst value and gradient; wrong answers are told, not hidden."""
    found = list(found)
    wrong = sum(errors.wrong for errors in found)
    return (" · ".join(f"{errors.worst:.1f}" for errors in found) or "–") + (f", **{wrong} wrong**" if wrong else "")


def of_kinds(found: dict[str, Errors]) -> str:
    """ "0.5 · – · 1.2": a cell of derivatives, of which a framework may not have all."""
    kinds = [cell([found[kind]]) if kind in found else "–" for kind in ("curvature", "target", "weight")]
    return " · ".join(kinds) if found else "–"


def apart(found: Iterable[Errors]) -> str:
    """The worst error at subnormal inputs or answers, in ULP or as the number of answers wrongly infinite, NaN or 0."""
    found = list(found)
    wrong = sum(errors.subnormal_wrong for errors in found)
    if not found:
        return "–"
    worst = max(errors.subnormal_worst for errors in found)
    return (f"{worst:.1f}" if worst < 1000 else "> 1000") + (f", {wrong} wrong" if wrong else "")


def beyond(row: Row, dtype: str) -> list[str]:
    """Where a word of the framework's own is more than 4 ULP off."""
    return [
        f"{TITLES[column]} `{word}` {row[column][word].worst:.1f} ({dtype})"
        for word in words.WORDS
        for column in COLUMNS
        if row[column][word].worst > 4
    ]


def document(
    of_each: dict[tuple[Loss, str], tuple[Row, int]],
    of_derivatives: dict[tuple[Loss, str], Row],
    of_every_word: dict[str, Row],
) -> str:
    packages = ("lossary", "numpy", "torch", "tensorflow-cpu", "jax", "mpmath")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    limits = [limit for dtype in grid.DTYPES for limit in beyond(of_every_word[dtype], dtype)]
    fewest = min(count for _, count in of_each.values())
    measured = (
        f"Measured with {versions}, Python {platform.python_version()} on {platform.machine()}; at least {fewest} "
        f"points for each loss and dtype, {words.COUNT} for each word."
    )
    parts = [
        "# Accuracy",
        ABOUT,
        measured,
        "## Losses: value · gradient",
        ABOUT_LOSSES,
    ]
    for dtype in grid.DTYPES:
        rows = [(f"`{loss!r}`", [cell(of_each[loss, dtype][0][c].values()) for c in COLUMNS]) for loss in JUDGED]
        parts += [f"### {dtype}", table("loss", rows)]
    parts += ["## Curvature · derivative with respect to the target · with respect to the weight", ABOUT_DERIVATIVES]
    for dtype in grid.DTYPES:
        rows = [
            (f"`{loss!r}`", [of_kinds(of_derivatives[loss, dtype][c]) for c in COLUMNS])
            for loss in JUDGED
            if loss.trainable
        ]
        parts += [f"### {dtype} derivatives", table("loss", rows)]
    parts += ["## Words"]
    if limits:
        parts += ["Beyond 4 ULP, and so the limit of what is built from them: " + ", ".join(limits) + "."]
    for dtype in grid.DTYPES:
        row = of_every_word[dtype]
        parts += [
            f"### {dtype} words",
            table("word", [(f"`{word}`", [cell([row[c][word]]) for c in COLUMNS]) for word in words.WORDS]),
        ]
    parts += [
        "## Subnormal inputs and answers",
        ABOUT_SUBNORMALS,
    ]
    for dtype in grid.DTYPES:
        rows = [(f"`{loss!r}`", [apart(of_each[loss, dtype][0][c].values()) for c in COLUMNS]) for loss in JUDGED]
        parts += [f"### {dtype} subnormal", table("loss", rows)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy")
    parser.add_argument("--random", type=int, default=RANDOM, help="random points for each loss (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    # A process of its own for each piece: each starts every framework, and none is forked after that.
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(chosen.processes, mp_context=spawn) as pool:
        of_every_word = {dtype: pool.submit(of_words, dtype) for dtype in grid.DTYPES}
        of_each = {
            (loss, dtype): pool.submit(of_loss, loss, dtype, chosen.random) for loss in JUDGED for dtype in grid.DTYPES
        }
        derivatives = {
            (loss, dtype): pool.submit(of_derivatives, loss, dtype)
            for loss in JUDGED
            if loss.trainable
            for dtype in grid.DTYPES
        }
        every = [*of_every_word.values(), *of_each.values(), *derivatives.values()]
        for _ in rich.progress.track(concurrent.futures.as_completed(every), "Measuring", total=len(every)):
            pass
    text = document(
        {case: found.result() for case, found in of_each.items()},
        {case: found.result() for case, found in derivatives.items()},
        {dtype: found.result() for dtype, found in of_every_word.items()},
    )
    DOCUMENT.write_text(text, encoding="utf-8")
    print(f"written: {DOCUMENT}")
