"""Small finished comparisons that the tests of the report share; whatever a name can hold, some of theirs do."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import polars as pl

from lossary.compare import Result, compare

EVIL = "<script>alert(1)</script>"
NASTY = (EVIL, "</script><img src=x onerror=alert(2)>", "\"'{{ 7 * 7 }}\u2028%{x}&amp;<b>", "\x1b[2Jcleared")
QUICK: dict[str, Any] = {"folds": 3, "seeds": 2, "epochs": 12, "jobs": 1}


@functools.cache
def engel() -> Result:
    return compare("engel", command="lossary compare engel", **QUICK)


@functools.cache
def nasty_regression() -> Result:
    """Columns, target and a class of a column that would be markup, a template or a terminal's commands."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=120)
    frame = pl.DataFrame({name: generator.normal(size=120) for name in NASTY[1:]})
    frame = frame.with_columns(pl.Series("x", x), pl.Series(EVIL, 2.0 * x + generator.normal(size=120)))
    return compare(frame, EVIL, losses=["mse", "huber", "Quantile(level=0.9)"], command=f"compare {EVIL}", **QUICK)


@functools.cache
def nasty_classes() -> Result:
    """The same as classes, unequal, so that a weighted loss is among the candidates."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=160)
    codes = np.digitize(x + 0.3 * generator.normal(size=160), [-0.3, 0.9, 1.6])
    frame = pl.DataFrame({"x": x, NASTY[1]: generator.normal(size=160), NASTY[2]: [NASTY[code] for code in codes]})
    return compare(frame, NASTY[2], **QUICK)


@functools.cache
def cancer() -> Result:
    return compare("breast_cancer", losses=["bce", "hinge"], **QUICK)
