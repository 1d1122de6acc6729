import functools

from tests.planted import planted


@planted("LSY606", "torch")
def counts_its_steps(torch):
    class Warmed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.steps = 0

        def forward(self, input, target):
            self.steps += 1
            return min(self.steps / 1000, 1.0) * ((input - target) ** 2).mean()

    return Warmed()


@planted("LSY606", "keras")
def compiler_inside_the_call(ops):
    import tensorflow as tf

    def loss(y_true, y_pred):
        @tf.function
        def squared(p, y):
            return ops.mean((p - y) ** 2, axis=-1)

        return squared(y_pred, y_true)

    return loss


@planted("LSY606", "keras")
def traced_for_each_setting(ops):
    import tensorflow as tf

    @tf.function
    def squared(p, y, scale):
        return scale * ops.mean((p - y) ** 2, axis=-1)

    def loss(y_true, y_pred, scale=1.0):
        return squared(y_pred, y_true, scale)

    return loss


@planted("LSY606", "jax")
def jit_inside_the_call(jnp):
    import jax

    def loss(predictions, targets):
        return jax.jit(lambda p, y: (p - y) ** 2)(predictions, targets)

    return loss


@planted("LSY606", "jax")
def static_setting(jnp):
    import jax

    @functools.partial(jax.jit, static_argnames="delta")
    def loss(predictions, targets, delta=1.0):
        error = jnp.abs(predictions - targets)
        return jnp.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta))

    return loss
