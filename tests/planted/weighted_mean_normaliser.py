from tests.planted import planted


@planted("LSY105", "numpy", "torch", "keras", "jax", task="regression")
def divided_twice(xp):
    def loss(prediction, target, weight=None):
        losses = (prediction - target) ** 2
        if weight is None:
            return xp.mean(losses)
        weight = xp.reshape(weight, losses.shape)
        return xp.mean(weight * losses) / xp.sum(weight)

    return loss


@planted("LSY105", "numpy", "torch", "keras", "jax", task="regression")
def divided_by_the_largest(xp):
    def loss(prediction, target, weight=None):
        losses = xp.abs(prediction - target)
        if weight is None:
            return xp.mean(losses)
        return xp.mean(xp.reshape(weight / xp.max(weight), losses.shape) * losses)

    return loss
