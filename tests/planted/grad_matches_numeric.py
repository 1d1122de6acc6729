from tests.planted import planted


def _half(prediction, target):
    return (prediction - target) / prediction.size


def _turned(prediction, target):
    return 2.0 * (target - prediction) / prediction.size


def _torch_function(value, slope):
    import torch

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx, prediction, target):
            ctx.save_for_backward(prediction, target)
            return value(prediction, target)

        @staticmethod
        def backward(ctx, upstream):
            found = slope(upstream, *ctx.saved_tensors)
            return found, -found

    return Custom.apply


def _jax_function(value, slope):
    import jax

    custom = jax.custom_vjp(value)
    custom.defvjp(
        lambda p, y: (value(p, y), (p, y)),
        lambda saved, upstream: (slope(upstream, *saved), -slope(upstream, *saved)),
    )
    return custom


def _keras_function(value, slope):
    import tensorflow as tf

    @tf.custom_gradient
    def custom(prediction, target):
        def backward(upstream):
            found = slope(upstream, prediction, target)
            return found, -found

        return value(prediction, target), backward

    return custom


def custom(xp, value, slope):
    """A function whose derivative is written by hand, in that framework's own way."""
    kinds = {"torch": _torch_function, "jax.numpy": _jax_function}
    return kinds.get(xp.__name__, _keras_function)(value, slope)


@planted("LSY401", "numpy", task="regression", reduction="mean", own_gradient=_half)
def factor_of_two_lost(xp):
    return lambda prediction, target: xp.mean((prediction - target) ** 2)


@planted("LSY401", "numpy", task="regression", reduction="mean", own_gradient=_turned)
def gradient_of_the_other_sign(xp):
    return lambda prediction, target: xp.mean((prediction - target) ** 2)


@planted("LSY401", "torch", "keras", "jax", task="regression")
def custom_backward_loses_a_factor(xp):
    square = custom(xp, lambda p, y: (p - y) ** 2, lambda upstream, p, y: upstream * (p - y))

    def loss(prediction, target):
        return xp.mean(square(prediction, target))

    return loss


@planted("LSY401", "torch", "keras", "jax", task="regression")
def custom_backward_forgets_upstream(xp):
    square = custom(xp, lambda p, y: (p - y) ** 2, lambda upstream, p, y: 2 * (p - y))

    def loss(prediction, target):
        return xp.mean(square(prediction, target))

    return loss


@planted("LSY401", "torch", "keras", "jax", task="binary", logits=True)
def wrong_at_logit_zero(xp):
    def value(z, y):
        return xp.where(z > 0, z, 0 * z) - z * y + xp.log1p(xp.exp(-xp.abs(z)))

    def slope(upstream, z, y):
        share = 1 / (1 + xp.exp(-z))
        return upstream * xp.where(z == 0, -y, share - y)

    entropy = custom(xp, value, slope)

    def loss(prediction, target):
        return xp.mean(entropy(prediction, target))

    return loss


@planted("LSY401", "torch", "keras", "jax", task="regression")
def far_branch_has_the_slope_of_the_near_one(xp):
    def value(p, y):
        size = xp.abs(p - y)
        return xp.where(size <= 1, size**2 / 2, size - 0.5)

    huber = custom(xp, value, lambda upstream, p, y: upstream * (p - y))

    def loss(prediction, target):
        return xp.mean(huber(prediction, target))

    return loss


def bends_both_ways(xp, at_a_kink):
    """What is beyond a tube, up to a cap: where it leaves the tube the slope grows, and where it reaches the cap it
    falls. A batch of round residuals has kinks of both kinds, whose slopes make up for each other in its sum."""

    def value(p, y):
        beyond = xp.abs(p - y) - 0.5
        return xp.where(beyond <= 0, 0 * beyond, xp.where(beyond >= 1.5, 0 * beyond + 1.5, beyond))

    def slope(upstream, p, y):
        residual = p - y
        size = xp.abs(residual)
        between = xp.where((size > 0.5) & (size < 2), xp.sign(residual), 0 * residual)
        return upstream * xp.where((size == 0.5) | (size == 2), at_a_kink * xp.sign(residual), between)

    beyond = custom(xp, value, slope)

    def loss(prediction, target):
        return xp.mean(beyond(prediction, target))

    return loss


@planted("LSY401", "torch", "keras", "jax", task="regression")
def too_steep_at_kinks_alone(xp):
    """Each of them pulls twice as hard as its steeper side."""
    return bends_both_ways(xp, 2.0)
