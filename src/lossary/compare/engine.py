"""Where the units of work are done: here, in processes side by side, or on the machines of a Ray cluster."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, final

import joblib

import lossary
from lossary.compare.journal import Journal
from lossary.compare.plan import Plan, Unit
from lossary.compare.prediction import Outcome
from lossary.compare.train import train, trainer_of
from lossary.errors import MissingExtraError, ParameterError

LOCAL, RAY = "local", "ray"

# A worker process takes seconds to start (it imports PyTorch), so there must be work for it, in seconds.
_WORTH_PROCESSES = 12.0
_STEP, _SPEED = 1e-3, 5e9  # seconds that a step takes at least, and multiplications in a second
_ATTEMPTS = 3  # with a worker lost in each, before every unit that is left gets workers of its own
_PATIENCE = 20.0  # seconds until a Ray cluster that does not answer counts as unreachable

Done = tuple[Unit, tuple[Outcome, ...]]
# Does units, in any order; raises what `_LOST` names when a worker is lost, with what it was doing.
Workers = Callable[[Iterable[Unit]], Iterator[Done]]


def check(engine: str, time_limit: float | None = None) -> None:
    """Refuse an engine or a limit that there is not, before anything is read.

    Raises:
        ParameterError: it is neither "local" nor "ray" nor "ray=ADDRESS", nobody is at the address, or the limit is
            not above 0.
        MissingExtraError: Ray is not installed.
    """
    kind, separator, address = engine.partition("=")
    if kind not in (LOCAL, RAY) or (separator and (kind == LOCAL or not address)):
        raise ParameterError(f"engine must be local, ray or ray=ADDRESS, not {engine!r}.")
    if kind == RAY and importlib.util.find_spec("ray") is None:
        raise MissingExtraError("the Ray engine needs ray, which is not installed: pip install 'lossary[ray]'")
    if address:
        _reachable(address)
    if time_limit is not None and not time_limit > 0:
        raise ParameterError(f"time_limit must be above 0 seconds, not {time_limit:g}.")


def run(
    plan: Plan,
    *,
    engine: str = LOCAL,
    jobs: int = -1,
    journal: Journal | None = None,
    time_limit: float | None = None,
) -> Iterator[Outcome]:
    """Do all the work, in any order; what the journal has is not done again.

    Args:
        plan: what there is to do.
        engine: "local", "ray" or "ray=ADDRESS"; the outcomes do not depend on it.
        jobs: processes at most, -1 for one per core.
        journal: where finished units are kept.
        time_limit: seconds after which no unit is started; those that are under way are finished.

    Raises:
        ParameterError: there is no Ray at the address.
        MissingExtraError: Ray is not installed.
    """
    check(engine, time_limit)
    waiting = []
    for unit in plan.units:
        outcomes = journal.get(unit) if journal else None
        if outcomes is None:
            waiting.append(unit)
        else:
            yield from outcomes
    ends = float("inf") if time_limit is None else time.monotonic() + time_limit
    todo = _Todo(waiting, ends)
    with contextlib.closing(_done(plan, todo, engine, jobs)) as done:
        for unit, outcomes in done:
            if journal:
                journal.put(unit, outcomes)
            yield from outcomes


@final
class _Todo:
    """What is left, in order, until the time is up."""

    def __init__(self, units: Iterable[Unit], ends: float) -> None:
        self._units = list(units)
        self._ends = ends

    def __len__(self) -> int:
        return len(self._units)

    def sort(self, plan: Plan) -> None:
        """The largest first, so that workers end together; unless time may run out, when what matters most is first."""
        if self._ends == float("inf"):
            self._units.sort(key=lambda unit: -_networks(plan, unit))

    def __iter__(self) -> Iterator[Unit]:
        """The units to start, each when the last one has been started; they are left until they are `done`."""
        for unit in tuple(self._units):
            if time.monotonic() >= self._ends:
                self._units.clear()
                return
            yield unit

    def done(self, unit: Unit) -> None:
        if unit in self._units:  # not so when the time was up in between
            self._units.remove(unit)


def _done(plan: Plan, todo: _Todo, engine: str, jobs: int) -> Generator[Done]:
    kind, _, address = engine.partition("=")
    if not todo:
        return
    if kind == RAY:
        todo.sort(plan)
        with _ray(address or None, plan) as (shared, lost):
            yield from _surviving(todo, _workers(joblib.delayed(_do_on_ray), shared, "lossary ray", jobs), lost)
        return
    # Workers do what is left as soon as it is clear that they are worth their start, and that may be at once.
    alone, ahead = joblib.effective_n_jobs(jobs) == 1, _foreseen(plan)
    if alone or ahead <= _WORTH_PROCESSES:
        trainer_of(plan)  # imports the framework, which says nothing about how long a unit takes
    began = time.monotonic()
    for number, unit in enumerate(todo, start=1):
        if not alone and len(todo) > 1 and ahead > _WORTH_PROCESSES:
            break
        yield unit, train(plan, unit)
        todo.done(unit)
        ahead = (time.monotonic() - began) / number * len(todo)
    if todo:
        todo.sort(plan)
        workers = _workers(joblib.delayed(_do), _without_frames(plan), "loky", jobs)
        yield from _surviving(todo, workers, (BrokenExecutor,))


def _foreseen(plan: Plan) -> float:
    """Seconds that the default network will take, roughly: enough to tell a second from a minute."""
    budget, columns = plan.budget, plan.profile.table.shape[1]
    epochs = budget.epochs / 5  # as training stops early
    size = 3.0 * budget.batch * columns * budget.hidden  # multiplications in a step of one network, there and back
    steps = [_STEP + _networks(plan, unit) * size / _SPEED for unit in plan.units]
    return float(epochs * budget.steps * sum(steps))


def _networks(plan: Plan, unit: Unit) -> int:
    """How many are trained: one for each split and setting; none for a reference."""
    if unit.candidate < 0:
        return 0
    return len(unit.splits) * len(plan.candidates[unit.candidate].settings(plan.profile.facts))


def _surviving(todo: _Todo, workers: Workers, lost: tuple[type[Exception], ...]) -> Iterator[Done]:
    """What the workers do, whatever becomes of them: what was lost with one of them is done again.

    A unit that loses its worker every time (as one that needs more memory than there is) fails alone.
    """
    for _ in range(_ATTEMPTS):
        try:
            for unit, outcomes in workers(todo):
                todo.done(unit)
                yield unit, outcomes
        except lost:
            continue
        return
    for unit in todo:
        todo.done(unit)
        try:
            yield from workers((unit,))
        except lost as error:
            reason = f"its process ended abruptly, for want of memory perhaps ({type(error).__name__})"
            yield unit, tuple(Outcome(unit.candidate, split, None, "", 0, 0.0, reason) for split in unit.splits)


def _workers(do: Callable[[Any, Unit], Any], plan: Any, backend: str, jobs: int) -> Workers:
    def work(units: Iterable[Unit]) -> Iterator[Done]:
        # A unit is handed over when a worker is free for it, so that the time limit holds. One thread each.
        options: dict[str, Any] = {"return_as": "generator_unordered", "pre_dispatch": "n_jobs", "batch_size": 1}
        threads = {"inner_max_num_threads": 1} if backend == "loky" else {}  # Ray's workers have one as it is
        with joblib.parallel_config(backend, n_jobs=jobs, **threads):
            parallel = joblib.Parallel(**options)
        with contextlib.closing(parallel(do(plan, unit) for unit in units)) as done:
            yield from done

    return work


def _do(plan: Plan, unit: Unit) -> Done:
    return unit, train(plan, unit)


def _without_frames(plan: Plan) -> Plan:
    """What travels to a worker: the table that is trained on, not the data it was made from as well."""
    data = plan.profile.data
    lean = dataclasses.replace(
        data, features=data.features.clear(), values=data.values.clear(), groups=None, order=None, weight=None
    )
    return dataclasses.replace(plan, profile=dataclasses.replace(plan.profile, data=lean))


# ── Ray ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _do_on_ray(plan: Any, unit: Unit) -> Done:
    import ray

    return _do(ray.get(plan), unit)


@contextlib.contextmanager
def _ray(address: str | None, plan: Plan) -> Iterator[tuple[Any, tuple[type[Exception], ...]]]:
    """A connection to the cluster, or to a Ray of our own where no address is known.

    It gives the plan, which is sent once and not with every unit, and what a lost worker raises.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # our users are nobody's statistics
    import ray
    from ray.util.joblib.ray_backend import RayBackend

    class Streaming(RayBackend):
        """Ray's own, with outcomes handed over as they come, so that the journal has them when the run is killed."""

        supports_return_generator = True

    joblib.register_parallel_backend("lossary ray", Streaming)
    ours = not ray.is_initialized()
    if ours:
        _within(_PATIENCE, address, lambda: ray.init(**_options(address, plan)))
    try:
        yield ray.put(_without_frames(plan)), (ray.exceptions.RayError,)
    finally:
        if ours:
            ray.shutdown()


def _options(address: str | None, plan: Plan) -> dict[str, Any]:
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        return {**options, "include_dashboard": False}
    # The workers run this very lossary, and the user's own model, whatever is installed where they are.
    return {**options, "address": address, "runtime_env": {"py_modules": _modules(plan)}}


def _modules(plan: Plan) -> list[str]:
    modules = [str(Path(lossary.__file__).parent)]
    name, colon, _ = plan.model.partition(":")
    spec = importlib.util.find_spec(name.partition(".")[0]) if colon else None
    if spec is not None and spec.origin is not None:
        origin = Path(spec.origin)
        modules.append(str(origin.parent if spec.submodule_search_locations else origin))
    return modules


def _reachable(address: str) -> None:
    """Ask whether anybody listens there before Ray does, which would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address in ("auto", LOCAL):
        return
    if not (colon and host and port.isdigit()):
        raise ParameterError(f"a Ray address is HOST:PORT, ray://HOST:PORT or auto, not {address!r}.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE / 2).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ParameterError(f"there is no Ray at {address} ({reason}); {_START}") from None


_START = "start one with ray start --head --port PORT; if it asks for a token, set RAY_AUTH_MODE=token here too"


def _within(seconds: float, address: str | None, connect: Callable[[], Any]) -> None:
    """Connect, or say that it cannot be done."""
    trouble: list[BaseException] = []

    def attempt() -> None:
        try:
            connect()
        except BaseException as error:
            trouble.append(error)

    if address is None:
        connect()  # starts a Ray of our own, which may take its time
        return
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive() or trouble:
        why = str(trouble[0]).strip().partition("\n")[0] if trouble else f"no answer within {seconds:.0f} s"
        raise ParameterError(f"there is no Ray at {address} ({why}); {_START}")
