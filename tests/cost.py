"""What one more loss costs the suite: its wall time with every loss written a second time under another name, less its
time as it is, for each loss. What is said of the catalogue elsewhere fails then, and is counted.

python -m tests.cost [arguments of pytest]    (`make test-cost`; with a file's name, the cost in that file)
"""

from __future__ import annotations

import inspect
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from lossary import catalogue

ROOT = pathlib.Path(__file__).parents[1]
LEFT = shutil.ignore_patterns(".*", "build", "__pycache__", "findings")


def doubled(tree: pathlib.Path) -> int:
    """Write every loss below `tree` a second time; how many there are."""
    for cls in catalogue.classes():
        name, path = cls.__name__, tree / pathlib.Path(str(inspect.getsourcefile(cls))).relative_to(ROOT)
        text = re.sub(rf"^class {name}\(", f"class {name}Again(", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        # A name of another library stands for one loss.
        text = re.sub(r"^    foreign_names = \(.*?\)$", "", text, flags=re.MULTILINE | re.DOTALL)
        path.with_name(f"{path.stem}_again.py").write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "scripts/make_index.py"], cwd=tree, check=True, stdout=subprocess.DEVNULL)
    return len(catalogue.classes())


def timed(tree: pathlib.Path, options: list[str]) -> tuple[float, float]:
    """Seconds on the clock, and of all processors together."""
    began, before = time.perf_counter(), os.times()
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-r", "", "-p", "no:cacheprovider", *options]
    ran = subprocess.run(
        command,
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    after, seconds = os.times(), time.perf_counter() - began
    processors = sum(after[2:4]) - sum(before[2:4])
    print(f"  {ran.stdout.strip().splitlines()[-1]}; {processors:.0f} s of processors", flush=True)
    return seconds, processors


def main() -> None:
    options = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="lossary-cost-") as directory:
        once, twice = (pathlib.Path(directory) / name for name in ("once", "twice"))
        for tree in (once, twice):
            shutil.copytree(ROOT, tree, ignore=LEFT)
        count = doubled(twice)
        (wall, processors), (more_wall, more_processors) = timed(once, options), timed(twice, options)
    print(
        f"a further loss: {(more_wall - wall) / count:.1f} s on the clock, "
        f"{(more_processors - processors) / count:.1f} s of processors (of {count} written twice)"
    )


if __name__ == "__main__":
    main()
