"""The exact answers at the points of the grid: recorded for those that every run asks for, judged for all others.

python -m tests.accuracy.judge               record (`make oracle`)
python -m tests.accuracy.judge Huber Tukey   those of some losses alone
"""

from __future__ import annotations

import base64
import functools
import hashlib
import inspect
import itertools
import json
import math
import sys
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lossary.check.instruments.accuracy import Exact, Judged, exactly
from lossary.define.loss import Loss
from lossary.describe import formula as latex
from lossary.judge import exact
from tests.accuracy import grid
from tests.grid import DTYPES, PAIRS, has_table

# What was judged before, by a fingerprint of all it depends on: many digits take minutes.
KEPT = Path(__file__).parents[2] / "build" / "judged"
# What every run asks for, a file for each family of losses.
RECORDS = Path(__file__).with_name("recorded")
FEW = (30, 30)


def few(loss: Loss, dtype: str) -> Judged:
    """The points of every run."""
    return judged(loss, dtype, *FEW)


def recorded(loss: Loss, p: Any, y: Any) -> dict[str, Exact] | None:
    """The answers on record, if these points are."""
    record = _records(_family(loss)).get(f"{loss!r} {p.dtype.name}")
    if record is None or record["points"] != _checksum(p, y):
        return None
    value = _read(record["value"], p.shape[:1])
    low = _read(record["low"], p.shape)
    return {"value": value, "low": low, "high": _read(record["high"], p.shape) if "high" in record else low}


def record(losses: Iterable[Loss]) -> None:
    """Judge these anew and write it down, beside what is on record of the catalogue's others."""
    chosen = set(losses)
    records: dict[str, dict[str, Any]] = {}
    for loss, dtype in itertools.product(JUDGED, DTYPES):
        name, known = f"{loss!r} {dtype}", _records(_family(loss))
        if loss in chosen or name in known:
            its = records.setdefault(_family(loss), {})
            its[name] = _judged_record(loss, dtype) if loss in chosen else known[name]
    RECORDS.mkdir(exist_ok=True)
    for family, its in records.items():
        (RECORDS / f"{family}.json").write_text(json.dumps(its, indent=1) + "\n", encoding="utf-8")


def _judged_record(loss: Loss, dtype: str) -> dict[str, Any]:
    p, y = grid.points(loss, dtype, random=FEW[0], hard=FEW[1])
    answers = exactly(loss, p, y)
    if _written(answers["low"]) == _written(answers["high"]):  # no kink
        del answers["high"]
    return {"points": _checksum(p, y), **{name: _written(answer) for name, answer in answers.items()}}


def _family(loss: Loss) -> str:
    return type(loss).__module__.split(".")[-2]


@functools.cache
def _records(family: str) -> dict[str, Any]:
    path = RECORDS / f"{family}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _checksum(p: Any, y: Any) -> int:
    return zlib.crc32(p.tobytes() + np.asarray(y).tobytes())


def _written(answer: Exact) -> str:
    """The nearest float64 and, in units in its last place, what is left: ten bytes for a number."""
    left = answer.rest / np.spacing(np.where(np.isfinite(answer.near), np.abs(answer.near), 1.0))
    packed = answer.near.astype("<f8").tobytes() + left.astype("<f2").tobytes()
    return base64.b85encode(zlib.compress(packed, 9)).decode("ascii")


def _read(written: str, shape: tuple[int, ...]) -> Exact:
    packed, count = zlib.decompress(base64.b85decode(written)), math.prod(shape)
    near = np.frombuffer(packed, "<f8", count).reshape(shape)
    left = np.frombuffer(packed, "<f2", count, offset=8 * count).reshape(shape)
    return Exact(near, left * np.spacing(np.where(np.isfinite(near), np.abs(near), 1.0)))


# Class weights count in the reduction, and are no part of the judged loss; single numbers have one column for a table.
JUDGED = tuple(loss for loss in PAIRS if not has_table(loss) or (loss.prediction.rows and not loss.weighs_classes))


@functools.lru_cache(maxsize=64)
def judged(loss: Loss, dtype: str, random: int = grid.RANDOM, hard: int | None = None) -> Judged:
    p, y = grid.points(loss, dtype, random=random, hard=hard)
    if (random, hard) == FEW and (answers := recorded(loss, p, y)):
        return Judged.of(loss, p, y, **answers)
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


if __name__ == "__main__":
    names = sys.argv[1:] or sorted({type(loss).__name__ for loss in JUDGED})
    unknown = set(names) - {type(loss).__name__ for loss in JUDGED}
    if unknown:
        sys.exit(f"no loss of the catalogue that is judged: {', '.join(sorted(unknown))}")
    record(loss for loss in JUDGED if type(loss).__name__ in names)
