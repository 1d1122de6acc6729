"""Faults that the suite must find, one for each kind of law: each is planted in a copy of the sources, and the tests
that are named run until one of them fails.

python -m tests.faults [word ...]    all, or those with one of the words in their names (`make faults`)
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import final

ROOT = pathlib.Path(__file__).parents[1]


@final
@dataclasses.dataclass(frozen=True)
class Fault:
    """In the file of that name, `right` is replaced by `wrong`; `tests` are arguments of pytest."""

    law: str
    file: str
    right: str
    wrong: str
    tests: str


LAWS, CONTRACT = (
    "losses/test_laws.py --frameworks numpy,torch",
    "contract/test_contract.py --frameworks numpy,torch",
)
HUBER, QUANTILE = "huber.py", "quantile.py"
CROSS_ENTROPY, HINGE = "binary_cross_entropy.py", "hinge.py"
LOG_COSH, SPARSE = "log_cosh.py", "sparse_categorical_cross_entropy.py"

FAULTS = (
    Fault("slope", HUBER, "return xp.clip(p - y,", "return xp.clip(y - p,", f"{LAWS} -k Huber"),
    Fault(
        "a setting",
        HUBER,
        "return xp.clip(p - y, -self.delta, self.delta)",
        "return xp.clip(p - y, -1.0, 1.0)",
        f"{LAWS} -k Huber",
    ),
    Fault(
        "slope at a kink",
        QUANTILE,
        "xp.where(p < y, -self.level, p - y)",
        "xp.where(p < y, -self.level, p - y - 2.0)",
        f"{LAWS} -k kink",
    ),
    Fault(
        "a subgradient that is a convention",
        HINGE,
        "xp.where(margin < 1.0, -sign, xp.where(margin >= 1.0, 0.0, margin))",
        "xp.where(margin <= 1.0, -sign, xp.where(margin > 1.0, 0.0, margin))",
        "losses/test_ties.py losses/test_accuracy.py kernels/test_kernels.py --frameworks numpy,torch -k Hinge",
    ),
    Fault("curvature", LOG_COSH, "return 4.0 * small", "return 2.0 * small", f"{LAWS} -k curvature"),
    Fault(
        "digits far out",
        LOG_COSH,
        "return xp.tanh(p - y)",
        "return 1.0 - 2.0 / (1.0 + xp.exp(2.0 * (p - y)))",
        "losses/test_accuracy.py --frameworks numpy,torch -k LogCosh",
    ),
    Fault(
        "digits of a value",
        CROSS_ENTROPY,
        "-xp.log1p(-p)",
        "-xp.log(1.0 - p)",
        "losses/test_accuracy.py --frameworks numpy,torch -k BinaryCrossEntropy",
    ),
    Fault(
        "a table of weights",
        CROSS_ENTROPY,
        "return xp.table(self.pos_weight, p) * positive, negative",
        "return self.pos_weight[0] * positive, negative",
        "losses/test_twins.py losses/test_laws.py --frameworks numpy,torch -k pos_weight",
    ),
    Fault(
        "second derivative",
        CROSS_ENTROPY,
        "return (positive + negative) * xp.sigmoid(p) * xp.sigmoid(-p)",
        "return positive * xp.sigmoid(p) * xp.sigmoid(-p)",
        f"{LAWS} -k curvature",
    ),
    Fault(
        "weights of every size",
        "reduce.py",
        "weight = _levelled(xp, weight)\n    return",
        "return",
        "losses/test_weights.py --frameworks numpy",
    ),
    Fault(
        "weights in the denominator",
        "reduce.py",
        "xp.accumulate(weighted(xp, values, weight)), xp.accumulate(weight), dtype)",
        "xp.accumulate(weighted(xp, values, weight)), xp.count(values), dtype)",
        LAWS,
    ),
    Fault(
        "nothing to count",
        "reduce.py",
        "xp.where(nothing, 1.0, weight)",
        "weight",
        f"{LAWS} -k nothing_to_count",
    ),
    Fault(
        "totals add",
        "reduce.py",
        "_added(xp, self.exact_weight, other.exact_weight), dtype",
        "self.exact_weight, dtype",
        f"{LAWS} -k two_totals",
    ),
    Fault(
        "sums of totals start from 0",
        "reduce.py",
        "return self if isinstance(other, int) and other == 0 else NotImplemented",
        "return NotImplemented",
        CONTRACT,
    ),
    Fault(
        "a target of another class",
        "guarded.py",
        "checked[place] = xp.where(over_rows(xp, inside, domain.axes), arrays[place], 0)",
        "pass",
        f"{CONTRACT} -k under_a_trace",
    ),
    Fault(
        "illegal is NaN under a trace",
        "guarded.py",
        "return value if legal is None else xp.stamped(value, legal)",
        "return value",
        f"{CONTRACT} -k under_a_trace",
    ),
    Fault(
        "missing rows",
        "missing.py",
        "absent = xp.sum(xp.where(absent, 1.0, 0.0)) > 0.0",
        "absent = xp.sum(xp.where(absent, 1.0, 0.0)) > 1.0",
        "contract/test_missing.py --frameworks numpy,torch -k no_target_is_dropped",
    ),
    Fault(
        "a dtype of its own",
        "evaluate.py",
        "return xp.cast(reduce.weighted(xp, values, weight), prepared.dtype)",
        "return reduce.weighted(xp, values, weight)",
        f"{LAWS},jax -k half_types",
    ),
    Fault(
        "the derivatives in NumPy",
        "evaluate.py",
        "derivatives.append(xp.cast(whole, prepared.dtype))",
        "derivatives.append(whole)",
        "kernels/test_kernels.py kernels/test_kernels_unbuilt.py -k half",
    ),
    Fault(
        "a loss that reduces by itself",
        "evaluate.py",
        "len(shape) != rank:",
        "len(shape) > rank:",
        f"{CONTRACT} -k reduces_by_itself",
    ),
    Fault(
        "equal is what is equal",
        "definition.py",
        "def config(self) -> dict[str, Any]:",
        "def config(self) -> dict[str, Any]:\n        return {}\n\n    def _config(self) -> dict[str, Any]:",
        f"{LAWS} -k round_trips",
    ),
    Fault("a claim", HUBER, "Lipschitz(self.delta)", "Lipschitz(0.5 * self.delta)", "losses/test_claims.py -k Huber"),
    Fault("a claim at a setting", QUANTILE, "Lipschitz(", "Lipschitz(0.9 * ", "losses/test_claims.py -k Quantile"),
    Fault("a twin", LOG_COSH, '"optax.log_cosh(', '"2 * optax.log_cosh(', "losses/test_twins.py -k LogCosh"),
    Fault(
        "a departure",
        CROSS_ENTROPY,
        "[0.0], [1.0], 100.0)",
        "[0.0], [1.0], 90.0)",
        "losses/test_twins.py -k BCELoss",
    ),
    Fault(
        "values are read where compilers have none",
        LOG_COSH,
        "return xp.log_cosh(p - y)",
        "return xp.log_cosh(p - y) if (p - y).max() < 1e30 else p - y",
        "losses/test_laws.py -k 'compiled and LogCosh'",
    ),
    Fault(
        "pickled modules",
        "torch.py",
        "def __reduce__(self) -> Any:",
        "def __reduce__(self) -> Any:\n        return type(self), ()\n\n    def _reduce(self) -> Any:",
        "adapters/test_torch.py contract/test_missing.py -k 'pickle or pytorch or copy'",
    ),
    Fault(
        "factors of terms",
        "objective.py",
        "((_times(factor, each), term) for",
        "((each, term) for",
        "contract/test_objective.py --frameworks numpy,torch",
    ),
    Fault(
        "classes that weigh",
        SPARSE,
        "def row_weight(",
        "def _row_weight(",
        "contract/test_contract.py losses/test_twins.py --frameworks numpy,torch -k 'class_weight or classes'",
    ),
    Fault("names", "index.py", '"Hinge"', '"Hing"', "contract/test_catalogue.py"),
)


def place_of(fault: Fault, sources: pathlib.Path) -> pathlib.Path:
    """The file that it is planted in."""
    for path in sources.rglob(fault.file):
        if fault.right in path.read_text(encoding="utf-8"):
            return path
    raise LookupError(f"{fault.law}: no {fault.file} has {fault.right!r}")


def found_by(fault: Fault, suite: pathlib.Path) -> str:
    """The test that fails, or "" where none does."""
    with tempfile.TemporaryDirectory() as directory:
        sources = pathlib.Path(directory) / "src"
        shutil.copytree(ROOT / "src", sources)
        path = place_of(fault, sources)
        path.write_text(path.read_text(encoding="utf-8").replace(fault.right, fault.wrong), encoding="utf-8")
        command = f"{sys.executable} -m pytest -x -q --tb=no -p no:cacheprovider {fault.tests}"
        ran = subprocess.run(
            command,
            shell=True,
            cwd=suite / "tests",
            env=os.environ | {"PYTHONPATH": str(sources), "LOSSARY_CACHE": directory},
            capture_output=True,
            text=True,
            check=False,
        )
    failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if ran.returncode and not failed:  # it does not even start
        return ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else ran.stderr.strip().splitlines()[-1]
    return failed[0] if failed else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--suite", type=pathlib.Path, default=ROOT, help="whose tests run (default: this tree's)")
    options = parser.parse_args()
    missed = 0
    for fault in FAULTS:
        if not options.words or any(word in fault.law for word in options.words):
            test = found_by(fault, options.suite)
            missed += not test
            print(f"{fault.law}: {test or 'NOT FOUND'}", flush=True)
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
