from tests.planted import planted


@planted("LSY406", "torch", task="regression")
def slope_kept_from_the_forward(xp):
    class Cube(xp.autograd.Function):
        @staticmethod
        def forward(ctx, prediction, target):
            r = prediction - target
            ctx.slope = 3 * r * r.abs()
            return r.abs() ** 3

        @staticmethod
        def backward(ctx, upstream):
            return upstream * ctx.slope, -upstream * ctx.slope

    def loss(prediction, target):
        return Cube.apply(prediction, target).mean()

    return loss


@planted("LSY406", "keras", task="regression")
def gradient_stopped_in_the_backward(xp):
    import tensorflow as tf

    @tf.custom_gradient
    def cube(prediction, target):
        r = prediction - target
        slope = tf.stop_gradient(3 * r * tf.abs(r))

        def backward(upstream):
            return upstream * slope, -upstream * slope

        return tf.abs(r) ** 3, backward

    def loss(prediction, target):
        return xp.mean(cube(prediction, target))

    return loss


@planted("LSY406", "jax", task="regression")
def residuals_stopped_in_the_backward(xp):
    import jax

    @jax.custom_vjp
    def cube(prediction, target):
        return xp.abs(prediction - target) ** 3

    def forward(prediction, target):
        r = prediction - target
        return cube(prediction, target), jax.lax.stop_gradient(3 * r * xp.abs(r))

    cube.defvjp(forward, lambda slope, upstream: (upstream * slope, -upstream * slope))

    def loss(prediction, target):
        return xp.mean(cube(prediction, target))

    return loss


@planted("LSY406", "torch", task="regression")
def cannot_be_differentiated_twice(xp):
    class Square(xp.autograd.Function):
        @staticmethod
        def forward(ctx, prediction, target):
            ctx.save_for_backward(prediction, target)
            return (prediction - target) ** 2

        @staticmethod
        @xp.autograd.function.once_differentiable
        def backward(ctx, upstream):
            prediction, target = ctx.saved_tensors
            return 2 * upstream * (prediction - target), 2 * upstream * (target - prediction)

    def loss(prediction, target):
        return Square.apply(prediction, target).mean()

    return loss
