#!/usr/bin/env bash
# At a tie, the gradient of tf.maximum depends on the order of its arguments, and is not that of tf.reduce_max.
#
# Expected: maximum(a, b) and maximum(b, a) are one function, and have one gradient; so has the largest of [a, b].
# Happens: where a == b, tf.maximum and tf.minimum give the whole derivative to the first argument; tf.reduce_max
#   of the two gives half to each. The pinball loss of level 0.1, written as maximum(0.9·e, −0.1·e) with
#   e = prediction − target, has the slope 0.9 at a perfect prediction, and −0.1 with the arguments in the other
#   order. jax.numpy.maximum says 0.4 in both orders. A model that starts at its targets (zeros for zeros) takes its
#   first step by this number. tf.clip_by_value has the whole derivative at a bound.
# Versions: tensorflow-cpu 2.21.0, jax 0.10.2, Python 3.11, Linux x86_64.
#
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow_cpu==2.21.0 jax==0.10.2 jaxlib==0.10.2
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import platform
import sys

import jax
import tensorflow as tf

print(f"tensorflow {tf.__version__}, jax {jax.__version__}, Python {platform.python_version()}, {platform.machine()}")


def slope(function, at=0.0):
    x = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return round(float(tape.gradient(value, x)), 6)


seen = {
    "tf.maximum(0.9 e, -0.1 e)": slope(lambda e: tf.maximum(0.9 * e, -0.1 * e)),
    "tf.maximum(-0.1 e, 0.9 e)": slope(lambda e: tf.maximum(-0.1 * e, 0.9 * e)),
    "tf.minimum(0.9 e, -0.1 e)": slope(lambda e: tf.minimum(0.9 * e, -0.1 * e)),
    "tf.reduce_max([0.9 e, -0.1 e])": slope(lambda e: tf.reduce_max([0.9 * e, -0.1 * e])),
    "tf.clip_by_value(x, -1, 1) at 1": slope(lambda x: tf.clip_by_value(x, -1.0, 1.0), 1.0),
    "jnp.maximum(0.9 e, -0.1 e)": round(float(jax.grad(lambda e: jax.numpy.maximum(0.9 * e, -0.1 * e))(0.0)), 6),
    "jnp.maximum(-0.1 e, 0.9 e)": round(float(jax.grad(lambda e: jax.numpy.maximum(-0.1 * e, 0.9 * e))(0.0)), 6),
}
for expression, gradient in seen.items():
    print(f"{expression}: {gradient:g}")
as_before = list(seen.values()) == [0.9, -0.1, 0.9, 0.4, 1.0, 0.4, 0.4]
print("as described above" if as_before else "this has changed")
sys.exit(not as_before)
PYTHON
