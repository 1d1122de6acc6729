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
