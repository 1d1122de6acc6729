"""lossary: loss functions you can trust, the same in NumPy, PyTorch, TensorFlow/Keras and JAX.

Public names are resolved on first use: `import lossary` loads neither a framework nor NumPy. `help` of a loss says what
it computes and takes; `lossary.torch`, `lossary.keras`, `lossary.jax` and `lossary.sklearn` have each loss as that
framework has them. What needs more than NumPy is installed with it:

"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from typing import Any

from lossary.index import LOSSES, PENALTIES

__version__ = "0.1.0"

# Where the public names are at home that are neither losses nor penalties.
PUBLIC = {
    "Loss": "lossary.define.loss",
    "Pointwise": "lossary.define.loss",
    "Rowwise": "lossary.define.loss",
    "Batchwise": "lossary.define.loss",
    "Objective": "lossary.define.objective",
    "Penalty": "lossary.define.penalty",
    "Total": "lossary.ops.reduce",
    "explain": "lossary.engine.explanation",
    "from_config": "lossary.define.registry",
    "get": "lossary.catalogue",
    "LossaryError": "lossary.errors",
    "ShapeError": "lossary.errors",
    "DtypeError": "lossary.errors",
    "DataError": "lossary.errors",
    "DomainError": "lossary.errors",
    "NonFiniteError": "lossary.errors",
    "ParameterError": "lossary.errors",
    "FrameworkError": "lossary.errors",
    "DifferentiationError": "lossary.errors",
    "UsageError": "lossary.errors",
    "UnknownNameError": "lossary.errors",
    "MissingExtraError": "lossary.errors",
}

# Submodules that are reached as attributes without importing them first, and the package that each is nothing without:
# it comes with the extra of the submodule's own name.
SUBMODULES = {
    "torch": "torch",
    "keras": "keras",
    "jax": "jax",
    "sklearn": None,
    "metrics": None,
    "recipes": None,
    "compare": "polars",
    "check": "hypothesis",
    "catalogue": None,
}

__doc__ += "".join(
    f"    {f'lossary.{name}':<17} pip install 'lossary[{name}]'\n" for name, package in SUBMODULES.items() if package
)

__all__ = sorted([*LOSSES, *PENALTIES, *PUBLIC])  # noqa: PLE0605  # made from the index, so that it cannot be stale


def __getattr__(name: str) -> Any:
    home = LOSSES.get(name) or PENALTIES.get(name) or PUBLIC.get(name)
    if home is not None:
        return getattr(importlib.import_module(home), name)
    if name in SUBMODULES:
        return importlib.import_module(f"lossary.{name}")
    if name[0].isupper():
        from lossary import catalogue
        from lossary.errors import ForeignNameError

        lesson = catalogue.teach(name)
        if lesson is not None:
            raise ForeignNameError(lesson)
    close = difflib.get_close_matches(name, __all__, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise AttributeError(f"module 'lossary' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    # Whoever asks for all that is here, as `help` does, asks for nothing that is not installed.
    submodules = [name for name, package in SUBMODULES.items() if package is None or importlib.util.find_spec(package)]
    return [*__all__, *submodules, "__version__"]
