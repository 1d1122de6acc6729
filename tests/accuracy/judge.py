"""The exact answers at the points of the grid."""

from __future__ import annotations

import functools
import hashlib
import inspect
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from lossary.check.accuracy.accuracy import Exact, Judged, exactly
from lossary.define.loss import Loss
from lossary.ops import exact, latex
from tests.accuracy import grid

# What was judged before, by a fingerprint of all it depends on: many digits take minutes.
KEPT = Path(__file__).parents[2] / "build" / "judged"


@functools.lru_cache(maxsize=64)
def judged(loss: Loss, dtype: str, random: int = grid.RANDOM, hard: int | None = None) -> Judged:
    p, y = grid.points(loss, dtype, random=random, hard=hard)
    kept = KEPT / f"{_fingerprint(loss, p, y)}.npz"
    if not kept.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        unfinished = KEPT / f"{uuid.uuid4()}.npz"
        answers = exactly(loss, p, y)
        parts = {f"{name}_{part}": getattr(x, part) for name, x in answers.items() for part in ("near", "rest")}
        np.savez(unfinished, **parts)
        unfinished.replace(kept)
    with np.load(kept) as parts:
        answers = {name: Exact(parts[f"{name}_near"], parts[f"{name}_rest"]) for name in ("value", "low", "high")}
    return Judged.of(loss, p, y, **answers)


def _fingerprint(loss: Loss, p: Any, y: Any) -> str:
    sentence = repr((loss, loss.prediction, loss.target, latex.formula(loss).text, p.dtype, p.shape, y.dtype))
    found = hashlib.sha256(p.tobytes() + y.tobytes())
    for text in (sentence, inspect.getsource(exact), inspect.getsource(Exact)):
        found.update(text.encode())
    return found.hexdigest()[:32]
