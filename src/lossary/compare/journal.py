"""What was done is kept: a run that was killed, started again, does only what is missing."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

import lossary
from lossary.compare.plan import Plan, Unit
from lossary.compare.prediction import Outcome, Prediction

DIRECTORY = ".lossary"  # of the command, where it is run
_HEADER = b"lossary journal 1\n"
_KEPT = 30 * 86_400.0  # seconds that an entry is kept without being asked for
_ABANDONED = 3_600.0  # seconds after which a half-written file belongs to a run that was killed
_PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "keras", "tensorflow", "tensorflow-cpu")
_ABOUT_THE_REPORT = ("reason", "stands_for")  # what a candidate says that does not change its training


@final
class Journal:
    """A directory with a file for each finished unit, named by the hash of all that its outcomes depend on.

    Files hold numbers and JSON, never code. They appear whole or not at all, so several runs may share a directory;
    one that does not match its checksum counts as missing. Where nothing can be written, the run goes on without.
    """

    def __init__(self, directory: Path, plan: Plan, on_trouble: Callable[[str], None]) -> None:
        self._directory = directory
        self._on_trouble = on_trouble
        self._writable = True
        self._base = _hash(
            _versions(),
            _source(plan.model),
            plan.profile.table,
            plan.profile.categories,
            plan.profile.y,
            plan.profile.classes,
            plan.profile.groups,
            plan.profile.order,
            plan.profile.weight,
            plan.budget,
            plan.model,
            plan.framework,
            plan.metric,
        )
        self._plan = plan
        with self._in_trouble_give_up():
            directory.mkdir(parents=True, exist_ok=True)
            if not (directory / ".gitignore").exists():
                self._write(directory / ".gitignore", b"*\n")
            self._prune()

    def get(self, unit: Unit) -> tuple[Outcome, ...] | None:
        """The outcomes of a unit that was finished before, by whichever run; None where there are none to rely on."""
        key = self._key(unit)
        path = self._path(key)
        try:
            outcomes = _decoded(path.read_bytes(), key, unit)
        except (OSError, ValueError, KeyError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return outcomes

    def put(self, unit: Unit, outcomes: tuple[Outcome, ...]) -> None:
        """Keep the outcomes of a unit, unless one of them failed: it is tried again next time."""
        if self._writable and all(outcome.error is None for outcome in outcomes):
            key = self._key(unit)
            with self._in_trouble_give_up():
                self._write(self._path(key), _encoded(outcomes, key))

    def _key(self, unit: Unit) -> str:
        plan = self._plan
        identity: Any = unit.candidate
        if unit.candidate >= 0:
            candidate = plan.candidates[unit.candidate]
            names = [each.name for each in dataclasses.fields(candidate) if each.name not in _ABOUT_THE_REPORT]
            identity = [getattr(candidate, name) for name in names]
        return _hash(self._base, identity, [plan.splits[split] for split in unit.splits])

    def _path(self, key: str) -> Path:
        return self._directory / f"{key}.unit"

    def _write(self, path: Path, content: bytes) -> None:
        """All of it or nothing, even if the machine stops in the middle."""
        descriptor, temporary = tempfile.mkstemp(dir=self._directory, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def _in_trouble_give_up(self) -> Any:
        try:
            yield
        except OSError as error:
            self._writable = False
            self._on_trouble(
                f"{self._directory} cannot be written ({error.strerror or error}): "
                "should this run be stopped, it cannot be resumed from here"
            )

    def _prune(self) -> None:
        now = time.time()
        for pattern, age in (("*.unit", _KEPT), ("*.part", _ABANDONED)):
            for path in self._directory.glob(pattern):
                with contextlib.suppress(OSError):  # another run may have been faster
                    if now - path.stat().st_mtime > age:
                        path.unlink()


# ── an entry ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_ARRAYS = tuple(field.name for field in dataclasses.fields(Prediction))


def _encoded(outcomes: tuple[Outcome, ...], key: str) -> bytes:
    """A header with a checksum, then NumPy's archive of the arrays and of what is said beside them, as JSON."""
    arrays: dict[str, Any] = {}
    records = []
    for place, outcome in enumerate(outcomes):
        records.append({"loss": outcome.loss, "epochs": outcome.epochs, "seconds": outcome.seconds})
        arrays[f"{place}.curve"] = outcome.curve
        for name in _ARRAYS:
            if (array := getattr(outcome.prediction, name)) is not None:
                arrays[f"{place}.{name}"] = array
    body = io.BytesIO()
    np.savez(body, said=np.frombuffer(json.dumps(records).encode(), dtype=np.uint8), **arrays)
    return _HEADER + _checksum(key, body.getvalue()) + body.getvalue()


def _decoded(content: bytes, key: str, unit: Unit) -> tuple[Outcome, ...]:
    header, checksum, body = content[: len(_HEADER)], content[len(_HEADER) :][:32], content[len(_HEADER) + 32 :]
    if header != _HEADER or checksum != _checksum(key, body):
        raise ValueError("not an entry of this key, or no longer what was written")
    with np.load(io.BytesIO(body), allow_pickle=False) as archive:
        arrays: Mapping[str, Any] = {name: archive[name] for name in archive.files}
    return tuple(
        Outcome(
            unit.candidate,
            split,
            Prediction(**{name: arrays.get(f"{place}.{name}") for name in _ARRAYS}),
            curve=arrays[f"{place}.curve"],
            resumed=True,
            **record,
        )
        for place, (split, record) in enumerate(zip(unit.splits, json.loads(arrays["said"].tobytes()), strict=True))
    )


def _checksum(key: str, body: bytes) -> bytes:
    return hashlib.sha256(key.encode() + body).digest()


# ── what outcomes depend on ──────────────────────────────────────────────────────────────────────────────────────────


def _hash(*values: Any) -> str:
    digest = hashlib.sha256()
    for value in values:
        _feed(digest.update, value)
    return digest.hexdigest()


def _feed(take: Callable[[Any], None], value: Any) -> None:
    """A value as bytes that say all of it, and the same in every process."""
    if isinstance(value, np.ndarray):
        take(f"array {value.dtype.str} {value.shape} ".encode())
        take(np.ascontiguousarray(value).data)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        take(f"{type(value).__module__}.{type(value).__qualname__}(".encode())
        for field in dataclasses.fields(value):
            _feed(take, getattr(value, field.name))
        take(b")")
    elif isinstance(value, list | tuple):
        take(f"{len(value)} of (".encode())
        for each in value:
            _feed(take, each)
        take(b")")
    elif value is None or isinstance(value, bool | int | float | str):
        take(f"{type(value).__name__} {value!r} ".encode())
    else:
        raise TypeError(f"the journal cannot tell one {type(value).__qualname__} from another")


@functools.cache
def _versions() -> tuple[str, ...]:
    """Of all that may change a number: Python, the packages beneath, and lossary down to its last line."""
    versions = [platform.python_version()]
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{package} {importlib.metadata.version(package)}")
    root = Path(lossary.__file__).parent
    sources = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        sources.update(path.relative_to(root).as_posix().encode() + b"\n" + path.read_bytes())
    return (*versions, sources.hexdigest())


def _source(model: str) -> str:
    """The text of the user's own model, which may change between two runs; empty for the built-in ones."""
    module, colon, _ = model.partition(":")
    spec = importlib.util.find_spec(module) if colon else None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return ""
    return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
