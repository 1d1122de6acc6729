#!/usr/bin/env bash
# Under jit, jax.custom_batching.custom_vmap drops a function whose only effect is a callback, and says nothing.
#
# Expected: jax.debug.callback (and jax.debug.print) runs once for each call, compiled or not: the function is kept for
#   its effect, as it is without custom_vmap.
# Happens: where the decorated function returns nothing, its call disappears from the compiled function in jax 0.8.0 and
#   0.8.1; called eagerly it runs. A check that is written so (is this array finite?) is silent exactly where it is
#   wanted. From 0.8.2 on it runs in both.
# Versions: jax 0.8.1 and 0.8.2, Python 3.11, Linux x86_64.
#
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cat >"$folder/count.py" <<'PYTHON'
import platform
import sys

import jax
import jax.numpy as jnp

print(f"jax {jax.__version__}, Python {platform.python_version()}, {platform.machine()}")
seen = []


def note(x):
    jax.debug.callback(lambda x: seen.append(float(x)), x)
    return ()


noted = jax.custom_batching.custom_vmap(note)


@noted.def_vmap
def _(size, batched, x):
    return note(x.sum()), ()


def calls(function):
    """How often the callback has run after one call."""
    seen.clear()
    function(jnp.float32(1.0))
    jax.effects_barrier()
    return len(seen)


def plain(x):
    note(x)
    return 2 * x


def with_a_rule(x):
    noted(x)
    return 2 * x


found = [calls(f) for f in (plain, jax.jit(plain), with_a_rule, jax.jit(with_a_rule))]
print("plain: {} eager, {} under jit; with custom_vmap: {} eager, {} under jit".format(*found))
sys.exit(found != [1, 1, 1, int(sys.argv[1])])
PYTHON
as_before=true
for version_and_calls in 0.8.1:0 0.8.2:1; do
    version=${version_and_calls%:*}
    "$folder/venv/bin/pip" install --quiet "jax==$version" "jaxlib==$version"
    JAX_PLATFORMS=cpu "$folder/venv/bin/python" "$folder/count.py" "${version_and_calls#*:}" || as_before=false
done
if $as_before; then echo "as described above"; else echo "this has changed"; exit 1; fi
