"""Arrays that are spread over several devices or processes: what starts with so many has processes of its own."""

from __future__ import annotations

import pathlib

import pytest

from tests.adapters import children


def _on_a_jax_mesh(**surroundings: str) -> None:
    flags = f"--xla_force_host_platform_device_count=4 {children.XLA}"
    children.assert_all_hold(
        children.started_cases("mesh_cases.py", XLA_FLAGS=flags, JAX_PLATFORMS="cpu", **surroundings)
    )


@pytest.mark.parametrize("framework", ["jax"])
def test_jax_meshes(framework: str) -> None:
    _on_a_jax_mesh()


@pytest.mark.thorough
@pytest.mark.parametrize("framework", ["jax"])
def test_jax_meshes_at_every_setting(framework: str) -> None:
    _on_a_jax_mesh(LOSSARY_THOROUGH="1")


@pytest.mark.parametrize("framework", ["torch"])
def test_pytorch_ranks(framework: str, tmp_path: pathlib.Path) -> None:
    meeting = str(tmp_path / "meeting")
    children.assert_all_hold(*(children.started("-m", "tests.adapters.rank_cases", rank, meeting) for rank in "01"))
