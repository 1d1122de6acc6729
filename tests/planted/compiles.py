from tests.planted import planted


@planted("LSY604", "torch", "keras", "jax")
def looks_at_the_largest_error(xp):
    def loss(prediction, target):
        error = xp.abs(prediction - target)
        if xp.max(error) > 1.0:
            return xp.mean(error)
        return xp.mean(error * error)

    return loss


@planted("LSY604", "keras", "jax")
def reads_a_value(xp):
    def loss(prediction, target):
        error = (prediction - target) ** 2
        scale = float(xp.max(xp.abs(target)))
        return xp.mean(error) / max(scale, 1.0)

    return loss


@planted("LSY604", "torch")
def reads_where_the_prediction_came_from(xp):
    def loss(prediction, target):
        if prediction.grad_fn is not None and "Sigmoid" in prediction.grad_fn.name():
            raise TypeError("logits, please")
        return xp.mean((prediction - target) ** 2)

    return loss
