"""What one loss costs to find among the losses that there are, and among 120: the processor's time, and the ratio.

    python benchmarks/catalogue_at_120.py [--rounds N]

Two copies of lossary take turns: one as it is, and one in which losses are cloned under other names, in more families,
until there are 120. Each case is timed in a process of its own, and medians are compared.
"""

from __future__ import annotations

import argparse
import ast
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from lossary.index import LOSSES

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = pathlib.Path("src", "lossary")

FAMILIES = (
    *("adversarial", "boxes", "count", "distillation", "distribution", "embedding", "imbalance", "multilabel", "noise"),
    *("ordinal", "preference", "ranking", "segmentation", "survival"),
)

# What is in memory already, and what is timed.
CASES = {
    "import lossary": ("", "import lossary"),
    "from lossary import Huber": ("", "from lossary import Huber"),
    "from lossary import MSELoss": ("", "try: from lossary import MSELoss\nexcept ImportError: pass"),
    'lossary.get("bce")': ("import lossary", "lossary.get('bce')"),
    'catalogue.find("bce"), again, 1000 times': (
        "from lossary import catalogue; catalogue.find('bce')",
        "for _ in range(1000): catalogue.find('bce')",
    ),
    "a name that nobody knows": (
        "from lossary import catalogue, Huber, errors",
        "try: catalogue.find('hubber')\nexcept errors.UnknownNameError: pass",
    ),
    "lossary.torch.Huber": ("import torch", "import lossary; lossary.torch.Huber"),
    "lossary.jax.Huber": ("import jax", "import lossary; lossary.jax.Huber"),
    "lossary.sklearn.Huber": ("import sklearn.metrics", "import lossary; lossary.sklearn.Huber"),
    "lossary.keras.Huber": ("import keras", "import lossary; lossary.keras.Huber"),
}


def copied(into: pathlib.Path, losses: int = 0) -> pathlib.Path:
    """A copy of the package, with clones until it has so many losses, and its index; to be put on the path."""
    shutil.copytree(ROOT / PACKAGE, into / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "scripts", into / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    families = into / PACKAGE / "losses"
    modules = (pathlib.Path(*module.split(".")[2:]).with_suffix(".py") for module in LOSSES.values())
    sources = sorted(families / module for module in modules)
    for number in range(len(sources), losses):
        source = sources[number % len(sources)]
        family = families / (FAMILIES[number % len(FAMILIES)] if number % 3 else source.parent.name)
        family.mkdir(exist_ok=True)
        if not (family / "__init__.py").exists():
            (family / "__init__.py").write_text(f'"""Losses for {family.name}."""\n')
        everyday = len(list(family.glob("*.py"))) < 3
        (family / f"{source.stem}_{number}.py").write_text(_Clone(number, everyday).of(source.read_text()))
    command = [sys.executable, into / "scripts" / "make_index.py"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": ""}, check=True, capture_output=True)
    return into / "src"


class _Clone(ast.NodeTransformer):
    """A loss under another name; no library knows a name of both."""

    def __init__(self, number: int, everyday: bool) -> None:
        self._number, self._everyday = number, everyday
        self._name = ""

    def of(self, source: str) -> str:
        return ast.unparse(self.visit(ast.parse(source)))

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._name, node.name = node.name, f"{node.name}{self._number}"
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(f"{node.id}{self._number}") if node.id == self._name else node

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        target = ast.unparse(node.targets[0])
        if target == "foreign_names":
            node.value = ast.Constant(tuple(f"{name}{self._number}" for name in ast.literal_eval(node.value)))
        return None if target == "everyday" and not self._everyday else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if ast.unparse(node.func) == "Twin" and isinstance(node.args[0], ast.Constant):
            node.args[0] = ast.Constant(re.sub(r"\(", f"{self._number}(", str(node.args[0].value), count=1))
        return self.generic_visit(node)


def milliseconds(package: pathlib.Path, before: str, timed: str) -> float:
    """The processor's time for `timed` in a fresh process: other programs disturb it less than the clock's."""
    program = f"{before}\nimport time; start = time.process_time()\n{timed}\nprint(1e3 * (time.process_time() - start))"
    environment = os.environ | {"PYTHONPATH": str(package), "KERAS_BACKEND": "torch", "PYTHONDONTWRITEBYTECODE": ""}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    return float(ran.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory:
        packages = [copied(pathlib.Path(directory, str(losses)), losses) for losses in (0, 120)]
        print(f"{'':<42}{len(LOSSES):>9}{'120':>9}  ratio")
        for case, (before, timed) in CASES.items():
            times = [[milliseconds(package, before, timed) for package in packages] for _ in range(rounds + 1)]
            few, many = (statistics.median(each) for each in zip(*times[1:], strict=True))  # the first one compiles
            print(f"{case:<42}{few:>6.2f} ms{many:>6.2f} ms  {many / few:.2f}", flush=True)


if __name__ == "__main__":
    main()
