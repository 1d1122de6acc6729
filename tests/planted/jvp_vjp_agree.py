from tests.planted import planted


@planted("LSY403", "torch", task="regression")
def forward_rule_loses_a_factor(xp):
    class Square(xp.autograd.Function):
        @staticmethod
        def forward(ctx, prediction, target):
            ctx.residual = prediction - target
            return ctx.residual**2

        @staticmethod
        def backward(ctx, upstream):
            return 2 * upstream * ctx.residual, -2 * upstream * ctx.residual

        @staticmethod
        def jvp(ctx, prediction, target):
            return ctx.residual * prediction

    def loss(prediction, target):
        return Square.apply(prediction, target).mean()

    return loss


@planted("LSY403", "keras", task="regression")
def backward_clips_what_comes_in(xp):
    import tensorflow as tf

    @tf.custom_gradient
    def square(prediction, target):
        def backward(upstream):
            found = tf.clip_by_value(upstream * 2 * (prediction - target), -0.01, 0.01)
            return found, -found

        return (prediction - target) ** 2, backward

    def loss(prediction, target):
        return xp.mean(square(prediction, target))

    return loss
