"""Without a framework, its host says in one sentence what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

_WITHOUT = """
import sys
sys.modules[{package!r}] = None
import lossary
try:
    {code}
except lossary.MissingExtraError as error:
    print(error)
"""


@pytest.mark.parametrize(("host", "package"), [("torch", "torch"), ("keras", "keras"), ("jax", "jax")])
@pytest.mark.parametrize("code", ["import lossary.{host}", "lossary.{host}", "lossary.Huber().{host}()"])
def test_a_host_without_its_framework(host, package, code):
    script = _WITHOUT.format(package=package, code=code.format(host=host))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"lossary.{host} needs" in done.stdout
    assert f"pip install 'lossary[{host}]'" in done.stdout
