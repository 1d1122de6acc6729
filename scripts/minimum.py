"""The lower bounds of pyproject.toml as pins: what `make test-minimum` installs.

python scripts/minimum.py keras tensorflow    numpy==2.0 ml_dtypes==0.5.1 keras==3.8 …
"""

from __future__ import annotations

import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The same code without the parts for GPUs, which no test needs.
ON_THE_CPU = {"tensorflow": "tensorflow-cpu"}


def pins(*extras: str) -> list[str]:
    """The core's dependencies and those of the extras, each at its lower bound.

    Raises:
        ValueError: one has no lower bound.
        KeyError: there is no such extra.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted, found = list(project["dependencies"]), []
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    for requirement in wanted:
        if inner := re.fullmatch(r"lossary\[(.+)\]", requirement):
            found += pins(*inner[1].split(","))
        elif bounded := re.fullmatch(r"([\w-]+)>=([\w.]+)", requirement):
            found.append(f"{ON_THE_CPU.get(bounded[1], bounded[1])}=={bounded[2]}")
        else:
            raise ValueError(f"{requirement} has no lower bound, such as {requirement.split('=')[0]}>=1.0")
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    print(" ".join(pins(*sys.argv[1:])))
