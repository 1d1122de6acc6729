from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from lossary.check.backends import backend
from tests import grid
from tests.memory import pytest_collection_finish, pytest_runtest_logfinish  # noqa: F401  # found by their names


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--frameworks",
        default=",".join(grid.FRAMEWORKS),
        help="frameworks to try, separated by commas (default: %(default)s)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """What JAX has compiled is kept where all processes of this run find it, and the next run: `--cache-clear` forgets
    it. An entry is found by the program and by JAX's version, so that none is stale."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        if cache := getattr(config, "cache", None):
            kept = str(cache.mkdir("jax"))
        else:
            directory = tempfile.TemporaryDirectory(prefix="lossary-jax-")
            config.add_cleanup(directory.cleanup)
            kept = directory.name
        os.environ["JAX_COMPILATION_CACHE_DIR"] = kept
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def pytest_report_header(config: pytest.Config) -> str:
    return f"lossary: seed {grid.SEED}, frameworks {config.getoption('--frameworks')}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = config.getoption("--frameworks").split(",")
    unknown = set(chosen) - set(grid.FRAMEWORKS)
    if unknown:
        raise pytest.UsageError(f"--frameworks: {', '.join(sorted(unknown))} is none of {', '.join(grid.FRAMEWORKS)}")
    left_out = [item for item in items if _framework_of(item) not in (None, *chosen)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    # A framework after the other: of two processes, one alone compiles what the laws share in JAX.
    items.sort(key=lambda item: (None, *grid.FRAMEWORKS).index(_framework_of(item)))


def _framework_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    name = callspec.params.get("framework") if callspec else None
    return name if name in grid.FRAMEWORKS else None


@pytest.fixture
def framework(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The adapter of the framework named by the test's parameter, in the precision of its `dtype`."""
    adapter = backend(request.param)
    with adapter.precision(request.node.callspec.params.get("dtype", "float32")):
        yield adapter


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Any:
    """Random numbers of this test's own, the same in every run."""
    return grid.generator(request.node.name)


# What is set for a whole process, by the module that it needs.
_SETTINGS: dict[str, Callable[[Any], Any]] = {
    "numpy": lambda numpy: numpy.geterr(),
    "jax": lambda jax: jax.config.values["jax_enable_x64"],
    "torch": lambda torch: (torch.get_default_dtype(), torch.is_grad_enabled()),
    "keras": lambda keras: (keras.config.floatx(), keras.config.dtype_policy().name),
    "tensorflow.python.eager.context": lambda eager: eager.global_seed(),
    "keras.src.backend.common.global_state": lambda state: state.get_global_attribute("global_random_seed"),
}


@pytest.fixture(autouse=True)
def settings_stay() -> Iterator[None]:
    """No test, and nothing of ours that it runs, leaves the process set otherwise than it found it."""
    before = {name: read(sys.modules[name]) for name, read in _SETTINGS.items() if name in sys.modules}
    yield
    assert {name: _SETTINGS[name](sys.modules[name]) for name in before} == before
