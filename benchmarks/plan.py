"""The sections, and what was promised of each."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

from benchmarks.measurement import Measurement

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "build" / "bench"


def result(section: str) -> Path:
    """The file that a section writes."""
    return RESULTS / f"{section}.json"


def write(section: str, content: dict[str, Any]) -> None:
    """Keep what a section found for the report."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    result(section).write_text(json.dumps(content, indent=1), encoding="utf-8")


@final
@dataclasses.dataclass(frozen=True)
class Target:
    """A figure made from a section's measurements, and its bound."""

    section: str
    what: str
    figure: Callable[[list[Measurement]], float]
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "×"
    kind: str | None = None
    sizes: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    limit: str = ""  # what limits it where it is missed

    def concerned(self, measurements: list[Measurement]) -> list[Measurement]:
        return [
            each
            for each in measurements
            if (self.kind is None or each.kind == self.kind)
            and (not self.sizes or each.size in self.sizes)
            and (not self.losses or each.loss in self.losses)
        ]

    def met(self, figure: float) -> bool:
        return (self.at_least is None or figure >= self.at_least) and (self.at_most is None or figure <= self.at_most)


def mean_ratio(found: list[Measurement]) -> float:
    return statistics.geometric_mean(_ratios(found))


def worst_ratio(found: list[Measurement]) -> float:
    return min(_ratios(found))


def most_memory(found: list[Measurement]) -> float:
    """As a multiple of the peer's; 0 where the system does not tell."""
    ratios = [each.memory / each.peer_memory for each in found if each.memory is not None and each.peer_memory]
    return max(ratios, default=0.0)


def worst_time(found: list[Measurement]) -> float:
    """As a multiple of the peer's."""
    return 1.0 / worst_ratio(found)


def longest(found: list[Measurement]) -> float:
    return max(each.seconds for each in found)


def _ratios(found: list[Measurement]) -> list[float]:
    return [each.ratio for each in found if each.ratio is not None]


SECTIONS = {
    "pytorch": "PyTorch, eager",
    "pointwise": "PyTorch, eager, every pointwise loss",
    "pytorch_compiled": "PyTorch, compiled",
    "memory_limit": "The memory limit",
    "small_calls": "Small calls",
    "numpy": "NumPy",
    "jax": "JAX",
    "keras": "Keras on TensorFlow",
    "first_call": "The first call",
    "peers.monai": "Beside MONAI",
    "peers.exacta": "Beside exacta",
    "peers.metric_learning": "Beside pytorch-metric-learning",
    "peers.torchsurv": "Beside torchsurv",
    "peers.forecasting": "Beside pytorch-forecasting",
    "peers.scoringrules": "Beside scoringrules",
}

_POLYNOMIAL = ("MeanSquaredError", "MeanAbsoluteError", "Huber", "Quantile", "Hinge")
_TRANSCENDENTAL = ("LogCosh", "BinaryCrossEntropy")
_POINTWISE = (*_POLYNOMIAL, *_TRANSCENDENTAL)
_FUNCTIONAL = ("MeanSquaredError", "MeanAbsoluteError", "Huber", "BinaryCrossEntropy")
_FROM_64K = ("64 k", "1 M", "16 M")
_SOFTMAX = ("SparseCategoricalCrossEntropy",)
_SOFTMAX_LIMIT = (
    "what rounding the largest logit minus each other has lost is fed back into the exponential, and the largest class "
    "is left out of the sum, so that confident rows keep their digits. That is a second sum over the row and a dozen "
    "operations for each entry, which optax does without."
)
_ARRAYS_LIMIT = (
    "XLA's sums on the CPU take in plain arithmetic alone; what a choice or a logarithm makes is written to memory "
    "first, and on large arrays the first touch of fresh memory is what takes the time."
)
_GRAPH_LIMIT = (
    "without XLA, TensorFlow runs one operation after the other, each over the whole arrays, and every operation that "
    "keeps a digit or marks an illegal value is one more pass; for class indices Keras calls an operation that "
    "TensorFlow has made for it. `jit_compile=True` fuses them."
)
_XLA_LIMIT = (
    "the operations that keep digits and mark illegal values, which Keras' own losses do without; for softmax "
    "cross-entropy as under JAX."
)

_STEP_LIMIT = (
    "the sum in float64 is one more buffer and two more conversions; of losses of whole rows it is the second sum over "
    "the row, fed with what rounding has lost, and the largest class that is left out of it."
)
_CALL_LIMIT = (
    "what a call costs whatever the loss: autograd takes its time for a function written in Python, and the guards, "
    "the checks and the way from Python into compiled code take the rest."
)
_MIDDLE_LIMIT = (
    "below 1 M the cost of the call; at 1 M PyTorch's arrays are in the cache as well as ours, and right after one of "
    "its own operations PyTorch's threads wait by spinning on the core that a kernel's second thread needs."
)
_ROWS_LIMIT = (
    "rows of ten are taken side by side, and every exponential and logarithm keeps its digits; for rows of a thousand "
    "in so small a batch it is the cost of the call."
)
_ARITHMETIC_LIMIT = (
    "arithmetic: the operations that keep the digits which a shorter formula loses, the sum in float64 and the checks "
    "of values take longer than memory does."
)
_PREFERENCES_LIMIT = (
    "losses of preferences have no kernel, for they take more than a prediction and a target: up to four numbers are "
    "added without losing a digit, operation by operation, for the value and again for the gradient."
)
_CLASSES_LIMIT = (
    "masks of several classes have no kernel: the softmax of each pixel is made with all of its digits, operation by "
    "operation, for the value and again for the gradient."
)
_ORDER_LIMIT = (
    "what needs an order has no kernel: some hundred operations on small arrays, among them two sorts, for the value "
    "and again for the gradient."
)
_TEXTBOOK_LIMIT = (
    "the arithmetic of exp and log for LogCosh and binary cross-entropy; for the squared error NumPy itself needs few "
    "passes, over arrays that are in the cache."
)

# What limits losses beside other packages.
_PEERS = {
    "peers.monai": _CLASSES_LIMIT,
    "peers.exacta": _CLASSES_LIMIT,
    "peers.metric_learning": "",
    "peers.torchsurv": _ORDER_LIMIT,
    "peers.forecasting": "",
    "peers.scoringrules": "",
}

TARGETS = (
    Target("pytorch", "geometric mean from 64 k up", mean_ratio, 2.5, losses=_POINTWISE, sizes=_FROM_64K),
    Target("pytorch", "worst from 64 k up", worst_ratio, 0.9, losses=_POINTWISE, sizes=_FROM_64K, limit=_MIDDLE_LIMIT),
    Target(
        "pytorch",
        "worst at 4 k and 256",
        worst_ratio,
        0.6,
        losses=_POINTWISE,
        sizes=("4 k", "256"),
        limit=_CALL_LIMIT,
    ),
    *(
        Target("pytorch", f"softmax cross-entropy, {shape}", worst_ratio, least, sizes=(shape,), limit=_ROWS_LIMIT)
        for shape, least in (("4096 × 10", 4.0), ("128 × 1000", 2.0), ("512 × 32000", 1.8), ("256 × 128256", 1.8))
    ),
    Target("pointwise", "geometric mean at 1 M", mean_ratio, 4.0),
    Target("pointwise", "worst at 1 M", worst_ratio, 1.0, limit=_PREFERENCES_LIMIT),
    Target("pytorch_compiled", "slowest step", worst_time, at_most=1.0, limit=_STEP_LIMIT),
    *(
        Target("memory_limit", f"slowest {kind}", worst_time, at_most=most, losses=losses, limit=_ARITHMETIC_LIMIT)
        for kind, most, losses in (
            ("polynomial loss", 1.3, _POLYNOMIAL),
            ("loss with exp or log", 1.6, _TRANSCENDENTAL),
        )
    ),
    Target(
        "small_calls",
        "slowest plain call beside PyTorch's functional",
        worst_time,
        at_most=1.5,
        kind="forward",
        losses=_FUNCTIONAL,
        limit=_CALL_LIMIT,
    ),
    Target("numpy", "worst beside scikit-learn's metrics", worst_ratio, 5.0, kind="value"),
    Target(
        "numpy",
        "worst beside the textbook expression",
        worst_ratio,
        5.0,
        kind="value + gradient",
        limit=_TEXTBOOK_LIMIT,
    ),
    Target("jax", "worst of the pointwise losses", worst_ratio, 0.95, losses=_POINTWISE, limit=_ARRAYS_LIMIT),
    Target("jax", "worst of softmax cross-entropy", worst_ratio, 0.95, losses=_SOFTMAX, limit=_SOFTMAX_LIMIT),
    Target(
        "jax",
        "worst of binary cross-entropy and log-cosh",
        worst_ratio,
        1.5,
        losses=_TRANSCENDENTAL,
        limit=_ARRAYS_LIMIT,
    ),
    Target("keras", "worst in a graph", worst_ratio, 0.95, kind="graph", limit=_GRAPH_LIMIT),
    Target("keras", "worst with jit_compile", worst_ratio, 0.95, kind="jit_compile", limit=_XLA_LIMIT),
    Target("first_call", "longest with an empty cache", longest, at_most=3.0, unit=" s", kind="empty cache"),
    Target("first_call", "longest with a warm cache", longest, at_most=0.3, unit=" s", kind="warm cache"),
    *(
        target
        for section in _PEERS
        for target in (
            Target(section, "worst", worst_ratio, 1.2, limit=_PEERS[section]),
            Target(section, "most memory", most_memory, at_most=1.0, limit=_PEERS[section]),
        )
    ),
)
