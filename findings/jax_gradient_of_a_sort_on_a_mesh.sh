#!/usr/bin/env bash
# On a mesh with explicit axes JAX sorts rows that are spread over devices, but cannot differentiate what sorts them.
#
# Expected: rows are sorted along an axis that is not spread, which JAX allows; so may be their gradient. Indices that
#   argsort returns have no derivative, so that a gradient has nothing to do with them.
# Happens: the values are right. In a gradient both jax.numpy.sort and jax.numpy.argsort raise ShardingTypeError:
#   "Arguments to sort must have equal shardings" (what JAX sorts along with the rows, to differentiate, is not spread).
#   argsort(stop_gradient(x)) works. A loss that ranks its entries is evaluated, and cannot be trained.
# Versions: jax 0.10.2, Python 3.11, Linux x86_64.
#
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2
XLA_FLAGS=--xla_force_host_platform_device_count=2 JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import platform
import sys

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

print(f"jax {jax.__version__}, Python {platform.python_version()}, {platform.machine()}")
mesh = jax.make_mesh((2,), ("rows",), axis_types=(AxisType.Explicit,))
rows = NamedSharding(mesh, PartitionSpec("rows", None))
SORTS = {
    "sort(x)": lambda x: jnp.sort(x, axis=-1),
    "argsort(x)": lambda x: jnp.argsort(x, axis=-1),
    "argsort(stop_gradient(x))": lambda x: jnp.argsort(jax.lax.stop_gradient(x), axis=-1),
}


def outcome(function, x):
    try:
        return f"{float(jnp.sum(function(x))):g}"
    except Exception as error:
        return type(error).__name__


seen = {}
with jax.set_mesh(mesh):
    x = jax.device_put(jnp.array([[3.0, 1.0], [2.0, 5.0]]), rows)
    for name, order in SORTS.items():

        def weighted(x, order=order):
            return jnp.sum(x * order(x))

        seen[name] = outcome(weighted, x), outcome(jax.grad(weighted), x)
for name, (value, gradient) in seen.items():
    print(f"sum(x * {name}): value {value}, sum of the gradient {gradient}")
as_before = seen == {
    "sort(x)": ("35", "ShardingTypeError"),
    "argsort(x)": ("8", "ShardingTypeError"),
    "argsort(stop_gradient(x))": ("8", "2"),
}
print("as described above" if as_before else "this has changed")
sys.exit(not as_before)
PYTHON
