from tests.planted import planted


@planted("LSY607", "torch", "keras", "jax")
def stops_early(xp):
    def loss(prediction, target):
        error = (prediction - target) ** 2
        if xp.mean(error) < 1e-6:
            return xp.mean(0.0 * error)
        return xp.mean(error)

    return loss


@planted("LSY607", "keras")
def averages_in_numpy(ops):
    def loss(y_true, y_pred):
        return ops.mean((y_pred - y_true) ** 2, axis=-1) / max(1.0, y_true.numpy().std())

    return loss


@planted("LSY607", "torch")
def function_without_a_rule_for_maps(torch):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(context, input, target):
            context.save_for_backward(input, target)
            return ((input - target) ** 2).mean()

        @staticmethod
        def backward(context, upstream):
            input, target = context.saved_tensors
            return upstream * 2.0 * (input - target) / input.numel(), None

    def loss(input, target):
        return Square.apply(input, target)

    return loss


@planted("LSY607", "jax")
def another_loss_when_traced(jnp):
    def loss(predictions, targets):
        error = (predictions - targets) ** 2
        try:
            return error / max(1.0, float(jnp.max(targets)))
        except TypeError:  # a tracer
            return error

    return loss
