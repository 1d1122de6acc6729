import numpy as np

from tests.planted import planted
from tests.planted.grad_matches_numeric import custom


def _rounded(prediction, target):
    r = prediction - target
    return 1.442695 * 2 * r / (1 + r**2) / prediction.size


@planted("LSY402", "numpy", task="regression", reduction="mean", own_gradient=_rounded)
def rounded_constant_in_the_gradient(xp):
    return lambda prediction, target: xp.mean(xp.log(1 + (prediction - target) ** 2) / np.log(2))


@planted("LSY402", "torch", "jax", task="regression")
def rounded_constant_in_a_custom_backward(xp):
    bits = custom(
        xp,
        lambda p, y: xp.log(1 + (p - y) ** 2) / np.log(2),
        lambda upstream, p, y: upstream * 1.442695 * 2 * (p - y) / (1 + (p - y) ** 2),
    )

    def loss(prediction, target):
        return xp.mean(bits(prediction, target))

    return loss


@planted("LSY402", "keras", task="regression")
def rounded_constant_in_a_custom_gradient(xp):
    import tensorflow as tf

    bits = custom(
        xp,
        lambda p, y: tf.math.log(1 + (p - tf.cast(y, p.dtype)) ** 2) * tf.cast(1 / np.log(2), p.dtype),
        lambda upstream, p, y: upstream * 1.442695 * 2 * (p - y) / (1 + (p - y) ** 2),
    )

    def loss(prediction, target):
        return tf.reduce_mean(bits(prediction, target))

    return loss
