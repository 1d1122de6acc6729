#!/usr/bin/env bash
# tf.custom_gradient is the derivative in reverse mode, and is passed over in forward mode, without a word.
#
# Expected: tf.autodiff.ForwardAccumulator gives the Jacobian-vector product that belongs to tf.GradientTape's
#   gradient, or says that a function with a gradient of its own has no forward rule.
# Happens: with f(x) = x² whose gradient is stated as 100, GradientTape says 100 at x = 3. ForwardAccumulator says 6,
#   the derivative of the body, in eager mode, and also inside a tf.function; around a call of tf.function(f) it says
#   100. Where the gradient is stated because the body's own is NaN (log1p(exp(x)) at x = 100), forward mode is NaN.
# Versions: tensorflow-cpu 2.21.0, Python 3.11, Linux x86_64.
#
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow_cpu==2.21.0
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import platform
import sys

import tensorflow as tf

print(f"tensorflow {tf.__version__}, Python {platform.python_version()}, {platform.machine()}")


@tf.custom_gradient
def square(x):
    return x * x, lambda upstream: 100.0 * upstream


@tf.custom_gradient
def softplus(x):
    """The example in the documentation of tf.custom_gradient."""
    e = tf.exp(x)
    return tf.math.log(1.0 + e), lambda upstream: upstream * (1.0 - 1.0 / (1.0 + e))


def reverse(function, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return float(tape.gradient(value, x))


def forward(function, x):
    with tf.autodiff.ForwardAccumulator(x, tf.constant(1.0)) as accumulator:
        value = function(x)
    return accumulator.jvp(value)


three, hundred = tf.constant(3.0), tf.constant(100.0)
seen = {
    "reverse mode": reverse(square, three),
    "forward mode": float(forward(square, three)),
    "forward mode inside a tf.function": float(tf.function(lambda x: forward(square, x), autograph=False)(three)),
    "forward mode around a tf.function": float(forward(tf.function(square), three)),
}
for way, slope in seen.items():
    print(f"{way}: {slope:g}")
stated, body = reverse(softplus, hundred), float(forward(softplus, hundred))
print(f"softplus at 100: reverse mode {stated:g}, forward mode {body:g}")
as_before = list(seen.values()) == [100.0, 6.0, 6.0, 100.0] and stated == 1.0 and body != body
print("as described above" if as_before else "this has changed")
sys.exit(not as_before)
PYTHON
